// JSON functions: reading paths from JSON and from STRING, conversions, and the texts of scalar values that TO_JSON and
// TO_JSON_STRING put together.

#include <cmath>
#include <cstdlib>
#include <string>

#include "googlesql/functions/internal/interval_text.h"
#include "googlesql/functions/internal/json_value.h"
#include "googlesql/functions/internal/number_text.h"
#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/time_parts.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;
using View = std::string_view;
using Kind = JsonValue::Kind;
using Path = std::vector<PathStep>;

// The last path of this thread, because paths are constant in nearly every query.
const Path* path_of(View text, bool quoted_brackets, std::string& problem) {
  thread_local std::string last;
  thread_local bool last_form = false, is_set = false;
  thread_local std::optional<Path> path;
  thread_local std::string last_problem;
  if (!is_set || last != text || last_form != quoted_brackets) {
    last_problem.clear();
    path = parse_json_path(text, quoted_brackets, last_problem);
    last = text;
    last_form = quoted_brackets;
    is_set = true;
  }
  problem = last_problem;
  return path ? &*path : nullptr;
}

// ---- from STRING ----
template <bool kOld>
Answer<std::string> query_text(View json, View path_text) {
  std::string problem;
  const Path* path = path_of(path_text, kOld, problem);
  if (path == nullptr) return Failure{problem};
  auto value = find_in_text(json, *path);
  if (!value || value->kind == Kind::kNull) return std::nullopt;
  return std::move(value->compact);
}
template <bool kOld>
Answer<std::string> value_text(View json, View path_text) {
  std::string problem;
  const Path* path = path_of(path_text, kOld, problem);
  if (path == nullptr) return Failure{problem};
  auto value = find_in_text(json, *path);
  if (!value || value->kind == Kind::kNull || value->kind == Kind::kArray || value->kind == Kind::kObject)
    return std::nullopt;
  return std::move(value->scalar);
}
template <bool kOld>
Answer<List<std::string>> query_array_text(View json, View path_text) {
  std::string problem;
  const Path* path = path_of(path_text, kOld, problem);
  if (path == nullptr) return Failure{problem};
  auto value = find_in_text(json, *path);
  if (!value || value->kind != Kind::kArray) return std::nullopt;
  List<std::string> list;
  for (TextValue& each : value->elements) list.emplace_back(std::move(each.compact));
  return list;
}
template <bool kOld>
Answer<List<std::string>> value_array_text(View json, View path_text) {
  std::string problem;
  const Path* path = path_of(path_text, kOld, problem);
  if (path == nullptr) return Failure{problem};
  auto value = find_in_text(json, *path);
  if (!value || value->kind != Kind::kArray) return std::nullopt;
  List<std::string> list;
  for (TextValue& each : value->elements) {
    if (each.kind == Kind::kArray || each.kind == Kind::kObject) return std::nullopt;
    list.push_back(each.kind == Kind::kNull ? std::optional<std::string>()
                                            : std::optional<std::string>(std::move(each.scalar)));
  }
  return list;
}

// ---- from JSON ----
std::optional<std::string> scalar_text(const JsonValue& value) {
  switch (value.kind) {
    case Kind::kString: return value.text;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble: return value.dump();
    default: return std::nullopt;
  }
}
template <bool kOld>
Answer<std::string> query_json(View json, View path_text) {
  std::string problem;
  const Path* path = path_of(path_text, kOld, problem);
  if (path == nullptr) return Failure{problem};
  const JsonValue root = read_json(json);
  const JsonValue* value = find_json(root, *path);
  if (value == nullptr) return std::nullopt;
  return value->dump();
}
template <bool kOld>
Answer<std::string> value_json(View json, View path_text) {
  std::string problem;
  const Path* path = path_of(path_text, kOld, problem);
  if (path == nullptr) return Failure{problem};
  const JsonValue root = read_json(json);
  const JsonValue* value = find_json(root, *path);
  if (value == nullptr) return std::nullopt;
  const auto text = scalar_text(*value);
  if (!text) return std::nullopt;
  return *text;
}
template <bool kOld>
Answer<List<std::string>> query_array_json(View json, View path_text) {
  std::string problem;
  const Path* path = path_of(path_text, kOld, problem);
  if (path == nullptr) return Failure{problem};
  const JsonValue root = read_json(json);
  const JsonValue* value = find_json(root, *path);
  if (value == nullptr || value->kind != Kind::kArray) return std::nullopt;
  List<std::string> list;
  for (const JsonValue& each : value->elements) list.emplace_back(each.dump());
  return list;
}
template <bool kOld>
Answer<List<std::string>> value_array_json(View json, View path_text) {
  std::string problem;
  const Path* path = path_of(path_text, kOld, problem);
  if (path == nullptr) return Failure{problem};
  const JsonValue root = read_json(json);
  const JsonValue* value = find_json(root, *path);
  if (value == nullptr || value->kind != Kind::kArray) return std::nullopt;
  List<std::string> list;
  for (const JsonValue& each : value->elements) {
    if (!each.is_scalar()) return std::nullopt;
    list.push_back(scalar_text(each));
  }
  return list;
}
std::optional<std::string> member(View json, View name) {
  const JsonValue root = read_json(json);
  if (root.kind != Kind::kObject) return std::nullopt;
  const auto found = root.members.find(std::string(name));
  if (found == root.members.end()) return std::nullopt;
  return found->second.dump();
}
std::optional<std::string> element(View json, I index) {
  const JsonValue root = read_json(json);
  if (root.kind != Kind::kArray || index < 0 || index >= static_cast<I>(root.elements.size())) return std::nullopt;
  return root.elements[static_cast<std::size_t>(index)].dump();
}

