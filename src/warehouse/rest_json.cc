#include "warehouse/rest_json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "data/civil.h"
#include "data/decimal.h"

namespace flytt::warehouse {

namespace {

using data::TypeKind;

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", c);
        out += escape;
      }
    }
  }
  out.append(text.substr(plain));
  out += '"';
}

void append_base64(std::string_view bytes, std::string& out) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out += '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    std::uint32_t group = static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << 16;
    if (left > 1) group |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i + 1])) << 8;
    if (left > 2) group |= static_cast<unsigned char>(bytes[i + 2]);
    out += kDigits[group >> 18];
    out += kDigits[group >> 12 & 63];
    out += left > 1 ? kDigits[group >> 6 & 63] : '=';
    out += left > 2 ? kDigits[group & 63] : '=';
  }
  out += '"';
}

// BigQuery's text of a FLOAT64: as few digits as give the same number back, "1.5", "1.0", "1.0E20", "1.0E-5".
std::string format_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  char digits[40];
  int precision = 0;
  do {
    std::snprintf(digits, sizeof digits, "%.*e", precision, value);
  } while (std::strtod(digits, nullptr) != value && ++precision < 17);
  const char* e = std::strchr(digits, 'e');
  const int exponent = std::atoi(e + 1);
  if (exponent < -3 || exponent >= 7) {
    std::string mantissa(digits, static_cast<std::size_t>(e - digits));
    if (mantissa.find('.') == mantissa.npos) mantissa += ".0";
    return mantissa + "E" + std::to_string(exponent);
  }
  char plain[64];
  std::snprintf(plain, sizeof plain, "%.*f", std::max(1, precision - exponent), value);
  return plain;
}

// Seconds with up to six decimals in Java's form, as the real service sends them: "1.408452095E9", "-1.0E-6", "0.0".
std::string format_float_seconds(std::int64_t micros) {
  if (micros == 0) return "0.0";
  const bool negative = micros < 0;
  std::string digits =
      std::to_string(negative ? 0 - static_cast<std::uint64_t>(micros) : static_cast<std::uint64_t>(micros));
  const int exponent = static_cast<int>(digits.size()) - 7;  // of the first digit, in seconds
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  std::string text = negative ? "-" : "";
  if (exponent >= -3 && exponent < 7) {
    if (exponent < 0) {
      text += "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    } else {
      const auto whole = static_cast<std::size_t>(exponent) + 1;
      if (digits.size() <= whole) digits.append(whole - digits.size(), '0').append("0");
      text += digits.substr(0, whole) + "." + digits.substr(whole);
    }
    return text;
  }
  text += digits.substr(0, 1) + "." + (digits.size() > 1 ? digits.substr(1) : "0") + "E" + std::to_string(exponent);
  return text;
}

std::string format_timestamp(std::int64_t micros, TimestampForm form) {
  switch (form) {
    case TimestampForm::kFloatSeconds: return format_float_seconds(micros);
    case TimestampForm::kInt64Micros: return std::to_string(micros);
    case TimestampForm::kIso8601: break;
  }
  return data::format_datetime(micros) + "Z";
}

std::string range_end(const data::Type& type, const data::Column& column, std::size_t row, TimestampForm form) {
  if (column.is_null(row)) return "UNBOUNDED";
  const std::int64_t value = column.int64(row);
  switch (type.kind) {
    case TypeKind::kDate: return data::format_date(value);
    case TypeKind::kDatetime: return data::format_datetime(value);
    default: return format_timestamp(value, form);
  }
}

void append_scalar(const data::Type& type, const data::Column& column, std::size_t row, TimestampForm form,
                   std::string& out) {
  switch (type.kind) {
    case TypeKind::kInt64: out += '"' + std::to_string(column.int64(row)) + '"'; return;
    case TypeKind::kFloat64: out += '"' + format_double(column.float64(row)) + '"'; return;
    case TypeKind::kBool: out += column.boolean(row) ? "\"true\"" : "\"false\""; return;
    case TypeKind::kBytes: return append_base64(column.bytes(row), out);
    case TypeKind::kDate: out += '"' + data::format_date(column.int64(row)) + '"'; return;
    case TypeKind::kTime: out += '"' + data::format_time(column.int64(row)) + '"'; return;
    case TypeKind::kDatetime: out += '"' + data::format_datetime(column.int64(row)) + '"'; return;
    case TypeKind::kTimestamp: out += '"' + format_timestamp(column.int64(row), form) + '"'; return;
    case TypeKind::kNumeric: out += '"' + data::format_numeric(column.int128(row)) + '"'; return;
    case TypeKind::kBigNumeric: out += '"' + data::format_bignumeric(column.int256(row)) + '"'; return;
    case TypeKind::kInterval: out += '"' + data::format_interval(column.interval(row)) + '"'; return;
    default: return append_quoted(column.bytes(row), out);
  }
}

}  // namespace

void append_cell_json(const data::Type& type, const data::Column& column, std::size_t row, TimestampForm form,
                      std::string& out) {
  switch (type.kind) {
    case TypeKind::kArray: {
      out += '[';
      const std::uint32_t begin = column.is_null(row) ? 0 : column.list_begin(row),
                          end = column.is_null(row) ? 0 : column.list_end(row);
      for (std::uint32_t i = begin; i < end; ++i) {
        out += i == begin ? "{\"v\":" : ",{\"v\":";
        append_cell_json(type.element.front(), column.children()[0], i, form, out);
        out += '}';
      }
      out += ']';
      return;
    }
    case TypeKind::kStruct: {
      if (column.is_null(row)) break;
      out += "{\"f\":[";
      for (std::size_t i = 0; i < type.fields.size(); ++i) {
        out += i == 0 ? "{\"v\":" : ",{\"v\":";
        append_cell_json(type.fields[i].type, column.children()[i], row, form, out);
        out += '}';
      }
      out += "]}";
      return;
    }
    case TypeKind::kRange:
      if (column.is_null(row)) break;
      out += "\"[" + range_end(type.element.front(), column.children()[0], row, form) + ", " +
             range_end(type.element.front(), column.children()[1], row, form) + ")\"";
      return;
    default:
      if (column.is_null(row)) break;
      return append_scalar(type, column, row, form, out);
  }
  out += "null";
}

void append_row_json(const std::vector<data::Type>& types, const std::vector<data::Column>& columns, std::size_t row,
                     TimestampForm form, std::string& out) {
  out += "{\"f\":[";
  for (std::size_t c = 0; c < columns.size(); ++c) {
    out += c == 0 ? "{\"v\":" : ",{\"v\":";
    append_cell_json(types[c], columns[c], row, form, out);
    out += '}';
  }
  out += "]}";
}

}  // namespace flytt::warehouse
