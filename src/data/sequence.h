#pragma once
// Sequence: the order of changes of one row: epoch / commit LSN (or offset) / ordinal, as one 128-bit number.
//
// 16 bits epoch, 64 bits position, 48 bits ordinal, most significant first. As BigQuery's _CHANGE_SEQUENCE_NUMBER it
// is written in three hexadecimal sections, "1/16B3748/3" (Storage Write API, change data capture): sections are
// compared as unsigned numbers from the left, which is the order of the 128-bit number.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flytt::data {

struct Sequence {
  unsigned __int128 bits = 0;

  static constexpr std::uint64_t kOrdinalMax = (std::uint64_t{1} << 48) - 1;
  static constexpr Sequence of(std::uint16_t epoch, std::uint64_t position, std::uint64_t ordinal) {
    return Sequence{(static_cast<unsigned __int128>(epoch) << 112) | (static_cast<unsigned __int128>(position) << 48) |
                    (ordinal & kOrdinalMax)};
  }
  constexpr std::uint16_t epoch() const { return static_cast<std::uint16_t>(bits >> 112); }
  constexpr std::uint64_t position() const { return static_cast<std::uint64_t>(bits >> 48); }
  constexpr std::uint64_t ordinal() const { return static_cast<std::uint64_t>(bits) & kOrdinalMax; }
  friend constexpr bool operator==(Sequence a, Sequence b) { return a.bits == b.bits; }
  friend constexpr bool operator<(Sequence a, Sequence b) { return a.bits < b.bits; }

  // Writes at most 32 characters, returns how many: "1/16B3748/3", upper case, no leading zeros.
  std::size_t write_sections(char* out) const;
  std::string sections() const;
  // Exactly three sections within their widths; nullopt for anything else (which BigQuery may still accept).
  static std::optional<Sequence> parse_sections(std::string_view text);
};

}  // namespace flytt::data
