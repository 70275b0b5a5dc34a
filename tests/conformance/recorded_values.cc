#include "recorded_values.h"

#include <cmath>
#include <cstdio>

namespace flytt::conformance {

using data::Column;
using data::Type;
using data::TypeKind;
using nlohmann::json;

namespace {

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 |
              (i + k < bytes.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i + k])) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) out.push_back(i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63]);
  }
  return out;
}

// Python's dateutil.relativedelta, which prints the parts that are not zero.
std::string relative_delta(const data::Interval& v) {
  std::string out;
  const auto part = [&](const char* name, std::int64_t value) {
    if (value == 0) return;
    char text[64];
    std::snprintf(text, sizeof text, "%s%s=%+ld", out.empty() ? "" : ", ", name, static_cast<long>(value));
    out += text;
  };
  part("years", v.months / 12);
  part("months", v.months % 12);
  part("days", v.days);
  part("hours", v.micros / 3'600'000'000);
  part("minutes", v.micros / 60'000'000 % 60);
  part("seconds", v.micros / 1'000'000 % 60);
  part("microseconds", v.micros % 1'000'000);
  return "relativedelta(" + out + ")";
}

json float_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

std::string field_name(const Type& type, std::size_t index) {
  return type.fields[index].name.empty() ? "_field_" + std::to_string(index + 1) : type.fields[index].name;
}

}  // namespace

json recorded_value(const Type& type, const Column& column, std::size_t row) {
  if (type.is(TypeKind::kArray)) {
    json list = json::array();
    if (column.is_null(row)) return list;
    for (std::uint32_t i = column.list_begin(row); i < column.list_end(row); ++i) {
      list.push_back(recorded_value(type.element[0], column.children()[0], i));
    }
    return list;
  }
  if (column.is_null(row)) return nullptr;
  switch (type.kind) {
    case TypeKind::kInt64: return column.int64(row);
    case TypeKind::kFloat64: return float_value(column.float64(row));
    case TypeKind::kBool: return column.boolean(row);
    case TypeKind::kBytes: return base64(column.bytes(row));
    case TypeKind::kDate: return data::format_date(column.int64(row));
    case TypeKind::kTime: return data::format_time(column.int64(row));
    case TypeKind::kDatetime: return data::format_datetime(column.int64(row));
    case TypeKind::kTimestamp: return data::format_datetime(column.int64(row)) + "+00:00";
    case TypeKind::kNumeric: return data::format_numeric(column.int128(row));
    case TypeKind::kBigNumeric: return data::format_bignumeric(column.int256(row));
    case TypeKind::kInterval: return relative_delta(column.interval(row));
    case TypeKind::kStruct: {
      json object = json::object();
      for (std::size_t i = 0; i < type.fields.size(); ++i) {
        object[field_name(type, i)] = recorded_value(type.fields[i].type, column.children()[i], row);
      }
      return object;
    }
    case TypeKind::kRange:
      return {{"start", recorded_value(type.element[0], column.children()[0], row)},
              {"end", recorded_value(type.element[0], column.children()[1], row)}};
    default: return std::string(column.bytes(row));
  }
}

json recorded_field(const googlesql::OutputColumn& column) {
  const bool is_array = column.type.is(TypeKind::kArray);
  const Type& type = is_array ? column.type.element[0] : column.type;
  return {{"name", column.name}, {"type", std::string(type.rest_name())}, {"mode", is_array ? "REPEATED" : "NULLABLE"}};
}

bool same_value(const Type& type, const json& expected, const json& actual) {
  if (type.is(TypeKind::kArray)) {
    if (!expected.is_array() || !actual.is_array() || expected.size() != actual.size()) return false;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!same_value(type.element[0], expected[i], actual[i])) return false;
    }
    return true;
  }
  if (expected.is_null() || actual.is_null()) return expected.is_null() && actual.is_null();
  switch (type.kind) {
    case TypeKind::kFloat64: {
      if (!expected.is_number() || !actual.is_number()) return expected == actual;
      char first[40], second[40];
      std::snprintf(first, sizeof first, "%.15g", expected.get<double>());
      std::snprintf(second, sizeof second, "%.15g", actual.get<double>());
      return std::string(first) == second;
    }
    case TypeKind::kJson: {  // the recording went through a client, which lays the text out anew
      const json a = expected.is_string() ? json::parse(expected.get<std::string>(), nullptr, false) : expected;
      const json b = json::parse(actual.get<std::string>(), nullptr, false);
      return !a.is_discarded() && !b.is_discarded() && a == b;
    }
    case TypeKind::kStruct: {
      if (!expected.is_object() || expected.size() != actual.size()) return false;
      for (std::size_t i = 0; i < type.fields.size(); ++i) {
        const std::string name = field_name(type, i);
        if (!expected.contains(name) || !same_value(type.fields[i].type, expected[name], actual[name])) return false;
      }
      return true;
    }
    case TypeKind::kRange:
      return expected.is_object() && same_value(type.element[0], expected.value("start", json()), actual["start"]) &&
             same_value(type.element[0], expected.value("end", json()), actual["end"]);
    default: return expected == actual;
  }
}

}  // namespace flytt::conformance
