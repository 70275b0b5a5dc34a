// BYTES: encodings (RFC 4648), bitwise operators, conversion to text.

#include <bit>
#include <string>

#include "data/utf8.h"
#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/utf8_text.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

std::string to_hex(Bytes s) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : s.data) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
Answer<ByteString> from_hex(std::string_view s) {
  ByteString out;
  int high = s.size() % 2 == 1 ? 0 : -1;  // an odd number of digits has a zero in front
  for (std::size_t i = 0; i < s.size(); ++i) {
    const int digit = hex_digit(s[i]);
    if (digit < 0) {
      return Failure{"Failed to decode invalid hexadecimal string due to character at offset " + std::to_string(i) +
                     ": " + std::string(s)};
    }
    if (high < 0) {
      high = digit;
    } else {
      out.data.push_back(static_cast<char>(high << 4 | digit));
      high = -1;
    }
  }
  return out;
}

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kBase32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

std::string encode(std::string_view s, const char* alphabet, int bits, std::size_t group) {
  std::string out;
  std::uint32_t held = 0;
  int count = 0;
  for (const char c : s) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= bits; count -= bits) out.push_back(alphabet[held >> (count - bits) & ((1u << bits) - 1)]);
  }
  if (count > 0) out.push_back(alphabet[held << (bits - count) & ((1u << bits) - 1)]);
  while (out.size() % group != 0) out.push_back('=');
  return out;
}
std::string to_base64(Bytes s) { return encode(s.data, kBase64, 6, 4); }
std::string to_base32(Bytes s) { return encode(s.data, kBase32, 5, 8); }

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// White space is skipped, padding may be left out but is complete when it is there, surplus bits are ignored.
Answer<ByteString> from_base64(std::string_view s) {
  const Failure invalid{"Failed to decode invalid base64 string"};
  ByteString out;
  std::uint32_t held = 0;
  std::size_t digits = 0, padding = 0;
  int count = 0;
  for (const char c : s) {
    if (is_ascii_space(c)) continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const std::size_t value = std::string_view(kBase64, 64).find(c);
    if (value == std::string_view::npos || padding > 0) return invalid;
    held = held << 6 | static_cast<std::uint32_t>(value);
    ++digits;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.data.push_back(static_cast<char>(held >> count & 0xff));
    }
  }
  if (digits % 4 == 1 || (padding > 0 && (digits + padding) % 4 != 0) || padding > 2) return invalid;
  return out;
}

// Strict RFC 4648: whole groups of eight with padding.
Answer<ByteString> from_base32(std::string_view s) {
  const Failure invalid{"Failed to decode invalid base32 string"};
  if (s.size() % 8 != 0) return invalid;
  std::size_t digits = s.size();
  while (digits > 0 && s[digits - 1] == '=') --digits;
  if (s.size() - digits > 6) return invalid;
  const std::size_t rest = digits % 8;
  if (rest == 1 || rest == 3 || rest == 6) return invalid;
  ByteString out;
  std::uint32_t held = 0;
  int count = 0;
  for (const char c : s.substr(0, digits)) {
    const std::size_t value = std::string_view(kBase32, 32).find(c);
    if (value == std::string_view::npos) return invalid;
    held = held << 5 | static_cast<std::uint32_t>(value);
    count += 5;
    if (count >= 8) {
      count -= 8;
      out.data.push_back(static_cast<char>(held >> count & 0xff));
    }
  }
  return out;
}

// ---- text ----
Answer<std::string> to_text(Bytes s) {
  if (!data::is_valid_utf8(s.data)) return Failure{"Invalid cast of bytes to UTF8 string"};
  return std::string(s.data);
}
ByteString from_text(std::string_view s) { return {std::string(s)}; }
// Each byte that is not part of a valid character becomes U+FFFD.
std::string to_text_lossy(Bytes s) {
  std::string out;
  for (std::size_t at = 0; at < s.data.size();) {
    std::size_t length = 1;
    for (; length <= 4 && at + length <= s.data.size(); ++length) {
      if (data::is_valid_utf8(s.data.substr(at, length))) break;
    }
    if (length <= 4 && at + length <= s.data.size()) {
      out += s.data.substr(at, length);
      at += length;
    } else {
      append_code_point(out, 0xfffd);
      ++at;
    }
  }
  return out;
}

