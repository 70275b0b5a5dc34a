#include "pipeline/pipeline.h"

#include "pipeline/internal/table_lifecycle.h"

namespace flytt::pipeline {

Pipeline::Pipeline(StreamConfig config, Origin& origin, Destination& destination, Parts parts)
    : Supervisor(std::move(config), destination, origin, parts),
      origin_(origin),
      ledger_(book_),
      copy_backoff_(parts.random),
      lifecycle_(std::make_unique<internal::TableLifecycle>(book_, destination)) {}

Pipeline::~Pipeline() {
  if (copies_) copies_->abort();
  end_run();
  copy_jobs_.clear();
}

void Pipeline::describe(PipelineStatus& status) const { status.slot = origin_.slot_name(); }

void Pipeline::look_beside(bool may_begin) {
  if (may_begin) watch_tables();
  watch_copies(may_begin);
}

bool Pipeline::end_beside() {
  if (copies_) copies_->abort();
  return join_copies();
}

}  // namespace flytt::pipeline
