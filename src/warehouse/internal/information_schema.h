#pragma once
// INFORMATION_SCHEMA: what the warehouse knows about its datasets and tables, as the views that BigQuery documents.
//
// A name with INFORMATION_SCHEMA speaks of one place: a dataset, or all datasets of a project in one location
// (`region-us`). Rows come from the directory's descriptions, in the names, types and texts that BigQuery gives them. A
// view that is not here, and a column whose value nobody measures, is kUnsupported by its name: it is never empty instead.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "googlesql/catalog.h"
#include "warehouse/internal/directory.h"
#include "warehouse/internal/table_version.h"

namespace flytt::warehouse::internal {

// What stands before and behind INFORMATION_SCHEMA.
struct InformationName {
  std::string project;
  std::string dataset;  // empty: every dataset of the project …
  std::string region;   // … in this location ("us"; compared without case), or anywhere when this is empty, too
  std::string view;     // in upper case
};

// nullopt when no segment is INFORMATION_SCHEMA. kUnsupported for a view that is not here.
Result<std::optional<InformationName>> information_name(const std::vector<std::string>& segments,
                                                        const std::string& project);

// The descriptions that an InformationName speaks of, at one moment.
struct Described {
  std::vector<DatasetInfo> datasets;
  std::vector<std::shared_ptr<TableState>> tables;
  std::vector<std::shared_ptr<const TableVersion>> versions;  // of `tables`
  bool same(const Described& other) const;
};
// nullopt when the dataset does not exist.
std::optional<Described> describe(const Directory& directory, const InformationName& name);

// The view's columns; physical names are c0, c1, ….
std::vector<googlesql::CatalogColumn> information_columns(const std::string& view);
// PARTITIONS counts rows, so it is made of the tables' relations.
bool is_partitions(const std::string& view);

// A parenthesised SELECT with the columns of the given indexes.
std::string information_sql(const std::string& view, const Described& described, const std::vector<int>& columns);

// One table's part of PARTITIONS: a SELECT. `relation` gives the SQL of the table's rows with the physical column (none
// when it is empty). kUnsupported when a column is asked for, or the table is partitioned in a way, that is not here.
Result<std::string> partitions_sql(const TableVersion& version, const std::vector<int>& columns,
                                   const std::function<std::string(const std::string& column)>& relation);
// A PARTITIONS without tables.
std::string no_partitions_sql(const std::vector<int>& columns);

}  // namespace flytt::warehouse::internal
