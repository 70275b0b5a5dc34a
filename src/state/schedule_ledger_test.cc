#include "state/schedule_ledger.h"

#include <gtest/gtest.h>

#include "state/store.h"
#include "state/store_test_support.h"

namespace flytt::state {
namespace {

class ScheduleLedgerTest : public testing::Test {
 protected:
  ScheduleLedgerTest() {
    open();
    EXPECT_TRUE(ledger_->enroll("a", "every 10m", 1000));
  }

  void open() {
    store_.reset();
    auto opened = place_->open();
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(opened).value();
    ledger_.emplace(*store_);
  }
  static SlotRecord due(std::int64_t slot) {
    SlotRecord made;
    made.key = {"a", slot, false};
    made.entered_micros = made.next_attempt_micros = slot + 1;
    return made;
  }
  static SlotRecord missed(std::int64_t slot) {
    SlotRecord made = due(slot);
    made.state = SlotState::kMissed;
    return made;
  }
  Status enter(std::vector<SlotRecord> slots) {
    const auto schedule = ledger_->schedule("a").value();
    const std::int64_t after = std::max(schedule->decided_micros, slots.back().key.slot_micros);
    return ledger_->apply({EnterSlots{"a", schedule->decided_micros, after, std::move(slots)}});
  }
  Status begin(std::int64_t slot, const std::string& owner = "me") {
    return ledger_->apply({BeginRun{{"a", slot, false}, owner, slot + 2}});
  }
  Status end(std::int64_t slot, SlotState state, int attempt = 1, const std::string& owner = "me") {
    return ledger_->apply({EndRun{{"a", slot, false}, attempt, owner, state, slot + 3, slot + 4, "said"}});
  }
  SlotRecord row(std::int64_t slot) {
    const auto found = ledger_->slot({"a", slot, false}).value();
    EXPECT_TRUE(found) << slot;
    return found.value_or(SlotRecord{});
  }
  ScheduleRecord schedule() { return *ledger_->schedule("a").value(); }

