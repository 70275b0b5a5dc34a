#include "pipeline/gauges.h"

#include <algorithm>

#include "base/log.h"

namespace flytt::pipeline {

namespace {
std::string label(const std::string& stream) { return "stream=" + base::json_quote(stream); }
}  // namespace

Gauges::Gauges(const std::string& stream, const PositionWords& words, base::Metrics& metrics, const base::Clock& clock)
    : words_(words),
      clock_(clock),
      received_position_(metrics.gauge("flytt_pipeline_received_position", label(stream))),
      saved_position_(metrics.gauge("flytt_pipeline_saved_position", label(stream))),
      confirmed_position_(metrics.gauge("flytt_pipeline_confirmed_position", label(stream))),
      rows_(metrics.counter("flytt_pipeline_rows_total", label(stream))),
      bytes_(metrics.counter("flytt_pipeline_bytes_total", label(stream))),
      channel_bytes_(metrics.gauge("flytt_pipeline_channel_bytes", label(stream))),
      oldest_ms_(metrics.gauge("flytt_pipeline_oldest_unsaved_ms", label(stream))) {}

void Gauges::restart(const flow::Position& saved) {
  std::lock_guard lock(mutex_);
  values_.received = values_.saved = values_.confirmed = saved;
  values_.channel_bytes = 0;
  oldest_read_at_.reset();
  received_position_ = saved_position_ = confirmed_position_ = static_cast<std::int64_t>(words_.number(saved));
  channel_bytes_ = 0;
  oldest_ms_ = 0;
}

void Gauges::received(const flow::Position& end, std::size_t rows, std::size_t bytes, std::size_t channel_bytes) {
  std::lock_guard lock(mutex_);
  values_.received = end;
  values_.rows += static_cast<std::int64_t>(rows);
  values_.bytes += static_cast<std::int64_t>(bytes);
  values_.channel_bytes = channel_bytes;
  if (!oldest_read_at_) oldest_read_at_ = clock_.steady();
  received_position_ = static_cast<std::int64_t>(words_.number(end));
  rows_ += static_cast<std::int64_t>(rows);
  bytes_ += static_cast<std::int64_t>(bytes);
  channel_bytes_ = static_cast<std::int64_t>(channel_bytes);
}

void Gauges::saved(const flow::Position& position, std::int64_t newest_commit_micros,
                   std::optional<base::SteadyTime> oldest_read_at) {
  std::lock_guard lock(mutex_);
  values_.saved = position;
  values_.newest_commit_micros = std::max(values_.newest_commit_micros, newest_commit_micros);
  oldest_read_at_ = oldest_read_at;
  saved_position_ = static_cast<std::int64_t>(words_.number(position));
  oldest_ms_ = oldest_read_at
                   ? std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady() - *oldest_read_at).count()
                   : 0;
}

void Gauges::confirmed(const flow::Position& position) {
  std::lock_guard lock(mutex_);
  values_.confirmed = position;
  confirmed_position_ = static_cast<std::int64_t>(words_.number(position));
}

void Gauges::remember_commit(std::int64_t newest_commit_micros) {
  std::lock_guard lock(mutex_);
  values_.newest_commit_micros = std::max(values_.newest_commit_micros, newest_commit_micros);
}

void Gauges::channel(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  values_.channel_bytes = bytes;
  channel_bytes_ = static_cast<std::int64_t>(bytes);
}

Gauges::Values Gauges::values() const {
  std::lock_guard lock(mutex_);
  Values values = values_;
  if (oldest_read_at_) values.oldest_age = clock_.steady() - *oldest_read_at_;
  return values;
}

}  // namespace flytt::pipeline
