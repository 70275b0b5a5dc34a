#include "tests/simulation/scripted_topics.h"

#include <algorithm>

#include "flow/lanes.h"
#include "kafka/message_order.h"
#include "pipeline/lane_book.h"
#include "tests/simulation/scripted_database.h"

namespace flytt::simulation {

namespace {

Error away(const std::string& what) { return Error(ErrorCode::kUnavailable, what).side(base::Side::kSource); }

std::string name_of(const Place& place) { return place.first + "/" + std::to_string(place.second); }

}  // namespace

std::shared_ptr<const data::SliceSchema> topic_schema(const std::string& dataset, const std::string& topic,
                                                      bool is_upsert) {
  auto schema = std::make_shared<data::SliceSchema>();
  schema->source_table = topic;
  schema->version = data::SchemaVersion(1);
  schema->destination = {"project", dataset, topic};
  schema->table.fields = {{"value", data::Type(data::TypeKind::kInt64), false, ""},
                          {"_kafka_topic", data::Type(data::TypeKind::kString), true, ""},
                          {"_kafka_partition", data::Type(data::TypeKind::kInt64), true, ""},
                          {"_kafka_offset", data::Type(data::TypeKind::kInt64), true, ""}};
  if (is_upsert) {
    schema->table.fields[0].name = "number";
    schema->table.fields.push_back({"id", data::Type(data::TypeKind::kInt64), true, ""});
    schema->table.key = {4};
  }
  return schema;
}

// ---- the brokers

void ScriptedTopics::add_topic(const std::string& topic, std::int32_t partitions) {
  ids_[topic] = 1;
  for (std::int32_t i = 0; i < partitions; ++i) logs_[{topic, i}];
}

void ScriptedTopics::add_partitions(const std::string& topic, std::int32_t count) {
  for (std::int32_t i = 0; i < count; ++i) logs_[{topic, i}];
  assign();
}

std::int32_t ScriptedTopics::partition_count(const std::string& topic) const {
  return static_cast<std::int32_t>(
      std::count_if(logs_.begin(), logs_.end(), [&](const auto& one) { return one.first.first == topic; }));
}

void ScriptedTopics::produce(const Place& place, const KeyedMessage& message) {
  produce(place, static_cast<std::int64_t>(keyed_.size()));
  keyed_.push_back(message);
}

void ScriptedTopics::produce(const Place& place, std::int64_t value) { logs_.at(place).push_back(value); }
void ScriptedTopics::leave_gap(const Place& place) { logs_.at(place).push_back(std::nullopt); }
void ScriptedTopics::forget_commits() { committed_.clear(); }

void ScriptedTopics::make_anew(const std::string& topic) {
  ++ids_.at(topic);
  for (auto& [place, log] : logs_)
    if (place.first == topic) log.clear();
}

bool ScriptedTopics::is_all_committed() const {
  for (const auto& [place, log] : logs_) {
    const auto found = committed_.find(place);
    if (!log.empty() && (found == committed_.end() || found->second.offset < static_cast<std::int64_t>(log.size())))
      return false;
  }
  return true;
}

int ScriptedTopics::join() {
  const int member = next_member_++;
  members_[member] = true;
  assign();
  return member;
}

void ScriptedTopics::leave(int member) {
  members_.erase(member);
  for (auto& [place, owner] : owner_)
    if (owner == member) owner = 0;
  assign();
}

void ScriptedTopics::expire(int member) { leave(member); }

void ScriptedTopics::expire_silent() {
  std::vector<int> silent;
  for (auto& [member, has_polled] : members_) {
    if (!has_polled) silent.push_back(member);
    has_polled = false;
  }
  for (const int member : silent) expire(member);
}

// Partitions whose member is gone find another one; the others stay.
void ScriptedTopics::assign() {
  for (const auto& [place, log] : logs_) {
    int& wanted = wanted_[place];
    if (members_.contains(wanted)) continue;
    wanted = 0;
    if (members_.empty()) continue;
    wanted = std::next(members_.begin(), static_cast<std::ptrdiff_t>(random_.below(members_.size())))->first;
  }
}

void ScriptedTopics::rebalance() {
  for (auto& [place, wanted] : wanted_)
    if (random_.below(2) == 0) wanted = 0;
  assign();
}

// ---- one member

class ScriptedTopicSource final : public flow::Source {
 public:
  ScriptedTopicSource(ScriptedTopics& topics, ScriptedTopicOrigin& origin, std::string dataset,
                      const std::vector<state::SavedLane>& saved)
      : topics_(topics), origin_(origin), dataset_(std::move(dataset)), order_(*topics.clock) {
    for (const state::SavedLane& lane : saved) saved_[{lane.topic, lane.partition}] = lane;
    join();
  }
  ~ScriptedTopicSource() override {
    if (origin_.leaves_orderly) topics_.leave(member_);
  }