Answer<std::string> parse(View text, View mode) {
  if (mode != "exact" && mode != "round") {
    return Failure{"Invalid `wide_number_mode` specified for PARSE_JSON: " + std::string(mode)};
  }
  std::string problem;
  const auto value = parse_json(text, mode == "exact", problem);
  if (!value) return Failure{"Invalid input to PARSE_JSON: " + problem};
  return value->dump();
}
// Sorts keys and drops repeated ones of a text that TO_JSON has put together.
std::string normalize(View text) { return read_json(text).dump(); }
std::string pretty(View compact) { return pretty_json(compact); }

std::string type_name(View json) {
  switch (read_json(json).kind) {
    case Kind::kNull: return "null";
    case Kind::kBool: return "boolean";
    case Kind::kString: return "string";
    case Kind::kArray: return "array";
    case Kind::kObject: return "object";
    default: return "number";
  }
}

// ---- strict and lax conversions ----
std::optional<I> whole(double value) {
  if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0)) return std::nullopt;
  return static_cast<I>(value);
}
Answer<I> to_int(View json) {
  const JsonValue value = read_json(json);
  if (value.kind == Kind::kInt) return value.integer;
  if (!value.is_number()) return Failure{"The provided JSON input is not an integer"};
  if (value.kind == Kind::kDouble && value.number == std::trunc(value.number)) {
    if (const auto integer = whole(value.number)) return *integer;
  }
  std::string text = value.dump();
  if (text.size() > 2 && text.substr(text.size() - 2) == ".0") text.resize(text.size() - 2);
  return Failure{"The provided JSON number: " + text + " cannot be converted to an int64"};
}
Answer<double> to_float(View json, View mode) {
  if (mode != "exact" && mode != "round") return Failure{"Invalid `wide_number_mode` specified: " + std::string(mode)};
  const JsonValue value = read_json(json);
  if (value.kind == Kind::kDouble) return value.number;
  if (!value.is_number()) return Failure{"The provided JSON input is not a number"};
  const bool is_int = value.kind == Kind::kInt;
  const double number = is_int ? static_cast<double>(value.integer) : static_cast<double>(value.natural);
  const long double given = is_int ? static_cast<long double>(value.integer) : static_cast<long double>(value.natural);
  if (mode == "exact" && static_cast<long double>(number) != given) {
    return Failure{"JSON number: " + value.dump() + " cannot be converted to FLOAT64 without loss of precision"};
  }
  return number;
}
Answer<bool> to_bool(View json) {
  const JsonValue value = read_json(json);
  if (value.kind != Kind::kBool) return Failure{"The provided JSON input is not a boolean"};
  return value.boolean;
}
Answer<std::string> to_text(View json) {
  JsonValue value = read_json(json);
  if (value.kind != Kind::kString) return Failure{"The provided JSON input is not a string"};
  return std::move(value.text);
}

