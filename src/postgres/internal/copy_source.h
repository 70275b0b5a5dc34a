#pragma once
// CopySource: the rows of one running COPY as batches.

#include <memory>

#include "flow/source.h"
#include "postgres/internal/client.h"
#include "postgres/internal/copy_decoder.h"

namespace flytt::postgres {

class CopySource final : public flow::Source {
 public:
  CopySource(std::unique_ptr<Client> client, std::shared_ptr<const RowPlan> plan, data::Sequence sequence)
      : client_(std::move(client)), decoder_(std::move(plan), sequence) {}

  Result<std::optional<flow::Batch>> next(base::Deadline deadline) override;
  Status confirm(const flow::Position&) override { return ok(); }
  bool is_done() const override { return done_; }

 private:
  flow::Batch close_batch();
  // Decodes what is there until the batch is full; kWait when more is needed.
  Result<CopyState> fill();

  std::unique_ptr<Client> client_;
  CopyDecoder decoder_;
  flow::BatchSequence sequence_;
  base::Deadline age_limit_ = base::Deadline::never();
  bool done_ = false;
};

}  // namespace flytt::postgres
