#include "googlesql/functions/internal/wide.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace flytt::googlesql::internal {
namespace {

void trim_sign(Wide& value) {
  if (value.negative && value.is_zero()) value.negative = false;
}

Wide add_magnitudes(const Wide& a, const Wide& b) {
  Wide sum;
  std::uint64_t carry = 0;
  for (int i = 0; i < Wide::kLimbs; ++i) {
    carry += std::uint64_t{a.limb[i]} + b.limb[i];
    sum.limb[i] = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  return sum;
}

Wide subtract_magnitudes(const Wide& a, const Wide& b) {  // |a| ≥ |b|
  Wide difference;
  std::int64_t borrow = 0;
  for (int i = 0; i < Wide::kLimbs; ++i) {
    const std::int64_t each = std::int64_t{a.limb[i]} - b.limb[i] + borrow;
    difference.limb[i] = static_cast<std::uint32_t>(each);
    borrow = each < 0 ? -1 : 0;
  }
  return difference;
}

int top_limb(const Wide& a) {
  int top = Wide::kLimbs - 1;
  while (top >= 0 && a.limb[top] == 0) --top;
  return top;
}

std::uint32_t divide_small(Wide& a, std::uint32_t divisor) {
  std::uint64_t rest = 0;
  for (int i = Wide::kLimbs - 1; i >= 0; --i) {
    rest = (rest << 32) | a.limb[i];
    a.limb[i] = static_cast<std::uint32_t>(rest / divisor);
    rest %= divisor;
  }
  return static_cast<std::uint32_t>(rest);
}

// Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D. |a| ≥ |b|, b has at least two limbs.
void divide_long(const Wide& a, const Wide& b, Wide& quotient, Wide& remainder) {
  const int n = top_limb(b) + 1, m = top_limb(a) + 1 - n;
  const int shift = std::countl_zero(b.limb[n - 1]);
  const Wide v = shifted_left(b, shift);
  std::array<std::uint32_t, Wide::kLimbs + 1> u{};
  const Wide shifted = shifted_left(a, shift);
  for (int i = 0; i < Wide::kLimbs; ++i) u[i] = shifted.limb[i];
  if (shift != 0) u[Wide::kLimbs] = a.limb[Wide::kLimbs - 1] >> (32 - shift);
  for (int j = m; j >= 0; --j) {
    const std::uint64_t top = (std::uint64_t{u[j + n]} << 32) | u[j + n - 1];
    std::uint64_t guess = top / v.limb[n - 1], rest = top % v.limb[n - 1];
    while (guess >> 32 != 0 || guess * v.limb[n - 2] > ((rest << 32) | u[j + n - 2])) {
      --guess;
      rest += v.limb[n - 1];
      if (rest >> 32 != 0) break;
    }
    std::int64_t borrow = 0;
    std::uint64_t carry = 0;
    for (int i = 0; i < n; ++i) {
      carry += guess * v.limb[i];
      const std::int64_t each = std::int64_t{u[i + j]} - static_cast<std::int64_t>(carry & 0xffffffff) + borrow;
      u[i + j] = static_cast<std::uint32_t>(each);
      borrow = each < 0 ? -1 : 0;
      carry >>= 32;
    }
    const std::int64_t last = std::int64_t{u[j + n]} - static_cast<std::int64_t>(carry) + borrow;
    u[j + n] = static_cast<std::uint32_t>(last);
    if (last < 0) {
      --guess;
      std::uint64_t add = 0;
      for (int i = 0; i < n; ++i) {
        add += std::uint64_t{u[i + j]} + v.limb[i];
        u[i + j] = static_cast<std::uint32_t>(add);
        add >>= 32;
      }
      u[j + n] += static_cast<std::uint32_t>(add);
    }
    quotient.limb[j] = static_cast<std::uint32_t>(guess);
  }
  Wide rest;
  for (int i = 0; i < Wide::kLimbs; ++i) rest.limb[i] = u[i];
  remainder = shifted_right(rest, shift);
}

}  // namespace

Wide Wide::from(Int128 value) { return from(Int256::from(value)); }

Wide Wide::from(const Int256& value) {
  Wide wide;
  const bool negative = value.is_negative();
  const Int256 magnitude = negative ? value.negated() : value;  // the smallest value is its own magnitude, unsigned
  for (int i = 0; i < 4; ++i) {
    wide.limb[2 * i] = static_cast<std::uint32_t>(magnitude.limb[i]);
    wide.limb[2 * i + 1] = static_cast<std::uint32_t>(magnitude.limb[i] >> 32);
  }
  wide.negative = negative;
  return wide;
}

Wide Wide::power_of_ten(int exponent) {
  Wide ten = from(Int128{10}), power = from(Int128{1});
  for (int i = 0; i < exponent; ++i) power = power * ten;
  return power;
}

std::optional<Wide> Wide::from_double(double value, int scale) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const auto mantissa = static_cast<std::int64_t>(std::ldexp(fraction, 53));
  exponent -= 53;
  Wide wide = from(Int128{mantissa}) * power_of_ten(scale);
  if (exponent > 0) {
    if (wide.bit_length() + exponent > 510) return std::nullopt;
    wide = shifted_left(wide, exponent);
  } else if (exponent < -510) {
    wide = Wide();
  } else if (exponent < 0) {
    wide = shifted_right(wide + shifted_left(from(Int128{1}), -exponent - 1), -exponent);
  }
  wide.negative = value < 0;
  trim_sign(wide);
  return wide;
}

