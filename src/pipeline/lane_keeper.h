#pragma once
// LaneDesk and LaneKeeper: taking lanes over at the destination, beside the rows of others (delivery.md §6).
//
// Taking over: whoever had the lane is fenced off by finalizing the stream that it wrote into; what it has written beyond
// the committed place is read from the table; a new stream is made. These are a few requests, so a few keepers work at the
// same time, and the writer goes on meanwhile.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/actor.h"
#include "pipeline/destination.h"

namespace flytt::pipeline {

struct LaneTask {
  std::uint32_t lane = 0;
  data::TablePath table;
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t from = 0;                 // the committed place
  std::vector<std::string> old_streams;  // that somebody may still append to
  bool may_have_others = false;          // the source has forgotten who had the lane: the destination is asked, too
  bool is_new_topic = false;             // another one had its name: the table must hold nothing of that
};

struct LaneOutcome {
  std::uint32_t lane = 0;
  std::optional<Error> error;
  std::string write_stream;
  std::vector<OffsetRange> held;  // at `from` or later, in ascending order
};

// Between the writer and the keepers; thread-safe.
class LaneDesk {
 public:
  void put(LaneTask task);
  std::optional<LaneTask> take(base::Duration wait);
  void finish(LaneOutcome outcome);
  std::vector<LaneOutcome> take_finished();
  // Tasks that were not begun are dropped; keepers end.
  void close();
  bool is_closed() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<LaneTask> tasks_;
  std::vector<LaneOutcome> finished_;
  bool is_closed_ = false;
};

class LaneKeeper final : public Actor {
 public:
  // Both outlive the keeper.
  LaneKeeper(LaneDesk& desk, Destination& destination) : desk_(desk), destination_(destination) {}
  Progress step(base::Duration wait) override;

 private:
  Result<LaneOutcome> take_over(const LaneTask& task);
  LaneDesk& desk_;
  Destination& destination_;
};

}  // namespace flytt::pipeline
