#include "kafka/internal/batch_builder.h"

#include <algorithm>

namespace flytt::kafka {

namespace {
constexpr std::size_t kMessageOverhead = 64;  // of a row's fixed parts, for limits by bytes
}

data::TableSlice& BatchBuilder::slice_of(const Lane& lane, std::int64_t offset) {
  if (cached_lane_ != lane.id || slices_[cached_slice_].schema != lane.table->schema()) {
    const auto found = newest_.find(lane.id);
    if (found != newest_.end() && slices_[found->second].schema == lane.table->schema()) {
      cached_slice_ = found->second;
    } else {
      cached_slice_ = slices_.size();
      slices_.push_back(rows_of_.make_slice(*lane.table, lane.id, offset));
      newest_[lane.id] = cached_slice_;
      if (const auto usual = usual_rows_.find(lane.id); usual != usual_rows_.end())
        for (data::Column& column : slices_.back().columns) column.reserve(usual->second);
    }
    cached_lane_ = lane.id;
  }
  return slices_[cached_slice_];
}

void BatchBuilder::announce(const Lane& lane) { slice_of(lane, lane.next_offset); }

const data::Rejection* BatchBuilder::add(const Lane& lane, const Message& message) {
  std::optional<MessageRows::Outcome> outcome;
  // When the table has grown, the message goes into a slice of the new shape.
  while (!outcome) outcome = rows_of_.append(message, *lane.table, slice_of(lane, message.offset));
  ++messages_;
  bytes_ += kMessageOverhead + (message.key ? message.key->size() : 0) + (message.value ? message.value->size() : 0);
  newest_micros_ = std::max(newest_micros_, message.timestamp_ms * 1'000);
  return *outcome == MessageRows::Outcome::kRejected ? &slices_[cached_slice_].rejections.back() : nullptr;
}

void BatchBuilder::drop(std::uint32_t lane) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (slices_[i].lane == lane) {
      messages_ -= slices_[i].row_count() + slices_[i].rejections.size();
      continue;
    }
    if (kept != i) slices_[kept] = std::move(slices_[i]);
    ++kept;
  }
  slices_.erase(slices_.begin() + static_cast<std::ptrdiff_t>(kept), slices_.end());
  newest_.clear();
  cached_lane_ = UINT32_MAX;
  for (std::size_t i = 0; i < slices_.size(); ++i) newest_[slices_[i].lane] = i;
}

flow::Batch BatchBuilder::take(flow::Position end) {
  flow::Batch batch;
  batch.sequence = sequence_;
  sequence_ = sequence_.next();
  batch.end = std::move(end);
  usual_rows_.clear();
  for (const data::TableSlice& slice : slices_) usual_rows_[slice.lane] = slice.row_count();
  batch.tables = std::move(slices_);
  batch.lane_events = std::move(events_);
  batch.newest_commit_micros = newest_micros_;
  slices_.clear();
  events_.clear();
  newest_.clear();
  cached_lane_ = UINT32_MAX;
  messages_ = bytes_ = 0;
  newest_micros_ = 0;
  return batch;
}

}  // namespace flytt::kafka
