#include "pipeline/stream_run.h"

#include "base/failpoint.h"
#include "base/log.h"

namespace flytt::pipeline {

StreamRun::StreamRun(Parts parts, flow::Position start, std::unique_ptr<flow::Source> source,
                     std::unique_ptr<Delivery> delivery)
    : parts_(std::move(parts)),
      channel_(parts_.channel_bytes),
      saved_(std::move(start)),
      reader_(*this, std::move(source)),
      writer_(*this, std::move(delivery)) {
  parts_.gauges.restart(saved_);
  newest_saved_.put(saved_);
}

std::optional<Error> StreamRun::error() const {
  std::lock_guard lock(mutex_);
  return error_;
}

flow::Position StreamRun::saved() const {
  std::lock_guard lock(mutex_);
  return saved_;
}

void StreamRun::fail(Error error) {
  {
    std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  is_stopping_ = true;
}

// ---- Reader

Progress StreamRun::Reader::step(base::Duration wait) {
  if (run_.reader_is_done_) return Progress::kDone;
  if (run_.is_aborted_) {
    end();
    return Progress::kDone;
  }
  auto outcome = [&]() -> Result<Progress> {
    TRY_STATUS(confirm_if_due());
    if (is_reading_ && run_.is_stopping_) {
      is_reading_ = false;  // what was read but not pushed will be read again
      pending_.reset();
      run_.channel_.close();
    }
    if (!is_reading_) return see_out(wait);
    return pending_ ? push(wait) : read(wait);
  }();
  if (!outcome) {
    Error error = std::move(outcome).error();
    run_.fail(std::move(error).within("while reading the stream"));
    run_.channel_.close();
    end();
    return Progress::kDone;
  }
  if (*outcome == Progress::kDone) end();
  return *outcome;
}

void StreamRun::Reader::end() {
  source_.reset();
  run_.reader_is_done_ = true;
}

Status StreamRun::Reader::confirm_if_due() {
  const base::SteadyTime now = run_.parts_.clock.steady();
  bool is_news = false;
  if (auto saved = run_.newest_saved_.take()) {
    is_news = !(*saved == confirmed_);
    confirmed_ = std::move(*saved);
  }
  if (!is_news && now - confirmed_at_ < kHeartbeat) return ok();
  TRY_STATUS(source_->confirm(confirmed_));
  confirmed_at_ = now;
  if (is_news) run_.parts_.gauges.confirmed(confirmed_);
  return ok();
}

Result<Progress> StreamRun::Reader::read(base::Duration wait) {
  TRY(std::optional<flow::Batch> batch, source_->next(until(run_.parts_.clock, wait)));
  if (!batch) return Progress::kIdle;
  pending_bytes_ = batch->byte_size();
  pending_ = MovingBatch{std::move(*batch), run_.parts_.clock.steady()};
  return push(base::Duration::zero());
}

Result<Progress> StreamRun::Reader::push(base::Duration wait) {
  const flow::Position end = pending_->batch.end;
  const std::size_t rows = pending_->batch.row_count();
  switch (run_.channel_.push(*pending_, pending_bytes_, until(run_.parts_.clock, wait))) {
    case base::PushOutcome::kFull: return Progress::kIdle;
    case base::PushOutcome::kClosed: run_.is_stopping_ = true; break;
    case base::PushOutcome::kTaken:
      run_.parts_.gauges.received(end, rows, pending_bytes_, run_.channel_.weight());
      break;
  }
  pending_.reset();
  return Progress::kWorked;
}

// Nothing is read any more, but the connection lives until the writer's last saved position is confirmed.
Result<Progress> StreamRun::Reader::see_out(base::Duration wait) {
  if (!run_.writer_is_done_) {
    std::unique_lock lock(run_.mutex_);
    run_.writer_ended_.wait_for(lock, wait, [&] { return run_.writer_is_done_.load(); });
    return Progress::kIdle;
  }
  TRY_STATUS(confirm_if_due());
  return Progress::kDone;
}

// ---- Writer

Progress StreamRun::Writer::step(base::Duration wait) {
  if (run_.writer_is_done_) return Progress::kDone;
  if (run_.is_aborted_) {
    end();
    return Progress::kDone;
  }
  auto outcome = work(wait);
  if (!outcome) {
    Error error = std::move(outcome).error();
    run_.fail(std::move(error).within("while writing the stream"));
    run_.channel_.close();
    end();
    return Progress::kDone;
  }
  if (*outcome == Progress::kDone) end();
  return *outcome;
}

void StreamRun::Writer::end() {
  delivery_.reset();
  {
    std::lock_guard lock(run_.mutex_);
    run_.writer_is_done_ = true;
  }
  run_.writer_ended_.notify_all();
}

Result<Progress> StreamRun::Writer::work(base::Duration wait) {
  const base::Clock& clock = run_.parts_.clock;
  bool has_worked = false;
  if (delivery_->can_accept()) {
    // With receipts outstanding nobody sleeps on the channel.
    const bool may_wait = delivery_->is_settled() && !unsaved_;
    if (auto moving = run_.channel_.pop(may_wait ? until(clock, wait) : base::Deadline::passed())) {
      run_.parts_.gauges.channel(run_.channel_.weight());
      TRY_STATUS(run_.parts_.ledger.note(moving->batch));
      TRY_STATUS(delivery_->accept(std::move(moving->batch), moving->read_at));
      has_worked = true;
    }
  }
  if (!delivery_->is_settled()) {
    const base::Duration patience = !delivery_->can_accept() ? wait : std::min<base::Duration>(wait, kCollectWait);
    TRY_STATUS(delivery_->pump(has_worked ? base::Deadline::passed() : until(clock, patience)));
  }
  TRY_STATUS(run_.parts_.ledger.look(delivery_->sink()));
  if (auto passed = delivery_->advance()) {
    if (unsaved_) {
      passed->newest_commit_micros = std::max(passed->newest_commit_micros, unsaved_->newest_commit_micros);
      add_changes(unsaved_->changes, passed->changes);
      passed->changes = std::move(unsaved_->changes);
    }
    unsaved_ = std::move(passed);
    has_worked = true;
  }
  const bool is_last = delivery_->is_settled() && run_.channel_.drained();
  TRY_STATUS(save(is_last || delivery_->is_settled()));
  if (is_last && !unsaved_ && !run_.parts_.ledger.has_news()) return Progress::kDone;
  return has_worked ? Progress::kWorked : Progress::kIdle;
}

Status StreamRun::Writer::save(bool is_due) {
  Ledger& ledger = run_.parts_.ledger;
  const base::SteadyTime now = run_.parts_.clock.steady();
  const bool has_news = ledger.has_news();
  if (!has_news && (!unsaved_ || (!is_due && now - saved_at_ < kSaveInterval))) return ok();
  FAILPOINT_ERROR("pipeline.receipt.before_save");
  std::optional<flow::Position> end;
  if (unsaved_) end = std::move(unsaved_->end);
  TRY(std::optional<flow::Position> saved, ledger.save(end, unsaved_ ? unsaved_->changes : TableChanges()));
  if (saved) {
    FAILPOINT_ERROR("pipeline.save.after");
    saved_at_ = now;
    {
      std::lock_guard lock(run_.mutex_);
      run_.saved_ = *saved;
    }
    run_.newest_saved_.put(std::move(*saved));
  }
  if (unsaved_) run_.parts_.gauges.saved(run_.saved(), unsaved_->newest_commit_micros, delivery_->oldest_read_at());
  unsaved_.reset();
  return ok();
}

}  // namespace flytt::pipeline
