#include "app/internal/cells.h"

#include <gtest/gtest.h>

namespace flytt::app {
namespace {

bigquery::Cell cell(std::string text) { return {false, std::move(text), {}}; }

TEST(Cells, JsonForms) {
  using data::TypeKind;
  EXPECT_EQ(cell_json(TypeKind::kInt64, cell("9007199254740992")), "9007199254740992");
  EXPECT_EQ(cell_json(TypeKind::kInt64, cell("9007199254740993")), "\"9007199254740993\"");
  EXPECT_EQ(cell_json(TypeKind::kNumeric, cell("1.5")), "\"1.5\"");
  EXPECT_EQ(cell_json(TypeKind::kFloat64, cell("1.0E20")), "1.0E20");
  EXPECT_EQ(cell_json(TypeKind::kFloat64, cell("NaN")), "\"NaN\"");
  EXPECT_EQ(cell_json(TypeKind::kBool, cell("true")), "true");
  EXPECT_EQ(cell_json(TypeKind::kJson, cell("{\"a\":1}")), "{\"a\":1}");
  EXPECT_EQ(cell_json(TypeKind::kTimestamp, cell("1709210096500000")), "\"2024-02-29T12:34:56.500000Z\"");
  EXPECT_EQ(cell_json(TypeKind::kString, {}), "null");
}

TEST(Cells, NestedForms) {
  const data::Type type =
      data::Type::array(data::Type::structure({{"a", data::TypeKind::kInt64}, {"b", data::TypeKind::kString}}));
  const bigquery::Cell row{false, "", {cell("1"), cell("x\"y")}};
  EXPECT_EQ(cell_json(type, {false, "", {row, row}}), R"([{"a":1,"b":"x\"y"},{"a":1,"b":"x\"y"}])");
  EXPECT_EQ(cell_json(type, {true, "", {}}), "[]") << "BigQuery has no NULL arrays in results";
  EXPECT_EQ(cell_text(data::TypeKind::kTimestamp, cell("0")), "1970-01-01 00:00:00 UTC");
}

}  // namespace
}  // namespace flytt::app
