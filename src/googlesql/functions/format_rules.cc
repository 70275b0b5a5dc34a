// FORMAT with a literal format string: taken apart here, one specifier and one argument at a time.

#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql::internal {
namespace {

using data::TypeKind;

// %t and the value's own text for %s; nullopt for types whose %t text has a form of its own.
std::optional<std::string> text_of(const CallArgument& argument) {
  const std::string& sql = argument.sql;
  switch (argument.type.kind) {
    case TypeKind::kString: return sql;
    case TypeKind::kInt64: return "gs_int_to_text(" + sql + ")";
    case TypeKind::kFloat64: return "gs_format_plain_float(" + sql + ")";
    case TypeKind::kBool: return "gs_bool_to_text(" + sql + ")";
    case TypeKind::kDate: return "gs_date_to_text(" + sql + ")";
    case TypeKind::kTime: return "gs_time_to_text(" + sql + ")";
    case TypeKind::kDatetime: return "gs_datetime_to_text(" + sql + ")";
    case TypeKind::kTimestamp: return "gs_timestamp_to_text(" + sql + ", 'UTC')";
    case TypeKind::kNumeric: return "gs_numeric_to_text(" + sql + ")";
    case TypeKind::kBigNumeric: return "gs_bignumeric_to_text(" + sql + ")";
    case TypeKind::kInterval: return "gs_interval_to_text(" + sql + ")";
    case TypeKind::kJson: return sql;
    default: return std::nullopt;
  }
}

// One specifier from `at` (a percent sign); its end, or npos when it is of a kind that is not handled.
std::size_t specifier_end(const std::string& format, std::size_t at) {
  ++at;
  at = std::min(format.find_first_not_of("-+ 0#'", at), format.size());
  while (at < format.size() && format[at] >= '0' && format[at] <= '9') ++at;
  if (at < format.size() && format[at] == '.') {
    ++at;
    while (at < format.size() && format[at] >= '0' && format[at] <= '9') ++at;
  }
  if (at >= format.size() || std::string_view("dioxXfFeEgGst").find(format[at]) == std::string_view::npos)
    return std::string::npos;
  return at + 1;
}

std::optional<std::string> piece(const std::string& specifier, const CallArgument& argument) {
  const char kind = specifier.back();
  const std::string quoted = quote_text(specifier);
  if (std::string_view("dioxX").find(kind) != std::string_view::npos) {
    if (!argument.type.is(TypeKind::kInt64)) return std::nullopt;
    return "gs_format_int(" + quoted + ", " + argument.sql + ")";
  }
  if (std::string_view("fFeEgG").find(kind) != std::string_view::npos) {
    if (!argument.type.is(TypeKind::kFloat64)) return std::nullopt;
    return "gs_format_float(" + quoted + ", " + argument.sql + ")";
  }
  if (kind == 's' && !argument.type.is(TypeKind::kString)) return std::nullopt;
  const auto text = text_of(argument);
  if (!text) return std::nullopt;
  const std::string formatted = "gs_format_text(" + quoted + ", " + *text + ")";
  // %t shows NULL as a word, every other specifier makes the whole answer NULL.
  return kind == 't' ? "coalesce(" + formatted + ", gs_format_text(" + quoted + ", 'NULL'))" : formatted;
}

ShapeResult format(const FunctionCall& call) {
  if (!call.arguments[0].literal)
    return Result<std::string>(unsupported_call(call, "with a format that is not a literal"));
  const std::string& format = *call.arguments[0].literal;
  std::string sql = "(''", plain;
  std::size_t argument = 1;
  const auto flush = [&] {
    if (!plain.empty()) sql += " || " + quote_text(plain);
    plain.clear();
  };
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      plain.push_back(format[at++]);
      continue;
    }
    if (format.compare(at, 2, "%%") == 0) {
      plain.push_back('%');
      at += 2;
      continue;
    }
    const std::size_t end = specifier_end(format, at);
    std::optional<std::string> text;
    if (end != std::string::npos && argument < call.arguments.size())
      text = piece(format.substr(at, end - at), call.arguments[argument++]);
    if (!text) return Result<std::string>(unsupported_call(call, "with this format"));
    flush();
    sql += " || " + *text;
    at = end;
  }
  flush();
  if (argument != call.arguments.size()) return Result<std::string>(unsupported_call(call, "with this format"));
  return Result<std::string>(sql + ")");
}

}  // namespace

void add_format_shapes(std::vector<Shape>& shapes) { shapes.push_back({"format", &format}); }

}  // namespace flytt::googlesql::internal
