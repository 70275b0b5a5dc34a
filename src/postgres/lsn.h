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

// A stream's Position is the LSN in 8 bytes, big-endian. An empty Position is Lsn 0: where the slot stands.
flow::Position to_position(Lsn lsn);
Result<Lsn> to_lsn(const flow::Position& position);

}  // namespace flytt::postgres
