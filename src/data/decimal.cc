#include "data/decimal.h"

#include <algorithm>
#include <cstring>

namespace flytt::data {

namespace {

using Uint128 = unsigned __int128;

// Digits of a decimal text, point removed, with the power of ten of the last digit.
struct Digits {
  std::string_view text;
  bool negative = false;
  long exponent = 0;
};

// Splits sign and exponent off; kNotANumber unless the rest is digits with at most one point.
DecimalVerdict split(std::string_view text, Digits& out) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    out.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (const auto e = text.find_first_of("eE"); e != text.npos) {
    std::string_view power = text.substr(e + 1);
    bool negative = false;
    if (!power.empty() && (power.front() == '-' || power.front() == '+')) {
      negative = power.front() == '-';
      power.remove_prefix(1);
    }
    if (power.empty() || power.size() > 6) return DecimalVerdict::kNotANumber;
    for (const char c : power) {
      if (c < '0' || c > '9') return DecimalVerdict::kNotANumber;
      out.exponent = out.exponent * 10 + (c - '0');
    }
    if (negative) out.exponent = -out.exponent;
    text = text.substr(0, e);
  }
  int digits = 0, points = 0;
  for (const char c : text) {
    if (c == '.')
      ++points;
    else if (c >= '0' && c <= '9')
      ++digits;
    else
      return DecimalVerdict::kNotANumber;
  }
  if (digits == 0 || points > 1) return DecimalVerdict::kNotANumber;
  out.text = text;
  return DecimalVerdict::kOk;
}

DecimalVerdict parse_scaled(std::string_view text, int scale, Int256& scaled) {
  Digits digits;
  if (const auto verdict = split(text, digits); verdict != DecimalVerdict::kOk) return verdict;
  const auto point = digits.text.find('.');
  const long integers = static_cast<long>(point == digits.text.npos ? digits.text.size() : point);
  Int256 value;
  long place = integers + digits.exponent;  // power of ten of the next digit, plus one
  bool cut = false;
  for (const char c : digits.text) {
    if (c == '.') continue;
    --place;
    if (place < -scale) {
      cut = cut || c != '0';
      continue;
    }
    if (!value.multiply_add(10, static_cast<std::uint64_t>(c - '0'))) return DecimalVerdict::kOutOfRange;
  }
  if (!value.is_zero())
    for (; place > -scale; --place)
      if (!value.multiply_add(10, 0)) return DecimalVerdict::kOutOfRange;
  if (cut) return DecimalVerdict::kTooManyDecimals;
  scaled = digits.negative ? value.negated() : value;
  return DecimalVerdict::kOk;
}

std::string format_scaled(Int256 value, int scale) {
  const bool negative = value.is_negative();
  if (negative) value = value.negated();
  std::string reversed;
  // The minimum's magnitude has its top bit set; divide treats limbs as unsigned, so it is still right.
  while (!value.is_zero()) {
    std::uint64_t chunk = value.divide(10'000'000'000'000'000'000ULL);
    for (int i = 0; i < 19 && (!value.is_zero() || chunk != 0); ++i, chunk /= 10)
      reversed += static_cast<char>('0' + chunk % 10);
  }
  while (static_cast<int>(reversed.size()) <= scale) reversed += '0';
  std::string out;
  if (negative) out += '-';
  out.append(reversed.rbegin(), reversed.rend() - scale);
  std::string fraction(reversed.rend() - scale, reversed.rend());
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (!fraction.empty()) out += "." + fraction;
  return out;
}

}  // namespace

Int256 Int256::from(Int128 value) {
  const std::uint64_t fill = value < 0 ? ~std::uint64_t{0} : 0;
  return Int256{
      {static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(static_cast<Uint128>(value) >> 64), fill, fill}};
}

