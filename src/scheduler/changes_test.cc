// Schedules on changes, in the Dispatcher.

#include "scheduler/internal/dispatcher_test_support.h"

namespace flytt::scheduler {
namespace {

class ChangesTest : public DispatcherTest {
 protected:
  Policy& add_on_changes(const std::string& name, const std::vector<std::string>& of) {
    entries_.push_back({name, Schedule::on_changes(of), {}});
    entries_.back().policy.after = of;
    return entries_.back().policy;
  }
  Round end(const SlotKey& key, Result<RunOutcome> result = RunOutcome{"done"}) {
    dispatcher_->finish(key, std::move(result));
    return step();
  }
  // Ends all that began, and says what that was.
  std::string finish_all() {
    const std::vector<RunOrder> begun = started_;
    const std::string text = started();
    for (const RunOrder& order : begun) dispatcher_->finish(order.key, RunOutcome{"done"});
    step();
    return text;
  }
  void change(const std::string& mark) { facts_.mark = {mark, ""}; }
};

TEST_F(ChangesTest, RunsWhenSomethingIsThereAndWhenItHasChanged) {
  add_on_changes("a", {"table:t"});
  start();
  EXPECT_EQ(started(), "") << "there is nothing yet";
  change("1");
  pass(6 * kMicrosPerSecond);
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(started_[0].context.trigger, "change");
  EXPECT_EQ(started_[0].key.slot_micros, clock_.wall) << "the instant at which it was seen";
  EXPECT_EQ(finish_all(), "a 09:00");
  for (int i = 0; i < 100; ++i) pass(kMinute);
  EXPECT_EQ(finish_all(), "") << "nothing has changed";
  change("2");
  pass(kMinute);
  EXPECT_EQ(finish_all(), "a 10:41");
}

TEST_F(ChangesTest, ChangesThatFollowEachOtherAreOneSlotAndTheLastIsSeen) {
  add_on_changes("a", {"table:t"}).at_most_micros = 10 * kMinute;
  change("0");
  start();
  EXPECT_EQ(finish_all(), "a 09:00");
  std::string all;
  for (int i = 1; i <= 60; ++i) {  // for five minutes
    change(std::to_string(i));
    pass(5 * kMicrosPerSecond);
    all += finish_all();
  }
  EXPECT_EQ(all, "") << "not within ten minutes";
  pass(5 * kMinute + 1);
  EXPECT_EQ(finish_all(), "a 09:10");
  for (int i = 0; i < 30; ++i) pass(kMinute);
  EXPECT_EQ(finish_all(), "") << "the last change was in it";
}

TEST_F(ChangesTest, AChangeDuringARunIsSeenAfterIt) {
  add_on_changes("a", {"table:t"});
  change("1");
  start();
  const SlotKey first = started_.at(0).key;
  started();
  change("2");
  for (int i = 0; i < 5; ++i) pass(kMinute);
  EXPECT_EQ(started(), "") << "the run is on";
  end(first);
  EXPECT_EQ(finish_all(), "a 09:05");
  pass(10 * kMinute);
  EXPECT_EQ(finish_all(), "");
}

TEST_F(ChangesTest, ASuccessOfAnotherScheduleIsAChangeAtOnce) {
  add("b", "1h");
  add_on_changes("a", {"schedule:b"});
  start();
  for (int i = 0; i < 59; ++i) pass(kMinute);
  EXPECT_EQ(started(), "");
  pass(kMinute);
  EXPECT_EQ(started(), "b 10:00");
  fail("b", "10:00", ErrorCode::kConfig);
  EXPECT_EQ(started(), "") << "it has written nothing";
  pass(kHour);
  EXPECT_EQ(started(), "b 11:00");
  succeed("b", "11:00");
  EXPECT_EQ(finish_all(), "a 11:00");
  ASSERT_TRUE(ledger().run_now("b", clock_.wall));
  pass(2 * kMinute);
  dispatcher_->touch("b");
  step();
  EXPECT_EQ(finish_all(), "b 11:00 by hand");
  EXPECT_EQ(finish_all(), "a 11:02") << "also after a run by hand, whose slot may be older";
}

TEST_F(ChangesTest, WhatWasSeenIsKnownAfterARestartAndAChangeMeanwhileIsNotLost) {
  add_on_changes("a", {"table:t"});
  change("1");
  start();
  EXPECT_EQ(finish_all(), "a 09:00");
  start("second");
  for (int i = 0; i < 10; ++i) pass(kMinute);
  EXPECT_EQ(finish_all(), "");
  change("2");
  start("third");
  EXPECT_EQ(started(), "a 09:10");
  start("fourth");
  EXPECT_EQ(finish_all(), "a 09:10 again") << "the same slot, under the same attempt";
  for (int i = 0; i < 10; ++i) pass(kMinute);
  EXPECT_EQ(finish_all(), "");
}

TEST_F(ChangesTest, WhatCannotBeToldIsNoChangeAndIsSaid) {
  add_on_changes("a", {"table:t"});
  change("1");
  start();
  finish_all();
  facts_.mark = {"", "tables are copied"};
  for (int i = 0; i < 10; ++i) pass(kMinute);
  EXPECT_EQ(finish_all(), "");
  EXPECT_EQ(dispatcher_->status().at(0).unknown, "tables are copied");
  change("1");
  pass(kMinute);
  EXPECT_EQ(finish_all(), "");
  EXPECT_EQ(dispatcher_->status().at(0).unknown, "");
}

TEST_F(ChangesTest, APausedOneSeesAllChangesAsOneWhenItGoesOn) {
  add_on_changes("a", {"table:t"});
  change("1");
  start();
  finish_all();
  ASSERT_TRUE(ledger().set_paused("a", true));
  dispatcher_->touch("a");
  for (int i = 2; i < 9; ++i) {
    change(std::to_string(i));
    pass(kMinute);
  }
  EXPECT_EQ(finish_all(), "");
  ASSERT_TRUE(ledger().set_paused("a", false));
  dispatcher_->touch("a");
  step();
  EXPECT_EQ(finish_all(), "a 09:07");
}

TEST_F(ChangesTest, AFailureIsTriedAgainAndAClockThatIsPutBackLosesNothing) {
  add_on_changes("a", {"table:t"});
  change("1");
  start();
  const SlotKey key = started_.at(0).key;
  started();
  end(key, Error(ErrorCode::kUnavailable, "away"));
  clock_.pass(20 * kMicrosPerSecond);
  step();
  EXPECT_EQ(started(), "a 09:00#2");
  end(key);
  change("2");
  clock_.wall -= kHour;
  step();
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(started_[0].key.slot_micros, key.slot_micros + 1) << "slots grow all the same";
  finish_all();
  pass(10 * kMinute);
  EXPECT_EQ(finish_all(), "");
}

TEST_F(ChangesTest, AClockMayWaitForOneOnChanges) {
  add_on_changes("a", {"table:t"});
  add("b", "1h").after = {"schedule:a"};
  start();
  pass(kHour);
  EXPECT_EQ(started(), "");
  EXPECT_EQ(dispatcher_->status().at(1).waiting, "schedule a has not succeeded yet");
  change("1");
  pass(kMinute);
  const SlotKey key = started_.at(0).key;
  EXPECT_EQ(started(), "a 10:01");
  end(key);
  EXPECT_EQ(started(), "b 10:00");
}

TEST_F(ChangesTest, ThereIsNothingToFillIn) {
  add_on_changes("a", {"table:t"});
  start();
  auto view = ledger();
  const auto refused =
      backfill(view, entries_[0], at("2026-01-14 00:00:00"), at("2026-01-15 00:00:00"), false, clock_.wall);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().sentence().find("runs on changes"), std::string::npos);
  EXPECT_FALSE(entries_[0].schedule.last_until(clock_.wall));
  EXPECT_EQ(entries_[0].schedule.definition(), "on changes of table:t");
  entries_[0].policy.missed = Missed::kAll;
  EXPECT_FALSE(check_entries(entries_));
}

}  // namespace
}  // namespace flytt::scheduler
