#include "postgres/types.h"

#include <gtest/gtest.h>

#include "postgres/internal/cell_print.h"
#include "postgres/internal/codec.h"

namespace flytt::postgres {
namespace {

using namespace std::string_literals;

SourceType builtin(const char* name, std::int32_t modifier = -1, char kind = 'b') {
  SourceType type;
  type.base.schema = "pg_catalog";
  type.base.name = name;
  type.base.kind = kind;
  type.modifier = modifier;
  return type;
}

SourceType array_of(const char* name) {
  SourceType type = builtin("_x");
  type.is_array = true;
  type.element.schema = "pg_catalog";
  type.element.name = name;
  return type;
}

std::int32_t numeric_modifier(int precision, int scale) { return ((precision << 16) | (scale & 0x7FF)) + 4; }

std::string binary(const SourceType& type, const std::string& bytes) {
  const Codec codec = make_codec(type, {});
  data::Column column(codec.type);
  const Verdict verdict = decode_binary(codec, bytes, column);
  if (verdict != Verdict::kOk) {
    EXPECT_EQ(column.size(), 0u);
    return "refused: " + std::string(sentence(verdict));
  }
  EXPECT_EQ(column.size(), 1u);
  return print_cell(column, 0);
}

TEST(Types, follow_the_table) {
  const auto sql_name = [](const SourceType& type) { return map_type(type).type.sql_name(); };
  EXPECT_EQ(sql_name(builtin("int2")), "INT64");
  EXPECT_EQ(sql_name(builtin("oid")), "INT64");
  EXPECT_EQ(sql_name(builtin("float4")), "FLOAT64");
  EXPECT_EQ(sql_name(builtin("numeric")), "BIGNUMERIC");
  EXPECT_EQ(sql_name(builtin("numeric", numeric_modifier(38, 9))), "NUMERIC");
  EXPECT_EQ(sql_name(builtin("numeric", numeric_modifier(39, 9))), "BIGNUMERIC");
  EXPECT_EQ(sql_name(builtin("numeric", numeric_modifier(10, 10))), "BIGNUMERIC");
  EXPECT_EQ(sql_name(builtin("numeric", numeric_modifier(5, -3))), "NUMERIC");
  EXPECT_EQ(sql_name(builtin("numeric", numeric_modifier(1000, 0))), "BIGNUMERIC");
  EXPECT_EQ(sql_name(builtin("money")), "NUMERIC");
  EXPECT_EQ(sql_name(builtin("timestamp")), "DATETIME");
  EXPECT_EQ(sql_name(builtin("timestamptz")), "TIMESTAMP");
  EXPECT_EQ(sql_name(builtin("jsonb")), "JSON");
  EXPECT_EQ(sql_name(builtin("interval")), "INTERVAL");
  EXPECT_EQ(sql_name(builtin("tsvector")), "STRING");
  EXPECT_EQ(sql_name(builtin("int4range", -1, 'r')), "STRING");
  EXPECT_EQ(sql_name(builtin("mood", -1, 'e')), "STRING");
  EXPECT_EQ(sql_name(array_of("int4")), "ARRAY<INT64>");
  EXPECT_EQ(sql_name(array_of("uuid")), "ARRAY<STRING>");
  EXPECT_FALSE(map_type(builtin("tsvector")).binary);
  EXPECT_TRUE(map_type(builtin("mood", -1, 'e')).binary);
  EXPECT_FALSE(map_type(array_of("box")).binary);
  EXPECT_TRUE(map_type(array_of("text")).binary);
}

TEST(Types, of_the_same_name_in_another_schema_are_text) {
  SourceType own = builtin("int4");
  own.base.schema = "app";
  EXPECT_EQ(map_type(own).type.sql_name(), "STRING");
  SourceType citext = builtin("citext");
  citext.base.schema = "public";
  EXPECT_TRUE(map_type(citext).binary);
  SourceType vector = builtin("vector");
  vector.base.schema = "public";
  EXPECT_EQ(map_type(vector).type.sql_name(), "ARRAY<FLOAT64>");
}

TEST(Types, keys_are_what_bigquery_allows) {
  for (const char* name : {"int8", "text", "bytea", "bool", "numeric", "date", "timestamp", "timestamptz", "uuid"})
    EXPECT_TRUE(map_type(builtin(name)).key_allowed) << name;
  for (const char* name : {"float8", "time", "interval", "jsonb"})
    EXPECT_FALSE(map_type(builtin(name)).key_allowed) << name;
  EXPECT_FALSE(map_type(array_of("int4")).key_allowed);
}

TEST(Types, the_reference_page_names_every_rule) {
  const std::string page = type_table_markdown();
  EXPECT_NE(page.find("| numeric(p,s), p−s ≤ 29 and s ≤ 9 | NUMERIC | NaN, ±Infinity: Q |\n"), page.npos);
  EXPECT_NE(page.find("| anything else | STRING | PostgreSQL's text form |\n"), page.npos);
  EXPECT_EQ(page.find("|  |"), page.npos);
}

TEST(BinaryValues, golden_bytes) {
  EXPECT_EQ(binary(builtin("int2"), "\xFF\xFE"s), "-2");
  EXPECT_EQ(binary(builtin("int4"), "\x80\0\0\0"s), "-2147483648");
  EXPECT_EQ(binary(builtin("int8"), "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s), "9223372036854775807");
  EXPECT_EQ(binary(builtin("oid"), "\xFF\xFF\xFF\xFF"s), "4294967295");
  EXPECT_EQ(binary(builtin("float4"), "\x3F\x80\0\0"s), "1");
  EXPECT_EQ(binary(builtin("float8"), "\x7F\xF0\0\0\0\0\0\0"s), "inf");
  EXPECT_EQ(binary(builtin("bool"), "\1"s), "true");
  EXPECT_EQ(binary(builtin("uuid"), "\xA0\xEE\xBC\x99\x9C\x0B\x4E\xF8\xBB\x6D\x6B\xB9\xBD\x38\x0A\x11"s),
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
  EXPECT_EQ(binary(builtin("date"), "\0\0\x22\x79"s), "2024-02-29");
  EXPECT_EQ(binary(builtin("time"), "\0\0\0\0\0\x0F\x42\x40"s), "00:00:01");
  EXPECT_EQ(binary(builtin("jsonb"), "\1{\"a\": 1}"s), "{\"a\": 1}");
  EXPECT_EQ(binary(array_of("int4"), "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\7\0\0\0\4\0\0\0\x08"s),
            "[7|8]");
  EXPECT_EQ(binary(array_of("int4"), "\0\0\0\0\0\0\0\0\0\0\0\x17"s), "[]");
  // 12345.678 = digits 1, 2345, 6780 with weight 1 and display scale 3
  const std::string number = "\0\3\0\1\0\0\0\3\0\1\x09\x29\x1A\x7C"s;
  EXPECT_EQ(binary(builtin("numeric"), number), "12345.678");
  EXPECT_EQ(binary(builtin("numeric", numeric_modifier(10, 3)), number), "12345.678");
}

TEST(BinaryValues, that_do_not_fit_are_refused) {
  EXPECT_EQ(binary(builtin("date"), "\x7F\xFF\xFF\xFF"s), "refused: " + std::string(sentence(Verdict::kNotFinite)));
  EXPECT_EQ(binary(builtin("numeric"), "\0\0\0\0\xC0\0\0\0"s),
            "refused: " + std::string(sentence(Verdict::kNotFinite)));
  EXPECT_EQ(binary(builtin("time"), "\0\0\0\x14\x1D\xD7\x60\0"s),
            "refused: " + std::string(sentence(Verdict::kMidnight)));
  EXPECT_EQ(binary(array_of("int4"), "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\7\xFF\xFF\xFF\xFF"s),
            "refused: " + std::string(sentence(Verdict::kNullElement)));
  EXPECT_EQ(binary(array_of("int4"), "\0\0\0\2\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\7"s),
            "refused: " + std::string(sentence(Verdict::kDimensions)));
}

TEST(BinaryValues, every_cut_of_a_value_is_malformed_and_appends_nothing) {
  const std::pair<SourceType, std::string> whole[] = {
      {builtin("int4"), "\0\0\0\1"s},
      {builtin("numeric"), "\0\3\0\1\0\0\0\3\0\1\x09\x29\x1A\x7C"s},
      {builtin("uuid"), std::string(16, 'x')},
      {builtin("interval"), std::string(16, '\0')},
      {builtin("timestamptz"), std::string(8, '\0')},
      {builtin("inet"), "\2\x20\0\4\x7F\0\0\1"s},
      {array_of("int4"), "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\7\0\0\0\4\0\0\0\x08"s}};
  for (const auto& [type, bytes] : whole) {
    EXPECT_EQ(binary(type, bytes).find("refused"), std::string::npos) << type.base.name;
    for (std::size_t length = 0; length < bytes.size(); ++length)
      EXPECT_EQ(binary(type, bytes.substr(0, length)), "refused: " + std::string(sentence(Verdict::kMalformed)))
          << type.base.name << " cut at " << length;
  }
}

TEST(Json, is_refused_exactly_where_bigquery_refuses) {
  for (const char* good : {"{}", "[1, -2.5, 1e10, 9223372036854775807, 18446744073709551615, -9223372036854775808]",
                           R"("\ud83d\ude00 \\u0000")", "0.1", "1E+2", "-0", "1.10", "100000000000000000000", "0e-400",
                           "\"\\u00e6 { [ 1e999\"", "123456789012345680000"})
    EXPECT_EQ(check_json(good), Verdict::kOk) << good;
  for (const char* number : {"[1e400]", "123456789012345678901", "0.1000000000000000055511151231257827",
                             "{\"a\": -1e-400}", "18446744073709551617"})
    EXPECT_EQ(check_json(number), Verdict::kJsonNumber) << number;
  for (const char* character : {R"("\u0000")", R"("\ud83d")", R"("\ude00\ud83d")", R"("\ud83dx")"})
    EXPECT_EQ(check_json(character), Verdict::kJsonCharacter) << character;
  EXPECT_EQ(check_json(std::string(500, '[') + std::string(500, ']')), Verdict::kOk);
  EXPECT_EQ(check_json(std::string(501, '[') + std::string(501, ']')), Verdict::kJsonDepth);
  for (const char* broken : {"\"abc", "\"\\", "\"\\u12", "[", "]"})
    EXPECT_EQ(check_json(broken), Verdict::kMalformed) << broken;
}

}  // namespace
}  // namespace flytt::postgres