View trimmed(View s) {
  const auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!s.empty() && space(s.front())) s.remove_prefix(1);
  while (!s.empty() && space(s.back())) s.remove_suffix(1);
  return s;
}
// A decimal text, or the names of the special values.
std::optional<double> number_of(View text) {
  const std::string s(trimmed(text));
  if (s.empty() || s.find_first_of("xX(") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(s.c_str(), &end);
  if (end != s.c_str() + s.size()) return std::nullopt;
  return value;
}
std::optional<I> lax_int(View json) {
  const JsonValue value = read_json(json);
  switch (value.kind) {
    case Kind::kInt: return value.integer;
    case Kind::kBool: return value.boolean ? 1 : 0;
    case Kind::kDouble: return whole(std::round(value.number));
    case Kind::kString: {
      const std::string s(trimmed(value.text));
      char* end = nullptr;
      errno = 0;
      const long long integer = std::strtoll(s.c_str(), &end, 10);
      if (!s.empty() && end == s.c_str() + s.size() && errno == 0) return integer;
      const auto number = number_of(value.text);
      return number ? whole(std::round(*number)) : std::nullopt;
    }
    default: return std::nullopt;
  }
}
std::optional<double> lax_float(View json) {
  const JsonValue value = read_json(json);
  switch (value.kind) {
    case Kind::kInt: return static_cast<double>(value.integer);
    case Kind::kUint: return static_cast<double>(value.natural);
    case Kind::kDouble: return value.number;
    case Kind::kString: return number_of(value.text);
    default: return std::nullopt;
  }
}
std::optional<bool> lax_bool(View json) {
  const JsonValue value = read_json(json);
  switch (value.kind) {
    case Kind::kBool: return value.boolean;
    case Kind::kInt: return value.integer != 0;
    case Kind::kUint: return true;
    case Kind::kDouble: return value.number != 0;
    case Kind::kString: {
      std::string s = value.text;
      for (char& c : s) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      if (s == "true") return true;
      if (s == "false") return false;
      return std::nullopt;
    }
    default: return std::nullopt;
  }
}
std::optional<std::string> lax_text(View json) {
  const JsonValue value = read_json(json);
  if (value.kind == Kind::kDouble) return double_text(value.number);
  return scalar_text(value);
}

// ---- texts of scalars; NULL is the word null ----
constexpr I kExactIntMax = I{1} << 53;
std::string quoted(View text) {
  std::string out;
  write_json_text(out, text, true);
  return out;
}
std::string int_text(std::optional<I> v) {
  if (!v) return "null";
  return *v > kExactIntMax || *v < -kExactIntMax ? "\"" + std::to_string(*v) + "\"" : std::to_string(*v);
}
std::string plain_int(std::optional<I> v) { return v ? std::to_string(*v) : "null"; }
std::string float_text(std::optional<double> v) {
  if (!v) return "null";
  if (!std::isfinite(*v)) return json_double(*v);
  return *v == 0 ? "0" : double_text(*v);
}
std::string plain_float(std::optional<double> v) { return v ? json_double(*v) : "null"; }
std::string bool_text(std::optional<bool> v) { return !v ? "null" : *v ? "true" : "false"; }
std::string string_text(std::optional<View> v) { return v ? quoted(*v) : "null"; }
std::string json_text(std::optional<View> v) { return v ? std::string(*v) : "null"; }
// NUMERIC and BIGNUMERIC: a number when it is whole and exact in a double, else text.
std::string decimal_text(std::optional<View> v) {
  if (!v) return "null";
  const bool is_whole = v->find('.') == View::npos;
  const View digits = v->substr(v->substr(0, 1) == "-" ? 1 : 0);
  const bool is_exact = is_whole && (digits.size() < 16 || (digits.size() == 16 && digits <= "9007199254740992"));
  return is_exact ? std::string(*v) : "\"" + std::string(*v) + "\"";
}
// In TO_JSON they are numbers: whole ones as integers, others as the nearest double.
std::string plain_decimal(std::optional<View> v) {
  if (!v) return "null";
  std::string problem;
  return parse_json(*v, false, problem).value_or(JsonValue()).dump();
}
std::string wide_decimal(std::optional<View> v) {  // with stringify_wide_numbers
  if (!v) return "null";
  const double nearest = std::strtod(std::string(*v).c_str(), nullptr);
  std::string shortest = json_double(nearest);
  if (shortest.size() > 2 && shortest.substr(shortest.size() - 2) == ".0") shortest.resize(shortest.size() - 2);
  if (v->find('.') == View::npos) return decimal_text(v);
  return shortest == *v ? std::string(*v) : "\"" + std::string(*v) + "\"";
}
std::string date_text(std::optional<Date> v) { return v ? "\"" + data::format_date(v->days) + "\"" : "null"; }
std::string shortened(std::string text) {
  if (text.size() > 7 && text[text.size() - 7] == '.' && text.substr(text.size() - 3) == "000")
    text.resize(text.size() - 3);
  return text;
}
std::string time_text(std::optional<Time> v) {
  return v ? "\"" + shortened(data::format_time(v->micros)) + "\"" : "null";
}
std::string datetime_text(std::optional<Timestamp> v) {
  return v ? "\"" + shortened(data::format_datetime(v->micros)) + "\"" : "null";
}
std::string timestamp_text(std::optional<Timestamp> v) {
  return v ? "\"" + shortened(data::format_datetime(v->micros)) + "Z\"" : "null";
}
// ISO 8601, "P1Y2M3DT4H5M6.789S".
std::string interval_iso(std::optional<Interval> v) {
  if (!v) return "null";
  std::string out = "P";
  const auto part = [&](I value, char unit) {
    if (value != 0) out += std::to_string(value) + unit;
  };
  part(v->months / 12, 'Y');
  part(v->months % 12, 'M');
  part(v->days, 'D');
  if (v->micros != 0) {
    out.push_back('T');
    part(v->micros / kHourMicros, 'H');
    part(v->micros / kMinuteMicros % 60, 'M');
    if (const I rest = v->micros % kMinuteMicros) {
      const I magnitude = rest < 0 ? -rest : rest;
      char text[32];
      std::snprintf(text, sizeof text, "%s%ld", rest < 0 ? "-" : "", static_cast<long>(magnitude / kSecondMicros));
      out += text;
      if (const I fraction = magnitude % kSecondMicros) {
        std::snprintf(text, sizeof text, ".%06ld", static_cast<long>(fraction));
        std::string digits = text;
        while (digits.back() == '0') digits.pop_back();
        out += digits;
      }
      out.push_back('S');
    }
  }
  return "\"" + (out == "P" ? "P0Y" : out) + "\"";
}

void add_readers(Functions& list) {
  list.push_back(native<&query_text<false>>("gs_json_query_text"));
  list.push_back(native<&query_text<true>>("gs_json_extract_text"));
  list.push_back(native<&value_text<false>>("gs_json_value_text"));
  list.push_back(native<&value_text<true>>("gs_json_extract_scalar_text"));
  list.push_back(native<&query_array_text<false>>("gs_json_query_array_text"));
  list.push_back(native<&query_array_text<true>>("gs_json_extract_array_text"));
  list.push_back(native<&value_array_text<false>>("gs_json_value_array_text"));
  list.push_back(native<&value_array_text<true>>("gs_json_extract_string_array_text"));
  list.push_back(native<&query_json<false>>("gs_json_query"));
  list.push_back(native<&query_json<true>>("gs_json_extract"));
  list.push_back(native<&value_json<false>>("gs_json_value"));
  list.push_back(native<&value_json<true>>("gs_json_extract_scalar"));
  list.push_back(native<&query_array_json<false>>("gs_json_query_array"));
  list.push_back(native<&query_array_json<true>>("gs_json_extract_array"));
  list.push_back(native<&value_array_json<false>>("gs_json_value_array"));
  list.push_back(native<&value_array_json<true>>("gs_json_extract_string_array"));
}

}  // namespace

