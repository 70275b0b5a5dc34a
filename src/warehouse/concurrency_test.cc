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
  std::thread writer([&] {
    // These sessions keep the descriptor of the two columns that they began with.
    auto changes = open("t");
    auto plain = open("l", false);
    for (std::int64_t i = 1; !done || i < 20; ++i) {
      ASSERT_TRUE(upsert(*changes, {{i, "v", static_cast<std::uint64_t>(i)}}));
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
