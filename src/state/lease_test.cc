#include "state/lease.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

namespace flytt::state {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLength{15'000};
constexpr milliseconds kMargin{3'000};

// A steady clock that began somewhere, and a wall clock that is wrong.
class SkewedClock final : public base::Clock {
 public:
  SkewedClock(const std::int64_t& now_ms, std::int64_t begin_ms) : now_ms_(now_ms), begin_ms_(begin_ms) {}
  base::SteadyTime steady() const override { return base::SteadyTime(milliseconds(begin_ms_ + now_ms_)); }
  std::int64_t wall_micros() const override { return begin_ms_; }
  std::int64_t true_ms(base::SteadyTime time) const {
    return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count() - begin_ms_;
  }

 private:
  const std::int64_t& now_ms_;
  const std::int64_t begin_ms_;
};

// The row at a server, whose answers take time and get lost. `pass` is called while a request and its answer are under way.
class ScriptedTable final : public LeaseTable {
 public:
  struct Row {
    std::string holder;
    std::int64_t token = 0, expires_ms = 0;
  };
  ScriptedTable(Row& row, const std::int64_t& now_ms) : row_(row), now_ms_(now_ms) {}

  Result<LeaseRow> read() override { return LeaseRow{row_.holder, row_.token, row_.expires_ms - now_ms_}; }
  Result<std::optional<std::int64_t>> take(const std::string& holder, milliseconds length) override {
    pass();
    std::optional<std::int64_t> token;
    if (row_.expires_ms <= now_ms_ || row_.holder == holder) {
      on_take(holder);
      row_ = {holder, row_.token + 1, now_ms_ + length.count()};
      token = row_.token;
    }
    pass();
    if (loses_answers) return Error(ErrorCode::kUnavailable, "lost");
    return token;
  }
  Result<bool> renew(const std::string& holder, std::int64_t token, milliseconds length,
                     const std::string& address) override {
    told = address;
    pass();
    if (loses_requests) return Error(ErrorCode::kUnavailable, "lost");
    const bool is_ours = row_.holder == holder && row_.token == token;
    if (is_ours) row_.expires_ms = now_ms_ + length.count();
    pass();
    if (loses_answers) return Error(ErrorCode::kUnavailable, "lost");
    return is_ours;
  }
  Status give_back(const std::string& holder) override {
    ++gifts;
    if (row_.holder == holder) row_.expires_ms = now_ms_;
    return ok();
  }

  std::function<void()> pass = [] {};
  std::function<void(const std::string&)> on_take = [](const std::string&) {};
  bool loses_requests = false, loses_answers = false;
  std::string told;
  int gifts = 0;  // requests of give_back

 private:
  Row& row_;
  const std::int64_t& now_ms_;
};

class LeaseTest : public testing::Test {
 protected:
  std::int64_t now_ms_ = 1'000'000;
  ScriptedTable::Row row_;
  SkewedClock clock_{now_ms_, 5};
  ScriptedTable table_{row_, now_ms_};
  Lease lease_{table_, clock_, "me", kLength};
};

TEST_F(LeaseTest, WorkEndsAFifthBeforeOthersMayTakeOver) {
  EXPECT_FALSE(lease_.may_work());
  ASSERT_TRUE(lease_.take().value());
  EXPECT_TRUE(lease_.may_work());
  EXPECT_EQ(clock_.true_ms(lease_.work_until()), row_.expires_ms - kMargin.count());
  EXPECT_EQ(lease_.fence().token, 1);
  EXPECT_TRUE(lease_.fence().may_wait());
  now_ms_ += 11'999;
  EXPECT_TRUE(lease_.may_work());
  now_ms_ += 1;
  EXPECT_FALSE(lease_.may_work());
  EXPECT_FALSE(lease_.fence().may_wait());
}

TEST_F(LeaseTest, TimeCountsFromBeforeTheRequestWasSent) {
  table_.pass = [this] { now_ms_ += 2'000; };
  ASSERT_TRUE(lease_.take().value());
  EXPECT_EQ(clock_.true_ms(lease_.work_until()), 1'012'000);
  ASSERT_TRUE(lease_.renew());
  EXPECT_EQ(clock_.true_ms(lease_.work_until()), 1'016'000);
}

TEST_F(LeaseTest, AnAnswerAfterTheEndIsTooLate) {
  ASSERT_TRUE(lease_.take().value());
  now_ms_ += 5'000;
  table_.pass = [this] { now_ms_ += 4'000; };
  EXPECT_EQ(lease_.renew().error().code(), ErrorCode::kConflict);
  EXPECT_FALSE(lease_.may_work()) << "others may be at work by now, for all that is known here";
  table_.pass = [] {};
  EXPECT_EQ(lease_.renew().error().code(), ErrorCode::kConflict) << "once over, always over";
}

TEST_F(LeaseTest, ALostAnswerOfATakeoverIsTakenAgain) {
  table_.loses_answers = true;
  EXPECT_FALSE(lease_.take());
  EXPECT_FALSE(lease_.may_work());
  table_.loses_answers = false;
  ASSERT_TRUE(lease_.take().value());
  EXPECT_EQ(lease_.fence().token, 2);
}

TEST_F(LeaseTest, WhatALostAnswerToldIsGivenBackToo) {
  table_.loses_answers = true;
  EXPECT_FALSE(lease_.take());
  EXPECT_GT(row_.expires_ms, now_ms_);
  ASSERT_TRUE(lease_.give_back());
  EXPECT_EQ(row_.expires_ms, now_ms_) << "it was taken";
}

TEST_F(LeaseTest, ALostRenewalIsTriedAgain) {
  ASSERT_TRUE(lease_.take().value());
  now_ms_ += 5'000;
  table_.loses_requests = true;
  EXPECT_EQ(lease_.renew().error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(lease_.may_work());
  table_.loses_requests = false;
  lease_.tell("127.0.0.1:1");
  ASSERT_TRUE(lease_.renew());
  EXPECT_EQ(table_.told, "127.0.0.1:1");
  EXPECT_EQ(clock_.true_ms(lease_.work_until()), 1'017'000);
}

TEST_F(LeaseTest, WhatIsGivenBackIsFreeAtOnce) {
  ASSERT_TRUE(lease_.take().value());
  Lease other(table_, clock_, "other", kLength);
  EXPECT_FALSE(other.take().value());
  ASSERT_TRUE(lease_.give_back());
  EXPECT_FALSE(lease_.may_work());
  EXPECT_TRUE(other.take().value());
  EXPECT_EQ(lease_.renew().error().code(), ErrorCode::kConflict);
  Lease late(table_, clock_, "late", kLength);
  ASSERT_TRUE(late.give_back());
  EXPECT_EQ(table_.gifts, 1) << "what it never asked for needs no server";
}

// Two replicas that are frozen for random times between any two of their steps, whose requests and answers take random times
// and get lost, and whose clocks have nothing in common. Time passes for both alike.
class TwoReplicas {
 public:
  explicit TwoReplicas(std::uint32_t seed) : chance_(seed) {
    for (int i = 0; i < 2; ++i) {
      Replica& one = replicas_[i];
      one.table.pass = [this, i] { pass(i); };
      one.table.on_take = [this, i](const std::string&) { check_takeover(i); };
      start(i);
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step(pick(2));
  }
  int takeovers() const { return takeovers_; }

 private:
  struct Replica {
    Replica(ScriptedTable::Row& row, std::int64_t& now_ms, std::int64_t begin_ms)
        : clock(now_ms, begin_ms), table(row, now_ms) {}
    SkewedClock clock;
    ScriptedTable table;
    std::unique_ptr<Lease> lease;
    bool is_inside = false;  // its request is under way, or it is frozen
    std::int64_t worked_until_ms = 0;
  };

  int pick(int count) { return static_cast<int>(chance_() % static_cast<std::uint32_t>(count)); }

  // A process that lost its lease is started again under another name.
  void start(int i) {
    Replica& one = replicas_[i];
    one.lease = std::make_unique<Lease>(one.table, one.clock, "replica" + std::to_string(++started_), kLength);
  }

  void pass(int except) {
    now_ms_ += pick(10) == 0 ? pick(30'000) : pick(400);
    look();
    if (pick(3) == 0) step(1 - except);
  }

  void step(int i) {
    Replica& one = replicas_[i];
    if (one.is_inside) return;
    one.is_inside = true;
    now_ms_ += pick(20) == 0 ? pick(40'000) : pick(3'000);
    one.table.loses_answers = pick(8) == 0;
    one.table.loses_requests = pick(8) == 0;
    if (one.lease->may_work()) {
      if (pick(25) == 0) {
        ASSERT_TRUE(one.lease->give_back());
        one.worked_until_ms = 0;
        start(i);
      } else {
        static_cast<void>(one.lease->renew());
      }
    } else {
      if (pick(2) == 0) start(i);
      static_cast<void>(one.lease->take());
    }
    look();
    one.is_inside = false;
  }

  void look() {
    int working = 0;
    for (Replica& one : replicas_) {
      if (!one.lease->may_work()) continue;
      ++working;
      one.worked_until_ms = one.clock.true_ms(one.lease->work_until());
    }
    EXPECT_LE(working, 1) << "at " << now_ms_;
    if (working == 1) {
      EXPECT_LE(now_ms_, row_.expires_ms - kMargin.count()) << "and the row says so";
    }
  }

  void check_takeover(int i) {
    ++takeovers_;
    const Replica& other = replicas_[1 - i];
    // Given back, or over for the margin.
    EXPECT_FALSE(other.lease->may_work());
    EXPECT_TRUE(other.worked_until_ms == 0 || other.worked_until_ms + kMargin.count() <= now_ms_) << "at " << now_ms_;
  }

  std::mt19937 chance_;
  std::int64_t now_ms_ = 1'000;
  ScriptedTable::Row row_;
  int started_ = 0, takeovers_ = 0;
  Replica replicas_[2] = {{row_, now_ms_, 77}, {row_, now_ms_, 3'600'000}};
};

TEST(LeaseModel, NeverDoTwoWork) {
  int takeovers = 0;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    TwoReplicas both(seed);
    both.run(300);
    takeovers += both.takeovers();
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(takeovers, 10'000);
}

}  // namespace
}  // namespace flytt::state
