#include "app/internal/job_run.h"

#include <string.h>
#include <sysexits.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <optional>

#include "app/internal/run_folders.h"
#include "app/output.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "data/civil.h"
#include "state/schedule_ledger.h"

namespace flytt::app {

namespace {

using commands::EndReason;
using commands::Outcome;
using scheduler::RunContext;
using scheduler::RunOutcome;

constexpr std::chrono::milliseconds kLook{100};  // for a stop, and for the ends of other completions
constexpr std::chrono::seconds kSchedulerFirst{5};

state::SlotKey key_of(const RunContext& context) {
  return {context.schedule, context.slot_micros, context.trigger == "manual"};
}

std::string signal_text(int number) {
  const char* name = ::sigabbrev_np(number);
  const char* meaning = ::sigdescr_np(number);
  if (name == nullptr || meaning == nullptr) return "signal " + std::to_string(number);
  return "SIG" + std::string(name) + " (" + meaning + ")";
}

std::string end_text(const Outcome& outcome) {
  if (outcome.exit_code) return "exit code " + std::to_string(*outcome.exit_code);
  if (outcome.signal) return "ended by " + signal_text(*outcome.signal);
  return "";
}

std::string reason_text(const Outcome& outcome) {
  switch (outcome.reason) {
    case EndReason::kEnded: return end_text(outcome);
    case EndReason::kTimedOut: return "it took too long and was stopped";
    case EndReason::kStopped: return "it was stopped";
    case EndReason::kLeaseLost: return "it was killed, because the flytt that owned it ended, or lost its lease";
    case EndReason::kOutOfSpace: return "it was killed, because its working folder passed 'limits.disk'";
    case EndReason::kCouldNotStart: return "it could not be started";
    case EndReason::kSupervisorLost: return "how it ended is not known";
  }
  return "";
}

// One attempt of a slot, on the run's own thread.
class Attempt {
 public:
  Attempt(const JobConfig& job, const JobParts& parts, const RunContext& context)
      : job_(job), parts_(parts), context_(context), folders_(parts.folder, job), clock_(parts.host.clock) {}

  Result<RunOutcome> go();

 private:
  struct Live {
    int completion;
    commands::Run run;
  };

  Status find_what_was_begun();
  Status begin(int completion);
  Result<std::optional<commands::Run>> adopt(const std::string& folder) const;
  commands::CommandSpec spec(int completion) const;
  void wait();
  void take(int completion, const Outcome& outcome, const std::string& folder);
  Status leave_or_stop();
  Error failed(int completion, const Outcome& outcome) const;
  RunOutcome success() const;

