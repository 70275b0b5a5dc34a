#include "scheduler/scheduler.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "scheduler/wishes.h"

namespace flytt::scheduler {

namespace {

std::string hexadecimal(std::uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[value >> shift & 15];
  return text;
}

Result<RunOutcome> run_job(Job& job, const RunContext& context) {
  try {
    return job.run(context);
  } catch (const std::exception& e) {
    return Error(ErrorCode::kBug, "the job of schedule " + context.schedule + " threw").cause(e.what());
  }
}

// Runs that a process before this one left in good hands.
Result<std::set<state::SlotKey>> outliving(const std::vector<ScheduledJob>& jobs, state::ScheduleLedger ledger) {
  std::set<state::SlotKey> found;
  for (const ScheduledJob& job : jobs) {
    TRY(const auto active, ledger.active(job.entry.name));
    for (const state::SlotRecord& slot : active)
      if (slot.state == state::SlotState::kRunning && job.job->has_outlived_program(slot.key, slot.attempt))
        found.insert(slot.key);
  }
  return found;
}

}  // namespace

Result<std::unique_ptr<Scheduler>> Scheduler::make(std::vector<ScheduledJob> jobs, Dispatcher::Parts parts,
                                                   int runs_max) {
  std::vector<Entry> entries;
  for (const ScheduledJob& job : jobs) entries.push_back(job.entry);
  TRY(const std::set<state::SlotKey> going_on, outliving(jobs, parts.ledger));
  auto made = std::unique_ptr<Scheduler>(new Scheduler(std::move(jobs), parts));
  TRY(made->dispatcher_,
      Dispatcher::make(std::move(entries), parts, hexadecimal(parts.random.next()), runs_max, going_on));
  return made;
}

Scheduler::~Scheduler() { static_cast<void>(stop(base::Deadline::passed())); }

void Scheduler::start() {
  CHECK(!thread_.joinable());
  thread_ = std::jthread([this](const std::stop_token& token) { loop(token); });
}

void Scheduler::loop(const std::stop_token& token) {
  std::unique_lock lock(mutex_);
  while (!token.stop_requested()) {
    has_news_ = false;
    step(lock);
    join_done(lock);
    const std::int64_t left = wake_micros_ - std::min(wake_micros_, parts_.clock.wall_micros());
    const auto wait = std::chrono::microseconds(std::min(left, kLookMicros));
    changed_.wait_for(lock, token, wait, [&] { return has_news_; });
  }
}

void Scheduler::step(std::unique_lock<std::mutex>&) {
  auto round = dispatcher_->step();
  if (!round) {
    base::log_failure(base::LogLevel::kError, "the ledger of schedules cannot be kept", round.error());
    wake_micros_ = INT64_MAX;  // the next try is after kLookMicros
    return;
  }
  wake_micros_ = round->wake_micros;
  for (RunOrder& order : round->starts) begin(std::move(order));
  for (const Stop& stop : round->stops)
    for (Run& run : runs_)
      if (run.key == stop.key && !run.is_done) run.stop.request_stop();
}

void Scheduler::begin(RunOrder order) {
  const auto found = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const ScheduledJob& job) { return job.entry.name == order.key.schedule; });
  CHECK(found != jobs_.end());
  Run& run = runs_.emplace_back();
  run.key = order.key;
  order.context.stop = run.stop.get_token();
  order.context.program_ends = program_ends_.get_token();
  base::log_info("run started", {{"schedule", order.key.schedule}, {"run", order.context.run_id}});
  run.thread = std::jthread(
      [this, &run, job = found->job.get(), context = std::move(order.context)] { execute(run, *job, context); });
}

// On the run's own thread.
void Scheduler::execute(Run& run, Job& job, RunContext context) {
  Result<RunOutcome> result = run_job(job, context);
  if (result)
    base::log_info("run succeeded", {{"schedule", context.schedule}, {"run", context.run_id}});
  else
    base::log_failure(base::LogLevel::kWarning, "run failed", result.error(),
                      {{"schedule", context.schedule}, {"run", context.run_id}});
  std::lock_guard lock(mutex_);
  // Cut short because the program ends: its row stays as it is, and the next process goes on with the same attempt.
  const bool goes_on = is_ending_ && !result && result.error().code() == ErrorCode::kCancelled;
  if (!goes_on) dispatcher_->finish(run.key, std::move(result));
  run.is_done = true;
  has_news_ = true;
  changed_.notify_all();
}

void Scheduler::join_done(std::unique_lock<std::mutex>& lock) {
  std::list<Run> done;
  for (auto at = runs_.begin(); at != runs_.end();) {
    const auto next = std::next(at);
    if (at->is_done) done.splice(done.end(), runs_, at);
    at = next;
  }
  lock.unlock();
  done.clear();
  lock.lock();
}

bool Scheduler::stop(base::Deadline deadline) {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  std::unique_lock lock(mutex_);
  is_ending_ = true;
  program_ends_.request_stop();
  for (Run& run : runs_) run.stop.request_stop();
  const auto all_done = [&] {
    return std::all_of(runs_.begin(), runs_.end(), [](const Run& run) { return run.is_done; });
  };
  const bool is_done = changed_.wait_for(lock, parts_.clock.left(deadline), all_done);
  const Status saved = dispatcher_->save_ends();
  if (!saved) base::log_failure(base::LogLevel::kError, "the ends of runs could not be saved", saved.error());
  join_done(lock);
  return is_done && saved.has_value();
}

std::vector<ScheduleStatus> Scheduler::status() const {
  std::lock_guard lock(mutex_);
  return dispatcher_->status();
}

Status Scheduler::set_paused(std::string_view name, bool is_paused) {
  std::lock_guard lock(mutex_);
  TRY_STATUS(parts_.ledger.set_paused(name, is_paused));
  dispatcher_->touch(name);
  has_news_ = true;
  changed_.notify_all();
  return ok();
}

Result<state::SlotKey> Scheduler::run_now(std::string_view name) {
  std::lock_guard lock(mutex_);
  TRY(state::SlotKey key, parts_.ledger.run_now(name, parts_.clock.wall_micros()));
  dispatcher_->touch(name);
  has_news_ = true;
  changed_.notify_all();
  return key;
}

Result<state::BackfillOutcome> Scheduler::backfill(std::string_view name, std::int64_t from_micros,
                                                   std::int64_t to_micros, bool with_forgotten) {
  std::lock_guard lock(mutex_);
  const Entry* entry = dispatcher_->entry(name);
  if (entry == nullptr) return Error(ErrorCode::kNotFound, "there is no schedule called " + std::string(name));
  TRY(const state::BackfillOutcome outcome,
      scheduler::backfill(parts_.ledger, *entry, from_micros, to_micros, with_forgotten, parts_.clock.wall_micros()));
  dispatcher_->touch(name);
  has_news_ = true;
  changed_.notify_all();
  return outcome;
}

void Scheduler::look() {
  std::lock_guard lock(mutex_);
  for (const ScheduledJob& job : jobs_) dispatcher_->touch(job.entry.name);
  has_news_ = true;
  changed_.notify_all();
}

}  // namespace flytt::scheduler
