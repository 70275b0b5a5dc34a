#pragma once
// TopicOrigin: what a pipeline asks of a system of topics. `app` adapts a connector to it.
//
// Owned by `app`, outlives the engine. Every function is thread-safe; each blocks for at most the connector's own timeouts.
// An error's retry directive decides what happens, as at Origin.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/table_slice.h"
#include "flow/source.h"
#include "state/store.h"

namespace flytt::pipeline {

struct PartitionPlace {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t begin = 0, end = 0;  // of the messages that are there; `end` is the next to be written
  std::int64_t committed = -1;      // by the group; -1 = nothing
};

struct PartitionProgress {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t end = -1;  // as it was seen last; -1 = not known yet
};

class TopicOrigin {
 public:
  virtual ~TopicOrigin() = default;

  // Each message is to be written exactly once: a lane's rows come only after its record is stored beside its offset.
  virtual bool waits_for_record() const = 0;
  // A member of the group, which goes on from the saved places. `known` are destination tables as they are.
  virtual Result<std::unique_ptr<flow::Source>> open(
      const std::vector<state::SavedLane>& saved,
      const std::vector<std::shared_ptr<const data::SliceSchema>>& known) = 0;
  // All partitions of the chosen topics.
  virtual Result<std::vector<PartitionPlace>> places() = 0;
  // What the source that was opened last knows of its lanes; empty when there is none. `trouble`: why it does not move.
  virtual std::vector<PartitionProgress> progress(std::string& trouble) const = 0;
};

}  // namespace flytt::pipeline
