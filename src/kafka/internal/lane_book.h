#pragma once
// LaneBook: the lanes of one topic source, with what is known of each. No I/O; one thread.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "flow/lanes.h"
#include "kafka/internal/table_shape.h"
#include "kafka/topic_source.h"

namespace flytt::kafka {

struct Lane {
  enum class State { kWaiting, kOpen, kClosing };
  std::uint32_t id = 0;
  std::string topic, topic_id;
  std::int32_t partition = 0;
  State state = State::kOpen;
  std::int64_t next_offset = 0;               // the first that is not in a batch that was returned or is being built
  std::int64_t durable = 0;                   // everything before it was confirmed to us
  std::int64_t epoch = 0, durable_epoch = 0;  // at these two (message_order.h); 0 but of upserts
  std::int64_t committed = -1;                // what the group has
  std::int64_t committing = -1;               // what it has been asked to keep
  std::string record, committed_record, committing_record;
  bool has_own_record = false;  // one was confirmed to us, of this life of the lane
  std::shared_ptr<TableShape> table;
  base::Deadline closing_limit;

  bool is_settled() const { return state == State::kWaiting || durable >= next_offset; }
  bool has_news() const { return durable > committed || record != committed_record; }
};

class LaneBook {
 public:
  explicit LaneBook(std::vector<SavedPoint> saved);

  // The saved place of a partition, the newest that we have heard of; null: none.
  const SavedPoint* saved(const std::string& topic, std::int32_t partition) const;
  bool has_saved(const std::string& topic) const;

  Lane& open(Lane lane);  // gives it its number
  // Remembers what was confirmed of it.
  void close(std::uint32_t id);
  Lane* find(std::uint32_t id);
  Lane* find(std::string_view topic, std::int32_t partition);
  std::vector<std::unique_ptr<Lane>>& all() { return lanes_; }
  const std::vector<std::unique_ptr<Lane>>& all() const { return lanes_; }

  flow::Position position() const;

 private:
  std::map<std::pair<std::string, std::int32_t>, SavedPoint> saved_;
  std::vector<std::unique_ptr<Lane>> lanes_;                                 // by number
  std::map<std::pair<std::string_view, std::int32_t>, Lane*> by_partition_;  // views of the lanes' own names
  Lane* newest_found_ = nullptr;
  std::uint32_t next_id_ = 0;
};

}  // namespace flytt::kafka
