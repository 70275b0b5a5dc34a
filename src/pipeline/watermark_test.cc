#include "pipeline/watermark.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace flytt::pipeline {
namespace {

flow::BatchSequence submit(Watermark& watermark, const std::string& end, std::int64_t commit = 0,
                           TableChanges changes = {}) {
  const flow::BatchSequence sequence = watermark.next();
  watermark.submitted(sequence, {flow::Position{end}, commit, std::move(changes)},
                      base::SteadyTime(base::Duration(sequence.value)));
  return sequence;
}

TEST(Watermark, WaitsForTheOldestReceipt) {
  Watermark watermark;
  const auto a = submit(watermark, "a"), b = submit(watermark, "b"), c = submit(watermark, "c");
  ASSERT_TRUE(watermark.receipted(b));
  ASSERT_TRUE(watermark.receipted(c));
  EXPECT_FALSE(watermark.advance().has_value());
  EXPECT_EQ(watermark.outstanding(), 1u);
  EXPECT_EQ(watermark.oldest_read_at(), base::SteadyTime(base::Duration(0)));
  ASSERT_TRUE(watermark.receipted(a));
  EXPECT_EQ(watermark.advance()->end.bytes, "c");
  EXPECT_FALSE(watermark.advance().has_value()) << "only growth is news";
  EXPECT_FALSE(watermark.oldest_read_at().has_value());
}

TEST(Watermark, KeepsTheNewestCommitTimeOfAPrefix) {
  Watermark watermark;
  const auto a = submit(watermark, "a", 70), b = submit(watermark, "b", 0);
  ASSERT_TRUE(watermark.receipted(a));
  ASSERT_TRUE(watermark.receipted(b));
  EXPECT_EQ(watermark.advance()->newest_commit_micros, 70);
}

TEST(Watermark, KeepsTheNewestChangeOfEachTableOfAPrefix) {
  Watermark watermark;
  const auto change = [](std::uint64_t ordinal) { return data::Sequence::of(1, 1, ordinal); };
  const auto a = submit(watermark, "a", 0, {{"x", change(1)}, {"y", change(2)}});
  const auto b = submit(watermark, "b", 0, {{"x", change(3)}}), c = submit(watermark, "c", 0, {{"z", change(4)}});
  ASSERT_TRUE(watermark.receipted(c));
  ASSERT_TRUE(watermark.receipted(b));
  ASSERT_TRUE(watermark.receipted(a));
  EXPECT_EQ(watermark.advance()->changes, (TableChanges{{"x", change(3)}, {"y", change(2)}, {"z", change(4)}}));
}

TEST(Watermark, AnInventedReceiptIsABug) {
  Watermark watermark;
  const auto a = submit(watermark, "a");
  EXPECT_EQ(watermark.receipted(flow::BatchSequence(1)).error().code(), ErrorCode::kBug);
  ASSERT_TRUE(watermark.receipted(a));
  EXPECT_EQ(watermark.receipted(a).error().code(), ErrorCode::kBug) << "twice";
  ASSERT_TRUE(watermark.advance().has_value());
  EXPECT_EQ(watermark.receipted(a).error().code(), ErrorCode::kBug) << "after it was passed";
}

TEST(Watermark, NeverPassesAMissingReceiptInAnyOrder) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    Watermark watermark;
    std::vector<flow::BatchSequence> order;
    for (int i = 0; i < 40; ++i) order.push_back(submit(watermark, std::to_string(i)));
    std::shuffle(order.begin(), order.end(), random);
    std::vector<bool> has(40, false);
    std::uint64_t passed = 0;
    for (const auto sequence : order) {
      ASSERT_TRUE(watermark.receipted(sequence));
      has[sequence.value] = true;
      if (const auto advanced = watermark.advance()) passed = std::stoul(advanced->end.bytes) + 1;
      const auto prefix = static_cast<std::uint64_t>(std::find(has.begin(), has.end(), false) - has.begin());
      EXPECT_EQ(passed, prefix) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace flytt::pipeline
