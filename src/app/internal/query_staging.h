#pragma once
// The rows of a PostgreSQL query on their way into a staging table: read in one snapshot, written into one PENDING stream,
// seen all together.
//
// Owned and called by one thread. Waits end soon after `stop` is asked for (kCancelled). After an error the object is of no
// further use: what it wrote was never seen, and the statement at the server is ended when it is destroyed.

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/internal/query_parts.h"
#include "app/internal/query_target.h"
#include "bigquery/staged_write.h"
#include "postgres/query.h"

namespace flytt::app {

struct StagedRows {
  std::int64_t rows = 0, bytes = 0;  // bytes as they are held in memory
};

// Makes the table, which is not there yet, for a result with these columns. It is removed by the service after a day, whatever
// becomes of us.
Status make_staging_table(const QueryParts& parts, const QueryConfig& query, const data::TablePath& staging,
                          const std::vector<ResultColumn>& columns);

class QueryStaging {
 public:
  // Connects, begins the snapshot and asks for the result's columns.
  static Result<std::unique_ptr<QueryStaging>> open(const QueryParts& parts, const QueryConfig& query,
                                                    const PostgresSourceConfig& source);

  const std::vector<ResultColumn>& columns() const { return columns_; }

  // Writes all rows. `save_stream` is called with the write stream's name before the first row; its error ends the work.
  // kBadData: a value that its type cannot hold, by column and reason.
  Result<StagedRows> fill(const data::TablePath& staging, const std::function<Status(const std::string&)>& save_stream,
                          const std::stop_token& stop);

 private:
  QueryStaging(const QueryParts& parts, const QueryConfig& query) : parts_(parts), query_(query) {}
  std::shared_ptr<const data::SliceSchema> schema_of(const data::TablePath& staging) const;
  Status write(bigquery::StagedWrite& staged, data::TableSlice& slice, const std::stop_token& stop);
  Error rejected(const data::Rejection& rejection) const;

  const QueryParts& parts_;
  const QueryConfig& query_;
  std::unique_ptr<postgres::QuerySession> session_;
  std::shared_ptr<const postgres::QueryShape> shape_;
  std::vector<ResultColumn> columns_;
};

}  // namespace flytt::app
