#pragma once
// Client: questions to a Kafka cluster, outside of any stream: topics, ends, samples, lag, rights.
//
// Owned by its caller and used by one thread at a time. Opening connects to nothing; each question blocks until its
// answer or its deadline. An error leaves the client usable. It joins no group: `lag` and `committed` only read.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kafka/config.h"
#include "kafka/schema.h"

namespace flytt::kafka {

struct TopicPartitions {
  std::string topic;
  std::int32_t partition_count = 0;
};

struct PartitionRange {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t begin = 0;  // offset of the first message that is there
  std::int64_t end = 0;    // the next to be written, of committed transactions
};

struct PartitionLag {
  PartitionRange range;
  std::int64_t committed = -1;  // of the group; -1: none
  std::string record;           // our record in the group's commit; empty: none
  std::int64_t lag() const { return range.end - (committed < range.begin ? range.begin : committed); }
};

// What a group's members read of topics.
struct GroupCover {
  bool is_settled = false;  // else a rebalance is under way, and nothing else is known
  std::size_t members = 0;
  std::vector<std::string> unread;  // partitions that no member has, sorted
};

// Whether the topic is one of the selection's; "" never is.
bool is_chosen(const TopicSelection& selection, std::string_view topic);

class Client {
 public:
  virtual ~Client() = default;

  // kConfig when librdkafka refuses the settings (a broken certificate, an unknown mechanism).
  static Result<std::unique_ptr<Client>> open(const ConnectionSettings& settings, const base::Clock& clock);

  // The chosen topics that exist and that may be described, sorted. kNotFound names an included topic (not a pattern)
  // that does not exist, kAuth one that may not be described.
  virtual Result<std::vector<TopicPartitions>> topics(const TopicSelection& selection, base::Deadline deadline) = 0;
  // The ids of topics, by name. One that does not exist is left out; brokers before 2.8 know no ids, which gives "".
  virtual Result<std::map<std::string, std::string>> topic_ids(const std::vector<std::string>& topics,
                                                               base::Deadline deadline) = 0;
  virtual Result<std::vector<PartitionRange>> ranges(const std::vector<TopicPartitions>& topics,
                                                     base::Deadline deadline) = 0;
  // Up to `messages_max` of the newest messages of each partition's share, oldest first. kAuth when the topic may not be
  // read: this is how `check` tries the right. An empty topic gives an empty list.
  virtual Result<std::vector<SampledMessage>> sample(const TopicPartitions& topic, std::size_t messages_max,
                                                     base::Deadline deadline) = 0;
  // Whether this user may write into the topic, by what the broker says of the user's rights. kAuth: may not; kNotFound: the
  // topic does not exist. Brokers before 2.3 do not say it, which counts as a yes.
  virtual Status may_write(const std::string& topic, base::Deadline deadline) = 0;
  // Whether this user may join the group. The broker is asked for the user's rights, because joining would disturb the
  // group's members. kAuth: may not.
  virtual Status may_join(const std::string& group, base::Deadline deadline) = 0;
  virtual Result<GroupCover> cover(const std::string& group, const std::vector<TopicPartitions>& topics,
                                   base::Deadline deadline) = 0;
  // Where the group stands. kAuth when it may not be described.
  virtual Result<std::vector<PartitionLag>> lag(const std::string& group, const std::vector<TopicPartitions>& topics,
                                                base::Deadline deadline) = 0;
};

}  // namespace flytt::kafka