Int256 Int256::negated() const {
  Int256 out;
  Uint128 carry = 1;
  for (int i = 0; i < 4; ++i) {
    carry += static_cast<std::uint64_t>(~limb[i]);
    out.limb[i] = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  return out;
}

bool Int256::multiply_add(std::uint64_t factor, std::uint64_t addend) {
  Uint128 carry = addend;
  for (auto& l : limb) {
    carry += static_cast<Uint128>(l) * factor;
    l = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  return carry == 0 && !is_negative();
}

std::uint64_t Int256::divide(std::uint64_t divisor) {
  Uint128 rest = 0;
  for (int i = 3; i >= 0; --i) {
    rest = rest << 64 | limb[i];
    limb[i] = static_cast<std::uint64_t>(rest / divisor);
    rest %= divisor;
  }
  return static_cast<std::uint64_t>(rest);
}

bool operator<(const Int256& a, const Int256& b) {
  if (a.is_negative() != b.is_negative()) return a.is_negative();
  return std::lexicographical_compare(a.limb.rbegin(), a.limb.rend(), b.limb.rbegin(), b.limb.rend());
}

Int256 operator+(const Int256& a, const Int256& b) {
  Int256 out;
  Uint128 carry = 0;
  for (int i = 0; i < 4; ++i) {
    carry += static_cast<Uint128>(a.limb[i]) + b.limb[i];
    out.limb[i] = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  return out;
}

bool is_numeric_in_range(Int128 scaled) {
  constexpr Int128 kMax = static_cast<Int128>(10'000'000'000'000'000'000ULL) * 10'000'000'000'000'000'000ULL - 1;
  return scaled >= -kMax && scaled <= kMax;
}

DecimalVerdict parse_numeric(std::string_view text, Int128& scaled) {
  Int256 wide;
  if (const auto verdict = parse_scaled(text, kNumericScale, wide); verdict != DecimalVerdict::kOk) return verdict;
  const auto narrow = to_int128(wide);
  if (!narrow || !is_numeric_in_range(*narrow)) return DecimalVerdict::kOutOfRange;
  scaled = *narrow;
  return DecimalVerdict::kOk;
}

DecimalVerdict parse_bignumeric(std::string_view text, Int256& scaled) {
  return parse_scaled(text, kBigNumericScale, scaled);
}

std::string format_numeric(Int128 scaled) { return format_scaled(Int256::from(scaled), kNumericScale); }
std::string format_bignumeric(const Int256& scaled) { return format_scaled(scaled, kBigNumericScale); }

void to_ordered_bytes(const Int256& value, char out[32]) {
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t swapped = __builtin_bswap64(value.limb[3 - i]);
    std::memcpy(out + 8 * i, &swapped, 8);
  }
  out[0] = static_cast<char>(out[0] ^ 0x80);
}

Int256 from_ordered_bytes(const char in[32]) {
  Int256 value;
  char flipped[32];
  std::memcpy(flipped, in, 32);
  flipped[0] = static_cast<char>(flipped[0] ^ 0x80);
  for (int i = 0; i < 4; ++i) {
    std::uint64_t swapped;
    std::memcpy(&swapped, flipped + 8 * i, 8);
    value.limb[3 - i] = __builtin_bswap64(swapped);
  }
  return value;
}

std::size_t to_shortest_bytes(const Int256& value, char out[32]) {
  std::memcpy(out, value.limb.data(), 32);
  const auto fill = static_cast<char>(value.is_negative() ? 0xFF : 0);
  std::size_t length = 32;
  while (length > 1 && out[length - 1] == fill && ((out[length - 2] ^ fill) & 0x80) == 0) --length;
  return length;
}

std::size_t to_shortest_bytes(Int128 value, char out[16]) {
  char wide[32];
  const std::size_t length = to_shortest_bytes(Int256::from(value), wide);
  std::memcpy(out, wide, length);
  return length;
}

std::optional<Int256> from_shortest_bytes(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > 32) return std::nullopt;
  char wide[32];
  std::memset(wide, (bytes.back() & 0x80) != 0 ? 0xFF : 0, sizeof wide);
  std::memcpy(wide, bytes.data(), bytes.size());
  Int256 value;
  std::memcpy(value.limb.data(), wide, 32);
  return value;
}

std::optional<Int128> to_int128(const Int256& value) {
  const Int128 low = static_cast<Int128>(static_cast<Uint128>(value.limb[1]) << 64 | value.limb[0]);
  if (!(Int256::from(low) == value)) return std::nullopt;
  return low;
}

}  // namespace flytt::data
