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
}

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
  Result<std::unique_ptr<QueryResult>> execute(Step& step, ConnectionPool::Lease lease,
                                               std::unique_ptr<QueryWatch::Guard> guard);
  Result<std::unique_ptr<QueryResult>> select(Step& step, ConnectionPool::Lease lease,
                                              std::unique_ptr<QueryWatch::Guard> guard);
  Result<StatementSummary> create_table(const googlesql::CreateTable& statement);
  Result<StatementSummary> drop_table(const googlesql::DropTable& statement);
  Result<StatementSummary> create_schema(const googlesql::CreateSchema& statement);
  Result<StatementSummary> drop_schema(const googlesql::DropSchema& statement);
  Result<std::int64_t> insert_rows(TableState& table, const std::vector<std::uint32_t>& columns,
                                   const std::string& sql);

  WarehouseImpl& warehouse_;
  const std::string& sql_;
  const QueryOptions& options_;
};

}  // namespace flytt::warehouse::internal
