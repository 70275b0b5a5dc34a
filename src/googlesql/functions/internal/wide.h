#pragma once
// A signed integer of 512 bits for exact decimal arithmetic: products and scaled dividends of 256-bit values fit.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "data/decimal.h"

namespace flytt::googlesql::internal {

using data::Int128;
using data::Int256;

struct Wide {
  static constexpr int kLimbs = 16;
  bool negative = false;                     // never set for zero
  std::array<std::uint32_t, kLimbs> limb{};  // magnitude, little-endian

  static Wide from(Int128 value);
  static Wide from(const Int256& value);
  static Wide power_of_ten(int exponent);  // 0..153
  // |value| rounded half away from zero to value × 10^scale; nullopt when it does not fit into 512 bits.
  static std::optional<Wide> from_double(double value, int scale);

  bool is_zero() const;
  int bit_length() const;
  std::optional<Int128> to_int128() const;
  std::optional<Int256> to_int256() const;
  std::string digits() const;  // decimal text of the magnitude
};

int compare(const Wide& a, const Wide& b);
int compare_magnitude(const Wide& a, const Wide& b);
Wide operator+(const Wide& a, const Wide& b);
Wide operator-(const Wide& a, const Wide& b);
Wide operator*(const Wide& a, const Wide& b);  // the product must fit into 512 bits
Wide negated(Wide a);
Wide shifted_left(const Wide& a, int bits);
Wide shifted_right(const Wide& a, int bits);  // toward zero

struct Division {
  Wide quotient;   // truncated toward zero
  Wide remainder;  // sign of the dividend
};
Division divide(const Wide& a, const Wide& b);      // b is not zero
Wide divide_rounded(const Wide& a, const Wide& b);  // half away from zero
Wide divide_half_even(const Wide& a, const Wide& b);
Wide square_root_rounded(const Wide& a);  // of a non-negative value, to nearest

}  // namespace flytt::googlesql::internal
