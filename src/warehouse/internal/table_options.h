#pragma once
// OPTIONS(…), PARTITION BY and CLUSTER BY of CREATE statements as descriptions. What cannot be kept is kUnsupported.

#include <string>
#include <vector>

#include "googlesql/translator.h"
#include "warehouse/query.h"
#include "warehouse/tables.h"

namespace flytt::warehouse::internal {

Result<TableInfo> describe_table(const googlesql::CreateTable& statement, const data::TablePath& path);
Result<DatasetInfo> describe_dataset(const googlesql::CreateSchema& statement, const DatasetPath& path);
DatasetPath resolve_dataset(const std::vector<std::string>& path, const QueryOptions& options);

}  // namespace flytt::warehouse::internal
