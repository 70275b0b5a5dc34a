#include "bigquery/write_streams.h"

#include <gtest/gtest.h>

#include "bigquery/internal/scripted_peer.h"
#include "bigquery/storage_channel.h"

namespace flytt::bigquery {
namespace {

const data::TablePath kTable{"p", "d", "t"};
const wire::AppendFailure kAway{14, "away", wire::StorageCode::kNone, ""};

class WriteStreamsTest : public ::testing::Test {
 protected:
  base::SystemClock clock;
  base::SeededRandom random{1};
  std::unique_ptr<Credentials> credentials = no_credentials();
  ScriptedPeer peer;
  WriteStreams streams{{*make_storage_channel(peer.address()), *credentials, clock, random}};
};

TEST_F(WriteStreamsTest, AStreamIsMadeLookedAtAndEnded) {
  const auto made = streams.create(kTable, WriteStreamKind::kCommitted);
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->name, "projects/p/datasets/d/tables/t/streams/s0");
  EXPECT_EQ(made->created_micros, 1'700'000'000'000'000);
  const auto found = streams.get(made->name);
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->kind, WriteStreamKind::kCommitted);
  const auto ended = streams.finalize(made->name);
  ASSERT_TRUE(ended) << ended.error().text();
  EXPECT_EQ(*ended, std::optional<std::int64_t>(0));
  const auto flushed = streams.flush(made->name, 41);
  ASSERT_TRUE(flushed) << flushed.error().text();
  EXPECT_EQ(*flushed, 41);
  EXPECT_EQ(peer.routing_headers().front(), "parent=projects%2Fp%2Fdatasets%2Fd%2Ftables%2Ft");
  EXPECT_FALSE(peer.saw_authorization()) << "a token went over plain text";
}

TEST_F(WriteStreamsTest, PassingTroubleIsRepeated) {
  peer.fail_calls({kAway, kAway});
  const auto made = streams.create(kTable, WriteStreamKind::kCommitted);
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(peer.routing_headers().size(), 3U);
}

TEST_F(WriteStreamsTest, WhatDoesNotPassIsNamed) {
  const auto unknown = streams.finalize("projects/p/datasets/d/tables/t/streams/none");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(unknown.error().text().find("streams/none"), std::string::npos);
  peer.fail_calls({{7, "no", wire::StorageCode::kNone, ""}});
  const auto denied = streams.create(kTable, WriteStreamKind::kCommitted);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code(), ErrorCode::kAuth);
  EXPECT_EQ(peer.routing_headers().size(), 2U) << "it was repeated";
}

TEST_F(WriteStreamsTest, AStreamThatIsFinalAlreadyIsEnded) {
  const auto made = streams.create(kTable, WriteStreamKind::kCommitted);
  ASSERT_TRUE(made);
  peer.fail_calls({{9, "it is final", wire::StorageCode::kStreamFinalized, ""}});
  const auto ended = streams.finalize(made->name);
  ASSERT_TRUE(ended) << ended.error().text();
  EXPECT_FALSE(ended->has_value());
}

TEST_F(WriteStreamsTest, ACommitThatHasHappenedBeforeIsFine) {
  const auto one = streams.create(kTable, WriteStreamKind::kPending);
  const auto two = streams.create(kTable, WriteStreamKind::kPending);
  ASSERT_TRUE(one && two);
  const auto early = streams.batch_commit(kTable, {one->name});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code(), ErrorCode::kConflict);
  ASSERT_TRUE(streams.finalize(one->name) && streams.finalize(two->name));
  const auto done = streams.batch_commit(kTable, {one->name, two->name});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(*done, 1'700'000'001'000'000);
  const auto again = streams.batch_commit(kTable, {one->name, two->name});
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(*again, 0);
}

TEST_F(WriteStreamsTest, CancelEndsAllCalls) {
  streams.cancel();
  const auto made = streams.create(kTable, WriteStreamKind::kCommitted);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kCancelled);
}

}  // namespace
}  // namespace flytt::bigquery
