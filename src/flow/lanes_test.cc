#include "flow/lanes.h"

#include <gtest/gtest.h>

namespace flytt::flow {
namespace {

TEST(LanePoints, GoRound) {
  const std::vector<LanePoint> points{
      {0, 0, ""}, {7, 1ll << 40, std::string("a\0b", 3)}, {0xFFFFFFFF, 5, "x", 1'700'000'000'000}};
  const auto back = decode_points(encode_points(points));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, points);
  EXPECT_EQ(decode_points(encode_points({})).value(), std::vector<LanePoint>());
}

TEST(LanePoints, EveryCutIsCorrupt) {
  const std::string bytes = encode_points({{1, 2, "record", 3}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (size == 1) continue;  // an empty list
    const auto cut = decode_points(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code(), ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(decode_points("\x01"));
}

}  // namespace
}  // namespace flytt::flow
