#include "bigquery/internal/row_text.h"

#include <cmath>
#include <cstdio>

#include "base/log.h"
#include "bigquery/limits.h"
#include "data/civil.h"
#include "data/utf8.h"
#include "flow/lanes.h"
#include "wire/decoded_columns.h"
#include "wire/row_buffer.h"
#include "wire/row_decoder.h"

namespace flytt::bigquery {
namespace {

using data::Column;
using data::Type;
using data::TypeKind;

// A type that takes every value of the same proto field: what is wrong with a value must not hide it.
Type lenient(const Type& type) {
  switch (type.kind) {
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return Type(TypeKind::kInt64);
    case TypeKind::kString:
    case TypeKind::kJson:
    case TypeKind::kGeography:
    case TypeKind::kInterval:
    case TypeKind::kNumeric:
    case TypeKind::kBigNumeric:
    case TypeKind::kBytes: return Type(TypeKind::kBytes);
    case TypeKind::kArray: return Type::array(lenient(type.element.front()));
    case TypeKind::kRange:
      return Type::structure({{"start", lenient(type.element.front())}, {"end", lenient(type.element.front())}});
    case TypeKind::kStruct: {
      std::vector<data::StructField> fields;
      for (const data::StructField& field : type.fields) fields.push_back({field.name, lenient(field.type)});
      return Type::structure(std::move(fields));
    }
    default: return Type(type.kind);
  }
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t bits = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) out += i <= count ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

std::string civil_text(TypeKind kind, std::int64_t value) {
  const bool is_date = kind == TypeKind::kDate;
  if (is_date && value >= data::kDateMin && value <= data::kDateMax) return data::format_date(value);
  if (kind == TypeKind::kTimestamp && value >= data::kTimestampMin && value <= data::kTimestampMax)
    return data::format_datetime(value, ' ') + "+00";
  if (kind == TypeKind::kTime) {
    if (const auto micros = data::unpack_time(value)) return data::format_time(*micros);
  }
  if (kind == TypeKind::kDatetime) {
    if (const auto micros = data::unpack_datetime(value)) return data::format_datetime(*micros, ' ');
  }
  return std::to_string(value);
}

std::string decimal_text(TypeKind kind, std::string_view bytes) {
  const auto wide = data::from_shortest_bytes(bytes);
  if (!wide) return base64(bytes);
  if (kind == TypeKind::kBigNumeric) return data::format_bignumeric(*wide);
  const auto narrow = data::to_int128(*wide);
  return narrow ? data::format_numeric(*narrow) : base64(bytes);
}

// The plain text of a scalar.
std::string scalar_text(TypeKind kind, const Column& cells, std::size_t row) {
  switch (kind) {
    case TypeKind::kInt64: return std::to_string(cells.int64(row));
    case TypeKind::kBool: return cells.boolean(row) ? "true" : "false";
    case TypeKind::kFloat64: return number_text(cells.float64(row));
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return civil_text(kind, cells.int64(row));
    case TypeKind::kNumeric:
    case TypeKind::kBigNumeric: return decimal_text(kind, cells.bytes(row));
    case TypeKind::kBytes: return base64(cells.bytes(row));
    default: {
      const std::string_view text = cells.bytes(row);
      return data::is_valid_utf8(text) ? std::string(text) : "base64:" + base64(text);
    }
  }
}

void append_json(const Type& type, const Column& cells, std::size_t row, std::string& out) {
  if (out.size() > kRefusedRawBytesMax) return;
  if (cells.is_null(row)) {
    out += "null";
    return;
  }
  if (type.is(TypeKind::kArray)) {
    out += '[';
    for (std::size_t i = cells.list_begin(row); i < cells.list_end(row); ++i) {
      if (i != cells.list_begin(row)) out += ',';
      append_json(type.element.front(), cells.children()[0], i, out);
    }
    out += ']';
    return;
  }
  if (type.is(TypeKind::kStruct) || type.is(TypeKind::kRange)) {
    out += '{';
    for (std::size_t i = 0; i < cells.children().size(); ++i) {
      const bool is_range = type.is(TypeKind::kRange);
      if (i != 0) out += ',';
      out += base::json_quote(is_range ? (i == 0 ? "start" : "end") : type.fields[i].name) + ":";
      append_json(is_range ? type.element.front() : type.fields[i].type, cells.children()[i], row, out);
    }
    out += '}';
    return;
  }
  const std::string text = scalar_text(type.kind, cells, row);
  const bool is_bare = type.is(TypeKind::kInt64) || type.is(TypeKind::kBool) ||
                       (type.is(TypeKind::kFloat64) && std::isfinite(cells.float64(row)));
  out += is_bare ? text : base::json_quote(text);
}

}  // namespace

Result<RowText> text_of_row(std::string_view descriptor, const data::TableSchema& table, std::string_view row) {
  data::TableSchema loose;
  for (const data::Field& field : table.fields) loose.fields.push_back({field.name, lenient(field.type), false, ""});
  TRY(wire::RowDecoder decoder, wire::RowDecoder::make(descriptor, loose));
  wire::RowBuffer one;
  one.append_row(row);
  TRY(wire::SerializedRows rows, wire::SerializedRows::make(one.view()));
  wire::DecodedColumns columns(loose, 1);
  wire::RowChanges changes;
  wire::CellArena arena;
  std::vector<wire::RowError> errors;
  decoder.decode(rows, 1, columns.targets(), 0, changes, arena, errors);
  if (!errors.empty()) return Error(ErrorCode::kCorrupt, "the row cannot be read back");
  RowText out;
  const std::vector<std::uint32_t> place_columns = flow::place_columns(table);
  std::vector<std::string> places(place_columns.size());
  out.sequence = changes.sequences.front();
  out.json = "{";
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    Column cells(loose.fields[i].type);
    columns.copy_to(i, 1, cells);
    if (i != 0) out.json += ",";
    out.json += base::json_quote(table.fields[i].name) + ":";
    append_json(table.fields[i].type, cells, 0, out.json);
    for (std::size_t place = 0; place < places.size(); ++place) {
      if (place_columns[place] == i && !cells.is_null(0))
        places[place] = scalar_text(table.fields[i].type.kind, cells, 0);
    }
    if (!table.is_key(static_cast<std::uint32_t>(i))) continue;
    if (!out.key.empty()) out.key += ", ";
    out.key +=
        table.fields[i].name + "=" + (cells.is_null(0) ? "NULL" : scalar_text(table.fields[i].type.kind, cells, 0));
  }
  out.json += "}";
  for (const std::string& place : places) out.position += (out.position.empty() ? "" : "/") + place;
  if (out.json.size() > kRefusedRawBytesMax) out.json.resize(kRefusedRawBytesMax);
  return out;
}

}  // namespace flytt::bigquery
