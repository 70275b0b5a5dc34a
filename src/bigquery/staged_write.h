#pragma once
// StagedWrite: the rows of one run into one table, seen all together or not at all (Storage Write API, PENDING stream).
//
//   begin ──▶ stream() is saved by the caller ──▶ write … write ──▶ finish = finalize + BatchCommit
//
// Rows are encoded and sent as StorageWriteSink does it, in a lane of its own: pipelined, at explicit offsets, and sent
// again after a lost connection without being there twice. Nothing is set aside here: a row that cannot be converted, or
// that BigQuery refuses, fails the run with its column and the reason, never with its value.
//
// Owned and called by one thread, except that `WriteStreams::cancel` may come from any. After an error other than
// kTimeout all calls give that error: begin anew, with a new stream; the old one expires by itself, and its rows are never
// seen. The destructor gives up what is in flight.
//
// A process that comes back with a saved name asks WriteStreams::get: a stream with a commit time has done its work, of any
// other nothing was seen.

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "bigquery/storage_write_sink.h"
#include "bigquery/write_streams.h"
#include "data/table_slice.h"

namespace flytt::bigquery {

class StagedWrite {
 public:
  // Makes the stream. `streams` outlives the object. The table must not have a key: its rows are plain.
  static Result<std::unique_ptr<StagedWrite>> begin(StorageWriteSink::Parts parts, WriteStreams& streams,
                                                    const data::TablePath& table, StorageWriteOptions options = {});

  const std::string& stream() const { return stream_; }
  std::int64_t rows_written() const { return rows_; }

  // Takes the slice's rows, of `table` and without change kinds. Waits while the window is full; kTimeout leaves the slice
  // with the caller.
  Status write(data::TableSlice& slice, base::Deadline deadline);
  // Waits for all answers, ends the stream and shows its rows. The number of rows. kTimeout: call it again. It may be
  // repeated, also after its answer was lost.
  Result<std::int64_t> finish(base::Deadline deadline);

 private:
  StagedWrite(const base::Clock& clock, WriteStreams& streams, data::TablePath table)
      : clock_(clock), streams_(streams), table_(std::move(table)) {}
  Status look(base::Deadline deadline);
  Status check(const data::TableSlice& slice) const;
  Error fail(Error error);

  const base::Clock& clock_;
  WriteStreams& streams_;
  const data::TablePath table_;
  std::string stream_;
  std::unique_ptr<StorageWriteSink> sink_;
  std::uint64_t batches_ = 0, receipts_ = 0;
  std::int64_t rows_ = 0;
  bool is_finished_ = false;
  std::optional<Error> failure_;
};

}  // namespace flytt::bigquery
