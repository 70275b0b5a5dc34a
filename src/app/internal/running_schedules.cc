#include "app/internal/running_schedules.h"

#include <algorithm>

#include "app/internal/query_job.h"
#include "postgres/connection.h"
#include "state/schedule_ledger.h"

namespace flytt::app {

namespace {

constexpr std::string_view kSchedulePrefix = "schedule:";
constexpr std::chrono::seconds kOncePatience{15};  // for what slots wait for, once nothing else runs
constexpr std::chrono::seconds kLogEndPatience{5};
constexpr std::size_t kHistoryLook = 200;
constexpr std::int64_t kWindowBytesMin = 4LL << 20, kWindowBytesMax = 32LL << 20;

// "query dataproducts"
std::string words(const std::string& schedule) {
  const auto colon = schedule.find(':');
  return schedule.substr(0, colon) + " " + schedule.substr(colon + 1);
}

Status check_dependencies(const std::vector<const scheduler::Entry*>& entries) {
  for (const scheduler::Entry* entry : entries)
    for (const std::string& dependency : entry->policy.after) {
      if (!dependency.starts_with(kSchedulePrefix)) continue;
      const std::string name = dependency.substr(kSchedulePrefix.size());
      const bool is_there = std::any_of(entries.begin(), entries.end(),
                                        [&](const scheduler::Entry* other) { return other->name == name; });
      if (!is_there)
        return Error(ErrorCode::kConfig, words(entry->name) + " waits for " + words(name) +
                                             ", which does not run here; name it with --only, too");
    }
  return ok();
}

Status check_secrets(const JobConfig& job) {
  for (const auto* texts : {&job.secrets, &job.files})
    for (const auto& [name, text] : *texts)
      if (!text.problem.empty())
        return Error(ErrorCode::kConfig, text.problem + "; '" + name + "' of job '" + job.name + "' is this reference");
  return ok();
}

// Only who runs the query needs what its source refers to.
Status check_source(const QueryConfig& query, const PostgresSourceConfig* source) {
  if (source == nullptr || source->url_problem.empty()) return ok();
  return Error(ErrorCode::kConfig, source->url_problem + "; query '" + query.name + "' reads from this source");
}

Result<std::optional<std::int64_t>> changed_micros(bigquery::Client& client, const data::TablePath& table) {
  const auto info = client.get_table(table);
  if (info) return std::optional(info->modified_ms * 1000);
  if (info.error().code() == ErrorCode::kNotFound) return std::optional<std::int64_t>();
  return info.error();
}

Result<std::optional<std::string>> saved_places(const Config& config, state::Store& store, const std::string& stream) {
  if (config.find_topic_stream(stream) == nullptr) return std::optional<std::string>();
  TRY(const auto lanes, store.lanes(stream));
  std::int64_t messages = 0;
  for (const state::SavedLane& lane : lanes) messages += lane.next_offset;
  if (lanes.empty()) return std::optional<std::string>("");
  return std::optional(std::to_string(messages) + " of " + std::to_string(lanes.size()) + " partitions");
}

Result<std::uint64_t> log_end(const Config& config, const base::Clock& clock, const std::string& name) {
  const StreamConfig* stream = config.find_stream(name);
  const PostgresSourceConfig* source = stream == nullptr ? nullptr : config.find_source(stream->from);
  CHECK(source != nullptr);
  TRY(const auto end, postgres::read_log_end({source->url}, clock, clock.in(kLogEndPatience)));
  return end.value;
}

}  // namespace

RunningSchedules::RunningSchedules(const Parts& parts) : parts_(parts) {
  BigQueryAccess& access = parts_.access;
  const base::Clock& clock = parts_.session.clock;
  // Of their own, so that they can be cancelled without harm to the streams.
  client_ = std::make_unique<bigquery::Client>(
      bigquery::Client::Parts{*access.transport, *access.credentials, clock, parts_.random});
  streams_ = std::make_unique<bigquery::WriteStreams>(
      bigquery::WriteStreams::Parts{access.channel, *access.credentials, clock, parts_.random});
  query_parts_ = std::make_unique<QueryParts>(
      QueryParts{*client_, *streams_, access.channel, *access.credentials, clock, parts_.random, parts_.session.metrics,
                 parts_.store, parts_.session.config.project, parts_.session.config.location});
  query_parts_->window_bytes =
      static_cast<std::size_t>(std::clamp(parts_.memory_bytes / 8, kWindowBytesMin, kWindowBytesMax));
  job_parts_ = std::make_unique<JobParts>(JobParts{parts_.session.metrics,
                                                   parts_.store,
                                                   parts_.session.config.runs_folder(),
                                                   {clock, command_environment(parts_.session.config)}});
  job_parts_->lease = parts_.lease;
  job_parts_->dies_with_parent = parts_.lease != nullptr;
  facts_ = std::make_unique<ScheduleFacts>(ScheduleFacts::Parts{
      clock, parts_.session.config.project, [engine = &parts_.engine] { return engine->status(); },
      [client = client_.get()](const data::TablePath& table) { return changed_micros(*client, table); },
      [config = &parts_.session.config, store = &parts_.store](const std::string& stream) {
        return saved_places(*config, *store, stream);
      },
      [config = &parts_.session.config, &clock](const std::string& stream) {
        return log_end(*config, clock, stream);
      }});
}

RunningSchedules::~RunningSchedules() { cancel(); }

void RunningSchedules::cancel() {
  client_->cancel();
  streams_->cancel();
}

Result<std::unique_ptr<RunningSchedules>> RunningSchedules::make(const Parts& parts, const Chosen& chosen) {
  std::unique_ptr<RunningSchedules> made(new RunningSchedules(parts));
  std::vector<scheduler::ScheduledJob> jobs;
  for (const QueryConfig* query : chosen.queries) {
    const PostgresSourceConfig* source = query->from.empty() ? nullptr : parts.session.config.find_source(query->from);
    TRY_STATUS(check_source(*query, source));
    jobs.push_back({*query->entry, std::make_unique<QueryJob>(*query, source, *made->query_parts_)});
    made->entries_.push_back(&*query->entry);
  }
  for (const JobConfig* job : chosen.jobs) {
    TRY_STATUS(check_secrets(*job));
    jobs.push_back({*job->entry, std::make_unique<JobRun>(*job, *made->job_parts_)});
    made->entries_.push_back(&*job->entry);
  }
  TRY_STATUS(check_dependencies(made->entries_));
  TRY(made->scheduler_,
      scheduler::Scheduler::make(
          std::move(jobs), {state::ScheduleLedger(parts.store), parts.session.clock, parts.random, *made->facts_}));
  for (const scheduler::Entry* entry : made->entries_) TRY_STATUS(made->show_old_successes(entry->name));
  return made;
}

// The metric is there from the start, with what the ledger remembers.
Status RunningSchedules::show_old_successes(const std::string& schedule) {
  state::ScheduleLedger ledger(parts_.store);
  TRY(const auto history, ledger.history(schedule, kHistoryLook));
  std::int64_t newest = 0;
  for (const state::SlotRecord& slot : history)
    if (slot.state == state::SlotState::kSucceeded) newest = std::max(newest, slot.finished_micros);
  parts_.session.metrics.gauge("flytt_schedule_last_success_seconds", "schedule=" + base::json_quote(schedule)) =
      newest / 1'000'000;
  return ok();
}

void RunningSchedules::start() { scheduler_->start(); }

Status RunningSchedules::start_once() {
  started_micros_ = parts_.session.clock.wall_micros();
  for (const scheduler::Entry* entry : entries_) {
    const auto newest = entry->schedule.last_until(started_micros_);
    if (!newest) continue;
    // A slot that has succeeded stays as it is.
    TRY(const state::BackfillOutcome entered, scheduler_->backfill(entry->name, *newest, *newest + 1, false));
    static_cast<void>(entered);
  }
  scheduler_->start();
  return ok();
}

// Nothing of it is due, running, or still to be entered of what has passed.
Result<bool> RunningSchedules::is_idle(const scheduler::ScheduleStatus& status) {
  const bool is_active = std::any_of(status.active.begin(), status.active.end(), [&](const state::SlotRecord& slot) {
    return !status.is_paused || slot.key.is_manual || slot.state == state::SlotState::kRunning;
  });
  if (is_active) return false;
  if (status.is_paused) return true;
  if (!status.unknown.empty()) return false;
  TRY(const auto record, state::ScheduleLedger(parts_.store).schedule(status.name));
  if (!record) return true;
  for (const scheduler::Entry* entry : entries_) {
    if (entry->name != status.name) continue;
    const auto next = entry->schedule.next_after(record->decided_micros);
    return !next || *next > started_micros_;
  }
  return true;
}

Result<bool> RunningSchedules::is_done_once() {
  bool is_done = true, something_moves = false;
  std::vector<Error> waiting;
  for (const scheduler::ScheduleStatus& status : scheduler_->status()) {
    TRY(const bool idle, is_idle(status));
    if (idle) continue;
    is_done = false;
    const std::string& reason = status.waiting.empty() ? status.unknown : status.waiting;
    const bool only_waits =
        !reason.empty() && std::all_of(status.active.begin(), status.active.end(), [](const auto& slot) {
          return slot.state == state::SlotState::kDue && slot.attempt == 0;
        });
    if (!only_waits) something_moves = true;
    waiting.push_back(Error(ErrorCode::kUnavailable, status.name + " was not run: " + reason));
  }
  const base::SteadyTime now = parts_.session.clock.steady();
  if (is_done || something_moves) {
    waiting_since_.reset();
    return is_done;
  }
  if (!waiting_since_) waiting_since_ = now;
  if (now - *waiting_since_ < kOncePatience) return false;
  given_up_ = std::move(waiting);
  return true;
}

Result<std::vector<Error>> RunningSchedules::failures_once() {
  std::vector<Error> out = given_up_;
  state::ScheduleLedger ledger(parts_.store);
  for (const scheduler::Entry* entry : entries_) {
    const std::string& name = entry->name;
    TRY(const auto history, ledger.history(name, kHistoryLook));
    for (const state::SlotRecord& slot : history)
      if (slot.state == state::SlotState::kFailed && slot.finished_micros >= started_micros_)
        out.push_back(Error(ErrorCode::kUnavailable, name + " failed: " + slot.message));
  }
  return out;
}

}  // namespace flytt::app
