#pragma once
// TopicSource: the messages of chosen topics as batches of rows, through membership in a consumer group.
//
// Owned and called by one thread. A partition that the group gives us is a lane (flow/lanes.h); lanes are numbered from 0
// in the order in which they come, and a partition that comes back gets a new number. Its Position is encode_points() of
// all lanes that are open. What it does with the group's offsets:
//   * A lane begins at the further of the place in `saved` and the one that the group has committed, with the group's
//     record, or ours if the group has none. A place that the partition does not have any more is an error with the choices, unless `lost` chooses.
//   * A topic that was deleted and made anew has another id. Its remembered places belong to messages that are gone: an
//     error with the choices, unless `lost` chooses; then kOpened has the new place and no record. An upsert goes on with
//     the new topic in any case, because its messages win over those of the old one. Ids are compared when a partition comes, every kTopicRefresh,
//     and when a broker complains; a place that was saved without an id is taken as it is.
//   * confirm() commits the offsets that have moved, each with its lane's newest record in the commit's metadata
//     (base64 behind "flytt1:"), only for lanes that are ours at that moment, without waiting; a lane's first record and
//     a lane that is given up are committed synchronously.
//   * With waits_for_record, a lane stays paused until confirm() has held a point of it with a record and the group has
//     taken that commit. next() never returns rows of it before.
//
// Batches. kOpened stands in a batch that also holds, for the lane, a slice without rows: its schema is the first that
// rows of the lane will have (sampled from the topic when it is neither declared nor in `known`). When a message brings
// a new field, later slices of that table have a SliceSchema of a higher version with more columns, at the end. Rows of a
// lane are in the order of their offsets; kinds are empty and sequences one value unless it is an upsert, where
// sequences are as message_order.h says. A message that cannot become a row is in `rejections` instead, with position
// "topic/partition/offset", the column to blame or an empty one, and the message itself as `raw`; no row of it comes.
// A lane that has nothing but control records or aborted transactions moves the position, by batches without rows.
//
// Waiting. next() waits in the group's poll. When nobody calls next(), confirm() pauses all lanes and polls, so that the
// member stays alive and a rebalance is answered; the next next() resumes them. Memory beside the batch that is being
// built is bounded by `prefetch_bytes_max` plus one fetch answer.
//
// Errors of next(): after them the source is of no further use. kUnavailable and kTimeout are not among them: the client
// connects again by itself, and `progress().trouble` says what is wrong meanwhile.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "flow/source.h"
#include "kafka/config.h"
#include "kafka/limits.h"

namespace flytt::kafka {

// A place that the pipeline has saved.
struct SavedPoint {
  std::string topic;
  std::int32_t partition = 0;
  std::string topic_id;  // as kOpened had it
  std::int64_t next_offset = 0;
  std::string record;
  std::int64_t epoch = 0;  // as flow::LanePoint has it
};

// What a source has to know of a record in the group.
struct RecordFacts {
  std::string topic_id;  // that kOpened had, or ""
  std::int64_t epoch = 0;
};

struct TopicSourceOptions {
  ConnectionSettings connection;
  GroupSettings group;
  TopicSelection topics;
  StartPlace start = StartPlace::kEarliest;
  LostPlace lost = LostPlace::kError;
  PayloadSettings payload;
  // With an empty table name every topic has a table of its own, called table_name_of(topic).
  data::TablePath destination;
  // A topic that messages which cannot be rows are written to, beside their rejection (kafka/internal/dead_letters.h says
  // how), before the batch that holds the rejection is handed on. Empty: none.
  std::string dead_letters;
  // Told of each letter that the topic has, with its message's topic; by the thread that calls the source.
  std::function<void(std::string_view topic)> on_dead_letter;
  bool waits_for_record = false;
  // Not set: nothing is known of the group's places.
  std::function<RecordFacts(std::string_view record)> read_record;

  base::Duration batch_age = kBatchAgeDefault;
  std::size_t batch_rows_max = kBatchRowsMax;
  std::size_t batch_bytes_max = kBatchBytesMax;  // of keys and payloads as they arrive
  std::size_t prefetch_bytes_max = kPrefetchBytesDefault;
};

struct LaneProgress {
  std::uint32_t lane = 0;
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t next_offset = 0;  // the first that is not in a batch yet
  std::int64_t confirmed = -1;   // what the group was last told, and took; -1: nothing yet
  std::int64_t end_offset = -1;  // of the partition, as the last fetch saw it; -1: not known yet
  bool is_waiting = false;       // for its record
};

// For status and metrics.
struct TopicProgress {
  std::vector<LaneProgress> lanes;      // that are open, by number
  std::uint64_t repeated_messages = 0;  // seen before and left out
  std::string trouble;                  // what keeps the client from its brokers now; empty: nothing
};

class TopicSource : public flow::Source {
 public:
  // Checks the settings, reaches a broker and finds the topics before it joins the group. `known`: the destination's
  // tables as they are, with the schema version to go on from; a table that is not there is new. kNotFound, kAuth,
  // kUnavailable, kConfig as client.h has them.
  static Result<std::unique_ptr<TopicSource>> open(TopicSourceOptions options, std::vector<SavedPoint> saved,
                                                   std::vector<std::shared_ptr<const data::SliceSchema>> known,
                                                   const base::Clock& clock, base::Deadline deadline);

  virtual TopicProgress progress() const = 0;
};

}  // namespace flytt::kafka
