#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "data/civil.h"
#include "data/column.h"
#include "data/decimal.h"
#include "data/schema.h"
#include "data/sequence.h"
#include "data/table_slice.h"
#include "data/utf8.h"

namespace flytt::data {
namespace {

std::string numeric_round_trip(std::string_view text) {
  Int128 scaled;
  return parse_numeric(text, scaled) == DecimalVerdict::kOk ? format_numeric(scaled) : "refused";
}
std::string bignumeric_round_trip(std::string_view text) {
  Int256 scaled;
  return parse_bignumeric(text, scaled) == DecimalVerdict::kOk ? format_bignumeric(scaled) : "refused";
}

TEST(Decimal, PlainTextWithoutTrailingZeros) {
  EXPECT_EQ(numeric_round_trip("0"), "0");
  EXPECT_EQ(numeric_round_trip("-0.000000001"), "-0.000000001");
  EXPECT_EQ(numeric_round_trip("12.500"), "12.5");
  EXPECT_EQ(numeric_round_trip("1.25e3"), "1250");
  EXPECT_EQ(numeric_round_trip("125e-2"), "1.25");
  EXPECT_EQ(numeric_round_trip("99999999999999999999999999999.999999999"), "99999999999999999999999999999.999999999");
  EXPECT_EQ(numeric_round_trip("100000000000000000000000000000"), "refused");
  EXPECT_EQ(bignumeric_round_trip("578960446186580977117854925043439539266.34992332820282019728792003956564819967"),
            "578960446186580977117854925043439539266.34992332820282019728792003956564819967");
  EXPECT_EQ(bignumeric_round_trip("-0.00000000000000000000000000000000000001"),
            "-0.00000000000000000000000000000000000001");
}

TEST(Decimal, NamesWhatIsWrong) {
  Int128 n;
  EXPECT_EQ(parse_numeric("1.0000000001", n), DecimalVerdict::kTooManyDecimals);
  EXPECT_EQ(parse_numeric("1.0000000000", n), DecimalVerdict::kOk);
  EXPECT_EQ(parse_numeric("NaN", n), DecimalVerdict::kNotANumber);
  EXPECT_EQ(parse_numeric("", n), DecimalVerdict::kNotANumber);
  EXPECT_EQ(parse_numeric("1.2.3", n), DecimalVerdict::kNotANumber);
  Int256 b;
  EXPECT_EQ(parse_bignumeric("1e60", b), DecimalVerdict::kOutOfRange);
}

TEST(Decimal, BytesRoundTripAndKeepOrder) {
  std::mt19937_64 random(7);
  std::vector<Int256> values;
  for (int i = 0; i < 400; ++i) {
    Int256 value{{random(), random(), random(), random()}};
    for (int limb = 3; limb > static_cast<int>(i % 4); --limb) value.limb[limb] = (i & 4) != 0 ? ~0ULL : 0;
    values.push_back(value);
  }
  for (const Int256& value : values) {
    char ordered[32], shortest[32];
    to_ordered_bytes(value, ordered);
    EXPECT_EQ(from_ordered_bytes(ordered), value);
    const std::size_t length = to_shortest_bytes(value, shortest);
    EXPECT_EQ(*from_shortest_bytes({shortest, length}), value);
    char other[32];
    to_ordered_bytes(values.front(), other);
    EXPECT_EQ(value < values.front(), std::memcmp(ordered, other, 32) < 0);
  }
  char minus_one[16];
  EXPECT_EQ(to_shortest_bytes(static_cast<Int128>(-1), minus_one), 1u);
  EXPECT_EQ(minus_one[0], '\xff');
}

TEST(Civil, EveryDayRoundTrips) {
  for (std::int64_t day = kDateMin; day <= kDateMax; day += 97) {
    const std::string text = format_date(day);
    EXPECT_EQ(parse_date(text), day) << text;
  }
  EXPECT_EQ(format_date(kDateMin), "0001-01-01");
  EXPECT_EQ(format_date(kDateMax), "9999-12-31");
  EXPECT_EQ(parse_date("2023-02-29"), std::nullopt);
}

TEST(Civil, TextsAndPackedForms) {
  const std::int64_t micros = *parse_datetime("1969-12-31T23:59:59.000001");
  EXPECT_EQ(micros, -999'999);
  EXPECT_EQ(format_datetime(micros), "1969-12-31T23:59:59.000001");
  EXPECT_EQ(unpack_datetime(pack_datetime(micros)), micros);
  EXPECT_EQ(parse_timestamp("2024-02-29 12:00:00.5+02"), *parse_datetime("2024-02-29 10:00:00.5"));
  EXPECT_EQ(parse_timestamp("2024-02-29 12:00:00 UTC"), *parse_datetime("2024-02-29 12:00:00"));
  EXPECT_EQ(unpack_time(pack_time(86'399'999'999)), 86'399'999'999);
  EXPECT_EQ(unpack_time(25LL << 32), std::nullopt);
  EXPECT_EQ(unpack_datetime((2023LL << 46) | (2LL << 42) | (30LL << 37)), std::nullopt);
}

TEST(Civil, IntervalText) {
  const Interval interval{-14, 3, -3'600'000'001};
  EXPECT_EQ(format_interval(interval), "-1-2 3 -1:0:0.000001");
  EXPECT_EQ(parse_interval(format_interval(interval)), interval);
  EXPECT_EQ(format_interval({}), "0-0 0 0:0:0");
}

TEST(Sequence, SectionsOrderLikeBits) {
  const Sequence a = Sequence::of(1, 0x16B3748, 3), b = Sequence::of(1, 0x16B3749, 0), c = Sequence::of(2, 0, 0);
  EXPECT_EQ(a.sections(), "1/16B3748/3");
  EXPECT_TRUE(a < b);
  EXPECT_TRUE(b < c);
  EXPECT_EQ(*Sequence::parse_sections("1/16b3748/3"), a);
  EXPECT_EQ(Sequence::parse_sections("1/2"), std::nullopt);
  EXPECT_EQ(Sequence::parse_sections("10000/2/3"), std::nullopt);
}

TEST(Utf8, RefusesWhatTheStandardRefuses) {
  EXPECT_TRUE(is_valid_utf8("blåbærsyltetøy 12345678 \xF0\x9F\x98\x80"));
  EXPECT_FALSE(is_valid_utf8("\xC0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xF4\x90\x80\x80"));
  EXPECT_FALSE(is_valid_utf8("abcdefgh\xE2\x82"));
}

TEST(Column, NestedCellsCopyAndPop) {
  const Type type = Type::array(Type::structure({{"a", TypeKind::kInt64}, {"b", TypeKind::kString}}));
  Column column(type), copy(type);
  Column& element = column.children()[0];
  element.children()[0].append_int64(1);
  element.children()[1].append_bytes("one");
  element.close_struct();
  element.append_null();
  column.close_list();
  column.append_null();
  copy.append_from(column, 0);
  copy.append_from(column, 1);
  EXPECT_EQ(copy.list_end(0), 2u);
  EXPECT_EQ(copy.children()[0].children()[1].bytes(0), "one");
  EXPECT_TRUE(copy.children()[0].is_null(1));
  EXPECT_TRUE(copy.is_null(1));
  copy.pop_back();
  copy.pop_back();
  EXPECT_EQ(copy.size(), 0u);
  EXPECT_EQ(copy.children()[0].size(), 0u);
  EXPECT_FALSE(copy.has_nulls());
}

TEST(Type, Names) {
  Type numeric(TypeKind::kNumeric);
  numeric.precision = 10;
  numeric.scale = 2;
  EXPECT_EQ(Type::array(Type::structure({{"a", TypeKind::kInt64}, {"", numeric}})).sql_name(),
            "ARRAY<STRUCT<a INT64, NUMERIC(10, 2)>>");
  EXPECT_EQ(*parse_type_kind("integer"), TypeKind::kInt64);
  EXPECT_FALSE(parse_type_kind("VARCHAR"));
}

TEST(TableSchema, FindsColumnsWithoutCase) {
  TableSchema schema{{{"Id", TypeKind::kInt64}, {"navn", TypeKind::kString}}, {0}};
  EXPECT_EQ(schema.find("ID"), 0u);
  EXPECT_EQ(schema.find("x"), std::nullopt);
  EXPECT_TRUE(schema.is_key(0));
}

}  // namespace
}  // namespace flytt::data
