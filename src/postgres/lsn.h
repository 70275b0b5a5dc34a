#pragma once
// Lsn: a place in PostgreSQL's write-ahead log, in bytes. Text form "16/B374D848" as pg_lsn prints it.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strong.h"
#include "flow/batch.h"

namespace flytt::postgres {

using Lsn = base::Strong<struct LsnTag>;

std::string format_lsn(Lsn lsn);
Result<Lsn> parse_lsn(std::string_view text);

// pg_current_wal_insert_lsn() is where the next record will begin. When the last one has filled its page (of `block_bytes`)
// that is behind the header of a page which nobody has begun, and no end of a record ever equals it: this is the end of the
// last record. Headers have 24 bytes, the first of a segment's 40 (PostgreSQL: access/xlog_internal.h).
Lsn end_of_log(Lsn insert, std::uint64_t block_bytes);

// A stream's Position is the LSN in 8 bytes, big-endian. An empty Position is Lsn 0: where the slot stands.
flow::Position to_position(Lsn lsn);
Result<Lsn> to_lsn(const flow::Position& position);

}  // namespace flytt::postgres
