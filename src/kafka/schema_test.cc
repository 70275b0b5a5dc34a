#include "kafka/schema.h"

#include <gtest/gtest.h>

#include "kafka/internal/names.h"
#include "kafka/internal/times.h"

namespace flytt::kafka {
namespace {

using data::Type;
using data::TypeKind;

std::string inferred(std::vector<std::string> messages, PayloadSettings settings = {}) {
  std::vector<SampledMessage> samples;
  for (std::string& message : messages) samples.push_back({0, 0, {}, std::move(message)});
  auto table = make_table_schema(settings, samples);
  if (!table) return table.error().text();
  std::string out;
  for (const data::Field& field : table->fields)
    if (field.name.rfind("_kafka", 0) != 0) out += (out.empty() ? "" : ", ") + field.name + " " + field.type.sql_name();
  return out;
}

TEST(MakeTableSchema, InfersTheSmallestTypeThatTakesEverything) {
  EXPECT_EQ(inferred({R"({"a":1,"b":true,"c":"x","d":1.5,"e":"2024-01-01T00:00:00Z","f":"2024-01-01T00:00:00",)"
                      R"("g":"2024-01-01","h":18446744073709551615,"i":123456789012345678901234567890})"}),
            "a INT64, b BOOL, c STRING, d FLOAT64, e TIMESTAMP, f DATETIME, g DATE, h NUMERIC, i BIGNUMERIC");
  EXPECT_EQ(inferred({R"({"a":1,"e":"2024-01-01T00:00:00Z"})", R"({"a":1e3,"e":"soon"})"}), "a FLOAT64, e STRING");
  EXPECT_EQ(inferred({R"({"a":1})", R"({"a":"x"})"}), "a JSON");
  EXPECT_EQ(inferred({R"({"n":null,"l":[]})", "no JSON", "[1]", R"({"b":1})"}), "b INT64");
  EXPECT_EQ(inferred({R"({"o":{"x":1},"l":[{"y":"a"},{"z":[1]}]})", R"({"o":{"w":null,"v":false}})"}),
            "o STRUCT<x INT64, v BOOL>, l ARRAY<STRUCT<y STRING, z ARRAY<INT64>>>");
  EXPECT_EQ(inferred({R"({"a":[[1]],"b":[1,null],"c":[1,"x"],"d":{},"e":[1,2.5]})"}),
            "a JSON, b JSON, c JSON, d JSON, e ARRAY<FLOAT64>");
  PayloadSettings json;
  json.nested = NestedForm::kJson;
  json.detects_times = false;
  EXPECT_EQ(inferred({R"({"o":{"x":1},"l":[{"y":1}],"i":[1],"t":"2024-01-01"})"}, json),
            "o JSON, l JSON, i ARRAY<INT64>, t STRING");
}

TEST(MakeTableSchema, NamesColumnsByTheMemberAlone) {
  EXPECT_EQ(inferred({R"({"a b":1,"A":2,"a":3,"_table_x":4,"":5,"Ærlig":6,"ærlig":7,"€":8})"}),
            "a_b_" + marked_name("a b").substr(4) + " INT64, A INT64, " + marked_name("a") + " INT64, f_table_x_" +
                marked_name("_table_x").substr(10) + " INT64, " + marked_name("") + " INT64, Ærlig INT64, " +
                marked_name("ærlig") + " INT64, " + marked_name("€") + " INT64");
  EXPECT_EQ(marked_name("a"), "a_e40c292c");  // FNV-1a of "a"
  EXPECT_TRUE(is_plain_name("næringer_2"));
  for (const char* other : {"", "2a", "a-b", "a.b", "_PARTITIONTIME", "_CHANGE_TYPE", "_Kafka_Offset", "日"})
    EXPECT_FALSE(is_plain_name(other)) << other;
  EXPECT_FALSE(is_plain_name(std::string(301, 'a')));
  EXPECT_LE(marked_name(std::string(1'000, 'a')).size(), 300u);
  EXPECT_EQ(table_name_of("team.topic-v1"), "team_topic-v1");
}

TEST(CheckPayloadSettings, RefusesWhatContradictsItself) {
  const auto refusal = [](const PayloadSettings& settings) {
    const Status checked = check_payload_settings(settings);
    return checked ? std::string() : checked.error().sentence();
  };
  PayloadSettings settings;
  EXPECT_EQ(refusal(settings), "");
  settings.fields = {{"a", TypeKind::kInt64}, {"A", TypeKind::kString}};
  EXPECT_NE(refusal(settings).find("two columns are called A"), std::string::npos);
  settings.fields = {{"a", TypeKind::kInt64, false, "x"}, {"b", TypeKind::kString, false, "x"}};
  EXPECT_NE(refusal(settings).find("take the field x"), std::string::npos);
  settings.fields = {{"_kafka_offset", TypeKind::kInt64}};
  EXPECT_NE(refusal(settings).find("_kafka_offset"), std::string::npos);
  settings.fields = {{"a", Type::array(Type::array(TypeKind::kInt64))}};
  EXPECT_NE(refusal(settings).find("ARRAY of ARRAYs"), std::string::npos);
  settings.fields = {{"a", Type::range(TypeKind::kDate)}};
  EXPECT_NE(refusal(settings).find("RANGE"), std::string::npos);
  settings.fields = {{"a", TypeKind::kInt64}, {"b", TypeKind::kInt64}};
  settings.format = Format::kText;
  EXPECT_NE(refusal(settings).find("2 fields are declared"), std::string::npos);
  settings.format = Format::kJson;
  settings.key_fields = {"a"};
  EXPECT_NE(refusal(settings).find("not upsert"), std::string::npos);
  settings.is_upsert = true;
  EXPECT_EQ(refusal(settings), "");
  settings.key_fields = {"c"};
  EXPECT_NE(refusal(settings).find("c is not declared"), std::string::npos);
  settings.fields[0].type = TypeKind::kFloat64;
  settings.key_fields = {"a"};
  EXPECT_NE(refusal(settings).find("FLOAT64"), std::string::npos);
}

TEST(Times, AreReadInTheirUsualForms) {
  const auto noon = read_timestamp("2024-06-01T12:00:00Z", true);
  ASSERT_TRUE(noon.has_value());
  for (const char* same : {"2024-06-01T12:00:00z", "2024-06-01T14:00:00+02:00", "2024-06-01T12:00:00.000000000Z",
                           "2024-06-01t12:00:00-00:00"})
    EXPECT_EQ(read_timestamp(same, true), noon) << same;
  for (const char* loose :
       {"2024-06-01 12:00:00", "2024-6-1T12:00Z", "2024-06-01T14:00:00+02", "2024-06-01T14:00:00+0200",
        "2024-06-01 12:00:00 UTC", "2024-06-01T12:00:00,0Z", "2024-06-01T14:00:00+02:00[Europe/Oslo]"}) {
    EXPECT_EQ(read_timestamp(loose, false), noon) << loose;
    EXPECT_EQ(read_timestamp(loose, true), std::nullopt) << loose;
  }
  for (const char* wrong :
       {"", "2024", "2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2024-06-01T24:00:00Z", "2024-06-01T12:60:00Z",
        "2024-06-01T12:00:00.Z", "2024-06-01T12:00:00+19:00", "2024-06-01T12:00:00Zx", "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00", "+2024-01-01T00:00:00Z"})
    EXPECT_EQ(read_timestamp(wrong, false), std::nullopt) << wrong;
  EXPECT_EQ(read_timestamp("2024-06-01T12:00:00.123456999Z", true), *noon + 123'456);
  EXPECT_EQ(read_datetime("2024-06-01", false), *noon - 43'200'000'000);
  EXPECT_EQ(read_datetime("2024-06-01T12:00:00Z", false), std::nullopt);
  EXPECT_EQ(read_time("1:02:03.5", false), 3'723'500'000);
  EXPECT_EQ(read_time("1:02:03.5", true), std::nullopt);
  const data::Int128 billion = 1'000'000'000;
  EXPECT_EQ(instant_of(billion * billion * 2 - 1, EpochUnit::kSeconds), 1'999'999'999'999'999);
  EXPECT_EQ(instant_of(-1, EpochUnit::kSeconds), -1) << "towards the past";
  EXPECT_EQ(instant_of(billion * 1'500, EpochUnit::kMillis), 1'500'000);
  EXPECT_EQ(instant_of(billion * 1'500, EpochUnit::kNanos), 1);
  EXPECT_EQ(instant_of(billion * billion * billion, EpochUnit::kSeconds), std::nullopt);
}

}  // namespace
}  // namespace flytt::kafka
