#pragma once
// Destination: what a pipeline asks of the place where tables lie. `app` adapts a connector to it.
//
// Owned by `app`, outlives the engine. Thread-safe. Calls block for at most the connector's own request timeouts,
// retries included. Errors as at Origin.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/table_slice.h"
#include "flow/sink.h"

namespace flytt::pipeline {

struct TableFacts {
  data::TableSchema schema;
  std::int64_t created_micros = 0;  // with the path, the table's identity: a re-created table has another
  bool is_known_empty = false;
};

// A row that the destination refused for its content, found after its batch was submitted.
struct RefusedRow {
  flow::BatchSequence batch;
  std::shared_ptr<const data::SliceSchema> schema;  // of the slice that it was in
  data::Rejection rejection;
};

// A table that cannot be written any more: its retry budget is spent, or its rights or schema forbid it.
struct TableFailure {
  data::TablePath table;
  Error error;
};

// A lane (flow/lanes.h) whose write stream was ended by somebody, or is gone: another process has taken the lane over, or
// the stream was not used for days.
struct LostLane {
  std::uint32_t lane = 0;
  Error error;
};

// Offsets of a lane's messages, both ends included.
struct OffsetRange {
  std::int64_t first = 0, last = 0;
};

// A Sink that also says what is wrong with single rows and tables. One thread, as Sink.
//
// A batch with a refused row, or with rows of a failed table, gives no receipt until the pipeline has dealt with it:
// refused rows until `resolve(batch)`, a failed table until `drop_table`. Then its receipt comes from collect() as usual.
// Rows of a lost lane are given up, and receipts come all the same: ask `take_lost` before receipts are believed.
class TableSink : public flow::Sink {
 public:
  // What was found since the last call. collect() is what finds it.
  virtual std::vector<RefusedRow> take_refused() = 0;
  virtual std::vector<TableFailure> take_failures() = 0;
  // Every refused row of this batch that was taken so far is in quarantine, durably.
  virtual void resolve(flow::BatchSequence batch) = 0;
  // Rows of `table` that are not durable yet are given up.
  virtual void drop_table(const data::TablePath& table) = 0;
  // Rows of `lane` for `table` go into `write_stream` from now on, each exactly once and in order; it is new. Other rows go
  // the table's common way, each at least once.
  virtual void open_lane(std::uint32_t lane, const data::TablePath& table, const std::string& write_stream) = 0;
  // No row of the lane comes any more, and those without an answer are given up.
  virtual void close_lane(std::uint32_t lane) = 0;
  virtual std::vector<LostLane> take_lost() = 0;
};

inline constexpr std::string_view kLanesTable = "_flytt_lanes";

// A lane as the rows of a table name it.
struct LaneKey {
  data::TablePath table;
  std::string topic;
  std::int32_t partition = 0;
};

class Destination {
 public:
  virtual ~Destination() = default;

  // Makes the dataset when it is absent.
  virtual Status ensure_dataset(const std::string& project, const std::string& dataset) = 0;
  // nullopt when there is no such table.
  virtual Result<std::optional<TableFacts>> table(const data::TablePath& path) = 0;
  // kConflict when it exists.
  virtual Result<TableFacts> create_table(const data::SliceSchema& schema) = 0;
  // Afterwards the table is there, empty, and has exactly this schema. May be repeated.
  virtual Result<TableFacts> replace_table(const data::SliceSchema& schema) = 0;
  // Adds nullable columns; those that are there already with the same type are left alone.
  virtual Status add_columns(const data::TablePath& path, const std::vector<data::Field>& fields) = 0;
  virtual Result<std::unique_ptr<TableSink>> open_sink() = 0;

  // -- lanes whose rows are written exactly once
  // A new write stream of the table, for one lane; its name.
  virtual Result<std::string> create_write_stream(const data::TablePath& path) = 0;
  // Afterwards nothing can be appended to it, by anybody. May be repeated; one that is gone is fine.
  virtual Status finalize_write_stream(const std::string& name) = 0;
  // Which messages of a partition the table holds, from offset `from` on, in ascending order.
  virtual Result<std::vector<OffsetRange>> held_offsets(const data::TablePath& path, const std::string& topic,
                                                        std::int32_t partition, std::int64_t from) = 0;
  // The names of a lane's write streams are kept beside its table, in kLanesTable, for whoever opens the lane when the
  // source has forgotten them. Threads: any.
  virtual Status note_write_stream(const LaneKey& lane, const std::string& name) = 0;
  // All of the last month.
  virtual Result<std::vector<std::string>> noted_write_streams(const LaneKey& lane) = 0;
};

}  // namespace flytt::pipeline
