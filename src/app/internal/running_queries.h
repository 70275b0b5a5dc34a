#pragma once
// The queries of a running process: their jobs, what they wait for, and the one scheduler that starts them.

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/internal/destination_adapter.h"
#include "app/internal/query_facts.h"
#include "app/internal/query_parts.h"
#include "app/internal/session.h"
#include "pipeline/engine.h"
#include "scheduler/scheduler.h"
#include "state/store.h"

namespace flytt::app {

// Owned and called by one thread, but for `scheduler`.
class RunningQueries {
 public:
  // All outlive the object. `memory_bytes` is for all runs together.
  struct Parts {
    Session& session;
    BigQueryAccess& access;
    state::Store& store;
    base::Random& random;
    pipeline::Engine& engine;
    std::int64_t memory_bytes;
  };
  // kConfig: a query waits for one that is not among them.
  static Result<std::unique_ptr<RunningQueries>> make(const Parts& parts,
                                                      const std::vector<const QueryConfig*>& queries);
  ~RunningQueries();

  void start();
  // For `run --once`, instead of start: of each query the newest slot that has passed, unless it has succeeded, beside
  // those that are due anyway.
  Status start_once();
  // Of start_once: whether nothing is left to be done. What waits for something that does not come is given up.
  Result<bool> is_done_once();
  // What failed or was given up since start_once.
  Result<std::vector<Error>> failures_once();

  // Asks runs to end. True: they have ended. May be called again.
  bool stop(base::Deadline deadline) { return scheduler_->stop(deadline); }
  // Ends what waits for the destination, too, for good.
  void cancel();

  std::size_t size() const { return queries_.size(); }
  scheduler::Scheduler& scheduler() { return *scheduler_; }

 private:
  explicit RunningQueries(const Parts& parts);
  Result<bool> is_idle(const scheduler::ScheduleStatus& status);
  Status show_old_successes(const std::string& schedule);

  const Parts parts_;
  std::unique_ptr<bigquery::Client> client_;
  std::unique_ptr<bigquery::WriteStreams> streams_;
  std::unique_ptr<QueryParts> query_parts_;
  std::unique_ptr<QueryFacts> facts_;
  std::vector<const QueryConfig*> queries_;
  std::int64_t started_micros_ = 0;
  std::optional<base::SteadyTime> waiting_since_;
  std::vector<Error> given_up_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;  // its jobs use all that is above
};

}  // namespace flytt::app
