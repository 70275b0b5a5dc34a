#pragma once
// What a pipeline tells about itself. Plain values, for `status`, the console and the log.

#include <string>
#include <vector>

#include "pipeline/table_book.h"

namespace flytt::pipeline {

enum class Condition {
  kStarting,  // looks at source, destination and state
  kRunning,
  kWaiting,   // failed, and tries again by itself; `error` says why
  kFailed,    // ended by an error that trying again does not mend
  kStopping,  // drains
  kStopped,   // ended as asked, or caught up
};
std::string_view to_string(Condition condition);

// A partition of a topic that this process reads.
struct LaneStatus {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t saved = 0;     // everything before it is durable
  std::int64_t end = -1;      // the next message to be written, as it was seen last; -1 = not known
  bool is_waiting = false;    // it is being taken over
  bool is_held_back = false;  // its table is detached
};

struct PipelineStatus {
  std::string stream;
  Condition condition = Condition::kStarting;
  std::string error;              // of kWaiting and kFailed; also the last trouble of copies while running
  std::int64_t since_micros = 0;  // when the condition began
  std::string slot;
  std::string server_version;
  std::uint16_t epoch = 0;
  std::string received, saved, confirmed;  // positions for people; empty before the first start
  std::uint64_t received_number = 0, saved_number = 0, confirmed_number = 0;
  std::int64_t rows = 0, bytes = 0;  // read since the process started
  std::size_t channel_bytes = 0;
  std::int64_t oldest_unsaved_ms = 0;
  std::int64_t newest_commit_micros =
      0;  // source commit time of what is durable; now − this bounds the lag while changes flow
  std::int64_t quarantined = 0;
  std::string copy_stage;  // empty while nothing is copied
  std::vector<TableStatus> tables;
  std::vector<LaneStatus> lanes;  // of a stream of topics
};

}  // namespace flytt::pipeline
