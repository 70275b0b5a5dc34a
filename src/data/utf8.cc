#include "data/utf8.h"

#include <cstdint>
#include <cstring>

namespace flytt::data {

bool is_valid_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* const end = at + text.size();
  const auto is_tail = [](unsigned char c) { return (c & 0xC0) == 0x80; };
  while (at < end) {
    if (end - at >= 8) {
      std::uint64_t word;
      std::memcpy(&word, at, 8);
      if ((word & 0x8080808080808080ULL) == 0) {
        at += 8;
        continue;
      }
    }
    const unsigned char c = *at;
    if (c < 0x80) {
      ++at;
    } else if (c >= 0xC2 && c <= 0xDF) {
      if (end - at < 2 || !is_tail(at[1])) return false;
      at += 2;
    } else if (c >= 0xE0 && c <= 0xEF) {
      if (end - at < 3 || !is_tail(at[1]) || !is_tail(at[2])) return false;
      if ((c == 0xE0 && at[1] < 0xA0) || (c == 0xED && at[1] > 0x9F)) return false;
      at += 3;
    } else if (c >= 0xF0 && c <= 0xF4) {
      if (end - at < 4 || !is_tail(at[1]) || !is_tail(at[2]) || !is_tail(at[3])) return false;
      if ((c == 0xF0 && at[1] < 0x90) || (c == 0xF4 && at[1] > 0x8F)) return false;
      at += 4;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace flytt::data
