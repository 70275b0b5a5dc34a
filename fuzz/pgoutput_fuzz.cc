// Messages of the change stream from outside: the input is a row of messages, each behind two bytes of length. They go
// through the assembler of two tables; what comes out must be whole slices, and holes are filled from a made-up source.

#include <cstdint>
#include <string_view>

#include "postgres/internal/stream_assembler.h"

namespace {

using namespace flytt;
using namespace flytt::postgres;

SourceColumn column(const char* name, const char* type, std::uint32_t oid) {
  SourceColumn out;
  out.name = name;
  out.type.declared_oid = out.type.base.oid = oid;
  out.type.base.schema = "pg_catalog";
  out.type.base.name = out.type.declared = type;
  out.mapping = map_type(out.type);
  return out;
}

StreamTable table(const char* name, std::uint32_t oid, std::vector<SourceColumn> columns) {
  StreamTable out;
  out.table.oid = oid;
  out.table.schema = "public";
  out.table.name = name;
  out.table.columns = std::move(columns);
  out.table.key = {0};
  out.schema = make_slice_schema(out.table, {"p", "d", name}, data::SchemaVersion(1));
  return out;
}

Result<FoundValues> find(const SourceTable&, const RowPlan&, const std::vector<std::uint32_t>& columns,
                         const std::vector<const std::vector<std::string>*>& keys) {
  FoundValues found;
  for (std::size_t i = 0; i < keys.size(); ++i)
    found.cells.push_back(i % 2 == 0 ? std::vector<Cell>(columns.size(), Cell{'t', "1"}) : std::vector<Cell>{});
  return found;
}

void check(StreamAssembler& assembler) {
  for (SliceInMaking& making : assembler.take().slices) {
    if (!fill_large_values(making, find)) continue;
    const data::TableSlice& slice = making.slice;
    CHECK(slice.sequences.size() == slice.row_count() && slice.kinds.size() == slice.row_count());
    for (const data::Column& c : slice.columns) CHECK(c.size() == slice.row_count());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const SourceColumn added = column("n", "int4", 23);
  StreamAssembler assembler(
      {table("t", 7, {column("id", "int4", 23), column("v", "text", 25)}),
       table("u", 8, {column("id", "text", 25), column("j", "jsonb", 3802), column("d", "numeric", 1700)})},
      {}, 1, Lsn(1), true,
      [&](const SourceTable&, const std::vector<std::string>&) -> Result<std::vector<SourceColumn>> {
        return std::vector<SourceColumn>{added};
      });
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (rest.size() >= 2) {
    const std::size_t length = std::min<std::size_t>(
        rest.size() - 2, static_cast<unsigned char>(rest[0]) * 256u + static_cast<unsigned char>(rest[1]));
    if (!assembler.apply(rest.substr(2, length))) return 0;  // a stream ends with its first error
    rest.remove_prefix(2 + length);
    if (assembler.rows() > 8) check(assembler);
  }
  check(assembler);
  return 0;
}
