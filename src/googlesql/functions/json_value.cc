#include "googlesql/functions/internal/json_value.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "googlesql/functions/internal/utf8_text.h"

namespace flytt::googlesql::internal {

// The shortest digits that read back as the same value, laid out like 0.0001, 12.5, 100000.0, 1e+15, 1e-05.
std::string json_double(double value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value), std::chars_format::scientific).ptr;
  const std::string scientific(buffer, end);
  const std::size_t mark = scientific.find('e');
  std::string digits = scientific.substr(0, 1) + (mark > 2 ? scientific.substr(2, mark - 2) : "");
  const int exponent = std::atoi(scientific.c_str() + mark + 1);
  const int count = static_cast<int>(digits.size()), point = exponent + 1;
  std::string out = value < 0 ? "-" : "";
  if (count <= point && point <= 15)
    return out + digits + std::string(static_cast<std::size_t>(point - count), '0') + ".0";
  if (0 < point && point <= 15)
    return out + digits.substr(0, static_cast<std::size_t>(point)) + "." +
           digits.substr(static_cast<std::size_t>(point));
  if (-4 < point && point <= 0) return out + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  char tail[16];
  std::snprintf(tail, sizeof tail, "e%c%02d", exponent < 0 ? '-' : '+', std::abs(exponent));
  out += digits.substr(0, 1);
  if (count > 1) out += "." + digits.substr(1);
  return out + tail;
}

