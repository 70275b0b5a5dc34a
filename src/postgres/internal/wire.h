#pragma once
// Big-endian numbers and a bounds-checked reader: every PostgreSQL wire format is made of these.

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace flytt::postgres {

template <typename T>
inline T read_big_endian(const char* at) {
  std::make_unsigned_t<T> raw;
  std::memcpy(&raw, at, sizeof raw);
  if constexpr (sizeof(T) == 8) raw = __builtin_bswap64(raw);
  if constexpr (sizeof(T) == 4) raw = __builtin_bswap32(raw);
  if constexpr (sizeof(T) == 2) raw = __builtin_bswap16(raw);
  return static_cast<T>(raw);
}

template <typename T>
inline void append_big_endian(std::string& out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<std::make_unsigned_t<T>>(value) >> shift & 0xFF);
}

// Reads from the front. Once a read does not fit, `failed()` is true and every later read yields zero or nothing.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  template <typename T>
  T number() {
    if (left() < sizeof(T)) return fail(), T{};
    const T value = read_big_endian<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  char character() { return static_cast<char>(number<std::uint8_t>()); }
  std::string_view bytes(std::size_t count) {
    if (left() < count) return fail(), std::string_view{};
    const std::string_view value(at_, count);
    at_ += count;
    return value;
  }
  // Up to a zero byte, which is consumed and not returned.
  std::string_view text() {
    const void* zero = left() == 0 ? nullptr : std::memchr(at_, 0, left());
    if (zero == nullptr) return fail(), std::string_view{};
    const std::string_view value(at_, static_cast<std::size_t>(static_cast<const char*>(zero) - at_));
    at_ += value.size() + 1;
    return value;
  }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  bool failed() const { return failed_; }
  bool done() const { return !failed_ && at_ == end_; }

 private:
  void fail() {
    failed_ = true;
    at_ = end_;
  }
  const char* at_;
  const char* end_;
  bool failed_ = false;
};

}  // namespace flytt::postgres
