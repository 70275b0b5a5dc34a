#pragma once
// The tables of one statement, as the analyzer and the generated SQL see them, fixed to one DuckDB snapshot.
//
// `find` resolves names while the statement is analyzed. The first `relation` of the generator takes the snapshot: tables
// with direct rows are verified, BEGIN, and then the shortest SQL is chosen that is right in that snapshot (table_state.h).
// A table may be dropped, or replaced by another one of its name, at any time until then. Memory learns of it a little later
// than the file, so the snapshot itself is asked whether the tables are in it; what it holds stays readable.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "googlesql/catalog.h"
#include "warehouse/internal/directory.h"
#include "warehouse/internal/duck.h"
#include "warehouse/internal/external_scan.h"
#include "warehouse/internal/information_schema.h"
#include "warehouse/internal/merge_sql.h"
#include "warehouse/internal/wildcard_table.h"
#include "warehouse/query.h"

namespace flytt::warehouse::internal {

// Splits and completes a name: {"p.d.t"}, {"d", "t"}, {"t"} → project, dataset, table. nullopt when a default is missing.
std::optional<data::TablePath> resolve_table(const std::vector<std::string>& path, const QueryOptions& options);

class SnapshotCatalog final : public googlesql::Catalog {
 public:
  using Verify = std::function<Status(TableState& table)>;
  enum class Use {
    kRead,   // on a connection of its own, inside a transaction that this catalog opens
    kWrite,  // the SQL is run later, on the writer thread: only shapes that are right in every snapshot
  };

  // Where EXTERNAL_QUERY finds its rows.
  struct External {
    ExternalQueries* queries;  // null: nowhere
    ExternalScans& scans;
  };

  SnapshotCatalog(const Directory& directory, const QueryOptions& options, Connection& connection, Use use,
                  Verify verify, std::string location, External external)
      : directory_(directory),
        options_(options),
        connection_(connection),
        use_(use),
        verify_(std::move(verify)),
        location_(std::move(location)),
        external_(external) {}
  ~SnapshotCatalog() override;

  Result<std::optional<googlesql::CatalogTable>> find(const std::vector<std::string>& path) override;
  Result<googlesql::CatalogTable> external(const googlesql::ExternalCall& call) override;

  // Opens the transaction if no relation did. The first failure of a relation, too: such a statement must not be run.
  Status pin();
  // A table changed shape or vanished under us: translate again with a new catalog.
  bool is_stale() const { return stale_; }
  // The same question at any later time; exact on the writer thread, which alone changes tables.
  bool has_moved() const;
  std::int64_t log_rows_read() const { return log_rows_; }
  // About how many bytes the columns that are read have in BigQuery, and how many it would charge for.
  std::int64_t bytes_read() const;
  std::int64_t bytes_billed() const;
  const std::vector<std::shared_ptr<TableState>>& read_tables() const { return used_tables_; }
  std::shared_ptr<TableState> by_full_name(const std::string& name) const;
  // The rows of EXTERNAL_QUERY are there as long as these are.
  std::vector<ExternalScans::Use> take_external() { return std::move(uses_); }
  // BigQuery's answer instead of the analyzer's "Table not found".
  Error explain(Error error) const;

 private:
  struct Entry {
    std::shared_ptr<TableState> table;
    std::shared_ptr<const TableVersion> version;
    ReadState before;
    ReadPlan plan;
    std::set<std::string> columns_read;  // physical names
  };
  // A relation that is made of descriptions or of several tables. It is stale when `now` differs from `members`.
  struct Derived {
    Described members;
    std::function<std::optional<Described>()> now;
    std::vector<Entry*> entries;  // of members.tables, when their rows are read
  };
  using Found = std::optional<googlesql::CatalogTable>;
  Entry& entry_of(const std::shared_ptr<TableState>& table);
  Result<Found> find_information(const std::vector<std::string>& path, const InformationName& name);
  Result<Found> find_wildcard(const std::vector<std::string>& path, const data::TablePath& name);
  std::string relation(Entry& entry, const std::vector<int>& columns);
  std::string relation(Entry& entry, const std::vector<std::string>& physical);
  std::string external_relation(const std::shared_ptr<ExternalRows>& rows, const std::vector<int>& columns);
  std::string partitions(const Derived& derived, const std::vector<int>& columns);
  std::string settled(Result<std::string> sql);
  ReadPlan choose(const Entry& entry, const ReadState& after) const;
  Status take_snapshot();

  const Directory& directory_;
  const QueryOptions& options_;
  Connection& connection_;
  const Use use_;
  Verify verify_;
  const std::string location_;
  const External external_;
  std::unique_ptr<ExternalSession> session_;
  std::vector<ExternalScans::Use> uses_;
  std::vector<std::string> spooled_;                              // tables of this statement
  std::map<std::string, std::unique_ptr<Entry>> entries_;         // by full name
  std::map<std::string, std::unique_ptr<Derived>> derived_;       // by full name
  std::vector<std::pair<std::string, data::TablePath>> missing_;  // as written, resolved
  std::vector<std::shared_ptr<TableState>> used_tables_;
  bool pinned_ = false, stale_ = false;
  Status pin_status_;
  std::int64_t log_rows_ = 0;
};

}  // namespace flytt::warehouse::internal