void add_json_functions(Functions& list) {
  add_readers(list);
  list.push_back(native<&member>("gs_json_member"));
  list.push_back(native<&element>("gs_json_element"));
  list.push_back(native<&parse>("gs_parse_json"));
  list.push_back(native<&normalize>("gs_json_normalize"));
  list.push_back(native<&pretty>("gs_json_pretty"));
  list.push_back(native<&type_name>("gs_json_type"));
  list.push_back(native<&to_int>("gs_json_to_int"));
  list.push_back(native<&to_float>("gs_json_to_float"));
  list.push_back(native<&to_bool>("gs_json_to_bool"));
  list.push_back(native<&to_text>("gs_json_to_text"));
  list.push_back(native<&lax_int>("gs_json_lax_int"));
  list.push_back(native<&lax_float>("gs_json_lax_float"));
  list.push_back(native<&lax_bool>("gs_json_lax_bool"));
  list.push_back(native<&lax_text>("gs_json_lax_text"));
  list.push_back(native<&int_text>("gs_json_of_int"));
  list.push_back(native<&plain_int>("gs_json_of_plain_int"));
  list.push_back(native<&float_text>("gs_json_of_float"));
  list.push_back(native<&plain_float>("gs_json_of_plain_float"));
  list.push_back(native<&bool_text>("gs_json_of_bool"));
  list.push_back(native<&string_text>("gs_json_of_string"));
  list.push_back(native<&json_text>("gs_json_of_json"));
  list.push_back(native<&decimal_text>("gs_json_of_decimal"));
  list.push_back(native<&plain_decimal>("gs_json_of_plain_decimal"));
  list.push_back(native<&wide_decimal>("gs_json_of_wide_decimal"));
  list.push_back(native<&date_text>("gs_json_of_date"));
  list.push_back(native<&time_text>("gs_json_of_time"));
  list.push_back(native<&datetime_text>("gs_json_of_datetime"));
  list.push_back(native<&timestamp_text>("gs_json_of_timestamp"));
  list.push_back(native<&interval_iso>("gs_json_of_interval"));
}

}  // namespace flytt::googlesql::internal
