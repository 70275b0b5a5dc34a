#include "googlesql/internal/external_calls.h"

#include <strings.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "googlesql/limits.h"

namespace flytt::googlesql::internal {

namespace {

bool is_name_begin(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_begin(c) || (c >= '0' && c <= '9'); }
bool is_quote(char c) { return c == '\'' || c == '"'; }

void append_utf8(std::uint32_t point, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

class Scanner {
 public:
  Scanner(std::string_view sql, std::size_t begin) : sql_(sql), at_(begin) {}

  Result<std::vector<ExternalSite>> calls() {
    std::vector<ExternalSite> found;
    bool is_part_of_path = false;
    for (skip_blanks(); at_ < sql_.size() && sql_[at_] != ';'; skip_blanks()) {
      const std::size_t begin = at_;
      if (begins_literal()) {
        if (!literal()) break;  // unterminated: the analyzer says so
      } else if (sql_[at_] == '`') {
        skip_quoted_name();
      } else if (is_name_begin(sql_[at_])) {
        const std::string_view name = take_name();
        skip_blanks();
        const bool is_call = at_ < sql_.size() && sql_[at_] == '(' && name.size() == kExternalFunction.size() &&
                             strncasecmp(name.data(), kExternalFunction.data(), name.size()) == 0;
        if (is_call && !is_part_of_path) {
          TRY(ExternalSite site, read_call(begin));
          found.push_back(std::move(site));
        }
      } else {
        ++at_;
      }
      is_part_of_path = sql_[begin] == '.' || sql_[begin] == '@';
    }
    return found;
  }

 private:
  std::string_view rest() const { return sql_.substr(at_); }

  void skip_blanks() {
    while (at_ < sql_.size()) {
      if (sql_[at_] == ' ' || (sql_[at_] >= '\t' && sql_[at_] <= '\r')) {
        ++at_;
      } else if (sql_[at_] == '#' || rest().substr(0, 2) == "--") {
        at_ = std::min(sql_.find('\n', at_), sql_.size());
      } else if (rest().substr(0, 2) == "/*") {
        const std::size_t end = sql_.find("*/", at_ + 2);
        at_ = end == sql_.npos ? sql_.size() : end + 2;
      } else {
        return;
      }
    }
  }

  // r, b, rb or br before a quote.
  std::size_t prefix_length() const {
    std::size_t length = 0;
    while (length < 2 && at_ + length < sql_.size() && std::string_view("rRbB").find(sql_[at_ + length]) != sql_.npos)
      ++length;
    return at_ + length < sql_.size() && is_quote(sql_[at_ + length]) ? length : 0;
  }
  bool begins_literal() const { return is_quote(sql_[at_]) || prefix_length() > 0; }

  std::string_view take_name() {
    const std::size_t begin = at_;
    while (at_ < sql_.size() && is_name_part(sql_[at_])) ++at_;
    return sql_.substr(begin, at_ - begin);
  }

  void skip_quoted_name() {
    for (++at_; at_ < sql_.size() && sql_[at_] != '`'; ++at_)
      if (sql_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, sql_.size());
  }

  struct Literal {
    std::string value;
    bool is_bytes = false;
  };
  // The literal that begins here; nullopt when it has no end or an escape is wrong.
  std::optional<Literal> literal() {
    Literal out;
    bool is_raw = false;
    for (std::size_t left = prefix_length(); left > 0; --left, ++at_) {
      is_raw = is_raw || sql_[at_] == 'r' || sql_[at_] == 'R';
      out.is_bytes = out.is_bytes || sql_[at_] == 'b' || sql_[at_] == 'B';
    }
    const std::string_view one = rest().substr(0, 1);
    std::string_view quote = rest().substr(0, 3);
    const bool is_triple = quote.size() == 3 && quote[0] == quote[1] && quote[1] == quote[2];
    if (!is_triple) quote = one;
    at_ += quote.size();
    while (at_ < sql_.size() && rest().substr(0, quote.size()) != quote) {
      const char c = sql_[at_++];
      if (c == '\r' && is_triple) {
        out.value += '\n';  // every line end is one line feed
        if (at_ < sql_.size() && sql_[at_] == '\n') ++at_;
      } else if (c != '\\') {
        if (c == '\n' && !is_triple) return std::nullopt;
        out.value += c;
      } else if (at_ >= sql_.size() || !escape(is_raw, out.value)) {
        return std::nullopt;
      }
    }
    if (at_ >= sql_.size()) return std::nullopt;
    at_ += quote.size();
    return out;
  }

  bool escape(bool is_raw, std::string& out) {
    const char c = sql_[at_++];
    if (is_raw) {
      out += '\\';
      out += c;
      return true;
    }
    static constexpr std::string_view kNames = "abfnrtv\\?\"'`", kValues = "\a\b\f\n\r\t\v\\?\"'`";
    if (const auto simple = kNames.find(c); simple != kNames.npos) {
      out += kValues[simple];
      return true;
    }
    if (c >= '0' && c <= '3') return --at_, digits(3, 8, out);
    if (c == 'x' || c == 'X') return digits(2, 16, out);
    if (c == 'u') return digits(4, 16, out);
    return c == 'U' && digits(8, 16, out);
  }

  bool digits(std::size_t count, int base, std::string& out) {
    std::uint32_t value = 0;
    for (const char c : rest().substr(0, count)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : 99;
      if (digit >= base) return false;
      value = value * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit);
    }
    if (rest().size() < count || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return false;
    at_ += count;
    append_utf8(value, out);
    return true;
  }

  std::string place_of(std::size_t byte) const {
    const auto lines = std::count(sql_.begin(), sql_.begin() + static_cast<std::ptrdiff_t>(byte), '\n');
    const std::size_t line_begin = byte == 0 ? 0 : sql_.rfind('\n', byte - 1) + 1;  // npos + 1 = 0
    std::size_t column = 1;
    for (const char c : sql_.substr(line_begin, byte - line_begin))
      if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++column;
    return "[" + std::to_string(lines + 1) + ":" + std::to_string(column) + "]";
  }

  Result<ExternalSite> read_call(std::size_t begin) {
    ExternalSite site;
    site.begin = begin;
    site.place = place_of(begin);
    char after = '(';
    while (after == '(' || after == ',') {
      ++at_;
      skip_blanks();
      if (at_ >= sql_.size() || !begins_literal()) break;
      std::optional<Literal> text = literal();
      if (!text || text->is_bytes) break;
      site.arguments.push_back(std::move(text->value));
      skip_blanks();
      after = at_ < sql_.size() ? sql_[at_] : '\0';
    }
    if (after == ')' && (site.arguments.size() == 2 || site.arguments.size() == 3)) return site;
    return Error(
        ErrorCode::kBadData,
        "EXTERNAL_QUERY takes string literals: EXTERNAL_QUERY('location.connection', '''query'''), and a third "
        "one with options at " +
            site.place);
  }

  const std::string_view sql_;
  std::size_t at_;
};

}  // namespace

Result<std::vector<ExternalSite>> find_external_calls(std::string_view sql, std::size_t begin) {
  TRY(std::vector<ExternalSite> found, Scanner(sql, begin).calls());
  if (found.size() > kExternalCallsMax)
    return Error(ErrorCode::kUnsupported, "more than " + std::to_string(kExternalCallsMax) +
                                              " calls of EXTERNAL_QUERY in one statement are not supported");
  return found;
}

std::string external_name(std::size_t index) {
  const std::string digits = std::to_string(index);
  return std::string(kExternalFunction.substr(0, kExternalFunction.size() - 3)) + "_" +
         std::string(2 - digits.size(), '0') + digits;
}

}  // namespace flytt::googlesql::internal
