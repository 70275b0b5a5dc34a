#pragma once
// ScriptedTopics: brokers in memory, with topics, one consumer group and what it has committed. ScriptedTopicOrigin: one
// process's port to them. The group gives partitions to members, takes them away with notice or without, and forgets
// members that it takes for dead; who is fenced off learns it at its next poll.
//
// It looks over the pipeline's shoulder: rows that come before their lane's record is stored, a commit beyond what is
// durable, or one for a partition that is not the member's, is a failure of the test.

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "pipeline/topic_origin.h"

namespace flytt::simulation {

using Place = std::pair<std::string, std::int32_t>;  // topic, partition

struct Committed {
  std::int64_t offset = 0;
  std::string record;
};

// Of an upsert; the log holds its index.
struct KeyedMessage {
  std::int64_t key = 0;
  std::int64_t time_ms = 0;
  bool is_delete = false;
};

// Chances of trouble, in 1/1000 per call.
struct TopicTrouble {
  unsigned read_fails = 0, open_fails = 0, commit_fails = 0, gives_up_early = 0;
};

class ScriptedTopics {
 public:
  explicit ScriptedTopics(std::uint64_t seed) : random_(seed) {}

  // -- for the test
  void add_topic(const std::string& topic, std::int32_t partitions);
  void add_partitions(const std::string& topic, std::int32_t count);  // until it has so many
  std::int32_t partition_count(const std::string& topic) const;
  void produce(const Place& place, std::int64_t value);
  void produce(const Place& place, const KeyedMessage& message);
  const std::vector<KeyedMessage>& keyed() const { return keyed_; }
  void leave_gap(const Place& place);  // an offset without a message: compaction, an aborted transaction
  void rebalance();                    // partitions find other members, with notice
  void expire_silent();                // members that did not poll since the last call are taken for dead
  void expire(int member);             // without its knowing
  void forget_commits();
  void make_anew(const std::string& topic);
  bool is_all_committed() const;
  const std::map<Place, std::vector<std::optional<std::int64_t>>>& logs() const { return logs_; }
  const std::map<Place, Committed>& committed() const { return committed_; }
  std::vector<std::string> complaints() const { return complaints_; }

  TopicTrouble trouble;
  std::size_t rows_max = 5;  // of one lane in one batch
  const base::Clock* clock = nullptr;
  base::Duration closing_time = std::chrono::seconds(5);  // until a partition is taken away
  bool waits_for_record = true;
  bool is_upsert = false;
  // Called at each commit; returns a complaint or nothing.
  std::function<std::string(const Place& place, std::int64_t from, std::int64_t to)> on_commit;

 private:
  friend class ScriptedTopicOrigin;
  friend class ScriptedTopicSource;

  bool happens(unsigned per_mille) { return per_mille != 0 && random_.below(1000) < per_mille; }
  void complain(std::string text) { complaints_.push_back(std::move(text)); }
  int join();
  void leave(int member);
  void assign();

  base::SeededRandom random_;
  std::map<Place, std::vector<std::optional<std::int64_t>>> logs_;
  std::vector<KeyedMessage> keyed_;
  std::map<std::string, int> ids_;
  std::map<int, bool> members_;  // has polled since the last look
  std::map<Place, int> wanted_, owner_;
  std::map<Place, Committed> committed_;
  int next_member_ = 1;
  std::vector<std::string> complaints_;
};

class ScriptedTopicOrigin final : public pipeline::TopicOrigin {
 public:
  ScriptedTopicOrigin(ScriptedTopics& topics, std::string dataset) : topics_(topics), dataset_(std::move(dataset)) {}
  bool waits_for_record() const override { return topics_.waits_for_record; }
  Result<std::unique_ptr<flow::Source>> open(
      const std::vector<state::SavedLane>& saved,
      const std::vector<std::shared_ptr<const data::SliceSchema>>& known) override;
  Result<std::vector<pipeline::PartitionPlace>> places() override;
  std::vector<pipeline::PartitionProgress> progress(std::string&) const override { return {}; }

  int member = 0;              // of the newest source
  bool leaves_orderly = true;  // a source that ends says goodbye

 private:
  ScriptedTopics& topics_;
  const std::string dataset_;
};

// An upsert's table has a key, and its numbers are those of messages.
std::shared_ptr<const data::SliceSchema> topic_schema(const std::string& dataset, const std::string& topic,
                                                      bool is_upsert = false);

}  // namespace flytt::simulation
