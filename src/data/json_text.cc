// A number is kept if it is an integer of 64 bits (signed or unsigned). Anything else is kept as a double, so it is
// accepted only if writing that double out in its shortest form gives the same digits and exponent back.

#include "data/json_text.h"

#include <bitset>
#include <charconv>
#include <cstdint>
#include <string>

namespace flytt::data {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

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

template <typename T>
bool is_whole(std::string_view text) {
  T value;
  const char* end = text.data() + text.size();
  const auto [at, failure] = std::from_chars(text.data(), end, value);
  return failure == std::errc() && at == end;
}

// Up to 15 digits with a point: a double keeps that (DBL_DIG). Up to 18 without one fit 64 bits.
bool is_short_number(std::string_view text) {
  if (text.size() > 18) return false;
  std::size_t digits = 0;
  bool is_integer = true;
  for (const char c : text) {
    if (is_digit(c))
      ++digits;
    else if (c == '.')
      is_integer = false;
    else if (c != '-')
      return false;
  }
  return is_integer || digits <= 15;
}

bool is_number_kept(std::string_view text) {
  if (is_short_number(text)) return true;
  if (is_whole<std::int64_t>(text) || is_whole<std::uint64_t>(text)) return true;
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
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  JsonVerdict run() {
    if (value() && (skip_space(), at_ != text_.size())) return JsonVerdict::kMalformed;
    return verdict_;
  }

  // Behind the number at the current place; false when there is none.
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    return true;
  }
  std::size_t at() const { return at_; }

 private:
  bool fail(JsonVerdict verdict) {
    verdict_ = verdict;
    return false;
  }
  bool malformed() { return fail(JsonVerdict::kMalformed); }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > begin;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  // The value at the current place with all that is in it.
  bool value() {
    do {
      skip_space();
      if (take('{')) {
        if (!open(true)) return false;
        if (skip_space(), !take('}')) {
          if (!key()) return false;
          continue;
        }
        --depth_;
      } else if (take('[')) {
        if (!open(false)) return false;
        if (skip_space(), !take(']')) continue;
        --depth_;
      } else if (!scalar()) {
        return false;
      }
      if (!close()) return false;
    } while (depth_ > 0);
    return true;
  }
  bool open(bool is_object) {
    if (depth_ == kJsonDepthMax) return fail(JsonVerdict::kTooDeep);
    is_object_[depth_++] = is_object;
    return true;
  }
  // After a value: ends what it was the last of, and stands before the next value if there is one.
  bool close() {
    while (depth_ > 0) {
      skip_space();
      if (take(',')) return is_object_[depth_ - 1] ? (skip_space(), key()) : true;
      if (!take(is_object_[depth_ - 1] ? '}' : ']')) return malformed();
      --depth_;
    }
    return true;
  }
  bool key() {
    if (!take('"')) return malformed();
    if (!string()) return false;
    skip_space();
    return take(':') || malformed();
  }
  bool scalar() {
    if (take('"')) return string();
    if (take("true") || take("false") || take("null")) return true;
    const std::size_t begin = at_;
    if (!number()) return malformed();
    return is_number_kept(text_.substr(begin, at_ - begin)) || fail(JsonVerdict::kNumber);
  }
  // Behind the opening quote; on return behind the closing one.
  bool string() {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return malformed();
      if (c == '\\' && !escape()) return false;
    }
    return malformed();
  }
  bool escape() {
    if (at_ >= text_.size()) return malformed();
    const char c = text_[at_++];
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos || malformed();
    const int unit = code_unit();
    if (unit < 0) return malformed();
    if (unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return fail(JsonVerdict::kCharacter);
    if (unit < 0xD800 || unit > 0xDBFF) return true;
    if (!take("\\u")) return fail(JsonVerdict::kCharacter);
    const int low = code_unit();
    if (low < 0) return malformed();
    return (low >= 0xDC00 && low <= 0xDFFF) || fail(JsonVerdict::kCharacter);
  }
  int code_unit() {
    if (at_ + 4 > text_.size()) return -1;
    int unit = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = hex_value(text_[at_++]);
      if (digit < 0) return -1;
      unit = unit * 16 + digit;
    }
    return unit;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::bitset<kJsonDepthMax> is_object_;
  JsonVerdict verdict_ = JsonVerdict::kOk;
};

}  // namespace

JsonVerdict check_json(std::string_view text) { return Scanner(text).run(); }

bool is_json_number(std::string_view text) {
  Scanner scanner(text);
  return scanner.number() && scanner.at() == text.size();
}

}  // namespace flytt::data
