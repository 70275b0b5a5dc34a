// Readers, writer, applies, checkpoints and changes of definitions at the same time. No assertion depends on time.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "warehouse/internal/test_support.h"

namespace flytt::warehouse {
namespace {

using test::Fixture;
using test::Row;

constexpr std::int64_t kKeys = 50;

// -1: no such row.
std::int64_t read_version(Warehouse& house, std::int64_t key) {
  QueryOptions options;
  options.project = "p";
  auto result = house.query("SELECT name FROM d.t WHERE id = " + std::to_string(key), options);
  EXPECT_TRUE(result) << (result ? "" : result.error().text());
  if (!result) return -2;
  std::int64_t version = -1;
  while (true) {
    auto page = (*result)->next();
    EXPECT_TRUE(page) << (page ? "" : page.error().text());
    if (!page || !*page) return version;
    for (std::size_t row = 0; row < (*page)->row_count(); ++row) {
      EXPECT_EQ(version, -1) << "key " << key << " is seen twice";
      version = std::stoll(std::string((*page)->columns[0].bytes(row)));
    }
  }
}

class Concurrency : public Fixture {};

constexpr std::int64_t kVersions = 600;

TEST_F(Concurrency, AReaderNeverSeesAVersionGoBackNorADeletedKeyReturn) {
  reopen(true);
  make_mirror("t");
  // Versions of a key only grow; a key below kKeys / 5 is deleted once half of the versions are written.
  std::array<std::atomic<std::int64_t>, kKeys> answered{};
  for (auto& each : answered) each = -1;
  std::array<std::atomic<bool>, kKeys> deleted{};
  std::atomic<bool> done{false};
  std::thread writer([&] {
    auto session = open("t");
    std::mt19937_64 random(7);
    for (std::int64_t version = 1; version <= kVersions; ++version) {
      std::vector<Row> rows;
      std::vector<std::int64_t> keys;
      for (int i = 0; i < 8; ++i) {
        const auto key = static_cast<std::int64_t>(random() % kKeys);
        if (deleted[static_cast<std::size_t>(key)]) continue;
        rows.push_back({key, std::to_string(version), static_cast<std::uint64_t>(2 * version)});
        keys.push_back(key);
      }
      if (version == kVersions / 2) {
        for (std::int64_t key = 0; key < kKeys / 5; ++key) {
          ASSERT_TRUE(erase(*session, {{key, "", static_cast<std::uint64_t>(2 * version + 1)}}));
          deleted[static_cast<std::size_t>(key)] = true;
        }
        continue;
      }
      ASSERT_TRUE(upsert(*session, rows));
      for (const std::int64_t key : keys) answered[static_cast<std::size_t>(key)] = version;
      // A replay of something older, as after a restart.
      if (version % 10 == 0) {
        rows.clear();
        for (std::int64_t key = 0; key < kKeys; key += 3)
          rows.push_back({key, std::to_string(version / 2), static_cast<std::uint64_t>(version)});
        ASSERT_TRUE(upsert(*session, rows));
      }
    }
    done = true;
  });
  std::thread applier([&] {
    while (!done) {
      const Status applied = warehouse().apply_all();
      ASSERT_TRUE(applied) << applied.error().text();
      static_cast<void>(warehouse().checkpoint());
    }
  });
  std::vector<std::thread> readers;
  for (unsigned r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      std::mt19937_64 random(r);
      std::array<std::int64_t, kKeys> seen{};
      while (!done) {
        const auto key = static_cast<std::size_t>(random() % kKeys);
        const bool was_deleted = deleted[key];
        const std::int64_t least = std::max(seen[key], answered[key].load());
        const std::int64_t version = read_version(warehouse(), static_cast<std::int64_t>(key));
        if (was_deleted) {
          EXPECT_EQ(version, -1) << "key " << key << " has returned";
        } else if (!deleted[key]) {
          EXPECT_GE(version, least == 0 ? -1 : least) << "key " << key;
          seen[key] = std::max<std::int64_t>(version, 0);
        }
        if (HasFailure()) return;
      }
    });
  }
  writer.join();
  applier.join();
  for (std::thread& reader : readers) reader.join();
}

