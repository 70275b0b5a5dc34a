#include "warehouse/internal/partition.h"

#include <gtest/gtest.h>

namespace flytt::warehouse::internal {
namespace {

TableInfo table(const std::string& properties) {
  TableInfo out;
  out.path = {"p", "d", "t"};
  out.schema.fields = {{"n", data::TypeKind::kInt64, false, ""},
                       {"day", data::TypeKind::kDate, false, ""},
                       {"at", data::TypeKind::kTimestamp, false, ""},
                       {"local", data::TypeKind::kDatetime, false, ""}};
  out.properties = properties;
  return out;
}

std::string within(const TableInfo& of, const std::string& id) {
  const auto found = find_partition(of, id);
  return found ? is_within(*found, "c") : found.error().sentence();
}

TableInfo by_time(const std::string& unit, const std::string& field) {
  return table(R"({"timePartitioning":{"type":")" + unit + R"(","field":")" + field + "\"}}");
}

TEST(Partition, HoldsAllOfItsTime) {
  EXPECT_EQ(within(by_time("DAY", "day"), "20240229"), "c BETWEEN DATE '2024-02-29' AND DATE '2024-02-29'");
  EXPECT_EQ(within(by_time("MONTH", "day"), "202412"), "c BETWEEN DATE '2024-12-01' AND DATE '2024-12-31'");
  EXPECT_EQ(within(by_time("YEAR", "day"), "1969"), "c BETWEEN DATE '1969-01-01' AND DATE '1969-12-31'");
  EXPECT_EQ(within(by_time("HOUR", "at"), "2026011523"),
            "c BETWEEN TIMESTAMP '2026-01-15 23:00:00' AND TIMESTAMP '2026-01-15 23:59:59.999999'");
  EXPECT_EQ(within(by_time("YEAR", "local"), "9999"),
            "c BETWEEN TIMESTAMP '9999-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'");
  EXPECT_EQ(find_partition(by_time("DAY", "at"), "20260115")->google_condition,
            "`at` BETWEEN TIMESTAMP '2026-01-15 00:00:00+00' AND TIMESTAMP '2026-01-15 23:59:59.999999+00'");
  EXPECT_EQ(find_partition(by_time("DAY", "local"), "20260115")->column, 3U);
}

TEST(Partition, HoldsARangeOfNumbers) {
  const TableInfo ranges =
      table(R"({"rangePartitioning":{"field":"n","range":{"start":"0","end":"25","interval":"10"}}})");
  EXPECT_EQ(within(ranges, "10"), "c BETWEEN 10 AND 19");
  EXPECT_EQ(within(ranges, "20"), "c BETWEEN 20 AND 24");
  for (const char* id : {"5", "30", "x", ""})
    EXPECT_NE(within(ranges, id).find("begin with every 10. number from 0 to 25"), std::string::npos) << id;
}

TEST(Partition, IsRefusedWhenTheTableHasNoSuch) {
  EXPECT_NE(within(table(""), "20240229").find("Expects partitioning specification none"), std::string::npos);
  EXPECT_EQ(find_partition(table(R"({"timePartitioning":{"type":"DAY"}})"), "20240229").error().code(),
            ErrorCode::kUnsupported);
  for (const char* id : {"20230229", "2024022", "2024022901", "20241301", "20240200", "2024-2-9", "00000101", ""})
    EXPECT_NE(within(by_time("DAY", "day"), id).find("partitioned by DAY, whose partitions have ids of 8 digits"),
              std::string::npos)
        << id;
}

}  // namespace
}  // namespace flytt::warehouse::internal
