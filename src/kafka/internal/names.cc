#include "kafka/internal/names.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

constexpr std::array<std::string_view, 9> kReserved = {"_table_",        "_file_",   "_partition",
                                                       "_row_timestamp", "__root__", "_colidentifier",
                                                       "_change_",       "_kafka_",  "_flytt_"};

bool is_ascii_letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

// À to ÿ without × and ÷: two bytes, C3 80 to C3 BF.
bool is_latin_letter(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size() || static_cast<unsigned char>(text[at]) != 0xC3) return false;
  const auto second = static_cast<unsigned char>(text[at + 1]);
  return second >= 0x80 && second <= 0xBF && second != 0x97 && second != 0xB7;
}

// Bytes of the character at `at` that a name may hold; 0: none.
std::size_t allowed(std::string_view text, std::size_t at) {
  const auto c = static_cast<unsigned char>(text[at]);
  if (is_ascii_letter(c) || is_digit(c) || c == '_') return 1;
  return is_latin_letter(text, at) ? 2 : 0;
}

std::uint32_t hash(std::string_view text) {  // FNV-1a
  std::uint32_t value = 2'166'136'261u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 16'777'619u;
  return value;
}

}  // namespace

std::string folded(std::string_view name) {
  std::string out(name);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto c = static_cast<unsigned char>(out[i]);
    const bool is_upper_latin = c >= 0x80 && c <= 0x9E && i > 0 && static_cast<unsigned char>(out[i - 1]) == 0xC3;
    if ((c >= 'A' && c <= 'Z') || is_upper_latin) out[i] = static_cast<char>(c + 0x20);
  }
  return out;
}

bool is_plain_name(std::string_view key) {
  if (key.empty() || key.size() > kColumnNameMax || is_digit(static_cast<unsigned char>(key.front()))) return false;
  for (std::size_t at = 0; at < key.size();) {
    const std::size_t bytes = allowed(key, at);
    if (bytes == 0) return false;
    at += bytes;
  }
  const std::string lower = folded(key.substr(0, 16));
  for (const std::string_view reserved : kReserved)
    if (lower.compare(0, reserved.size(), reserved) == 0) return false;
  return true;
}

std::string marked_name(std::string_view key) {
  std::string out;
  if (key.empty() || is_digit(static_cast<unsigned char>(key.front())) || key.front() == '_') out = "f";
  for (std::size_t at = 0; at < key.size() && out.size() < kColumnNameMax - 16;) {
    const std::size_t bytes = allowed(key, at);
    if (bytes == 0) {
      out += '_';
      // One mark for each character, not for each of its bytes.
      do ++at;
      while (at < key.size() && (static_cast<unsigned char>(key[at]) & 0xC0) == 0x80);
    } else {
      out += key.substr(at, bytes);
      at += bytes;
    }
  }
  char suffix[16];
  std::snprintf(suffix, sizeof suffix, "_%08x", hash(key));
  return out + suffix;
}

}  // namespace flytt::kafka
