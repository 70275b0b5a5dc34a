#include "app/internal/cells.h"

#include <charconv>

#include "base/log.h"
#include "data/civil.h"

namespace flytt::app {

namespace {

// REST gives TIMESTAMP as microseconds.
std::string timestamp_text(const std::string& micros_text, char separator, const char* zone) {
  std::int64_t micros = 0;
  const auto [end, failure] = std::from_chars(micros_text.data(), micros_text.data() + micros_text.size(), micros);
  if (failure != std::errc() || end != micros_text.data() + micros_text.size()) return micros_text;
  return data::format_datetime(micros, separator) + zone;
}

bool fits_json_number(const std::string& text) {
  constexpr std::int64_t kLargest = std::int64_t{1} << 53;
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && value >= -kLargest && value <= kLargest;
}

std::string float_json(const std::string& text) {
  if (text == "NaN" || text == "Infinity" || text == "-Infinity") return base::json_quote(text);
  return text;
}

std::string list_json(const data::Type& type, const bigquery::Cell& cell) {
  std::string out = "[";
  for (const bigquery::Cell& item : cell.children) {
    if (&item != &cell.children.front()) out += ',';
    out += cell_json(type.element.front(), item);
  }
  return out + "]";
}

std::string struct_json(const data::Type& type, const bigquery::Cell& cell) {
  std::string out = "{";
  for (std::size_t i = 0; i < type.fields.size() && i < cell.children.size(); ++i) {
    if (i > 0) out += ',';
    out += base::json_quote(type.fields[i].name) + ":" + cell_json(type.fields[i].type, cell.children[i]);
  }
  return out + "}";
}

}  // namespace

std::string cell_text(const data::Type& type, const bigquery::Cell& cell) {
  if (type.is(data::TypeKind::kArray)) return list_json(type, cell);
  if (cell.is_null) return {};
  if (type.is(data::TypeKind::kStruct)) return struct_json(type, cell);
  if (type.is(data::TypeKind::kTimestamp)) return timestamp_text(cell.text, ' ', " UTC");
  return cell.text;
}

std::string cell_json(const data::Type& type, const bigquery::Cell& cell) {
  if (type.is(data::TypeKind::kArray)) return list_json(type, cell);
  if (cell.is_null) return "null";
  switch (type.kind) {
    case data::TypeKind::kStruct: return struct_json(type, cell);
    case data::TypeKind::kInt64: return fits_json_number(cell.text) ? cell.text : base::json_quote(cell.text);
    case data::TypeKind::kFloat64: return float_json(cell.text);
    case data::TypeKind::kBool:
    case data::TypeKind::kJson: return cell.text;
    case data::TypeKind::kTimestamp: return base::json_quote(timestamp_text(cell.text, 'T', "Z"));
    default: return base::json_quote(cell.text);
  }
}

}  // namespace flytt::app
