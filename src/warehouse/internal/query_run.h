#pragma once
// Runs GoogleSQL: one statement after the other, each translated when its turn comes.

#include <memory>
#include <string>

#include "warehouse/internal/connection_pool.h"
#include "warehouse/internal/query_watch.h"
#include "warehouse/internal/snapshot_catalog.h"
#include "warehouse/query.h"

namespace flytt::warehouse {
class WarehouseImpl;
struct Selection;
}  // namespace flytt::warehouse

namespace flytt::warehouse::internal {

class QueryRun {
 public:
  QueryRun(WarehouseImpl& warehouse, const std::string& sql, const QueryOptions& options)
      : warehouse_(warehouse), sql_(sql), options_(options) {}

  Result<std::unique_ptr<QueryResult>> run(bool dry);

 private:
  struct Step {
    googlesql::Translation translation;
    std::unique_ptr<SnapshotCatalog> catalog;
  };
  Result<Step> translate(std::size_t begin, Connection& connection, SnapshotCatalog::Use use);
  // Statements whose rows are made by a query of their own: that query is run on the writer thread.
  Result<StatementSummary> write(std::size_t begin, Connection& connection);
  Result<StatementSummary> define(const googlesql::Translation& translation);
  // Its first page is there when it returns.
  Result<std::unique_ptr<QueryResult>> select(Step& step, ConnectionPool::Lease lease,
                                              std::unique_ptr<QueryWatch::Guard> guard);
  // The same for a question that ran out of memory: logs are applied first, and nothing of ours is begun beside it.
  Result<std::unique_ptr<QueryResult>> select_with_room(std::size_t begin,
                                                        const std::vector<std::shared_ptr<TableState>>& tables);
  // On the writer thread, one statement that writes.
  Result<StatementSummary> carry_out(const Step& step, Selection& rows);
  Result<StatementSummary> insert(const Step& step, Selection& rows);
  // UPDATE, DELETE and MERGE.
  Result<StatementSummary> rewrite(const Step& step, Selection& rows);
  Result<std::int64_t> append(TableState& table, const std::vector<std::uint32_t>& columns, Selection& rows);
  Result<StatementSummary> create_table(const googlesql::CreateTable& statement, Selection* rows);
  // Writes the answer of the SELECT at `begin` into options_.destination and reads that table.
  Result<std::unique_ptr<QueryResult>> write_to_destination(std::size_t begin, Connection& connection);
  // The table, as it is when it has been written.
  struct Written {
    std::int64_t rows = 0, rows_there = 0;
    std::string read_sql;  // of what is read back
  };
  Result<Written> write_answer(const Step& step, Selection& rows);
  Result<Written> write_partition(const Step& step, Selection& rows);
  // Saves options_.job in the transaction that writes the statement's rows.
  void save_job(const StatementSummary& summary, Selection& rows) const;
  Status check_cost(const SnapshotCatalog& catalog) const;
  Status check_destination(const googlesql::Translation& translation, int statements) const;
  Result<StatementSummary> drop_table(const googlesql::DropTable& statement);
  Result<StatementSummary> create_schema(const googlesql::CreateSchema& statement);
  Result<StatementSummary> drop_schema(const googlesql::DropSchema& statement);

  WarehouseImpl& warehouse_;
  const std::string& sql_;
  const QueryOptions& options_;
  // Of a QueryRun that reads a destination: what wrote it.
  std::optional<StatementSummary> written_;
};

}  // namespace flytt::warehouse::internal
