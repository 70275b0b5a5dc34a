#include "gateway/bigquery/internal/insert_rows.h"

#include <gtest/gtest.h>

#include "gateway/bigquery/internal/insert_all.h"
#include "gateway/bigquery/internal/json.h"
#include "gateway/limits.h"
#include "warehouse/rest_json.h"

namespace flytt::gateway::internal {
namespace {

using data::Type;
using data::TypeKind;

constexpr std::int64_t kNow = 1'700'000'000'000'000;

std::shared_ptr<const data::SliceSchema> schema_of(std::vector<data::Field> fields) {
  auto schema = std::make_shared<data::SliceSchema>();
  schema->table.fields = std::move(fields);
  return schema;
}

// One value of a column named v: as tabledata.list shows it, or "location: message".
std::string shown(const Type& type, const std::string& json) {
  const auto rows =
      parse_insert_rows(R"({"rows":[{"json":{"v":)" + json + "}}]}", schema_of({{"v", type, false, ""}}), kNow);
  if (!rows) return rows.error().sentence();
  if (!rows->faults.empty()) return rows->faults[0].location + ": " + rows->faults[0].message;
  std::string cell;
  warehouse::append_cell_json(type, rows->slice.columns[0], 0, warehouse::TimestampForm::kIso8601, cell);
  return cell;
}

struct Case {
  Type type;
  const char *json, *expected;
};

TEST(InsertValues, OfEveryTypeComeInTheirForms) {
  const Case cases[] = {
      {TypeKind::kInt64, "5", R"("5")"},
      {TypeKind::kInt64, R"("-9223372036854775808")", R"("-9223372036854775808")"},
      {TypeKind::kInt64, "5.0", R"("5")"},
      {TypeKind::kFloat64, "1.5", R"("1.5")"},
      {TypeKind::kFloat64, R"("-Infinity")", R"("-Infinity")"},
      {TypeKind::kFloat64, R"("nan")", R"("NaN")"},
      {TypeKind::kFloat64, R"("2e3")", R"("2000.0")"},
      {TypeKind::kBool, "true", R"("true")"},
      {TypeKind::kBool, R"("False")", R"("false")"},
      {TypeKind::kString, R"("æ\"")", R"("æ\"")"},
      {TypeKind::kString, "7", R"("7")"},
      {TypeKind::kString, "false", R"("false")"},
      {TypeKind::kBytes, R"("AP8=")", R"("AP8=")"},
      {TypeKind::kBytes, R"("_-8")", R"("/+8=")"},
      {TypeKind::kBytes, R"("")", R"("")"},
      {TypeKind::kDate, R"("2024-02-29")", R"("2024-02-29")"},
      {TypeKind::kTime, R"("12:34:56.5")", R"("12:34:56.500000")"},
      {TypeKind::kDatetime, R"("2024-02-29 12:34:56")", R"("2024-02-29T12:34:56")"},
      {TypeKind::kTimestamp, R"("2024-02-29T12:34:56+01:00")", R"("2024-02-29T11:34:56Z")"},
      {TypeKind::kTimestamp, R"("2024-02-29 12:34:56.25 UTC")", R"("2024-02-29T12:34:56.250000Z")"},
      {TypeKind::kTimestamp, "1408452095.22", R"("2014-08-19T12:41:35.220000Z")"},
      {TypeKind::kTimestamp, R"("1408452095")", R"("2014-08-19T12:41:35Z")"},
      {TypeKind::kTimestamp, R"("AUTO")", R"("2023-11-14T22:13:20Z")"},
      {TypeKind::kNumeric, R"("-12.345678901")", R"("-12.345678901")"},
      {TypeKind::kNumeric, "0.1", R"("0.1")"},
      {TypeKind::kBigNumeric, R"("1e-38")", R"("0.00000000000000000000000000000000000001")"},
      {TypeKind::kJson, R"("{\"a\":[1]}")", R"("{\"a\":[1]}")"},
      {TypeKind::kJson, R"({"a":[1]})", R"("{\"a\":[1]}")"},
      {TypeKind::kJson, "[1,null]", R"("[1,null]")"},
      {TypeKind::kInterval, R"("1-2 3 4:5:6")", R"("1-2 3 4:5:6")"},
      {TypeKind::kGeography, "\"POINT(1 2)\"", "\"POINT(1 2)\""},
      {Type::range(TypeKind::kDate), R"({"start":"2024-01-01","end":null})", "\"[2024-01-01, UNBOUNDED)\""},
      {Type::array(TypeKind::kInt64), R"([1,"2"])", R"([{"v":"1"},{"v":"2"}])"},
      {Type::array(TypeKind::kInt64), "null", "[]"},
      {Type::structure({{"a", TypeKind::kInt64}, {"b", Type::array(TypeKind::kString)}}), R"({"B":["x"]})",
       R"({"f":[{"v":null},{"v":[{"v":"x"}]}]})"},
      {TypeKind::kInt64, "null", "null"},
  };
  for (const Case& each : cases)
    EXPECT_EQ(shown(each.type, each.json), each.expected) << each.type.sql_name() << " " << each.json;
}

TEST(InsertValues, ThatDoNotFitAreToldWithoutTheValue) {
  const Type record = Type::structure({{"a", TypeKind::kInt64}});
  const Case cases[] = {
      {TypeKind::kInt64, R"("secret")", "v: Cannot convert value to integer (bad value)"},
      {TypeKind::kInt64, "9223372036854775808", "v: Cannot convert value to integer (bad value)"},
      {TypeKind::kInt64, "1.5", "v: Cannot convert value to integer (bad value)"},
      {TypeKind::kInt64, R"("")", "v: Cannot convert value to integer (bad value)"},
      {TypeKind::kFloat64, R"("1e999")", "v: Cannot convert value to double (bad value)"},
      {TypeKind::kBool, "2", "v: Cannot convert value to boolean (bad value)"},
      {TypeKind::kBytes, R"("A")", "v: Cannot convert value to bytes (bad value)"},
      {TypeKind::kBytes, R"("===")", "v: Cannot convert value to bytes (bad value)"},
      {TypeKind::kDate, R"("2023-02-29")", "v: Cannot convert value to date (bad value)"},
      {TypeKind::kDate, "5", "v: Cannot convert value to date (bad value)"},
      {TypeKind::kTimestamp, "1e30", "v: Cannot convert value to timestamp (bad value)"},
      {TypeKind::kNumeric, R"("0.1234567891")", "v: Cannot convert value to numeric (bad value)"},
      {TypeKind::kJson, R"("{")", "v: Cannot convert value to json (bad value)"},
      {TypeKind::kString, "[1]", "v: Array specified for non-repeated field."},
      {TypeKind::kString, "{}", "v: This field: v is not a record."},
      {record, "5", "v: This field: v is not a record."},
      {record, R"({"a":"x"})", "v.a: Cannot convert value to integer (bad value)"},
      {record, R"({"z":1})", "v.z: no such field: v.z."},
      {Type::array(record), R"([{"a":1},{"a":"x"}])", "v[1].a: Cannot convert value to integer (bad value)"},
      {Type::array(TypeKind::kInt64), "1", "v: Repeated field must be imported as a JSON array."},
      {Type::array(TypeKind::kInt64), "[null]",
       "v[0]: Only optional fields can be set to NULL. Field: v[0]; Value: NULL"},
  };
  for (const Case& each : cases)
    EXPECT_EQ(shown(each.type, each.json), each.expected) << each.type.sql_name() << " " << each.json;
}

TEST(InsertRows, AFaultyRowLeavesTheOthersWhole) {
  const auto rows = parse_insert_rows(
      R"({"skipInvalidRows":true,"rows":[{"insertId":"a","json":{"ID":1,"tags":["x"]}},
          {"json":{"id":"bad","tags":["y","z"],"more":1}},{"json":{"tags":[]}},{"json":5},{"json":{"id":"3"}}]})",
      schema_of({{"id", TypeKind::kInt64, true, ""}, {"tags", Type::array(TypeKind::kString), false, ""}}), kNow);
  ASSERT_TRUE(rows) << rows.error().text();
  EXPECT_TRUE(rows->skip_invalid_rows);
  EXPECT_EQ(rows->row_count, 5);
  EXPECT_EQ(rows->rows, (std::vector<std::int64_t>{0, 4}));
  EXPECT_EQ(rows->insert_ids, (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(rows->slice.row_count(), 2u);
  EXPECT_EQ(rows->slice.columns[1].children()[0].size(), 1u);
  ASSERT_EQ(rows->faults.size(), 4u);
  EXPECT_EQ(rows->faults[0].location, "more");
  EXPECT_EQ(rows->faults[1].location, "id");
  EXPECT_EQ(rows->faults[2].message, "Missing required field: id.");
  EXPECT_EQ(rows->faults[3].row, 3);
}

TEST(InsertRows, UnknownValuesCanBeIgnored) {
  const std::string row = R"("rows":[{"json":{"id":1,"more":{"deep":1}}}]})";
  const auto schema = schema_of({{"id", TypeKind::kInt64, false, ""}});
  EXPECT_EQ(parse_insert_rows("{" + row, schema, kNow)->faults.size(), 1u);
  EXPECT_TRUE(parse_insert_rows(R"({"ignoreUnknownValues":true,)" + row, schema, kNow)->faults.empty());
}

TEST(InsertRows, RequestsThatCannotBeReadAreRefusedWhole) {
  const auto schema = schema_of({{"id", TypeKind::kInt64, false, ""}});
  const auto refused = [&](const std::string& body) {
    const auto rows = parse_insert_rows(body, schema, kNow);
    return rows ? std::string() : rows.error().cause();
  };
  EXPECT_EQ(refused(""), "invalid");
  EXPECT_EQ(refused("{"), "parseError");
  EXPECT_EQ(refused(R"({"rows":[]})"), "invalid");
  EXPECT_EQ(refused(R"({"rows":{}})"), "invalid");
  EXPECT_EQ(refused(R"({"templateSuffix":"_x","rows":[{"json":{}}]})"), "notImplemented");
  EXPECT_EQ(refused(R"({"templateSuffix":"","rows":[{"json":{}}]})"), "");
  EXPECT_EQ(refused(std::string(kInsertBytesMax + 1, ' ')), "invalid");
}

TEST(InsertResponse, TellsOfStoppedRowsUnlessFaultyOnesAreSkipped) {
  EXPECT_EQ(insert_response({}, 3, false), R"({"kind":"bigquery#tableDataInsertAllResponse"})");
  const std::vector<InsertFault> faults = {{1, "invalid", "a", "wrong"}, {1, "invalid", "b", "wrong"}};
  const Json all = Json::parse(insert_response(faults, 3, false));
  ASSERT_EQ(all["insertErrors"].size(), 3u);
  EXPECT_EQ(all["insertErrors"][0],
            Json::parse(R"({"index":0,"errors":[{"reason":"stopped","location":"","debugInfo":"","message":""}]})"));
  EXPECT_EQ(all["insertErrors"][1]["errors"].size(), 2u);
  const Json skipped = Json::parse(insert_response(faults, 3, true));
  ASSERT_EQ(skipped["insertErrors"].size(), 1u);
  EXPECT_EQ(skipped["insertErrors"][0]["index"], 1);
}

TEST(InsertIds, AreForgottenAfterTheirTime) {
  InsertIds ids;
  const base::SteadyTime begin{};
  ids.remember("1/a", begin);
  EXPECT_TRUE(ids.knows("1/a", begin + kInsertIdTime));
  EXPECT_FALSE(ids.knows("2/a", begin));
  ids.remember("1/a", begin + std::chrono::seconds(30));
  EXPECT_TRUE(ids.knows("1/a", begin + std::chrono::seconds(80)));
  EXPECT_FALSE(ids.knows("1/a", begin + std::chrono::seconds(91)));
}

}  // namespace
}  // namespace flytt::gateway::internal