  Result<std::optional<flow::Batch>> next(base::Deadline) override {
    if (topics_.happens(topics_.trouble.read_fails)) return away("the connection broke");
    flow::Batch batch;
    poll(batch);
    for (auto& [number, lane] : lanes_) {
      if (!lane.is_ready || lane.is_closing) continue;
      read(number, lane, batch);
    }
    close_some(batch);
    if (batch.tables.empty() && batch.lane_events.empty() && topics_.random_.below(4) != 0)
      return std::optional<flow::Batch>();
    std::vector<flow::LanePoint> points;
    for (const auto& [number, lane] : lanes_) points.push_back({number, lane.read, "", lane.epoch});
    batch.end = {flow::encode_points(points)};
    return std::optional(std::move(batch));
  }

  Status confirm(const flow::Position& durable) override {
    if (durable.empty()) return ok();
    TRY(const auto points, flow::decode_points(durable.bytes));
    if (!topics_.members_.contains(member_)) return ok();  // fenced off; the next poll says so
    topics_.members_[member_] = true;
    for (const flow::LanePoint& point : points) {
      const auto found = lanes_.find(point.lane);
      if (found == lanes_.end() || topics_.owner_[found->second.place] != member_) continue;
      commit(found->second, point);
    }
    return ok();
  }

 private:
  struct Lane {
    Place place;
    std::int64_t read = 0, confirmed = 0, epoch = 0;
    bool is_ready = false;    // rows may come
    bool is_closing = false;  // kClosing was said
    base::Deadline closing_limit;
  };

  void join() {
    member_ = topics_.join();
    origin_.member = member_;
  }

  void poll(flow::Batch& batch) {
    if (!topics_.members_.contains(member_)) {  // taken for dead: everything is lost
      for (const auto& [number, lane] : lanes_) add_event(batch, flow::LaneEvent::Kind::kLost, number, lane);
      lanes_.clear();
      join();
    }
    topics_.members_[member_] = true;
    for (auto lane = lanes_.begin(); lane != lanes_.end();) {
      Lane& one = lane->second;
      const bool is_over = one.is_closing && (one.confirmed >= one.read || topics_.clock->is_past(one.closing_limit) ||
                                              topics_.happens(topics_.trouble.gives_up_early));
      if (!is_over) {
        ++lane;
        continue;
      }
      topics_.owner_[one.place] = 0;
      lane = lanes_.erase(lane);
    }
    for (const auto& [place, wanted] : topics_.wanted_) {
      if (wanted != member_ || topics_.owner_[place] != 0) continue;
      topics_.owner_[place] = member_;
      open(place, batch);
    }
  }

  void open(const Place& place, flow::Batch& batch) {
    Lane lane;
    lane.place = place;
    std::string record;
    if (const auto found = topics_.committed_.find(place); found != topics_.committed_.end()) {
      lane.read = found->second.offset;
      record = found->second.record;
      if (!record.empty()) lane.epoch = pipeline::decode_lane_record(record).value().epoch;
    }
    if (const auto found = saved_.find(place); found != saved_.end()) {
      lane.read = std::max(lane.read, found->second.next_offset);
      lane.epoch = std::max(lane.epoch, found->second.epoch);
    }
    lane.confirmed = lane.read;
    lane.is_ready = !topics_.waits_for_record;
    const std::uint32_t number = next_lane_++;
    add_event(batch, flow::LaneEvent::Kind::kOpened, number, lane);
    batch.lane_events.back().record = record;
    batch.lane_events.back().is_record_shared = !record.empty();
    batch.tables.emplace_back(topic_schema(dataset_, place.first, topics_.is_upsert));
    batch.tables.back().lane = number;
    lanes_[number] = lane;
  }

  void close_some(flow::Batch& batch) {
    for (auto& [number, lane] : lanes_) {
      if (lane.is_closing || topics_.wanted_[lane.place] == member_) continue;
      lane.is_closing = true;
      lane.closing_limit = topics_.clock->in(topics_.closing_time);
      add_event(batch, flow::LaneEvent::Kind::kClosing, number, lane);
      batch.lane_events.back().deadline = lane.closing_limit;
    }
  }

