#include "tests/simulation/schedule_simulation.h"

#include <algorithm>

#include "data/civil.h"

namespace flytt::simulation {

using scheduler::Dispatcher;
using scheduler::RunOutcome;
using state::ScheduleLedger;
using state::SlotKey;
using state::SlotState;

ScheduleSimulation::ScheduleSimulation(std::uint64_t seed, std::string state_path,
                                       std::vector<scheduler::Entry> entries)
    : random(seed), path_(std::move(state_path)), entries_(std::move(entries)) {
  began_micros_ = oldest_wall_ = newest_wall_ = clock.wall;
  start();
}

void ScheduleSimulation::complain(const std::string& what) {
  if (complaint_.empty()) complaint_ = what + " at " + data::format_datetime(clock.wall);
}

void ScheduleSimulation::start() {
  store_ = std::move(state::Store::open(path_)).value();
  const Dispatcher::Parts parts{ScheduleLedger(*store_), clock, random, stream};
  dispatcher_ = std::move(Dispatcher::make(entries_, parts, "process-" + std::to_string(++processes_), 64)).value();
  wake_micros_ = INT64_MIN;
}

void ScheduleSimulation::step() {
  oldest_wall_ = std::min(oldest_wall_, clock.wall);
  newest_wall_ = std::max(newest_wall_, clock.wall);
  auto round = dispatcher_->step();
  if (!round) return complain(round.error().text());
  wake_micros_ = round->wake_micros;
  for (scheduler::RunOrder& order : round->starts) {
    for (const Flight& flight : flights_)
      if (flight.order.key == order.key) complain("a slot of " + order.key.schedule + " runs twice at a time");
    began_.try_emplace(order.context.run_id, Seen{stream.changes(), ++steps_});
    flights_.push_back({std::move(order), clock.steady_micros + chance(chance(10) == 0 ? 3 * kHour : 5 * kMinute)});
  }
  for (const scheduler::Stop& stop : round->stops) {
    for (Flight& flight : flights_) {
      if (!(flight.order.key == stop.key)) continue;
      flight.is_stopping = true;
      flight.ends_micros = std::min(flight.ends_micros, clock.steady_micros + chance(kMinute));
    }
  }
}

// The destination knows the id: the same attempt does it once, however often it is begun.
void ScheduleSimulation::take_effect(const Flight& flight) {
  if (!done_.insert(flight.order.context.run_id).second) return;
  const std::string& name = flight.order.key.schedule;
  const Seen& began = began_.at(flight.order.context.run_id);
  if (seen_[name].step < began.step) seen_[name] = began;
  newest_effect_[name] = ++steps_;
  if (++effects_[flight.order.key] > 1) complain("a slot of " + flight.order.key.schedule + " took effect twice");
}

void ScheduleSimulation::land(std::size_t index) {
  const Flight flight = std::move(flights_[index]);
  flights_.erase(flights_.begin() + static_cast<std::ptrdiff_t>(index));
  const bool was_done = done_.count(flight.order.context.run_id) != 0;  // before a crash, and now found
  if (!was_done && flight.is_stopping && chance(2) == 0)
    return dispatcher_->finish(flight.order.key, Error(ErrorCode::kCancelled, "stopped"));
  if (!was_done && chance(100) < failures_percent)
    return dispatcher_->finish(flight.order.key, Error(ErrorCode::kUnavailable, "the destination is away"));
  take_effect(flight);
  dispatcher_->finish(flight.order.key, RunOutcome{"done"});
}

void ScheduleSimulation::crash() {
  for (const Flight& flight : flights_)
    if (chance(2) == 0) take_effect(flight);  // and nobody was told
  zombie_.reset();
  zombie_store_.reset();
  zombie_flights_.clear();
  for (const Flight& flight : flights_) zombie_flights_.push_back(flight.order.key);
  flights_.clear();
  zombie_ = std::move(dispatcher_);
  zombie_store_ = std::move(store_);
  if (chance(3) != 0) clock.pass(chance(chance(10) == 0 ? 3 * kDay : 20 * kMinute));
  start();
  if (chance(2) == 0) return;
  // It was only frozen, and says that all of its runs succeeded.
  for (const SlotKey& key : zombie_flights_) zombie_->finish(key, RunOutcome{"from the grave"});
  static_cast<void>(zombie_->save_ends());
}

void ScheduleSimulation::jump() {
  const std::int64_t most = chance(4) == 0 ? 3 * kDay : 2 * kHour;
  clock.wall += chance(2 * most + 1) - most;
  wake_micros_ = INT64_MIN;
}

std::int64_t ScheduleSimulation::next_event() const {
  std::int64_t next = wake_micros_ == INT64_MAX
                          ? INT64_MAX
                          : clock.steady_micros + std::max<std::int64_t>(wake_micros_ - clock.wall, 0);
  for (const Flight& flight : flights_) next = std::min(next, flight.ends_micros);
  return next;
}

void ScheduleSimulation::advance(std::int64_t steady_until) {
  while (true) {
    step();
    const std::int64_t next = std::min(next_event(), steady_until);
    if (next > clock.steady_micros) clock.pass(next - clock.steady_micros);
    if (clock.steady_micros >= steady_until || !complaint_.empty()) return;
    for (std::size_t i = flights_.size(); i-- > 0;)
      if (flights_[i].ends_micros <= clock.steady_micros) land(i);
  }
}

void ScheduleSimulation::run(std::int64_t span, int crashes, int jumps) {
  std::vector<std::pair<std::int64_t, bool>> troubles;
  for (int i = 0; i < crashes; ++i) troubles.emplace_back(clock.steady_micros + chance(span), true);
  for (int i = 0; i < jumps; ++i) troubles.emplace_back(clock.steady_micros + chance(span), false);
  std::sort(troubles.begin(), troubles.end());
  const std::int64_t end = clock.steady_micros + span;
  for (const auto& [when, is_crash] : troubles) {
    advance(when);
    // Ends that were told but not saved are lost with the process.
    if (is_crash && !flights_.empty() && chance(3) == 0) land(flights_.size() - 1);
    is_crash ? crash() : jump();
    if (!complaint_.empty()) return;
  }
  advance(end);
}

void ScheduleSimulation::settle() {
  failures_percent = 0;
  stream.be_quiet();
  clock.wall = std::max(clock.wall, newest_wall_);
  std::int64_t at_most = 0;  // so long the last change may wait for its slot
  for (const scheduler::Entry& entry : entries_)
    if (entry.schedule.is_on_changes()) at_most = std::max(at_most, entry.policy.at_most_micros);
  advance(clock.steady_micros + at_most);
  for (int i = 0; i < 1000 && complaint_.empty(); ++i) {
    advance(clock.steady_micros + kHour + kMinute);  // not at the same minute of each hour: some slots are waiting then
    ScheduleLedger ledger(*store_);
    const bool is_quiet = flights_.empty() && std::all_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
                            const auto next =
                                entry.schedule.next_after(ledger.schedule(entry.name).value()->decided_micros);
                            return ledger.active(entry.name).value().empty() && (!next || *next > clock.wall);
                          });
    if (is_quiet) return;
  }
  std::string active;
  ScheduleLedger ledger(*store_);
  for (const scheduler::Entry& entry : entries_)
    for (const state::SlotRecord& slot : ledger.active(entry.name).value())
      active += "; " + entry.name + " " + data::format_datetime(slot.key.slot_micros) + " is " +
                std::string(to_string(slot.state)) + ", attempt " + std::to_string(slot.attempt) + ": " + slot.message;
  complain("it never comes to rest" + active);
}

