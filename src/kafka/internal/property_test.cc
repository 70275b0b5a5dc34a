// Random documents: what the one-pass reader makes of them against a tree of another library.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kafka/internal/rows_test_support.h"

namespace flytt::kafka {
namespace {

using data::Type;
using data::TypeKind;
using Json = nlohmann::ordered_json;

std::string random_text(Dice& dice) {
  static const char* const kPieces[] = {"a", "\"", "\\",   "\n", "é", "\xF0\x9F\x98\x80",
                                        "/", "\t", "\x01", "0",  "{", "æøå "};
  std::string out;
  for (std::uint64_t n = dice.roll(8); n > 0; --n) out += kPieces[dice.roll(std::size(kPieces))];
  return out;
}

Json random_value(Dice& dice, int depth) {
  switch (dice.roll(depth > 0 ? 8 : 6)) {
    case 0: return nullptr;
    case 1: return dice.roll(2) == 0;
    case 2: return static_cast<std::int64_t>(dice.roll(UINT64_MAX)) - INT64_C(4'000'000'000'000'000'000);
    case 3: return static_cast<double>(dice.roll(1'000'000)) / 1024;
    case 4: return random_text(dice);
    case 5: return static_cast<std::int64_t>(dice.roll(100));
    case 6: {
      Json list = Json::array();
      for (std::uint64_t n = dice.roll(4); n > 0; --n) list.push_back(random_value(dice, depth - 1));
      return list;
    }
    default: {
      Json object = Json::object();
      for (std::uint64_t n = dice.roll(4); n > 0; --n)
        object[std::string(1, static_cast<char>('a' + dice.roll(5)))] = random_value(dice, depth - 1);
      return object;
    }
  }
}

// What the cell must be, or nullopt when the column does not take the value.
std::optional<std::string> wanted(const Json* value, const Type& type) {
  if (!value || value->is_null()) return "NULL";
  switch (type.kind) {
    case TypeKind::kInt64:
      if (value->is_number_integer()) return std::to_string(value->get<std::int64_t>());
      if (value->is_number_float() && value->get<double>() == static_cast<double>(value->get<std::int64_t>()))
        return std::to_string(value->get<std::int64_t>());
      return std::nullopt;
    case TypeKind::kFloat64: {
      if (!value->is_number()) return std::nullopt;
      char text[40];
      std::snprintf(text, sizeof text, "%.17g", value->get<double>());
      return text;
    }
    case TypeKind::kBool:
      return value->is_boolean() ? std::optional(value->get<bool>() ? "true" : "false") : std::nullopt;
    case TypeKind::kString: return value->is_string() ? std::optional(value->get<std::string>()) : std::nullopt;
    case TypeKind::kJson: return value->dump();
    case TypeKind::kArray: {
      if (!value->is_array()) return std::nullopt;
      std::string out;
      for (const Json& element : *value) {
        if (element.is_null()) return std::nullopt;
        const auto cell = wanted(&element, type.element.front());
        if (!cell) return std::nullopt;
        out += (out.empty() && &element == &value->front() ? "" : "|") + *cell;
      }
      return "[" + out + "]";
    }
    case TypeKind::kStruct: {
      if (!value->is_object()) return std::nullopt;
      std::string out = "(";
      for (std::size_t i = 0; i < type.fields.size(); ++i) {
        const auto member = value->find(type.fields[i].name);
        const auto cell = wanted(member == value->end() ? nullptr : &*member, type.fields[i].type);
        if (!cell) return std::nullopt;
        out += (i ? "," : "") + *cell;
      }
      return out + ")";
    }
    default: return std::nullopt;
  }
}

TEST(RandomDocuments, AreReadAsATreeReadsThem) {
  const std::vector<DeclaredField> fields = {
      {"a", TypeKind::kInt64},
      {"b", TypeKind::kString},
      {"c", TypeKind::kFloat64},
      {"d", Type::array(TypeKind::kString)},
      {"e", Type::structure({{"a", TypeKind::kBool}, {"b", TypeKind::kJson}, {"c", Type::array(TypeKind::kInt64)}})},
      {"f", TypeKind::kJson}};
  PayloadSettings settings = declare(fields);
  settings.numbers_in_strings = false;
  Table table(settings);
  int rows = 0, refused = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    Dice dice(seed);
    Json document = Json::object();
    for (std::uint64_t n = dice.roll(7); n > 0; --n)
      document[std::string(1, static_cast<char>('a' + dice.roll(7)))] = random_value(dice, 3);
    std::optional<std::string> expected = "";
    for (std::size_t i = 0; i < fields.size() && expected; ++i) {
      const auto member = document.find(fields[i].name);
      const auto cell = wanted(member == document.end() ? nullptr : &*member, fields[i].type);
      expected = cell ? std::optional(*expected + (i ? " " : "") + *cell) : std::nullopt;
    }
    const std::string text = document.dump();
    const std::string got = table.add(text);
    if (expected) {
      ASSERT_EQ(got, *expected) << "seed " << seed << " " << text;
      ++rows;
    } else {
      ASSERT_EQ(got.substr(0, 1), "!") << "seed " << seed << " " << text << " gave " << got;
      ++refused;
    }
    // Cut off anywhere it is refused.
    if (text.size() > 2) {
      const std::string cut = text.substr(0, 1 + dice.roll(text.size() - 1));
      ASSERT_EQ(table.add(cut).substr(0, 1), "!") << cut;
    }
  }
  EXPECT_GT(rows, 2'000);
  EXPECT_GT(refused, 2'000);
}

TEST(RandomDocuments, InferredTablesTakeAllThatTheyWereInferredFrom) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Dice dice(seed);
    std::vector<SampledMessage> samples;
    for (int i = 0; i < 10; ++i) {
      Json document = Json::object();
      for (std::uint64_t n = dice.roll(6); n > 0; --n)
        document[std::string(1, static_cast<char>('a' + dice.roll(4)))] = random_value(dice, 3);
      samples.push_back({0, i, {}, document.dump()});
    }
    Table table(PayloadSettings{}, nullptr, samples);
    const std::string columns = table.columns();
    for (const SampledMessage& sample : samples) {
      const std::string got = table.add(*sample.value);
      ASSERT_NE(got.substr(0, 1), "!") << "seed " << seed << " " << *sample.value << " into " << columns << ": " << got;
    }
    EXPECT_EQ(table.columns(), columns) << "seed " << seed;
  }
}

}  // namespace
}  // namespace flytt::kafka
