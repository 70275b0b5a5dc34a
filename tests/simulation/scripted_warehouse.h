#pragma once
// ScriptedWarehouse: a destination in memory that keeps for each key the row with the greatest sequence, deletes
// included. ScriptedDestination: the pipeline's port to it, whose sinks delay, reorder, lose answers and break.
//
// What a broken or abandoned sink had in flight may still land later, as it may on a network. A table without a key keeps
// every row that lands, by its place (topic/partition/offset); rows of lanes land in write streams, at their offsets.

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "pipeline/destination.h"

namespace flytt::simulation {

struct Cell {
  data::Sequence sequence;
  bool is_deleted = false;
  std::vector<std::string> values;  // one per column of the table, "NULL" for a NULL
};

struct WarehouseTable {
  data::TableSchema schema;
  std::int64_t created_micros = 0;
  std::map<std::string, Cell> rows;  // by key
  // Without a key: how often the message of a place is there, and the offsets of a partition as they came.
  std::map<std::string, int> copies;
  std::map<std::string, std::vector<std::int64_t>> order;
};

struct WriteStream {
  data::TablePath path;
  std::int64_t created_micros = 0;  // of its table
  std::int64_t end = 0;
  bool is_final = false;
};

struct SinkTrouble {
  unsigned submit_fails = 0, collect_fails = 0, call_fails = 0;  // 1/1000 per call
  unsigned lands = 600;                                          // 1/1000 per look, for each slice in flight
  std::size_t window = 4;                                        // batches
};

class ScriptedWarehouse {
 public:
  explicit ScriptedWarehouse(std::uint64_t seed) : random_(seed) {}

  // -- for the test; thread-safe
  std::map<data::TablePath, WarehouseTable> tables() const;
  void drop_table(const data::TablePath& path);
  void forbid(const data::TablePath& path, bool is_forbidden);  // rows for it cannot be written
  void set_away(bool is_away);                                  // nothing answers
  void land_everything();                                       // what abandoned sinks left in flight
  std::vector<std::string> complaints() const;
  std::uint64_t slices_landed() const;
  std::size_t stream_count() const;
  void end_streams();  // somebody finalizes all of them

  SinkTrouble trouble;
  bool wants_streams = false;  // rows of tables without a key come through lanes

 private:
  friend class ScriptedDestination;
  friend class ScriptedSink;

  struct Flying {
    data::TableSlice slice;
    std::int64_t created_micros;  // of the table that it was sent to
    std::string stream;           // empty: the default stream
    std::int64_t offset = 0;      // of a stray one in a stream
  };

  bool happens(unsigned per_mille) { return per_mille != 0 && random_.below(1000) < per_mille; }
  // Applies a slice; rows that are refused come back. False when the table is not there or not to be written.
  bool land(const Flying& flying, std::vector<data::Rejection>& refused);
  void land_stray();
  void land_rows(WarehouseTable& table, const data::TableSlice& slice, std::vector<data::Rejection>& refused);
  void complain(std::string text) { complaints_.push_back(std::move(text)); }

  mutable std::mutex mutex_;
  base::SeededRandom random_;
  std::map<data::TablePath, WarehouseTable> tables_;
  std::set<data::TablePath> forbidden_;
  bool is_away_ = false;
  std::int64_t created_ = 1'000;
  std::map<std::string, WriteStream> streams_;
  std::map<std::string, std::vector<std::string>> noted_streams_;  // by table/topic/partition
  std::deque<Flying> stray_;
  std::uint64_t slices_landed_ = 0;
  std::vector<std::string> complaints_;
};

class ScriptedDestination final : public pipeline::Destination {
 public:
  explicit ScriptedDestination(ScriptedWarehouse& warehouse) : warehouse_(warehouse) {}

  Status ensure_dataset(const std::string& project, const std::string& dataset) override;
  Result<std::optional<pipeline::TableFacts>> table(const data::TablePath& path) override;
  Result<pipeline::TableFacts> create_table(const data::SliceSchema& schema) override;
  Result<pipeline::TableFacts> replace_table(const data::SliceSchema& schema) override;
  Status add_columns(const data::TablePath& path, const std::vector<data::Field>& fields) override;
  Result<std::unique_ptr<pipeline::TableSink>> open_sink() override;
  Result<std::string> create_write_stream(const data::TablePath& path) override;
  Status finalize_write_stream(const std::string& name) override;
  Result<std::vector<pipeline::OffsetRange>> held_offsets(const data::TablePath& path, const std::string& topic,
                                                          std::int32_t partition, std::int64_t from) override;
  Status note_write_stream(const pipeline::LaneKey& lane, const std::string& name) override;
  Result<std::vector<std::string>> noted_write_streams(const pipeline::LaneKey& lane) override;

 private:
  Status answer();
  ScriptedWarehouse& warehouse_;
};

}  // namespace flytt::simulation
