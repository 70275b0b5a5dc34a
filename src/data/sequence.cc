#include "data/sequence.h"

namespace flytt::data {

namespace {

std::size_t write_hex(std::uint64_t value, char* out) {
  int digits = 1;
  while (digits < 16 && (value >> (4 * digits)) != 0) ++digits;
  for (int i = digits - 1; i >= 0; --i) *out++ = "0123456789ABCDEF"[(value >> (4 * i)) & 15];
  return static_cast<std::size_t>(digits);
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  if (text.empty() || text.size() > 16) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    int digit;
    if (c >= '0' && c <= '9')
      digit = c - '0';
    else if (c >= 'a' && c <= 'f')
      digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
      digit = c - 'A' + 10;
    else
      return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(digit);
  }
  return value;
}

}  // namespace

std::size_t Sequence::write_sections(char* out) const {
  char* at = out;
  at += write_hex(epoch(), at);
  *at++ = '/';
  at += write_hex(position(), at);
  *at++ = '/';
  at += write_hex(ordinal(), at);
  return static_cast<std::size_t>(at - out);
}

std::string Sequence::sections() const {
  char text[40];
  return std::string(text, write_sections(text));
}

std::optional<Sequence> Sequence::parse_sections(std::string_view text) {
  const auto first = text.find('/');
  if (first == text.npos) return std::nullopt;
  const auto second = text.find('/', first + 1);
  if (second == text.npos) return std::nullopt;
  const auto epoch = parse_hex(text.substr(0, first));
  const auto position = parse_hex(text.substr(first + 1, second - first - 1));
  const auto ordinal = parse_hex(text.substr(second + 1));
  if (!epoch || !position || !ordinal || *epoch > 0xFFFF || *ordinal > kOrdinalMax) return std::nullopt;
  return of(static_cast<std::uint16_t>(*epoch), *position, *ordinal);
}

}  // namespace flytt::data
