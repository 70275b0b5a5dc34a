#pragma once
// Scheduled queries before they run: what their statements return, and what would keep a run from writing it. Nothing is
// run and nothing is changed. Calls block for kQueryCheckMax at most, each.

#include <chrono>
#include <vector>

#include "app/internal/finding.h"
#include "app/internal/query_problems.h"
#include "app/internal/session.h"
#include "bigquery/client.h"

namespace flytt::app {

inline constexpr std::chrono::seconds kQueryCheckMax{30};

struct QueryFindings {
  data::TableSchema columns;    // without the version column
  std::int64_t bytes_read = 0;  // in the destination, as it estimates
};

// What its statement gives. Of a query without a source that is asked of `client`, by a dry run with the parameters of a slot;
// kConfig with the server's own sentence as the cause when the statement is wrong.
Result<QueryFindings> ask_about(Session& session, const QueryConfig& query, bigquery::Client* client);

data::TableSchema with_version(const QueryConfig& query, data::TableSchema columns);
std::vector<ResultColumn> columns_of(const data::TableSchema& schema);

// The table that the query's next slot (or, without one, a run by hand now) writes.
Result<data::TablePath> query_target(const Config& config, const QueryConfig& query, std::int64_t now_micros);

// `client` may be null: the destination is not there yet, so only sources are asked.
void check_queries(Session& session, bigquery::Client* client, std::vector<Found>& found);

}  // namespace flytt::app
