#include "pipeline/topic_pipeline.h"

#include <algorithm>

#include "base/log.h"

namespace flytt::pipeline {

using state::TablePhase;
using state::TableRecord;

std::string LaneWords::text(const flow::Position& position) const {
  const auto points = flow::decode_points(position.bytes);
  const std::size_t count = points ? points->size() : 0;
  return std::to_string(count) + (count == 1 ? " partition" : " partitions");
}

std::uint64_t LaneWords::number(const flow::Position& position) const {
  const auto points = flow::decode_points(position.bytes);
  std::uint64_t sum = 0;
  if (points)
    for (const flow::LanePoint& point : *points)
      sum += static_cast<std::uint64_t>(std::max<std::int64_t>(point.next_offset, 0));
  return sum;
}

namespace {
const LaneWords kWords{};
}

TopicPipeline::TopicPipeline(StreamConfig config, TopicOrigin& origin, Destination& destination, Parts parts)
    : Supervisor(std::move(config), destination, kWords, parts), origin_(origin) {}

TopicPipeline::~TopicPipeline() {
  if (desk_) desk_->close();
  end_run();
  keeper_jobs_.clear();
}

// ---- starting

Result<bool> TopicPipeline::start() {
  if (!is_loaded_) TRY_STATUS(book_.load());
  is_loaded_ = true;
  TRY_STATUS(settle_requests());
  TRY_STATUS(attach_tables());
  if (config_.ends_when_caught_up && !goal_) {
    TRY(goal_, origin_.places());
  }
  TRY(const auto saved, parts_.store.lanes(config_.name));
  TRY(const auto known, known_tables());
  TRY(std::unique_ptr<TableSink> sink, destination_.open_sink());
  TRY(std::unique_ptr<flow::Source> source, origin_.open(saved, known));
  auto desk = std::make_unique<LaneDesk>();
  LaneBook::Parts lane_parts{book_, destination_, parts_.store, parts_.clock, *desk, origin_.waits_for_record()};
  auto lanes = std::make_unique<LaneBook>(lane_parts, saved);
  {
    std::lock_guard lock(run_mutex_);
    lanes_ = std::move(lanes);
    desk_ = std::move(desk);
  }
  auto delivery = std::make_unique<Delivery>(
      Delivery::Kind::kTopics,
      Delivery::Parts{book_, destination_, quarantine_, parts_.clock, parts_.metrics, lanes_.get()}, std::move(sink));
  begin_run(flow::Position{}, *lanes_, std::move(source), std::move(delivery));
  if (origin_.waits_for_record()) {
    for (int i = 0; i < kLaneKeepers; ++i) keepers_.push_back(std::make_unique<LaneKeeper>(*desk_, destination_));
    for (const auto& keeper : keepers_) keeper_jobs_.push_back(parts_.crew.start(*keeper));
  }
  opened_at_ = detached_seen_at_ = parts_.clock.steady();
  base::log_info("stream runs",
                 {{"stream", config_.name}, {"saved_partitions", static_cast<std::uint64_t>(saved.size())}});
  std::lock_guard lock(view_mutex_);
  view_.epoch = 1;
  view_.has_positions = true;
  return true;
}

Status TopicPipeline::settle_requests() {
  TRY(const auto requests, parts_.store.resync_requests(config_.name));
  for (const state::ResyncRequest& request : requests) {
    base::log_info("reading goes on where it stopped, as asked",
                   {{"stream", config_.name},
                    {"table", request.source_table.empty() ? std::string("all") : request.source_table}});
    TRY_STATUS(book_.settle_resync(request, {}));
  }
  return ok();
}

// A table that could not be written is tried again: its partitions stand where they stood.
Status TopicPipeline::attach_tables() {
  for (TableRecord record : book_.records()) {
    if (record.phase != TablePhase::kDetached) continue;
    record.phase = TablePhase::kStreaming;
    record.reason.clear();
    record.detached_at.clear();
    TRY_STATUS(book_.save(std::move(record)));
  }
  return ok();
}

Result<std::vector<std::shared_ptr<const data::SliceSchema>>> TopicPipeline::known_tables() {
  std::vector<std::shared_ptr<const data::SliceSchema>> known;
  for (const TableRecord& record : book_.records()) {
    const data::TablePath path{record.project, record.dataset, record.table};
    TRY(auto there, destination_.table(path));
    book_.forget_shape(record.source_table);  // it is looked at again before rows come
    if (!there) continue;
    known.push_back(std::make_shared<const data::SliceSchema>(
        data::SliceSchema{record.source_table, data::SchemaVersion(1), std::move(there->schema), path}));
  }
  return known;
}

// ---- running

void TopicPipeline::look_beside(bool) {
  const base::SteadyTime now = parts_.clock.steady();
  if (phase_ != Phase::kRunning) return;
  if (origin_.waits_for_record() && now - opened_at_ >= kLaneRenewal) return begin_restart();
  if (now - detached_seen_at_ < kDetachedRetry) return;
  detached_seen_at_ = now;
  const std::vector<TableRecord> records = book_.records();
  const bool is_any = std::any_of(records.begin(), records.end(),
                                  [](const TableRecord& record) { return record.phase == TablePhase::kDetached; });
  if (is_any) begin_restart();
}

bool TopicPipeline::end_helpers() {
  if (desk_) desk_->close();
  if (!are_done(keeper_jobs_)) return false;
  keeper_jobs_.clear();
  keepers_.clear();
  return true;
}

// Up to what the group had at the start, whoever of its members has done it.
bool TopicPipeline::is_caught_up() {
  const base::SteadyTime now = parts_.clock.steady();
  if (!goal_ || now - goal_seen_at_ < kGoalInterval) return false;
  goal_seen_at_ = now;
  const auto places = origin_.places();
  if (!places) {
    base::log_failure(base::LogLevel::kWarning, "the group's places could not be read", places.error(),
                      {{"stream", config_.name}});
    return false;
  }
  const std::vector<LaneStatus> lanes = lanes_->status();
  for (const PartitionPlace& goal : *goal_) {
    if (goal.end <= goal.begin) continue;
    // Its table is detached, which is reported when the run has ended.
    const bool is_held_back = std::any_of(lanes.begin(), lanes.end(), [&](const LaneStatus& lane) {
      return lane.is_held_back && lane.topic == goal.topic && lane.partition == goal.partition;
    });
    if (is_held_back) continue;
    const auto now_at = std::find_if(places->begin(), places->end(), [&](const PartitionPlace& place) {
      return place.topic == goal.topic && place.partition == goal.partition;
    });
    if (now_at != places->end() && now_at->committed < goal.end) return false;
  }
  return true;
}

void TopicPipeline::describe(PipelineStatus& status) const {
  {
    std::lock_guard lock(run_mutex_);
    if (lanes_) status.lanes = lanes_->status();
  }
  std::string trouble;
  const std::vector<PartitionProgress> progress = origin_.progress(trouble);
  if (status.error.empty()) status.error = trouble;
  for (LaneStatus& lane : status.lanes) {
    const auto found = std::find_if(progress.begin(), progress.end(), [&](const PartitionProgress& one) {
      return one.topic == lane.topic && one.partition == lane.partition;
    });
    if (found != progress.end()) lane.end = found->end;
  }
  count_lag(status.lanes);
}

// Messages behind, by partition and altogether. One that another process has now shows 0 here.
void TopicPipeline::count_lag(const std::vector<LaneStatus>& lanes) const {
  const std::string stream = "stream=" + base::json_quote(config_.name);
  const auto gauge = [&](const std::string& labels) -> base::Metric& {
    return parts_.metrics.gauge("flytt_topic_partition_lag", labels);
  };
  std::set<std::string> counted;
  std::int64_t total = 0;
  for (const LaneStatus& lane : lanes) {
    if (lane.end < 0) continue;
    const std::int64_t lag = std::max<std::int64_t>(lane.end - lane.saved, 0);
    const std::string labels =
        stream + ",topic=" + base::json_quote(lane.topic) + ",partition=\"" + std::to_string(lane.partition) + "\"";
    gauge(labels) = lag;
    counted.insert(labels);
    total += lag;
  }
  parts_.metrics.gauge("flytt_topic_lag", stream) = total;
  std::lock_guard lock(run_mutex_);
  for (const std::string& labels : counted_)
    if (!counted.contains(labels)) gauge(labels) = 0;
  counted_ = std::move(counted);
}

}  // namespace flytt::pipeline
