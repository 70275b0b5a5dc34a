#include "data/json_text.h"

#include <gtest/gtest.h>

#include <string>

namespace flytt::data {
namespace {

TEST(CheckJson, TakesWhatTheStandardTakes) {
  for (const char* good :
       {"1", " null ", "[]", "{}", "[1,[2,{\"a\":[]}],3]", R"({"a":{"b":-0.5e+10},"c":"é\n\u00e9\ud83d\ude00"})",
        "\n[ true , false ]\t", "18446744073709551615", "1e0", "0.1", "0e-400"})
    EXPECT_EQ(check_json(good), JsonVerdict::kOk) << good;
  for (const char* broken :
       {"",     " ",       "tru",       "nulll",   "01",       "1.",         ".5",    "+1",        "1e", "-",
        "[1,]", "[,1]",    "[1 2]",     "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1]", "[",  "{",
        "\"",   "\"\\x\"", "\"\\u12\"", "\"\n\"",  "1 2",      "]",          "{}}",   "'a'"})
    EXPECT_EQ(check_json(broken), JsonVerdict::kMalformed) << broken;
}

TEST(CheckJson, NamesWhatBigQueryRefuses) {
  for (const char* number : {"18446744073709551616", "0.1000000000000000055511151231257827", "1e400"})
    EXPECT_EQ(check_json(number), JsonVerdict::kNumber) << number;
  for (const char* character : {R"("\u0000")", R"("\ud800")", R"("\udc00")", R"({"\ud800x":1})"})
    EXPECT_EQ(check_json(character), JsonVerdict::kCharacter) << character;
  EXPECT_EQ(check_json(std::string(500, '[') + std::string(500, ']')), JsonVerdict::kOk);
  EXPECT_EQ(check_json(std::string(501, '[') + std::string(501, ']')), JsonVerdict::kTooDeep);
  EXPECT_EQ(check_json(std::string(500, '[') + std::string(499, ']')), JsonVerdict::kMalformed);
}

TEST(IsJsonNumber, TakesWholeTextsOnly) {
  for (const char* good : {"0", "-0", "12", "1.50", "1e5", "-1E-5"}) EXPECT_TRUE(is_json_number(good)) << good;
  for (const char* other : {"", "-", "00", "1x", " 1", "1.", "NaN", "1e"}) EXPECT_FALSE(is_json_number(other)) << other;
}

}  // namespace
}  // namespace flytt::data
