#pragma once
// TopicPipeline: a stream of topics (TopicOrigin): a member of a consumer group, whose partitions are lanes of one run.
//
// Places are remembered per partition, in state and by the group (lane_book.h). A table that cannot be written holds its
// partitions back where they are; it is tried again every kDetachedRetry, at once when a person asks for a resync, and at
// every start. A run of lanes with records begins anew every kLaneRenewal: write streams that nobody used for three days are
// gone, and a quiet partition's is one of them.

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "pipeline/lane_book.h"
#include "pipeline/supervisor.h"
#include "pipeline/topic_origin.h"

namespace flytt::pipeline {

// Positions of lanes, by the offsets in them.
class LaneWords final : public PositionWords {
 public:
  std::string text(const flow::Position& position) const override;      // "12 partitions"
  std::uint64_t number(const flow::Position& position) const override;  // the sum of their offsets
};

class TopicPipeline final : public Supervisor {
 public:
  TopicPipeline(StreamConfig config, TopicOrigin& origin, Destination& destination, Parts parts);
  ~TopicPipeline() override;

 private:
  Result<bool> start() override;
  bool is_caught_up() override;
  void look_beside(bool may_begin) override;
  bool end_helpers() override;
  void describe(PipelineStatus& status) const override;
  Status settle_requests();
  Status attach_tables();
  Result<std::vector<std::shared_ptr<const data::SliceSchema>>> known_tables();

  void count_lag(const std::vector<LaneStatus>& lanes) const;

  TopicOrigin& origin_;
  mutable std::set<std::string> counted_;  // partitions whose lag metrics have a value; with run_mutex_
  bool is_loaded_ = false;
  std::optional<std::vector<PartitionPlace>> goal_;
  base::SteadyTime goal_seen_at_{}, detached_seen_at_{}, opened_at_{};
  mutable std::mutex run_mutex_;  // status() reads the lanes while a run ends
  std::unique_ptr<LaneDesk> desk_;
  std::unique_ptr<LaneBook> lanes_;
  std::vector<std::unique_ptr<LaneKeeper>> keepers_;
  std::vector<std::unique_ptr<Crew::Job>> keeper_jobs_;  // joined before what they use goes
};

}  // namespace flytt::pipeline
