// What write streams promise: offsets, visibility, and that both survive a restart.

#include "warehouse/write_streams.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "warehouse/internal/test_support.h"
#include "warehouse/limits.h"

namespace flytt::warehouse {
namespace {

using test::Row;

class WriteStreams : public test::Fixture {
 protected:
  void SetUp() override {
    Fixture::SetUp();
    make_plain("t");
  }
  StreamPath make(StreamKind kind, const std::string& table = "t") {
    auto made = warehouse().create_stream(path(table), kind);
    EXPECT_TRUE(made) << (made ? "" : made.error().text());
    return made ? made->path : StreamPath{};
  }
  std::unique_ptr<AppendSession> open_stream(const StreamPath& stream) {
    const auto info = warehouse().table(stream.table);
    CHECK(info.has_value());
    auto opened = warehouse().open_stream_append(
        stream, test::encode(info->schema, {}, data::ChangeKind::kUpsert, false).descriptor);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().text());
    return opened ? std::move(*opened) : nullptr;
  }
  std::future<AppendOutcome> send(AppendSession& session, const std::vector<Row>& rows,
                                  std::optional<std::int64_t> offset) {
    auto answered = std::make_shared<std::promise<AppendOutcome>>();
    auto answer = answered->get_future();
    const auto encoded = test::encode(test::simple_schema(false), rows, data::ChangeKind::kUpsert, false).rows;
    session.append(
        *encoded, encoded, offset, [answered](AppendOutcome outcome) { answered->set_value(std::move(outcome)); },
        base::Deadline::never());
    return answer;
  }
  // The offset of the answer, or the reason of the refusal.
  std::string append(AppendSession& session, const std::vector<Row>& rows, std::optional<std::int64_t> offset) {
    AppendOutcome outcome = send(session, rows, offset).get();
    if (!outcome.status) return outcome.status.error().cause();
    return outcome.offset ? std::to_string(*outcome.offset) : "no offset";
  }
  std::string append(const StreamPath& stream, const std::vector<Row>& rows, std::optional<std::int64_t> offset) {
    auto session = open_stream(stream);
    return session ? append(*session, rows, offset) : "not open";
  }
  std::string ids() { return rows("SELECT id FROM d.t ORDER BY id"); }
  static std::vector<Row> numbered(std::int64_t first, std::int64_t count) {
    std::vector<Row> rows;
    for (std::int64_t id = first; id < first + count; ++id) rows.push_back({id, "n" + std::to_string(id), 0});
    return rows;
  }
  template <typename T>
  static std::string cause(const Result<T>& result) {
    return result ? "done" : result.error().cause();
  }
};

TEST_F(WriteStreams, OffsetsDecideWhatIsTaken) {
  const StreamPath stream = make(StreamKind::kCommitted);
  auto session = open_stream(stream);
  EXPECT_EQ(append(*session, numbered(0, 3), 0), "0");
  EXPECT_EQ(append(*session, numbered(0, 3), 0), "OFFSET_ALREADY_EXISTS");
  EXPECT_EQ(append(*session, numbered(9, 1), 4), "OFFSET_OUT_OF_RANGE");
  EXPECT_EQ(append(*session, numbered(3, 1), 3), "3");
  EXPECT_EQ(append(*session, numbered(4, 2), std::nullopt), "4");
  EXPECT_EQ(append(*session, numbered(4, 2), 5), "OFFSET_ALREADY_EXISTS");
  EXPECT_EQ(append(*session, {}, 6), "6");
  EXPECT_EQ(append(*session, {}, 7), "OFFSET_OUT_OF_RANGE");
  EXPECT_EQ(ids(), "0;1;2;3;4;5;");
  const AppendOutcome late = send(*session, numbered(0, 1), 0).get();
  EXPECT_EQ(late.status.error().sentence(), "The offset is within stream, expected offset 6, received 0");
}

// Time stands still, so nothing is committed because it has waited for long.
TEST(WriteStreamsInBulk, SmallAppendsOfALoadWaitWithIt) {
  class StandingClock final : public base::Clock {
   public:
    base::SteadyTime steady() const override { return now_; }
    std::int64_t wall_micros() const override { return base::SystemClock().wall_micros(); }

   private:
    const base::SteadyTime now_ = base::SystemClock().steady();
  } clock;
  base::Metrics metrics;
  const test::TemporaryFolder folder;
  WarehouseOptions options;
  options.folder = folder.path();
  options.project = "p";
  options.maintenance = false;
  auto house = Warehouse::open(options, clock, metrics).value();
  ASSERT_TRUE(house->create_dataset({{"p", "d"}}));
  TableInfo info;
  info.path = {"p", "d", "t"};
  info.schema = test::simple_schema(false);
  ASSERT_TRUE(house->create_table(info));
  const StreamPath stream = house->create_stream(info.path, StreamKind::kCommitted)->path;
  const auto descriptor = test::encode(info.schema, {}, data::ChangeKind::kUpsert, false).descriptor;
  auto session = house->open_stream_append(stream, descriptor).value();
  const base::Metric& commits = metrics.counter("flytt_warehouse_commits_total");
  const std::int64_t before = commits;
  std::atomic<int> stored{0};
  std::int64_t next = 0;
  for (int i = 0; i < 20; ++i)
    for (const std::int64_t count : {std::int64_t{3'000}, std::int64_t{5}}) {
      std::vector<Row> rows;
      for (std::int64_t n = 0; n < count; ++n) rows.push_back({next + n, "n", 0});
      const auto encoded = test::encode(info.schema, rows, data::ChangeKind::kUpsert, false).rows;
      session->append(
          *encoded, encoded, next, [&stored](AppendOutcome outcome) { stored += outcome.status.has_value(); },
          base::Deadline::never());
      next += count;
    }
  ASSERT_TRUE(house->finalize_stream(stream));  // what was appended before is stored first
  EXPECT_EQ(stored, 40);
  EXPECT_EQ(commits - before, 1);
}

TEST_F(WriteStreams, PipelinedAppendsCountOnThoseBeforeThem) {
  auto session = open_stream(make(StreamKind::kCommitted));
  std::vector<std::future<AppendOutcome>> answers;
  // Small ones, and some that are large enough to wait for a row group: the order holds all the same.
  std::int64_t next = 0;
  for (int i = 0; i < 300; ++i) {
    const std::int64_t count = i % 50 == 17 ? 3'000 : 5;
    answers.push_back(send(*session, numbered(next, count), next));
    next += count;
  }
  for (auto& answer : answers) {
    const AppendOutcome outcome = answer.get();
    ASSERT_TRUE(outcome.status) << outcome.status.error().text();
  }
  EXPECT_EQ(rows("SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM d.t"),
            std::to_string(next) + "," + std::to_string(next) + "," + std::to_string(next - 1) + ";");
}

TEST_F(WriteStreams, AGapStopsEverythingBehindIt) {
  auto session = open_stream(make(StreamKind::kCommitted));
  std::vector<std::future<AppendOutcome>> answers;
  answers.push_back(send(*session, numbered(0, 2), 0));
  answers.push_back(send(*session, numbered(9, 1), 3));
  answers.push_back(send(*session, numbered(8, 1), 4));
  EXPECT_TRUE(answers[0].get().status);
  EXPECT_EQ(answers[1].get().status.error().cause(), "OFFSET_OUT_OF_RANGE");
  EXPECT_EQ(answers[2].get().status.error().cause(), "OFFSET_OUT_OF_RANGE");
  EXPECT_EQ(ids(), "0;1;");
}

TEST_F(WriteStreams, OffsetsSurviveARestart) {
  const StreamPath stream = make(StreamKind::kCommitted);
  EXPECT_EQ(append(stream, numbered(0, 3), 0), "0");
  for (int life = 0; life < 2; ++life) {
    reopen();
    EXPECT_EQ(append(stream, numbered(0, 3), 0), "OFFSET_ALREADY_EXISTS");
    EXPECT_EQ(append(stream, numbered(9, 1), 9), "OFFSET_OUT_OF_RANGE");
  }
  EXPECT_EQ(append(stream, numbered(3, 1), 3), "3");
  EXPECT_EQ(ids(), "0;1;2;3;");
  const auto described = warehouse().stream(stream);
  ASSERT_TRUE(described);
  EXPECT_EQ(described->row_count, 4);
  EXPECT_EQ(described->kind, StreamKind::kCommitted);
  EXPECT_EQ(described->path.id, stream.id);
}

TEST_F(WriteStreams, OffsetsSurviveWhenTheirEndsAreFolded) {
  const StreamPath quiet = make(StreamKind::kPending);
  EXPECT_EQ(append(quiet, numbered(0, 2), 0), "0");
  constexpr std::size_t kStreams = 64;
  std::vector<StreamPath> streams;
  std::vector<std::unique_ptr<AppendSession>> sessions;
  for (std::size_t i = 0; i < kStreams; ++i) {
    streams.push_back(make(StreamKind::kCommitted));
    sessions.push_back(open_stream(streams.back()));
  }
  // Each round leaves an end of every stream behind.
  const auto rounds = static_cast<std::int64_t>(kStreamEndsMax / kStreams) + 2;
  for (std::int64_t round = 0; round < rounds; ++round) {
    std::vector<std::future<AppendOutcome>> answers;
    for (const auto& session : sessions) answers.push_back(send(*session, numbered(round, 1), round));
    for (auto& answer : answers) ASSERT_TRUE(answer.get().status);
  }
  reopen();
  EXPECT_EQ(warehouse().stream(quiet)->row_count, 2);
  EXPECT_EQ(append(quiet, numbered(2, 1), 2), "2");
  for (const StreamPath& stream : streams) EXPECT_EQ(warehouse().stream(stream)->row_count, rounds);
  EXPECT_EQ(rows("SELECT COUNT(*) FROM d.t"), std::to_string(rounds * static_cast<std::int64_t>(kStreams)) + ";");
}

TEST_F(WriteStreams, AFinalizedStreamTakesNothing) {
  const StreamPath stream = make(StreamKind::kCommitted);
  auto session = open_stream(stream);
  EXPECT_EQ(append(*session, numbered(0, 3), 0), "0");
  EXPECT_EQ(*warehouse().finalize_stream(stream), 3);
  EXPECT_EQ(append(*session, numbered(3, 1), 3), "STREAM_FINALIZED");
  EXPECT_EQ(append(*session, numbered(0, 3), 0), "STREAM_FINALIZED");
  EXPECT_EQ(*warehouse().finalize_stream(stream), 3);
  reopen();
  EXPECT_EQ(append(stream, numbered(3, 1), 3), "STREAM_FINALIZED");
  EXPECT_EQ(ids(), "0;1;2;");
  EXPECT_EQ(*warehouse().finalize_stream(make(StreamKind::kPending)), 0);
}

TEST_F(WriteStreams, PendingRowsAreSeenAllAtOnceAndAfterARestart) {
  const StreamPath one = make(StreamKind::kPending), two = make(StreamKind::kPending);
  EXPECT_EQ(append(one, numbered(0, 2), 0), "0");
  EXPECT_EQ(append(two, numbered(10, 2), std::nullopt), "0");
  EXPECT_EQ(append(one, numbered(0, 2), 0), "OFFSET_ALREADY_EXISTS");
  EXPECT_EQ(ids(), "");
  reopen();
  EXPECT_EQ(append(one, numbered(2, 1), 2), "2");
  EXPECT_EQ(*warehouse().finalize_stream(one), 3);
  const auto early = warehouse().commit_streams(path("t"), {one.id, two.id});
  ASSERT_TRUE(early);
  ASSERT_EQ(early->refused.size(), 1u);
  EXPECT_EQ(early->refused[0].first, two.id);
  EXPECT_EQ(early->refused[0].second.cause(), "INVALID_STREAM_STATE");
  EXPECT_EQ(early->committed_micros, 0);
  EXPECT_EQ(ids(), "");
  EXPECT_TRUE(warehouse().finalize_stream(two));
  reopen();
  const auto done = warehouse().commit_streams(path("t"), {one.id, two.id});
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->refused.empty());
  EXPECT_GT(done->committed_micros, 0);
  EXPECT_EQ(ids(), "0;1;2;10;11;");
  EXPECT_EQ(warehouse().stream(one)->committed_micros, done->committed_micros);
  reopen();
  const auto again = warehouse().commit_streams(path("t"), {one.id});
  ASSERT_TRUE(again);
  ASSERT_EQ(again->refused.size(), 1u);
  EXPECT_EQ(again->refused[0].second.cause(), "STREAM_ALREADY_COMMITTED");
  EXPECT_EQ(append(one, numbered(3, 1), 3), "STREAM_FINALIZED");
  EXPECT_EQ(ids(), "0;1;2;10;11;");
  EXPECT_EQ(warehouse().usage(path("t"))->row_count, 5);
}

TEST_F(WriteStreams, OnlyPendingStreamsOfTheTableAreCommitted) {
  make_plain("u");
  const StreamPath committed = make(StreamKind::kCommitted), other = make(StreamKind::kPending, "u");
  const auto commit = warehouse().commit_streams(path("t"), {committed.id, other.id, "w99-1", "nonsense"});
  ASSERT_TRUE(commit);
  ASSERT_EQ(commit->refused.size(), 4u);
  EXPECT_EQ(commit->refused[0].second.cause(), "INVALID_STREAM_TYPE");
  EXPECT_EQ(commit->refused[0].second.sentence(), "Stream must be created in pending mode, actual: WRITE_OPTIMIZED");
  for (int i = 1; i < 4; ++i)
    EXPECT_EQ(commit->refused[static_cast<std::size_t>(i)].second.cause(), "STREAM_NOT_FOUND");
  EXPECT_FALSE(warehouse().commit_streams(path("t"), {}));
  EXPECT_FALSE(warehouse().commit_streams(path("t"), {committed.id, committed.id}));
}

TEST_F(WriteStreams, BufferedRowsAreSeenUpToTheFlushedOffset) {
  const StreamPath stream = make(StreamKind::kBuffered);
  EXPECT_EQ(cause(warehouse().flush_stream(stream, 0)), "OFFSET_OUT_OF_RANGE");
  EXPECT_EQ(append(stream, numbered(0, 10), 0), "0");
  EXPECT_EQ(ids(), "");
  EXPECT_EQ(*warehouse().flush_stream(stream, 3), 3);
  EXPECT_EQ(ids(), "0;1;2;3;");
  EXPECT_EQ(*warehouse().flush_stream(stream, 1), 1);
  EXPECT_EQ(ids(), "0;1;2;3;");
  EXPECT_EQ(cause(warehouse().flush_stream(stream, 10)), "OFFSET_OUT_OF_RANGE");
  reopen();
  EXPECT_EQ(warehouse().stream(stream)->flushed_rows, 4);
  EXPECT_EQ(append(stream, numbered(10, 1), 10), "10");
  EXPECT_TRUE(warehouse().finalize_stream(stream));
  EXPECT_EQ(*warehouse().flush_stream(stream, 10), 10);
  EXPECT_EQ(ids(), "0;1;2;3;4;5;6;7;8;9;10;");
  EXPECT_EQ(cause(warehouse().flush_stream(make(StreamKind::kPending), 0)), "INVALID_STREAM_TYPE");
}

TEST_F(WriteStreams, ATableThatGrowsTakesItsWaitingRowsAlong) {
  const StreamPath stream = make(StreamKind::kPending);
  auto session = open_stream(stream);
  EXPECT_EQ(append(*session, numbered(0, 1), 0), "0");
  TableChange change;
  change.schema = test::simple_schema(false);
  change.schema->fields.push_back({"extra", data::TypeKind::kInt64, false, ""});
  ASSERT_TRUE(warehouse().update_table(path("t"), change));
  EXPECT_EQ(append(*session, numbered(1, 1), 1), "1");
  EXPECT_TRUE(warehouse().finalize_stream(stream));
  ASSERT_TRUE(warehouse().commit_streams(path("t"), {stream.id}));
  EXPECT_EQ(rows("SELECT id, name, extra FROM d.t ORDER BY id"), "0,n0,NULL;1,n1,NULL;");
}

TEST_F(WriteStreams, ADroppedTableTakesItsStreamsAlong) {
  const StreamPath stream = make(StreamKind::kPending);
  auto session = open_stream(stream);
  EXPECT_EQ(append(*session, numbered(0, 1), 0), "0");
  ASSERT_TRUE(warehouse().delete_table(path("t")));
  EXPECT_EQ(append(*session, numbered(1, 1), 1), "notFound");
  make_plain("t");
  EXPECT_EQ(cause(warehouse().stream(stream)), "STREAM_NOT_FOUND");
  EXPECT_EQ(cause(warehouse().finalize_stream(stream)), "STREAM_NOT_FOUND");
  reopen();
  EXPECT_EQ(cause(warehouse().stream(stream)), "STREAM_NOT_FOUND");
  EXPECT_NE(make(StreamKind::kPending).id, stream.id);
}

TEST_F(WriteStreams, RowsOfAMirrorComeThroughEveryKindOfStream) {
  make_mirror("m");
  for (const StreamKind kind : {StreamKind::kCommitted, StreamKind::kPending, StreamKind::kBuffered}) {
    const StreamPath stream = make(kind, "m");
    const std::int64_t first = 10 * static_cast<std::int64_t>(kind);
    EXPECT_EQ(append(stream, numbered(first, 2), 0), "0");
    if (kind == StreamKind::kBuffered) EXPECT_TRUE(warehouse().flush_stream(stream, 1));
    EXPECT_TRUE(warehouse().finalize_stream(stream));
    if (kind == StreamKind::kPending) EXPECT_TRUE(warehouse().commit_streams(path("m"), {stream.id}));
  }
  EXPECT_EQ(rows("SELECT id FROM d.m ORDER BY id"), "10;11;20;21;30;31;");
  auto changes = open("m");
  ASSERT_TRUE(upsert(*changes, {{20, "newer", 5}}));
  ASSERT_TRUE(warehouse().apply_all());
  EXPECT_EQ(rows("SELECT name FROM d.m WHERE id = 20"), "newer;");
}

TEST_F(WriteStreams, ChangesGoToTheDefaultStreamOnly) {
  make_mirror("m");
  const StreamPath stream = make(StreamKind::kCommitted, "m");
  const auto refused = warehouse().open_stream_append(
      stream, test::encode(test::simple_schema(true), {}, data::ChangeKind::kUpsert, true).descriptor);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kBadData);
}

TEST_F(WriteStreams, UnknownNamesAreToldFromStreamsThatWere) {
  EXPECT_EQ(warehouse().stream({path("t"), "w7-1"}).error().code(), ErrorCode::kNotFound);
  for (const char* id : {"", "x", "w-1", "w1-", "w1", "w1-2x"}) {
    const auto found = warehouse().stream({path("t"), id});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), ErrorCode::kBadData) << id;
    EXPECT_EQ(found.error().sentence(), "Invalid stream name.");
  }
  EXPECT_EQ(cause(warehouse().create_stream(path("none"), StreamKind::kPending)), "notFound");
}

