// The thread around the dispatcher: real threads and the real clock, jobs that wait for the test.

#include "scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "base/log.h"
#include "state/store.h"

namespace flytt::scheduler {
namespace {

using state::SlotState;

class NoFacts final : public Facts {
 public:
  Readiness readiness(std::string_view, std::int64_t) override { return {}; }
  ChangeMark change(std::string_view) override { return {}; }
};

// Says when it begins, and ends when the test lets it or when it is stopped.
class HeldJob final : public Job {
 public:
  Result<RunOutcome> run(const RunContext& context) override {
    std::unique_lock lock(mutex_);
    contexts_.push_back(context);
    changed_.notify_all();
    const bool is_let = changed_.wait(lock, context.stop, [&] { return let_ > 0; });
    if (!is_let) return Error(ErrorCode::kCancelled, "stopped");
    --let_;
    if (throws_) throw std::runtime_error("thrown");
    return RunOutcome{"let go"};
  }
  void let(bool throws = false) {
    std::lock_guard lock(mutex_);
    ++let_;
    throws_ = throws;
    changed_.notify_all();
  }
  // The n-th run that began.
  RunContext began(std::size_t n) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30), [&] { return contexts_.size() >= n; }));
    return contexts_.size() >= n ? contexts_[n - 1] : RunContext{};
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<RunContext> contexts_;
  int let_ = 0;
  bool throws_ = false;
};

class BorrowedJob final : public Job {
 public:
  explicit BorrowedJob(HeldJob& job) : job_(job) {}
  Result<RunOutcome> run(const RunContext& context) override { return job_.run(context); }

 private:
  HeldJob& job_;
};

class SchedulerTest : public testing::Test {
 protected:
  SchedulerTest() {
    base::set_log(base::LogLevel::kError, base::LogFormat::kText);
    std::string pattern = testing::TempDir() + "flytt-scheduler-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    store_ = std::move(state::Store::open(folder_ + "/state.db")).value();
  }
  ~SchedulerTest() override {
    scheduler_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    std::vector<ScheduledJob> jobs;
    Entry entry{"a", std::move(Schedule::parse({.cron = "0 0 1 1 *"})).value(), {}};
    entry.policy.run_micros_max = run_micros_max_;
    entry.policy.retries.max = 0;
    jobs.push_back({std::move(entry), std::make_unique<BorrowedJob>(job_)});
    auto made = Scheduler::make(std::move(jobs), {state::ScheduleLedger(*store_), clock_, random_, facts_});
    ASSERT_TRUE(made) << made.error().text();
    scheduler_ = std::move(made).value();
    scheduler_->start();
  }
  // Waits for the ledger to say so.
  state::SlotRecord wait_for(const state::SlotKey& key, SlotState state) {
    const base::Deadline deadline = clock_.in(std::chrono::seconds(30));
    while (!clock_.is_past(deadline)) {
      const auto row = state::ScheduleLedger(*store_).slot(key).value();
      if (row && row->state == state) return *row;
      std::this_thread::yield();
    }
    ADD_FAILURE() << "the slot never was " << to_string(state);
    return {};
  }
  base::Deadline soon() const { return clock_.in(std::chrono::seconds(30)); }

  std::string folder_;
  std::unique_ptr<state::Store> store_;
  base::SystemClock clock_;
  base::SeededRandom random_{static_cast<std::uint64_t>(clock_.wall_micros())};
  NoFacts facts_;
  HeldJob job_;
  std::int64_t run_micros_max_ = 0;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, AWishIsCarriedOutOnItsOwnThread) {
  start();
  const state::SlotKey key = scheduler_->run_now("a").value();
  EXPECT_EQ(job_.began(1).trigger, "manual");
  EXPECT_EQ(scheduler_->status().at(0).active.size(), 1U);
  job_.let();
  EXPECT_EQ(wait_for(key, SlotState::kSucceeded).message, "let go");
  EXPECT_TRUE(scheduler_->stop(soon()));
}

TEST_F(SchedulerTest, AWishOfAnotherProcessIsNoticed) {
  start();
  auto other = std::move(state::Store::open(folder_ + "/state.db")).value();
  const state::SlotKey key = state::ScheduleLedger(*other).run_now("a", clock_.wall_micros()).value();
  job_.began(1);
  job_.let();
  wait_for(key, SlotState::kSucceeded);
}

TEST_F(SchedulerTest, ARunThatTakesTooLongIsAskedToEnd) {
  run_micros_max_ = 1;
  start();
  const state::SlotKey key = scheduler_->run_now("a").value();
  EXPECT_NE(wait_for(key, SlotState::kFailed).message.find("it was stopped after"), std::string::npos);
}

TEST_F(SchedulerTest, WhatAJobThrowsIsItsFailure) {
  start();
  const state::SlotKey key = scheduler_->run_now("a").value();
  job_.began(1);
  job_.let(true);
  EXPECT_EQ(wait_for(key, SlotState::kFailed).message, "the job of schedule a threw (thrown)");
}

TEST_F(SchedulerTest, ARunThatTheEndOfTheProgramCutsShortGoesOn) {
  start();
  const state::SlotKey key = scheduler_->run_now("a").value();
  const std::string run = job_.began(1).run_id;
  EXPECT_TRUE(scheduler_->stop(soon()));
  EXPECT_EQ(state::ScheduleLedger(*store_).slot(key).value()->state, SlotState::kRunning);
  scheduler_.reset();
  start();
  EXPECT_EQ(job_.began(2).run_id, run);
  EXPECT_TRUE(job_.began(2).is_resumed);
  job_.let();
  EXPECT_EQ(wait_for(key, SlotState::kSucceeded).attempt, 1);
}

TEST_F(SchedulerTest, ABackfillRunsOneSlotAfterTheOther) {
  start();
  const std::int64_t year = 366 * 86'400 * kMicrosPerSecond;
  const auto outcome = scheduler_->backfill("a", clock_.wall_micros() - 3 * year, clock_.wall_micros() - year, false);
  ASSERT_TRUE(outcome);
  ASSERT_GE(outcome->entered, 2U);
  EXPECT_EQ(scheduler_->backfill("b", 0, 1, false).error().code(), ErrorCode::kNotFound);
  const RunContext first = job_.began(1);
  job_.let();
  const RunContext second = job_.began(2);
  EXPECT_LT(first.slot_micros, second.slot_micros);
  ASSERT_TRUE(scheduler_->set_paused("a", true));
  job_.let();
  wait_for({"a", second.slot_micros, false}, SlotState::kSucceeded);
}

}  // namespace
}  // namespace flytt::scheduler
