#pragma once
// Write streams in the database file: their descriptions, and the tables in which rows wait that may not be seen yet.
//
//   flytt.write_streams(number, table_id, kind, created, used, rows, flushed, finalized, committed)   one row per stream
//   flytt.write_stream_ends(number, rows, used)   what commits added since then: the greatest of a stream's rows counts
//   flytt.s<NUMBER>(_offset, c…)   rows of a PENDING or BUFFERED stream that are not visible
//
// A commit's offsets are appended, not updated: an UPDATE costs more than all else that a small commit does.
//
// Functions here run inside a transaction of the caller (the writer thread), except `load_streams` and
// `prepare_streams`.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "warehouse/internal/duck.h"
#include "warehouse/internal/stream_state.h"
#include "warehouse/internal/table_version.h"

namespace flytt::warehouse::internal {

Status prepare_streams(Connection& connection);

struct SavedStream {
  std::int64_t number = 0, table_id = 0;
  StreamKind kind = StreamKind::kCommitted;
  std::int64_t created_micros = 0;
  StreamFacts facts;
};
Result<std::vector<SavedStream>> load_streams(Connection& connection);

Status insert_stream(Connection& connection, const StreamState& stream);
Status save_stream(Connection& connection, const StreamState& stream, const StreamFacts& facts);
Status remove_stream(Connection& connection, const StreamState& stream);
// Moves what is in write_stream_ends into write_streams.
Status fold_stream_ends(Connection& connection);
// As metadata's add_columns, of the rows that wait.
Status add_staged_columns(Connection& connection, const StreamState& stream, const TableVersion& now,
                          std::size_t first_new);
// Copies the rows with offsets in [from, to) into the stream's table. kCorrupt when not just these are there.
Status show_rows(Connection& connection, const StreamState& stream, std::int64_t from, std::int64_t to);
Status remove_shown_rows(Connection& connection, const StreamState& stream, std::int64_t to);
Status drop_staging(Connection& connection, const StreamState& stream);

}  // namespace flytt::warehouse::internal
