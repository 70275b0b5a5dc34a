#include "wire/internal/json_check.h"

#include <bitset>
#include <cstdint>
#include <cstring>

#include "wire/limits.h"

namespace flytt::wire {
namespace {

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  // The nesting is kept as one bit per level (object or array), so a deep text cannot exhaust the stack.
  bool document() {
    for (;;) {
      if (!value()) return false;  // a scalar, or the opening of a container that is not empty
      if (opened_) continue;
      for (;;) {
        space();
        if (depth_ == 0) return at_ == end_;
        if (take(',')) {
          if (in_object() && !member_name()) return false;
          break;
        }
        if (!take(in_object() ? '}' : ']')) return false;
        --depth_;
      }
    }
  }

 private:
  bool in_object() const { return is_object_[static_cast<std::size_t>(depth_)]; }

  bool value() {
    opened_ = false;
    space();
    if (at_ == end_) return false;
    switch (*at_) {
      case '{': return open(true);
      case '[': return open(false);
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }

  bool open(bool object) {
    ++at_;
    space();
    if (take(object ? '}' : ']')) return depth_ < kJsonDepthMax;
    if (depth_ == kJsonDepthMax) return false;
    is_object_[static_cast<std::size_t>(++depth_)] = object;
    opened_ = true;
    return !object || member_name();
  }

  bool member_name() {
    space();
    if (at_ == end_ || *at_ != '"' || !string()) return false;
    space();
    return take(':');
  }

  bool string() {
    ++at_;
    while (end_ - at_ >= 8 && is_plain_word(at_)) at_ += 8;
    while (at_ != end_) {
      const auto c = static_cast<unsigned char>(*at_++);
      if (c == '"') return true;
      if (c < 0x20) return false;
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }

  // No quote, backslash or control character among eight bytes ("Bit Twiddling Hacks", S. Anderson: a byte less than n).
  static bool is_plain_word(const char* bytes) {
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    std::uint64_t word;
    std::memcpy(&word, bytes, 8);
    const auto zeros = [](std::uint64_t x) { return (x - kOnes) & ~x & kHighs; };
    const std::uint64_t controls = (word - kOnes * 0x20) & ~word & kHighs;
    return (zeros(word ^ (kOnes * '"')) | zeros(word ^ (kOnes * '\\')) | controls) == 0;
  }

  bool escape() {
    if (at_ == end_) return false;
    const char c = *at_++;
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    std::uint32_t unit;
    if (!hex4(unit) || unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return false;
    if (unit < 0xD800 || unit > 0xDBFF) return true;
    return take('\\') && take('u') && hex4(unit) && unit >= 0xDC00 && unit <= 0xDFFF;
  }

  bool hex4(std::uint32_t& unit) {
    if (end_ - at_ < 4) return false;
    unit = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = *at_++;
      if (c >= '0' && c <= '9')
        unit = unit << 4 | static_cast<std::uint32_t>(c - '0');
      else if (c >= 'a' && c <= 'f')
        unit = unit << 4 | static_cast<std::uint32_t>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F')
        unit = unit << 4 | static_cast<std::uint32_t>(c - 'A' + 10);
      else
        return false;
    }
    return true;
  }

  bool number() {
    take('-');
    if (take('0')) {
      // no further digits
    } else if (!digits()) {
      return false;
    }
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  bool digits() {
    const char* const begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != begin;
  }

  bool word(std::string_view expected) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, expected.size()) != expected)
      return false;
    at_ += expected.size();
    return true;
  }

  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  const char* at_;
  const char* end_;
  int depth_ = 0;
  bool opened_ = false;
  std::bitset<kJsonDepthMax + 1> is_object_;
};

}  // namespace

bool is_json(std::string_view text) { return JsonReader(text).document(); }

}  // namespace flytt::wire
