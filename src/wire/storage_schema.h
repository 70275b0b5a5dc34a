#pragma once
// Table schemas as the Storage API's messages have them (google/cloud/bigquery/storage/v1/table.proto).

#include "base/result.h"
#include "data/schema.h"

namespace google::cloud::bigquery::storage::v1 {
class TableSchema;
}

namespace flytt::wire {

// Replaces the content of `out`. The key is not part of that message.
void to_storage_schema(const data::TableSchema& table, google::cloud::bigquery::storage::v1::TableSchema& out);
// kSchema when a type is unknown or nested too deeply.
Result<data::TableSchema> from_storage_schema(const google::cloud::bigquery::storage::v1::TableSchema& schema);

}  // namespace flytt::wire
