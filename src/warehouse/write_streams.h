#pragma once
// Write streams that an application makes (google.cloud.bigquery.storage.v1, "Stream types"): rows at counted offsets, so
// that a sender whose answer was lost repeats an append without writing a row twice.
//
// A stream belongs to one table. Its description lies in the same file as the rows and changes in the same transaction:
// after a crash an append is there with its offset, or neither is. Offsets count the stream's rows from 0.
//   kCommitted  rows are visible when they are answered
//   kPending    rows are visible after finalize and commit, of several streams of a table at once
//   kBuffered   rows are visible up to the flushed offset
// A stream that nobody used for three days (kCommitted) or seven (the others) is gone, with its rows that nobody ever saw.
//
// Refusals carry StorageError's code by name in cause(), as the Storage Write API tells it:
//   kNotFound  STREAM_NOT_FOUND · kBadData  STREAM_FINALIZED, OFFSET_OUT_OF_RANGE, INVALID_STREAM_TYPE,
//   INVALID_STREAM_STATE, STREAM_NOT_FOUND (a name that no stream can have) · kConflict  OFFSET_ALREADY_EXISTS,
//   STREAM_ALREADY_COMMITTED

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/schema.h"

namespace flytt::warehouse {

enum class StreamKind : std::uint8_t { kCommitted = 1, kPending = 2, kBuffered = 3 };  // WriteStream.Type

struct StreamPath {
  data::TablePath table;
  std::string id;
};

struct WriteStream {
  StreamPath path;
  StreamKind kind = StreamKind::kCommitted;
  std::int64_t created_micros = 0;
  std::int64_t committed_micros = 0;  // of kPending; 0 = not yet
  std::int64_t row_count = 0;         // the offset that the next append has
  std::int64_t flushed_rows = 0;      // of kBuffered
  bool finalized = false;
};

// Of several streams: either all are committed and `refused` is empty, or none is.
struct StreamCommit {
  std::int64_t committed_micros = 0;
  std::vector<std::pair<std::string, Error>> refused;  // by stream id
};

}  // namespace flytt::warehouse
