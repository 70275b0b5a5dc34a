#pragma once
// QueryJob: one run of a scheduled query, from its rows to the table that they belong in.
//
// From PostgreSQL: rows → staging table (one PENDING stream, whose name is saved first) → one job that replaces, adds or
// merges them. In the destination: one job that does it from the statement itself, or for `write: upsert` from a staging table
// that another job has filled. Either way readers see the old rows until that job has ended, and then all of the new ones.
//
// The job's id is saved before it is started (state/query_runs.h). Whoever comes after a crash, a lost answer or a failed
// attempt asks for that job first: it is gone on with, and only when it is known to have done nothing the slot's work is begun
// anew, under other names. So a slot takes effect once. What attempts leave behind is removed by the next run of the query.
//
// Thread-safe: runs of several slots may be on at once. `run` returns soon after a stop, except while a request that was
// sent has no answer; `Client::cancel` and `WriteStreams::cancel` end that, too.

#include "app/config.h"
#include "app/internal/query_parts.h"
#include "scheduler/job.h"
#include "state/query_runs.h"

namespace flytt::app {

class QueryJob final : public scheduler::Job {
 public:
  // All outlive the job; `source` is null for a query in the destination.
  QueryJob(const QueryConfig& query, const PostgresSourceConfig* source, const QueryParts& parts)
      : query_(query), source_(source), parts_(parts) {}

  Result<scheduler::RunOutcome> run(const scheduler::RunContext& context) override;

 private:
  const QueryConfig& query_;
  const PostgresSourceConfig* source_;
  const QueryParts& parts_;
};

// Lower-case letters, digits, _ and -, at most 63 of them: what BigQuery takes as the value of a label.
std::string label_text(std::string_view text);

}  // namespace flytt::app
