// Bodies of tabledata.insertAll from anybody, against a table with every column type. Every row is either among the rows
// that were read, or told with a fault; what was read can be encoded, unless its text is refused there.
//
// Input: the body.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "data/table_slice.h"
#include "gateway/bigquery/internal/insert_rows.h"
#include "wire/row_encoder.h"

namespace {

using flytt::data::Type;
using flytt::data::TypeKind;

void require(bool condition) {
  if (!condition) std::abort();
}

std::shared_ptr<const flytt::data::SliceSchema> every_type() {
  auto schema = std::make_shared<flytt::data::SliceSchema>();
  const auto add = [&](const char* name, Type type) {
    schema->table.fields.push_back({name, std::move(type), false, ""});
  };
  static constexpr const char* kNames[] = {"int64",      "float64", "bool",     "string",    "bytes",
                                           "date",       "time",    "datetime", "timestamp", "numeric",
                                           "bignumeric", "json",    "interval", "geography"};
  for (std::size_t i = 0; i < 14; ++i) add(kNames[i], Type(static_cast<TypeKind>(i)));
  add("range", Type::range(Type(TypeKind::kTimestamp)));
  add("numbers", Type::array(Type(TypeKind::kInt64)));
  const Type inner = Type::structure({{"a", Type(TypeKind::kString)}, {"b", Type::array(Type(TypeKind::kBigNumeric))}});
  add("nested", Type::structure({{"inner", inner}, {"list", Type::array(inner)}}));
  schema->table.fields[0].required = true;
  return schema;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flytt;
  static const auto schema = every_type();
  static const wire::RowEncoder encoder = wire::RowEncoder::make(schema->table, wire::ChangeColumns::kNone).value();
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  auto rows = gateway::internal::parse_insert_rows(body, schema, 1'700'000'000'000'000);
  if (!rows) return 0;
  std::set<std::int64_t> seen(rows->rows.begin(), rows->rows.end());
  require(seen.size() == rows->rows.size() && rows->insert_ids.size() == rows->rows.size());
  for (const auto& fault : rows->faults) {
    require(fault.row >= 0 && fault.row < rows->row_count && rows->slice.row_count() == rows->rows.size());
    seen.insert(fault.row);
  }
  require(seen.size() == static_cast<std::size_t>(rows->row_count));
  for (const data::Column& column : rows->slice.columns) require(column.size() == rows->rows.size());
  wire::RowBuffer buffer;
  const auto end = encoder.encode(rows->slice, 0, rows->rows.size(), SIZE_MAX, buffer);
  require(end.has_value() && *end == rows->rows.size());
  require(!gateway::internal::insert_response(rows->faults, rows->row_count, rows->skip_invalid_rows).empty());
  return 0;
}
