#include "kafka/internal/message_rows.h"

#include <gtest/gtest.h>

#include "kafka/internal/rows_test_support.h"

namespace flytt::kafka {
namespace {

using data::Type;
using data::TypeKind;

PayloadSettings recipe() {
  return declare({{"stringValue", TypeKind::kString, true},
                  {"booleanValue", TypeKind::kBool},
                  {"numericValue", TypeKind::kInt64},
                  {"timestampValue", TypeKind::kTimestamp}});
}

TEST(MessageRows, brings_the_four_fields_of_the_recipe) {
  Table t(recipe());
  EXPECT_EQ(t.add(R"({"stringValue":"æ \"x\" \u00e9\n","booleanValue":true,"numericValue":9007199254740993,)"
                  R"("timestampValue":"2024-02-29T12:00:00.123456789+02:00"})"),
            "æ \"x\" é\n true 9007199254740993 2024-02-29T10:00:00.123456Z");
  EXPECT_EQ(t.add(R"({"timestampValue":"1969-12-31T23:59:59.9999999","stringValue":""})"),
            " NULL NULL 1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(t.add("\xEF\xBB\xBF { \"numericValue\" : -1 , \"stringValue\" : \"a\", \"x\": {\"y\": [1]} }\n"),
            "a NULL -1 NULL");
  const data::TableSlice& slice = t.slices.back();
  ASSERT_EQ(slice.columns.size(), 8u);
  EXPECT_EQ(print_cell(slice.columns[4], 2), "topic");
  EXPECT_EQ(print_cell(slice.columns[5], 2), "3");
  EXPECT_EQ(print_cell(slice.columns[6], 2), "2");
  EXPECT_EQ(print_cell(slice.columns[7], 2), "2023-11-14T22:13:20.123000Z");
  EXPECT_TRUE(slice.kinds.empty());
  EXPECT_EQ(slice.sequences.size(), 1u);
  EXPECT_TRUE(slice.rejections.empty());
}

TEST(MessageRows, sets_a_bad_message_aside_and_leaves_its_neighbours_alone) {
  Table t(recipe());
  struct Poison {
    std::string value;
    const char* column;
    const char* reason;
  };
  const std::string deep = R"({"stringValue":"a","x":)" + std::string(600, '[') + std::string(600, ']') + "}";
  const std::vector<Poison> poisons = {
      {"", "", "empty"},
      {"null", "", "not an object"},
      {"[1]", "", "not an object"},
      {"\"text\"", "", "not an object"},
      {"12", "", "not an object"},
      {"2024-01-01T00:00:00Z", "", "not"},
      {"{", "", "not JSON"},
      {R"({"stringValue":"a")", "", "not JSON"},
      {R"({"stringValue":"a"}})", "", "not JSON"},
      {R"({"stringValue":"a"} {})", "", "not JSON"},
      {R"({"stringValue":"a",})", "", "not JSON"},
      {R"({"stringValue":"a" "booleanValue":true})", "", "not JSON"},
      {R"({"stringValue":"a","booleanValue":tru})", "", "not JSON"},
      {R"({"stringValue":"a","booleanValue":nul})", "", "not JSON"},
      {R"({"stringValue":"a","x":tru})", "", "not JSON"},
      {R"({"stringValue":"a","x":{"y":01}})", "", "not JSON"},
      {R"({"stringValue":"a\x"})", "", "not JSON"},
      {R"({"stringValue":"\ud800"})", "", "not JSON"},
      {"{\"stringValue\":\"a\n\"}", "", "not JSON"},
      {"{\"stringValue\":\"\xff\"}", "", "UTF-8"},
      {"{\"stringValue\":\"\xc3", "", "not JSON"},
      {"{}", "stringValue", "required"},
      {R"({"stringValue":null})", "stringValue", "required"},
      {R"({"stringvalue":"a"})", "stringValue", "required"},
      {R"({"stringValue":1})", "stringValue", "another JSON type"},
      {R"({"stringValue":{}})", "stringValue", "another JSON type"},
      {R"({"stringValue":"a","booleanValue":"true"})", "booleanValue", "another JSON type"},
      {R"({"stringValue":"a","booleanValue":1})", "booleanValue", "another JSON type"},
      {R"({"stringValue":"a","numericValue":9223372036854775808})", "numericValue", "outside the range of INT64"},
      {R"({"stringValue":"a","numericValue":1.5})", "numericValue", "more decimals"},
      {R"({"stringValue":"a","numericValue":"1 "})", "numericValue", "form of INT64"},
      {R"({"stringValue":"a","numericValue":true})", "numericValue", "another JSON type"},
      {R"({"stringValue":"a","numericValue":[1]})", "numericValue", "another JSON type"},
      {R"({"stringValue":"a","timestampValue":"2024-02-30T00:00:00Z"})", "timestampValue", "form of TIMESTAMP"},
      {R"({"stringValue":"a","timestampValue":"yesterday"})", "timestampValue", "form of TIMESTAMP"},
      {R"({"stringValue":"a","timestampValue":1700000000})", "timestampValue", "another JSON type"},
      {R"({"stringValue":"a","timestampValue":"2024-01-01T00:00:00.1234567891Z"})", "timestampValue", "TIMESTAMP"},
      {std::string("\0\0\0\0\x11{\"stringValue\":\"a\"}", 23), "", "schema id 17"},
  };
  for (const Poison& poison : poisons) {
    EXPECT_EQ(t.add(R"({"stringValue":"before"})"), "before NULL NULL NULL");
    const std::string said = t.add(poison.value);
    EXPECT_EQ(said.substr(0, said.find(':')), "!" + std::string(poison.column)) << poison.value << " " << said;
    EXPECT_NE(said.find(poison.reason), std::string::npos) << poison.value << " " << said;
    EXPECT_EQ(said.find("before"), std::string::npos);
    const data::Rejection& rejection = t.slices.back().rejections.back();
    EXPECT_EQ(rejection.raw, poison.value);
    EXPECT_EQ(rejection.position, "topic/3/" + std::to_string(t.next_offset - 1));
    EXPECT_EQ(t.add(R"({"stringValue":"after"})"), "after NULL NULL NULL");
  }
  // What is not asked for is only checked for its grammar.
  EXPECT_EQ(t.add(deep), "a NULL NULL NULL");
  EXPECT_EQ(t.slices.back().row_count(), poisons.size() * 2 + 1);
}

TEST(MessageRows, reads_every_type) {
  Type limited(TypeKind::kString);
  limited.max_length = 2;
  Table t(declare({{"n", TypeKind::kNumeric},
                   {"b", TypeKind::kBigNumeric},
                   {"f", TypeKind::kFloat64},
                   {"d", TypeKind::kDate},
                   {"t", TypeKind::kTime},
                   {"dt", TypeKind::kDatetime},
                   {"j", TypeKind::kJson},
                   {"y", TypeKind::kBytes},
                   {"a", Type::array(TypeKind::kInt64)},
                   {"s", Type::structure({{"x", TypeKind::kInt64}, {"l", Type::array(TypeKind::kString)}})},
                   {"as", Type::array(Type::structure({{"x", TypeKind::kInt64}}))},
                   {"l", limited}}));
  EXPECT_EQ(t.add(R"({"n":-12.5,"b":"1e-38","f":1e400000})"), "!f: the value is outside the range of FLOAT64");
  EXPECT_EQ(t.add(R"({"n":99999999999999999999999999999.999999999,"b":"1e-38","f":-0.1,"d":"2024-02-29",)"
                  R"("t":"23:59:59.9999999","dt":"2024-01-01 01:02:03","j":{"k": [1, "\u00e9"]},"y":"aGVp",)"
                  R"("a":[1,2],"s":{"l":["p","q"],"x":7,"z":1},"as":[{"x":1},{}],"l":"æø"})"),
            "99999999999999999999999999999.999999999 0.00000000000000000000000000000000000001 -0.10000000000000001 "
            "2024-02-29 23:59:59.999999 2024-01-01T01:02:03 {\"k\": [1, \"\\u00e9\"]} hei [1|2] (7,[p|q]) "
            "[(1)|(NULL)] æø");
  EXPECT_EQ(t.add(R"({"d":[2024,1,31],"t":[1,2,3,4000],"dt":[2024,1,31,5,6],"f":"NaN","a":null,"s":null,"j":null})"),
            "NULL NULL nan 2024-01-31 01:02:03.000004 2024-01-31T05:06:00 NULL NULL NULL NULL NULL NULL");
  EXPECT_EQ(t.add(R"({"a":[1,null]})"), "!a: an element is null, which an ARRAY cannot hold");
  EXPECT_EQ(t.add(R"({"s":{"l":["p","q"],"x":"y"}})"), "!s.x: the text does not have the form of INT64");
  EXPECT_EQ(t.add(R"({"as":[{"x":1},{"x":1.5}]})"), "!as.x: the value has more decimals than INT64 keeps");
  EXPECT_EQ(t.add(R"({"l":"æøå"})"), "!l: the value is longer than STRING(2) allows");
  EXPECT_EQ(t.add(R"({"y":"a"})"), "!y: the text does not have the form of BYTES");
  EXPECT_EQ(t.add(R"({"j":"\u0000"})").substr(0, 3), "!j:");
  EXPECT_EQ(t.add(R"({"j":1e400})").substr(0, 3), "!j:");
  EXPECT_EQ(t.add(R"({"dt":"2024-01-01T00:00:00Z"})"), "!dt: the text does not have the form of DATETIME");
  EXPECT_EQ(t.add(R"({"a":[3],"as":[{"x":3}],"s":{"x":3}})"),
            "NULL NULL NULL NULL NULL NULL NULL NULL [3] (3,NULL) [(3)] NULL");
}

TEST(MessageRows, the_last_of_equal_members_counts) {
  Table t(declare({{"a", TypeKind::kInt64},
                   {"l", Type::array(TypeKind::kString)},
                   {"s", Type::structure({{"x", TypeKind::kInt64}})}}));
  EXPECT_EQ(t.add(R"({"a":1,"l":["x","y"],"s":{"x":1,"x":2},"a":2,"l":["z"],"s":{"x":4}})"), "2 [z] (4)");
  EXPECT_EQ(t.add(R"({"a":1,"\u0061":null,"s":{"x":1},"s":{}})"), "NULL NULL (NULL)");
}

TEST(MessageRows, follows_its_settings) {
  PayloadSettings settings = recipe();
  settings.numbers_in_strings = false;
  settings.strict_times = true;
  settings.scalars_as_strings = true;
  settings.epoch_unit = EpochUnit::kMillis;
  settings.timestamp_column = settings.topic_column = false;
  Table t(settings);
  EXPECT_EQ(t.add(R"({"stringValue":{"a": 1},"timestampValue":-1.5})"),
            "{\"a\": 1} NULL NULL 1969-12-31T23:59:59.998500Z");
  EXPECT_EQ(t.add(R"({"stringValue":12,"numericValue":"1"})").substr(0, 14), "!numericValue:");
  EXPECT_EQ(t.add(R"({"stringValue":true,"timestampValue":"2024-01-01T00:00:00"})").substr(0, 16), "!timestampValue:");
  EXPECT_EQ(t.add(R"({"stringValue":true,"timestampValue":"2024-01-01T00:00:00Z"})"),
            "true NULL NULL 2024-01-01T00:00:00Z");
  EXPECT_EQ(t.shape.schema()->table.fields.size(), 6u);
}

TEST(MessageRows, keeps_members_without_a_column_in_the_rest) {
  PayloadSettings settings = declare({{"a", TypeKind::kInt64}});
  settings.unknown_fields = UnknownFields::kRest;
  Table t(settings);
  EXPECT_EQ(t.add(R"({"b":[1, 2],"a":1,"c":null,"q\"":"x","b":{"z":1}})"), R"(1 {"b":{"z":1},"c":null,"q\"":"x"})");
  EXPECT_EQ(t.add(R"({"a":1})"), "1 NULL");
  EXPECT_EQ(t.add(R"({"a":1,"b":"\u0000"})").substr(0, 2), "!:");
}

TEST(MessageRows, grows_by_nullable_columns) {
  Table t(PayloadSettings{}, nullptr, {{0, 0, {}, R"({"a":1,"s":{"x":1}})"}});
  EXPECT_EQ(t.columns(), "a INT64, s STRUCT<x INT64>");
  EXPECT_EQ(t.add(R"({"a":1,"n":null,"e":[]})"), "1 NULL");
  EXPECT_EQ(t.add(R"({"a":1,"b":"x","s":{"x":1,"y":[{"z":1.5}]},"d.e":1,"A":2,"2x":1,"næring":1})"),
            "1 (1,[(1.5)]) x 1 2 1 1");
  EXPECT_EQ(t.columns(),
            "a INT64, s STRUCT<x INT64, y ARRAY<STRUCT<z FLOAT64>>>, b STRING, d_e_c9089d26 INT64, A_c40bf6cc INT64, "
            "f2x_55f24157 INT64, næring INT64");
  EXPECT_EQ(t.slices.size(), 2u);
  EXPECT_EQ(t.shape.schema()->version.value, 2u);
  EXPECT_EQ(t.add(R"({"A":3,"d.e":4,"a":5})"), "5 NULL NULL 4 3 NULL NULL");
  // The table as it is now tells another process the same.
  Table again(PayloadSettings{}, t.shape.schema().get());
  EXPECT_EQ(again.add(R"({"A":3,"d.e":4,"a":5})"), "5 NULL NULL 4 3 NULL NULL");
  EXPECT_EQ(again.shape.schema()->version.value, 2u);
  // A value that the grown column does not take is refused, not adapted.
  EXPECT_EQ(again.add(R"({"b":1})"), "!b: the value has another JSON type than STRING takes");
  // Our own columns are not to be written from outside.
  EXPECT_EQ(again.add(R"({"_kafka_offset":"x"})").find("!"), std::string::npos);
  EXPECT_NE(again.columns().find("f_kafka_offset_"), std::string::npos);
}

TEST(MessageRows, refuses_what_no_column_can_be_made_for) {
  std::string wide = "{";
  for (std::size_t i = 0; i < kColumnsMax + 10; ++i) wide += (i ? ",\"c" : "\"c") + std::to_string(i) + "\":1";
  Table t(PayloadSettings{});
  EXPECT_EQ(t.add(wide + "}").substr(0, 18), "!: the field is ne");
  EXPECT_EQ(t.add(R"({"c1":5})").substr(0, 6), "NULL 5");
}

TEST(MessageRows, reads_texts_and_bytes) {
  PayloadSettings text;
  text.format = Format::kText;
  Table t(text);
  EXPECT_EQ(t.add("2024-01-01T00:00:00Z"), "2024-01-01T00:00:00Z");
  EXPECT_EQ(t.add(""), "");
  EXPECT_EQ(t.add(std::nullopt), "NULL");
  EXPECT_EQ(t.add("\xff"), "!value: the bytes are not UTF-8");
  text.fields = {{"at", TypeKind::kTimestamp, true}};
  Table canary(text);
  EXPECT_EQ(canary.add("2024-01-01T00:00:00.5+01:00[Europe/Oslo]"), "2023-12-31T23:00:00.500000Z");
  EXPECT_EQ(canary.add("x"), "!at: the text does not have the form of TIMESTAMP");
  EXPECT_EQ(canary.add(std::nullopt), "!at: the field is required, but null or missing");
  text.fields = {{"n", TypeKind::kNumeric}};
  EXPECT_EQ(Table(text).add("1.50"), "1.5");
  text.fields = {{"j", TypeKind::kJson}};
  EXPECT_EQ(Table(text).add("[1]"), "[1]");
  PayloadSettings bytes;
  bytes.format = Format::kBytes;
  EXPECT_EQ(Table(bytes).add(std::string_view("\0\xff", 2)), std::string("\0\xff", 2));
}

struct TwoHeaders : HeaderReader {
  std::vector<Header> read() const override { return {{"__value_schema_id", "x"}, {"empty", std::nullopt}}; }
};

TEST(MessageRows, brings_key_and_headers) {
  PayloadSettings settings = declare({{"a", TypeKind::kInt64}});
  settings.headers_column = true;
  settings.key_column = PayloadSettings::KeyColumn::kString;
  Table t(settings);
  const TwoHeaders headers;
  t.add(R"({"a":1})", "key", &headers);
  t.add(R"({"a":1})");
  const data::TableSlice& slice = t.slices.back();
  EXPECT_EQ(print_cell(slice.columns[5], 0), "key");
  EXPECT_EQ(print_cell(slice.columns[6], 0), "[(__value_schema_id,x)|(empty,NULL)]");
  EXPECT_EQ(print_cell(slice.columns[5], 1), "NULL");
  EXPECT_EQ(print_cell(slice.columns[6], 1), "[]");
  EXPECT_EQ(t.add(R"({"a":1})", "\xff"), "!_kafka_key: the bytes are not UTF-8");
  EXPECT_NE(t.add("\x01\x02", "k", &headers).find("__value_schema_id"), std::string::npos);
  EXPECT_EQ(slice.rejections.back().key, "k");
  EXPECT_EQ(slice.rejections.back().message_micros, 1'700'000'000'123'000);
  ASSERT_EQ(slice.rejections.back().message_headers.size(), 2u);
  EXPECT_EQ(slice.rejections.back().message_headers[0].second, "x");
  EXPECT_EQ(slice.rejections.back().message_headers[1].second, std::nullopt);
}

TEST(MessageRows, upserts_by_the_message_key) {
  PayloadSettings settings = declare({{"id", TypeKind::kInt64, true}, {"v", TypeKind::kString}});
  settings.is_upsert = true;
  Table whole(settings);
  EXPECT_EQ(whole.shape.schema()->table.key, (std::vector<std::uint32_t>{6}));
  EXPECT_EQ(whole.add(R"({"id":1,"v":"a"})", "k"), "1 a");
  EXPECT_EQ(whole.add(std::nullopt, "k"), "NULL NULL");
  EXPECT_EQ(whole.add(R"({"id":1})"), "!: the message has no key, which an upsert needs");
  const data::TableSlice& slice = whole.slices.back();
  EXPECT_EQ(slice.kinds, (std::vector<data::ChangeKind>{data::ChangeKind::kUpsert, data::ChangeKind::kDelete}));
  ASSERT_EQ(slice.sequences.size(), 2u);
  EXPECT_EQ(slice.sequences[1], data::Sequence::of(2, 77, 1));
  ASSERT_EQ(slice.rejections.size(), 1u);
  EXPECT_EQ(slice.rejections[0].sequence, data::Sequence::of(2, 77, 2));

  settings.key_fields = {"id"};
  Table fields(settings);
  EXPECT_EQ(fields.shape.schema()->table.key, (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(fields.add(R"({"id":99,"v":"a"})", R"({"id":7})"), "7 a");
  EXPECT_EQ(fields.add(R"({"v":"a"})", "8"), "8 a");
  EXPECT_EQ(fields.add(std::nullopt, "9"), "9 NULL");
  EXPECT_EQ(fields.add(R"({"v":"a"})", "x"), "!id: in the message's key: the text does not have the form of INT64");
  EXPECT_EQ(fields.add(R"({"v":"a"})", "{}"), "!id: in the message's key: the field is required, but null or missing");
  settings.fields[0].type = TypeKind::kString;
  Table texts(settings);
  EXPECT_EQ(texts.add("{}", R"("a\nb")"), "a\nb NULL");
  EXPECT_EQ(texts.add("{}", R"(plain "text")"), "plain \"text\" NULL");
  EXPECT_EQ(texts.add("{}", "12"), "12 NULL");
}

TEST(MessageRows, keeps_nothing_of_a_refused_message_when_told_so) {
  PayloadSettings settings = recipe();
  settings.keeps_raw = false;
  Table t(settings);
  t.add("secret", "key");
  EXPECT_EQ(t.slices.back().rejections.back().raw, "");
  EXPECT_EQ(t.slices.back().rejections.back().key, "");
}

}  // namespace
}  // namespace flytt::kafka
