#include "scheduler/internal/dispatcher_test_support.h"

#include "base/failpoint.h"

namespace flytt::scheduler {
namespace {

TEST_F(DispatcherTest, ASlotBeginsInItsTimeAndSucceedsOnce) {
  add("a", "1h");
  start();
  EXPECT_EQ(started(), "") << "nothing that was before it was known";
  const Round quiet = pass(30 * kMinute);
  EXPECT_EQ(quiet.wake_micros, at("2026-01-15 10:00:00"));
  EXPECT_EQ(started(), "");
  clock_.pass(29 * kMinute + 30 * kMicrosPerSecond - 1);
  step();
  EXPECT_EQ(started(), "");
  const Round round = pass(1);
  ASSERT_EQ(round.starts.size(), 1U);
  const RunContext& context = round.starts[0].context;
  EXPECT_EQ(context.schedule, "a");
  EXPECT_EQ(context.slot_micros, at("2026-01-15 10:00:00"));
  EXPECT_EQ(context.run_id, "a-20260115T100000Z-1");
  EXPECT_EQ(context.trigger, "schedule");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kRunning);
  started();
  succeed("a", "10:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kSucceeded);
  EXPECT_EQ(row("a", "10:00").message, "done");
  pass(10 * kMinute);
  EXPECT_EQ(started(), "");
  start("second");
  EXPECT_EQ(started(), "");
  pass(50 * kMinute);
  EXPECT_EQ(started(), "a 11:00");
}

TEST_F(DispatcherTest, OfMissedSlotsOnlyTheLastRuns) {
  add("a", "1h");
  start();
  dispatcher_.reset();
  clock_.pass(3 * kHour + 30 * kMinute);
  start("second");
  EXPECT_EQ(started(), "a 12:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kMissed);
  EXPECT_NE(row("a", "11:00").message.find("missed: last"), std::string::npos);
}

TEST_F(DispatcherTest, OfMissedSlotsNoneRuns) {
  add("a", "1h").missed = Missed::kNone;
  start();
  pass(3 * kHour + 30 * kMinute);
  EXPECT_EQ(started(), "");
  EXPECT_EQ(state_of("a", "12:00"), SlotState::kMissed);
  pass(30 * kMinute);  // 13:00:30 is a little late
  EXPECT_EQ(started(), "a 13:00");
}

TEST_F(DispatcherTest, OfMissedSlotsAllRunOldestFirstUpToTheLimit) {
  Policy& policy = add("a", "1h");
  policy.missed = Missed::kAll;
  policy.missed_max = 3;
  start();
  pass(5 * kHour + 30 * kMinute);
  EXPECT_EQ(started(), "a 12:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kMissed);
  EXPECT_EQ(state_of("a", "11:00"), SlotState::kMissed);
  EXPECT_EQ(state_of("a", "14:00"), SlotState::kDue);
  succeed("a", "12:00");
  EXPECT_EQ(started(), "a 13:00");
  pass(kHour);
  EXPECT_EQ(started(), "");
  succeed("a", "13:00");
  EXPECT_EQ(started(), "a 14:00");
  succeed("a", "14:00");
  EXPECT_EQ(started(), "a 15:00") << "what came meanwhile";
}

TEST_F(DispatcherTest, AYearOfMissedMinutesIsTwoRoundsOfWork) {
  add("a", "1m");
  start();
  pass(365 * 24 * kHour);
  EXPECT_EQ(started(), "a 09:00");
  const auto rows = ledger().history("a", 100'000).value();
  EXPECT_EQ(rows.size(), kMissedRowsMax + 1);
  EXPECT_NE(rows.back().message.find("so were all before it since 2026-01-15 09:00:30 UTC"), std::string::npos)
      << rows.back().message;
}

TEST_F(DispatcherTest, AForbiddenSlotWaitsForTheRunBefore) {
  add("a", "1h");
  start();
  pass(kHour);
  EXPECT_EQ(started(), "a 10:00");
  pass(2 * kHour);
  EXPECT_EQ(started(), "");
  succeed("a", "10:00");
  EXPECT_EQ(started(), "a 12:00");
  EXPECT_EQ(state_of("a", "11:00"), SlotState::kMissed);
}

TEST_F(DispatcherTest, ANewerSlotReplacesTheRun) {
  add("a", "1h").concurrency = Concurrency::kReplace;
  start();
  pass(kHour);
  EXPECT_EQ(started(), "a 10:00");
  const Round round = pass(kHour);
  ASSERT_EQ(round.stops.size(), 1U);
  EXPECT_EQ(round.stops[0].key, key("a", "10:00"));
  EXPECT_EQ(round.stops[0].reason, StopReason::kReplaced);
  EXPECT_EQ(started(), "") << "it has not ended";
  EXPECT_TRUE(pass(kMinute).stops.empty()) << "it was asked already";
  fail("a", "10:00", ErrorCode::kCancelled);
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kSkipped);
  EXPECT_EQ(started(), "a 11:00");
  pass(kHour);
  succeed("a", "11:00");  // although it was asked to end
  EXPECT_EQ(state_of("a", "11:00"), SlotState::kSucceeded);
  EXPECT_EQ(started(), "a 12:00");
}

TEST_F(DispatcherTest, AReplacedSlotDoesNotComeBackFromItsRetry) {
  add("a", "1h").concurrency = Concurrency::kReplace;
  entries_[0].policy.retries.delay_micros = entries_[0].policy.retries.delay_micros_max = 2 * kHour;
  start();
  pass(kHour);
  fail("a", "10:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kDue);
  started();
  pass(kHour);
  EXPECT_EQ(started(), "a 11:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kSkipped);
}

TEST_F(DispatcherTest, AllowedRunsAreBounded) {
  Policy& policy = add("a", "1h");
  policy.concurrency = Concurrency::kAllow;
  policy.parallel_max = 2;
  start();
  for (int i = 0; i < 3; ++i) pass(kHour);
  EXPECT_EQ(started(), "a 10:00, a 11:00");
  EXPECT_EQ(waiting(), "another run of the schedule is on");
  succeed("a", "11:00");
  EXPECT_EQ(started(), "a 12:00");
}

TEST_F(DispatcherTest, RunsOfAllSchedulesAreBounded) {
  for (const char* name : {"a", "b", "c"}) add(name, "1h");
  runs_max_ = 2;
  start();
  pass(kHour);
  EXPECT_EQ(started(), "a 10:00, b 10:00");
  succeed("b", "10:00");
  EXPECT_EQ(started(), "c 10:00");
}

TEST_F(DispatcherTest, AFailureIsTriedAgainLaterAndLater) {
  Retries& retries = add("a", "24h").retries;
  retries = {3, 40 * kMicrosPerSecond, 3, 200 * kMicrosPerSecond};
  start();
  pass(15 * kHour);
  EXPECT_EQ(started(), "a 00:00");
  std::string slot = "2026-01-16 00:00:00";
  const SlotKey day{"a", at(slot), false};
  for (const std::int64_t full : {40, 120, 200}) {
    const std::int64_t before = clock_.wall;
    dispatcher_->finish(day, Error(ErrorCode::kUnavailable, "it did not work"));
    const Round round = step();
    EXPECT_GE(round.wake_micros - before, full * kMicrosPerSecond / 2);
    EXPECT_LE(round.wake_micros - before, full * kMicrosPerSecond);
    EXPECT_EQ(started(), "");
    clock_.pass(round.wake_micros - before - 1);
    step();
    EXPECT_EQ(started(), "");
    pass(1);
    EXPECT_NE(started(), "");
  }
  dispatcher_->finish(day, Error(ErrorCode::kUnavailable, "it did not work"));
  step();
  const auto failed = ledger().slot(day).value();
  EXPECT_EQ(failed->state, SlotState::kFailed);
  EXPECT_EQ(failed->attempt, 4);
  EXPECT_EQ(failed->message, "it did not work");
}

TEST_F(DispatcherTest, WhatAnotherAttemptCannotMendFailsAtOnce) {
  add("a", "1h");
  start();
  pass(kHour);
  fail("a", "10:00", ErrorCode::kConfig);
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kFailed);
  EXPECT_EQ(row("a", "10:00").attempt, 1);
}

TEST_F(DispatcherTest, ARunThatTakesTooLongIsStoppedAndTriedAgain) {
  add("a", "24h").run_micros_max = 10 * kMinute;
  start();
  pass(15 * kHour);
  const SlotKey day{"a", at("2026-01-16 00:00:00"), false};
  const Round begun = pass(0);
  EXPECT_EQ(begun.wake_micros, clock_.wall + 10 * kMinute);
  // The clock on the wall says nothing about how long it takes.
  clock_.wall -= kHour;
  EXPECT_TRUE(step().stops.empty());
  clock_.wall += 3 * kHour;
  EXPECT_TRUE(step().stops.empty());
  const Round round = pass(10 * kMinute);
  ASSERT_EQ(round.stops.size(), 1U);
  EXPECT_EQ(round.stops[0].reason, StopReason::kTimeout);
  dispatcher_->finish(day, Error(ErrorCode::kCancelled, "stopped"));
  step();
  EXPECT_EQ(ledger().slot(day).value()->state, SlotState::kDue);
  EXPECT_EQ(ledger().slot(day).value()->message, "it was stopped after 10 min");
}

TEST_F(DispatcherTest, ASlotThatCannotStartInItsTimeIsSkipped) {
  Policy& policy = add("a", "24h");
  policy.start_micros_max = kHour;
  policy.after = {"stream:sak"};
  facts_.complete_until = 0;
  start();
  pass(15 * kHour);
  EXPECT_EQ(started(), "");
  EXPECT_EQ(waiting(), "stream:sak is late");
  pass(59 * kMinute);
  const SlotKey day{"a", at("2026-01-16 00:00:00"), false};
  EXPECT_EQ(ledger().slot(day).value()->state, SlotState::kDue);
  pass(2 * kMinute);
  EXPECT_EQ(ledger().slot(day).value()->state, SlotState::kSkipped);
  EXPECT_EQ(ledger().slot(day).value()->message, "it could not start in its time: stream:sak is late");
}

TEST_F(DispatcherTest, AFactIsAskedAgainUntilItHolds) {
  add("a", "1h").after = {"stream:sak"};
  facts_.complete_until = at("2026-01-15 09:59:59");
  start();
  const Round round = pass(kHour);
  EXPECT_EQ(started(), "");
  EXPECT_EQ(round.wake_micros, clock_.wall + kFactsLookMicros);
  facts_.complete_until = at("2026-01-15 10:00:00");
  pass(kFactsLookMicros);
  EXPECT_EQ(started(), "a 10:00");
}

TEST_F(DispatcherTest, OfSlotsThatWaitTheNewestThatCanRunTakesThePlaceOfTheOthers) {
  add("a", "1h").after = {"stream:sak"};
  facts_.complete_until = 0;
  start();
  pass(kHour);
  pass(kHour);
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kDue);
  pass(kHour);
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kDue) << "its data will be there first";
  EXPECT_EQ(state_of("a", "11:00"), SlotState::kMissed);
  EXPECT_EQ(row("a", "11:00").message, "the slot of 2026-01-15 12:00:00 UTC took its place");
  EXPECT_EQ(waiting(), "stream:sak is late");
  facts_.complete_until = INT64_MAX;
  pass(kMinute);
  EXPECT_EQ(started(), "a 12:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kMissed);
}

TEST_F(DispatcherTest, SlotsThatFollowFasterThanTheirDataRunAllTheSame) {
  for (const Concurrency concurrency : {Concurrency::kForbid, Concurrency::kReplace}) {
    entries_.clear();
    add("a", "5s").after = {"stream:sak"};
    entries_[0].policy.concurrency = concurrency;
    facts_.complete_until = 0;
    start();
    int runs = 0;
    for (int second = 0; second < 120; ++second) {
      facts_.complete_until = clock_.wall - 12 * kMicrosPerSecond;
      pass(kMicrosPerSecond);
      for (const RunOrder& order : std::exchange(started_, {})) {
        ++runs;
        dispatcher_->finish(order.key, RunOutcome{"done"});
      }
    }
    EXPECT_GE(runs, 11)
        << "one in each 10 seconds: of the slots that passed until a run the newest is complete so much later";
  }
}

TEST_F(DispatcherTest, ASlotWaitsForTheSuccessOfAnotherSchedule) {
  add("early", "1h");
  add("late", "every 1 hours from 00:30 to 23:30").after = {"schedule:early"};
  start();
  pass(kHour);
  EXPECT_EQ(started(), "early 10:00");
  pass(30 * kMinute);
  EXPECT_EQ(started(), "");
  EXPECT_EQ(dispatcher_->status().at(1).waiting,
            "schedule early has not succeeded for its slot of 2026-01-15 09:00:00 UTC");
  fail("early", "10:00", ErrorCode::kConfig);
  EXPECT_EQ(started(), "") << "it failed";
  pass(30 * kMinute);
  EXPECT_EQ(started(), "early 11:00");
  succeed("early", "11:00");
  EXPECT_EQ(started(), "late 10:30") << "a later success will do";
}

TEST_F(DispatcherTest, APausedScheduleStartsNothingAndThenOnlyTheLast) {
  add("a", "1h");
  start();
  ASSERT_TRUE(ledger().set_paused("a", true));
  dispatcher_->touch("a");
  pass(3 * kHour);
  EXPECT_EQ(started(), "");
  ASSERT_TRUE(ledger().run_now("a", clock_.wall));
  dispatcher_->touch("a");
  step();
  EXPECT_EQ(started(), "a 12:00 by hand");
  dispatcher_->finish({"a", clock_.wall, true}, RunOutcome{});
  // By another process.
  auto other = std::move(state::Store::open(folder_ + "/state.db")).value();
  ASSERT_TRUE(state::ScheduleLedger(*other).set_paused("a", false));
  step();
  EXPECT_EQ(started(), "a 12:00");
  EXPECT_EQ(state_of("a", "11:00"), SlotState::kMissed);
}

TEST_F(DispatcherTest, ABackfillRunsAfterWhatIsInItsTime) {
  Policy& policy = add("a", "1h");
  policy.retries.max = 1;
  start();
  pass(kHour);
  started();
  succeed("a", "10:00");
  auto book = ledger();
  EXPECT_EQ(backfill(book, entries_[0], at("2026-01-15 08:00:00"), at("2026-01-15 13:00:00"), false, clock_.wall)
                .error()
                .code(),
            ErrorCode::kConfig)
      << "the future";
  const auto outcome =
      backfill(book, entries_[0], at("2026-01-15 08:00:00"), at("2026-01-15 10:00:01"), false, clock_.wall);
  EXPECT_EQ(outcome->entered, 2U);
  EXPECT_EQ(outcome->succeeded_before, 1U);
  dispatcher_->touch("a");
  step();
  EXPECT_EQ(started(), "a 08:00");
  pass(kHour);
  fail("a", "08:00");
  EXPECT_EQ(started(), "a 11:00") << "its time has come";
  succeed("a", "11:00");
  EXPECT_EQ(started(), "a 09:00") << "the other one is to be tried later";
  succeed("a", "09:00");
  pass(kMinute);
  EXPECT_EQ(started(), "a 08:00#2");
}

TEST_F(DispatcherTest, ABackfilledSlotHasAllOfItsAttemptsAgain) {
  add("a", "1h").retries.max = 1;
  start();
  pass(kHour);
  fail("a", "10:00");
  pass(kMinute);
  fail("a", "10:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kFailed);
  started();
  ASSERT_TRUE(ledger().backfill("a", {at("2026-01-15 10:00:00")}, false, clock_.wall));
  dispatcher_->touch("a");
  step();
  EXPECT_EQ(started(), "a 10:00#3");
  fail("a", "10:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kDue);
}

TEST_F(DispatcherTest, AfterACrashTheAttemptGoesOn) {
  add("a", "1h").retries.max = 1;
  start();
  pass(kHour);
  EXPECT_EQ(started_.at(0).context.run_id, "a-20260115T100000Z-1");
  started();
  dispatcher_.reset();
  start("second");
  EXPECT_EQ(started_.at(0).context.run_id, "a-20260115T100000Z-1");
  EXPECT_EQ(started(), "a 10:00 again");
  fail("a", "10:00");
  pass(kMinute);
  EXPECT_EQ(started(), "a 10:00#2");
  succeed("a", "10:00");
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kSucceeded);
}

TEST_F(DispatcherTest, AProcessThatWasTakenForDeadSavesNothing) {
  add("a", "1h");
  start();
  pass(kHour);
  auto zombie = std::move(dispatcher_);
  start("second");
  zombie->finish(key("a", "10:00"), RunOutcome{"from the grave"});
  EXPECT_TRUE(zombie->step());
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kRunning);
  succeed("a", "10:00");
  EXPECT_EQ(row("a", "10:00").message, "done");
}

TEST_F(DispatcherTest, AClockThatIsPutBackRunsNothingTwiceAndWaitsForNothing) {
  add("a", "1h");
  start();
  pass(kHour);
  succeed("a", "10:00");
  started();
  clock_.wall += 24 * 365 * kHour;  // somebody set the wrong year
  step();
  EXPECT_EQ(started(), "a 10:00");
  const SlotKey wrong{"a", at("2027-01-15 10:00:00"), false};
  dispatcher_->finish(wrong, RunOutcome{"done"});
  step();
  clock_.wall -= 24 * 365 * kHour + 10 * kMinute;
  step();
  EXPECT_EQ(started(), "");
  pass(kHour + 10 * kMinute);
  EXPECT_EQ(started(), "a 11:00") << "10:00 has succeeded; the missed slots of a year are due in their time";
  EXPECT_EQ(ledger().slot(wrong).value()->state, SlotState::kSucceeded);
}

TEST_F(DispatcherTest, ASlotThatSucceededBeforeTheClockWasPutBackIsNotBegunAgain) {
  add("a", "1h");
  start();
  pass(kHour);
  succeed("a", "10:00");
  started();
  clock_.wall -= kHour;
  step();
  pass(kHour);
  EXPECT_EQ(started(), "") << "10:00 is entered again, and has its row";
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kSucceeded);
  pass(kHour);
  EXPECT_EQ(started(), "a 11:00");
}

TEST_F(DispatcherTest, ARunThatWasCutOffIsAskedBeforeItIsReplaced) {
  add("a", "1h").concurrency = Concurrency::kReplace;
  start();
  pass(kHour);
  started();
  dispatcher_.reset();
  clock_.pass(kHour);
  start("second");
  EXPECT_EQ(started(), "a 10:00 again");
  succeed("a", "10:00");
  EXPECT_EQ(started(), "a 11:00");
}

TEST_F(DispatcherTest, ARetryDoesNotWaitForAClockThatWasPutBack) {
  add("a", "1h");
  start();
  pass(kHour);
  fail("a", "10:00");
  started();
  clock_.wall -= 5 * kHour;
  step();
  EXPECT_EQ(started(), "a 10:00#2");
}

TEST_F(DispatcherTest, AnEndThatCannotBeSavedIsSavedLater) {
  add("a", "1h");
  start();
  pass(kHour);
  started();
  ASSERT_TRUE(base::arm_failpoints("scheduler.end.before=error@1;scheduler.begin.before=error@4", ""));
  dispatcher_->finish(key("a", "10:00"), RunOutcome{"done"});
  EXPECT_FALSE(dispatcher_->step());
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kRunning);
  step();
  EXPECT_EQ(state_of("a", "10:00"), SlotState::kSucceeded);
  pass(kHour);
  succeed("a", "11:00");
  EXPECT_EQ(started(), "a 11:00");
  clock_.pass(kHour);
  EXPECT_FALSE(dispatcher_->step());
  step();
  EXPECT_EQ(started(), "a 12:00");
  base::failpoints_armed = false;
}

TEST_F(DispatcherTest, HistoryIsBounded) {
  add("a", "1m").history_max = 10;
  start();
  for (int i = 0; i < 200; ++i) {
    for (const RunOrder& order : pass(kMinute).starts) dispatcher_->finish(order.key, RunOutcome{});
    step();
  }
  EXPECT_LE(ledger().history("a", 1000).value().size(), 10U + kPruneEvery + 1);
}

TEST_F(DispatcherTest, ASlotThatIsForgottenWhileItRunsBreaksNothing) {
  add("a", "1h");
  start();
  pass(kHour);
  started();
  ASSERT_TRUE(ledger().forget("a"));
  dispatcher_->touch("a");
  step();
  succeed("a", "10:00");
  pass(kHour);
  EXPECT_EQ(started(), "a 11:00");
}

TEST(RunId, DiffersForEachAttemptOfEachSlot) {
  const std::int64_t slot = at("2026-01-15 10:00:00");
  EXPECT_EQ(run_id({"query:a_b", slot, false}, 2), "query_3aa_5fb-20260115T100000Z-2");
  EXPECT_EQ(run_id({"a", slot + 1, true}, 1), "a-20260115T100000000001Z-manual-1");
}

}  // namespace
}  // namespace flytt::scheduler
