#include "wire/row_decoder.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include "wire/decoded_columns.h"
#include "wire/internal/json_check.h"
#include "wire/internal/proto_bytes.h"

namespace flytt::wire {
namespace {

namespace pb = google::protobuf;
using data::Type;
using data::TypeKind;

std::string descriptor(const std::string& text) {
  pb::DescriptorProto out;
  EXPECT_TRUE(pb::TextFormat::ParseFromString(text, &out));
  return out.SerializeAsString();
}

// `field { name: … }` lines of one optional scalar.
std::string scalar(const std::string& name, int number, const std::string& type, const std::string& more = "") {
  return "field { name: \"" + name + "\" number: " + std::to_string(number) + " label: LABEL_OPTIONAL type: TYPE_" +
         type + " " + more + " }";
}

data::TableSchema table_of(std::vector<data::Field> fields) { return data::TableSchema{std::move(fields), {}}; }

// One request of rows and what a decoder makes of it.
struct Decoded {
  Decoded(const std::string& descriptor_bytes, const data::TableSchema& t, const std::vector<std::string>& rows)
      : table(t), columns(t, rows.size()) {
    auto made = RowDecoder::make(descriptor_bytes, table);
    EXPECT_TRUE(made) << made.error().text();
    if (!made) return;
    for (const std::string& row : rows) append_bytes_field(request, 1, row);
    auto serialized = SerializedRows::make(request);
    EXPECT_TRUE(serialized);
    count = made->decode(*serialized, rows.size(), columns.targets(), 0, changes, arena, errors);
    EXPECT_EQ(count, rows.size());
  }
  data::Column column(std::size_t index) const {
    data::Column out(table.fields[index].type);
    columns.copy_to(index, count, out);
    return out;
  }
  std::string error() const { return errors.empty() ? "" : errors.front().message; }