// CAST … FORMAT
std::string format_name(std::string_view format) {
  std::string name(format);
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return name;
}
Failure unknown_format(std::string_view format) {
  return {"Invalid format: '" + std::string(format) + "' is not supported"};
}
Answer<std::string> to_text_as(Bytes s, std::string_view format) {
  const std::string name = format_name(format);
  if (name == "HEX" || name == "BASE16") return to_hex(s);
  if (name == "BASE64") return to_base64(s);
  if (name == "BASE32") return to_base32(s);
  if (name == "UTF-8" || name == "UTF8") return to_text(s);
  return unknown_format(format);
}
Answer<ByteString> from_text_as(std::string_view s, std::string_view format) {
  const std::string name = format_name(format);
  if (name == "HEX" || name == "BASE16") return from_hex(s);
  if (name == "BASE64") return from_base64(s);
  if (name == "BASE32") return from_base32(s);
  if (name == "UTF-8" || name == "UTF8") return from_text(s);
  return unknown_format(format);
}

// ---- bits ----
template <typename F>
Answer<ByteString> bitwise(Bytes a, Bytes b, F op) {
  if (a.data.size() != b.data.size()) {
    return Failure{"Bitwise binary operator for BYTES requires equal length of the inputs. Got " +
                   std::to_string(a.data.size()) + " bytes on the left hand side and " + std::to_string(b.data.size()) +
                   " bytes on the right hand side."};
  }
  ByteString out{std::string(a.data)};
  for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = static_cast<char>(op(a.data[i], b.data[i]));
  return out;
}
Answer<ByteString> bit_and(Bytes a, Bytes b) {
  return bitwise(a, b, [](char x, char y) { return x & y; });
}
Answer<ByteString> bit_or(Bytes a, Bytes b) {
  return bitwise(a, b, [](char x, char y) { return x | y; });
}
Answer<ByteString> bit_xor(Bytes a, Bytes b) {
  return bitwise(a, b, [](char x, char y) { return x ^ y; });
}
ByteString bit_not(Bytes a) {
  ByteString out{std::string(a.data)};
  for (char& c : out.data) c = static_cast<char>(~c);
  return out;
}
I bit_count(Bytes a) {
  I count = 0;
  for (const char c : a.data) count += std::popcount(static_cast<unsigned char>(c));
  return count;
}
Answer<ByteString> shift(Bytes a, I bits, bool left) {
  if (bits < 0) return Failure{"Bitwise shift by negative offset."};
  const auto size = static_cast<I>(a.data.size());
  ByteString out{std::string(a.data.size(), '\0')};
  const I whole = bits / 8;
  const int rest = static_cast<int>(bits % 8);
  const auto at = [&](I i) {
    return i >= 0 && i < size ? static_cast<unsigned>(static_cast<unsigned char>(a.data[i])) : 0u;
  };
  for (I i = 0; i < size && whole < size; ++i) {
    const unsigned value = left ? (at(i + whole) << 8 | at(i + whole + 1)) >> (8 - rest)
                                : (at(i - whole - 1) << 8 | at(i - whole)) >> rest;
    out.data[i] = static_cast<char>(value);
  }
  return out;
}
Answer<ByteString> shift_left(Bytes a, I bits) { return shift(a, bits, true); }
Answer<ByteString> shift_right(Bytes a, I bits) { return shift(a, bits, false); }

}  // namespace

void add_bytes_functions(Functions& list) {
  list.push_back(native<&to_hex>("gs_to_hex"));
  list.push_back(native<&from_hex>("gs_from_hex"));
  list.push_back(native<&to_base64>("gs_to_base64"));
  list.push_back(native<&from_base64>("gs_from_base64"));
  list.push_back(native<&to_base32>("gs_to_base32"));
  list.push_back(native<&from_base32>("gs_from_base32"));
  list.push_back(native<&to_text>("gs_bytes_to_text"));
  list.push_back(native<&from_text>("gs_text_to_bytes"));
  list.push_back(native<&to_text_lossy>("gs_bytes_to_text_lossy"));
  list.push_back(native<&to_text_as>("gs_bytes_to_text_as"));
  list.push_back(native<&from_text_as>("gs_text_to_bytes_as"));
  list.push_back(native<&bit_and>("gs_bit_and_bytes"));
  list.push_back(native<&bit_or>("gs_bit_or_bytes"));
  list.push_back(native<&bit_xor>("gs_bit_xor_bytes"));
  list.push_back(native<&bit_not>("gs_bit_not_bytes"));
  list.push_back(native<&bit_count>("gs_bit_count_bytes"));
  list.push_back(native<&shift_left>("gs_shift_left_bytes"));
  list.push_back(native<&shift_right>("gs_shift_right_bytes"));
}

}  // namespace flytt::googlesql::internal
