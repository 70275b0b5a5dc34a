#pragma once
// For tests: a Dispatcher over a state file, with a clock and facts of the test.

#include "scheduler/dispatcher.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/log.h"
#include "data/civil.h"
#include "scheduler/wishes.h"
#include "state/store.h"

namespace flytt::scheduler {

using state::SlotKey;
using state::SlotRecord;
using state::SlotState;

inline constexpr std::int64_t kMinute = 60 * kMicrosPerSecond;
inline constexpr std::int64_t kHour = 60 * kMinute;
inline std::int64_t at(const std::string& text) { return *data::parse_datetime(text); }

class TestClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return base::SteadyTime(std::chrono::microseconds(steady_micros)); }
  std::int64_t wall_micros() const override { return wall; }
  void pass(std::int64_t micros) {
    wall += micros;
    steady_micros += micros;
  }
  std::int64_t wall = at("2026-01-15 09:00:30"), steady_micros = kHour;
};

class TestFacts final : public Facts {
 public:
  Readiness readiness(std::string_view dependency, std::int64_t slot) override {
    return {complete_until >= slot, std::string(dependency) + " is late"};
  }
  ChangeMark change(std::string_view) override { return mark; }
  std::int64_t complete_until = INT64_MAX;
  ChangeMark mark;
};

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() {
    base::set_log(base::LogLevel::kError, base::LogFormat::kText);
    std::string pattern = testing::TempDir() + "flytt-dispatcher-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    store_ = std::move(state::Store::open(folder_ + "/state.db")).value();
  }
  ~DispatcherTest() override { std::filesystem::remove_all(folder_); }

  static Schedule schedule(const std::string& every) { return std::move(Schedule::parse({.every = every})).value(); }
  Policy& add(const std::string& name, const std::string& every) {
    entries_.push_back({name, schedule(every), {}});
    return entries_.back().policy;
  }
  void start(const std::string& owner = "first") {
    auto made = Dispatcher::make(entries_, {state::ScheduleLedger(*store_), clock_, random_, facts_}, owner, runs_max_);
    ASSERT_TRUE(made) << made.error().text();
    dispatcher_ = std::move(made).value();
    step();
  }
  Round step() {
    auto round = dispatcher_->step();
    EXPECT_TRUE(round) << round.error().text();
    if (!round) return {};
    for (const RunOrder& order : round->starts) started_.push_back(order);
    return *round;
  }
  Round pass(std::int64_t micros) {
    clock_.pass(micros);
    return step();
  }
  // What began since it was asked last: "a 10:00, b 10:00#2".
  std::string started() {
    std::string text;
    for (const RunOrder& order : started_) {
      if (!text.empty()) text += ", ";
      text += order.key.schedule + " " + data::format_time(order.key.slot_micros % data::kMicrosPerDay).substr(0, 5);
      if (order.context.attempt > 1) text += "#" + std::to_string(order.context.attempt);
      if (order.context.is_resumed) text += " again";
      if (order.key.is_manual) text += " by hand";
    }
    started_.clear();
    return text;
  }
  Round succeed(const std::string& name, const std::string& slot) {
    dispatcher_->finish(key(name, slot), RunOutcome{"done"});
    return step();
  }
  Round fail(const std::string& name, const std::string& slot, ErrorCode code = ErrorCode::kUnavailable) {
    dispatcher_->finish(key(name, slot), Error(code, "it did not work"));
    return step();
  }
  static SlotKey key(const std::string& name, const std::string& slot) {
    return {name, at("2026-01-15 " + slot + ":00"), false};
  }
  SlotRecord row(const std::string& name, const std::string& slot) {
    const auto found = ledger().slot(key(name, slot)).value();
    EXPECT_TRUE(found) << slot;
    return found.value_or(SlotRecord{});
  }
  SlotState state_of(const std::string& name, const std::string& slot) { return row(name, slot).state; }
  state::ScheduleLedger ledger() { return state::ScheduleLedger(*store_); }
  std::string waiting() { return dispatcher_->status().at(0).waiting; }

  std::string folder_;
  std::unique_ptr<state::Store> store_;
  TestClock clock_;
  base::SeededRandom random_{7};
  TestFacts facts_;
  std::vector<Entry> entries_;
  int runs_max_ = 8;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<RunOrder> started_;
};

}  // namespace flytt::scheduler
