#pragma once
// CopySource: the rows of one running COPY as batches.

#include <memory>

#include "flow/source.h"
#include "postgres/internal/copy_decoder.h"
#include "postgres/internal/copy_reader.h"

namespace flytt::postgres {

class CopySource final : public flow::Source {
 public:
  CopySource(std::unique_ptr<CopyReader> reader, std::shared_ptr<const RowPlan> plan, data::Sequence sequence)
      : reader_(std::move(reader)), decoder_(std::move(plan), sequence) {}

  Result<std::optional<flow::Batch>> next(base::Deadline deadline) override;
  Status confirm(const flow::Position&) override { return ok(); }
  bool is_done() const override { return done_; }

 private:
  flow::Batch close_batch();
  bool is_full() const;

  std::unique_ptr<CopyReader> reader_;
  const std::vector<std::string_view>* messages_ = nullptr;  // of the newest read
  std::size_t taken_ = 0;                                    // of them
  CopyDecoder decoder_;
  flow::BatchSequence sequence_;
  base::Deadline age_limit_ = base::Deadline::never();
  bool done_ = false;
};

}  // namespace flytt::postgres
