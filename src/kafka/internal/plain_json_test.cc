// The short way against the long one, which a column with a name that no bytes can match forces.

#include "kafka/internal/plain_json.h"

#include <gtest/gtest.h>

#include "kafka/internal/rows_test_support.h"

namespace flytt::kafka {
namespace {

using data::TypeKind;

std::vector<DeclaredField> all_fields() {
  return {{"s", TypeKind::kString, true}, {"i", TypeKind::kInt64},     {"b", TypeKind::kBool},
          {"f", TypeKind::kFloat64},      {"t", TypeKind::kTimestamp}, {"n", TypeKind::kBigNumeric},
          {"d", TypeKind::kDate},         {"y", TypeKind::kBytes},     {"j", TypeKind::kJson}};
}

// The last column takes no member of any message below.
Table make(bool is_long, bool with_rest = false) {
  PayloadSettings settings = declare(all_fields());
  settings.fields.push_back({"last", TypeKind::kString, false, is_long ? "\"" : "last"});
  if (with_rest) settings.unknown_fields = UnknownFields::kRest;
  return Table(std::move(settings));
}

bool is_plain(Table& table, std::string_view payload) {
  data::TableSlice slice = table.rows.make_slice(table.shape, 0, 0);
  return append_plain(payload, table.shape.payload(), ValueRules(table.settings), slice.columns);
}

std::string random_message(Dice& dice) {
  static const char* const kNames[] = {"s", "i", "b", "f", "t", "n", "d", "y", "j", "x"};
  static const char* const kSpaces[] = {"", "", "", " ", "\n\t", "\r"};
  static const char* const kValues[] = {"\"\"",
                                        "\"a long text of ASCII \"",
                                        "\"æøå \xF0\x9F\x98\x80 and more\"",
                                        "\"a\\n\"",
                                        "\"seven77\"",
                                        "\"exactly 16 bytes\"",
                                        "\"\xC3\"",
                                        "\"\xED\xA0\x80\"",
                                        "\"\x01\"",
                                        "\"2024-02-29T12:34:56.123456Z\"",
                                        "\"2024-02-29\"",
                                        "\"YWJj\"",
                                        "\"12\"",
                                        "0",
                                        "-0",
                                        "00",
                                        "-",
                                        "7",
                                        "-42",
                                        "123456789012345678",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "-9223372036854775808",
                                        "1.5",
                                        "12.0",
                                        "1e3",
                                        "1e999",
                                        "4.9e-324",
                                        "1e-400",
                                        "0.1",
                                        "1.",
                                        "+1",
                                        "true",
                                        "false",
                                        "null",
                                        "nul",
                                        "truex",
                                        "[]",
                                        "{\"a\":[1,\"]\"]}",
                                        "\"unclosed"};
  std::string out = dice.pick(kSpaces);
  out += "{";
  bool is_first = true;
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (dice.roll(4) == 0) continue;
    const char* name = dice.roll(40) == 0 ? dice.pick(kNames) : kNames[i];
    if (i == 9 && dice.roll(4) != 0) break;  // mostly nothing unknown
    out += is_first ? "" : ",";
    is_first = false;
    out += std::string(dice.pick(kSpaces)) + "\"" + name + "\"" + dice.pick(kSpaces) + ":" + dice.pick(kSpaces);
    static const char* const kFitting[] = {
        "\"text\"", "7", "true", "2.5", "\"2024-02-29T12:34:56Z\"", "1.25", "\"2024-02-29\"", "\"YWJj\"", "null", "1"};
    out += dice.roll(4) == 0 ? dice.pick(kValues) : kFitting[i];
    out += dice.pick(kSpaces);
  }
  out += "}";
  out += dice.pick(kSpaces);
  // Any byte may be another one, or the last is missing.
  if (dice.roll(8) == 0) out[dice.roll(out.size())] = "\",:{}\\x\xFF 0"[dice.roll(10)];
  if (dice.roll(30) == 0) out.resize(dice.roll(out.size()));
  return out;
}

TEST(PlainJson, takes_nothing_that_the_long_way_reads_in_another_manner) {
  for (const bool with_rest : {false, true}) {
    int plain = 0, rows = 0, refused = 0;
    for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
      Dice dice(seed);
      const std::string text = random_message(dice);
      Table quick = make(false, with_rest), slow = make(true, with_rest);
      const std::string got = quick.add(text), wanted = slow.add(text);
      ASSERT_EQ(got, wanted) << "seed " << seed << " " << text;
      const bool took = is_plain(quick, text);
      if (took) ASSERT_NE(got.substr(0, 1), "!") << "seed " << seed << " " << text;
      ASSERT_FALSE(is_plain(slow, "{\"\"\":null}"));
      plain += took;
      ++(got.substr(0, 1) == "!" ? refused : rows);
    }
    EXPECT_GT(plain, 1'500);
    EXPECT_GT(rows, plain);
    EXPECT_GT(refused, 2'000);
  }
}

TEST(PlainJson, takes_the_form_that_messages_usually_have) {
  Table table = make(false);
  for (const char* text : {R"({"s": "a", "i": 1, "b": true, "f": 1.5, "t": "2024-02-29T12:34:56Z"})", R"({"s":"a"})",
                           R"( { "s" : "æ" , "i" : null , "d":"2024-02-29" } )", R"({"s":"a","last":"b"})"})
    EXPECT_TRUE(is_plain(table, text)) << text;
  for (const char* text : {R"({"i":1,"s":"a"})", R"({"s":"a","s":"b"})", R"({"s":"\u0061"})", R"({"s":"a","x":1})",
                           R"({"s":"a","j":1})", R"({"i":1})", R"({"s":"a","i":1.0})", R"([])", R"({"s":"a"} {})"})
    EXPECT_FALSE(is_plain(table, text)) << text;
}

TEST(PlainJson, leaves_names_to_the_long_way_that_bytes_do_not_tell_apart) {
  const auto plan = [](const char* key, std::uint32_t column) {
    return plan_field(key, key, TypeKind::kInt64, column);
  };
  EXPECT_TRUE(has_plain_names({plan("a", 0), plan("æ", 1)}));
  EXPECT_FALSE(has_plain_names({plan("a", 0), plan("b", 1), plan("a", 2)}));
  EXPECT_FALSE(has_plain_names({plan("a\"", 0)}));
  EXPECT_FALSE(has_plain_names({plan("a\\", 0)}));
}

TEST(PlainJson, is_tried_again_after_messages_of_another_form) {
  Table table = make(false);
  for (int round = 0; round < 100; ++round)
    EXPECT_EQ(table.add(round % 7 == 0 ? R"({"i":1,"s":"a"})" : R"({"s":"a","i":1})"),
              "a 1 NULL NULL NULL NULL NULL NULL NULL NULL");
}

}  // namespace
}  // namespace flytt::kafka
