#include "warehouse/internal/query_watch.h"

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using End = QueryWatch::Watched::End;

End reason_to_stop(const QueryWatch::Watched& watched, const base::Clock& clock) {
  if (watched.cancel && watched.cancel->load(std::memory_order_relaxed)) return End::kCancel;
  return clock.is_past(watched.deadline) ? End::kDeadline : End::kNone;
}

Error stopped(End end) {
  if (end == End::kDeadline)
    return Error(ErrorCode::kTimeout, "Job execution was cancelled: the query's time limit has passed")
        .cause("timeout");
  return Error(ErrorCode::kCancelled, "Job execution was cancelled: User requested cancellation").cause("stopped");
}

}  // namespace

QueryWatch::QueryWatch(const base::Clock& clock)
    : clock_(clock), thread_([this](std::stop_token stop) { loop(stop); }) {}

QueryWatch::~QueryWatch() {
  thread_.request_stop();
  changed_.notify_all();
}

void QueryWatch::loop(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (watched_.empty()) {
      changed_.wait(lock, stop, [&] { return !watched_.empty(); });
    } else {
      changed_.wait_for(lock, stop, std::chrono::milliseconds(kWatchMillis), [] { return false; });
    }
    for (Watched& watched : watched_) {
      if (watched.end == End::kNone) watched.end = reason_to_stop(watched, clock_);
      // Again and again: an interrupt that arrives between two steps of a question is lost.
      if (watched.end != End::kNone) watched.connection->interrupt();
    }
  }
}

void QueryWatch::interrupt_all() {
  std::lock_guard lock(mutex_);
  for (Watched& watched : watched_) {
    if (watched.end == End::kNone) watched.end = End::kCancel;
    watched.connection->interrupt();
  }
}

QueryWatch::Guard::Guard(QueryWatch& watch, const Connection& connection, base::Deadline deadline,
                         std::shared_ptr<std::atomic<bool>> cancel)
    : watch_(watch) {
  std::lock_guard lock(watch_.mutex_);
  place_ = watch_.watched_.emplace(watch_.watched_.end());
  place_->connection = &connection;
  place_->deadline = deadline;
  place_->cancel = std::move(cancel);
  watch_.changed_.notify_all();
}

QueryWatch::Guard::~Guard() {
  std::lock_guard lock(watch_.mutex_);
  watch_.watched_.erase(place_);
}

Error QueryWatch::Guard::explain(Error error) const {
  const Status running = check();
  return running ? error : running.error();
}

Status QueryWatch::Guard::check() const {
  End end = place_->end.load();
  if (end == End::kNone) end = reason_to_stop(*place_, watch_.clock_);
  return end == End::kNone ? ok() : Status(stopped(end));
}

}  // namespace flytt::warehouse::internal
