#include "app/internal/schedule_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

namespace flytt::app {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kSlot = 1'709'186'400 * kSecond;  // 2024-02-29 06:00:00 UTC

class SetClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return base::SteadyTime(std::chrono::microseconds(wall)); }
  std::int64_t wall_micros() const override { return wall; }
  std::atomic<std::int64_t> wall = kSlot;
};

class ScheduleFactsTest : public testing::Test {
 protected:
  ScheduleFactsTest() {
    stream_.stream = "sak";
    stream_.condition = pipeline::Condition::kRunning;
    pipeline::TableStatus table;
    stream_.slot = "flytt_sak";
    stream_.since_micros = kSlot - kSecond;
    table.record.source_table = "public.person";
    table.record.dataset = "landing";
    table.record.table = "person";
    table.record.phase = state::TablePhase::kStreaming;
    stream_.tables.push_back(table);
  }
  std::string ask(std::string_view dependency) {
    const scheduler::Readiness answer = facts_.readiness(dependency, kSlot);
    return answer.is_ready ? "ready" : answer.reason;
  }
  // Until the destination was asked; a test that waits in vain is ended from outside.
  std::string ask_until_known(std::string_view dependency) {
    std::string said;
    do {
      said = ask(dependency);
    } while (said.find("is asked about") != std::string::npos);
    return said;
  }
  // Asks until the log was asked once more.
  std::string ask_until_asked(std::string_view dependency) {
    const int before = log_asked_;
    std::string said;
    do {
      said = ask(dependency);
    } while (log_asked_ == before);
    return said;
  }
  // A stream of topics.
  void without_log() { stream_.slot = ""; }

  SetClock clock_;
  pipeline::PipelineStatus stream_;
  std::atomic<int> log_asked_ = 0;
  std::atomic<std::uint64_t> log_end_ = 700;
  std::string log_problem_;
  Result<std::optional<std::int64_t>> changed_ = std::optional<std::int64_t>(kSlot - 1);
  ScheduleFacts facts_{{clock_, "team", [this] { return std::vector{stream_}; },
                        [this](const data::TablePath& table) {
                          EXPECT_EQ(table.text(), "team.mart.orders");
                          return changed_;
                        },
                        [this](const std::string&) { return places_; },
                        [this](const std::string& stream) -> Result<std::uint64_t> {
                          EXPECT_EQ(stream, "sak");
                          ++log_asked_;
                          if (!log_problem_.empty()) return Error(ErrorCode::kUnavailable, log_problem_);
                          return log_end_.load();
                        }}};
  Result<std::optional<std::string>> places_ = std::optional<std::string>();
  scheduler::ChangeMark change(std::string_view dependency) { return facts_.change(dependency); }
};

TEST_F(ScheduleFactsTest, AStreamIsCompleteWhenALaterChangeIsDurable) {
  stream_.oldest_unsaved_ms = 5;
  stream_.newest_commit_micros = kSlot - 1;
  EXPECT_EQ(ask("stream:sak"), "stream sak is not complete up to 2024-02-29 06:00:00 UTC");
  stream_.newest_commit_micros = kSlot;
  EXPECT_EQ(ask("stream:sak"), "ready");
  EXPECT_EQ(ask("stream:other"), "stream other does not run in this process");
}

TEST_F(ScheduleFactsTest, AStreamThatHasAllOfTheLogIsComplete) {
  clock_.wall = kSlot + 60 * kSecond;
  stream_.saved_number = 699;
  ask_until_asked("stream:sak");
  EXPECT_EQ(ask("stream:sak"), "stream sak is not complete up to 2024-02-29 06:00:00 UTC") << "however quiet it is";
  log_end_ = 900;
  stream_.saved_number = 700;
  while (ask("stream:sak") != "ready") {}
  EXPECT_EQ(log_asked_, 1) << "what is committed later does not matter";
  stream_.saved_number = 0;
  EXPECT_EQ(ask("stream:sak"), "ready") << "this is known now";
}