  void add_event(flow::Batch& batch, flow::LaneEvent::Kind kind, std::uint32_t number, const Lane& lane) {
    flow::LaneEvent event;
    event.kind = kind;
    event.lane = number;
    event.topic = lane.place.first;
    event.partition = lane.place.second;
    event.topic_id = std::to_string(topics_.ids_.at(lane.place.first));
    event.next_offset = lane.read;
    event.epoch = lane.epoch;
    batch.lane_events.push_back(std::move(event));
  }

  void read(std::uint32_t number, Lane& lane, flow::Batch& batch) {
    const auto& log = topics_.logs_.at(lane.place);
    const std::size_t rows = topics_.random_.below(topics_.rows_max + 1);
    data::TableSlice slice(topic_schema(dataset_, lane.place.first, topics_.is_upsert));
    slice.lane = number;
    if (!topics_.is_upsert) slice.sequences = {data::Sequence{}};
    for (std::size_t i = 0; i < rows && lane.read < static_cast<std::int64_t>(log.size()); ++i, ++lane.read) {
      const auto& value = log[static_cast<std::size_t>(lane.read)];
      if (!value) continue;
      if (!topics_.is_upsert && is_unrepresentable(*value)) {
        data::Rejection rejection{"", "", "it is no number", std::to_string(*value), {}};
        rejection.position = name_of(lane.place) + "/" + std::to_string(lane.read);
        slice.rejections.push_back(std::move(rejection));
        continue;
      }
      slice.columns[0].append_int64(*value);
      slice.columns[1].append_bytes(lane.place.first);
      slice.columns[2].append_int64(lane.place.second);
      slice.columns[3].append_int64(lane.read);
      if (topics_.is_upsert) append_key(lane, static_cast<std::size_t>(*value), slice);
    }
    if (slice.row_count() != 0 || !slice.rejections.empty()) batch.tables.push_back(std::move(slice));
  }

  void append_key(Lane& lane, std::size_t number, data::TableSlice& slice) {
    const KeyedMessage& message = topics_.keyed_[number];
    slice.columns[4].append_int64(message.key);
    slice.kinds.push_back(message.is_delete ? data::ChangeKind::kDelete : data::ChangeKind::kUpsert);
    slice.sequences.push_back(order_.next(lane.epoch, message.time_ms, lane.read));
  }

  void commit(Lane& lane, const flow::LanePoint& point) {
    if (topics_.waits_for_record && point.record.empty())
      topics_.complain(name_of(lane.place) + " is confirmed without its record");
    if (topics_.happens(topics_.trouble.commit_fails)) return;  // the next confirm says it again
    Committed& committed = topics_.committed_[lane.place];
    if (topics_.on_commit) {
      if (std::string complaint = topics_.on_commit(lane.place, committed.offset, point.next_offset);
          !complaint.empty())
        topics_.complain(std::move(complaint));
    }
    if (point.next_offset < committed.offset) topics_.complain(name_of(lane.place) + " was committed backwards");
    committed = {std::max(point.next_offset, committed.offset), point.record};
    lane.confirmed = std::max(lane.confirmed, point.next_offset);
    lane.is_ready |= !point.record.empty();
  }

  ScriptedTopics& topics_;
  ScriptedTopicOrigin& origin_;
  const std::string dataset_;
  kafka::MessageOrder order_;
  std::map<Place, state::SavedLane> saved_;
  std::map<std::uint32_t, Lane> lanes_;
  std::uint32_t next_lane_ = 0;
  int member_ = 0;
};

Result<std::unique_ptr<flow::Source>> ScriptedTopicOrigin::open(
    const std::vector<state::SavedLane>& saved, const std::vector<std::shared_ptr<const data::SliceSchema>>&) {
  if (topics_.happens(topics_.trouble.open_fails)) return away("no broker answers");
  return std::unique_ptr<flow::Source>(std::make_unique<ScriptedTopicSource>(topics_, *this, dataset_, saved));
}

Result<std::vector<pipeline::PartitionPlace>> ScriptedTopicOrigin::places() {
  std::vector<pipeline::PartitionPlace> places;
  for (const auto& [place, log] : topics_.logs_) {
    const auto found = topics_.committed_.find(place);
    places.push_back({place.first, place.second, 0, static_cast<std::int64_t>(log.size()),
                      found == topics_.committed_.end() ? -1 : found->second.offset});
  }
  return places;
}

}  // namespace flytt::simulation
