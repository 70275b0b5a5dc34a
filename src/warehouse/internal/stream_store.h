#pragma once
// Write streams in the database file: their descriptions, and the tables in which rows wait that may not be seen yet.
//
//   flytt.write_streams(number, table_id, kind, created, used, rows, flushed, finalized, committed)   one row per stream
//   flytt.s<NUMBER>(_offset, c…)   rows of a PENDING or BUFFERED stream that are not visible
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
// The offsets that were taken in this transaction.
Status save_taken(Connection& connection, const std::vector<std::shared_ptr<StreamState>>& streams,
                  std::int64_t now_micros);
// As metadata's add_columns, of the rows that wait.
Status add_staged_columns(Connection& connection, const StreamState& stream, const TableVersion& now,
                          std::size_t first_new);
// Copies the rows with offsets in [from, to) into the stream's table. kCorrupt when not just these are there.
Status show_rows(Connection& connection, const StreamState& stream, std::int64_t from, std::int64_t to);
Status remove_shown_rows(Connection& connection, const StreamState& stream, std::int64_t to);
Status drop_staging(Connection& connection, const StreamState& stream);

}  // namespace flytt::warehouse::internal
