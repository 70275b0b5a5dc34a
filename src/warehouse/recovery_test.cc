// A child process writes and is killed with −9 at every place where it hurts; the parent opens what is left. Everything that
// was answered is there, every append is whole or absent, and the rules of sequences still hold.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <future>
#include <map>
#include <random>
#include <set>

#include "base/failpoint.h"
#include "warehouse/internal/test_support.h"

namespace flytt::warehouse {
namespace {

using test::Row;

constexpr std::int64_t kKeys = 200;
constexpr std::int64_t kLoadRows = 150'000;  // more than one row group

// What one append of the child wrote: row `id` of round r is named "r<r>".
struct Told {
  std::int64_t round;
  bool answered;
};

class Recovery : public ::testing::Test {
 protected:
  std::unique_ptr<Warehouse> open() {
    WarehouseOptions options;
    options.folder = folder_.path();
    options.project = "p";
    options.maintenance = false;
    auto opened = Warehouse::open(options, clock_, metrics_);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().text());
    return opened ? std::move(*opened) : nullptr;
  }

  // Runs `work` in a child until it is killed; returns what it told through `tell`, in order.
  std::vector<Told> killed(const std::string& failpoints,
                           const std::function<void(Warehouse&, const std::function<void(Told)>&)>& work,
                           int kill_after_told = 0) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      ::alarm(120);
      static_cast<void>(base::arm_failpoints(failpoints, ""));
      auto house = open();
      if (!house) ::_exit(3);
      work(*house, [&](Told told) {
        if (::write(ends[1], &told, sizeof told) != sizeof told) ::_exit(4);
      });
      ::_exit(5);  // the failpoint was not passed often enough
    }
    ::close(ends[1]);
    std::vector<Told> heard;
    Told told{};
    while (::read(ends[0], &told, sizeof told) == sizeof told) {
      heard.push_back(told);
      if (kill_after_told != 0 && static_cast<int>(heard.size()) == kill_after_told) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "exit status " << WEXITSTATUS(status);
    return heard;
  }

  static void make_table(Warehouse& house) {
    if (house.table({"p", "d", "t"})) return;
    CHECK(house.create_dataset({{"p", "d"}}).has_value());
    TableInfo info;
    info.path = {"p", "d", "t"};
    info.schema = test::simple_schema(true);
    CHECK(house.create_table(info).has_value());
  }

  // Rounds of upserts, with applies and checkpoints between them.
  static void write_rounds(Warehouse& house, std::int64_t first, const std::function<void(Told)>& tell) {
    make_table(house);
    auto session = house.open_append(
        {"p", "d", "t"}, test::encode(test::simple_schema(true), {}, data::ChangeKind::kUpsert, true).descriptor);
    CHECK(session.has_value());
    for (std::int64_t round = first; round < first + 60; ++round) {
      std::vector<Row> rows;
      for (std::int64_t k = 0; k < 20; ++k)
        rows.push_back({(round * 7 + k) % kKeys, "r" + std::to_string(round), static_cast<std::uint64_t>(round)});
      tell({round, false});
      const auto encoded = test::encode(test::simple_schema(true), rows, data::ChangeKind::kUpsert, true);
      if (test::append_and_wait(**session, encoded.rows)) tell({round, true});
      if (round % 5 == 4) static_cast<void>(house.apply_all());
      if (round % 7 == 6) static_cast<void>(house.checkpoint());
    }
  }

  // Each key shows its newest round; only the last told, unanswered round may be there or not.
  void expect_rounds(Warehouse& house, const std::vector<Told>& told) {
    std::map<std::int64_t, std::int64_t> without, with;
    std::int64_t unanswered = -1;
    for (std::size_t i = 0; i < told.size(); ++i) {
      if (told[i].answered) continue;
      const bool answered = i + 1 < told.size() && told[i + 1].answered && told[i + 1].round == told[i].round;
      for (std::int64_t k = 0; k < 20; ++k) {
        const std::int64_t key = (told[i].round * 7 + k) % kKeys;
        with[key] = told[i].round;
        if (answered) without[key] = told[i].round;
      }
      if (!answered) unanswered = told[i].round;
    }
    std::map<std::int64_t, std::int64_t> seen;
    QueryOptions options;
    options.project = "p";
    auto result = house.query("SELECT id, name FROM d.t", options);
    ASSERT_TRUE(result) << result.error().text();
    while (true) {
      auto page = (*result)->next();
      ASSERT_TRUE(page) << page.error().text();
      if (!*page) break;
      for (std::size_t row = 0; row < (*page)->row_count(); ++row) {
        const std::int64_t id = (*page)->columns[0].int64(row);
        ASSERT_EQ(seen.count(id), 0u) << "key " << id << " is seen twice";
        seen[id] = std::stoll(std::string((*page)->columns[1].bytes(row).substr(1)));
      }
    }
    if (unanswered >= 0)
      EXPECT_TRUE(seen == without || seen == with)
          << "round " << unanswered << " is there in part, or an answered round is missing";
    else
      EXPECT_EQ(seen, with);
  }

