#include "pipeline/lane_keeper.h"

#include "base/failpoint.h"

namespace flytt::pipeline {

void LaneDesk::put(LaneTask task) {
  {
    std::lock_guard lock(mutex_);
    if (is_closed_) return;
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

std::optional<LaneTask> LaneDesk::take(base::Duration wait) {
  std::unique_lock lock(mutex_);
  if (wait > base::Duration::zero()) changed_.wait_for(lock, wait, [&] { return is_closed_ || !tasks_.empty(); });
  if (tasks_.empty()) return std::nullopt;
  LaneTask task = std::move(tasks_.front());
  tasks_.pop_front();
  return task;
}

void LaneDesk::finish(LaneOutcome outcome) {
  std::lock_guard lock(mutex_);
  finished_.push_back(std::move(outcome));
}

std::vector<LaneOutcome> LaneDesk::take_finished() {
  std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

void LaneDesk::close() {
  {
    std::lock_guard lock(mutex_);
    is_closed_ = true;
    tasks_.clear();
  }
  changed_.notify_all();
}

bool LaneDesk::is_closed() const {
  std::lock_guard lock(mutex_);
  return is_closed_;
}

Progress LaneKeeper::step(base::Duration wait) {
  const auto task = desk_.take(wait);
  if (!task) return desk_.is_closed() ? Progress::kDone : Progress::kIdle;
  auto outcome = take_over(*task);
  if (outcome) {
    desk_.finish(std::move(*outcome));
  } else {
    LaneOutcome failed;
    failed.lane = task->lane;
    failed.error =
        std::move(outcome).error().within("while taking over " + task->topic + "/" + std::to_string(task->partition));
    desk_.finish(std::move(failed));
  }
  return Progress::kWorked;
}

Result<LaneOutcome> LaneKeeper::take_over(const LaneTask& task) {
  LaneOutcome outcome;
  outcome.lane = task.lane;
  const LaneKey key{task.table, task.topic, task.partition};
  std::vector<std::string> olds = task.old_streams;
  if (task.may_have_others) {
    TRY(const std::vector<std::string> noted, destination_.noted_write_streams(key));
    olds.insert(olds.end(), noted.begin(), noted.end());
  }
  for (const std::string& stream : olds) TRY_STATUS(destination_.finalize_write_stream(stream));
  FAILPOINT_ERROR("pipeline.lane.fenced");
  // Only now: what is there can not grow any more.
  TRY(outcome.held, destination_.held_offsets(task.table, task.topic, task.partition, task.from));
  if (task.is_new_topic && !outcome.held.empty())
    return Error(ErrorCode::kConflict, "table " + task.table.text() + " holds rows of the topic that was called " +
                                           task.topic +
                                           " before, and by topic, partition and offset they cannot be told from those "
                                           "of the new one: rename or empty the table, or name another in `to`")
        .side(base::Side::kSink)
        .retry(base::Retry::kAfterOperator);
  TRY(outcome.write_stream, destination_.create_write_stream(task.table));
  FAILPOINT_ERROR("pipeline.lane.made");
  // Before any row: the record that the source keeps for the lane may get lost.
  TRY_STATUS(destination_.note_write_stream(key, outcome.write_stream));
  return outcome;
}

}  // namespace flytt::pipeline