// The last change is in the newest run, and there are no more runs than changes.
std::string ScheduleSimulation::verdict_on_changes(const scheduler::Entry& entry) const {
  const auto seen = seen_.find(entry.name);
  if (seen == seen_.end()) return entry.name + " has never run";
  std::int64_t runs = 0;
  for (auto at = effects_.lower_bound({entry.name, INT64_MIN, false});
       at != effects_.end() && at->first.schedule == entry.name; ++at)
    ++runs;
  const std::string& of = entry.policy.after.front();
  if (of == "stream:sak") {
    if (seen->second.changes != stream.changes()) return entry.name + " has not seen the last change";
    return runs > stream.changes() + 1 ? entry.name + " ran without a change" : "";
  }
  const std::string other = of.substr(of.find(':') + 1);
  if (seen->second.step < newest_effect_.at(other)) return entry.name + " has not seen the last run of " + other;
  std::int64_t changes = 0;
  for (auto at = effects_.lower_bound({other, INT64_MIN, false}); at != effects_.end() && at->first.schedule == other;
       ++at)
    ++changes;
  return runs > changes ? entry.name + " ran without a change" : "";
}

std::string ScheduleSimulation::verdict(bool is_complete) {
  if (!complaint_.empty()) return complaint_;
  ScheduleLedger ledger(*store_);
  for (const scheduler::Entry& entry : entries_) {
    if (entry.schedule.is_on_changes()) {
      if (std::string wrong = verdict_on_changes(entry); !wrong.empty()) return wrong;
      continue;
    }
    const auto record = ledger.schedule(entry.name).value();
    std::size_t expected = 0;
    for (const std::int64_t slot :
         entry.schedule.slots_between(oldest_wall_ - 1, record->decided_micros, 10'000'000).instants) {
      const SlotKey key{entry.name, slot, false};
      const auto found = effects_.find(key);
      const int times = found == effects_.end() ? 0 : found->second;
      const std::string name = entry.name + " " + data::format_datetime(slot);
      // Before the beginning only where the clock was put back to.
      const bool must_run = is_complete && slot > began_micros_;
      if (times > 1 || (must_run && times != 1)) return name + " took effect " + std::to_string(times) + " times";
      expected += times == 1 ? 1 : 0;
      const auto row = ledger.slot(key).value();
      if (!row && slot > record->forgotten_micros && must_run) return name + " is not in the ledger";
      if (row && (row->state == SlotState::kSucceeded) != (times == 1))
        return name + " is " + std::string(to_string(row->state)) + " and took effect " + std::to_string(times) +
               " times";
      if (row && (row->state == SlotState::kDue || row->state == SlotState::kRunning)) return name + " is not finished";
    }
    std::size_t all = 0;
    for (auto at = effects_.lower_bound({entry.name, INT64_MIN, false});
         at != effects_.end() && at->first.schedule == entry.name; ++at)
      if (!at->first.is_manual && at->first.slot_micros <= record->decided_micros) ++all;
    if (all != expected) return entry.name + " ran what is no slot";
  }
  return "";
}

}  // namespace flytt::simulation
