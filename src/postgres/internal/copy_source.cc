#include "postgres/internal/copy_source.h"

#include <algorithm>

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

bool CopySource::is_full() const {
  return decoder_.rows() >= kCopyBatchRowsMax || decoder_.bytes() >= kCopyBatchBytesMax;
}

Result<std::optional<flow::Batch>> CopySource::next(base::Deadline deadline) {
  if (done_) return std::optional<flow::Batch>();
  const base::Clock& clock = reader_->clock();
  for (;;) {
    while (messages_ != nullptr && taken_ < messages_->size() && !is_full()) {
      // Exactly kCopyBatchRowsMax rows to a batch, but not many more bytes than a batch should have.
      const std::size_t count =
          std::min({messages_->size() - taken_, kCopyBatchRowsMax - decoder_.rows(), kCopyBlockRows});
      TRY_STATUS(decoder_.consume(messages_->data() + taken_, count));
      taken_ += count;
    }
    if (is_full()) {
      FAILPOINT_ERROR("postgres.copy.mid_range");
      return std::optional<flow::Batch>(close_batch());
    }
    if (reader_->ended()) {
      if (!decoder_.ended())
        return Error(ErrorCode::kCorrupt, "a copy ended without its end mark")
            .side(base::Side::kSource)
            .retry(base::Retry::kAfterBackoff);
      done_ = true;
      return std::optional<flow::Batch>(close_batch());
    }
    if (decoder_.rows() > 0 && age_limit_.is_never()) age_limit_ = clock.in(kCopyBatchAgeMax);
    if (clock.is_past(age_limit_)) return std::optional<flow::Batch>(close_batch());
    messages_ = nullptr;
    taken_ = 0;
    TRY(messages_, reader_->read(deadline.earlier(age_limit_)));
    if (messages_->empty() && !reader_->ended() && clock.is_past(deadline)) return std::optional<flow::Batch>();
  }
}

}  // namespace flytt::postgres
