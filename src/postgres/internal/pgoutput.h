#pragma once
// The messages of the pgoutput plugin, protocol version 1 (PostgreSQL manual, "Logical Replication Message Formats").
//
// `parse_pgoutput` is a pure function over the bytes of one message. The views in its result point into those bytes.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "postgres/internal/row_builder.h"
#include "postgres/lsn.h"

namespace flytt::postgres {

struct RelationColumn {
  bool is_key = false;  // part of the replica identity
  std::string_view name;
  std::uint32_t type_oid = 0;
  std::int32_t modifier = -1;
};

// One message; which members mean something depends on `kind`.
struct PgOutputMessage {
  char kind = 0;  // B C O R Y I U D T M

  Lsn final_lsn;                   // B: of the commit record      C: the same
  Lsn end_lsn;                     // C: behind the commit record
  std::int64_t commit_micros = 0;  // B, C: since 1970

  std::uint32_t relation = 0;            // R, I, U, D
  std::string_view schema, name;         // R
  char identity = 'd';                   // R
  std::vector<RelationColumn> columns;   // R
  std::vector<std::uint32_t> relations;  // T

  char old_form = 0;  // U, D: 'K' key only, 'O' the whole old row, 0 none
  std::vector<Cell> old_cells, new_cells;
};

// Fills `out` (whose vectors are used again). kCorrupt for anything that is no whole message.
Status parse_pgoutput(std::string_view bytes, PgOutputMessage& out);

}  // namespace flytt::postgres
