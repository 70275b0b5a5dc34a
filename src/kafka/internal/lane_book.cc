#include "kafka/internal/lane_book.h"

#include <algorithm>

namespace flytt::kafka {

LaneBook::LaneBook(std::vector<SavedPoint> saved) {
  for (SavedPoint& point : saved) {
    auto key = std::make_pair(point.topic, point.partition);
    saved_.insert_or_assign(std::move(key), std::move(point));
  }
}

const SavedPoint* LaneBook::saved(const std::string& topic, std::int32_t partition) const {
  const auto found = saved_.find({topic, partition});
  return found == saved_.end() ? nullptr : &found->second;
}

bool LaneBook::has_saved(const std::string& topic) const {
  const auto found = saved_.lower_bound({topic, 0});
  return found != saved_.end() && found->first.first == topic;
}

Lane& LaneBook::open(Lane lane) {
  lane.id = next_id_++;
  lanes_.push_back(std::make_unique<Lane>(std::move(lane)));
  Lane& opened = *lanes_.back();
  by_partition_[{opened.topic, opened.partition}] = &opened;
  return opened;
}

void LaneBook::close(std::uint32_t id) {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(), [id](const auto& lane) { return lane->id == id; });
  if (found == lanes_.end()) return;
  const Lane& lane = **found;
  const SavedPoint* known = saved(lane.topic, lane.partition);
  if (!known || known->topic_id != lane.topic_id || lane.durable > known->next_offset ||
      (lane.durable == known->next_offset && !lane.record.empty()))
    saved_.insert_or_assign({lane.topic, lane.partition}, SavedPoint{lane.topic, lane.partition, lane.topic_id,
                                                                     lane.durable, lane.record, lane.durable_epoch});
  newest_found_ = nullptr;
  by_partition_.erase({lane.topic, lane.partition});
  lanes_.erase(found);
}

Lane* LaneBook::find(std::uint32_t id) {
  const auto found = std::lower_bound(lanes_.begin(), lanes_.end(), id,
                                      [](const auto& lane, std::uint32_t number) { return lane->id < number; });
  return found != lanes_.end() && (*found)->id == id ? found->get() : nullptr;
}

// Messages of one partition come in runs.
Lane* LaneBook::find(std::string_view topic, std::int32_t partition) {
  if (newest_found_ && newest_found_->partition == partition && newest_found_->topic == topic) return newest_found_;
  const auto found = by_partition_.find({topic, partition});
  return found == by_partition_.end() ? nullptr : newest_found_ = found->second;
}

flow::Position LaneBook::position() const {
  std::vector<flow::LanePoint> points;
  points.reserve(lanes_.size());
  for (const auto& lane : lanes_) points.push_back({lane->id, lane->next_offset, {}, lane->epoch});
  return {flow::encode_points(points)};
}

}  // namespace flytt::kafka
