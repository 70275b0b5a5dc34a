// Rows of a PENDING stream: all of them at once, or none.

#include "bigquery/staged_write.h"

#include <gtest/gtest.h>

#include <set>

#include "bigquery/internal/scripted_peer.h"
#include "bigquery/storage_channel.h"

namespace flytt::bigquery {
namespace {

using data::Type;
using data::TypeKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = PeerStep::Kind;

class StagedWriteTest : public testing::Test {
 protected:
  StagedWriteTest() {
    options.backoff_min = milliseconds(1);
    options.backoff_max = milliseconds(4);
    options.request_bytes = 60;  // several requests of a few rows
    schema->source_table = "the query";
    schema->destination = {"p", "d", "t"};
    schema->table.fields = {{"id", Type(TypeKind::kInt64), false, ""}, {"name", Type(TypeKind::kString), false, ""}};
  }
  void begin() {
    auto made = StagedWrite::begin({*make_storage_channel(peer.address()), *credentials, clock, random, metrics},
                                   streams, {"p", "d", "t"}, options);
    ASSERT_TRUE(made) << made.error().text();
    staged = std::move(*made);
  }
  data::TableSlice rows(std::int64_t from, std::int64_t count) {
    data::TableSlice out(schema);
    for (std::int64_t id = from; id < from + count; ++id) {
      out.columns[0].append_int64(id);
      out.columns[1].append_bytes("x");
    }
    return out;
  }
  Status write(std::int64_t from, std::int64_t count) {
    data::TableSlice slice = rows(from, count);
    return staged->write(slice, soon());
  }
  base::Deadline soon() { return clock.in(seconds(20)); }
  static PeerStep close(int code, const char* message) {
    return {Kind::kClose, {code, message, wire::StorageCode::kNone, ""}, {}};
  }

  base::SystemClock clock;
  base::SeededRandom random{1};
  base::Metrics metrics;
  std::unique_ptr<Credentials> credentials = no_credentials();
  StorageWriteOptions options;
  ScriptedPeer peer;
  WriteStreams streams{{*make_storage_channel(peer.address()), *credentials, clock, random}};
  std::shared_ptr<data::SliceSchema> schema = std::make_shared<data::SliceSchema>();
  std::unique_ptr<StagedWrite> staged;
};

TEST_F(StagedWriteTest, RowsAreSeenWhenAllAreThere) {
  begin();
  EXPECT_EQ(staged->stream(), "projects/p/datasets/d/tables/t/streams/s0") << "it has its name before the first row";
  ASSERT_TRUE(write(0, 20));
  ASSERT_TRUE(write(20, 7));
  EXPECT_FALSE(peer.is_committed(staged->stream()));
  const auto done = staged->finish(soon());
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(*done, 27);
  EXPECT_TRUE(peer.is_committed(staged->stream()));
  EXPECT_EQ(peer.rows_of(staged->stream()).size(), 27U);
  for (const SeenRequest& request : peer.seen()) EXPECT_TRUE(request.offset.has_value());
  EXPECT_GT(peer.seen().size(), 3U);
  EXPECT_EQ(*staged->finish(soon()), 27) << "it may be asked for again";
}

TEST_F(StagedWriteTest, NoRowsAreAnAnswerToo) {
  begin();
  EXPECT_EQ(*staged->finish(soon()), 0);
  EXPECT_TRUE(peer.is_committed(staged->stream()));
}

TEST_F(StagedWriteTest, LostAnswersRepeatNothing) {
  begin();
  peer.script("t", {{}, close(14, "gone"), {}, close(14, "gone again")});
  ASSERT_TRUE(write(0, 40));
  ASSERT_TRUE(staged->finish(soon()));
  const auto there = peer.rows_of(staged->stream());
  EXPECT_EQ(there.size(), 40U);
  EXPECT_EQ(std::set<std::string>(there.begin(), there.end()).size(), 40U);
}

TEST_F(StagedWriteTest, AnEndWhoseAnswersAreLostIsRepeated) {
  begin();
  ASSERT_TRUE(write(0, 4));
  peer.fail_calls({{14, "gone", wire::StorageCode::kNone, ""}});
  EXPECT_EQ(*staged->finish(soon()), 4);
  peer.fail_calls({{14, "gone", wire::StorageCode::kNone, ""}, {14, "gone", wire::StorageCode::kNone, ""}});
  EXPECT_EQ(*staged->finish(soon()), 4) << "committed before";
}

TEST_F(StagedWriteTest, ARefusedRowFailsTheRunWithItsReason) {
  begin();
  peer.script("t", {{}, {Kind::kRefuseRows, {}, {{1, "Field name: too long"}}}});
  ASSERT_TRUE(write(0, 20));
  const auto done = staged->finish(soon());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kBadData);
  EXPECT_NE(done.error().sentence().find("Field name: too long"), std::string::npos) << done.error().text();
  EXPECT_NE(done.error().sentence().find("table p.d.t"), std::string::npos);
  EXPECT_EQ(staged->finish(soon()).error().sentence(), done.error().sentence());
  EXPECT_EQ(write(20, 1).error().sentence(), done.error().sentence());
  EXPECT_FALSE(peer.is_committed(staged->stream()));
}

TEST_F(StagedWriteTest, AValueThatCannotBeConvertedFailsTheRun) {
  begin();
  data::TableSlice slice = rows(0, 2);
  data::Rejection rejection;
  rejection.column = "name";
  rejection.reason = "it is no UTF-8 text";
  rejection.raw = "secret";
  slice.rejections.push_back(rejection);
  const Status written = staged->write(slice, soon());
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().sentence(), "a row cannot be written to column name of table p.d.t: it is no UTF-8 text");
  EXPECT_EQ(written.error().text().find("secret"), std::string::npos);
  EXPECT_FALSE(staged->finish(soon()));
  EXPECT_FALSE(peer.is_committed(staged->stream()));
}

TEST_F(StagedWriteTest, AStreamThatSomebodyEndedIsAnError) {
  begin();
  ASSERT_TRUE(write(0, 2));
  ASSERT_TRUE(peer.wait_for_requests(1));
  peer.finalize(staged->stream());
  static_cast<void>(write(2, 2));
  const auto done = staged->finish(soon());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kConflict) << done.error().text();
  EXPECT_FALSE(peer.is_committed(staged->stream()));
}

TEST_F(StagedWriteTest, ATableThatCannotBeWrittenIsNamed) {
  begin();
  peer.script("t", {close(7, "Permission denied")});
  static_cast<void>(write(0, 2));
  const auto done = staged->finish(soon());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kAuth);
}

TEST_F(StagedWriteTest, AFullWindowLeavesTheSliceWithTheCaller) {
  options.window_bytes = 1;
  begin();
  peer.script("t", {{Kind::kHold, {}, {}}});
  ASSERT_TRUE(write(0, 2));
  data::TableSlice slice = rows(2, 3);
  const Status full = staged->write(slice, clock.in(milliseconds(5)));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(slice.row_count(), 3U);
  EXPECT_EQ(staged->finish(clock.in(milliseconds(5))).error().code(), ErrorCode::kTimeout);
  peer.release();
  ASSERT_TRUE(staged->write(slice, soon()));
  EXPECT_EQ(*staged->finish(soon()), 5);
}

}  // namespace
}  // namespace flytt::bigquery
