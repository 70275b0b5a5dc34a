// Pipeline: looking after a running stream and its copies.

#include <algorithm>

#include "base/log.h"
#include "pipeline/internal/table_lifecycle.h"
#include "pipeline/pipeline.h"

namespace flytt::pipeline {

using state::TablePhase;
using state::TableRecord;

void Pipeline::watch_tables() {
  const base::SteadyTime now = parts_.clock.steady();
  if (phase_ != Phase::kRunning || now - tables_listed_at_ < kTableListInterval) return;
  tables_listed_at_ = now;
  const auto listed = origin_.tables();
  if (!listed)
    return base::log_failure(base::LogLevel::kWarning, "tables could not be listed", listed.error(),
                             {{"stream", config_.name}});
  if (lifecycle_->is_news(*listed)) begin_restart();
}

void Pipeline::watch_copies(bool may_begin) {
  if (copies_) {
    {
      std::lock_guard lock(view_mutex_);
      view_.copy_stage = copies_->stage();
    }
    join_copies();
    return;
  }
  if (may_begin && has_reconciled_ && parts_.clock.steady() >= copies_not_before_) begin_copies();
}

void Pipeline::begin_copies() {
  const std::vector<TableRecord> records = book_.records();
  const bool is_needed = std::any_of(records.begin(), records.end(),
                                     [](const TableRecord& record) { return record.phase == TablePhase::kCopying; });
  if (!is_needed) return;
  auto listed = origin_.tables();  // they may have been altered since the stream was started
  if (!listed) {
    copies_not_before_ = parts_.clock.steady() + copy_backoff_.next();
    return base::log_failure(base::LogLevel::kWarning, "tables could not be listed for their copy", listed.error(),
                             {{"stream", config_.name}});
  }
  tables_ = std::move(*listed);
  OriginTables wanted;
  for (const OriginTable& table : tables_) {
    const auto record = book_.find(table.schema->source_table);
    if (table.refusal.empty() && record && record->phase == TablePhase::kCopying) wanted.push_back(table);
  }
  if (wanted.empty()) {
    copies_not_before_ = parts_.clock.steady() + kTableListInterval;
    return;
  }
  const Delivery::Parts delivery{book_, destination_, quarantine_, parts_.clock, parts_.metrics};
  copies_ = std::make_unique<CopyRun>(
      CopyRun::Parts{origin_, delivery, parts_.random, checkpoint_->epoch, config_.copy_workers, is_copy_renewal_},
      std::move(wanted));
  is_copy_renewal_ = false;
  for (Actor* actor : copies_->actors()) copy_jobs_.push_back(parts_.crew.start(*actor));
}

// True when no copy is under way any more.
bool Pipeline::join_copies() {
  if (!copies_) return true;
  if (!are_done(copy_jobs_)) return false;
  std::optional<Error> error = copies_->error();
  is_copy_renewal_ = copies_->is_over_age();
  copy_jobs_.clear();
  copies_.reset();
  const bool is_asked_to_end = error && error->code() == ErrorCode::kCancelled;
  if (is_asked_to_end) error.reset();
  {
    std::lock_guard lock(view_mutex_);
    view_.copy_stage.clear();
    view_.copy_error = error;
  }
  if (!error) {
    copy_backoff_.reset();
    return true;
  }
  base::log_failure(base::LogLevel::kError, "copy failed", *error, {{"stream", config_.name}});
  const bool may_help = error->retry() == base::Retry::kAfterBackoff;
  const base::Duration wait = may_help ? copy_backoff_.next() : base::Duration(kOperatorRetry);
  copies_not_before_ = parts_.clock.steady() + wait;
  const bool gives_up = config_.ends_when_caught_up && (!may_help || copy_backoff_.failures() >= kOnceFailuresMax);
  if (gives_up && (phase_ == Phase::kRunning || phase_ == Phase::kWaiting)) {
    end_run();
    enter(Phase::kFailed, std::move(error));
  }
  return true;
}

bool Pipeline::is_caught_up() {
  if (!stream_ || !goal_ || copies_ || !origin_.reached(stream_->saved(), *goal_)) return false;
  const std::vector<TableRecord> records = book_.records();
  return std::none_of(records.begin(), records.end(), [](const TableRecord& record) {
    return record.phase == TablePhase::kPlanned || record.phase == TablePhase::kReplacing ||
           record.phase == TablePhase::kCopying;
  });
}

}  // namespace flytt::pipeline
