#pragma once
// `dataset.prefix*`: all tables whose names begin alike, read as one.
//
// Columns are those of the table that was created last; a table without one of them gives NULL for it. _TABLE_SUFFIX is
// what stands in the star's place. Tables in which a column that is asked for has another type are kUnsupported.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "googlesql/catalog.h"
#include "warehouse/internal/table_version.h"

namespace flytt::warehouse::internal {

using TableVersions = std::vector<std::shared_ptr<const TableVersion>>;

bool is_wildcard(const std::string& table);

// The versions are not empty. Physical names are w0, w1, … and "suffix".
std::vector<googlesql::CatalogColumn> wildcard_columns(const TableVersions& versions);

// A parenthesised SELECT with the columns of the given indexes. `relation` gives the SQL of one table's rows with the
// physical columns.
Result<std::string> wildcard_sql(
    const std::string& name, const TableVersions& versions, const std::vector<int>& columns,
    const std::function<std::string(std::size_t table, const std::vector<std::string>& physical)>& relation);

}  // namespace flytt::warehouse::internal
