#pragma once
// What BigQuery's JSON type takes of a text.

#include <cstddef>
#include <string_view>

namespace flytt::data {

inline constexpr std::size_t kJsonDepthMax = 500;  // BigQuery: JSON nesting

enum class JsonVerdict {
  kOk,
  kMalformed,  // no JSON text (RFC 8259)
  kTooDeep,
  kNumber,     // a number that would change: neither an integer of 64 bits nor a double that gives its digits back
  kCharacter,  // U+0000 or half of a surrogate pair, escaped
};

// One pass; UTF-8 is not looked at. White space around the value is allowed.
JsonVerdict check_json(std::string_view text);

// Whether the whole text is a number as RFC 8259 writes it.
bool is_json_number(std::string_view text);

}  // namespace flytt::data
