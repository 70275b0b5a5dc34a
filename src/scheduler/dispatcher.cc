#include "scheduler/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "data/civil.h"

namespace flytt::scheduler {

using state::SlotKey;
using state::SlotRecord;
using state::SlotState;

namespace {

constexpr std::string_view kSchedulePrefix = "schedule:";
constexpr int kRoundsMax = 4;  // of decisions that follow from each other: rewind, enter, begin

std::int64_t micros_of(base::Duration span) {
  return std::chrono::duration_cast<std::chrono::microseconds>(span).count();
}

const SlotRecord* find_row(const ScheduleView& view, const SlotKey& key) {
  for (const SlotRecord& row : view.active)
    if (row.key == key) return &row;
  return nullptr;
}

std::string duration_text(std::int64_t micros) {
  const std::int64_t seconds = micros / kMicrosPerSecond;
  if (seconds % 3600 == 0) return std::to_string(seconds / 3600) + " h";
  if (seconds % 60 == 0) return std::to_string(seconds / 60) + " min";
  return std::to_string(seconds) + " s";
}

}  // namespace

std::string run_id(const SlotKey& key, int attempt) {
  std::string id;
  for (const char c : key.schedule) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    if (is_plain) {
      id += c;
    } else {
      // Different names have different ids.
      static constexpr char kHex[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      id += {'_', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  std::string time = data::format_datetime(key.slot_micros);
  time.erase(std::remove_if(time.begin(), time.end(), [](char c) { return c == '-' || c == ':' || c == '.'; }),
             time.end());
  return id + "-" + time + "Z" + (key.is_manual ? "-manual-" : "-") + std::to_string(attempt);
}

Result<std::unique_ptr<Dispatcher>> Dispatcher::make(std::vector<Entry> entries, Parts parts, std::string owner,
                                                     int runs_max, const std::set<SlotKey>& going_on) {
  CHECK(runs_max >= 1 && !owner.empty());
  TRY_STATUS(check_entries(entries));
  auto made = std::unique_ptr<Dispatcher>(new Dispatcher(std::move(entries), parts, std::move(owner), runs_max));
  const std::int64_t now = parts.clock.wall_micros();
  for (const Entry& entry : made->entries_) {
    TRY_STATUS(made->parts_.ledger.enroll(entry.name, entry.schedule.definition(), now));
    made->views_[entry.name].entry = &entry;
    made->watches_[entry.name];
    for (const std::string& dependency : entry.policy.after)
      if (dependency.compare(0, kSchedulePrefix.size(), kSchedulePrefix) == 0)
        made->dependents_[dependency.substr(kSchedulePrefix.size())].push_back(entry.name);
  }
  TRY(const std::size_t resumed, made->parts_.ledger.recover(made->owner_, kInterruptionsMax, now, going_on));
  if (resumed > 0) base::log_info("runs that were cut off go on", {{"runs", static_cast<std::int64_t>(resumed)}});
  TRY(made->version_, made->parts_.ledger.version());
  for (const Entry& entry : made->entries_) TRY_STATUS(made->load(entry.name));
  return made;
}

Dispatcher::Dispatcher(std::vector<Entry> entries, Parts parts, std::string owner, int runs_max)
    : entries_(std::move(entries)), parts_(parts), owner_(std::move(owner)), runs_max_(runs_max) {}

Status Dispatcher::load(const std::string& name) {
  ScheduleView& view = views_.at(name);
  TRY(auto record, parts_.ledger.schedule(name));
  if (!record) {
    // Somebody had it forgotten; it begins anew.
    TRY_STATUS(parts_.ledger.enroll(name, view.entry->schedule.definition(), parts_.clock.wall_micros()));
    TRY(record, parts_.ledger.schedule(name));
    if (!record)
      return Error(ErrorCode::kBug, "schedule " + name + " is not in the ledger although it was just entered");
  }
  TRY(view.active, parts_.ledger.active(name));
  if (view.entry->schedule.is_on_changes()) {
    TRY(view.seen, parts_.ledger.seen(name));
  }
  view.record = std::move(*record);
  return ok();
}

Status Dispatcher::load_stale() {
  TRY(const std::int64_t version, parts_.ledger.version());
  if (version != version_)
    for (const Entry& entry : entries_) stale_.insert(entry.name);
  version_ = version;
  while (!stale_.empty()) {
    const std::string name = *stale_.begin();
    if (views_.count(name) != 0) {
      TRY_STATUS(load(name));
      decide_again(name);
    }
    stale_.erase(name);
  }
  return ok();
}

void Dispatcher::finish(const SlotKey& key, Result<RunOutcome> result) { ended_.push_back({key, std::move(result)}); }

Status Dispatcher::save_ends() {
  while (!ended_.empty()) {
    TRY_STATUS(save_end(ended_.front()));
    ended_.erase(ended_.begin());
  }
  return ok();
}

Status Dispatcher::save_end(const Ended& ended) {
  const auto live = live_.find(ended.key);
  CHECK(live != live_.end());
  const auto view = views_.find(ended.key.schedule);
  const state::EndRun step = end_of(ended, live->second, find_row(view->second, ended.key));
  FAILPOINT_ERROR("scheduler.end.before");
  if (const Status saved = parts_.ledger.apply({step}); !saved) {
    if (saved.error().code() != ErrorCode::kConflict) return saved.error();
    base::log_failure(base::LogLevel::kWarning, "the end of a run is not taken", saved.error());
  }
  FAILPOINT("scheduler.end.after");
  live_.erase(live);
  note_end(ended, step.state);
  return prune(ended.key.schedule);
}

state::EndRun Dispatcher::end_of(const Ended& ended, const Live& live, const SlotRecord* row) {
  const std::int64_t now = parts_.clock.wall_micros();
  const Policy& policy = views_.find(ended.key.schedule)->second.entry->policy;
  state::EndRun end{ended.key, live.attempt, owner_, SlotState::kSucceeded, now, 0, ""};
  if (ended.result) {
    end.message = ended.result->message;
    return end;
  }
  end.state = SlotState::kFailed;
  end.message = ended.result.error().text();
  if (live.stopping == StopReason::kReplaced) {
    end.state = SlotState::kSkipped;
    end.message = "it was stopped for a newer slot";
    return end;
  }
  const bool took_too_long = live.stopping == StopReason::kTimeout;
  if (took_too_long) end.message = "it was stopped after " + duration_text(policy.run_micros_max);
  const bool may_help = took_too_long || ended.result.error().retry() == base::Retry::kAfterBackoff;
  const int failures = live.attempt - (row != nullptr ? row->attempts_before : 0);
  if (may_help && failures <= policy.retries.max) {
    end.state = SlotState::kDue;
    end.next_attempt_micros = now + retry_delay(policy.retries, failures, parts_.random);
  }
  return end;
}

void Dispatcher::note_end(const Ended& ended, SlotState state) {
  const std::string& name = ended.key.schedule;
  stale_.insert(name);
  if (state == SlotState::kSucceeded)
    for (const std::string& dependent : dependents_[name]) decide_again(dependent);
  for (auto& [other, watch] : watches_)
    if (watch.waits_for_room) watch.wake_micros = INT64_MIN;
  if (state != SlotState::kDue) ++watches_.at(name).finished;
}

Status Dispatcher::prune(const std::string& name) {
  Watch& watch = watches_.at(name);
  if (watch.finished < kPruneEvery) return ok();
  watch.finished = 0;
  stale_.insert(name);
  const Status pruned = parts_.ledger.prune(name, views_.at(name).entry->policy.history_max);
  // The rows stay until the next time; the end of the run is saved.
  if (!pruned) base::log_failure(base::LogLevel::kWarning, "old slots could not be removed", pruned.error());
  return ok();
}

Result<Round> Dispatcher::step() {
  TRY_STATUS(save_ends());
  const std::int64_t now = parts_.clock.wall_micros();
  if (now < now_)
    for (auto& [name, watch] : watches_) watch.wake_micros = INT64_MIN;  // they were reckoned with another clock
  now_ = now;
  for (int i = 0; i < kRoundsMax; ++i) {
    TRY_STATUS(load_stale());
    TRY(const bool did_something, decide_due(now));
    if (!did_something) break;
  }
  TRY_STATUS(load_stale());
  Round round;
  round.starts = orders();
  round.stops = std::exchange(stops_, {});
  for (const auto& [name, watch] : watches_) round.wake_micros = std::min(round.wake_micros, watch.wake_micros);
  return round;
}

Question Dispatcher::question(const std::string& name, std::int64_t now, int runs_free) const {
  Question asked{now, &views_.at(name), {}, &views_, &parts_.facts, owner_, runs_free};
  for (auto at = live_.lower_bound({name, INT64_MIN, false}); at != live_.end() && at->first.schedule == name; ++at)
    asked.live.push_back(
        {at->first, micros_of(parts_.clock.steady() - at->second.started), at->second.stopping.has_value()});
  return asked;
}

// Decides about all schedules that have a reason, and takes their steps together: one transaction, however many are due at
// the full hour.
Result<bool> Dispatcher::decide_due(std::int64_t now) {
  std::vector<state::LedgerStep> steps;
  std::vector<std::pair<std::string, Decision>> decisions;
  int runs_free = runs_max_ - static_cast<int>(live_.size());
  for (auto& [name, watch] : watches_) {
    if (watch.wake_micros > now) continue;
    Decision decision = decide(question(name, now, runs_free));
    for (const state::LedgerStep& step : decision.steps) {
      if (std::holds_alternative<state::BeginRun>(step)) --runs_free;
      steps.push_back(step);
    }
    decisions.emplace_back(name, std::move(decision));
  }
  if (!steps.empty()) {
    if (const Status taken = take(steps); !taken) {
      if (taken.error().code() == ErrorCode::kConflict)
        for (const Entry& entry : entries_) stale_.insert(entry.name);  // somebody was faster: look again
      return taken.error();
    }
  }
  for (auto& [name, decision] : decisions) {
    Watch& watch = watches_.at(name);
    watch.wake_micros = decision.wake_micros;
    watch.waits_for_room = decision.waits_for_room;
    watch.waiting = std::move(decision.waiting);
    watch.unknown = std::move(decision.unknown);
    for (const Stop& stop : decision.stops) {
      live_.at(stop.key).stopping = stop.reason;
      stops_.push_back(stop);
    }
  }
  return !steps.empty();
}

Status Dispatcher::take(const std::vector<state::LedgerStep>& steps) {
  FAILPOINT_ERROR("scheduler.begin.before");
  TRY_STATUS(parts_.ledger.apply(steps));
  FAILPOINT("scheduler.begin.after");
  for (const state::LedgerStep& step : steps) {
    if (const auto* rewind = std::get_if<state::RewindSlots>(&step)) stale_.insert(rewind->schedule);
    if (const auto* enter = std::get_if<state::EnterSlots>(&step)) stale_.insert(enter->schedule);
    if (const auto* drop = std::get_if<state::DropSlot>(&step)) stale_.insert(drop->key.schedule);
    const auto* run = std::get_if<state::BeginRun>(&step);
    if (run == nullptr) continue;
    stale_.insert(run->key.schedule);
    live_[run->key].started = parts_.clock.steady();
    begun_.push_back(run->key);
  }
  return ok();
}

// Of what has begun; its schedules are loaded.
std::vector<RunOrder> Dispatcher::orders() {
  std::vector<RunOrder> made;
  for (const SlotKey& key : std::exchange(begun_, {})) {
    const SlotRecord* row = find_row(views_.at(key.schedule), key);
    RunOrder order{key, {key.schedule, key.slot_micros, "schedule", 1, false, "", {}, {}}};
    if (row == nullptr) {
      // Somebody had it forgotten in this very moment; without its row it cannot end well either.
      live_.erase(key);
      continue;
    }
    order.context.trigger = row->trigger;
    order.context.attempt = row->attempt;
    order.context.is_resumed = row->is_resumed;
    order.context.run_id = run_id(key, row->attempt);
    live_.at(key).attempt = row->attempt;
    made.push_back(std::move(order));
  }
  return made;
}

std::vector<ScheduleStatus> Dispatcher::status() const {
  std::vector<ScheduleStatus> all;
  const std::int64_t now = parts_.clock.wall_micros();
  for (const auto& [name, view] : views_)
    all.push_back({name, view.record.definition, view.record.is_paused, view.active,
                   view.entry->schedule.next_after(now), watches_.at(name).waiting,
                   view.entry->schedule.is_on_changes() ? watches_.at(name).unknown : std::string()});
  return all;
}

const Entry* Dispatcher::entry(std::string_view name) const {
  const auto found = views_.find(name);
  return found == views_.end() ? nullptr : found->second.entry;
}

}  // namespace flytt::scheduler
