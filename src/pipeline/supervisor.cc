#include "pipeline/supervisor.h"

#include <algorithm>

#include "base/log.h"

namespace flytt::pipeline {

std::string_view to_string(Condition condition) {
  switch (condition) {
    case Condition::kStarting: return "starting";
    case Condition::kRunning: return "running";
    case Condition::kWaiting: return "waiting";
    case Condition::kFailed: return "failed";
    case Condition::kStopping: return "stopping";
    case Condition::kStopped: return "stopped";
  }
  return "unknown";
}

Supervisor::Supervisor(StreamConfig config, Destination& destination, const PositionWords& words, Parts parts)
    : config_(std::move(config)),
      destination_(destination),
      parts_(parts),
      words_(words),
      book_(config_.name, parts.store, parts.clock, parts.metrics),
      quarantine_(config_.source, destination, parts.clock),
      gauges_(config_.name, words, parts.metrics, parts.clock),
      backoff_(parts.random) {}

// What runs uses what a derived class owns, so that one ends it: see end_run.
Supervisor::~Supervisor() = default;

// ---- what others see

void Supervisor::enter(Phase phase, std::optional<Error> error) {
  phase_ = phase;
  Condition condition = Condition::kStarting;
  switch (phase) {
    case Phase::kStarting: condition = Condition::kStarting; break;
    case Phase::kRunning:
    case Phase::kRestarting: condition = Condition::kRunning; break;
    case Phase::kWaiting: condition = Condition::kWaiting; break;
    case Phase::kFailed: condition = Condition::kFailed; break;
    case Phase::kStopping: condition = Condition::kStopping; break;
    case Phase::kStopped: condition = Condition::kStopped; break;
  }
  {
    std::lock_guard lock(view_mutex_);
    // A start after trouble still shows the trouble until it has succeeded.
    const bool is_retry = phase == Phase::kStarting && view_.error.has_value();
    if (view_.condition != condition && !is_retry) view_.since_micros = parts_.clock.wall_micros();
    if (!is_retry) view_.condition = condition;
    // Being asked to stop ends a trouble that would have been tried again, not one that has ended the pipeline.
    const bool has_failed = view_.error && view_.error_is_final;
    const bool keeps_error =
        is_retry || (has_failed && !error && (phase == Phase::kStopping || phase == Phase::kStopped));
    view_.error_is_final = phase == Phase::kFailed || (keeps_error && has_failed);
    if (!keeps_error) view_.error = std::move(error);
  }
  const bool has_ended = phase == Phase::kFailed || phase == Phase::kStopped;
  if (has_ended) save_facts(true);
  {
    std::lock_guard lock(bell_mutex_);
    has_ended_ = has_ended;
  }
  ended_.notify_all();
}

bool Supervisor::wait_for_end(base::Deadline deadline) {
  std::unique_lock lock(bell_mutex_);
  if (!deadline.is_never()) return ended_.wait_until(lock, deadline.at, [&] { return has_ended_.load(); });
  ended_.wait(lock, [&] { return has_ended_.load(); });
  return true;
}

std::optional<Error> Supervisor::error() const {
  std::lock_guard lock(view_mutex_);
  return view_.error;
}

PipelineStatus Supervisor::status() const {
  PipelineStatus made;
  made.stream = config_.name;
  bool has_positions = false;
  {
    std::lock_guard lock(view_mutex_);
    made.condition = view_.condition;
    made.since_micros = view_.since_micros;
    if (view_.error)
      made.error = view_.error->text();
    else if (view_.copy_error)
      made.error = view_.copy_error->text();
    made.server_version = view_.server_version;
    made.epoch = view_.epoch;
    made.copy_stage = view_.copy_stage;
    has_positions = view_.has_positions;
  }
  const Gauges::Values values = gauges_.values();
  if (has_positions) {
    made.received = words_.text(values.received);
    made.saved = words_.text(values.saved);
    made.confirmed = words_.text(values.confirmed);
    made.received_number = words_.number(values.received);
    made.saved_number = words_.number(values.saved);
    made.confirmed_number = words_.number(values.confirmed);
  }
  made.rows = values.rows;
  made.bytes = values.bytes;
  made.channel_bytes = values.channel_bytes;
  made.oldest_unsaved_ms = std::chrono::duration_cast<milliseconds>(values.oldest_age).count();
  made.newest_commit_micros = values.newest_commit_micros;
  made.quarantined = parts_.metrics.counter("flytt_quarantined_total", "stream=" + base::json_quote(config_.name));
  made.tables = book_.status();
  describe(made);
  return made;
}

// Of the process before: the newest commit that is durable does not go back.
Status Supervisor::remember_facts() {
  if (has_remembered_) return ok();
  TRY(const auto known, parts_.store.facts());
  for (const state::StreamFacts& facts : known)
    if (facts.stream == config_.name) gauges_.remember_commit(facts.newest_commit_micros);
  has_remembered_ = true;
  return ok();
}

void Supervisor::save_facts(bool is_due) {
  const base::SteadyTime now = parts_.clock.steady();
  if (!is_due && now - facts_saved_at_ < kFactsInterval) return;
  facts_saved_at_ = now;
  if (!has_remembered_) return;  // what is there is not overwritten
  const PipelineStatus seen = status();
  state::StreamFacts facts;
  facts.stream = seen.stream;
  facts.condition = to_string(seen.condition);
  facts.error = seen.error;
  facts.since_micros = seen.since_micros;
  facts.received = seen.received;
  facts.saved = seen.saved;
  facts.confirmed = seen.confirmed;
  facts.rows = seen.rows;
  facts.bytes = seen.bytes;
  facts.newest_commit_micros = seen.newest_commit_micros;
  facts.updated_micros = parts_.clock.wall_micros();
  const Status saved = parts_.store.save_facts(facts);
  if (!saved)
    base::log_failure(base::LogLevel::kWarning, "facts for status could not be saved", saved.error(),
                      {{"stream", config_.name}});
}

// ---- the supervisor's step

Progress Supervisor::step(base::Duration wait) {
  if (phase_ == Phase::kStopped) return Progress::kDone;
  if (is_stop_requested_ || is_stop_now_) {
    if (phase_ != Phase::kStopping) {
      drain_deadline_ = parts_.clock.in(config_.drain_max);
      enter(Phase::kStopping);
    }
    stop_step();
    if (phase_ == Phase::kStopped) return Progress::kDone;
  } else {
    const Phase before = phase_;
    work();
    save_facts(false);
    if (phase_ != before) return Progress::kWorked;  // there is something to do at once
    if (has_ended_ && config_.ends_when_caught_up && !has_work_beside()) return Progress::kDone;
  }
  if (wait > base::Duration::zero()) {
    std::unique_lock lock(bell_mutex_);
    bell_.wait_for(lock, std::min<base::Duration>(wait, config_.ends_when_caught_up ? kOnceTick : kTick),
                   [&] { return has_rung_; });
    has_rung_ = false;
  }
  return Progress::kIdle;
}

void Supervisor::wake() {
  {
    std::lock_guard lock(bell_mutex_);
    has_rung_ = true;
  }
  bell_.notify_all();
}

void Supervisor::request_stop() {
  is_stop_requested_ = true;
  stopping_.request_stop();
  wake();
}

void Supervisor::stop_now() {
  is_stop_now_ = true;
  stopping_.request_stop();
  wake();
}

void Supervisor::work() {
  const base::SteadyTime now = parts_.clock.steady();
  switch (phase_) {
    case Phase::kStarting: {
      if (const Status remembered = remember_facts(); !remembered) {
        trouble(remembered.error());
        break;
      }
      look_beside(false);
      const Result<bool> started = start();
      if (!started)
        trouble(started.error());
      else if (*started)
        enter(Phase::kRunning);
      break;
    }
    case Phase::kRunning:
      watch_stream();
      watch_requests();
      look_beside(true);
      if (phase_ == Phase::kRunning && config_.ends_when_caught_up && is_caught_up()) is_stop_requested_ = true;
      break;
    case Phase::kRestarting:
      if (parts_.clock.is_past(drain_deadline_)) stream_->abort();
      watch_stream();
      look_beside(false);
      break;
    case Phase::kWaiting:
      look_beside(true);
      watch_requests();
      if (now >= not_before_) enter(Phase::kStarting);
      break;
    case Phase::kFailed:
      if (end_beside()) watch_requests();
      break;
    case Phase::kStopping:
    case Phase::kStopped: break;
  }
}

// ---- the stream

void Supervisor::begin_run(flow::Position start, Ledger& ledger, std::unique_ptr<flow::Source> source,
                           std::unique_ptr<Delivery> delivery) {
  run_start_ = start;
  stream_ = std::make_unique<StreamRun>(StreamRun::Parts{ledger, parts_.clock, gauges_, config_.channel_bytes},
                                        std::move(start), std::move(source), std::move(delivery));
  stream_jobs_.push_back(parts_.crew.start(stream_->reader()));
  stream_jobs_.push_back(parts_.crew.start(stream_->writer()));
  run_started_at_ = parts_.clock.steady();
}

void Supervisor::end_run() {
  if (stream_) stream_->abort();
  stream_jobs_.clear();
  stream_.reset();
}

bool Supervisor::are_done(const std::vector<std::unique_ptr<Crew::Job>>& jobs) {
  return std::all_of(jobs.begin(), jobs.end(), [](const auto& job) { return job->is_done(); });
}

void Supervisor::watch_stream() {
  if (!stream_ || !are_done(stream_jobs_)) return;
  const std::optional<Error> error = stream_->error();
  const bool has_moved = !(stream_->saved() == run_start_) || parts_.clock.steady() - run_started_at_ > kBackoffMax;
  if (!end_helpers()) return;
  stream_jobs_.clear();
  stream_.reset();
  if (has_moved) backoff_.reset();
  if (error)
    trouble(*error);
  else
    enter(Phase::kStarting);
}

void Supervisor::begin_restart() {
  if (phase_ != Phase::kRunning) return;
  drain_deadline_ = parts_.clock.in(config_.drain_max);
  stream_->request_stop();
  enter(Phase::kRestarting);
}

void Supervisor::watch_requests() {
  const base::SteadyTime now = parts_.clock.steady();
  if (now - requests_seen_at_ < kRequestInterval) return;
  requests_seen_at_ = now;
  const auto requests = parts_.store.resync_requests(config_.name);
  if (!requests)
    return base::log_failure(base::LogLevel::kWarning, "requests could not be read", requests.error(),
                             {{"stream", config_.name}});
  if (requests->empty()) return;
  if (phase_ == Phase::kRunning) return begin_restart();
  if (phase_ != Phase::kWaiting && phase_ != Phase::kFailed) return;
  backoff_.reset();
  enter(Phase::kStarting);
}

void Supervisor::wait_for(base::Duration wait, Error error) {
  not_before_ = parts_.clock.steady() + wait;
  enter(Phase::kWaiting, std::move(error));
}

void Supervisor::trouble(Error error) {
  base::log_failure(base::LogLevel::kError, "stream failed", error,
                    {{"stream", config_.name}, {"retry", base::to_string(error.retry())}});
  parts_.metrics.counter("flytt_pipeline_failures_total", "stream=" + base::json_quote(config_.name)) += 1;
  const base::SteadyTime now = parts_.clock.steady();
  const bool is_once = config_.ends_when_caught_up;
  switch (error.retry()) {
    case base::Retry::kNever: return enter(Phase::kFailed, std::move(error));
    case base::Retry::kAfterOperator:
      if (is_once) return enter(Phase::kFailed, std::move(error));
      not_before_ = now + kOperatorRetry;
      return enter(Phase::kWaiting, std::move(error));
    case base::Retry::kAfterBackoff:
      not_before_ = now + backoff_.next();
      if (is_once && backoff_.failures() >= kOnceFailuresMax) return enter(Phase::kFailed, std::move(error));
      return enter(Phase::kWaiting, std::move(error));
  }
}

void Supervisor::stop_step() {
  const bool is_over_beside = end_beside();
  if (stream_) stream_->request_stop();
  if (stream_ && (is_stop_now_ || parts_.clock.is_past(drain_deadline_))) {
    if (!is_stop_now_)
      base::log_warning("the stream could not be drained in time, the rest is read again at the next start",
                        {{"stream", config_.name}});
    stream_->abort();
  }
  if (stream_ && !stream_->is_finished()) return;
  if (!is_over_beside || !end_helpers()) return;
  std::optional<Error> error;
  if (stream_) {
    error = stream_->error();
    if (error)
      base::log_failure(base::LogLevel::kWarning, "the stream ended with an error while it was stopped", *error,
                        {{"stream", config_.name}});
  }
  stream_jobs_.clear();
  stream_.reset();
  enter(Phase::kStopped, std::move(error));
}

}  // namespace flytt::pipeline
