// What is called distinct is distinct, in whatever order and sizes the runs come.

#include "warehouse/internal/key_spans.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace flytt::warehouse::internal {
namespace {

bool are_distinct(const std::vector<std::vector<std::int64_t>>& chunks) {
  KeySpans spans;
  spans.begin();
  for (const auto& chunk : chunks) spans.add(chunk.data(), chunk.size());
  return spans.are_distinct();
}

TEST(KeySpans, KnowNothingBeforeTheyBegin) {
  KeySpans spans;
  EXPECT_FALSE(spans.are_distinct());
  spans.begin();
  EXPECT_TRUE(spans.are_distinct());
  spans.give_up();
  const std::int64_t key = 1;
  spans.add(&key, 1);
  EXPECT_FALSE(spans.are_distinct()) << "a row was not told";
}

TEST(KeySpans, TakeRangesThatAreCopiedSideBySide) {
  EXPECT_TRUE(are_distinct({{1, 2, 3}, {1001, 1002}, {4, 5}, {}, {1003}, {-7, 0}}));
  EXPECT_TRUE(are_distinct({{1, 5}, {7, 9}, {6}}));
}

TEST(KeySpans, GiveUpWhereRunsMeet) {
  EXPECT_FALSE(are_distinct({{1, 2, 3}, {3, 4}}));
  EXPECT_FALSE(are_distinct({{1, 5}, {3}})) << "not a repeated key, but nobody can know";
  EXPECT_FALSE(are_distinct({{3, 4}, {1, 9}}));
  EXPECT_FALSE(are_distinct({{1, 1}}));
  EXPECT_FALSE(are_distinct({{2, 1}}));
}

TEST(KeySpans, NeverCallARepeatedKeyDistinct) {
  std::mt19937_64 random(11);
  int distinct = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::vector<std::int64_t>> chunks(1 + random() % 5);
    std::set<std::int64_t> all;
    std::size_t count = 0;
    for (auto& chunk : chunks) {
      std::int64_t key = static_cast<std::int64_t>(random() % 100);
      for (std::size_t i = random() % 4; i > 0; --i) {
        chunk.push_back(key);
        key += static_cast<std::int64_t>(random() % 20 == 0 ? 0 : 1 + random() % 3);
      }
      all.insert(chunk.begin(), chunk.end());
      count += chunk.size();
    }
    if (!are_distinct(chunks)) continue;
    ++distinct;
    ASSERT_EQ(all.size(), count);
  }
  EXPECT_GT(distinct, 5'000);
}

}  // namespace
}  // namespace flytt::warehouse::internal
