#pragma once
// BatchBuilder: the batch that is being made from messages, a slice for each lane and schema version. One thread.

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "flow/batch.h"
#include "kafka/internal/lane_book.h"
#include "kafka/internal/message_rows.h"

namespace flytt::kafka {

class BatchBuilder {
 public:
  explicit BatchBuilder(PayloadSettings payload) : rows_of_(std::move(payload)) {}

  // The rejection when the message cannot be a row, valid until the next call; null: it is one.
  const data::Rejection* add(const Lane& lane, const Message& message);
  // Shows the lane's schema by a slice without rows.
  void announce(const Lane& lane);
  void add(flow::LaneEvent event) { events_.push_back(std::move(event)); }
  // Takes the lane's rows out again.
  void drop(std::uint32_t lane);

  std::size_t messages() const { return messages_; }  // rows and rejections
  std::size_t bytes() const { return bytes_; }
  bool has_events() const { return !events_.empty(); }

  // What was built, with `end`; the builder is empty afterwards.
  flow::Batch take(flow::Position end);

 private:
  data::TableSlice& slice_of(const Lane& lane, std::int64_t offset);

  MessageRows rows_of_;
  std::vector<data::TableSlice> slices_;
  std::unordered_map<std::uint32_t, std::size_t> newest_;      // the slice that a lane goes on with
  std::unordered_map<std::uint32_t, std::size_t> usual_rows_;  // of each lane in the batch before
  std::uint32_t cached_lane_ = UINT32_MAX;
  std::size_t cached_slice_ = 0;
  std::vector<flow::LaneEvent> events_;
  std::size_t messages_ = 0, bytes_ = 0;
  std::int64_t newest_micros_ = 0;
  flow::BatchSequence sequence_;
};

}  // namespace flytt::kafka
