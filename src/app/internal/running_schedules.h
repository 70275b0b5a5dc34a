#pragma once
// The schedules of a running process: queries and jobs, what they wait for, and the one scheduler that starts them.

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/internal/destination_adapter.h"
#include "app/internal/job_run.h"
#include "app/internal/query_parts.h"
#include "app/internal/schedule_facts.h"
#include "app/internal/session.h"
#include "pipeline/engine.h"
#include "scheduler/scheduler.h"
#include "state/store.h"

namespace flytt::app {

// Owned and called by one thread, but for `scheduler`.
class RunningSchedules {
 public:
  // All outlive the object. `memory_bytes` is for all runs of queries together.
  struct Parts {
    Session& session;
    BigQueryAccess& access;
    state::Store& store;
    base::Random& random;
    pipeline::Engine& engine;
    std::int64_t memory_bytes;
    const state::Lease* lease = nullptr;  // with a shared state
  };
  struct Chosen {
    std::vector<const QueryConfig*> queries;
    std::vector<const JobConfig*> jobs;
  };
  // kConfig: one waits for another that is not among them; a secret of a job cannot be resolved.
  static Result<std::unique_ptr<RunningSchedules>> make(const Parts& parts, const Chosen& chosen);
  ~RunningSchedules();

  void start();
  // For `run --once`, instead of start: of each schedule the newest slot that has passed, unless it has succeeded, beside
  // those that are due anyway.
  Status start_once();
  // Of start_once: whether nothing is left to be done. What waits for something that does not come is given up.
  Result<bool> is_done_once();
  // What failed or was given up since start_once.
  Result<std::vector<Error>> failures_once();

  // Asks runs to end, and leaves commands to their supervisors. True: they have ended. May be called again.
  bool stop(base::Deadline deadline) { return scheduler_->stop(deadline); }
  // Ends what waits for the destination, too, for good.
  void cancel();

  scheduler::Scheduler& scheduler() { return *scheduler_; }

 private:
  explicit RunningSchedules(const Parts& parts);
  Result<bool> is_idle(const scheduler::ScheduleStatus& status);
  Status show_old_successes(const std::string& schedule);

  const Parts parts_;
  std::unique_ptr<bigquery::Client> client_;
  std::unique_ptr<bigquery::WriteStreams> streams_;
  std::unique_ptr<QueryParts> query_parts_;
  std::unique_ptr<ScheduleFacts> facts_;
  std::unique_ptr<JobParts> job_parts_;
  std::vector<const scheduler::Entry*> entries_;
  std::int64_t started_micros_ = 0;
  std::optional<base::SteadyTime> waiting_since_;
  std::vector<Error> given_up_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;  // its jobs use all that is above
};

}  // namespace flytt::app
