// What BigQuery's JSON refuses although PostgreSQL accepts it. One pass over bytes that PostgreSQL has parsed already;
// bytes that are no JSON at all get some verdict, too.
//
// Numbers: an integer of 64 bits (signed or unsigned) is exact. Anything else is kept as a double, so it is accepted
// only if writing that double out in its shortest form gives the same digits and exponent back.

#include <charconv>
#include <cstring>
#include <string>

#include "postgres/internal/codec.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

// A decimal as significant digits (no zeros at either end) times a power of ten.
struct Significant {
  std::string digits;
  long exponent = 0;
  friend bool operator==(const Significant& a, const Significant& b) {
    return a.digits == b.digits && a.exponent == b.exponent;
  }
};

Significant significant(std::string_view text) {
  Significant out;
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  long power = 0;
  if (const auto e = text.find_first_of("eE"); e != text.npos) {
    std::string_view number = text.substr(e + 1);
    if (!number.empty() && number.front() == '+') number.remove_prefix(1);
    std::from_chars(number.data(), number.data() + number.size(), power);
    text = text.substr(0, e);
  }
  bool fraction = false;
  for (const char c : text) {
    if (c == '.') {
      fraction = true;
      continue;
    }
    if (fraction) --power;
    if (c == '0' && out.digits.empty()) continue;
    out.digits += c;
  }
  while (!out.digits.empty() && out.digits.back() == '0') {
    out.digits.pop_back();
    ++power;
  }
  out.exponent = out.digits.empty() ? 0 : power;
  return out;
}

bool is_exact_integer(std::string_view text) {
  const char* end = text.data() + text.size();
  std::int64_t small;
  if (const auto [at, failure] = std::from_chars(text.data(), end, small); failure == std::errc() && at == end)
    return true;
  std::uint64_t large;
  const auto [at, failure] = std::from_chars(text.data(), end, large);
  return failure == std::errc() && at == end;
}

// At most 15 digits and a small exponent: a double keeps that (DBL_DIG), and 18 digits without a point fit 64 bits.
bool is_short_number(std::string_view text) {
  std::size_t digits = 0;
  bool whole = true;
  for (const char c : text) {
    if (c >= '0' && c <= '9')
      ++digits;
    else if (c == '.')
      whole = false;
    else if (c != '-' || &c != text.data())
      return false;
  }
  return digits <= (whole ? 18u : 15u);
}

bool is_number_kept(std::string_view text) {
  if (is_short_number(text)) return true;
  if (is_exact_integer(text)) return true;
  double value;
  const auto [at, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || at != text.data() + text.size()) {
    // Underflow to zero is reported as out of range, too; a written zero ("0e-400") is still a zero.
    return significant(text).digits.empty();
  }
  char shortest[40];
  const auto written = std::to_chars(shortest, shortest + sizeof shortest, value, std::chars_format::scientific);
  return significant(text) == significant({shortest, static_cast<std::size_t>(written.ptr - shortest)});
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// At "\uXXXX" (the position of the backslash); the code unit, or -1.
int code_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const int digit = hex_value(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// Eight characters at once: whether a quote or a backslash is among them (a byte of `x` is zero exactly if the high bit
// of that byte survives below; the first such byte is always right).
bool has_quote_or_backslash(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  const std::uint64_t quote = word ^ (kOnes * '"'), backslash = word ^ (kOnes * '\\');
  return (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash)) & kHighs;
}

// `at` is behind the opening quote; on return behind the closing one.
Verdict skip_string(std::string_view text, std::size_t& at) {
  while (at < text.size()) {
    while (at + 8 <= text.size() && !has_quote_or_backslash(text.data() + at)) at += 8;
    if (at >= text.size()) break;
    const char c = text[at];
    if (c == '"') return ++at, Verdict::kOk;
    if (c != '\\') {
      ++at;
      continue;
    }
    if (at + 1 >= text.size()) return Verdict::kMalformed;
    if (text[at + 1] != 'u') {
      at += 2;
      continue;
    }
    const int unit = code_unit(text, at);
    if (unit < 0) return Verdict::kMalformed;
    at += 6;
    if (unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return Verdict::kJsonCharacter;
    if (unit < 0xD800 || unit > 0xDBFF) continue;
    const int low = code_unit(text, at);
    if (low < 0xDC00 || low > 0xDFFF) return Verdict::kJsonCharacter;
    at += 6;
  }
  return Verdict::kMalformed;
}

bool is_number_character(char c) {
  return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

}  // namespace

Verdict check_json(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      ++at;
      if (const Verdict verdict = skip_string(text, at); verdict != Verdict::kOk) return verdict;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      const std::size_t begin = at;
      while (at < text.size() && is_number_character(text[at])) ++at;
      if (!is_number_kept(text.substr(begin, at - begin))) return Verdict::kJsonNumber;
    } else {
      if (c == '{' || c == '[') {
        if (++depth > kJsonDepthMax) return Verdict::kJsonDepth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return Verdict::kMalformed;
        --depth;
      }
      ++at;
    }
  }
  return depth == 0 ? Verdict::kOk : Verdict::kMalformed;
}

}  // namespace flytt::postgres
