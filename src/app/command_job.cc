// flytt job ls | next: schedules and their slots. Runs are in command_job_logs.cc, wishes in command_job_wish.cc.

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/internal/job_view.h"
#include "app/internal/leader.h"
#include "app/internal/running_engine.h"
#include "app/internal/session.h"
#include "app/internal/source_state.h"
#include "app/output.h"
#include "base/log.h"
#include "state/store.h"

namespace flytt::app {

namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// "failed, attempt 2"
std::string outcome_text(const state::SlotRecord& slot) {
  const std::string word = slot.state == state::SlotState::kDue ? "failed" : std::string(state::to_string(slot.state));
  return slot.attempt > 1 ? word + ", attempt " + std::to_string(slot.attempt) : word;
}

std::string jobs_json(const std::vector<JobView>& jobs, bool is_running) {
  std::string out = std::string("{\"running\":") + (is_running ? "true" : "false") + ",\"jobs\":[";
  for (const JobView& job : jobs) {
    const data::TimeZone& zone = job.entry->schedule.time_zone();
    const state::SlotRecord* running = job.running();
    std::string due;
    for (const state::SlotRecord& slot : job.active)
      if (slot.state == state::SlotState::kDue) due += (due.empty() ? "" : ",") + slot_json(*job.entry, slot);
    out += std::string(&job == &jobs.front() ? "" : ",") + "{\"name\":" + base::json_quote(job.entry->name) +
           ",\"schedule\":" + base::json_quote(job.entry->schedule.definition()) +
           ",\"timezone\":" + base::json_quote(std::string(zone.name())) +
           ",\"state\":" + base::json_quote(std::string(job.state())) +
           ",\"paused\":" + (job.is_paused() ? "true" : "false") +
           ",\"next\":" + (job.next_slot_micros ? json_time(*job.next_slot_micros) : "null") + ",\"next_local\":" +
           (job.next_slot_micros ? base::json_quote(local_time_text(zone, *job.next_slot_micros)) : "null") +
           ",\"last\":" + (job.last ? slot_json(*job.entry, *job.last) : "null") +
           ",\"current\":" + (running != nullptr ? slot_json(*job.entry, *running) : "null") + ",\"due\":[" + due +
           "],\"waiting\":" + (job.waiting.empty() ? "null" : base::json_quote(job.waiting)) + "}";
  }
  return out + "]}\n";
}

std::string jobs_text(const Config& config, const std::vector<JobView>& jobs) {
  if (jobs.empty()) return config.path + " has no jobs; they are under 'jobs' and 'queries'.\n";
  TextTable table({"name", "schedule", "next slot", "in UTC", "last run", "ended", "state"});
  std::string notes;
  for (const JobView& job : jobs) {
    const data::TimeZone& zone = job.entry->schedule.time_zone();
    const state::SlotRecord* running = job.running();
    const bool has_next = job.next_slot_micros.has_value();
    table.add({job.entry->name, job.entry->schedule.definition(),
               has_next                              ? local_time_text(zone, *job.next_slot_micros)
               : job.entry->schedule.is_on_changes() ? "on a change"
                                                     : "none",
               has_next ? utc_time_text(*job.next_slot_micros) : "", job.last ? outcome_text(*job.last) : "none",
               job.last ? local_time_text(zone, job.last->finished_micros) : "", std::string(job.state())});
    const auto note = [&](const std::string& sentence) { notes += job.entry->name + ": " + sentence + "\n"; };
    if (running != nullptr)
      note("attempt " + std::to_string(running->attempt) + " for the slot of " +
           local_time_text(zone, running->key.slot_micros) + " runs since " +
           local_time_text(zone, running->started_micros));
    if (!job.waiting.empty()) note("waits: " + job.waiting);
    if (job.last && job.last->state == state::SlotState::kFailed) note("last run failed: " + job.last->message);
  }
  return table.text() + (notes.empty() ? "" : "\n" + notes);
}

// Reasons that only the running process knows. One that does not answer leaves what the state file says.
void ask_engine(Session& session, std::vector<JobView>& jobs) {
  const bool is_needed = std::any_of(jobs.begin(), jobs.end(), [](const JobView& job) { return job.waits_elsewhere; });
  if (!is_needed) return;
  const auto leader = session.config.has_shared_state() ? read_leader(session.config) : state::LeaseRow();
  const auto answer = ask_status(session, leader ? *leader : state::LeaseRow());
  const auto told = answer && *answer ? nlohmann::json::parse(**answer, nullptr, false) : nlohmann::json();
  if (!told.is_object() || !told.contains("schedules") || !told["schedules"].is_array()) return;
  const auto text = [](const nlohmann::json& object, const char* key) {
    const bool is_text = object.is_object() && object.contains(key) && object[key].is_string();
    return is_text ? object[key].get<std::string>() : std::string();
  };
  for (const auto& schedule : told["schedules"])
    for (JobView& job : jobs)
      if (job.waits_elsewhere && text(schedule, "name") == job.entry->name && !text(schedule, "waiting").empty())
        job.waiting = text(schedule, "waiting");
}

Result<int> list(Session& session, bool as_json) {
  TRY(const bool is_running, is_engine_running(session.config));
  TRY(const auto store, open_state_to_read(session.config));
  std::optional<state::ScheduleLedger> ledger;
  if (store) ledger.emplace(*store);
  TRY(std::vector<JobView> jobs,
      view_jobs(session.config, ledger ? &*ledger : nullptr, is_running, session.clock.wall_micros()));
  ask_engine(session, jobs);
  print(as_json ? jobs_json(jobs, is_running) : jobs_text(session.config, jobs));
  return kExitDone;
}

Result<int> next(Session& session, const JobOptions& options, bool as_json) {
  std::vector<const scheduler::Entry*> entries;
  if (options.name.empty()) {
    entries = entries_of(session.config);
  } else {
    TRY(const scheduler::Entry* entry, find_job(session.config, options.name));
    entries.push_back(entry);
  }
  TextTable table({"name", "slot", "in UTC"});
  std::string json;
  for (const scheduler::Entry* entry : entries) {
    const data::TimeZone& zone = entry->schedule.time_zone();
    std::string slots;
    std::int64_t after = session.clock.wall_micros();
    for (int i = 0; i < options.count; ++i) {
      const auto slot = entry->schedule.next_after(after);
      if (!slot) {
        table.add({entry->name, entry->schedule.is_on_changes() ? entry->schedule.definition() : "none", ""});
        break;
      }
      after = *slot;
      table.add({entry->name, local_time_text(zone, *slot), utc_time_text(*slot)});
      slots += std::string(slots.empty() ? "" : ",") + "{\"slot\":" + json_time(*slot) +
               ",\"local\":" + base::json_quote(local_time_text(zone, *slot)) + "}";
    }
    json += std::string(json.empty() ? "" : ",") + "{\"name\":" + base::json_quote(entry->name) +
            ",\"timezone\":" + base::json_quote(std::string(zone.name())) + ",\"slots\":[" + slots + "]}";
  }
  print(as_json ? "{\"jobs\":[" + json + "]}\n" : table.text());
  return kExitDone;
}

Result<int> run(const CommonOptions& common, const JobOptions& options) {
  TRY(const auto session, open_session(common));
  if (options.action == "next") return next(*session, options, common.json);
  return list(*session, common.json);
}

}  // namespace

int run_job(const CommonOptions& common, const JobOptions& options) {
  base::set_log(base::LogLevel::kError, base::LogFormat::kText);
  const auto done = run(common, options);
  return done ? *done : report(done.error());
}

}  // namespace flytt::app
