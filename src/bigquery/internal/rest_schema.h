#pragma once
// Schemas, datasets and tables as JSON of REST v2, and the cells of query results.

#include <nlohmann/json.hpp>

#include "bigquery/client.h"

namespace flytt::bigquery {

// TableSchema.fields of REST: legacy type names, mode, nested fields.
nlohmann::json fields_to_json(const data::TableSchema& schema);
// kSchema when a type is unknown. The key is not part of it.
Result<data::TableSchema> fields_from_json(const nlohmann::json& fields);

nlohmann::json dataset_to_json(const DatasetInfo& dataset);
Result<DatasetInfo> dataset_from_json(std::string_view body);
// `is_patch`: only what is to be changed.
nlohmann::json table_to_json(const TableInfo& table, bool is_patch);
Result<TableInfo> table_from_json(std::string_view body);

// rows[] of a result: {"f": [{"v": …}]}.
Result<std::vector<ResultRow>> rows_from_json(const nlohmann::json& rows);

std::string text_member(const nlohmann::json& object, const char* name);
// REST sends 64-bit integers as strings; nullopt when absent or not a number.
std::optional<std::int64_t> int_member(const nlohmann::json& object, const char* name);

}  // namespace flytt::bigquery
