#pragma once
// The protobuf wire format by hand (protobuf.dev, "Encoding"): varints, tags, little-endian fixed numbers.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace flytt::wire {

enum class WireType : std::uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroupStart = 3,
  kGroupEnd = 4,
  kFixed32 = 5
};

constexpr std::uint32_t tag_of(std::uint32_t number, WireType type) {
  return number << 3 | static_cast<std::uint32_t>(type);
}

inline std::size_t varint_size(std::uint64_t value) {
  return 1 + static_cast<std::size_t>((63 - __builtin_clzll(value | 1)) / 7);
}

inline char* write_varint(char* at, std::uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

inline char* write_bytes(char* at, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

inline void append_varint(std::string& out, std::uint64_t value) {
  char bytes[10];
  out.append(bytes, static_cast<std::size_t>(write_varint(bytes, value) - bytes));
}
inline void append_tag(std::string& out, std::uint32_t number, WireType type) {
  append_varint(out, tag_of(number, type));
}
inline void append_bytes_field(std::string& out, std::uint32_t number, std::string_view bytes) {
  append_tag(out, number, WireType::kBytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

// Reads from [at, end); every function returns false, with `at` unspecified, when the bytes end too early or are not legal.
struct ProtoCursor {
  const char* at;
  const char* end;

  explicit ProtoCursor(std::string_view bytes) : at(bytes.data()), end(bytes.data() + bytes.size()) {}
  bool done() const { return at == end; }
  std::size_t left() const { return static_cast<std::size_t>(end - at); }

  bool varint(std::uint64_t& value) {
    if (at != end && static_cast<signed char>(*at) >= 0) {
      value = static_cast<unsigned char>(*at++);
      return true;
    }
    return long_varint(value);
  }
  bool tag(std::uint32_t& value) {
    std::uint64_t wide;
    if (!varint(wide) || wide > 0xFFFFFFFFULL || (wide >> 3) == 0) return false;
    value = static_cast<std::uint32_t>(wide);
    return true;
  }
  bool fixed64(std::uint64_t& value) {
    if (left() < 8) return false;
    std::memcpy(&value, at, 8);
    at += 8;
    return true;
  }
  bool fixed32(std::uint32_t& value) {
    if (left() < 4) return false;
    std::memcpy(&value, at, 4);
    at += 4;
    return true;
  }
  bool bytes(std::string_view& value) {
    std::uint64_t length;
    if (!varint(length) || length > left()) return false;
    value = {at, static_cast<std::size_t>(length)};
    at += length;
    return true;
  }
  // Skips the content of a field whose tag was just read; a group is skipped with its end.
  bool skip(std::uint32_t tag_value, int depth_left = 32);

 private:
  bool long_varint(std::uint64_t& value);
};

}  // namespace flytt::wire
