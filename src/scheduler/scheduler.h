#pragma once
// Scheduler: runs jobs when their schedules say so. A thread of its own steps the Dispatcher; each run has a thread, too.
//
//   std::vector<ScheduledJob> jobs;                       // app: one for each query, model, job of the configuration
//   TRY(Schedule schedule, Schedule::parse({.cron = "15 5 * * *", .timezone = "Europe/Oslo"}));
//   jobs.push_back({{"query:dataproducts", std::move(schedule), policy}, std::make_unique<QueryJob>(…)});
//   TRY(auto scheduler, Scheduler::make(std::move(jobs), {state::ScheduleLedger(store), clock, random, facts}));
//   scheduler->start();
//   …
//   scheduler->stop(clock.in(drain));                     // SIGTERM; what is cut short goes on at the next start
//
// The folder's LOCK sees to it that one process at a time runs schedules over a state file. Other processes pause, resume,
// run and backfill through their own ScheduleLedger; status is read from there, too. Thread-safe, but for start and stop, which the owner
// calls. The destructor stops, and waits for jobs however long they take to see that they are asked to end.

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "scheduler/dispatcher.h"
#include "scheduler/job.h"
#include "state/schedule_ledger.h"

namespace flytt::scheduler {

struct ScheduledJob {
  Entry entry;
  std::unique_ptr<Job> job;
};

class Scheduler {
 public:
  // Parts outlive the scheduler. Errors as of Dispatcher::make.
  static Result<std::unique_ptr<Scheduler>> make(std::vector<ScheduledJob> jobs, Dispatcher::Parts parts,
                                                 int runs_max = kRunsMax);
  ~Scheduler();

  void start();
  // Begins nothing more, asks what runs to end, and saves the ends that come before the deadline. True: everything has ended and is
  // saved. A run that returns kCancelled, or later, goes on at the next start.
  bool stop(base::Deadline deadline);

  std::vector<ScheduleStatus> status() const;
  // What people ask for: see wishes.h and ScheduleLedger. It is seen at once.
  Status set_paused(std::string_view name, bool is_paused);
  Result<state::SlotKey> run_now(std::string_view name);
  Result<state::BackfillOutcome> backfill(std::string_view name, std::int64_t from_micros, std::int64_t to_micros,
                                          bool with_forgotten);
  // Something that Facts tells has changed: what waits is asked again.
  void look();

 private:
  struct Run {
    state::SlotKey key;
    std::stop_source stop;
    bool is_done = false;
    std::jthread thread;  // last: it is joined before the rest goes
  };

  Scheduler(std::vector<ScheduledJob> jobs, Dispatcher::Parts parts) : parts_(parts), jobs_(std::move(jobs)) {}
  void loop(const std::stop_token& token);
  void step(std::unique_lock<std::mutex>& lock);
  void begin(RunOrder order);
  void execute(Run& run, Job& job, RunContext context);
  void join_done(std::unique_lock<std::mutex>& lock);

  Dispatcher::Parts parts_;
  std::vector<ScheduledJob> jobs_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::unique_ptr<Dispatcher> dispatcher_;  // below: guarded by mutex_
  bool has_news_ = true;
  bool is_ending_ = false;
  std::stop_source program_ends_;
  std::int64_t wake_micros_ = INT64_MIN;
  std::list<Run> runs_;  // their threads use all that is above
  std::jthread thread_;
};

}  // namespace flytt::scheduler