TEST_F(ScheduleFactsTest, ALogIsAskedAfterTheSlotOnly) {
  clock_.wall = kSlot - 1;
  stream_.saved_number = 700;
  EXPECT_NE(ask("stream:sak"), "ready");
  clock_.wall = kSlot;
  while (ask("stream:sak") != "ready") {}
  EXPECT_EQ(log_asked_, 1);
}

TEST_F(ScheduleFactsTest, SlotsThatFollowEachOtherDoNotMoveTheEndAway) {
  ask_until_asked("stream:sak");
  log_end_ = 900;
  clock_.wall = kSlot + 5 * kSecond;
  while (log_asked_ == 1) facts_.readiness("stream:sak", clock_.wall);
  stream_.saved_number = 700;
  while (ask("stream:sak") != "ready") {}
  EXPECT_FALSE(facts_.readiness("stream:sak", kSlot + 5 * kSecond).is_ready);
}

TEST_F(ScheduleFactsTest, AClockThatWasPutBackMakesNothingComplete) {
  stream_.saved_number = 700;
  clock_.wall = kSlot + 3600 * kSecond;
  while (!facts_.readiness("stream:sak", kSlot + 3600 * kSecond).is_ready) {}
  clock_.wall = kSlot;
  log_end_ = 900;
  EXPECT_NE(ask("stream:sak"), "ready") << "what it had an hour later says nothing about this hour";
}

TEST_F(ScheduleFactsTest, AStreamThatBeganAnewAsksAnew) {
  log_end_ = 1'000'000;
  ask_until_asked("stream:sak");
  stream_.condition = pipeline::Condition::kWaiting;
  stream_.error = "connection refused";
  EXPECT_NE(ask("stream:sak").find(": connection refused"), std::string::npos);
  stream_.condition = pipeline::Condition::kRunning;
  stream_.error = "";
  stream_.since_micros = kSlot + 1;
  clock_.wall = kSlot + 2 * kSecond;
  log_end_ = stream_.saved_number = 5;
  while (ask("stream:sak") != "ready") {}
}

TEST_F(ScheduleFactsTest, ALogThatCannotBeAskedIsSaid) {
  log_problem_ = "connection refused";
  while (ask("stream:sak").find(": connection refused") == std::string::npos) {}
}

TEST_F(ScheduleFactsTest, AQuietStreamOfTopicsIsCompleteAfterAWhile) {
  without_log();
  clock_.wall = kSlot + 9 * kSecond;
  EXPECT_NE(ask("stream:sak"), "ready");
  clock_.wall = kSlot + 10 * kSecond;
  EXPECT_EQ(ask("stream:sak"), "ready");
  stream_.channel_bytes = 1;
  EXPECT_NE(ask("stream:sak"), "ready");
  stream_.channel_bytes = 0;
  stream_.condition = pipeline::Condition::kWaiting;
  stream_.error = "connection refused";
  EXPECT_NE(ask("stream:sak").find(": connection refused"), std::string::npos);
}

TEST_F(ScheduleFactsTest, AStreamThatCopiesIsNotComplete) {
  stream_.newest_commit_micros = kSlot;
  stream_.tables[0].record.phase = state::TablePhase::kCopying;
  EXPECT_NE(ask("stream:sak").find("tables are copied"), std::string::npos);
}

TEST_F(ScheduleFactsTest, ATopicBehindItsEndIsNotComplete) {
  without_log();
  clock_.wall = kSlot + 60 * kSecond;
  pipeline::LaneStatus lane;
  lane.saved = 4;
  lane.end = 5;
  stream_.lanes.push_back(lane);
  EXPECT_NE(ask("stream:sak"), "ready");
  stream_.lanes[0].saved = 5;
  EXPECT_EQ(ask("stream:sak"), "ready");
}

TEST_F(ScheduleFactsTest, ATableIsReadyWhenItChangedSince) {
  EXPECT_EQ(ask_until_known("table:mart.orders"), "table mart.orders was not changed since 2024-02-29 06:00:00 UTC");
}

