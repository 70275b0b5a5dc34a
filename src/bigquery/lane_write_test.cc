// Rows of lanes in COMMITTED streams: each once, whatever is lost on the way.

#include <gtest/gtest.h>

#include "bigquery/internal/scripted_peer.h"
#include "bigquery/storage_channel.h"
#include "bigquery/storage_write_sink.h"
#include "bigquery/write_streams.h"

namespace flytt::bigquery {
namespace {

using data::Type;
using data::TypeKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = PeerStep::Kind;

std::shared_ptr<const data::SliceSchema> event(bool with_more = false) {
  auto schema = std::make_shared<data::SliceSchema>();
  schema->source_table = "events";
  schema->destination = {"p", "d", "t"};
  schema->table.fields = {{"value", Type(TypeKind::kString), false, ""},
                          {"_kafka_topic", Type(TypeKind::kString), true, ""},
                          {"_kafka_partition", Type(TypeKind::kInt64), true, ""},
                          {"_kafka_offset", Type(TypeKind::kInt64), true, ""}};
  if (with_more) schema->table.fields.push_back({"more", Type(TypeKind::kInt64), false, ""});
  return schema;
}

data::TableSlice slice(const std::shared_ptr<const data::SliceSchema>& schema, std::uint32_t lane, std::int64_t from,
                       std::int64_t count) {
  data::TableSlice out(schema);
  out.lane = lane;
  for (std::int64_t offset = from; offset < from + count; ++offset) {
    out.columns[0].append_bytes("x");
    out.columns[1].append_bytes("events");
    out.columns[2].append_int64(lane);
    out.columns[3].append_int64(offset);
    if (out.columns.size() > 4) out.columns[4].append_null();
  }
  out.sequences = {data::Sequence{}};
  return out;
}

class LaneWriteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options.backoff_min = milliseconds(1);
    options.backoff_max = milliseconds(4);
    auto channel = make_storage_channel(peer.address());
    ASSERT_TRUE(channel);
    streams = std::make_unique<WriteStreams>(WriteStreams::Parts{*channel, *credentials, clock, random});
    begin();
  }
  void begin() {
    sink =
        StorageWriteSink::make({*make_storage_channel(peer.address()), *credentials, clock, random, metrics}, options);
  }
  std::string open(std::uint32_t lane) {
    auto made = streams->create({"p", "d", "t"}, WriteStreamKind::kCommitted);
    EXPECT_TRUE(made) << made.error().text();
    sink->open_lane(lane, {"p", "d", "t"}, made->name);
    return made->name;
  }
  base::Deadline soon() { return clock.in(seconds(20)); }
  void submit(std::uint64_t sequence, std::vector<data::TableSlice> slices) {
    flow::Batch batch;
    batch.sequence = flow::BatchSequence(sequence);
    batch.tables = std::move(slices);
    const Status taken = sink->submit(batch, soon());
    ASSERT_TRUE(taken) << taken.error().text();
  }
  // Until so many receipts came; refused rows are resolved on the way.
  void settle(std::size_t count) {
    while (receipts < count) {
      auto more = sink->collect(soon());
      ASSERT_TRUE(more) << more.error().text();
      for (RefusedRow& row : sink->take_refused()) {
        refused.push_back(row.rejection);
        sink->resolve(row.batch);
      }
      receipts += more->size();
    }
  }
  base::SystemClock clock;
  base::SeededRandom random{1};
  base::Metrics metrics;
  std::unique_ptr<Credentials> credentials = no_credentials();
  StorageWriteOptions options;
  ScriptedPeer peer;
  std::unique_ptr<WriteStreams> streams;
  std::unique_ptr<StorageWriteSink> sink;
  std::size_t receipts = 0;
  std::vector<data::Rejection> refused;
};

TEST_F(LaneWriteTest, RowsStandAtCountedOffsetsOfTheirOwnStream) {
  const std::string first = open(1), second = open(2);
  submit(0, {slice(event(), 1, 100, 3), slice(event(), 2, 7, 2)});
  submit(1, {slice(event(), 1, 200, 4)});
  settle(2);
  EXPECT_EQ(peer.rows_of(first).size(), 7U);
  EXPECT_EQ(peer.rows_of(second).size(), 2U);
  for (const SeenRequest& request : peer.seen()) EXPECT_TRUE(request.offset.has_value());
}

TEST_F(LaneWriteTest, OtherTablesKeepTheirDefaultStream) {
  const std::string stream = open(0);
  auto other = std::make_shared<data::SliceSchema>(*event());
  other->destination.table = "other";
  submit(0, {slice(event(), 0, 0, 2), slice(other, 0, 0, 3)});
  settle(1);
  EXPECT_EQ(peer.rows_of(stream).size(), 2U);
  for (const SeenRequest& request : peer.seen()) {
    EXPECT_EQ(request.offset.has_value(), request.table == "t");
    if (request.table == "other") {
      EXPECT_EQ(request.stream, "projects/p/datasets/d/tables/other/streams/_default");
    }
  }
}

TEST_F(LaneWriteTest, ALostAnswerIsAskedForAgainAndAlreadyThere) {
  options.request_bytes = 60;  // several requests of a few rows
  begin();
  const std::string stream = open(1);
  peer.script("t", {{}, {Kind::kClose, {14, "gone", wire::StorageCode::kNone, ""}, {}}});
  submit(0, {slice(event(), 1, 0, 20)});
  settle(1);
  const auto rows = peer.rows_of(stream);
  EXPECT_EQ(rows.size(), 20U);
  EXPECT_EQ(std::set<std::string>(rows.begin(), rows.end()).size(), 20U) << "a row is there twice";
}