bool Wide::is_zero() const {
  return std::all_of(limb.begin(), limb.end(), [](std::uint32_t each) { return each == 0; });
}

int Wide::bit_length() const {
  const int top = top_limb(*this);
  return top < 0 ? 0 : 32 * top + static_cast<int>(std::bit_width(limb[top]));
}

std::optional<Int256> Wide::to_int256() const {
  if (top_limb(*this) >= 8) return std::nullopt;
  Int256 value;
  for (int i = 0; i < 4; ++i) value.limb[i] = (std::uint64_t{limb[2 * i + 1]} << 32) | limb[2 * i];
  if (!negative) return value.is_negative() ? std::nullopt : std::optional<Int256>(value);
  const Int256 minus = value.negated();
  if (!minus.is_negative() && !minus.is_zero()) return std::nullopt;
  return minus;
}

std::optional<Int128> Wide::to_int128() const {
  const auto value = to_int256();
  return value ? data::to_int128(*value) : std::nullopt;
}

std::string Wide::digits() const {
  Wide rest = *this;
  std::string text;
  while (!rest.is_zero()) {
    std::uint32_t group = divide_small(rest, 1'000'000'000);
    for (int i = 0; i < 9; ++i, group /= 10) text.push_back(static_cast<char>('0' + group % 10));
  }
  while (!text.empty() && text.back() == '0') text.pop_back();
  if (text.empty()) return "0";
  std::reverse(text.begin(), text.end());
  return text;
}

int compare_magnitude(const Wide& a, const Wide& b) {
  for (int i = Wide::kLimbs - 1; i >= 0; --i) {
    if (a.limb[i] != b.limb[i]) return a.limb[i] < b.limb[i] ? -1 : 1;
  }
  return 0;
}

int compare(const Wide& a, const Wide& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  return a.negative ? -compare_magnitude(a, b) : compare_magnitude(a, b);
}

Wide operator+(const Wide& a, const Wide& b) {
  Wide sum;
  if (a.negative == b.negative) {
    sum = add_magnitudes(a, b);
    sum.negative = a.negative;
  } else if (compare_magnitude(a, b) >= 0) {
    sum = subtract_magnitudes(a, b);
    sum.negative = a.negative;
  } else {
    sum = subtract_magnitudes(b, a);
    sum.negative = b.negative;
  }
  trim_sign(sum);
  return sum;
}

Wide negated(Wide a) {
  a.negative = !a.negative;
  trim_sign(a);
  return a;
}

Wide operator-(const Wide& a, const Wide& b) { return a + negated(b); }

Wide operator*(const Wide& a, const Wide& b) {
  Wide product;
  const int top_b = top_limb(b);
  for (int i = top_limb(a); i >= 0; --i) {
    std::uint64_t carry = 0;
    for (int j = 0; j <= top_b && i + j < Wide::kLimbs; ++j) {
      carry += std::uint64_t{a.limb[i]} * b.limb[j] + product.limb[i + j];
      product.limb[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    for (int k = i + top_b + 1; carry != 0 && k < Wide::kLimbs; ++k) {
      carry += product.limb[k];
      product.limb[k] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  product.negative = a.negative != b.negative;
  trim_sign(product);
  return product;
}

Wide shifted_left(const Wide& a, int bits) {
  Wide result;
  const int limbs = bits / 32, rest = bits % 32;
  for (int i = Wide::kLimbs - 1; i >= limbs; --i) {
    std::uint64_t each = std::uint64_t{a.limb[i - limbs]} << rest;
    if (rest != 0 && i > limbs) each |= a.limb[i - limbs - 1] >> (32 - rest);
    result.limb[i] = static_cast<std::uint32_t>(each);
  }
  result.negative = a.negative;
  trim_sign(result);
  return result;
}

Wide shifted_right(const Wide& a, int bits) {
  Wide result;
  const int limbs = bits / 32, rest = bits % 32;
  for (int i = 0; i + limbs < Wide::kLimbs; ++i) {
    std::uint64_t each = a.limb[i + limbs] >> rest;
    if (rest != 0 && i + limbs + 1 < Wide::kLimbs) each |= std::uint64_t{a.limb[i + limbs + 1]} << (32 - rest);
    result.limb[i] = static_cast<std::uint32_t>(each);
  }
  result.negative = a.negative;
  trim_sign(result);
  return result;
}

Division divide(const Wide& a, const Wide& b) {
  Division division;
  if (compare_magnitude(a, b) < 0) {
    division.remainder = a;
    return division;
  }
  if (top_limb(b) == 0) {
    division.quotient = a;
    division.remainder.limb[0] = divide_small(division.quotient, b.limb[0]);
  } else {
    divide_long(a, b, division.quotient, division.remainder);
  }
  division.quotient.negative = a.negative != b.negative;
  division.remainder.negative = a.negative;
  trim_sign(division.quotient);
  trim_sign(division.remainder);
  return division;
}

namespace {
Wide one_away(const Wide& quotient, bool negative) {
  Wide one = Wide::from(Int128{1});
  one.negative = negative;
  return quotient + one;
}
}  // namespace

Wide divide_rounded(const Wide& a, const Wide& b) {
  const Division division = divide(a, b);
  if (compare_magnitude(shifted_left(division.remainder, 1), b) < 0) return division.quotient;
  return one_away(division.quotient, a.negative != b.negative);
}

Wide divide_half_even(const Wide& a, const Wide& b) {
  const Division division = divide(a, b);
  const int half = compare_magnitude(shifted_left(division.remainder, 1), b);
  if (half < 0 || (half == 0 && (division.quotient.limb[0] & 1) == 0)) return division.quotient;
  return one_away(division.quotient, a.negative != b.negative);
}

Wide square_root_rounded(const Wide& a) {
  if (a.is_zero()) return a;
  // Newton's iteration from above; it falls until it reaches the root's whole part.
  Wide root = shifted_left(Wide::from(Int128{1}), (a.bit_length() + 1) / 2);
  for (;;) {
    const Wide next = shifted_right(root + divide(a, root).quotient, 1);
    if (compare_magnitude(next, root) >= 0) break;
    root = next;
  }
  // Up when a > (root + ½)² = root² + root + ¼.
  return compare(a - root * root, root) > 0 ? one_away(root, false) : root;
}

}  // namespace flytt::googlesql::internal
