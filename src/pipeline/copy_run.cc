#include "pipeline/copy_run.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "pipeline/backoff.h"
#include "pipeline/internal/advice.h"

namespace flytt::pipeline {

using state::TablePhase;

namespace {
constexpr std::int64_t micros(base::Duration span) {
  return std::chrono::duration_cast<std::chrono::microseconds>(span).count();
}
}  // namespace

CopyRun::CopyRun(Parts parts, OriginTables tables) : parts_(parts), tables_(std::move(tables)), coordinator_(*this) {
  for (int i = 0; i < std::clamp(parts_.workers, 1, kCopyWorkersMax); ++i) workers_.emplace_back(*this);
}

std::vector<Actor*> CopyRun::actors() {
  std::vector<Actor*> all{&coordinator_};
  for (Worker& worker : workers_) all.push_back(&worker);
  return all;
}

void CopyRun::finish_soon() {
  stop_.request_stop();
  close(std::nullopt);
}

void CopyRun::abort() {
  is_aborted_ = true;
  finish_soon();
}

std::optional<Error> CopyRun::error() const {
  std::lock_guard lock(mutex_);
  return error_;
}

std::string CopyRun::stage() const {
  std::lock_guard lock(mutex_);
  return stage_;
}

std::optional<CopyRun::Task> CopyRun::take(base::Duration wait) {
  std::unique_lock lock(mutex_);
  const base::SteadyTime now = parts_.delivery.clock.steady();
  const auto due = [&] {
    return std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& task) { return task.not_before <= now; });
  };
  if (!is_closed_ && due() == tasks_.end() && wait > base::Duration::zero())
    changed_.wait_for(lock, wait, [&] { return is_closed_ || due() != tasks_.end(); });
  const auto found = due();
  if (is_closed_ || found == tasks_.end()) return std::nullopt;
  Task task = std::move(*found);
  tasks_.erase(found);
  ++taken_;
  return task;
}

