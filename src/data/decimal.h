#pragma once
// Exact decimals: NUMERIC is a signed 128-bit integer of value × 10^9, BIGNUMERIC a signed 256-bit integer of
// value × 10^38. Both are also what the Storage Write API takes as bytes (little-endian two's complement).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flytt::data {

using Int128 = __int128;

// Two's complement, limbs little-endian (limb 0 holds the lowest 64 bits).
struct Int256 {
  std::array<std::uint64_t, 4> limb{};

  static Int256 from(Int128 value);
  bool is_negative() const { return (limb[3] >> 63) != 0; }
  bool is_zero() const { return (limb[0] | limb[1] | limb[2] | limb[3]) == 0; }
  Int256 negated() const;
  // value × factor + addend on the magnitude; false when the 256-bit signed range is left. Only for non-negative values.
  bool multiply_add(std::uint64_t factor, std::uint64_t addend);
  // Divides a non-negative value in place and returns the remainder. divisor > 0.
  std::uint64_t divide(std::uint64_t divisor);
  friend bool operator==(const Int256& a, const Int256& b) { return a.limb == b.limb; }
  friend bool operator<(const Int256& a, const Int256& b);
  friend Int256 operator+(const Int256& a, const Int256& b);  // wraps
};

inline constexpr int kNumericScale = 9;
inline constexpr int kBigNumericScale = 38;
// NUMERIC: |value| < 10^29, that is |scaled| ≤ 10^38 − 1.
bool is_numeric_in_range(Int128 scaled);

enum class DecimalVerdict { kOk, kOutOfRange, kTooManyDecimals, kNotANumber };

// Plain or exponent decimal text → scaled integer. kTooManyDecimals when non-zero digits would be cut off.
DecimalVerdict parse_numeric(std::string_view text, Int128& scaled);
DecimalVerdict parse_bignumeric(std::string_view text, Int256& scaled);
// Plain decimal text without exponent and without trailing zeros: "-12.5", "0".
std::string format_numeric(Int128 scaled);
std::string format_bignumeric(const Int256& scaled);

// The order-preserving 32 bytes that the warehouse stores: big-endian two's complement with the sign bit flipped.
void to_ordered_bytes(const Int256& value, char out[32]);
Int256 from_ordered_bytes(const char in[32]);
// Shortest little-endian two's complement (at least one byte), the Storage Write API's form. Returns the length.
std::size_t to_shortest_bytes(const Int256& value, char out[32]);
std::size_t to_shortest_bytes(Int128 value, char out[16]);
// The inverse; nullopt when `bytes` is empty or longer than 32.
std::optional<Int256> from_shortest_bytes(std::string_view bytes);
// nullopt when the value does not fit.
std::optional<Int128> to_int128(const Int256& value);

}  // namespace flytt::data
