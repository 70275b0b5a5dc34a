#include "app/internal/schedule_status.h"

#include <algorithm>

#include "app/internal/json_object.h"
#include "data/civil.h"
#include "state/schedule_ledger.h"

namespace flytt::app {

namespace {

constexpr std::size_t kHistoryLook = 32;

std::string instant_text(std::int64_t micros) { return data::format_datetime(micros) + "Z"; }
std::string instant_json(std::optional<std::int64_t> micros) {
  return micros && *micros != INT64_MIN ? base::json_quote(instant_text(*micros)) : "null";
}

std::string last_run_json(const std::vector<state::SlotRecord>& history) {
  const auto is_over = [](const state::SlotRecord& slot) {
    return slot.state != state::SlotState::kDue && slot.state != state::SlotState::kRunning;
  };
  // The one that ended last, which need not be the newest slot.
  const state::SlotRecord* last = nullptr;
  for (const state::SlotRecord& slot : history)
    if (is_over(slot) && (last == nullptr || slot.finished_micros > last->finished_micros)) last = &slot;
  if (last == nullptr) return "null";
  return JsonObject()
      .text("slot", instant_text(last->key.slot_micros))
      .text("state", std::string(state::to_string(last->state)))
      .text("trigger", last->trigger)
      .number("attempt", last->attempt)
      .text("finished", instant_text(last->finished_micros))
      .text_or_null("message", last->message)
      .end();
}

std::string state_of(const std::vector<state::SlotRecord>& active, bool is_running, bool is_paused) {
  const auto runs = [](const state::SlotRecord& slot) { return slot.state == state::SlotState::kRunning; };
  // A slot that was left running by a process that ended goes on when one is there again.
  if (is_running && std::any_of(active.begin(), active.end(), runs)) return "running";
  if (is_paused) return "paused";
  return active.empty() ? "idle" : "due";
}

std::string target_of(const Config& config, const std::string& name) {
  for (const QueryConfig& query : config.queries)
    if (query.entry->name == name) return query.dataset + "." + query.table;
  return "";
}

}  // namespace

Result<std::string> schedules_json(state::Store* store, const Config& config,
                                   const std::vector<scheduler::ScheduleStatus>& running, std::int64_t now_micros) {
  std::string list = "[";
  for (const scheduler::Entry* entry : entries_of(config)) {
    const std::string& name = entry->name;
    const auto live = std::find_if(running.begin(), running.end(), [&](const auto& one) { return one.name == name; });
    std::optional<state::ScheduleRecord> record;
    std::vector<state::SlotRecord> active, history;
    if (store != nullptr) {
      state::ScheduleLedger ledger(*store);
      TRY(record, ledger.schedule(name));
      TRY(active, ledger.active(name));
      TRY(history, ledger.history(name, kHistoryLook));
    }
    const bool is_paused = record && record->is_paused;
    const std::string waiting = live == running.end() ? "" : live->waiting;
    list += (list.size() == 1 ? "" : ",") +
            JsonObject()
                .text("name", name)
                .text("definition", entry->schedule.definition())
                .text_or_null("target", target_of(config, name))
                .text("state", state_of(active, live != running.end(), is_paused))
                .text_or_null("waiting", waiting)
                .raw("next_slot", instant_json(entry->schedule.next_after(now_micros)))
                .raw("newest_success_slot",
                     instant_json(record ? std::optional(record->newest_success_micros) : std::nullopt))
                .raw("last_run", last_run_json(history))
                .end();
  }
  return list + "]";
}

}  // namespace flytt::app
