#include "postgres/internal/numeric.h"

#include <algorithm>

#include "postgres/internal/wire.h"

namespace flytt::postgres {

namespace {

using data::Int128;
using data::Int256;
using Uint128 = unsigned __int128;

constexpr std::uint16_t kNegative = 0x4000, kNan = 0xC000, kInfinity = 0xD000, kMinusInfinity = 0xF000;
constexpr std::uint32_t kBase = 10'000;
constexpr std::uint32_t kPowers[] = {1, 10, 100, 1'000, 10'000};

struct Header {
  int count, weight;
  std::uint16_t sign;
  int display_scale;
};

bool read_header(WireReader& in, Header& header, Verdict& verdict) {
  header.count = in.number<std::int16_t>();
  header.weight = in.number<std::int16_t>();
  header.sign = in.number<std::uint16_t>();
  header.display_scale = in.number<std::uint16_t>();
  verdict = Verdict::kMalformed;
  if (in.failed() || header.count < 0 || in.left() != static_cast<std::size_t>(header.count) * 2) return false;
  if (header.sign == kNan || header.sign == kInfinity || header.sign == kMinusInfinity) {
    verdict = Verdict::kNotFinite;
    return false;
  }
  return header.sign == 0 || header.sign == kNegative;
}

// Magnitudes; each step is false when the value leaves its range.
struct Narrow {
  static constexpr int kScale = data::kNumericScale;
  Uint128 value = 0;
  bool step(std::uint32_t factor, std::uint32_t addend) {
    if (value > (~Uint128{0} - addend) / factor) return false;
    value = value * factor + addend;
    return true;
  }
  bool is_zero() const { return value == 0; }
};

struct Wide {
  static constexpr int kScale = data::kBigNumericScale;
  Int256 value;
  bool step(std::uint32_t factor, std::uint32_t addend) { return value.multiply_add(factor, addend); }
  bool is_zero() const { return value.is_zero(); }
};

// `exponent` of a digit: the power of ten that one unit of it is worth in the scaled integer.
template <typename Magnitude>
Verdict accumulate(WireReader& in, const Header& header, Magnitude& out) {
  int exponent = 4 * header.weight + Magnitude::kScale + 4;
  for (int i = 0; i < header.count; ++i) {
    const std::uint32_t digit = in.number<std::uint16_t>();
    if (digit >= kBase) return Verdict::kMalformed;
    exponent -= 4;
    if (exponent >= 0) {
      if (!out.step(kBase, digit)) return Verdict::kOutOfRange;
    } else if (exponent > -4) {
      if (digit % kPowers[-exponent] != 0) return Verdict::kTooManyDecimals;
      if (!out.step(kPowers[4 + exponent], digit / kPowers[-exponent])) return Verdict::kOutOfRange;
    } else if (digit != 0) {
      return Verdict::kTooManyDecimals;
    }
  }
  if (out.is_zero()) return Verdict::kOk;
  for (; exponent >= 4; exponent -= 4)
    if (!out.step(kBase, 0)) return Verdict::kOutOfRange;
  if (exponent > 0 && !out.step(kPowers[exponent], 0)) return Verdict::kOutOfRange;
  return Verdict::kOk;
}

// Up to four digits, finite and exact: most values. False leaves the value to the general way.
bool read_small(std::string_view bytes, Int128& scaled) {
  static constexpr std::int64_t kTens[] = {1,
                                           10,
                                           100,
                                           1'000,
                                           10'000,
                                           100'000,
                                           1'000'000,
                                           10'000'000,
                                           100'000'000,
                                           1'000'000'000,
                                           10'000'000'000,
                                           100'000'000'000,
                                           1'000'000'000'000,
                                           10'000'000'000'000,
                                           100'000'000'000'000,
                                           1'000'000'000'000'000,
                                           10'000'000'000'000'000,
                                           100'000'000'000'000'000};
  if (bytes.size() < 8 || bytes.size() > 16) return false;
  const auto count = static_cast<std::size_t>(read_big_endian<std::uint16_t>(bytes.data()));
  const int weight = read_big_endian<std::int16_t>(bytes.data() + 2);
  const auto sign = read_big_endian<std::uint16_t>(bytes.data() + 4);
  if (bytes.size() != 8 + 2 * count || (sign & ~kNegative) != 0) return false;
  std::int64_t value = 0;
  bool is_digit = true;
  for (std::size_t i = 0; i < count; ++i) {
    const auto digit = read_big_endian<std::uint16_t>(bytes.data() + 8 + 2 * i);
    is_digit = is_digit && digit < kBase;
    value = value * kBase + digit;
  }
  // The last digit is worth 10^exponent of the scaled integer.
  const int exponent = 4 * (weight - static_cast<int>(count) + 1) + data::kNumericScale;
  if (!is_digit || exponent < -3 || exponent > 17) return false;
  if (exponent < 0) {
    if (value % kTens[-exponent] != 0) return false;
    scaled = value / kTens[-exponent];
  } else {
    scaled = static_cast<Int128>(value) * kTens[exponent];
  }
  if (sign != 0) scaled = -scaled;
  return true;
}

}  // namespace

Verdict read_numeric(std::string_view bytes, Int128& scaled) {
  if (read_small(bytes, scaled)) return Verdict::kOk;
  WireReader in(bytes);
  Header header;
  Verdict verdict;
  if (!read_header(in, header, verdict)) return verdict;
  Narrow magnitude;
  if (const Verdict v = accumulate(in, header, magnitude); v != Verdict::kOk) return v;
  if (magnitude.value >> 127 != 0 || !data::is_numeric_in_range(static_cast<Int128>(magnitude.value)))
    return Verdict::kOutOfRange;
  scaled = header.sign == kNegative ? -static_cast<Int128>(magnitude.value) : static_cast<Int128>(magnitude.value);
  return Verdict::kOk;
}

Verdict read_bignumeric(std::string_view bytes, Int256& scaled) {
  WireReader in(bytes);
  Header header;
  Verdict verdict;
  if (!read_header(in, header, verdict)) return verdict;
  Wide magnitude;
  if (const Verdict v = accumulate(in, header, magnitude); v != Verdict::kOk) return v;
  scaled = header.sign == kNegative ? magnitude.value.negated() : magnitude.value;
  return Verdict::kOk;
}

std::string render_numeric(std::string_view bytes) {
  WireReader in(bytes);
  Header header;
  Verdict verdict;
  if (!read_header(in, header, verdict)) {
    if (verdict != Verdict::kNotFinite) return {};
    return header.sign == kNan ? "NaN" : header.sign == kInfinity ? "Infinity" : "-Infinity";
  }
  std::string digits;  // all of them, four characters each
  for (int i = 0; i < header.count; ++i) {
    const std::uint32_t digit = in.number<std::uint16_t>();
    for (int place = 3; place >= 0; --place) digits += static_cast<char>('0' + digit / kPowers[place] % 10);
  }
  const auto digit_at = [&](long place) {  // power of ten → character
    const long index = 4L * header.weight + 3 - place;
    return index >= 0 && index < static_cast<long>(digits.size()) ? digits[static_cast<std::size_t>(index)] : '0';
  };
  std::string out = header.sign == kNegative ? "-" : "";
  long first = std::max(0L, 4L * header.weight + 3);
  while (first > 0 && digit_at(first) == '0') --first;
  for (long place = first; place >= 0; --place) out += digit_at(place);
  if (header.display_scale > 0) out += '.';
  for (long place = -1; place >= -header.display_scale; --place) out += digit_at(place);
  return out;
}

}  // namespace flytt::postgres
