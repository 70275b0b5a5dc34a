#include "warehouse/internal/key_spans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace flytt::warehouse::internal {
namespace {

using Keys = std::vector<std::int64_t>;

bool distinct(const std::vector<Keys>& chunks) {
  KeySpans spans;
  spans.begin();
  for (const Keys& keys : chunks) spans.add(keys.data(), keys.size());
  return spans.are_distinct();
}

TEST(KeySpans, KnowsNothingBeforeItBegins) {
  KeySpans spans;
  const std::int64_t key = 1;
  spans.add(&key, 1);
  EXPECT_FALSE(spans.are_distinct());
}

TEST(KeySpans, RunsThatDoNotMeetAreDistinct) {
  EXPECT_TRUE(distinct({{1, 2, 3}, {100, 105}, {4, 5}, {106}, {-7, 0}}));
  EXPECT_TRUE(distinct({{INT64_MIN}, {INT64_MAX}, {0}}));
}

TEST(KeySpans, AKeyThatComesAgainIsSeen) {
  EXPECT_FALSE(distinct({{1, 2, 3}, {3, 4}}));
  EXPECT_FALSE(distinct({{1, 9}, {5}}));
  EXPECT_FALSE(distinct({{5}, {1, 9}}));
  EXPECT_FALSE(distinct({{1, 1}}));
  EXPECT_FALSE(distinct({{2, 1}}));
}

TEST(KeySpans, NeverSaysDistinctWhenAKeyIsThereTwice) {
  std::mt19937 random(7);
  int said = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Keys> chunks(1 + random() % 4);
    std::multiset<std::int64_t> all;
    for (Keys& keys : chunks) {
      std::int64_t key = static_cast<std::int64_t>(random() % 40);
      for (std::size_t i = 0; i < 1 + random() % 4; ++i, key += 1 + static_cast<std::int64_t>(random() % 3))
        keys.push_back(key);
      all.insert(keys.begin(), keys.end());
    }
    const bool is_distinct = std::adjacent_find(all.begin(), all.end()) == all.end();
    if (!distinct(chunks)) continue;
    ++said;
    ASSERT_TRUE(is_distinct) << "round " << round;
  }
  EXPECT_GT(said, 1'000);
}

}  // namespace
}  // namespace flytt::warehouse::internal
