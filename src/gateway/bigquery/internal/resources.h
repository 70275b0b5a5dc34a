#pragma once
// Dataset and Table resources (REST v2) to and from the warehouse's descriptions. Pure functions.

#include <optional>
#include <string>

#include "gateway/bigquery/internal/json.h"
#include "warehouse/tables.h"

namespace flytt::gateway::internal {

enum class WriteMode { kInsert, kPatch, kUpdate };  // a patch keeps what it does not name, an update does not

// BigQuery's rules for ids; errors carry BigQuery's text.
Status check_dataset_id(const std::string& id);
Status check_table_id(const std::string& id);

// What a Dataset or Table body says, laid over what is there (`before`, empty for an insert).
Result<warehouse::DatasetInfo> parse_dataset(const Json& body, const warehouse::DatasetInfo& before, WriteMode mode);
Result<warehouse::TableInfo> parse_table(const Json& body, const warehouse::TableInfo& before, WriteMode mode);

// `base` begins selfLink: "http://127.0.0.1:9050/bigquery/v2/".
OrderedJson dataset_json(const warehouse::DatasetInfo& dataset, const std::string& base);
OrderedJson dataset_list_item_json(const warehouse::DatasetInfo& dataset);
OrderedJson table_json(const warehouse::TableInfo& table, const warehouse::TableUsage& usage,
                       const std::string& location, const std::string& base);
OrderedJson table_list_item_json(const warehouse::TableInfo& table);

std::string millis_text(std::int64_t micros);

}  // namespace flytt::gateway::internal