TEST_F(Concurrency, ColumnsAreAddedWhileRowsArrive) {
  make_mirror("t");
  make_plain("l");
  std::atomic<bool> done{false};
  std::atomic<std::int64_t> written{0};
  // These sessions keep the descriptor of the two columns that they begin with: both are there before any is added.
  auto changes = open("t");
  auto plain = open("l", false);
  std::thread writer([&] {
    for (std::int64_t i = 1; !done || i < 20; ++i) {
      const Status upserted = upsert(*changes, {{i, "v", static_cast<std::uint64_t>(i)}});
      ASSERT_TRUE(upserted) << upserted.error().text();
      ASSERT_TRUE(insert(*plain, {{i, "v", 0}}));
      written = i;
    }
  });
  for (int c = 0; c < 8; ++c) {
    for (const char* name : {"t", "l"}) {
      auto info = warehouse().table(path(name));
      ASSERT_TRUE(info);
      TableChange change;
      change.schema = info->schema;
      change.schema->fields.push_back({"extra" + std::to_string(c), data::TypeKind::kInt64, false, ""});
      const auto changed = warehouse().update_table(path(name), change);
      ASSERT_TRUE(changed) << changed.error().text();
    }
    ASSERT_TRUE(warehouse().apply_all());
  }
  done = true;
  writer.join();
  const std::string all = std::to_string(written.load());
  EXPECT_EQ(rows("SELECT COUNT(*), COUNT(extra7) FROM d.t"), all + ",0;");
  EXPECT_EQ(rows("SELECT COUNT(*), COUNT(extra7) FROM d.l"), all + ",0;");
}

TEST_F(Concurrency, AnAddedArrayIsEmptyInRowsThatKnowNothingOfIt) {
  make_mirror("t");
  make_plain("l");
  auto changes = open("t");
  auto plain = open("l", false);
  ASSERT_TRUE(upsert(*changes, {{1, "base", 1}}));
  ASSERT_TRUE(warehouse().apply_all());
  ASSERT_TRUE(upsert(*changes, {{2, "log", 2}}));
  ASSERT_TRUE(insert(*plain, {{1, "before", 0}}));
  for (const char* name : {"t", "l"}) {
    TableChange change;
    change.schema = warehouse().table(path(name))->schema;
    change.schema->fields.push_back(
        {"pairs", data::Type::array(data::Type::structure({{"k", data::TypeKind::kString}})), false, ""});
    const auto changed = warehouse().update_table(path(name), change);
    ASSERT_TRUE(changed) << changed.error().text();
  }
  ASSERT_TRUE(upsert(*changes, {{3, "older session", 3}}));
  ASSERT_TRUE(insert(*plain, {{2, "older session", 0}}));
  EXPECT_EQ(rows("SELECT COUNT(*), SUM(ARRAY_LENGTH(pairs)) FROM d.t WHERE ARRAY_LENGTH(pairs) = 0"), "3,0;");
  ASSERT_TRUE(warehouse().apply_all());
  EXPECT_EQ(rows("SELECT COUNT(*), SUM(ARRAY_LENGTH(pairs)) FROM d.t WHERE ARRAY_LENGTH(pairs) = 0"), "3,0;");
  EXPECT_EQ(rows("SELECT COUNT(*), SUM(ARRAY_LENGTH(pairs)) FROM d.l WHERE ARRAY_LENGTH(pairs) = 0"), "2,0;");
}

TEST_F(Concurrency, AppendsOfManyTablesShareCommits) {
  constexpr int kTables = 12, kAppends = 40;
  std::vector<std::unique_ptr<AppendSession>> sessions;
  for (int t = 0; t < kTables; ++t) {
    make_mirror("t" + std::to_string(t));
    sessions.push_back(open("t" + std::to_string(t)));
  }
  const std::int64_t before = metrics_.counter("flytt_warehouse_commits_total");
  std::vector<std::future<Status>> answers;
  for (int i = 0; i < kAppends; ++i) {
    for (int t = 0; t < kTables; ++t) {
      const auto encoded = test::encode(test::simple_schema(true), {{i, "x", static_cast<std::uint64_t>(i + 1)}},
                                        data::ChangeKind::kUpsert, true);
      auto answered = std::make_shared<std::promise<Status>>();
      answers.push_back(answered->get_future());
      sessions[static_cast<std::size_t>(t)]->append(
          *encoded.rows, encoded.rows, [answered](AppendOutcome outcome) { answered->set_value(outcome.status); },
          base::Deadline::never());
    }
  }
  for (auto& answer : answers) EXPECT_TRUE(answer.get());
  EXPECT_LT(metrics_.counter("flytt_warehouse_commits_total") - before, kTables * kAppends / 2);
  for (int t = 0; t < kTables; ++t)
    EXPECT_EQ(rows("SELECT COUNT(*) FROM d.t" + std::to_string(t)), std::to_string(kAppends) + ";");
}

// Runs questions and writes until `done`; every error is told to `judge`.
template <typename Judge>
void ask_until(Warehouse& house, const std::string& sql, const std::atomic<bool>& done, Judge judge) {
  QueryOptions options;
  options.project = "p";
  while (!done) {
    auto result = house.query(sql, options);
    if (!result) {
      judge(result.error(), "");
      continue;
    }
    while (true) {
      auto page = (*result)->next();
      if (!page) judge(page.error(), "");
      if (!page || !*page) break;
      std::string cells;
      for (const data::Column& column : (*page)->columns) cells += std::to_string(column.int64(0)) + ",";
      judge(std::nullopt, cells);
    }
  }
}