TEST_F(LaneWriteTest, RefusedRowsAreTakenOutAndThoseBehindMoveUp) {
  options.request_bytes = 60;
  begin();
  const std::string stream = open(1);
  peer.script("t", {{}, {Kind::kRefuseRows, {}, {{0, "Field value: too long"}}}});
  submit(3, {slice(event(), 1, 0, 20)});
  settle(1);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].position.rfind("events/1/", 0), 0U) << refused[0].position;
  EXPECT_EQ(refused[0].reason, "the destination refuses the row: Field value: too long");
  const auto rows = peer.rows_of(stream);
  EXPECT_EQ(std::set<std::string>(rows.begin(), rows.end()).size(), 19U);
  EXPECT_EQ(rows.size(), 19U);
}

TEST_F(LaneWriteTest, ARequestWithoutAGoodRowIsPassedOver) {
  const std::string stream = open(1);
  peer.script("t", {{Kind::kRefuseRows, {}, {{0, "a"}, {1, "b"}}}});
  submit(0, {slice(event(), 1, 0, 2)});
  settle(1);
  submit(1, {slice(event(), 1, 2, 2)});
  settle(2);
  EXPECT_EQ(refused.size(), 2U);
  EXPECT_EQ(peer.rows_of(stream).size(), 2U);
}

TEST_F(LaneWriteTest, NothingIsNumberedAnewWhileALostConnectionMayStillDeliver) {
  const std::string stream = open(1);
  peer.script("t", {{Kind::kFail, {14, "away", wire::StorageCode::kNone, ""}, {}},
                    {Kind::kRefuseRows, {}, {{0, "Field value: too long"}}}});
  submit(0, {slice(event(), 1, 0, 2)});
  const auto end = sink->collect(soon());
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(end.error().retry(), base::Retry::kAfterBackoff);
}

TEST_F(LaneWriteTest, AFinalStreamLosesItsLaneAndNobodyElses) {
  const std::string lost = open(1), kept = open(2);
  peer.finalize(lost);
  submit(0, {slice(event(), 1, 0, 2)});
  submit(1, {slice(event(), 2, 0, 2)});
  settle(2);
  const auto reported = sink->take_lost();
  ASSERT_EQ(reported.size(), 1U);
  EXPECT_EQ(reported[0].lane, 1U);
  submit(2, {slice(event(), 1, 2, 2), slice(event(), 2, 2, 2)});
  settle(3);
  EXPECT_EQ(peer.rows_of(lost).size(), 0U);
  EXPECT_EQ(peer.rows_of(kept).size(), 4U);
  const std::string anew = open(1);
  submit(3, {slice(event(), 1, 0, 4)});
  settle(4);
  EXPECT_EQ(peer.rows_of(anew).size(), 4U);
}

TEST_F(LaneWriteTest, RowsOfAClosedLaneThatStillComeAreNotWritten) {
  const std::string stream = open(1);
  submit(0, {slice(event(), 1, 0, 2)});
  settle(1);
  sink->close_lane(1);
  auto other = std::make_shared<data::SliceSchema>(*event());
  other->destination.table = "other";
  submit(1, {slice(event(), 1, 2, 3), slice(other, 1, 0, 1)});  // prepared before the lane was taken away
  settle(2);
  EXPECT_EQ(peer.rows_of(stream).size(), 2U);
  for (const SeenRequest& request : peer.seen())
    EXPECT_TRUE(request.table == "other" || request.stream == stream) << request.stream << " has got its rows";
}

TEST_F(LaneWriteTest, ManyLanesAreSpreadOverConnections) {
  std::vector<data::TableSlice> slices;
  for (std::uint32_t lane = 0; lane < 2 * kCallsPerConnectionMax + 5; ++lane) {
    open(lane);
    slices.push_back(slice(event(), lane, 0, 1));
  }
  submit(0, std::move(slices));
  settle(1);
  EXPECT_EQ(peer.peers().size(), 3U);
}

TEST_F(LaneWriteTest, AStreamThatForgotItsRowsIsNamed) {
  open(1);
  peer.script("t", {{Kind::kFail, {11, "beyond", wire::StorageCode::kOffsetOutOfRange, ""}, {}}});
  submit(0, {slice(event(), 1, 0, 2)});
  const auto end = sink->collect(soon());
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(end.error().text().find("streams/s0"), std::string::npos);
}

TEST_F(LaneWriteTest, ANewShapeKeepsCounting) {
  const std::string stream = open(1);
  submit(0, {slice(event(), 1, 0, 2)});
  submit(1, {slice(event(true), 1, 2, 2)});
  submit(2, {slice(event(), 1, 4, 2)});
  settle(3);
  EXPECT_EQ(peer.rows_of(stream).size(), 6U);
}

TEST_F(LaneWriteTest, AFailedTableIsReportedOnceAndItsLanesAreDropped) {
  open(1);
  open(2);
  const wire::AppendFailure denied{7, "Permission denied", wire::StorageCode::kNone, ""};
  peer.script("t", {{Kind::kClose, denied, {}}, {Kind::kClose, denied, {}}});
  submit(0, {slice(event(), 1, 0, 2), slice(event(), 2, 0, 2)});
  std::vector<TableFailure> failures;
  while (failures.empty()) {
    ASSERT_TRUE(sink->collect(soon()));
    failures = sink->take_failures();
  }
  EXPECT_EQ(failures.size(), 1U);
  sink->drop_table({"p", "d", "t"});
  settle(1);
  EXPECT_TRUE(sink->take_failures().empty());
}

}  // namespace
}  // namespace flytt::bigquery
