#pragma once
// All datasets and tables that exist now, in memory. Thread-safe. Changed only after their transaction is committed.
//
// A table whose expiration has passed is not found any more, and not listed; it is `expired` until somebody drops it.

#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "warehouse/internal/table_state.h"
#include "warehouse/tables.h"

namespace flytt::warehouse::internal {

class Directory {
 public:
  explicit Directory(const base::Clock& clock) : clock_(clock) {}

  std::optional<DatasetInfo> find(const DatasetPath& path) const;
  std::shared_ptr<TableState> find(const data::TablePath& path) const;  // null: no such table
  std::vector<DatasetInfo> datasets(const std::string& project) const;
  std::vector<std::shared_ptr<TableState>> tables(const DatasetPath& path) const;
  std::vector<std::shared_ptr<TableState>> all_tables() const;  // with those that have expired
  std::vector<std::shared_ptr<TableState>> expired_tables() const;
  std::vector<DatasetInfo> all_datasets() const;

  void put(const DatasetInfo& dataset);
  void put(std::shared_ptr<TableState> table);
  void remove(const DatasetPath& path);
  void remove(const data::TablePath& path);

 private:
  bool has_expired(const TableState& table) const;

  const base::Clock& clock_;
  mutable std::shared_mutex mutex_;
  std::map<DatasetPath, DatasetInfo> datasets_;
  std::map<data::TablePath, std::shared_ptr<TableState>> tables_;
};

// BigQuery's sentences for what is missing, there already, or not allowed.
Error dataset_not_found(const DatasetPath& path);
Error dataset_not_found_in(const DatasetPath& path, const std::string& location);
Error table_not_found(const data::TablePath& path);
Error no_access_to(const data::TablePath& path);  // its project has nothing here
Error already_exists(const DatasetPath& path);
Error already_exists(const data::TablePath& path);
Status check_dataset_id(const std::string& id);
Status check_table_id(const std::string& id);
Status check_schema(const data::TableSchema& schema);
// What `now` may differ from `before`: columns added at the end, REQUIRED relaxed, descriptions, a key added or kept.
Status check_schema_change(const TableInfo& table, const data::TableSchema& now);
// Statements must not change the rows of a table that change streams write to.
Status check_takes_statements(const TableState& table);
std::string make_etag(const std::string& document);

}  // namespace flytt::warehouse::internal
