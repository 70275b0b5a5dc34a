// A binary copy from outside: the input is a row of messages, each behind two bytes of length.

#include <cstdint>
#include <string_view>

#include "postgres/internal/copy_decoder.h"

namespace {

using namespace flytt;
using namespace flytt::postgres;

std::shared_ptr<const RowPlan> make_plan() {
  SourceTable table;
  table.schema = "public";
  table.name = "t";
  const std::pair<const char*, bool> types[] = {{"int4", false},        {"text", false},  {"numeric", false},
                                                {"timestamptz", false}, {"jsonb", false}, {"int4", true},
                                                {"tsvector", false}};
  for (const auto& [name, is_array] : types) {
    SourceColumn column;
    column.name = "c" + std::to_string(table.columns.size());
    column.type.base.schema = column.type.element.schema = "pg_catalog";
    column.type.base.name = column.type.element.name = name;
    column.type.is_array = is_array;
    column.mapping = map_type(column.type);
    table.columns.push_back(std::move(column));
  }
  table.key = {0, 3};
  return make_row_plan(table, make_slice_schema(table, {"p", "d", "t"}, data::SchemaVersion(1)), {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto plan = make_plan();
  CopyDecoder decoder(plan, data::Sequence::of(1, 2, 0));
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (rest.size() >= 2) {
    const std::size_t length = std::min<std::size_t>(
        rest.size() - 2, static_cast<unsigned char>(rest[0]) * 256u + static_cast<unsigned char>(rest[1]));
    if (!decoder.consume(rest.substr(2, length))) return 0;
    rest.remove_prefix(2 + length);
    // Whatever was taken, the columns stay equally long.
    const std::size_t rows = decoder.rows();
    const data::TableSlice slice = decoder.take();
    for (const data::Column& column : slice.columns) CHECK(column.size() == rows);
  }
  return 0;
}
