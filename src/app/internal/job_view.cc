#include "app/internal/job_view.h"

#include <algorithm>
#include <map>

#include "app/config_keys.h"
#include "base/log.h"
#include "data/civil.h"
#include "scheduler/decide.h"

namespace flytt::app {

namespace {

using state::SlotRecord;
using state::SlotState;
using Views = std::map<std::string, scheduler::ScheduleView, std::less<>>;

constexpr std::string_view kSchedulePrefix = "schedule:";
constexpr std::size_t kRecentMax = 50;  // among which the last attempt is looked for
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

// What only the running process knows is taken to be there; who asks names it.
class KnownElsewhere final : public scheduler::Facts {
 public:
  scheduler::Readiness readiness(std::string_view, std::int64_t) override { return {}; }
  scheduler::ChangeMark change(std::string_view) override { return {}; }
};

std::string elsewhere(const scheduler::Policy& policy) {
  std::string names;
  for (const std::string& dependency : policy.after)
    if (dependency.compare(0, kSchedulePrefix.size(), kSchedulePrefix) != 0)
      names += (names.empty() ? "" : ", ") + dependency;
  return names;
}

std::string why_it_waits(JobView& view, const Views& views, std::int64_t now_micros) {
  const auto due = std::find_if(view.active.begin(), view.active.end(),
                                [](const SlotRecord& slot) { return slot.state == SlotState::kDue; });
  if (!view.is_looked_after) {
    const bool has_passed =
        view.record && !view.record->is_paused &&
        view.entry->schedule.next_after(view.record->decided_micros).value_or(INT64_MAX) <= now_micros;
    return !view.active.empty() || has_passed ? "flytt does not run" : "";
  }
  if (due == view.active.end()) return "";
  if (due->attempt > 0 && due->next_attempt_micros > now_micros)
    return "attempt " + std::to_string(due->attempt + 1) + " at " +
           local_time_text(view.entry->schedule.time_zone(), due->next_attempt_micros) + ", after: " + due->message;
  KnownElsewhere facts;
  scheduler::Question question;
  question.now_micros = now_micros;
  question.view = &views.find(view.entry->name)->second;
  question.others = &views;
  question.facts = &facts;
  question.runs_free = scheduler::kRunsMax;
  const scheduler::Decision decision = scheduler::decide(question);
  if (!decision.waiting.empty()) return decision.waiting;
  const std::string names = elsewhere(view.entry->policy);
  view.waits_elsewhere = !names.empty() && !due->key.is_manual && !view.entry->schedule.is_on_changes();
  return view.waits_elsewhere ? "for " + names : "";
}

Status read_ledger(state::ScheduleLedger& ledger, JobView& view) {
  TRY(view.record, ledger.schedule(view.entry->name));
  TRY(view.active, ledger.active(view.entry->name));
  TRY(const std::vector<SlotRecord> recent, ledger.history(view.entry->name, kRecentMax));
  for (const SlotRecord& slot : recent) {
    if (slot.attempt == 0 || slot.state == SlotState::kRunning) continue;
    if (!view.last || slot.finished_micros > view.last->finished_micros) view.last = slot;
  }
  return ok();
}

}  // namespace

const SlotRecord* JobView::running() const {
  if (!is_looked_after) return nullptr;
  for (const SlotRecord& slot : active)
    if (slot.state == SlotState::kRunning) return &slot;
  return nullptr;
}

std::string_view JobView::state() const {
  if (!record) return "new";
  if (running() != nullptr) return "running";
  if (is_paused()) return "paused";
  if (!waiting.empty()) return "waiting";
  return active.empty() ? "idle" : "due";
}

Result<std::vector<JobView>> view_jobs(const Config& config, state::ScheduleLedger* ledger, bool is_running,
                                       std::int64_t now_micros) {
  std::vector<JobView> all;
  Views views;
  for (const scheduler::Entry* entry : entries_of(config)) {
    JobView view;
    view.entry = entry;
    view.is_looked_after = is_running;
    view.next_slot_micros = view.entry->schedule.next_after(now_micros);
    if (ledger != nullptr) TRY_STATUS(read_ledger(*ledger, view));
    scheduler::ScheduleView& known = views[view.entry->name];
    known.entry = view.entry;
    known.record = view.record.value_or(state::ScheduleRecord{view.entry->name, {}, now_micros, now_micros});
    known.active = view.active;
    if (ledger != nullptr) {
      TRY(known.seen, ledger->seen(entry->name));
    }
    all.push_back(std::move(view));
  }
  for (JobView& view : all) view.waiting = why_it_waits(view, views, now_micros);
  return all;
}

Result<const scheduler::Entry*> find_job(const Config& config, const std::string& name) {
  std::vector<std::string> names;
  for (const scheduler::Entry* entry : entries_of(config)) {
    names.push_back(entry->name.substr(entry->name.find(':') + 1));
    if (name == entry->name || name == names.back()) return entry;
  }
  const std::string nearest = nearest_name(name.substr(name.find(':') + 1), names);
  return Error(ErrorCode::kConfig, config.path + " has no job '" + name + "'" +
                                       (!nearest.empty() ? "; did you mean '" + nearest + "'?"
                                        : names.empty()  ? "; jobs are under 'jobs' and 'queries'"
                                                         : "; `flytt job ls` shows them"));
}

std::string local_time_text(const data::TimeZone& zone, std::int64_t micros) {
  const std::int64_t whole = micros / kMicrosPerSecond * kMicrosPerSecond;
  return data::format_datetime(zone.local_of(whole), ' ') + " " + zone.period_at(whole).abbreviation;
}

std::string utc_time_text(std::int64_t micros) { return local_time_text(data::TimeZone(), micros); }

std::string json_time(std::int64_t micros) { return base::json_quote(data::format_datetime(micros) + "Z"); }

std::string slot_json(const scheduler::Entry& entry, const SlotRecord& slot) {
  const auto time_or_null = [](std::int64_t micros) { return micros == 0 ? std::string("null") : json_time(micros); };
  const bool is_over = slot.state != SlotState::kDue && slot.state != SlotState::kRunning;
  const bool has_length = slot.attempt > 0 && slot.finished_micros >= slot.started_micros && slot.started_micros > 0;
  return "{\"slot\":" + json_time(slot.key.slot_micros) +
         ",\"local\":" + base::json_quote(local_time_text(entry.schedule.time_zone(), slot.key.slot_micros)) +
         ",\"trigger\":" + base::json_quote(slot.trigger) +
         ",\"state\":" + base::json_quote(state::to_string(slot.state)) +
         ",\"attempt\":" + std::to_string(slot.attempt) + ",\"started\":" + time_or_null(slot.started_micros) +
         ",\"finished\":" + time_or_null(slot.finished_micros) + ",\"duration_ms\":" +
         (has_length ? std::to_string((slot.finished_micros - slot.started_micros) / 1000) : std::string("null")) +
         ",\"next_attempt\":" + (is_over ? std::string("null") : time_or_null(slot.next_attempt_micros)) +
         ",\"message\":" + (slot.message.empty() ? "null" : base::json_quote(slot.message)) + "}";
}

Result<std::int64_t> parse_instant(std::string_view option, const std::string& text, const data::TimeZone& zone) {
  if (const auto days = data::parse_date(text)) return zone.instant_of(*days * data::kMicrosPerDay).first_micros;
  std::optional<std::int64_t> local = data::parse_datetime(text);
  if (!local) local = data::parse_datetime(text + ":00");  // 2026-01-15 09:00
  if (local) return zone.instant_of(*local).first_micros;
  if (const auto instant = data::parse_timestamp(text)) return *instant;
  return Error(ErrorCode::kConfig, std::string(option) + " '" + text +
                                       "' is no time; write 2026-01-15, 2026-01-15 09:00 (in " +
                                       std::string(zone.name()) + ") or 2026-01-15T08:00:00Z");
}

}  // namespace flytt::app
