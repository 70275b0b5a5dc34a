// A log of rows that are larger, all together, than the memory of the warehouse by far.

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "warehouse/internal/test_support.h"

namespace flytt::warehouse {
namespace {

using test::Fixture;
using test::Row;

constexpr std::int64_t kKeys = 8'000;
constexpr std::int64_t kRowsPerAppend = 100;
constexpr std::size_t kValueBytes = 20'000;

class LargeRows : public Fixture {
 protected:
  // "v<version>-<id>-" and letters that do not repeat.
  static std::string value(std::int64_t version, std::int64_t id, std::size_t bytes = kValueBytes) {
    std::string text = "v" + std::to_string(version) + "-" + std::to_string(id) + "-";
    text.reserve(bytes);
    std::uint64_t state = static_cast<std::uint64_t>(id) * 7919 + static_cast<std::uint64_t>(version);
    while (text.size() < bytes) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      text += static_cast<char>('a' + (state >> 59) % 26);
    }
    return text;
  }

  void write(AppendSession& session, std::int64_t version) {
    for (std::int64_t from = 0; from < kKeys; from += kRowsPerAppend) {
      std::vector<Row> rows;
      for (std::int64_t id = from; id < from + kRowsPerAppend; ++id)
        rows.push_back({id, value(version, id), static_cast<std::uint64_t>(version)});
      const Status kept = upsert(session, rows);
      ASSERT_TRUE(kept) << kept.error().text();
    }
  }

  // Every key in every round, a round in one append.
  void write_again(AppendSession& session, std::int64_t rounds, std::int64_t keys, std::size_t bytes) {
    for (std::int64_t round = 1; round <= rounds; ++round) {
      std::vector<Row> rows;
      for (std::int64_t id = 0; id < keys; ++id)
        rows.push_back({id, value(round, id, bytes), static_cast<std::uint64_t>(round)});
      const Status kept = upsert(session, rows);
      ASSERT_TRUE(kept) << kept.error().text();
    }
  }

  void apply() {
    const Status applied = warehouse().apply_all();
    ASSERT_TRUE(applied) << applied.error().text();
    EXPECT_EQ(warehouse().usage(path("t"))->waiting_changes, 0);
  }