void write_json_text(std::string& out, std::string_view text, bool escape_separators) {
  out.push_back('"');
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", c);
          out += escape;
        } else if (escape_separators && text.substr(i, 2) == "\xe2\x80" && i + 2 < text.size() &&
                   (text[i + 2] == '\xa8' || text[i + 2] == '\xa9')) {
          out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
          i += 2;
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

void JsonValue::write(std::string& out) const {
  switch (kind) {
    case Kind::kNull: out += "null"; return;
    case Kind::kBool: out += boolean ? "true" : "false"; return;
    case Kind::kInt: out += std::to_string(integer); return;
    case Kind::kUint: out += std::to_string(natural); return;
    case Kind::kDouble: out += json_double(number); return;
    case Kind::kString: write_json_text(out, text, false); return;
    case Kind::kArray:
      out.push_back('[');
      for (std::size_t i = 0; i < elements.size(); ++i) {
        if (i > 0) out.push_back(',');
        elements[i].write(out);
      }
      out.push_back(']');
      return;
    case Kind::kObject: {
      out.push_back('{');
      bool is_first = true;
      for (const auto& [name, value] : members) {
        if (!is_first) out.push_back(',');
        is_first = false;
        write_json_text(out, name, false);
        out.push_back(':');
        value.write(out);
      }
      out.push_back('}');
      return;
    }
  }
}

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A decimal text as digits without zeros at either end, and the place of its point: equal for equal values.
std::pair<std::string, long> normal_decimal(std::string_view s) {
  std::string digits;
  long point = 0;
  std::size_t at = 0;
  bool seen_point = false;
  if (!s.empty() && s[0] == '-') ++at;
  for (; at < s.size() && (is_digit(s[at]) || s[at] == '.'); ++at) {
    if (s[at] == '.') {
      seen_point = true;
      continue;
    }
    digits.push_back(s[at]);
    if (!seen_point) ++point;
  }
  if (at < s.size()) point += std::strtol(std::string(s.substr(at + 1)).c_str(), nullptr, 10);
  std::size_t zeros = 0;
  while (zeros < digits.size() && digits[zeros] == '0') ++zeros;
  digits.erase(0, zeros);
  point -= static_cast<long>(zeros);
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  if (digits.empty()) point = 0;
  return {digits, point};
}

class StrictReader {
 public:
  StrictReader(std::string_view text, bool exact) : text_(text), exact_(exact) {}

  std::optional<JsonValue> document() {
    JsonValue value;
    if (text_.empty()) {
      problem_ =
          "attempting to parse an empty input; check that your input string or stream contains the expected JSON";
      return std::nullopt;
    }
    if (!read(value, 0)) return std::nullopt;
    skip();
    if (at_ != text_.size()) {
      fail("unexpected text after the value");
      return std::nullopt;
    }
    return value;
  }
  const std::string& problem() const { return problem_; }

 private:
  bool fail(const std::string& what) {
    if (problem_.empty()) problem_ = "syntax error while parsing value - " + what;
    return false;
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return fail("invalid literal");
    at_ += expected.size();
    return true;
  }

  bool read(JsonValue& out, int depth) {
    if (depth > kJsonDepthMax) {
      problem_ = "Max nesting of " + std::to_string(kJsonDepthMax) + " has been exceeded";
      return false;
    }
    skip();
    if (at_ >= text_.size()) return fail("unexpected end of input");
    switch (text_[at_]) {
      case '{': return object(out, depth);
      case '[': return array(out, depth);
      case '"': out.kind = JsonValue::Kind::kString; return string(out.text);
      case 't':
        out.kind = JsonValue::Kind::kBool;
        out.boolean = true;
        return word("true");
      case 'f': out.kind = JsonValue::Kind::kBool; return word("false");
      case 'n': return word("null");
      default: return number(out);
    }
  }
  bool object(JsonValue& out, int depth) {
    out.kind = JsonValue::Kind::kObject;
    ++at_;
    if (take('}')) return true;
    do {
      skip();
      std::string name;
      if (at_ >= text_.size() || text_[at_] != '"') return fail("expected string literal");
      if (!string(name)) return false;
      if (!take(':')) return fail("expected ':'");
      JsonValue value;
      if (!read(value, depth + 1)) return false;
      out.members.emplace(std::move(name), std::move(value));  // the first of equal names stays
    } while (take(','));
    return take('}') || fail("expected ',' or '}'");
  }
  bool array(JsonValue& out, int depth) {
    out.kind = JsonValue::Kind::kArray;
    ++at_;
    if (take(']')) return true;
    do {
      out.elements.emplace_back();
      if (!read(out.elements.back(), depth + 1)) return false;
    } while (take(','));
    return take(']') || fail("expected ',' or ']'");
  }
  bool hex4(std::uint32_t& value) {
    value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ >= text_.size()) return fail("invalid string");
      const char c = text_[at_];
      int digit = 0;
      if (is_digit(c))
        digit = c - '0';
      else if (c >= 'a' && c <= 'f')
        digit = c - 'a' + 10;
      else if (c >= 'A' && c <= 'F')
        digit = c - 'A' + 10;
      else
        return fail("invalid string: '\\u' must be followed by 4 hex digits");
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }
  bool escape(std::string& out) {
    if (++at_ >= text_.size()) return fail("invalid string: missing closing quote");
    const char c = text_[at_++];
    static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const std::size_t known = kFrom.find(c); known != std::string_view::npos) {
      out.push_back(kTo[known]);
      return true;
    }
    std::uint32_t point = 0, low = 0;
    if (c != 'u') return fail("invalid string: forbidden character after backslash");
    if (!hex4(point)) return false;
    if (point >= 0xdc00 && point < 0xe000)
      return fail("invalid string: surrogate U+DC00..U+DFFF must follow U+D800..U+DBFF");
    if (point >= 0xd800 && point < 0xdc00) {
      if (text_.substr(at_, 2) != "\\u")
        return fail("invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF");
      at_ += 2;
      if (!hex4(low)) return false;
      if (low < 0xdc00 || low >= 0xe000)
        return fail("invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF");
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    append_code_point(out, point);
    return true;
  }
  bool string(std::string& out) {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return fail("invalid string: control character must be escaped");
      if (c == '\\') {
        if (!escape(out)) return false;
      } else {
        out.push_back(c);
        ++at_;
      }
    }
    return fail("invalid string: missing closing quote");
  }
  bool number(JsonValue& out) {
    const std::size_t begin = at_;
    if (text_[at_] == '-') ++at_;
    const std::size_t first = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    if (at_ == first) return fail("invalid literal");
    if (text_[first] == '0' && at_ - first > 1) return fail("unexpected number literal");
    bool is_integer = true;
    if (at_ < text_.size() && text_[at_] == '.') {
      is_integer = false;
      const std::size_t fraction = ++at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      if (at_ == fraction) return fail("invalid number; expected digit after '.'");
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      is_integer = false;
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      const std::size_t power = at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      if (at_ == power) return fail("invalid number; expected digit after exponent");
    }
    return convert(text_.substr(begin, at_ - begin), is_integer, out);
  }
  bool convert(std::string_view token, bool is_integer, JsonValue& out) {
    const char* const end = token.data() + token.size();
    if (is_integer) {
      if (std::from_chars(token.data(), end, out.integer).ec == std::errc()) {
        out.kind = JsonValue::Kind::kInt;
        return true;
      }
      if (token[0] != '-' && std::from_chars(token.data(), end, out.natural).ec == std::errc()) {
        out.kind = JsonValue::Kind::kUint;
        return true;
      }
    }
    out.kind = JsonValue::Kind::kDouble;
    out.number = std::strtod(std::string(token).c_str(), nullptr);
    if (std::isinf(out.number)) {
      problem_ = "number overflow parsing '" + std::string(token) + "'";
      return false;
    }
    if (exact_ && normal_decimal(token) != normal_decimal(json_double(out.number))) {
      problem_ = "Input number: " + std::string(token) + " cannot round-trip through string representation";
      return false;
    }
    return true;
  }

  std::string_view text_;
  bool exact_;
  std::size_t at_ = 0;
  std::string problem_;
};

}  // namespace

std::optional<JsonValue> parse_json(std::string_view text, bool exact, std::string& problem) {
  StrictReader reader(text, exact);
  auto value = reader.document();
  if (!value) problem = reader.problem();
  return value;
}

JsonValue read_json(std::string_view text) {
  std::string problem;
  return parse_json(text, false, problem).value_or(JsonValue());
}

std::string pretty_json(std::string_view compact) {
  std::string out;
  std::size_t depth = 0;
  const auto line = [&] {
    out.push_back('\n');
    out.append(depth * 2, ' ');
  };
  bool in_text = false;
  for (std::size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i], next = i + 1 < compact.size() ? compact[i + 1] : '\0';
    if (in_text) {
      out.push_back(c);
      if (c == '\\') out.push_back(compact[++i]);
      in_text = c != '"';
    } else if ((c == '{' && next == '}') || (c == '[' && next == ']')) {
      out.push_back(c);
      out.push_back(next);
      ++i;
    } else if (c == '{' || c == '[') {
      out.push_back(c);
      ++depth;
      line();
    } else if (c == '}' || c == ']') {
      --depth;
      line();
      out.push_back(c);
    } else {
      out.push_back(c);
      if (c == ',') line();
      if (c == ':') out.push_back(' ');
      in_text = c == '"';
    }
  }
  return out;
}

}  // namespace flytt::googlesql::internal