  const JobConfig& job_;
  const JobParts& parts_;
  const RunContext& context_;
  const RunFolders folders_;
  const base::Clock& clock_;
  std::deque<int> left_;  // completions that are to be run
  std::vector<Live> live_;
  std::optional<Error> failure_;  // the first; then nothing more is begun
  bool is_stopping_ = false;
  Outcome last_;
  std::uint64_t output_bytes_ = 0;
};

Result<RunOutcome> Attempt::go() {
  TRY_STATUS(folders_.prepare());
  TRY_STATUS(find_what_was_begun());
  while (true) {
    TRY_STATUS(leave_or_stop());
    while (!failure_ && !is_stopping_ && !left_.empty() && live_.size() < static_cast<std::size_t>(job_.parallelism)) {
      const int completion = left_.front();
      left_.pop_front();
      if (Status begun = begin(completion); !begun) failure_ = std::move(begun.error());
    }
    if (live_.empty()) break;
    wait();
  }
  if (failure_) return std::move(*failure_);
  if (!left_.empty()) return Error(ErrorCode::kCancelled, "it was stopped before all of its completions had run");
  return success();
}

// What lives, or has ended while nobody looked, comes first; what an earlier attempt has done is not done again.
Status Attempt::find_what_was_begun() {
  std::vector<bool> is_done(static_cast<std::size_t>(job_.completions), false);
  for (const KeptRun& kept : folders_.of_slot(key_of(context_))) {
    if (kept.completion < 0 || kept.completion >= job_.completions || kept.attempt > context_.attempt) continue;
    const auto at = static_cast<std::size_t>(kept.completion);
    if (kept.attempt < context_.attempt && job_.completions == 1) continue;
    TRY(auto run, adopt(kept.folder));
    if (!run) continue;
    if (kept.attempt == context_.attempt) {
      base::log_info("command found again",
                     {{"job", job_.name}, {"run", folders_.name(context_.run_id, kept.completion)}});
      live_.push_back({kept.completion, std::move(*run)});
      is_done[at] = true;
      continue;
    }
    const auto before = run->wait(base::Deadline::passed());
    if (before && before->succeeded()) is_done[at] = true;
  }
  for (int i = 0; i < job_.completions; ++i)
    if (!is_done[static_cast<std::size_t>(i)]) left_.push_back(i);
  return ok();
}

// Nothing when the command was never started there; the folder is gone then.
Result<std::optional<commands::Run>> Attempt::adopt(const std::string& folder) const {
  auto run = commands::adopt(folder, parts_.host);
  if (!run && run.error().code() != ErrorCode::kNotFound) return run.error();
  if (run) {
    const auto outcome = run->wait(base::Deadline::passed());
    if (!outcome || outcome->reason != EndReason::kCouldNotStart) return std::optional(std::move(*run));
  }
  TRY_STATUS(commands::remove(folder));
  return std::optional<commands::Run>();
}

commands::CommandSpec Attempt::spec(int completion) const {
  commands::CommandSpec spec;
  spec.program = job_.run.front();
  spec.arguments.assign(job_.run.begin() + 1, job_.run.end());
  spec.environment = job_.environment;
  spec.environment["FLYTT_RUN"] = folders_.name(context_.run_id, completion);
  spec.environment["FLYTT_JOB"] = job_.name;
  spec.environment["FLYTT_SLOT"] = data::format_datetime(context_.slot_micros) + "Z";
  spec.environment["FLYTT_ATTEMPT"] = std::to_string(context_.attempt);
  spec.environment["FLYTT_TRIGGER"] = context_.trigger;
  spec.environment["FLYTT_COMPLETION"] = std::to_string(completion);
  for (const auto& [name, secret] : job_.secrets) spec.secrets.emplace(name, secret.value);
  for (const auto& [name, content] : job_.files) spec.files.emplace(name, content.value);
  for (const char* name : {"FLYTT_PROGRAM", "FLYTT_CONFIG"}) spec.inherited.emplace_back(name);
  std::erase_if(spec.inherited, [&](const std::string& name) {
    return spec.environment.count(name) != 0 || spec.secrets.count(name) != 0;
  });
  spec.working_folder = job_.folder;
  spec.limits = job_.limits;
  // The scheduler stops it in its time; the supervisor does when no flytt runs.
  const std::int64_t run_micros_max = job_.entry->policy.run_micros_max;
  spec.limits.wall = run_micros_max == 0 ? std::chrono::milliseconds(0)
                                         : std::chrono::milliseconds(run_micros_max / 1000) + kSchedulerFirst;
  spec.dies_with_parent = parts_.dies_with_parent;
  if (parts_.lease != nullptr) spec.lease_until.at = parts_.lease->work_until();
  return spec;
}

Status Attempt::begin(int completion) {
  FAILPOINT("job.start.before");
  TRY(commands::Run run, commands::start(spec(completion), folders_.path(context_.run_id, completion), parts_.host));
  FAILPOINT("job.start.after");
  live_.push_back({completion, std::move(run)});
  return ok();
}

// Until one ends, or it is time to look for a stop.
void Attempt::wait() {
  base::Deadline deadline = clock_.in(kLook);
  if (parts_.lease != nullptr)  // one that was adopted has lost its owner, and is about to end
    for (const Live& live : live_) static_cast<void>(live.run.renew(parts_.lease->work_until()));
  for (auto live = live_.begin(); live != live_.end();) {
    auto outcome = live->run.wait(deadline);
    if (!outcome && outcome.error().code() == ErrorCode::kTimeout) {
      ++live;
      continue;
    }
    FAILPOINT("job.end.before");
    if (outcome)
      take(live->completion, *outcome, live->run.folder());
    else if (!failure_)
      failure_ = std::move(outcome.error());
    live = live_.erase(live);
    deadline = base::Deadline::passed();
  }
}

void Attempt::take(int completion, const Outcome& outcome, const std::string& folder) {
  output_bytes_ += outcome.output_bytes_seen;
  last_ = outcome;
  base::log_info("command ended", {{"job", job_.name},
                                   {"run", folders_.name(context_.run_id, completion)},
                                   {"how", outcome_text(outcome)},
                                   {"peak_rss_bytes", static_cast<std::int64_t>(outcome.peak_rss_bytes)}});
  if (!outcome.succeeded() && !failure_) failure_ = failed(completion, outcome);
  if (const Status removed = commands::remove_work(folder); !removed)
    base::log_failure(base::LogLevel::kWarning, "a working folder stays", removed.error(), {{"job", job_.name}});
}

Status Attempt::leave_or_stop() {
  if (!context_.stop.stop_requested()) return ok();
  if (context_.program_ends.stop_requested() && !parts_.dies_with_parent)
    return Error(ErrorCode::kCancelled, "the command goes on under its supervisor; the next `flytt run` finds it");
  if (is_stopping_) return ok();
  is_stopping_ = true;
  for (const Live& live : live_) TRY_STATUS(live.run.stop());
  return ok();
}

Error Attempt::failed(int completion, const Outcome& outcome) const {
  std::string sentence = outcome_text(outcome);
  if (job_.completions > 1) sentence = "completion " + std::to_string(completion) + ": " + sentence;
  if (is_stopping_) return Error(ErrorCode::kCancelled, std::move(sentence));
  if (outcome.exit_code == EX_CONFIG)
    return Error(ErrorCode::kConfig, sentence + "; this code says that trying again does not help");
  return Error(ErrorCode::kUnavailable, std::move(sentence)).retry(base::Retry::kAfterBackoff);
}

RunOutcome Attempt::success() const {
  if (job_.completions == 1) return {outcome_text(last_)};
  return {std::to_string(job_.completions) + " completions; " + human_bytes(static_cast<std::int64_t>(output_bytes_)) +
          " of output"};
}

}  // namespace

std::string outcome_text(const Outcome& outcome) {
  std::string text = reason_text(outcome);
  if (outcome.started_micros > 0 && outcome.ended_micros > outcome.started_micros)
    text += " after " + human_duration((outcome.ended_micros - outcome.started_micros) / 1000);
  if (outcome.reason == EndReason::kStopped || outcome.reason == EndReason::kTimedOut)
    if (const std::string end = end_text(outcome); !end.empty()) text += ", " + end;
  if (!outcome.detail.empty()) text += ": " + outcome.detail;
  if (outcome.reason == EndReason::kCouldNotStart) return text;
  text += "; " + human_bytes(static_cast<std::int64_t>(outcome.output_bytes_seen)) + " of output";
  if (outcome.output_bytes_kept < outcome.output_bytes_seen)
    text += ", of which " + human_bytes(static_cast<std::int64_t>(outcome.output_bytes_kept)) + " are kept";
  if (outcome.processes_left > 0)
    text += "; " + std::to_string(outcome.processes_left) + " processes could not be killed: they wait for a device";
  return text;
}

Result<RunOutcome> JobRun::run(const RunContext& context) {
  const base::SteadyTime began = parts_.host.clock.steady();
  Result<RunOutcome> result = Attempt(job_, parts_, context).go();
  if (context.program_ends.stop_requested() && !result && result.error().code() == ErrorCode::kCancelled) return result;
  const std::string labels = "schedule=" + base::json_quote(context.schedule);
  const char* word = result ? "succeeded" : result.error().code() == ErrorCode::kCancelled ? "stopped" : "failed";
  parts_.metrics.counter("flytt_schedule_runs_total", labels + ",outcome=" + base::json_quote(word)) += 1;
  const std::chrono::duration<double> seconds = parts_.host.clock.steady() - began;
  parts_.metrics.gauge("flytt_schedule_last_run_seconds", labels) = static_cast<std::int64_t>(seconds.count());
  if (result)
    parts_.metrics.gauge("flytt_schedule_last_success_seconds", labels) = parts_.host.clock.wall_micros() / 1'000'000;
  if (const Status removed = remove_old_runs(); !removed)
    base::log_failure(base::LogLevel::kWarning, "old runs could not be removed", removed.error(), {{"job", job_.name}});
  return result;
}

bool JobRun::has_outlived_program(const state::SlotKey& slot, int attempt) const {
  const std::vector<KeptRun> kept = RunFolders(parts_.folder, job_).of_slot(slot);
  return std::any_of(kept.begin(), kept.end(), [attempt](const KeptRun& run) {
    return run.attempt == attempt && commands::was_started(run.folder);
  });
}

// Those of which the ledger remembers nothing any more.
Status JobRun::remove_old_runs() const {
  const RunFolders folders(parts_.folder, job_);
  const std::vector<std::string> names = folders.names();
  TRY(const auto slots, state::ScheduleLedger(parts_.store).history(job_.entry->name, kSlotsMax));
  return folders.remove_old(names, slots);
}

}  // namespace flytt::app
