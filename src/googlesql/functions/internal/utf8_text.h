#pragma once
// Stepping through valid UTF-8 text.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flytt::googlesql::internal {

inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Bytes of the character that starts at `at`; 1 for anything that is no start.
std::size_t character_bytes(std::string_view text, std::size_t at);
std::size_t count_characters(std::string_view text);
// Byte offset of character `index` (0-based); text.size() when there are fewer.
std::size_t offset_of(std::string_view text, std::size_t index);
std::uint32_t code_point_at(std::string_view text, std::size_t at);
void append_code_point(std::string& out, std::uint32_t code_point);
bool is_code_point(std::int64_t value);  // a Unicode scalar value
std::vector<std::uint32_t> code_points(std::string_view text);
bool is_unicode_space(std::uint32_t code_point);  // property White_Space

}  // namespace flytt::googlesql::internal