void CopyRun::put_back(Task task) {
  std::lock_guard lock(mutex_);
  --taken_;
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

void CopyRun::put_down() {
  std::lock_guard lock(mutex_);
  --taken_;
  changed_.notify_all();
}

void CopyRun::ask_for_new_plan(const Task& task) {
  const std::string& name = task.table.schema->source_table;
  const bool is_news = parts_.delivery.book.is_current(name, task.generation);
  std::lock_guard lock(mutex_);
  --taken_;
  std::erase_if(tasks_, [&](const Task& other) {
    return other.table.schema->source_table == name && other.generation == task.generation;
  });
  const auto is_same = [&](const OriginTable& other) { return other.schema->source_table == name; };
  if (is_news && std::none_of(replans_.begin(), replans_.end(), is_same)) replans_.push_back(task.table);
  changed_.notify_all();
}

void CopyRun::close(std::optional<Error> error) {
  std::lock_guard lock(mutex_);
  is_closed_ = true;
  if (error && !error_) error_ = std::move(error);
  changed_.notify_all();
}

bool CopyRun::is_last_range(const std::string& source_table, std::int64_t generation) {
  std::lock_guard lock(mutex_);
  const auto found = ranges_left_.find({source_table, generation});
  return found != ranges_left_.end() && --found->second == 0;
}

// ---- Coordinator

Progress CopyRun::Coordinator::step(base::Duration wait) {
  if (run_.coordinator_is_done_) return Progress::kDone;
  auto outcome = work(wait);
  if (!outcome) {
    Error error = std::move(outcome).error();
    run_.close(std::move(error).within("while copying tables"));
    return Progress::kWorked;  // the next step waits for the workers to put down what they hold
  }
  if (*outcome == Progress::kDone) end();
  return *outcome;
}

void CopyRun::Coordinator::end() {
  run_.session_.reset();
  run_.coordinator_is_done_ = true;
}

Result<Progress> CopyRun::Coordinator::work(base::Duration wait) {
  bool is_closed = false;
  std::optional<OriginTable> replan;
  {
    std::lock_guard lock(run_.mutex_);
    is_closed = run_.is_closed_;
    if (!run_.replans_.empty()) {
      replan = std::move(run_.replans_.front());
      run_.replans_.pop_front();
    }
  }
  if (is_closed) return watch(wait);
  if (!is_open_) {
    TRY_STATUS(open());
    return Progress::kWorked;
  }
  if (replan || !unplanned_.empty()) {
    OriginTable table;
    if (replan) {
      table = std::move(*replan);
    } else {
      table = std::move(unplanned_.front());
      unplanned_.pop_front();
    }
    TRY_STATUS(plan(table, replan.has_value()));
    return Progress::kWorked;
  }
  return watch(wait);
}

Status CopyRun::Coordinator::open() {
  for (const OriginTable& table : run_.tables_) {
    const auto record = run_.parts_.delivery.book.find(table.schema->source_table);
    if (record && record->phase == TablePhase::kCopying) unplanned_.push_back(table);
  }
  if (unplanned_.empty()) {
    run_.close(std::nullopt);
    return ok();
  }
  // Small tables first: they are of use to people soon, and cost the large ones little.
  std::stable_sort(unplanned_.begin(), unplanned_.end(),
                   [](const OriginTable& a, const OriginTable& b) { return a.bytes_estimated < b.bytes_estimated; });
  TRY(run_.session_, run_.parts_.origin.open_copy(OriginTables(unplanned_.begin(), unplanned_.end()), run_.parts_.epoch,
                                                  run_.stop_.get_token()));
  is_open_ = true;
  opened_at_ = run_.parts_.delivery.clock.steady();
  opened_micros_ = run_.parts_.delivery.clock.wall_micros();
  base::log_info("copy begins", {{"stream", run_.parts_.delivery.book.stream()},
                                 {"tables", static_cast<std::uint64_t>(unplanned_.size())},
                                 {"position", run_.session_->consistent_point_text()}});
  std::lock_guard lock(run_.mutex_);
  run_.stage_ = "copying";
  return ok();
}

Status CopyRun::Coordinator::plan(const OriginTable& table, bool is_anew) {
  TableBook& book = run_.parts_.delivery.book;
  const std::string& name = table.schema->source_table;
  auto record = book.find(name);
  if (!record || record->phase != TablePhase::kCopying) return ok();
  auto plan = run_.session_->plan(table);
  if (!plan) {
    if (!run_.session_->is_alive() || plan.error().retry() == base::Retry::kAfterBackoff)
      return Error(plan.error()).within("while planning the copy of " + name);
    return book.detach(name, run_.session_->consistent_point(),
                       "it cannot be copied: " + plan.error().text() + internal::copy_again(book.stream(), name),
                       record->generation);
  }
  TRY(std::vector<state::CopyRange> ranges, run_.parts_.delivery.book.saved_ranges(name));
  const bool is_old = !run_.parts_.is_renewal && record->copy_point_micros != 0 &&
                      opened_micros_ - record->copy_point_micros > micros(kCopyAgeMax);
  if (is_anew) ++record->generation;
  if (is_anew || is_old || ranges.empty() || record->copy_plan != plan->identity) {
    ranges.clear();
    for (OriginRange& range : plan->ranges)
      ranges.push_back(
          {static_cast<std::uint32_t>(ranges.size()), std::move(range.range), range.rows_estimated, false, 0});
  }
  record->copy_plan = plan->identity;
  record->copy_point = run_.session_->consistent_point_text();
  record->copy_point_micros = opened_micros_;
  record->rows_estimated = 0;
  for (const state::CopyRange& range : ranges) record->rows_estimated += range.rows_estimated;
  TRY_STATUS(book.begin_copy(*record, ranges));
  std::erase_if(ranges, [](const state::CopyRange& range) { return range.done; });
  if (ranges.empty()) return book.finish_copy(name, record->generation);
  std::lock_guard lock(run_.mutex_);
  run_.ranges_left_[{name, record->generation}] = ranges.size();
  for (state::CopyRange& range : ranges)
    run_.tasks_.push_back({table, record->generation, plan->identity, std::move(range), 0, {}});
  run_.changed_.notify_all();
  return ok();
}

// Ends when the workers have nothing left, or nothing they may begin.
Result<Progress> CopyRun::Coordinator::watch(base::Duration wait) {
  const bool is_old = is_open_ && run_.parts_.delivery.clock.steady() - opened_at_ > kCopyAgeMax;
  if (is_old) {
    run_.is_over_age_ = true;
    run_.close(std::nullopt);
  }
  std::unique_lock lock(run_.mutex_);
  const auto is_over = [&] {
    return run_.taken_ == 0 && (run_.is_closed_ || (run_.tasks_.empty() && run_.replans_.empty()));
  };
  if (!is_over() && wait > base::Duration::zero())
    run_.changed_.wait_for(lock, wait, [&] { return is_over() || !run_.replans_.empty(); });
  if (!is_over()) return Progress::kIdle;
  run_.is_closed_ = true;
  run_.changed_.notify_all();
  return Progress::kDone;
}

// ---- Worker

bool CopyRun::Worker::is_void() const {
  return run_.is_aborted_ ||
         !run_.parts_.delivery.book.is_current(task_->table.schema->source_table, task_->generation);
}

Progress CopyRun::Worker::step(base::Duration wait) {
  if (!task_) {
    task_ = run_.take(wait);
    if (!task_) {
      std::lock_guard lock(run_.mutex_);
      return run_.is_closed_ ? Progress::kDone : Progress::kIdle;
    }
    is_claimed_ = run_.parts_.delivery.book.claim_range(task_->table.schema->source_table, task_->generation);
    if (!is_claimed_) {
      give_up();
      return Progress::kWorked;
    }
  }
  if (is_void()) {
    give_up();
    return Progress::kWorked;
  }
  failed_at_source_ = false;
  auto outcome = work(wait);
  if (outcome) return *outcome;
  failed(std::move(outcome).error());
  return Progress::kWorked;
}

Result<Progress> CopyRun::Worker::work(base::Duration wait) {
  if (!source_) {
    TRY_STATUS(begin());
    return Progress::kWorked;
  }
  TRY_STATUS(move_rows(wait));
  if (source_is_done_ && delivery_->is_settled()) TRY_STATUS(finish());
  return Progress::kWorked;
}

Status CopyRun::Worker::begin() {
  auto source = run_.session_->open_range(task_->table, task_->plan, task_->range.range);
  if (!source) {
    failed_at_source_ = true;
    return std::move(source).error();
  }
  if (!delivery_) {
    TRY(std::unique_ptr<TableSink> sink, run_.parts_.delivery.destination.open_sink());
    delivery_ = std::make_unique<Delivery>(Delivery::Kind::kCopy, run_.parts_.delivery, std::move(sink));
  }
  source_ = std::move(*source);
  source_is_done_ = false;
  rows_ = 0;
  return ok();
}

Status CopyRun::Worker::move_rows(base::Duration wait) {
  const base::Clock& clock = run_.parts_.delivery.clock;
  if (!source_is_done_ && delivery_->can_accept()) {
    auto batch = source_->next(until(clock, wait));
    if (!batch) {
      failed_at_source_ = true;
      return std::move(batch).error();
    }
    if (*batch) {
      const auto rows = static_cast<std::int64_t>((*batch)->row_count());
      TRY_STATUS(delivery_->accept(std::move(**batch), clock.steady()));
      rows_ += rows;
      run_.parts_.delivery.book.count_copied(task_->table.schema->source_table, rows);
    }
    source_is_done_ = source_->is_done();
  }
  TRY_STATUS(delivery_->pump(base::Deadline::passed()));
  // Waits only when nothing can be read: for room in the window, or for the last receipts.
  if (source_is_done_ || !delivery_->can_accept()) TRY_STATUS(delivery_->pump(until(clock, wait)));
  static_cast<void>(delivery_->advance());
  return ok();
}

Status CopyRun::Worker::finish() {
  TableBook& book = run_.parts_.delivery.book;
  const std::string name = task_->table.schema->source_table;
  FAILPOINT_ERROR("pipeline.range.before_save");
  const Status finished = book.finish_range(name, task_->generation, task_->range.index, rows_);
  if (!finished && finished.error().code() != ErrorCode::kNotFound) return finished;
  if (finished) {
    rows_ = 0;  // they stay counted
    if (run_.is_last_range(name, task_->generation)) TRY_STATUS(book.finish_copy(name, task_->generation));
  }
  give_up();
  return ok();
}

std::optional<CopyRun::Task> CopyRun::Worker::let_go() {
  source_.reset();
  if (delivery_ && !delivery_->is_settled()) delivery_.reset();
  if (!task_) return std::nullopt;
  TableBook& book = run_.parts_.delivery.book;
  const std::string& name = task_->table.schema->source_table;
  if (rows_ != 0) book.count_copied(name, -rows_);
  if (is_claimed_) book.release_range(name);
  rows_ = 0;
  is_claimed_ = false;
  return std::exchange(task_, std::nullopt);
}

void CopyRun::Worker::give_up() {
  if (let_go()) run_.put_down();
}

void CopyRun::Worker::failed(Error error) {
  TableBook& book = run_.parts_.delivery.book;
  delivery_.reset();
  Task task = *let_go();
  const std::string name = task.table.schema->source_table;
  base::log_failure(base::LogLevel::kWarning, "copy of a range failed", error,
                    {{"stream", book.stream()}, {"table", name}});
  const bool may_help = error.retry() == base::Retry::kAfterBackoff;
  // A lost snapshot concerns every table, and so does a destination that cannot be used at all.
  const bool is_session_lost = failed_at_source_ && !run_.session_->is_alive();
  if (is_session_lost || (!failed_at_source_ && !may_help)) {
    run_.close(std::move(error).within("while copying " + name));
    run_.put_down();
  } else if (failed_at_source_ && error.code() == ErrorCode::kConflict) {
    run_.ask_for_new_plan(task);
  } else if (failed_at_source_ && error.code() == ErrorCode::kSchema && !book.spend_attempt(name)) {
    // The table was altered since it was listed: the next run lists it anew.
    run_.close(std::move(error).retry(base::Retry::kAfterBackoff).within("while copying " + name));
    run_.put_down();
  } else if (may_help) {
    book.set_copy_trouble(name, error.text());
    task.not_before = run_.parts_.delivery.clock.steady() + Backoff::wait_after(++task.failures, run_.parts_.random);
    run_.put_back(std::move(task));
  } else {
    const Status detached = book.detach(
        name, run_.session_->consistent_point(),
        "it cannot be copied: " + error.text() + internal::copy_again(book.stream(), name), task.generation);
    if (!detached) run_.close(detached.error());
    run_.put_down();
  }
}

}  // namespace flytt::pipeline
