// When an apply is due and how much of the log it takes.

#include "warehouse/internal/table_state.h"

#include <gtest/gtest.h>

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {
namespace {

class LogOfATable : public ::testing::Test {
 protected:
  // One commit of one segment.
  void commit(std::int64_t rows, std::int64_t bytes) {
    LogSegment segment;
    segment.first_ing = table_.next_ing;
    segment.last_ing = table_.next_ing + rows - 1;
    segment.rows = rows;
    segment.bytes = bytes;
    table_.next_ing += rows;
    table_.before_log_commit(segment);
    table_.after_log_commit(true, now_);
  }

  const base::SteadyTime now_{std::chrono::hours(1)};
  TableState table_{std::make_shared<const TableVersion>()};
};

TEST_F(LogOfATable, IsDueByRowsOrBytesOrAge) {
  EXPECT_FALSE(table_.is_apply_due(now_, true)) << "there is nothing";
  commit(100, kApplyBytesMin - 1);
  EXPECT_FALSE(table_.is_apply_due(now_, true));
  EXPECT_TRUE(table_.is_apply_due(now_ + std::chrono::milliseconds(kApplyAgeMillis), false));
  commit(1, 1);
  EXPECT_TRUE(table_.is_apply_due(now_, false)) << "few rows, but large ones";
}

TEST_F(LogOfATable, IsDueByRows) {
  commit(kApplyRowsMin - 1, 1);
  EXPECT_FALSE(table_.is_apply_due(now_, false));
  EXPECT_TRUE(table_.is_apply_due(now_, true)) << "it holds up a read";
  commit(1, 1);
  EXPECT_TRUE(table_.is_apply_due(now_, false));
}

TEST_F(LogOfATable, IsTakenInPartsOfBoundedRowsAndBytes) {
  for (int i = 0; i < 4; ++i) commit(10, 1000);
  EXPECT_EQ(table_.applicable(1'000, 1'000'000)->last_ing, 40);
  EXPECT_EQ(table_.applicable(25, 1'000'000)->last_ing, 20);
  EXPECT_EQ(table_.applicable(1'000, 3'000)->last_ing, 30);
  EXPECT_EQ(table_.applicable(1, 1)->last_ing, 10) << "one segment at least";
  const auto taken = table_.applicable(1'000, 3'000);
  table_.before_apply_commit(*taken);
  table_.after_apply_commit(*taken, 0, 30);
  EXPECT_EQ(table_.read_state().log_rows, 10);
  EXPECT_EQ(table_.read_state().log_bytes, 1'000);
}

TEST_F(LogOfATable, IsWornWhenMostOfItIsDead) {
  commit(100, kRenewBytes / 2);
  commit(100, kRenewBytes / 2);
  commit(1, kRenewBytes + 1);
  const auto apply = [&] {
    const auto taken = table_.applicable(1'000, 1);
    table_.before_apply_commit(*taken);
    table_.after_apply_commit(*taken, taken->rows, taken->rows);
  };
  apply();
  EXPECT_FALSE(table_.worn().log);
  apply();
  EXPECT_FALSE(table_.worn().log) << "what lives in it is too much to be copied";
  EXPECT_TRUE(table_.worn().base);
  apply();
  EXPECT_TRUE(table_.worn().log);
  table_.after_renewal(table_.worn());
  EXPECT_FALSE(table_.worn().log);
  EXPECT_FALSE(table_.worn().base);
}

TEST_F(LogOfATable, ForgetsAllSegmentsOfACommitThatFailed) {
  commit(10, 1000);
  for (std::int64_t i = 0; i < 3; ++i) {
    LogSegment segment;
    segment.first_ing = segment.last_ing = table_.next_ing++;
    segment.rows = 1;
    segment.bytes = 7;
    table_.before_log_commit(segment);
  }
  EXPECT_EQ(table_.read_state().log_rows, 13);
  table_.after_log_commit(false, now_);
  EXPECT_EQ(table_.read_state().log_rows, 10);
  EXPECT_EQ(table_.read_state().log_bytes, 1'000);
  EXPECT_EQ(table_.applicable(1'000, 1'000'000)->last_ing, 10);
}

}  // namespace
}  // namespace flytt::warehouse::internal