// Days pass when the test says so.
class MovedClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return base::SystemClock().steady(); }
  std::int64_t wall_micros() const override { return base::SystemClock().wall_micros() + moved; }
  std::atomic<std::int64_t> moved{0};
};

TEST(WriteStreamExpiry, AnIdleStreamGoesWithTheRowsThatNobodySaw) {
  test::TemporaryFolder folder;
  MovedClock clock;
  base::Metrics metrics;
  WarehouseOptions options;
  options.folder = folder.path();
  options.project = "p";
  options.maintenance = false;
  auto house = Warehouse::open(options, clock, metrics);
  ASSERT_TRUE(house);
  ASSERT_TRUE((*house)->create_dataset({{"p", "d"}}));
  TableInfo info;
  info.path = {"p", "d", "t"};
  info.schema = test::simple_schema(false);
  ASSERT_TRUE((*house)->create_table(info));
  const auto committed = (*house)->create_stream(info.path, StreamKind::kCommitted);
  const auto pending = (*house)->create_stream(info.path, StreamKind::kPending);
  ASSERT_TRUE(committed && pending);
  const auto encoded = test::encode(info.schema, {{1, "a", 0}}, data::ChangeKind::kUpsert, false);
  auto session = (*house)->open_stream_append(committed->path, encoded.descriptor);
  ASSERT_TRUE(session);

  clock.moved = kCommittedStreamIdleMicros - 60'000'000;
  ASSERT_TRUE(test::append_and_wait(**session, encoded.rows));  // it is used: its days begin anew
  clock.moved = kCommittedStreamIdleMicros + 60'000'000;
  ASSERT_TRUE((*house)->expire_streams());
  EXPECT_TRUE((*house)->stream(committed->path));
  clock.moved = 2 * kCommittedStreamIdleMicros;
  EXPECT_FALSE((*house)->stream(committed->path));
  EXPECT_TRUE((*house)->stream(pending->path));
  ASSERT_TRUE((*house)->expire_streams());
  const Status late = test::append_and_wait(**session, encoded.rows);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().cause(), "STREAM_NOT_FOUND");
  clock.moved = kStagedStreamIdleMicros + 60'000'000;
  ASSERT_TRUE((*house)->expire_streams());
  EXPECT_FALSE((*house)->stream(pending->path));
  house->reset();
  house = Warehouse::open(options, clock, metrics);
  ASSERT_TRUE(house);
  EXPECT_EQ((*house)->usage(info.path)->row_count, 1);
}

}  // namespace
}  // namespace flytt::warehouse
