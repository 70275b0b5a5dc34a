#include "app/internal/topic_origin_adapter.h"

#include <cstdio>

#include "pipeline/lane_book.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kAskMax{30};   // one look at the brokers
constexpr std::chrono::seconds kOpenMax{60};  // until a member has found its brokers and topics
constexpr std::chrono::milliseconds kSeenInterval{250};

}  // namespace

struct KafkaOrigin::Seen {
  std::mutex mutex;
  std::vector<pipeline::PartitionProgress> lanes;
  std::string trouble;
};

namespace {

// Hands on what the source does, and what it knows of its lanes to whoever asks for status.
template <typename Seen>
class WatchedSource final : public flow::Source {
 public:
  WatchedSource(std::unique_ptr<kafka::TopicSource> source, std::shared_ptr<Seen> seen, const base::Clock& clock)
      : source_(std::move(source)), seen_(std::move(seen)), clock_(clock) {}
  ~WatchedSource() override {
    std::lock_guard lock(seen_->mutex);
    seen_->lanes.clear();
    seen_->trouble.clear();
  }

  Result<std::optional<flow::Batch>> next(base::Deadline deadline) override {
    auto batch = source_->next(deadline);
    look();
    return batch;
  }
  Status confirm(const flow::Position& durable) override {
    Status done = source_->confirm(durable);
    look();
    return done;
  }

 private:
  void look() {
    const base::SteadyTime now = clock_.steady();
    if (now - looked_at_ < kSeenInterval) return;
    looked_at_ = now;
    kafka::TopicProgress progress = source_->progress();
    std::vector<pipeline::PartitionProgress> lanes;
    for (const kafka::LaneProgress& lane : progress.lanes)
      lanes.push_back({lane.topic, lane.partition, lane.end_offset});
    std::lock_guard lock(seen_->mutex);
    seen_->lanes = std::move(lanes);
    seen_->trouble = std::move(progress.trouble);
  }

  const std::unique_ptr<kafka::TopicSource> source_;
  const std::shared_ptr<Seen> seen_;
  const base::Clock& clock_;
  base::SteadyTime looked_at_{};
};

}  // namespace

KafkaOrigin::KafkaOrigin(Parts parts) : parts_(std::move(parts)), seen_(std::make_shared<Seen>()) {}
KafkaOrigin::~KafkaOrigin() = default;

Result<std::unique_ptr<flow::Source>> KafkaOrigin::open(
    const std::vector<state::SavedLane>& saved, const std::vector<std::shared_ptr<const data::SliceSchema>>& known) {
  std::vector<kafka::SavedPoint> points;
  for (const state::SavedLane& lane : saved) {
    kafka::SavedPoint point{lane.topic, lane.partition, lane.topic_id, lane.next_offset, "", lane.epoch};
    if (waits_for_record())
      point.record = pipeline::encode_lane_record({lane.topic_id, lane.is_settled ? "" : lane.write_stream, 0});
    points.push_back(std::move(point));
  }
  TRY(auto source,
      kafka::TopicSource::open(parts_.options, std::move(points), known, parts_.clock, parts_.clock.in(kOpenMax)));
  return std::unique_ptr<flow::Source>(std::make_unique<WatchedSource<Seen>>(std::move(source), seen_, parts_.clock));
}

Result<std::vector<pipeline::PartitionPlace>> KafkaOrigin::places() {
  std::lock_guard lock(client_mutex_);
  if (!client_) {
    TRY(client_, kafka::Client::open(parts_.options.connection, parts_.clock));
  }
  TRY(const auto topics, client_->topics(parts_.options.topics, parts_.clock.in(kAskMax)));
  TRY(const auto lags, client_->lag(parts_.options.group.id, topics, parts_.clock.in(kAskMax)));
  std::vector<pipeline::PartitionPlace> places;
  for (const kafka::PartitionLag& lag : lags)
    places.push_back({lag.range.topic, lag.range.partition, lag.range.begin, lag.range.end, lag.committed});
  return places;
}

std::vector<pipeline::PartitionProgress> KafkaOrigin::progress(std::string& trouble) const {
  std::lock_guard lock(seen_->mutex);
  trouble = seen_->trouble;
  return seen_->lanes;
}

Result<kafka::TopicSourceOptions> topic_options(const Config& config, const TopicStreamConfig& stream) {
  const KafkaSourceConfig* source = config.find_kafka_source(stream.from);
  CHECK(source != nullptr);
  if (!source->problem.empty()) return Error(ErrorCode::kConfig, source->problem);
  kafka::TopicSourceOptions options;
  options.connection = source->connection;
  options.group.id = stream.group;
  options.group.instance_id = source->instance;
  options.group.session_timeout = std::chrono::milliseconds(source->session_timeout_ms);
  options.topics = stream.topics;
  options.start = stream.start;
  options.lost = stream.lost;
  options.payload = stream.payload;
  options.dead_letters = stream.dead_letters;
  options.destination = {config.project, stream.dataset, stream.table};
  options.waits_for_record = stream.delivery == TopicDelivery::kExactlyOnce;
  options.read_record = [](std::string_view record) {
    const auto known = pipeline::decode_lane_record(record);
    if (!known) return kafka::RecordFacts{};  // of a newer version, or damaged: an error where the lane is opened
    return kafka::RecordFacts{known->topic_id, known->epoch};
  };
  options.batch_age = std::chrono::milliseconds(stream.freshness_ms);
  return options;
}

Status name_member(state::Store& store, const TopicStreamConfig& stream, std::int64_t now_micros, std::uint64_t chance,
                   kafka::GroupSettings& group) {
  if (!group.instance_id.empty()) return ok();
  TRY(const auto made, store.made(stream.from));
  std::string name;
  for (const state::MadeObject& object : made)
    if (object.kind == "member") name = object.name;
  if (name.empty()) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(chance));
    name = std::string("flytt-") + text;
    TRY_STATUS(store.save_made(stream.from, {"member", name, now_micros}));
  }
  group.instance_id = name + "-" + stream.name;  // two streams may name one group
  group.leaves_at_end = true;
  return ok();
}

Result<std::vector<TopicTable>> topic_tables(const Config& config, const TopicStreamConfig& stream,
                                             const base::Clock& clock) {
  TRY(const kafka::TopicSourceOptions options, topic_options(config, stream));
  TRY(const auto client, kafka::Client::open(options.connection, clock));
  TRY(const auto topics, client->topics(options.topics, clock.in(kAskMax)));
  TRY(const auto ranges, client->ranges(topics, clock.in(kAskMax)));
  std::vector<TopicTable> tables;
  for (const kafka::TopicPartitions& topic : topics) {
    TopicTable table;
    table.topic = topic.topic;
    table.partitions = topic.partition_count;
    for (const kafka::PartitionRange& range : ranges)
      if (range.topic == topic.topic) table.messages += range.end - range.begin;
    std::vector<kafka::SampledMessage> samples;
    if (options.payload.fields.empty()) {
      TRY(samples, client->sample(topic, kafka::kSampleMessages, clock.in(kAskMax)));
    }
    table.schema.source_table = topic.topic;
    table.schema.version = data::SchemaVersion(1);
    TRY(table.schema.table, kafka::make_table_schema(options.payload, samples));
    table.schema.destination = options.destination;
    if (table.schema.destination.table.empty()) table.schema.destination.table = kafka::table_name_of(topic.topic);
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace flytt::app
