// FORMAT: one value by one specifier. The specifier's parts were taken apart when the query was translated.

#include <cmath>
#include <cstdio>
#include <string>

#include "googlesql/functions/internal/number_text.h"
#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/utf8_text.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

struct Spec {
  bool left = false, plus = false, space = false, zero = false, alternate = false, grouped = false;
  int width = 0, precision = -1;
  char kind = 's';
};
// "%-10.3f" as written; the translator has checked it.
Spec spec_of(std::string_view text) {
  Spec spec;
  std::size_t at = 1;
  for (; at < text.size(); ++at) {
    if (text[at] == '-')
      spec.left = true;
    else if (text[at] == '+')
      spec.plus = true;
    else if (text[at] == ' ')
      spec.space = true;
    else if (text[at] == '0')
      spec.zero = true;
    else if (text[at] == '#')
      spec.alternate = true;
    else if (text[at] == '\'')
      spec.grouped = true;
    else
      break;
  }
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') spec.width = spec.width * 10 + (text[at++] - '0');
  if (at < text.size() && text[at] == '.') {
    spec.precision = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9';)
      spec.precision = spec.precision * 10 + (text[at++] - '0');
  }
  if (at < text.size()) spec.kind = text[at];
  return spec;
}

std::string grouped(const std::string& digits) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out.push_back(',');
    out.push_back(digits[i]);
  }
  return out;
}

std::string aligned(const Spec& spec, const std::string& sign, std::string body, bool may_zero) {
  const std::size_t length = sign.size() + count_characters(body), width = static_cast<std::size_t>(spec.width);
  if (length >= width) return sign + body;
  const std::size_t missing = width - length;
  if (spec.left) return sign + body + std::string(missing, ' ');
  if (spec.zero && may_zero) return sign + std::string(missing, '0') + body;
  return std::string(missing, ' ') + sign + body;
}

std::string format_int(std::string_view text, I value) {
  const Spec spec = spec_of(text);
  const std::uint64_t magnitude =
      value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  char digits[40];
  const char* pattern = spec.kind == 'x' ? "%lx" : spec.kind == 'X' ? "%lX" : spec.kind == 'o' ? "%lo" : "%lu";
  std::snprintf(digits, sizeof digits, pattern, static_cast<unsigned long>(magnitude));
  std::string body = digits;
  if (spec.precision > 0 && body.size() < static_cast<std::size_t>(spec.precision)) {
    body.insert(0, static_cast<std::size_t>(spec.precision) - body.size(), '0');
  }
  if (spec.grouped && (spec.kind == 'd' || spec.kind == 'i')) body = grouped(body);
  std::string sign = value < 0 ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  if (spec.alternate && magnitude != 0 && (spec.kind == 'x' || spec.kind == 'X'))
    sign += spec.kind == 'x' ? "0x" : "0X";
  return aligned(spec, sign, body, spec.precision < 0);
}

std::string format_float(std::string_view text, double value) {
  const Spec spec = spec_of(text);
  const bool minus = std::signbit(value) && !std::isnan(value);
  const std::string sign = minus ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  if (!std::isfinite(value)) {
    const bool upper = spec.kind >= 'A' && spec.kind <= 'Z';
    return aligned(spec, sign, std::isnan(value) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf"), false);
  }
  const std::string pattern = std::string("%") + (spec.alternate ? "#" : "") + ".*" + spec.kind;
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  const double magnitude = std::fabs(value);
  std::string body(static_cast<std::size_t>(std::snprintf(nullptr, 0, pattern.c_str(), precision, magnitude)), '\0');
  std::snprintf(body.data(), body.size() + 1, pattern.c_str(), precision, magnitude);
  if (spec.grouped && (spec.kind == 'f' || spec.kind == 'F')) {
    const std::size_t point = std::min(body.find('.'), body.size());
    body = grouped(body.substr(0, point)) + body.substr(point);
  }
  return aligned(spec, sign, body, true);
}

std::string format_text(std::string_view text, std::string_view value) {
  const Spec spec = spec_of(text);
  if (spec.precision >= 0) value = value.substr(0, offset_of(value, static_cast<std::size_t>(spec.precision)));
  return aligned(spec, "", std::string(value), false);
}

// %t of FLOAT64.
std::string plain_float(double value) { return double_text_with_point(value); }

}  // namespace

void add_format_functions(Functions& list) {
  list.push_back(native<&format_int>("gs_format_int"));
  list.push_back(native<&format_float>("gs_format_float"));
  list.push_back(native<&format_text>("gs_format_text"));
  list.push_back(native<&plain_float>("gs_format_plain_float"));
}

}  // namespace flytt::googlesql::internal
