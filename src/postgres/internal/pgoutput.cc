#include "postgres/internal/pgoutput.h"

#include "postgres/internal/values.h"
#include "postgres/internal/wire.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

// Int16 count, then per column a form and, for 't' and 'b', an Int32 length with that many bytes.
bool parse_tuple(WireReader& in, std::vector<Cell>& cells) {
  const auto count = in.number<std::int16_t>();
  if (in.failed() || count < 0 || static_cast<std::size_t>(count) > kColumnsMax) return false;
  cells.resize(static_cast<std::size_t>(count));
  for (Cell& cell : cells) {
    cell.form = in.character();
    cell.bytes = {};
    if (cell.form == 'n' || cell.form == 'u') continue;
    if (cell.form != 't' && cell.form != 'b') return false;
    const auto length = in.number<std::int32_t>();
    if (length < 0) return false;
    cell.bytes = in.bytes(static_cast<std::size_t>(length));
  }
  return !in.failed();
}

bool parse_relation(WireReader& in, PgOutputMessage& out) {
  out.relation = in.number<std::uint32_t>();
  out.schema = in.text();
  out.name = in.text();
  out.identity = in.character();
  const auto count = in.number<std::int16_t>();
  if (in.failed() || count < 0 || static_cast<std::size_t>(count) > kColumnsMax) return false;
  out.columns.clear();
  for (std::int16_t i = 0; i < count && !in.failed(); ++i) {
    RelationColumn column;
    column.is_key = (in.character() & 1) != 0;
    column.name = in.text();
    column.type_oid = in.number<std::uint32_t>();
    column.modifier = in.number<std::int32_t>();
    out.columns.push_back(column);
  }
  return true;
}

bool parse_update(WireReader& in, PgOutputMessage& out) {
  out.relation = in.number<std::uint32_t>();
  char part = in.character();
  if (part == 'K' || part == 'O') {
    out.old_form = part;
    if (!parse_tuple(in, out.old_cells)) return false;
    part = in.character();
  }
  return part == 'N' && parse_tuple(in, out.new_cells);
}

bool parse_delete(WireReader& in, PgOutputMessage& out) {
  out.relation = in.number<std::uint32_t>();
  out.old_form = in.character();
  return (out.old_form == 'K' || out.old_form == 'O') && parse_tuple(in, out.old_cells);
}

bool parse_truncate(WireReader& in, PgOutputMessage& out) {
  const auto count = in.number<std::int32_t>();
  in.character();
  if (in.failed() || count < 0 || static_cast<std::size_t>(count) * 4 != in.left()) return false;
  out.relations.clear();
  for (std::int32_t i = 0; i < count; ++i) out.relations.push_back(in.number<std::uint32_t>());
  return true;
}

bool parse_body(WireReader& in, PgOutputMessage& out) {
  switch (out.kind) {
    case 'B':
      out.final_lsn = Lsn(in.number<std::uint64_t>());
      out.commit_micros =
          static_cast<std::int64_t>(in.number<std::uint64_t>() + static_cast<std::uint64_t>(kMicrosTo2000));
      in.number<std::uint32_t>();
      return in.done();
    case 'C':
      in.character();
      out.final_lsn = Lsn(in.number<std::uint64_t>());
      out.end_lsn = Lsn(in.number<std::uint64_t>());
      out.commit_micros =
          static_cast<std::int64_t>(in.number<std::uint64_t>() + static_cast<std::uint64_t>(kMicrosTo2000));
      return in.done();
    case 'R': return parse_relation(in, out) && in.done();
    case 'I':
      out.relation = in.number<std::uint32_t>();
      return in.character() == 'N' && parse_tuple(in, out.new_cells) && in.done();
    case 'U': return parse_update(in, out) && in.done();
    case 'D': return parse_delete(in, out) && in.done();
    case 'T': return parse_truncate(in, out) && in.done();
    case 'O':
    case 'Y':
    case 'M': return true;  // origins, type names and messages change nothing here
    default: return false;
  }
}

}  // namespace

Status parse_pgoutput(std::string_view bytes, PgOutputMessage& out) {
  WireReader in(bytes);
  out.kind = in.character();
  out.old_form = 0;
  if (!in.failed() && parse_body(in, out)) return ok();
  return Error(ErrorCode::kCorrupt, "a message of the change stream is not in the form of pgoutput version 1")
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterBackoff);
}

}  // namespace flytt::postgres