  base::SystemClock clock_;
  base::Metrics metrics_;
  test::TemporaryFolder folder_;
};

class RecoveryAtFailpoint : public Recovery, public ::testing::WithParamInterface<const char*> {};

TEST_P(RecoveryAtFailpoint, AnsweredRowsAreThereAndAppendsAreWhole) {
  std::vector<Told> told;
  // Three lives: each opens what the kill before it left.
  for (std::int64_t life = 0; life < 3; ++life) {
    const std::int64_t first = 1 + life * 100;
    const auto more = killed(GetParam(), [&](Warehouse& house, const auto& tell) { write_rounds(house, first, tell); });
    ASSERT_FALSE(more.empty());
    auto house = open();
    ASSERT_TRUE(house);
    // An append without an answer is repeated, as the sender does.
    told.insert(told.end(), more.begin(), more.end());
    expect_rounds(*house, told);
    if (HasFailure()) return;
    if (!told.back().answered) {
      const std::int64_t round = told.back().round;
      std::vector<Row> rows;
      for (std::int64_t k = 0; k < 20; ++k)
        rows.push_back({(round * 7 + k) % kKeys, "r" + std::to_string(round), static_cast<std::uint64_t>(round)});
      const auto encoded = test::encode(test::simple_schema(true), rows, data::ChangeKind::kUpsert, true);
      auto session = house->open_append({"p", "d", "t"}, encoded.descriptor);
      ASSERT_TRUE(session);
      ASSERT_TRUE(test::append_and_wait(**session, encoded.rows));
      told.push_back({round, true});
      expect_rounds(*house, told);
    }
    ASSERT_TRUE(house->apply_all());
    expect_rounds(*house, told);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Places, RecoveryAtFailpoint,
                         ::testing::Values("warehouse.commit.before=kill@13", "warehouse.commit.after=kill@13",
                                           "warehouse.apply.inside=kill@4", "warehouse.apply.after=kill@4",
                                           "warehouse.checkpoint.inside=kill@3"));

TEST_F(Recovery, AKillAtAnyTimeLosesNothing) {
  std::mt19937 random(20'260'101);
  std::vector<Told> told;
  for (std::int64_t life = 0; life < 6; ++life) {
    const auto more = killed(
        "", [&](Warehouse& house, const auto& tell) { write_rounds(house, 1 + life * 100, tell); },
        2 + static_cast<int>(random() % 80));
    told.insert(told.end(), more.begin(), more.end());
    auto house = open();
    ASSERT_TRUE(house);
    expect_rounds(*house, told);
    if (HasFailure()) return;
    // Whatever the last life left unanswered is decided now: read back which it was.
    if (!told.back().answered) {
      QueryOptions options;
      options.project = "p";
      auto result =
          house->query("SELECT COUNT(*) FROM d.t WHERE name = 'r" + std::to_string(told.back().round) + "'", options);
      ASSERT_TRUE(result);
      auto page = (*result)->next();
      ASSERT_TRUE(page && *page);
      if ((*page)->columns[0].int64(0) != 0)
        told.push_back({told.back().round, true});
      else
        told.pop_back();
    }
  }
}

// -- Write streams. A sender that writes numbered rows at offsets, is killed, and goes on with what it knows: the offset
// that was answered last. Whatever happened to the last request, no row is missing and none is there twice.

constexpr const char* kStreamTable = "streamed";
constexpr std::int64_t kStreamRows = 7;  // in each append

data::TablePath streamed() { return {"p", "d", kStreamTable}; }

test::Encoded numbered(std::int64_t first) {
  std::vector<Row> rows;
  for (std::int64_t id = first; id < first + kStreamRows; ++id) rows.push_back({id, "x", 0});
  return test::encode(test::simple_schema(false), rows, data::ChangeKind::kUpsert, false);
}

class StreamRecovery : public Recovery {
 protected:
  static void make_streamed(Warehouse& house) {
    CHECK(house.create_dataset({{"p", "d"}}).has_value());
    TableInfo info;
    info.path = streamed();
    info.schema = test::simple_schema(false);
    CHECK(house.create_table(info).has_value());
  }
  static std::string make_stream(Warehouse& house, StreamKind kind) {
    const auto made = house.create_stream(streamed(), kind);
    CHECK(made.has_value());
    return made->path.id;
  }
  // Appends from `offset` on, several in flight; tells each answered end.
  static void append_on(Warehouse& house, const std::string& id, std::int64_t offset, int count,
                        const std::function<void(Told)>& tell) {
    auto session = house.open_stream_append({streamed(), id}, numbered(0).descriptor);
    CHECK(session.has_value());
    for (int i = 0; i < count; i += 4) {
      std::vector<std::future<AppendOutcome>> answers;
      for (int k = 0; k < 4; ++k) {
        const std::int64_t at = offset + (i + k) * kStreamRows;
        auto answered = std::make_shared<std::promise<AppendOutcome>>();
        answers.push_back(answered->get_future());
        const auto rows = numbered(at).rows;
        (*session)->append(
            *rows, rows, at, [answered](AppendOutcome outcome) { answered->set_value(std::move(outcome)); },
            base::Deadline::never());
      }
      for (int k = 0; k < 4; ++k) {
        const AppendOutcome outcome = answers[static_cast<std::size_t>(k)].get();
        CHECK(outcome.status || outcome.status.error().cause() == "OFFSET_ALREADY_EXISTS");
        tell({offset + (i + k + 1) * kStreamRows, true});
      }
      if (i % 16 == 12) static_cast<void>(house.checkpoint());
    }
  }
  // Sends everything before `rows` again; what is there already says so.
  static void repeat(Warehouse& house, const std::string& id, std::int64_t rows) {
    auto session = house.open_stream_append({streamed(), id}, numbered(0).descriptor);
    ASSERT_TRUE(session);
    const std::int64_t there = house.stream({streamed(), id})->row_count;
    for (std::int64_t at = 0; at < rows; at += kStreamRows) {
      auto answered = std::make_shared<std::promise<AppendOutcome>>();
      auto answer = answered->get_future();
      const auto encoded = numbered(at).rows;
      (*session)->append(
          *encoded, encoded, at, [answered](AppendOutcome outcome) { answered->set_value(std::move(outcome)); },
          base::Deadline::never());
      const AppendOutcome outcome = answer.get();
      if (at < there)
        EXPECT_EQ(outcome.status.error().cause(), "OFFSET_ALREADY_EXISTS");
      else
        EXPECT_TRUE(outcome.status);
    }
  }
  static std::int64_t count(Warehouse& house, const char* what) {
    QueryOptions options;
    options.project = "p";
    auto result = house.query(std::string("SELECT ") + what + " FROM d." + kStreamTable, options);
    CHECK(result.has_value());
    const auto page = (*result)->next();
    CHECK(page && *page);
    return (*page)->columns[0].int64(0);
  }
};

class StreamRecoveryAt : public StreamRecovery, public ::testing::WithParamInterface<const char*> {};

TEST_P(StreamRecoveryAt, RowsAndOffsetsAreThereTogether) {
  std::string id;
  {
    auto house = open();
    ASSERT_TRUE(house);
    make_streamed(*house);
    id = make_stream(*house, StreamKind::kCommitted);
  }
  std::int64_t answered = 0;
  for (int life = 0; life < 3; ++life) {
    const auto told =
        killed(GetParam(), [&](Warehouse& house, const auto& tell) { append_on(house, id, answered, 400, tell); });
    if (!told.empty()) answered = told.back().round;
    auto house = open();
    ASSERT_TRUE(house);
    const std::int64_t rows = house->stream({streamed(), id})->row_count;
    EXPECT_GE(rows, answered);
    EXPECT_EQ(rows % kStreamRows, 0) << "an append is there in part";
    EXPECT_EQ(count(*house, "COUNT(*)"), rows) << "rows and offset disagree";
    EXPECT_EQ(count(*house, "COUNT(DISTINCT id)"), rows);
    repeat(*house, id, answered + 8 * kStreamRows);
    EXPECT_EQ(count(*house, "COUNT(*)"), count(*house, "MAX(id)") + 1);
    EXPECT_EQ(count(*house, "COUNT(DISTINCT id)"), count(*house, "COUNT(*)"));
    answered += 8 * kStreamRows;
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Places, StreamRecoveryAt,
                         ::testing::Values("warehouse.commit.before=kill@9", "warehouse.commit.after=kill@9",
                                           "warehouse.checkpoint.inside=kill@2"));

class StreamCommitAt : public StreamRecovery, public ::testing::WithParamInterface<const char*> {};

TEST_P(StreamCommitAt, PendingStreamsAreSeenAllOrNotAtAll) {
  std::vector<std::string> ids;
  {
    auto house = open();
    ASSERT_TRUE(house);
    make_streamed(*house);
    for (std::int64_t i = 0; i < 3; ++i) {
      ids.push_back(make_stream(*house, StreamKind::kPending));
      const auto encoded = numbered(i * kStreamRows);
      auto session = house->open_stream_append({streamed(), ids.back()}, encoded.descriptor);
      ASSERT_TRUE(session);
      ASSERT_TRUE(test::append_and_wait(**session, encoded.rows));
      ASSERT_TRUE(house->finalize_stream({streamed(), ids.back()}));
    }
  }
  killed(GetParam(), [&](Warehouse& house, const auto&) { static_cast<void>(house.commit_streams(streamed(), ids)); });
  auto house = open();
  ASSERT_TRUE(house);
  const std::int64_t seen = count(*house, "COUNT(*)");
  const auto again = house->commit_streams(streamed(), ids);
  ASSERT_TRUE(again);
  if (seen == 0) {
    EXPECT_TRUE(again->refused.empty());
  } else {
    EXPECT_EQ(seen, 3 * kStreamRows);
    ASSERT_EQ(again->refused.size(), 3u);
    EXPECT_EQ(again->refused[0].second.cause(), "STREAM_ALREADY_COMMITTED");
  }
  EXPECT_EQ(count(*house, "COUNT(*)"), 3 * kStreamRows);
  EXPECT_EQ(count(*house, "COUNT(DISTINCT id)"), 3 * kStreamRows);
}

INSTANTIATE_TEST_SUITE_P(Places, StreamCommitAt,
                         ::testing::Values("warehouse.stream_commit.before=kill@1",
                                           "warehouse.stream_commit.after=kill@1"));

TEST_F(StreamRecovery, AFlushIsWholeOrAbsent) {
  std::string id;
  {
    auto house = open();
    ASSERT_TRUE(house);
    make_streamed(*house);
    id = make_stream(*house, StreamKind::kBuffered);
    const auto encoded = numbered(0);
    auto session = house->open_stream_append({streamed(), id}, encoded.descriptor);
    ASSERT_TRUE(session);
    ASSERT_TRUE(test::append_and_wait(**session, encoded.rows));
  }
  killed("warehouse.stream_flush.before=kill@2", [&](Warehouse& house, const auto&) {
    CHECK(house.flush_stream({streamed(), id}, 1).has_value());
    static_cast<void>(house.flush_stream({streamed(), id}, 4));
  });
  auto house = open();
  ASSERT_TRUE(house);
  EXPECT_EQ(count(*house, "COUNT(*)"), 2);
  EXPECT_TRUE(house->flush_stream({streamed(), id}, kStreamRows - 1));
  EXPECT_EQ(count(*house, "COUNT(DISTINCT id)"), kStreamRows);
}

TEST_F(Recovery, AFirstLoadThatIsKilledAndRepeatedHasEveryRowOnce) {
  const auto load = [](Warehouse& house, const std::function<void(Told)>& tell) {
    make_table(house);
    std::vector<Row> rows;
    for (std::int64_t id = 0; id < kLoadRows; ++id) rows.push_back({id, "r1", 5});
    const auto encoded = test::encode(test::simple_schema(true), rows, data::ChangeKind::kUpsert, true);
    auto session = house.open_append({"p", "d", "t"}, encoded.descriptor);
    CHECK(session.has_value());
    tell({1, false});
    if (test::append_and_wait(**session, encoded.rows)) tell({1, true});
  };
  // The first commit holds one row group, the rest of the same append the second.
  const auto first = killed("warehouse.commit.after=kill@1", load);
  EXPECT_EQ(first.size(), 1u);
  {
    auto house = open();
    ASSERT_TRUE(house);
    load(*house, [](Told) {});
    QueryOptions options;
    options.project = "p";
    auto result = house->query("SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM d.t", options);
    ASSERT_TRUE(result) << result.error().text();
    auto page = (*result)->next();
    ASSERT_TRUE(page && *page);
    EXPECT_EQ((*page)->columns[0].int64(0), kLoadRows);
    EXPECT_EQ((*page)->columns[1].int64(0), kLoadRows);
    EXPECT_EQ((*page)->columns[2].int64(0), kLoadRows - 1);
  }
  auto house = open();
  ASSERT_TRUE(house);
  EXPECT_EQ(house->usage({"p", "d", "t"})->row_count, kLoadRows);
}

}  // namespace
}  // namespace flytt::warehouse
