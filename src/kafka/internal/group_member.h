#pragma once
// GroupMember: one member of a consumer group, without knowledge of rows. Owned and called by one thread.
//
// A rebalance is noted by the client's callback, inside poll() or close(), and stays unanswered until `assign` or
// `unassign` is called for it; meanwhile heartbeats go on and poll() brings messages of the partitions that are held.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka/internal/native.h"

namespace flytt::kafka {

struct Place {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = -1;  // -1: none
  std::string record;
};

struct Rebalance {
  bool is_assign = false;
  std::vector<Place> partitions;
};

struct MemberSettings {
  ConnectionSettings connection;
  GroupSettings group;
  TopicSelection topics;
  std::size_t prefetch_bytes_max = kPrefetchBytesDefault;
};

class GroupMember {
 public:
  static Result<std::unique_ptr<GroupMember>> join(const MemberSettings& settings, const base::Clock& clock);
  // Leaves the group, answering the last rebalance itself; waits for that until the deadline at most.
  void leave(base::Deadline deadline);
  // Also a static member will leave, whatever its settings say: the group has to find out anew who reads what.
  void be_no_longer_static() { leaves_first_ = has_instance_id_; }
  ~GroupMember();

  // The next message or event; empty when there is none in time, or when a rebalance has been noted.
  NativeMessage poll(int milliseconds);

  const std::optional<Rebalance>& rebalance() const { return rebalance_; }
  // What we hold was given to others already.
  bool is_lost() const { return rd_kafka_assignment_lost(client_->get()) != 0; }
  // Answers; reading begins at the places' offsets.
  Status assign(const std::vector<Place>& places);
  Status unassign(const std::vector<Place>& places);

  Status pause(const std::vector<Place>& places);
  // Messages come at once; without the question that this asks of the partitions' leaders the client's threads would
  // notice it only when they wake up by themselves, up to a second later.
  Status resume(const std::vector<Place>& places);

  // The group's committed places; offset -1: none.
  Result<std::vector<Place>> committed(const std::vector<Place>& partitions, base::Deadline deadline);
  struct Ends {
    std::int64_t begin = 0, end = 0;
  };
  Result<Ends> ends(const std::string& topic, std::int32_t partition, base::Deadline deadline);
  // The newest end that a fetch has shown; -1: none.
  std::int64_t known_end(const std::string& topic, std::int32_t partition) const;

  // One commit at a time is under way.
  bool is_committing() const { return committing_; }
  Status commit(const std::vector<Place>& places);
  // Its outcome; nullopt when it is not there in time. `code` is kept for the caller to judge.
  std::optional<rd_kafka_resp_err_t> commit_outcome(base::Deadline deadline);

  NativeClient& client() { return *client_; }
  const std::string& name() const { return group_; }

 private:
  GroupMember(std::string group, const base::Clock& clock) : group_(std::move(group)), clock_(clock) {}
  void unsubscribe(base::Deadline deadline);
  static void on_rebalance(rd_kafka_t* native, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
                           void* opaque);
  bool is_cooperative() const;
  Status check(NativeError error, const char* doing);

  const std::string group_;
  const base::Clock& clock_;
  std::unique_ptr<NativeClient> client_;
  NativeQueue commits_;
  std::optional<Rebalance> rebalance_;
  bool has_instance_id_ = false;
  bool leaves_first_ = false;  // a static member has to, or the group keeps its partitions for it
  bool committing_ = false, leaving_ = false, left_ = false;
};

}  // namespace flytt::kafka
