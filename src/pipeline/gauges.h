#pragma once
// Gauges: the six numbers that every pipeline shows, for people and for /metrics: received, saved and confirmed
// position, rows and bytes moved, bytes in the channel, age of the oldest batch that is not saved yet.
//
// Shared by the supervisor, reader and writer of one pipeline, and by whoever asks for its status; thread-safe.

#include <deque>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/metrics.h"
#include "pipeline/position_words.h"

namespace flytt::pipeline {

class Gauges {
 public:
  struct Values {
    flow::Position received, saved, confirmed;
    std::int64_t rows = 0, bytes = 0;
    std::size_t channel_bytes = 0;
    base::Duration oldest_age{};            // zero when everything is saved
    std::int64_t newest_commit_micros = 0;  // source commit time of the newest saved batch; 0 = none yet
  };

  Gauges(const std::string& stream, const PositionWords& words, base::Metrics& metrics, const base::Clock& clock);

  // A new run starts from `saved`: what was in flight is read again.
  void restart(const flow::Position& saved);
  void received(const flow::Position& end, std::size_t rows, std::size_t bytes, std::size_t channel_bytes);
  void saved(const flow::Position& position, std::int64_t newest_commit_micros,
             std::optional<base::SteadyTime> oldest_read_at);
  void confirmed(const flow::Position& position);
  // What was known before this process: it never goes back.
  void remember_commit(std::int64_t newest_commit_micros);
  void channel(std::size_t bytes);
  Values values() const;

 private:
  const PositionWords& words_;
  const base::Clock& clock_;
  base::Metric &received_position_, &saved_position_, &confirmed_position_, &rows_, &bytes_, &channel_bytes_,
      &oldest_ms_;
  mutable std::mutex mutex_;
  Values values_;
  std::optional<base::SteadyTime> oldest_read_at_;
};

}  // namespace flytt::pipeline
