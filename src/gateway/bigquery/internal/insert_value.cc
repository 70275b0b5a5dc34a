#include "gateway/bigquery/internal/insert_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <strings.h>

#include "data/civil.h"
#include "data/decimal.h"

namespace flytt::gateway::internal {

namespace {

using data::Column;
using data::Type;
using data::TypeKind;

bool is_same_word(const std::string& a, const char* b) { return ::strcasecmp(a.c_str(), b) == 0; }

template <typename T>
std::optional<T> number_of(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  T value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> whole_number(double value) {
  if (!(value >= -9.2e18 && value <= 9.2e18) || value != std::floor(value)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> to_int64(const Json& value) {
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    return std::nullopt;
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return whole_number(value.get<double>());
  if (value.is_string()) return number_of<std::int64_t>(value.get_ref<const std::string&>());
  return std::nullopt;
}

std::optional<double> to_double(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  if (is_same_word(text, "nan")) return std::nan("");
  for (const char* word : {"infinity", "+infinity", "inf", "+inf"})
    if (is_same_word(text, word)) return HUGE_VAL;
  for (const char* word : {"-infinity", "-inf"})
    if (is_same_word(text, word)) return -HUGE_VAL;
  const auto number = number_of<double>(text);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::optional<bool> to_bool(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer() && (value == 0 || value == 1)) return value == 1;
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  for (const char* word : {"true", "t", "yes", "y", "1"})
    if (is_same_word(text, word)) return true;
  for (const char* word : {"false", "f", "no", "n", "0"})
    if (is_same_word(text, word)) return false;
  return std::nullopt;
}

// Text, and what has an obvious one.
std::optional<std::string> to_text(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_number() || value.is_boolean()) return dump(value);
  return std::nullopt;
}

std::optional<std::int64_t> seconds_to_micros(double seconds) {
  const double micros = std::round(seconds * 1e6);
  if (!(micros >= static_cast<double>(data::kTimestampMin) && micros <= static_cast<double>(data::kTimestampMax)))
    return std::nullopt;
  return static_cast<std::int64_t>(micros);
}

std::optional<std::int64_t> to_timestamp(const Json& value, const ValueRules& rules) {
  if (value.is_number()) return seconds_to_micros(value.get<double>());
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  if (text == "AUTO") return rules.now_micros;
  if (const auto micros = data::parse_timestamp(text)) return micros;
  if (const auto seconds = number_of<double>(text)) return seconds_to_micros(*seconds);
  return std::nullopt;
}

std::optional<std::int64_t> to_civil(TypeKind kind, const Json& value, const ValueRules& rules) {
  if (kind == TypeKind::kTimestamp) return to_timestamp(value, rules);
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  if (kind == TypeKind::kDate) return data::parse_date(text);
  if (kind == TypeKind::kTime) return data::parse_time(text);
  return data::parse_datetime(text);
}

// RFC 4648, with '+' and '/' or '-' and '_'; padding may be left out.
std::optional<std::string> from_base64(std::string_view text) {
  static const auto values = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < digits.size(); ++i)
      table[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
    table['-'] = 62;
    table['_'] = 63;
    return table;
  }();
  for (int i = 0; i < 2 && text.size() % 4 == 0 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  while (!text.empty() && text.back() == '=' && text.size() % 4 == 3) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::int8_t value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return out;
}

const char* name_in_sentences(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64: return "integer";
    case TypeKind::kFloat64: return "double";
    case TypeKind::kBool: return "boolean";
    case TypeKind::kString: return "string";
    case TypeKind::kBytes: return "bytes";
    case TypeKind::kDate: return "date";
    case TypeKind::kTime: return "time";
    case TypeKind::kDatetime: return "datetime";
    case TypeKind::kTimestamp: return "timestamp";
    case TypeKind::kNumeric: return "numeric";
    case TypeKind::kBigNumeric: return "bignumeric";
    case TypeKind::kJson: return "json";
    case TypeKind::kInterval: return "interval";
    case TypeKind::kGeography: return "geography";
    default: return "range";
  }
}

// False: nothing was appended.
bool append_scalar(const Type& type, const Json& value, const ValueRules& rules, Column& column) {
  switch (type.kind) {
    case TypeKind::kInt64:
      if (const auto number = to_int64(value)) return column.append_int64(*number), true;
      return false;
    case TypeKind::kFloat64:
      if (const auto number = to_double(value)) return column.append_double(*number), true;
      return false;
    case TypeKind::kBool:
      if (const auto flag = to_bool(value)) return column.append_bool(*flag), true;
      return false;
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp:
      if (const auto number = to_civil(type.kind, value, rules)) return column.append_int64(*number), true;
      return false;
    case TypeKind::kNumeric: {
      data::Int128 scaled;
      const auto text = to_text(value);
      if (!text || data::parse_numeric(*text, scaled) != data::DecimalVerdict::kOk) return false;
      return column.append_int128(scaled), true;
    }
    case TypeKind::kBigNumeric: {
      data::Int256 scaled;
      const auto text = to_text(value);
      if (!text || data::parse_bignumeric(*text, scaled) != data::DecimalVerdict::kOk) return false;
      return column.append_int256(scaled), true;
    }
    case TypeKind::kBytes: {
      if (!value.is_string()) return false;
      const auto bytes = from_base64(value.get_ref<const std::string&>());
      return bytes ? (column.append_bytes(*bytes), true) : false;
    }
    case TypeKind::kJson: {
      if (!value.is_string()) return column.append_bytes(dump(value)), true;
      const std::string& text = value.get_ref<const std::string&>();
      return Json::accept(text) ? (column.append_bytes(text), true) : false;
    }
    case TypeKind::kInterval: {
      const auto interval =
          value.is_string() ? data::parse_interval(value.get_ref<const std::string&>()) : std::nullopt;
      return interval ? (column.append_interval(*interval), true) : false;
    }
    default: {
      const auto text = to_text(value);
      return text ? (column.append_bytes(*text), true) : false;
    }
  }
}

bool is_same_name(const std::string& a, const std::string& b) { return is_same_word(a, b.c_str()); }

void append_struct(const Type& type, const Json& value, const ValueRules& rules, const std::string& location,
                   Column& column, std::vector<ValueFault>& faults) {
  std::vector<const Json*> members(type.fields.size(), nullptr);
  for (const auto& [name, content] : value.items()) {
    std::size_t at = 0;
    while (at < type.fields.size() && !is_same_name(type.fields[at].name, name)) ++at;
    if (at < type.fields.size())
      members[at] = &content;
    else if (!rules.ignore_unknown_values)
      faults.push_back({location + "." + name, "no such field: " + location + "." + name + "."});
  }
  static const Json null;
  for (std::size_t i = 0; i < type.fields.size(); ++i)
    append_value(type.fields[i].type, members[i] != nullptr ? *members[i] : null, rules,
                 location + "." + type.fields[i].name, column.children()[i], faults);
  column.close_struct();
}

void append_range(const Type& type, const Json& value, const ValueRules& rules, const std::string& location,
                  Column& column, std::vector<ValueFault>& faults) {
  static const Json null;
  const Json* ends[2] = {&null, &null};
  for (const auto& [name, content] : value.items()) {
    const bool is_start = is_same_word(name, "start"), is_end = is_same_word(name, "end");
    if (is_start || is_end)
      ends[is_start ? 0 : 1] = &content;
    else if (!rules.ignore_unknown_values)
      faults.push_back({location + "." + name, "no such field: " + location + "." + name + "."});
  }
  for (std::size_t i = 0; i < 2; ++i)
    append_value(type.element.front(), *ends[i], rules, location + (i == 0 ? ".start" : ".end"), column.children()[i],
                 faults);
  column.close_struct();
}

void append_array(const Type& type, const Json& value, const ValueRules& rules, const std::string& location,
                  Column& column, std::vector<ValueFault>& faults) {
  std::size_t index = 0;
  for (const Json& element : value) {
    const std::string place = location + "[" + std::to_string(index++) + "]";
    if (element.is_null())
      faults.push_back({place, "Only optional fields can be set to NULL. Field: " + place + "; Value: NULL"});
    append_value(type.element.front(), element, rules, place, column.children()[0], faults);
  }
  column.close_list();
}

}  // namespace

void append_value(const Type& type, const Json& value, const ValueRules& rules, const std::string& location,
                  Column& column, std::vector<ValueFault>& faults) {
  const auto refuse = [&](std::string message) {
    faults.push_back({location, std::move(message)});
    type.is(TypeKind::kArray) ? column.close_list() : column.append_null();
  };
  if (type.is(TypeKind::kArray)) {
    if (value.is_array()) return append_array(type, value, rules, location, column, faults);
    return value.is_null() ? column.close_list() : refuse("Repeated field must be imported as a JSON array.");
  }
  if (value.is_null()) return column.append_null();
  const bool is_record = type.is(TypeKind::kStruct) || type.is(TypeKind::kRange);
  if (value.is_array() && !type.is(TypeKind::kJson)) return refuse("Array specified for non-repeated field.");
  if (is_record && !value.is_object()) return refuse("This field: " + location + " is not a record.");
  if (type.is(TypeKind::kStruct)) return append_struct(type, value, rules, location, column, faults);
  if (type.is(TypeKind::kRange)) return append_range(type, value, rules, location, column, faults);
  if (value.is_object() && !type.is(TypeKind::kJson)) return refuse("This field: " + location + " is not a record.");
  if (!append_scalar(type, value, rules, column))
    refuse(std::string("Cannot convert value to ") + name_in_sentences(type.kind) + " (bad value)");
}

}  // namespace flytt::gateway::internal