TEST_F(Concurrency, AQueryMeetsATableThatIsDroppedAndMadeAgain) {
  constexpr int kRounds = 40;
  make_mirror("t");
  make_plain("copied");
  std::atomic<bool> done{false};
  std::atomic<int> answers{0};
  const auto judge = [&](const std::optional<Error>& error, const std::string&) {
    ++answers;
    if (!error) return;
    EXPECT_EQ(error->code(), ErrorCode::kNotFound) << error->text();
    EXPECT_EQ(error->sentence().rfind("Not found: Table p:d.t", 0), 0u) << error->text();
  };
  std::vector<std::thread> threads;
  for (const char* sql : {"SELECT COUNT(*), MAX(id) FROM d.t", "SELECT a.id FROM d.t a JOIN d.t b ON a.id = b.id + 1",
                          "INSERT INTO d.copied (id, name) SELECT id, name FROM d.t"})
    threads.emplace_back([&, sql] { ask_until(warehouse(), sql, done, judge); });
  threads.emplace_back([&] {
    while (!done) {
      const auto usage = warehouse().usage(path("t"));
      if (!usage) judge(usage.error(), "");
    }
  });
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    auto session = open("t");
    EXPECT_TRUE(upsert(*session, {{1, "a", 1}, {2, "b", 1}}));
    EXPECT_TRUE(upsert(*session, {{2, "c", 2}}));
    if (round % 10 == 9) static_cast<void>(warehouse().checkpoint());
    EXPECT_TRUE(warehouse().delete_table(path("t")));
    make_mirror("t");
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(answers, 0);
}

TEST_F(Concurrency, AReplacedTableIsSeenOldOrNewAndNeverNot) {
  constexpr int kRounds = 40;
  make_plain("l");
  {
    auto session = open("l", false);
    ASSERT_TRUE(insert(*session, {{0, "x", 0}, {0, "y", 0}, {0, "z", 0}}));
  }
  std::atomic<bool> done{false};
  const auto judge = [&](const std::optional<Error>& error, const std::string& cells) {
    EXPECT_FALSE(error) << error->text();
    EXPECT_EQ(cells, "3,0,");
  };
  std::vector<std::thread> threads;
  for (int r = 0; r < 2; ++r)
    threads.emplace_back([&] { ask_until(warehouse(), "SELECT COUNT(*), MAX(id) - MIN(id) FROM d.l", done, judge); });
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    const std::string made = rows("CREATE OR REPLACE TABLE d.l AS SELECT id + 1 AS id, name FROM d.l");
    EXPECT_EQ(made, "");
    if (round % 10 == 9) static_cast<void>(warehouse().checkpoint());
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(rows("SELECT MIN(id), COUNT(DISTINCT name) FROM d.l"), std::to_string(kRounds) + ",3;");
  // A query that fails leaves the old table as it was.
  EXPECT_EQ(rows("CREATE OR REPLACE TABLE d.l AS SELECT CAST(name AS INT64) AS id FROM d.l").rfind("error: ", 0), 0u);
  EXPECT_EQ(rows("SELECT COUNT(*) FROM d.l"), "3;");
}

TEST_F(Concurrency, AQueryEndsWhenItsDeadlinePassesOrItIsCancelled) {
  make_plain("l");
  auto session = open("l", false);
  std::vector<Row> many;
  for (std::int64_t i = 0; i < 5'000; ++i) many.push_back({i, "x", 0});
  ASSERT_TRUE(insert(*session, many));
  const std::string endless = "SELECT COUNT(*) FROM d.l a, d.l b, d.l c, d.l d WHERE a.id + b.id + c.id + d.id = -1";
  QueryOptions options;
  options.project = "p";
  options.deadline = clock_.in(std::chrono::milliseconds(300));
  auto late = warehouse().query(endless, options);
  if (late) {
    auto page = (*late)->next();
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code(), ErrorCode::kTimeout) << page.error().text();
  } else {
    EXPECT_EQ(late.error().code(), ErrorCode::kTimeout) << late.error().text();
  }
  options.deadline = base::Deadline::never();
  options.cancel = std::make_shared<std::atomic<bool>>(false);
  std::thread canceller([&] { options.cancel->store(true); });
  auto stopped = warehouse().query(endless, options);
  canceller.join();
  const Error error = stopped ? (*stopped)->next().error() : stopped.error();
  EXPECT_EQ(error.code(), ErrorCode::kCancelled) << error.text();
}

}  // namespace
}  // namespace flytt::warehouse
