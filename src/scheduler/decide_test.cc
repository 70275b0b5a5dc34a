// Single decisions. What follows from many of them, with a ledger, is in dispatcher_test.cc.

#include "scheduler/decide.h"

#include <gtest/gtest.h>

#include "data/civil.h"

namespace flytt::scheduler {
namespace {

using state::SlotRecord;
using state::SlotState;

constexpr std::int64_t kMinute = 60 * kMicrosPerSecond;
std::int64_t at(const char* time) { return *data::parse_datetime(std::string("2026-01-15 ") + time + ":00"); }

class DecideTest : public testing::Test {
 protected:
  DecideTest() {
    view_.entry = &entry_;
    view_.record.name = "a";
    view_.record.decided_micros = at("10:00");
    question_.view = &view_;
    question_.others = &others_;
    question_.owner = "me";
    question_.runs_free = 8;
  }
  Decision decide_at(std::int64_t now) {
    question_.now_micros = now;
    return decide(question_);
  }
  static SlotRecord row(const char* slot, SlotState state) {
    SlotRecord made;
    made.key = {"a", at(slot), false};
    made.state = state;
    made.attempt = state == SlotState::kRunning ? 1 : 0;
    return made;
  }

  Entry entry_{"a", std::move(Schedule::parse({.every = "1h"})).value(), {}};
  ScheduleView view_;
  std::map<std::string, ScheduleView, std::less<>> others_;
  Question question_;
};

TEST_F(DecideTest, NothingIsToBeDoneBeforeTheNextSlot) {
  const Decision decision = decide_at(at("10:59"));
  EXPECT_TRUE(decision.steps.empty());
  EXPECT_EQ(decision.wake_micros, at("11:00"));
}

TEST_F(DecideTest, ASlotIsEnteredAndThenBegun) {
  Decision decision = decide_at(at("11:00"));
  ASSERT_EQ(decision.steps.size(), 1U);
  const auto& enter = std::get<state::EnterSlots>(decision.steps[0]);
  EXPECT_EQ(enter.decided_before, at("10:00"));
  EXPECT_EQ(enter.decided_after, at("11:00"));
  EXPECT_EQ(enter.slots.size(), 1U);
  EXPECT_EQ(decision.wake_micros, at("11:00")) << "again at once";
  view_.record.decided_micros = at("11:00");
  view_.active = {row("11:00", SlotState::kDue)};
  decision = decide_at(at("11:00"));
  ASSERT_EQ(decision.steps.size(), 1U);
  EXPECT_EQ(std::get<state::BeginRun>(decision.steps[0]).key, view_.active[0].key);
}

// So that `missed` decides about them when it is resumed, or when the run has ended.
TEST_F(DecideTest, NothingIsEnteredDuringAPauseOrAForbiddingRun) {
  view_.record.is_paused = true;
  EXPECT_TRUE(decide_at(at("11:00")).steps.empty());
  view_.record.is_paused = false;
  view_.active = {row("10:00", SlotState::kRunning)};
  EXPECT_TRUE(decide_at(at("11:00")).steps.empty());
  entry_.policy.concurrency = Concurrency::kAllow;
  EXPECT_EQ(decide_at(at("11:00")).steps.size(), 1U);
}

TEST_F(DecideTest, UnderAllASlotThatIsDueHoldsTheNextOnesBack) {
  view_.active = {row("10:00", SlotState::kDue)};
  question_.runs_free = 0;
  entry_.policy.missed = Missed::kAll;
  Decision decision = decide_at(at("11:00"));
  EXPECT_TRUE(decision.steps.empty());
  EXPECT_TRUE(decision.waits_for_room);
  entry_.policy.missed = Missed::kLast;
  EXPECT_EQ(decide_at(at("11:00")).steps.size(), 1U) << "11:00 is entered";
  view_.record.decided_micros = at("11:00");
  view_.active.push_back(row("11:00", SlotState::kDue));
  decision = decide_at(at("11:00"));
  ASSERT_EQ(decision.steps.size(), 1U);
  EXPECT_EQ(std::get<state::DropSlot>(decision.steps[0]).key.slot_micros, at("10:00"));
}

TEST_F(DecideTest, OnlyAllowTakesSeveralSlotsThatAreOnTime) {
  entry_.schedule = std::move(Schedule::parse({.every = "20s"})).value();
  const auto due = [&] {
    std::int64_t count = 0;
    const Decision decision = decide_at(at("10:02"));
    for (const SlotRecord& slot : std::get<state::EnterSlots>(decision.steps.at(0)).slots)
      count += slot.state == SlotState::kDue ? 1 : 0;
    return count;
  };
  EXPECT_EQ(due(), 1);
  entry_.policy.missed = Missed::kNone;
  EXPECT_EQ(due(), 1);
  entry_.policy.concurrency = Concurrency::kAllow;
  EXPECT_EQ(due(), 4) << "10:01:00, which is one minute late, to 10:02:00";
}

TEST_F(DecideTest, WhatIsForgottenStopsAClockThatIsPutBack) {
  Decision decision = decide_at(at("09:30"));
  ASSERT_EQ(decision.steps.size(), 1U);
  EXPECT_EQ(std::get<state::RewindSlots>(decision.steps[0]).now_micros, at("09:30"));
  view_.record.forgotten_micros = at("10:00");
  decision = decide_at(at("09:30"));
  EXPECT_TRUE(decision.steps.empty());
  EXPECT_EQ(decision.wake_micros, at("11:00"));
}

TEST_F(DecideTest, TheSuccessOfTheSameSlotIsEnough) {
  view_.active = {row("10:00", SlotState::kDue)};
  entry_.policy.after = {"schedule:b"};
  const Entry other{"b", entry_.schedule, {}};
  others_["b"].entry = &other;
  others_["b"].record.newest_success_micros = at("09:00");
  EXPECT_TRUE(decide_at(at("10:30")).steps.empty());
  others_["b"].record.newest_success_micros = at("10:00");
  EXPECT_EQ(decide_at(at("10:30")).steps.size(), 1U);
}

TEST_F(DecideTest, ALiveRunIsOnWhateverItsRowSays) {
  view_.active = {row("10:00", SlotState::kDue)};
  question_.live = {{view_.active[0].key, kMinute, false}};
  EXPECT_TRUE(decide_at(at("10:30")).steps.empty());
}

TEST_F(DecideTest, RoomIsSharedByWhatBeginsTogether) {
  entry_.policy.concurrency = Concurrency::kAllow;
  view_.active = {row("08:00", SlotState::kDue), row("09:00", SlotState::kDue), row("10:00", SlotState::kDue)};
  question_.runs_free = 2;
  const Decision decision = decide_at(at("10:30"));
  EXPECT_EQ(decision.steps.size(), 2U);
  EXPECT_TRUE(decision.waits_for_room);
  EXPECT_EQ(decision.waiting, "too many other runs are on");
}

}  // namespace
}  // namespace flytt::scheduler
