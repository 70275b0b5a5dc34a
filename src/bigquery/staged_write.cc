#include "bigquery/staged_write.h"

namespace flytt::bigquery {
namespace {

constexpr std::uint32_t kLane = 0;

Error of_row(const data::Rejection& rejection, const data::TablePath& table) {
  const std::string column = rejection.column.empty() ? "" : "column " + rejection.column + " of ";
  return Error(ErrorCode::kBadData,
               "a row cannot be written to " + column + "table " + table.text() + ": " + rejection.reason)
      .side(base::Side::kSink);
}

}  // namespace

Result<std::unique_ptr<StagedWrite>> StagedWrite::begin(StorageWriteSink::Parts parts, WriteStreams& streams,
                                                        const data::TablePath& table, StorageWriteOptions options) {
  std::unique_ptr<StagedWrite> made(new StagedWrite(parts.clock, streams, table));
  TRY(const WriteStreamInfo stream, streams.create(table, WriteStreamKind::kPending));
  made->stream_ = stream.name;
  made->sink_ = StorageWriteSink::make(std::move(parts), std::move(options));
  made->sink_->open_lane(kLane, table, stream.name);
  return made;
}

Error StagedWrite::fail(Error error) {
  failure_ = std::move(error).within("while filling write stream " + stream_);
  sink_->close_lane(kLane);
  return *failure_;
}

Status StagedWrite::check(const data::TableSlice& slice) const {
  const data::SliceSchema& schema = *slice.schema;
  if (!(schema.destination == table_) || !schema.table.key.empty() || !slice.kinds.empty())
    return Error(ErrorCode::kBug, "rows that are not plain rows of " + table_.text() + " came to its write stream");
  if (!slice.rejections.empty()) return of_row(slice.rejections.front(), table_);
  return ok();
}

// Takes what the sink has to tell; waits for it until the deadline.
Status StagedWrite::look(base::Deadline deadline) {
  auto receipts = sink_->collect(deadline);
  if (!receipts) return fail(std::move(receipts).error());
  if (const auto lost = sink_->take_lost(); !lost.empty()) return fail(lost.front().error);
  if (const auto failures = sink_->take_failures(); !failures.empty()) return fail(failures.front().error);
  if (const auto refused = sink_->take_refused(); !refused.empty())
    return fail(of_row(refused.front().rejection, table_));
  receipts_ += receipts->size();
  return ok();
}

Status StagedWrite::write(data::TableSlice& slice, base::Deadline deadline) {
  if (failure_) return *failure_;
  if (is_finished_) return Error(ErrorCode::kBug, "rows came to write stream " + stream_ + " after its end");
  if (const Status good = check(slice); !good) return fail(good.error());
  TRY_STATUS(look(base::Deadline{base::SteadyTime::min()}));
  const auto rows = static_cast<std::int64_t>(slice.row_count());
  if (rows == 0) return ok();
  slice.lane = kLane;
  slice.sequences.assign(1, data::Sequence{});
  flow::Batch batch;
  batch.sequence = flow::BatchSequence(batches_);
  batch.tables.push_back(std::move(slice));
  if (const Status taken = sink_->submit(batch, deadline); !taken) {
    if (taken.error().code() != ErrorCode::kTimeout) return fail(taken.error());
    slice = std::move(batch.tables.front());
    TRY_STATUS(look(base::Deadline{base::SteadyTime::min()}));
    return taken;
  }
  ++batches_;
  rows_ += rows;
  return ok();
}

Result<std::int64_t> StagedWrite::finish(base::Deadline deadline) {
  while (!failure_ && receipts_ < batches_) {
    const std::uint64_t before = receipts_;
    TRY_STATUS(look(deadline));
    if (receipts_ == before && clock_.is_past(deadline))
      return Error(ErrorCode::kTimeout, "rows of write stream " + stream_ + " have no answer yet")
          .side(base::Side::kSink);
  }
  if (failure_) return *failure_;
  is_finished_ = true;
  TRY(const auto counted, streams_.finalize(stream_));
  if (counted && *counted != rows_)
    return fail(Error(ErrorCode::kCorrupt, "write stream " + stream_ + " has " + std::to_string(*counted) +
                                               " rows of the " + std::to_string(rows_) + " that were written")
                    .side(base::Side::kSink));
  TRY(const std::int64_t committed_micros, streams_.batch_commit(table_, {stream_}));
  static_cast<void>(committed_micros);
  return rows_;
}

}  // namespace flytt::bigquery
