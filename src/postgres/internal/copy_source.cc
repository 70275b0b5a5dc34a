#include "postgres/internal/copy_source.h"

#include "base/failpoint.h"
#include "postgres/limits.h"

namespace flytt::postgres {

flow::Batch CopySource::close_batch() {
  flow::Batch batch;
  batch.sequence = sequence_;
  sequence_ = sequence_.next();
  if (decoder_.rows() > 0 || decoder_.rejections() > 0) batch.tables.push_back(decoder_.take());
  age_limit_ = base::Deadline::never();
  return batch;
}

Result<CopyState> CopySource::fill() {
  while (decoder_.rows() < kCopyBatchRowsMax && decoder_.bytes() < kCopyBatchBytesMax) {
    std::string_view row;
    TRY(const CopyState state, client_->read_copy(row));
    if (state != CopyState::kRow) return state;
    TRY_STATUS(decoder_.consume(row));
  }
  return CopyState::kRow;
}

Result<std::optional<flow::Batch>> CopySource::next(base::Deadline deadline) {
  if (done_) return std::optional<flow::Batch>();
  for (;;) {
    TRY(const CopyState state, fill());
    if (state == CopyState::kRow) {
      FAILPOINT_ERROR("postgres.copy.mid_range");
      return std::optional<flow::Batch>(close_batch());
    }
    if (state == CopyState::kEnd) {
      if (!decoder_.ended())
        return Error(ErrorCode::kCorrupt, "a copy ended without its end mark")
            .side(base::Side::kSource)
            .retry(base::Retry::kAfterBackoff);
      done_ = true;
      return std::optional<flow::Batch>(close_batch());
    }
    const base::Clock& clock = client_->clock();
    if (decoder_.rows() > 0 && age_limit_.is_never()) age_limit_ = clock.in(kCopyBatchAgeMax);
    if (clock.is_past(age_limit_)) return std::optional<flow::Batch>(close_batch());
    TRY(const bool arrived, client_->wait_input(deadline.earlier(age_limit_)));
    if (!arrived && clock.is_past(deadline)) return std::optional<flow::Batch>();
  }
}

}  // namespace flytt::postgres