  data::TableSchema table;
  DecodedColumns columns;
  std::string request;
  std::size_t count = 0;
  RowChanges changes;
  CellArena arena;
  std::vector<RowError> errors;
};

std::string varint_field(std::uint32_t number, std::uint64_t value) {
  std::string out;
  append_tag(out, number, WireType::kVarint);
  append_varint(out, value);
  return out;
}
std::string bytes_field(std::uint32_t number, std::string_view value) {
  std::string out;
  append_bytes_field(out, number, value);
  return out;
}

// Decodes one value that stands in field 1 of proto type `proto`.
Decoded one(const Type& column, const std::string& proto, const std::string& row, const std::string& more = "") {
  return Decoded(descriptor("name: \"Row\" " + scalar("c", 1, proto, more)), table_of({{"c", column, false, ""}}),
                 {row});
}

TEST(RowDecoder, IntegersOfEveryProtoType) {
  const Type int64(TypeKind::kInt64);
  std::string fixed32, fixed64;
  append_tag(fixed32, 1, WireType::kFixed32);
  fixed32 += std::string("\xFE\xFF\xFF\xFF", 4);
  append_tag(fixed64, 1, WireType::kFixed64);
  fixed64 += std::string("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8);
  EXPECT_EQ(one(int64, "INT64", varint_field(1, static_cast<std::uint64_t>(-2))).column(0).int64(0), -2);
  EXPECT_EQ(one(int64, "INT32", varint_field(1, static_cast<std::uint64_t>(-2))).column(0).int64(0), -2);
  EXPECT_EQ(one(int64, "UINT32", varint_field(1, 0xFFFFFFFE)).column(0).int64(0), 0xFFFFFFFELL);
  EXPECT_EQ(one(int64, "SINT64", varint_field(1, 3)).column(0).int64(0), -2);
  EXPECT_EQ(one(int64, "SINT32", varint_field(1, 3)).column(0).int64(0), -2);
  EXPECT_EQ(one(int64, "SFIXED32", fixed32).column(0).int64(0), -2);
  EXPECT_EQ(one(int64, "FIXED32", fixed32).column(0).int64(0), 0xFFFFFFFELL);
  EXPECT_EQ(one(int64, "SFIXED64", fixed64).column(0).int64(0), -2);
  EXPECT_TRUE(one(Type(TypeKind::kBool), "UINT64", varint_field(1, 17)).column(0).boolean(0));
  EXPECT_FALSE(one(Type(TypeKind::kBool), "INT32", varint_field(1, 0)).column(0).boolean(0));
}

TEST(RowDecoder, DecimalsFromEveryForm) {
  const auto numeric = [](const std::string& proto, const std::string& row) {
    const Decoded decoded = one(Type(TypeKind::kNumeric), proto, row);
    return decoded.errors.empty() ? data::format_numeric(decoded.column(0).int128(0)) : "refused";
  };
  const auto bignumeric = [](const std::string& proto, const std::string& row) {
    const Decoded decoded = one(Type(TypeKind::kBigNumeric), proto, row);
    return decoded.errors.empty() ? data::format_bignumeric(decoded.column(0).int256(0)) : "refused";
  };
  std::string half;
  append_tag(half, 1, WireType::kFixed64);
  half += std::string("\0\0\0\0\0\0\xE0\xBF", 8);  // -0.5
  EXPECT_EQ(numeric("DOUBLE", half), "-0.5");
  EXPECT_EQ(bignumeric("DOUBLE", half), "-0.5");
  EXPECT_EQ(numeric("STRING", bytes_field(1, "-12.50")), "-12.5");
  EXPECT_EQ(numeric("STRING", bytes_field(1, "1.0000000005")), "1.000000001");
  EXPECT_EQ(numeric("STRING", bytes_field(1, "-9.9999999999")), "-10");
  EXPECT_EQ(numeric("STRING", bytes_field(1, "abc")), "refused");
  EXPECT_EQ(numeric("STRING", bytes_field(1, "1e40")), "refused");
  EXPECT_EQ(numeric("INT64", varint_field(1, static_cast<std::uint64_t>(-7))), "-7");
  EXPECT_EQ(numeric("UINT64", varint_field(1, ~0ULL)), "18446744073709551615");
  EXPECT_EQ(bignumeric("UINT64", varint_field(1, ~0ULL)), "18446744073709551615");
  EXPECT_EQ(numeric("BYTES", bytes_field(1, std::string("\x00\xCA\x9A\x3B", 4))), "1");
  EXPECT_EQ(numeric("BYTES", bytes_field(1, "")), "refused");
  EXPECT_EQ(numeric("BYTES", bytes_field(1, std::string(16, '\x7F'))), "refused");
  EXPECT_EQ(bignumeric("BYTES", bytes_field(1, std::string(33, '\x01'))), "refused");
}

TEST(RowDecoder, ColumnParametersAreEnforced) {
  Type short_text(TypeKind::kString);
  short_text.max_length = 3;
  EXPECT_EQ(one(short_text, "STRING", bytes_field(1, "æøå")).error(), "");
  EXPECT_NE(one(short_text, "STRING", bytes_field(1, "abcd")).error(), "");
  Type price(TypeKind::kNumeric);
  price.precision = 5;
  price.scale = 2;
  EXPECT_EQ(data::format_numeric(one(price, "STRING", bytes_field(1, "-999.994")).column(0).int128(0)), "-999.99");
  EXPECT_NE(one(price, "STRING", bytes_field(1, "999.995")).error(), "");
  Type big = price;
  big.kind = TypeKind::kBigNumeric;
  EXPECT_EQ(data::format_bignumeric(one(big, "STRING", bytes_field(1, "1.005")).column(0).int256(0)), "1.01");
  EXPECT_NE(one(big, "STRING", bytes_field(1, "1000")).error(), "");
}

TEST(RowDecoder, CivilTimeFromTextAndPackedNumbers) {
  EXPECT_EQ(one(Type(TypeKind::kDate), "STRING", bytes_field(1, "1970-01-02")).column(0).int64(0), 1);
  EXPECT_EQ(one(Type(TypeKind::kDate), "INT64", varint_field(1, 1)).column(0).int64(0), 1);
  EXPECT_NE(one(Type(TypeKind::kDate), "INT32", varint_field(1, 2'932'897)).error(), "");
  EXPECT_NE(one(Type(TypeKind::kDate), "STRING", bytes_field(1, "1970-02-30")).error(), "");
  EXPECT_EQ(one(Type(TypeKind::kDatetime), "STRING", bytes_field(1, "1970-01-01T00:00:01")).column(0).int64(0),
            1'000'000);
  EXPECT_EQ(one(Type(TypeKind::kTime), "INT64", varint_field(1, 1ULL << 32)).column(0).int64(0), 3'600'000'000);
  EXPECT_NE(one(Type(TypeKind::kTime), "INT64", varint_field(1, 24ULL << 32)).error(), "");
  EXPECT_NE(one(Type(TypeKind::kTimestamp), "INT64", varint_field(1, INT64_MAX)).error(), "");
  EXPECT_EQ(one(Type(TypeKind::kInterval), "STRING", bytes_field(1, "1-2 3 4:5:6")).column(0).interval(0),
            (data::Interval{14, 3, 14'706'000'000}));
  EXPECT_NE(one(Type(TypeKind::kInterval), "STRING", bytes_field(1, "soon")).error(), "");
}

TEST(RowDecoder, WellKnownMessages) {
  const std::string seconds = varint_field(1, 2) + varint_field(2, 5'000);
  EXPECT_EQ(
      one(Type(TypeKind::kTimestamp), "MESSAGE", bytes_field(1, seconds), "type_name: \".google.protobuf.Timestamp\"")
          .column(0)
          .int64(0),
      2'000'005);
  EXPECT_EQ(
      one(Type(TypeKind::kInterval), "MESSAGE", bytes_field(1, seconds), "type_name: \"google.protobuf.Duration\"")
          .column(0)
          .interval(0),
      (data::Interval{0, 0, 2'000'005}));
  pb::Int64Value wrapped;
  wrapped.set_value(-9);
  EXPECT_EQ(one(Type(TypeKind::kInt64), "MESSAGE", bytes_field(1, wrapped.SerializeAsString()),
                "type_name: \".google.protobuf.Int64Value\"")
                .column(0)
                .int64(0),
            -9);
  EXPECT_EQ(one(Type(TypeKind::kInt64), "MESSAGE", bytes_field(1, ""), "type_name: \".google.protobuf.Int64Value\"")
                .column(0)
                .int64(0),
            0);
  EXPECT_EQ(one(Type(TypeKind::kString), "MESSAGE", bytes_field(1, ""), "type_name: \".google.protobuf.StringValue\"")
                .column(0)
                .bytes(0),
            "");
}

TEST(RowDecoder, EnumsBecomeNamesOrNumbers) {
  const std::string enums =
      "enum_type { name: \"Colour\" value { name: \"RED\" number: 0 } value { name: \"A_VERY_LONG_COLOUR\" number: 5 } "
      "}";
  const std::string text = "name: \"Row\" " + enums + scalar("c", 1, "ENUM", "type_name: \".some.package.Row.Colour\"");
  EXPECT_EQ(Decoded(descriptor(text), table_of({{"c", Type(TypeKind::kString), false, ""}}), {varint_field(1, 5)})
                .column(0)
                .bytes(0),
            "A_VERY_LONG_COLOUR");
  EXPECT_EQ(Decoded(descriptor(text), table_of({{"C", Type(TypeKind::kInt64), false, ""}}), {varint_field(1, 5)})
                .column(0)
                .int64(0),
            5);
  EXPECT_NE(
      Decoded(descriptor(text), table_of({{"c", Type(TypeKind::kString), false, ""}}), {varint_field(1, 6)}).error(),
      "");
}

TEST(RowDecoder, TextMustBeUtf8AndJsonMustBeJson) {
  EXPECT_EQ(one(Type(TypeKind::kString), "STRING", bytes_field(1, "\xC3\x28")).error(),
            "Field c: the value is not valid UTF-8");
  EXPECT_EQ(one(Type(TypeKind::kBytes), "STRING", bytes_field(1, "\xC3\x28")).column(0).bytes(0), "\xC3\x28");
  EXPECT_EQ(one(Type(TypeKind::kJson), "STRING", bytes_field(1, "{\"a\": 1}")).error(), "");
  EXPECT_NE(one(Type(TypeKind::kJson), "STRING", bytes_field(1, "{\"a\": 1")).error(), "");
}

TEST(RowDecoder, StructsListsAndTheirAbsence) {
  const Type address =
      Type::structure({{"street", Type(TypeKind::kString)}, {"tags", Type::array(Type(TypeKind::kInt64))}});
  const std::string text =
      "name: \"Row\" nested_type { name: \"Address\" " + scalar("Street", 1, "STRING") +
      "field { name: \"tags\" number: 2 label: LABEL_REPEATED type: TYPE_INT64 } }" +
      scalar("home", 3, "MESSAGE", "type_name: \"Address\"") +
      "field { name: \"others\" number: 70000 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: \".Row.Address\" }";
  const auto table = table_of({{"home", address, false, ""}, {"others", Type::array(address), false, ""}});
  const std::string packed = bytes_field(1, "Storgata") + bytes_field(2, "\x01\x02") + varint_field(2, 3);
  const Decoded decoded(
      descriptor(text), table,
      {bytes_field(70000, packed) + bytes_field(3, packed) + bytes_field(70000, ""), "", bytes_field(3, "")});
  ASSERT_TRUE(decoded.errors.empty()) << decoded.error();
  const data::Column home = decoded.column(0), others = decoded.column(1);
  EXPECT_EQ(home.children()[0].bytes(0), "Storgata");
  EXPECT_EQ(home.children()[1].list_end(0) - home.children()[1].list_begin(0), 3U);
  EXPECT_EQ(home.children()[1].children()[0].int64(2), 3);
  EXPECT_TRUE(home.is_null(1));
  EXPECT_TRUE(home.children()[0].is_null(1));
  EXPECT_FALSE(home.is_null(2));
  EXPECT_TRUE(home.children()[0].is_null(2));
  EXPECT_EQ(others.list_end(0), 2U);
  EXPECT_TRUE(others.children()[0].children()[0].is_null(1));
  EXPECT_EQ(others.list_end(1) - others.list_begin(1), 0U);
}

TEST(RowDecoder, MessagePartsAreJoinedAsProtobufDoes) {
  const Type pair = Type::structure(
      {{"a", Type(TypeKind::kInt64)}, {"b", Type(TypeKind::kInt64)}, {"l", Type::array(Type(TypeKind::kInt64))}});
  const std::string text = "name: \"Row\" nested_type { name: \"Pair\" " + scalar("a", 1, "INT64") +
                           scalar("b", 2, "INT64") +
                           "field { name: \"l\" number: 3 label: LABEL_REPEATED type: TYPE_INT64 } }" +
                           scalar("p", 1, "MESSAGE", "type_name: \"Pair\"");
  const std::string row = bytes_field(1, varint_field(1, 1) + varint_field(3, 10)) +
                          bytes_field(1, varint_field(2, 2) + varint_field(3, 11)) + bytes_field(1, varint_field(1, 5));
  const Decoded decoded(descriptor(text), table_of({{"p", pair, false, ""}}), {row});
  ASSERT_TRUE(decoded.errors.empty());
  const data::Column column = decoded.column(0);
  EXPECT_EQ(column.children()[0].int64(0), 5);
  EXPECT_EQ(column.children()[1].int64(0), 2);
  ASSERT_EQ(column.children()[2].list_end(0), 2U);
  EXPECT_EQ(column.children()[2].children()[0].int64(1), 11);
  std::string many;
  for (int i = 0; i < 100; ++i) many += bytes_field(1, "");
  EXPECT_NE(Decoded(descriptor(text), table_of({{"p", pair, false, ""}}), {many}).error(), "");
}

TEST(RowDecoder, RequiredColumnsExceptThoseOfADelete) {
  data::TableSchema table =
      table_of({{"id", Type(TypeKind::kInt64), true, ""}, {"name", Type(TypeKind::kString), true, ""}});
  table.key = {0};
  const std::string text = "name: \"Row\" " + scalar("id", 1, "INT64") + scalar("name", 2, "STRING") +
                           scalar("_CHANGE_TYPE", 3, "STRING") + scalar("_CHANGE_SEQUENCE_NUMBER", 4, "STRING");
  const Decoded decoded(descriptor(text), table,
                        {varint_field(1, 1) + bytes_field(3, "DELETE"), varint_field(1, 1) + bytes_field(3, "UPSERT"),
                         bytes_field(2, "x") + bytes_field(3, "DELETE"), bytes_field(3, "REPLACE"),
                         varint_field(1, 1) + bytes_field(2, "x")});
  ASSERT_EQ(decoded.errors.size(), 3U);
  EXPECT_EQ(decoded.errors[0].index, 1U);
  EXPECT_EQ(decoded.errors[0].message, "Field name: Missing required field");
  EXPECT_EQ(decoded.errors[1].index, 2U);
  EXPECT_EQ(decoded.errors[1].message, "Field id: Missing required field");
  EXPECT_EQ(decoded.errors[2].message, "Field _CHANGE_TYPE: The given value is not a valid CHANGE_TYPE");
  EXPECT_EQ(decoded.changes.types[0], ChangeType::kDelete);
  EXPECT_EQ(decoded.changes.types[4], ChangeType::kUnset);
}

TEST(RowDecoder, SequencesInAllLegalForms) {
  const std::string text = "name: \"Row\" " + scalar("id", 1, "INT64") + scalar("_CHANGE_SEQUENCE_NUMBER", 4, "STRING");
  const auto table = table_of({{"id", Type(TypeKind::kInt64), false, ""}});
  const auto row = [](std::string_view sequence) { return bytes_field(4, sequence); };
  const Decoded decoded(
      descriptor(text), table,
      {row("1/16b3748/3"), row("0000000000000001/00000000016B3748/0000000000000003"), row("FFF"), row("1/2/3/4"),
       row("G"), row(""), "", row("1/16b3748/3"), row("12345678901234567"), row("1//2"), row("1/2/")});
  ASSERT_EQ(decoded.errors.size(), 5U);
  EXPECT_EQ(decoded.errors[0].index, 4U);
  EXPECT_EQ(decoded.errors[1].index, 5U);
  EXPECT_EQ(decoded.errors[2].index, 8U);
  const data::Sequence expected = data::Sequence::of(1, 0x16B3748, 3);
  EXPECT_EQ(decoded.changes.sequences[0], expected);
  EXPECT_EQ(decoded.changes.sequences[1], expected);
  EXPECT_EQ(decoded.changes.sequences[7], expected);
  EXPECT_EQ(decoded.changes.has_sequence[6], 0);
  ASSERT_EQ(decoded.changes.long_sequences.size(), 2U);
  EXPECT_EQ(decoded.changes.long_sequences[0].row, 2U);
  EXPECT_EQ(decoded.changes.long_sequences[1].text, "1/2/3/4");
}

TEST(RowDecoder, OrderOfSequencesIsThatOfBigQuery) {
  // From the documentation of change data capture.
  EXPECT_GT(*ordered_sequence_bytes("FFF/ABC"), *ordered_sequence_bytes("FFF/B"));
  EXPECT_GT(*ordered_sequence_bytes("ABC"), *ordered_sequence_bytes("BA/FFFFFFFF"));
  EXPECT_GT(*ordered_sequence_bytes("FFF/ABC"), *ordered_sequence_bytes("ABC"));
  EXPECT_GT(*ordered_sequence_bytes("FFF/0"), *ordered_sequence_bytes("fff"));
  EXPECT_FALSE(ordered_sequence_bytes("1/2/3/4/5"));
}

std::string schema_failure(const std::string& text, const data::TableSchema& table) {
  auto made = RowDecoder::make(descriptor(text), table);
  return made ? "" : made.error().text();
}

TEST(RowDecoder, SchemasThatDoNotFit) {
  const auto table = table_of({{"a", Type(TypeKind::kInt64), false, ""}, {"b", Type(TypeKind::kString), true, ""}});
  EXPECT_EQ(schema_failure("name: \"Row\" " + scalar("a", 1, "INT64") + scalar("b", 2, "STRING") +
                               scalar("c", 3, "STRING") + scalar("d", 4, "STRING"),
                           table),
            "Input schema has more fields than BigQuery schema, extra fields: 'c, d' (SCHEMA_MISMATCH_EXTRA_FIELDS)");
  EXPECT_EQ(schema_failure("name: \"Row\" " + scalar("a", 1, "STRING") + scalar("b", 2, "STRING"), table),
            "The proto field mismatched with BigQuery field at Row.a, the proto field type string, BigQuery field type "
            "INTEGER");
  EXPECT_EQ(schema_failure("name: \"Row\" " + scalar("a", 1, "INT64"), table),
            "The required field b is missing in the proto message");
  EXPECT_NE(schema_failure("name: \"Row\" " + scalar("a", 1, "UINT64") + scalar("b", 2, "STRING"), table), "");
  EXPECT_NE(schema_failure("name: \"Row\" " + scalar("a", 1, "INT64") + scalar("b", 1, "STRING"), table), "");
  EXPECT_NE(schema_failure(
                "name: \"Row\" " + scalar("a", 1, "INT64") + scalar("A", 3, "INT64") + scalar("b", 2, "STRING"), table),
            "");
  EXPECT_NE(schema_failure("name: \"Row\" " + scalar("a", 1, "INT64") + scalar("b", 2, "STRING") +
                               scalar("_CHANGE_TYPE", 3, "INT64"),
                           table),
            "");
  EXPECT_NE(schema_failure("name: \"Row\" field { name: \"a\" number: 1 label: LABEL_REPEATED type: TYPE_INT64 }" +
                               scalar("b", 2, "STRING"),
                           table),
            "");
  EXPECT_FALSE(RowDecoder::make("\xFF\xFF", table));
  // A message type that contains itself is no reason to go round in circles.
  const Type inner = Type::structure({{"x", Type::structure({{"x", Type(TypeKind::kInt64)}})}});
  EXPECT_NE(schema_failure("name: \"Row\" " + scalar("x", 1, "MESSAGE", "type_name: \"Row\""),
                           table_of({{"x", inner, false, ""}})),
            "");
}

TEST(RowDecoder, MalformedRowsAreRowErrors) {
  const auto bad = [](const std::string& row) { return one(Type(TypeKind::kString), "STRING", row).error(); };
  EXPECT_NE(bad("\x0A\x05xx"), "");
  EXPECT_NE(bad("\x0A"), "");
  EXPECT_NE(bad("\x80"), "");
  EXPECT_NE(bad(std::string("\x00", 1)), "");
  EXPECT_NE(bad(std::string("\x0B\x0C", 2) + "\x0B"), "");
  EXPECT_EQ(bad(varint_field(9, 1) + std::string("\x53\x58\x01\x54", 4)), "");  // unknown fields, one of them a group
  EXPECT_EQ(bad(varint_field(1, 1)), "");                                       // another wire type is an unknown field
  EXPECT_FALSE(SerializedRows::make("\x0A\x05xx"));
}

TEST(RowDecoder, AnArrayThatUnfoldsTooFarIsRefused) {
  std::vector<data::StructField> fields;
  std::string inner;
  for (int i = 0; i < 1000; ++i) {
    fields.push_back({"f" + std::to_string(i), Type(TypeKind::kInt64)});
    inner += scalar("f" + std::to_string(i), i + 1, "INT64");
  }
  const std::string text =
      "name: \"Row\" nested_type { name: \"S\" " + inner +
      "} field { name: \"l\" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: \"S\" }";
  std::string row;
  for (int i = 0; i < 100'000; ++i) row += bytes_field(1, "");
  EXPECT_EQ(
      Decoded(descriptor(text), table_of({{"l", Type::array(Type::structure(fields)), false, ""}}), {row}).error(),
      "Field l: the array unfolds into too many values");
}

TEST(RowDecoder, RangesMustBeOrdered) {
  const std::string text = "name: \"Row\" nested_type { name: \"R\" " + scalar("start", 1, "INT32") +
                           scalar("end", 2, "INT32") + "}" + scalar("r", 1, "MESSAGE", "type_name: \"R\"");
  const auto table = table_of({{"r", Type::range(Type(TypeKind::kDate)), false, ""}});
  const Decoded decoded(descriptor(text), table,
                        {bytes_field(1, varint_field(1, 1) + varint_field(2, 2)), bytes_field(1, varint_field(2, 2)),
                         bytes_field(1, varint_field(1, 2) + varint_field(2, 2))});
  ASSERT_EQ(decoded.errors.size(), 1U);
  EXPECT_EQ(decoded.errors[0].index, 2U);
  EXPECT_TRUE(decoded.column(0).children()[0].is_null(1));
}

TEST(JsonCheck, WhatIsJson) {
  for (const char* good : {"null", " true ", "-0.5e+10", "\"\\u00e5\\n\"", "\"\\ud83d\\ude00\"", "[]", "{}",
                           "[1, [2, {\"a\": []}], {\"b\": {\"c\": null}}]", "0"})
    EXPECT_TRUE(is_json(good)) << good;
  for (const char* bad : {"",      " ",       "nul",      "01",          "1.",          "-",           "+1",
                          "1e",    "\"",      "\"\\x\"",  "\"\\u0000\"", "\"\\ud83d\"", "\"\\ude00\"", "[1,]",
                          "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",  "{1:2}",       "[",           "{",
                          "]",     "[}",      "{]",       "1 2",         "[1]]",        "\"\t\"",      "'a'"})
    EXPECT_FALSE(is_json(bad)) << bad;
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(is_json(nested(500)));
  EXPECT_FALSE(is_json(nested(501)));
}

}  // namespace
}  // namespace flytt::wire