  void expect_newest(std::int64_t version, const std::string& when) {
    EXPECT_EQ(rows("SELECT COUNT(*), SUM(LENGTH(name)), COUNTIF(STARTS_WITH(name, CONCAT('v" + std::to_string(version) +
                   "-', CAST(id AS STRING), '-'))) FROM d.t"),
              std::to_string(kKeys) + "," + std::to_string(kKeys * static_cast<std::int64_t>(kValueBytes)) + "," +
                  std::to_string(kKeys) + ";")
        << when;
    EXPECT_EQ(rows("SELECT LENGTH(name) FROM d.t WHERE id = 77"), std::to_string(kValueBytes) + ";") << when;
  }
};

TEST_F(LargeRows, AreReadAndAppliedInLittleMemory) {
  memory_bytes_max_ = 256ll << 20;
  reopen();
  make_mirror("t");
  auto session = open("t");
  // Two sequences at once: nothing goes straight to base.
  ASSERT_TRUE(upsert(*session, {{0, "x", 1}, {1, "y", 2}}));
  write(*session, 2);
  write(*session, 3);
  expect_newest(3, "every log row outranks the base");
  session.reset();
  reopen();
  expect_newest(3, "after opening it again");
  const std::int64_t before = metrics_.counter("flytt_warehouse_applies_total");
  apply();
  EXPECT_GE(metrics_.counter("flytt_warehouse_applies_total") - before, 7) << "320 MB are taken in parts";
  expect_newest(3, "out of the base");
  session = open("t");
  ASSERT_TRUE(upsert(*session, {{0, "an older change once more", 1}}));
  write(*session, 4);
  expect_newest(4, "ranks are compared key by key");
  apply();
  expect_newest(4, "out of the base again");
}

TEST_F(LargeRows, ThatAreWrittenAgainAndAgainLeaveNothingBehind) {
  constexpr std::int64_t kRounds = 75, kHotKeys = 40;
  constexpr std::size_t kHotBytes = 200'000;
  memory_bytes_max_ = 160ll << 20;
  reopen();
  make_mirror("t");
  auto session = open("t");
  // 3,000 rows of 200 kB, 8 MB at a time: more than DuckDB can look at with this memory if the dead ones stayed.
  for (std::int64_t round = 1; round <= kRounds; ++round) {
    for (std::int64_t from = 0; from < kHotKeys; from += 10) {
      std::vector<Row> rows;
      for (std::int64_t id = from; id < from + 10; ++id)
        rows.push_back({id, value(round, id, kHotBytes), static_cast<std::uint64_t>(round)});
      const Status kept = upsert(*session, rows);
      ASSERT_TRUE(kept) << "round " << round << ": " << kept.error().text();
    }
    apply();
    if (round % 5 != 0) continue;
    const Status saved = warehouse().checkpoint();
    ASSERT_TRUE(saved) << "round " << round << ": " << saved.error().text();
    ASSERT_EQ(rows("SELECT COUNT(*), SUM(LENGTH(name)), COUNTIF(STARTS_WITH(name, 'v" + std::to_string(round) +
                   "-')) FROM d.t"),
              "40,8000000,40;");
  }
  session.reset();
  reopen();
  EXPECT_EQ(rows("SELECT COUNT(*), MIN(SUBSTR(name, 1, 4)) FROM d.t"), "40,v75-;");
}

TEST_F(LargeRows, AreReadWhileALongLogOfThemIsApplied) {
  constexpr std::int64_t kRounds = 50, kHotKeys = 40, kReaders = 2;
  constexpr std::size_t kHotBytes = 100'000;
  memory_bytes_max_ = 320ll << 20;
  reopen();
  make_mirror("t");
  auto session = open("t");
  write_again(*session, kRounds, kHotKeys, kHotBytes);
  session.reset();
  reopen(true);
  std::atomic<std::int64_t> answers{0};
  std::mutex mutex;
  std::string wrong;
  std::vector<std::jthread> readers;
  for (std::int64_t reader = 0; reader < kReaders; ++reader)
    readers.emplace_back([&] {
      for (bool is_last = false; !is_last;) {
        is_last = warehouse().usage(path("t"))->waiting_changes == 0;
        const std::string answer = this->rows("SELECT id, LENGTH(name), SUBSTR(name, 1, 4), name FROM d.t ORDER BY id");
        ++answers;
        if (answer.size() > kHotKeys * kHotBytes && answer.starts_with("0,100000,v50-,")) continue;
        std::lock_guard lock(mutex);
        wrong = answer.substr(0, 200);
      }
    });
  readers.clear();
  EXPECT_EQ(wrong, "");
  EXPECT_GE(answers, kReaders);
}

TEST_F(LargeRows, QuestionsThatNeedAllTheMemoryTakeTurns) {
  constexpr std::int64_t kRounds = 30, kLargeKeys = 200, kReaders = 6;
  constexpr std::size_t kLargeBytes = 50'000;
  memory_bytes_max_ = 200ll << 20;
  reopen();
  make_mirror("t");
  auto session = open("t");
  write_again(*session, kRounds, kLargeKeys, kLargeBytes);
  session.reset();
  std::mutex mutex;
  std::string wrong;
  std::vector<std::jthread> readers;
  for (std::int64_t reader = 0; reader < kReaders; ++reader)
    readers.emplace_back([&] {
      const std::string answer = this->rows("SELECT id, name FROM d.t ORDER BY id");
      if (answer.size() > kLargeKeys * kLargeBytes && answer.starts_with("0,v30-0-")) return;
      std::lock_guard lock(mutex);
      wrong += answer.substr(0, 200) + "\n";
    });
  readers.clear();
  EXPECT_EQ(wrong, "");
}

}  // namespace
}  // namespace flytt::warehouse
