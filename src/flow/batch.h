#pragma once
// What moves: a Batch of table slices with the place from which the source can restart after it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/strong.h"
#include "data/table_slice.h"
#include "flow/lanes.h"

namespace flytt::flow {

// Counts the batches of one run of one source from 0, without gaps.
using BatchSequence = base::Strong<struct BatchSequenceTag>;

// A place from which a source can restart. Its bytes belong to the source that made it; nobody else reads them.
// An empty one means "from the start".
struct Position {
  std::string bytes;
  bool empty() const { return bytes.empty(); }
  friend bool operator==(const Position& a, const Position& b) { return a.bytes == b.bytes; }
};

// Something that happened to a whole table, seen by the source at this place of its history. The pipeline decides.
struct TableEvent {
  enum class Kind {
    kTruncated,      // all rows before `sequence` are gone
    kSchemaRefused,  // its shape changed in a way that cannot be followed
    kUnreadable,     // the source cannot read it (a grant was taken away, it was dropped)
  };
  Kind kind;
  std::string source_table;
  data::Sequence sequence;
  std::string reason;  // a sentence for people, with the next step
};

struct Batch {
  BatchSequence sequence;
  Position end;                          // restart place once this and all earlier batches are durable
  std::vector<data::TableSlice> tables;  // in the order of the source; empty when only the position moved
  std::vector<TableEvent> events;
  std::vector<LaneEvent> lane_events;     // before the batch's rows; kClosing and kLost: after them
  std::int64_t newest_commit_micros = 0;  // wall time of the newest source commit inside, µs since 1970; 0 = none
  std::size_t byte_size() const;
  std::size_t row_count() const;
};

// Resume records by lane: opaque bytes that a sink wants saved with the position.
using LaneRecords = std::map<std::uint32_t, std::string>;

// Exists only when every row of the batch is durable, in quarantine, or belongs to a table that is detached in saved state.
struct Receipt {
  BatchSequence sequence;
  LaneRecords lanes;
};

}  // namespace flytt::flow