  std::unique_ptr<TestPlace> place_ = make_test_place();
  std::unique_ptr<Store> store_;
  std::optional<ScheduleLedger> ledger_;
};

TEST_F(ScheduleLedgerTest, ASlotIsReadBackWhole) {
  SlotRecord whole = due(2000);
  whole.trigger = "backfill";
  whole.attempt = 3;
  whole.attempts_before = 1;
  whole.is_resumed = true;
  whole.interruptions = 2;
  whole.started_micros = 5;
  whole.finished_micros = 6;
  whole.message = "why";
  ASSERT_TRUE(enter({whole}));
  open();
  EXPECT_EQ(row(2000), whole);
  EXPECT_EQ(ledger_->active("a").value(), std::vector<SlotRecord>{whole});
  EXPECT_EQ(schedule(), (ScheduleRecord{"a", "every 10m", 1000, 2000, INT64_MIN, INT64_MIN, false}));
}

TEST_F(ScheduleLedgerTest, ASlotThatIsEnteredTwiceKeepsItsRow) {
  ASSERT_TRUE(enter({due(2000)}));
  ASSERT_TRUE(begin(2000));
  ASSERT_TRUE(end(2000, SlotState::kSucceeded));
  ASSERT_TRUE(enter({due(2000), due(3000)}));
  EXPECT_EQ(row(2000).state, SlotState::kSucceeded);
  EXPECT_EQ(ledger_->active("a").value().size(), 1U);
}

TEST_F(ScheduleLedgerTest, SlotsAreEnteredOnlyFromWhereTheScheduleIs) {
  const auto refused = ledger_->apply({EnterSlots{"a", 999, 2000, {due(2000)}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kConflict);
  EXPECT_FALSE(ledger_->slot({"a", 2000, false}).value());
}

TEST_F(ScheduleLedgerTest, ARunBeginsOnceAndEndsUnderItsAttemptAndOwner) {
  ASSERT_TRUE(enter({due(2000)}));
  EXPECT_EQ(end(2000, SlotState::kSucceeded, 0).error().code(), ErrorCode::kConflict) << "it does not run";
  ASSERT_TRUE(begin(2000));
  EXPECT_EQ(row(2000).state, SlotState::kRunning);
  EXPECT_EQ(row(2000).attempt, 1);
  EXPECT_EQ(row(2000).started_micros, 2002);
  EXPECT_EQ(begin(2000).error().code(), ErrorCode::kConflict);
  EXPECT_EQ(end(2000, SlotState::kSucceeded, 2).error().code(), ErrorCode::kConflict);
  EXPECT_EQ(end(2000, SlotState::kSucceeded, 1, "other").error().code(), ErrorCode::kConflict);
  ASSERT_TRUE(end(2000, SlotState::kDue));
  EXPECT_EQ(row(2000).next_attempt_micros, 2004);
  ASSERT_TRUE(begin(2000));
  EXPECT_EQ(row(2000).attempt, 2);
  EXPECT_EQ(schedule().newest_success_micros, INT64_MIN);
  ASSERT_TRUE(end(2000, SlotState::kSucceeded, 2));
  EXPECT_EQ(row(2000).message, "said");
  EXPECT_EQ(row(2000).finished_micros, 2003);
  EXPECT_EQ(schedule().newest_success_micros, 2000);
  EXPECT_EQ(end(2000, SlotState::kSucceeded, 2).error().code(), ErrorCode::kConflict);
  EXPECT_EQ(begin(2000).error().code(), ErrorCode::kConflict);
}

TEST_F(ScheduleLedgerTest, AnOlderSuccessDoesNotHideANewerOne) {
  ASSERT_TRUE(enter({due(2000), due(3000)}));
  ASSERT_TRUE(begin(3000));
  ASSERT_TRUE(end(3000, SlotState::kSucceeded));
  ASSERT_TRUE(begin(2000));
  ASSERT_TRUE(end(2000, SlotState::kSucceeded));
  EXPECT_EQ(schedule().newest_success_micros, 3000);
}

TEST_F(ScheduleLedgerTest, StepsAreTakenTogetherOrNotAtAll) {
  ASSERT_TRUE(enter({due(2000), due(3000)}));
  const auto refused = ledger_->apply({BeginRun{{"a", 2000, false}, "me", 1},
                                       DropSlot{{"a", 3000, false}, SlotState::kSkipped, 1, "late"},
                                       BeginRun{{"a", 4000, false}, "me", 1}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(row(2000).state, SlotState::kDue);
  EXPECT_EQ(row(3000).state, SlotState::kDue);
}

TEST_F(ScheduleLedgerTest, ACutOffRunGoesOnUnderItsNumberAndTheOldProcessIsFencedOff) {
  ASSERT_TRUE(enter({due(2000)}));
  ASSERT_TRUE(begin(2000, "first"));
  open();
  EXPECT_EQ(ledger_->recover("first", 3, 50).value(), 0U) << "that is its own run";
  EXPECT_EQ(ledger_->recover("second", 3, 50).value(), 1U);
  EXPECT_EQ(row(2000).state, SlotState::kDue);
  EXPECT_TRUE(row(2000).is_resumed);
  EXPECT_EQ(row(2000).next_attempt_micros, 50);
  ASSERT_TRUE(begin(2000, "second"));
  EXPECT_EQ(row(2000).attempt, 1);
  EXPECT_TRUE(row(2000).is_resumed) << "the run is told";
  EXPECT_FALSE(end(2000, SlotState::kSucceeded, 1, "first"));
  ASSERT_TRUE(end(2000, SlotState::kDue, 1, "second"));
  ASSERT_TRUE(begin(2000, "second"));
  EXPECT_EQ(row(2000).attempt, 2) << "after an end that is known the next attempt is another one";
  EXPECT_EQ(row(2000).interruptions, 1);
}

TEST_F(ScheduleLedgerTest, ARunThatEndsTheProgramAgainAndAgainFails) {
  ASSERT_TRUE(enter({due(2000)}));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(begin(2000, "p" + std::to_string(i)));
    EXPECT_EQ(ledger_->recover("next", 3, 60).value(), 1U);
  }
  EXPECT_EQ(row(2000).state, SlotState::kFailed);
  EXPECT_EQ(row(2000).message, "the program ended 3 times while it ran");
  EXPECT_EQ(ledger_->recover("next", 3, 60).value(), 0U);
}

TEST_F(ScheduleLedgerTest, WorkThatOutlivesTheProgramIsNotHeldAgainstItsSlot) {
  ASSERT_TRUE(enter({due(2000), due(3000)}));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(begin(2000, "p" + std::to_string(i)));
    if (i < 2) {
      ASSERT_TRUE(begin(3000, "p" + std::to_string(i)));
    }
    EXPECT_EQ(ledger_->recover("next", 3, 60 + i, {{"a", 2000, false}}).value(), i < 2 ? 2U : 1U);
  }
  EXPECT_EQ(row(2000).state, SlotState::kDue);
  EXPECT_TRUE(row(2000).is_resumed);
  EXPECT_EQ(row(2000).attempt, 1);
  EXPECT_EQ(row(2000).interruptions, 0);
  EXPECT_EQ(row(2000).next_attempt_micros, 64);
  EXPECT_EQ(row(3000).interruptions, 2);
  ASSERT_TRUE(begin(2000, "me"));
  EXPECT_EQ(ledger_->recover("me", 3, 70, {{"a", 2000, false}}).value(), 0U) << "that is its own run";
  EXPECT_EQ(row(2000).state, SlotState::kRunning);
}

TEST_F(ScheduleLedgerTest, AClockThatIsPutBackTakesOutOnlyWhatNeverBegan) {
  ASSERT_TRUE(enter({missed(2000), due(3000), missed(4000), due(5000), due(6000)}));
  ASSERT_TRUE(begin(5000));
  ASSERT_TRUE(end(5000, SlotState::kSucceeded));
  ASSERT_TRUE(begin(6000));
  ASSERT_TRUE(ledger_->apply({RewindSlots{"a", 6000, 2500}}));
  EXPECT_EQ(schedule().decided_micros, 2500);
  EXPECT_EQ(row(2000).state, SlotState::kMissed);
  EXPECT_FALSE(ledger_->slot({"a", 3000, false}).value());
  EXPECT_FALSE(ledger_->slot({"a", 4000, false}).value());
  EXPECT_EQ(row(5000).state, SlotState::kSucceeded);
  EXPECT_EQ(row(6000).state, SlotState::kRunning);
}

TEST_F(ScheduleLedgerTest, WhatIsForgottenIsNeverDecidedAgain) {
  std::vector<SlotRecord> slots;
  for (int i = 2; i < 12; ++i) slots.push_back(due(i * 1000));
  ASSERT_TRUE(enter(slots));
  for (int i = 2; i < 11; ++i) {
    ASSERT_TRUE(begin(i * 1000));
    ASSERT_TRUE(end(i * 1000, SlotState::kSucceeded));
  }
  ASSERT_TRUE(ledger_->prune("a", 9));
  EXPECT_EQ(ledger_->history("a", 100).value().size(), 10U) << "nine are finished, one is due";
  ASSERT_TRUE(ledger_->prune("a", 4));
  EXPECT_EQ(ledger_->history("a", 100).value().size(), 5U);
  EXPECT_EQ(ledger_->history("a", 2).value()[1].key.slot_micros, 10'000);
  EXPECT_EQ(schedule().forgotten_micros, 6000);
  ASSERT_TRUE(ledger_->apply({RewindSlots{"a", 11'000, 1500}}));
  EXPECT_EQ(schedule().decided_micros, 6000);
  const BackfillOutcome outcome = ledger_->backfill("a", {500, 3000, 6000, 7000, 11'000}, false, 77).value();
  EXPECT_EQ(outcome.forgotten, 2U);
  EXPECT_EQ(outcome.succeeded_before, 1U);
  EXPECT_EQ(outcome.entered, 2U) << "500 is older than the schedule; 11000 was taken out again";
  EXPECT_EQ(ledger_->backfill("a", {3000}, true, 77).value().entered, 1U);
}

TEST_F(ScheduleLedgerTest, ABackfillTakesUpWhatDidNotSucceed) {
  ASSERT_TRUE(enter({missed(2000), due(3000), due(4000), due(5000)}));
  ASSERT_TRUE(begin(3000));
  ASSERT_TRUE(end(3000, SlotState::kFailed));
  ASSERT_TRUE(begin(4000));
  ASSERT_TRUE(end(4000, SlotState::kSucceeded));
  const BackfillOutcome outcome = ledger_->backfill("a", {2000, 3000, 4000, 5000}, false, 77).value();
  EXPECT_EQ(outcome.entered, 2U);
  EXPECT_EQ(outcome.succeeded_before, 1U);
  EXPECT_EQ(outcome.active, 1U);
  EXPECT_EQ(row(3000).trigger, "backfill");
  EXPECT_EQ(row(3000).next_attempt_micros, 77);
  EXPECT_EQ(row(3000).attempts_before, 1) << "it has all of its attempts again";
  ASSERT_TRUE(begin(3000));
  EXPECT_EQ(row(3000).attempt, 2);
  EXPECT_EQ(ledger_->backfill("b", {1}, false, 1).error().code(), ErrorCode::kNotFound);
}

TEST_F(ScheduleLedgerTest, WishesOfPeopleAreRowsOfTheirOwn) {
  ASSERT_TRUE(enter({due(2000)}));
  const SlotKey key = ledger_->run_now("a", 2000).value();
  EXPECT_EQ(key, (SlotKey{"a", 2000, true}));
  EXPECT_EQ(ledger_->active("a").value().size(), 2U);
  EXPECT_EQ(ledger_->run_now("a", 2000).error().code(), ErrorCode::kConflict);
  EXPECT_EQ(ledger_->run_now("b", 2000).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(ledger_->set_paused("a", true));
  EXPECT_TRUE(schedule().is_paused);
  ASSERT_TRUE(ledger_->set_paused("a", false));
  EXPECT_FALSE(schedule().is_paused);
  EXPECT_EQ(ledger_->set_paused("b", true).error().code(), ErrorCode::kNotFound);
}

TEST_F(ScheduleLedgerTest, AnotherDefinitionBeginsNow) {
  ASSERT_TRUE(ledger_->enroll("a", "every 10m", 5000));
  EXPECT_EQ(schedule().decided_micros, 1000) << "the same one goes on where it was";
  ASSERT_TRUE(ledger_->set_paused("a", true));
  ASSERT_TRUE(ledger_->enroll("a", "every 20m", 5000));
  EXPECT_EQ(schedule(), (ScheduleRecord{"a", "every 20m", 1000, 5000, INT64_MIN, INT64_MIN, true}));
  ASSERT_TRUE(ledger_->enroll("a", "every 30m", 4000));
  EXPECT_EQ(schedule().decided_micros, 5000);
}

TEST_F(ScheduleLedgerTest, ForgettingTakesEverythingOfOne) {
  ASSERT_TRUE(ledger_->enroll("b", "x", 1));
  ASSERT_TRUE(enter({due(2000)}));
  ASSERT_TRUE(ledger_->run_now("b", 5));
  ASSERT_TRUE(ledger_->forget("a"));
  EXPECT_EQ(ledger_->schedules().value().size(), 1U);
  EXPECT_TRUE(ledger_->history("a", 9).value().empty());
  EXPECT_EQ(ledger_->history("b", 9).value().size(), 1U);
}

TEST_F(ScheduleLedgerTest, ALongMessageIsCutBetweenCharacters) {
  ASSERT_TRUE(enter({due(2000)}));
  std::string text = "x";
  while (text.size() < 5000) text += "å";
  ASSERT_TRUE(ledger_->apply({DropSlot{{"a", 2000, false}, SlotState::kSkipped, 9, text}}));
  EXPECT_EQ(row(2000).message, text.substr(0, 4095));
}

TEST_F(ScheduleLedgerTest, TheVersionChangesWithOtherConnections) {
  const std::int64_t before = ledger_->version().value();
  ASSERT_TRUE(ledger_->set_paused("a", true));
  EXPECT_EQ(ledger_->version().value(), before) << "its own changes are known";
  auto other = place_->open();
  ASSERT_TRUE(other);
  ASSERT_TRUE(ScheduleLedger(**other).set_paused("a", false));
  EXPECT_NE(ledger_->version().value(), before);
}

TEST_F(ScheduleLedgerTest, AnOldFileThatIsOnlyReadHasNoSchedules) {
  store_.reset();
  place_->sql(
      "DROP TABLE schedule; DROP TABLE schedule_slot; DROP TABLE query_run; DROP TABLE schedule_seen; DROP TABLE "
      "table_change");
  place_->set_format(2);
  {
    auto reader = place_->open(Store::Access::kReadOnly);
    ASSERT_TRUE(reader);
    ScheduleLedger ledger(**reader);
    EXPECT_TRUE(ledger.schedules().value().empty());
    EXPECT_TRUE(ledger.active("a").value().empty());
    EXPECT_TRUE(ledger.history("a", 9).value().empty());
    EXPECT_FALSE(ledger.schedule("a").value());
    EXPECT_FALSE(ledger.slot({"a", 1, false}).value());
  }
  open();
  EXPECT_TRUE(ledger_->enroll("a", "x", 1));
}

TEST_F(ScheduleLedgerTest, SuccessesAreCountedAndWhatWasSeenStays) {
  ASSERT_TRUE(ledger_->enroll("c", "on changes of b", 1));
  SlotRecord due;
  due.key = {"c", 5, false};
  due.trigger = "change";
  ASSERT_TRUE(ledger_->apply({EnterSlots{"c", 1, 5, {due}}, SeeChange{"c", "b", "one"}, SeeChange{"c", "d", "x"}}));
  EXPECT_EQ(ledger_->schedule("c").value()->successes, 0);
  ASSERT_TRUE(ledger_->apply({BeginRun{due.key, "me", 6}}));
  ASSERT_TRUE(ledger_->apply({EndRun{due.key, 1, "me", SlotState::kSucceeded, 7, 0, ""}}));
  ASSERT_FALSE(ledger_->apply({SeeChange{"c", "b", "lost"}, BeginRun{due.key, "me", 8}})) << "it is not due";
  open();
  EXPECT_EQ(ledger_->schedule("c").value()->successes, 1);
  EXPECT_EQ(ledger_->seen("c").value(), (std::map<std::string, std::string>{{"b", "one"}, {"d", "x"}}));
  EXPECT_TRUE(ledger_->seen("b").value().empty());
  ASSERT_TRUE(ledger_->forget("c"));
  EXPECT_TRUE(ledger_->seen("c").value().empty());
}

TEST_F(ScheduleLedgerTest, AFileOfFormatFourHasSucceededOnce) {
  ASSERT_TRUE(ledger_->enroll("c", "x", 1));
  ASSERT_TRUE(ledger_->enroll("never", "x", 1));
  SlotRecord due;
  due.key = {"c", 5, false};
  ASSERT_TRUE(ledger_->apply({EnterSlots{"c", 1, 5, {due}}, BeginRun{due.key, "me", 6}}));
  ASSERT_TRUE(ledger_->apply({EndRun{due.key, 1, "me", SlotState::kSucceeded, 7, 0, ""}}));
  store_.reset();
  place_->sql("ALTER TABLE schedule DROP COLUMN successes; DROP TABLE schedule_seen; DROP TABLE table_change");
  place_->set_format(4);
  {
    auto reader = place_->open(Store::Access::kReadOnly);
    ASSERT_TRUE(reader);
    EXPECT_EQ(ScheduleLedger(**reader).schedule("c").value()->successes, 0);
    EXPECT_TRUE(ScheduleLedger(**reader).seen("c").value().empty());
  }
  open();
  EXPECT_EQ(ledger_->schedule("c").value()->successes, 1);
  EXPECT_EQ(ledger_->schedule("never").value()->successes, 0);
}

}  // namespace
}  // namespace flytt::state
