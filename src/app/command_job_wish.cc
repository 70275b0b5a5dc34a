// flytt job run | pause | resume | backfill. Wishes are rows of the state file; a flytt that runs beside sees them within a
// second, and the next one when it starts.

#include <cstdio>

#include "app/commands.h"
#include "app/internal/job_view.h"
#include "app/internal/session.h"
#include "app/internal/signals.h"
#include "app/internal/source_state.h"
#include "app/output.h"
#include "base/log.h"
#include "scheduler/wishes.h"

namespace flytt::app {

namespace {

using state::SlotRecord;
using state::SlotState;

constexpr std::chrono::milliseconds kLook{200};

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// Everything that a wish is made with.
struct Desk {
  std::unique_ptr<Session> session;
  const scheduler::Entry* entry = nullptr;
  std::unique_ptr<state::Store> store;
  bool is_running = false;  // a flytt that knows this schedule
  bool as_json = false;

  state::ScheduleLedger ledger() const { return state::ScheduleLedger(*store); }
};

// A schedule that no run has seen yet is made known, and begins now, as a run would do it.
Result<Desk> open_desk(const CommonOptions& common, const JobOptions& options) {
  Desk desk;
  desk.as_json = common.json;
  TRY(desk.session, open_session(common));
  TRY(desk.entry, find_job(desk.session->config, options.name));
  TRY(desk.is_running, is_engine_running(desk.session->config));
  TRY(desk.store, open_source_state(*desk.session));
  TRY(const auto known, desk.ledger().schedule(desk.entry->name));
  if (known) return desk;
  desk.is_running = false;  // it was started with another configuration
  TRY_STATUS(
      desk.ledger().enroll(desk.entry->name, desk.entry->schedule.definition(), desk.session->clock.wall_micros()));
  return desk;
}

// What one look at the slot tells, to standard error: standard output holds the end alone.
void tell(const Desk& desk, const SlotRecord& slot) {
  const std::string attempt = "attempt " + std::to_string(slot.attempt);
  if (slot.state == SlotState::kRunning) std::fprintf(stderr, "%s runs\n", attempt.c_str());
  if (slot.state == SlotState::kDue && slot.attempt > 0)
    std::fprintf(stderr, "%s failed: %s; the next at %s\n", attempt.c_str(), slot.message.c_str(),
                 local_time_text(desk.entry->schedule.time_zone(), slot.next_attempt_micros).c_str());
}

int tell_end(const Desk& desk, const SlotRecord& slot) {
  const std::string length = human_duration((slot.finished_micros - slot.started_micros) / 1000);
  if (desk.as_json)
    print(slot_json(*desk.entry, slot) + "\n");
  else
    print(desk.entry->name + " " + std::string(state::to_string(slot.state)) +
          (slot.attempt > 0 ? " after " + length : std::string()) + (slot.message.empty() ? "" : ": " + slot.message) +
          "\n");
  return slot.state == SlotState::kSucceeded ? kExitDone : kExitFailed;
}

Result<int> follow(const Desk& desk, const state::SlotKey& key, const SignalWatch& signals) {
  Session& session = *desk.session;
  SlotRecord seen;
  base::Deadline seen_until = base::Deadline::passed();
  while (true) {
    TRY(const auto slot, desk.ledger().slot(key));
    if (!slot)
      return Error(ErrorCode::kNotFound, "the record of this run was taken away; `flytt job ls` shows the last");
    if (slot->state != SlotState::kDue && slot->state != SlotState::kRunning) return tell_end(desk, *slot);
    if (slot->state != seen.state || slot->attempt != seen.attempt) tell(desk, *slot);
    seen = *slot;
    if (signals.wait(session.clock, session.clock.in(kLook)))
      return Error(ErrorCode::kCancelled, desk.entry->name + " is not waited for any more; the run itself goes on");
    TRY(const bool is_running, is_engine_running(session.config));
    // With a shared state another replica takes over within the lease and a little more.
    if (is_running) seen_until = session.clock.in(std::chrono::milliseconds(2 * session.config.lease_ms));
    const bool may_come = session.config.has_shared_state() && !session.clock.is_past(seen_until);
    if (!is_running && !may_come)
      return Error(ErrorCode::kUnavailable,
                   "flytt has ended; " + desk.entry->name + " goes on with the next `flytt run`");
  }
}

Result<int> run_now(const Desk& desk, const JobOptions& options) {
  TRY(const SignalWatch signals, SignalWatch::start());
  TRY(const state::SlotKey key, desk.ledger().run_now(desk.entry->name, desk.session->clock.wall_micros()));
  if (desk.is_running && options.wait) return follow(desk, key, signals);
  if (desk.as_json)
    print("{\"name\":" + base::json_quote(desk.entry->name) + ",\"slot\":" + json_time(key.slot_micros) +
          ",\"running\":" + (desk.is_running ? "true" : "false") + "}\n");
  else if (desk.is_running)
    print(desk.entry->name + " is asked to run; `flytt job logs " + options.name + "` shows how it ends\n");
  else
    print(desk.entry->name + " will be run by the next `flytt run`\n");
  return kExitDone;
}

Result<int> set_paused(const Desk& desk, bool is_paused) {
  TRY_STATUS(desk.ledger().set_paused(desk.entry->name, is_paused));
  if (desk.as_json)
    print("{\"name\":" + base::json_quote(desk.entry->name) + ",\"paused\":" + (is_paused ? "true" : "false") + "}\n");
  else if (is_paused)
    print(desk.entry->name + " is paused: no slot begins, what runs goes on, `flytt job run` still works\n");
  else
    print(desk.entry->name + " goes on; `missed` decides about slots that passed meanwhile\n");
  return kExitDone;
}

Result<int> backfill(const Desk& desk, const JobOptions& options) {
  const data::TimeZone& zone = desk.entry->schedule.time_zone();
  TRY(const std::int64_t from, parse_instant("--from", options.from, zone));
  TRY(const std::int64_t to, parse_instant("--to", options.to, zone));
  state::ScheduleLedger ledger = desk.ledger();
  TRY(const state::BackfillOutcome outcome,
      scheduler::backfill(ledger, *desk.entry, from, to, options.again, desk.session->clock.wall_micros()));
  const auto count = [](std::size_t n) { return human_count(static_cast<std::int64_t>(n)); };
  if (desk.as_json) {
    print("{\"name\":" + base::json_quote(desk.entry->name) + ",\"from\":" + json_time(from) +
          ",\"to\":" + json_time(to) + ",\"entered\":" + std::to_string(outcome.entered) + ",\"succeeded_before\":" +
          std::to_string(outcome.succeeded_before) + ",\"active\":" + std::to_string(outcome.active) +
          ",\"forgotten\":" + std::to_string(outcome.forgotten) + "}\n");
    return kExitDone;
  }
  std::string text = desk.entry->name + ", from " + local_time_text(zone, from) + " to before " +
                     local_time_text(zone, to) + ": " + count(outcome.entered) + " to run, " +
                     count(outcome.succeeded_before) + " succeeded before, " + count(outcome.active) +
                     " due or running already\n";
  if (outcome.forgotten > 0)
    text += count(outcome.forgotten) +
            " are left out: their records are gone, so they may have succeeded; --again runs "
            "them, too\n";
  if (outcome.entered > 0) {
    TRY(const auto record, ledger.schedule(desk.entry->name));
    text += record && record->is_paused ? "it is paused; `flytt job resume " + options.name + "` begins them\n"
            : desk.is_running           ? "they run after slots whose time it is, oldest first\n"
                                        : "the next `flytt run` runs them\n";
  }
  print(text);
  return kExitDone;
}

Result<int> run(const CommonOptions& common, const JobOptions& options) {
  TRY(const Desk desk, open_desk(common, options));
  if (options.action == "run") return run_now(desk, options);
  if (options.action == "backfill") return backfill(desk, options);
  return set_paused(desk, options.action == "pause");
}

}  // namespace

int run_job_wish(const CommonOptions& common, const JobOptions& options) {
  base::set_log(base::LogLevel::kError, base::LogFormat::kText);
  const auto done = run(common, options);
  return done ? *done : report(done.error());
}

}  // namespace flytt::app
