#pragma once
// Lanes: parts of one stream that are read in order, each on its own, and that may move to another process at any time.
// Kafka's partitions are lanes. A source numbers its lanes; the number is TableSlice::lane and is never used twice by
// one source object.
//
// The life of a lane:
//   1. The source is given a lane and puts kOpened into a batch, with the place from which it will read. Of a source
//      whose lanes wait for a record (exactly once) no row of the lane comes yet.
//   2. The pipeline takes the lane over at the destination, saves what it needs for that, and hands it to `confirm` as the
//      lane's record. The source stores it beside the lane's offset at the outside system (the consumer group's commit
//      metadata), in one synchronous step that fails when the lane is no longer ours, and only then lets rows come.
//   3. Rows. Batch::end of such a source holds the points of all its open lanes (encode_points), without records.
//   4. The lane is to be given up: kClosing, and no row comes after it. The source gives the lane away once `confirm`
//      has covered every row of it, or at the deadline. Or it is gone already: kLost. Nothing is confirmed for it any more.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/schema.h"

namespace flytt::flow {

// Where a lane goes on: everything before `next_offset` is settled.
struct LanePoint {
  std::uint32_t lane = 0;
  std::int64_t next_offset = 0;
  std::string record;  // opaque bytes of the pipeline; empty in Batch::end
  std::int64_t epoch =
      0;  // of upserts: goes before the offset in the order of messages, and never falls; stored with the offset
  friend bool operator==(const LanePoint&, const LanePoint&) = default;
};

// Bytes of a Position: a version byte, then for each point lane, offset, epoch and record, in the order of the lanes.
std::string encode_points(const std::vector<LanePoint>& points);
// kCorrupt when the bytes are not such a list.
Result<std::vector<LanePoint>> decode_points(std::string_view bytes);

// The columns in which a row of a lane says where it lies, as indexes of topic, partition and offset; empty when the table
// does not have all three.
inline constexpr std::string_view kTopicColumn = "_kafka_topic";
inline constexpr std::string_view kPartitionColumn = "_kafka_partition";
inline constexpr std::string_view kOffsetColumn = "_kafka_offset";
std::vector<std::uint32_t> place_columns(const data::TableSchema& table);

struct LaneEvent {
  enum class Kind { kOpened, kClosing, kLost };
  Kind kind = Kind::kOpened;
  std::uint32_t lane = 0;
  // Of kOpened.
  std::string topic;
  std::int32_t partition = 0;
  std::string topic_id;           // another id under the same name is another topic; empty when it is not known
  std::int64_t next_offset = 0;   // the first that will be read
  std::string record;             // the newest that is known for this place; empty: none
  std::int64_t epoch = 0;         // as LanePoint has it, at next_offset
  bool is_record_shared = false;  // the outside system has a record; else others may have had a newer one than this
  // Of kClosing.
  base::Deadline deadline;
};

}  // namespace flytt::flow
