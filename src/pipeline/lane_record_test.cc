#include <gtest/gtest.h>

#include "pipeline/lane_book.h"

namespace flytt::pipeline {
namespace {

void expect_same(const LaneRecord& a, const LaneRecord& b) {
  EXPECT_EQ(a.topic_id, b.topic_id);
  EXPECT_EQ(a.write_stream, b.write_stream);
  EXPECT_EQ(a.epoch, b.epoch);
}

TEST(LaneRecord, GoesRound) {
  for (const LaneRecord& record :
       {LaneRecord{}, LaneRecord{"id", "", 0}, LaneRecord{"", "projects/p/streams/s", 0},
        LaneRecord{"id", "", 1'700'000'000'000}, LaneRecord{"id", "projects/p/streams/s", INT64_MAX}}) {
    const auto back = decode_lane_record(encode_lane_record(record));
    ASSERT_TRUE(back) << back.error().text();
    expect_same(*back, record);
  }
}

TEST(LaneRecord, OneOfAnOlderVersionIsRead) {
  const auto old = decode_lane_record("1\nid\nprojects/p/streams/s");
  ASSERT_TRUE(old);
  expect_same(*old, {"id", "projects/p/streams/s", 0});
}

TEST(LaneRecord, WithoutAnEpochOlderVersionsReadIt) {
  EXPECT_EQ(encode_lane_record({"id", "projects/p/streams/s", 0}), "1\nid\nprojects/p/streams/s");
}

TEST(LaneRecord, EveryCutIsRefused) {
  const std::string whole = encode_lane_record({"id", "stream", 1'700'000'000'000});
  for (std::size_t size = 0; size <= whole.find_last_of('\n') + 1; ++size)
    EXPECT_FALSE(decode_lane_record(whole.substr(0, size))) << size;
}

TEST(LaneRecord, WhatIsNoneIsRefusedByName) {
  EXPECT_EQ(decode_lane_record("3\nid\n\n1").error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(decode_lane_record("").error().code(), ErrorCode::kUnsupported);
  for (const char* broken : {"1\nid", "2\nid", "2\nid\nstream", "2\nid\nstream\n", "2\nid\nstream\n-1",
                             "2\nid\nstream\n7x", "2\nid\nstream\n99999999999999999999"})
    EXPECT_EQ(decode_lane_record(broken).error().code(), ErrorCode::kCorrupt) << broken;
}

}  // namespace
}  // namespace flytt::pipeline