TEST_F(ScheduleFactsTest, ATableThatChangedIsReady) {
  changed_ = std::optional<std::int64_t>(kSlot);
  EXPECT_EQ(ask_until_known("table:mart.orders"), "ready");
}

TEST_F(ScheduleFactsTest, WhyATableIsNotKnownIsSaid) {
  changed_ = Error(ErrorCode::kAuth, "no right");
  EXPECT_NE(ask_until_known("table:mart.orders").find(": no right"), std::string::npos);
}

TEST_F(ScheduleFactsTest, ATableOfAStreamIsCompleteWithIt) {
  stream_.newest_commit_micros = kSlot;
  EXPECT_EQ(ask("table:landing.person"), "ready");
}

TEST_F(ScheduleFactsTest, ATableHasChangedWithItsNewestChangeAndItsCopiesAndAStreamWithAnyTable) {
  pipeline::TableStatus other = stream_.tables[0];
  other.record.table = "other";
  stream_.tables.push_back(other);
  const auto marks = [this] {
    return std::vector{change("table:landing.person").mark, change("table:landing.other").mark,
                       change("stream:sak").mark};
  };
  const auto before = marks();
  EXPECT_THAT(before, testing::Each(testing::Ne("")));
  stream_.rows = 17;  // since the process started: not what lasts
  stream_.newest_commit_micros = kSlot;
  EXPECT_EQ(marks(), before) << "that may have been known before, or not, when a process was killed";
  for (const char* newest : {"1/F/3", "1/10/1"}) {
    const auto last = marks();
    stream_.tables[0].newest_change = newest;
    EXPECT_NE(marks()[0], last[0]);
    EXPECT_EQ(marks()[1], last[1]);
    EXPECT_NE(marks()[2], last[2]);
  }
  stream_.tables[1].newest_change = "1/E/1";
  const auto changed = marks();
  EXPECT_NE(changed[1], before[1]);
  stream_.tables[1].record.generation = 2;
  EXPECT_EQ(marks()[0], changed[0]);
  EXPECT_NE(marks()[1], changed[1]);
  EXPECT_NE(marks()[2], changed[2]);
  EXPECT_EQ(change("table:landing.absent").mark, "") << "nobody has made it";
  EXPECT_EQ(change("table:landing.absent").unknown, "");
}

TEST_F(ScheduleFactsTest, ATableThatIsCopiedHoldsUpWhoeverWaitsForItAlone) {
  pipeline::TableStatus other = stream_.tables[0];
  other.record.table = "other";
  stream_.tables.push_back(other);
  stream_.tables[0].record.phase = state::TablePhase::kCopying;
  EXPECT_EQ(change("table:landing.person").unknown, "table public.person is copied");
  EXPECT_NE(change("table:landing.other").mark, "");
}

TEST_F(ScheduleFactsTest, AStreamThatIsNotCompleteCannotBeTold) {
  stream_.tables[0].record.phase = state::TablePhase::kCopying;
  EXPECT_EQ(change("stream:sak").unknown, "tables of stream sak are copied");
  stream_.condition = pipeline::Condition::kStarting;
  EXPECT_EQ(change("stream:sak").unknown, "stream sak is starting");
  EXPECT_EQ(change("table:landing.other").unknown, "streams are starting");
  EXPECT_EQ(change("stream:other").unknown, "stream other does not run in this process");
}

TEST_F(ScheduleFactsTest, AStreamOfTopicsHasChangedWithItsPlaces) {
  places_ = std::optional<std::string>("7 of 2 partitions");
  EXPECT_EQ(change("stream:sak").mark, "7 of 2 partitions");
  places_ = Error(ErrorCode::kUnavailable, "disk full");
  EXPECT_EQ(change("stream:sak").unknown, "") << "asked once in a while";
  clock_.wall += kSecond;
  EXPECT_EQ(change("stream:sak").unknown, "disk full");
}

}  // namespace
}  // namespace flytt::app
