#include "tests/simulation/scripted_warehouse.h"

#include <algorithm>

#include "flow/lanes.h"
#include "tests/simulation/scripted_database.h"

namespace flytt::simulation {

namespace {

Error away(const std::string& what) { return Error(ErrorCode::kUnavailable, what).side(base::Side::kSink); }

std::string cell_text(const data::Column& column, std::size_t row) {
  if (column.is_null(row)) return "NULL";
  switch (column.layout()) {
    case data::Layout::kInt64: return std::to_string(column.int64(row));
    case data::Layout::kBytes: return std::string(column.bytes(row));
    default: return "?";
  }
}

std::string key_text(const data::TableSlice& slice, std::size_t row) {
  std::string text;
  for (const std::uint32_t index : slice.schema->table.key) text += cell_text(slice.columns[index], row) + "|";
  return text;
}

std::string name_of(const pipeline::LaneKey& lane) {
  return lane.table.text() + "/" + lane.topic + "/" + std::to_string(lane.partition);
}

}  // namespace

std::map<data::TablePath, WarehouseTable> ScriptedWarehouse::tables() const {
  std::lock_guard lock(mutex_);
  return tables_;
}

void ScriptedWarehouse::drop_table(const data::TablePath& path) {
  std::lock_guard lock(mutex_);
  tables_.erase(path);
}

void ScriptedWarehouse::forbid(const data::TablePath& path, bool is_forbidden) {
  std::lock_guard lock(mutex_);
  if (is_forbidden)
    forbidden_.insert(path);
  else
    forbidden_.erase(path);
}

void ScriptedWarehouse::set_away(bool is_away) {
  std::lock_guard lock(mutex_);
  is_away_ = is_away;
}

void ScriptedWarehouse::land_everything() {
  std::lock_guard lock(mutex_);
  while (!stray_.empty()) land_stray();
}

std::vector<std::string> ScriptedWarehouse::complaints() const {
  std::lock_guard lock(mutex_);
  return complaints_;
}

std::uint64_t ScriptedWarehouse::slices_landed() const {
  std::lock_guard lock(mutex_);
  return slices_landed_;
}

std::size_t ScriptedWarehouse::stream_count() const {
  std::lock_guard lock(mutex_);
  return streams_.size();
}

void ScriptedWarehouse::end_streams() {
  std::lock_guard lock(mutex_);
  for (auto& [name, stream] : streams_) stream.is_final = true;
}

void ScriptedWarehouse::land_stray() {
  const std::size_t index = random_.below(stray_.size());
  std::vector<data::Rejection> refused;
  Flying& flying = stray_[index];
  bool lands = true;
  if (!flying.stream.empty()) {  // all of its rows or none, and only at its place
    const WriteStream& stream = streams_[flying.stream];
    lands = !stream.is_final && stream.end == flying.offset;
    for (std::size_t row = 0; row < flying.slice.row_count(); ++row)
      lands &= !is_refused(flying.slice.columns[0].int64(row));
  }
  if (lands) static_cast<void>(land(flying, refused));
  stray_.erase(stray_.begin() + static_cast<std::ptrdiff_t>(index));
}

bool ScriptedWarehouse::land(const Flying& flying, std::vector<data::Rejection>& refused) {
  const data::TableSlice& slice = flying.slice;
  const auto found = tables_.find(slice.schema->destination);
  if (found == tables_.end() || found->second.created_micros != flying.created_micros ||
      forbidden_.contains(found->first))
    return false;
  ++slices_landed_;
  const std::size_t refused_before = refused.size();
  land_rows(found->second, slice, refused);
  if (!flying.stream.empty())
    streams_[flying.stream].end += static_cast<std::int64_t>(slice.row_count() - (refused.size() - refused_before));
  return true;
}

void ScriptedWarehouse::land_rows(WarehouseTable& table, const data::TableSlice& slice,
                                  std::vector<data::Rejection>& refused) {
  const auto place = flow::place_columns(slice.schema->table);
  for (std::size_t row = 0; row < slice.row_count(); ++row) {
    Cell cell{slice.sequence(row), slice.kind(row) == data::ChangeKind::kDelete,
              std::vector<std::string>(table.schema.fields.size(), "NULL")};
    bool is_row_refused = false;
    for (std::size_t i = 0; i < slice.columns.size(); ++i) {
      const data::Field& field = slice.schema->table.fields[i];
      const auto there = table.schema.find(field.name);
      const bool is_null = slice.columns[i].is_null(row);
      if (!there || !(table.schema.fields[*there].type == field.type)) {
        complain("a row of " + slice.schema->source_table + " came with column " + field.name +
                 ", which its table does not have so");
        continue;
      }
      cell.values[*there] = cell_text(slice.columns[i], row);
      is_row_refused |= field.name == "value" && !is_null && is_refused(std::stoll(cell.values[*there]));
    }
    std::string lane, position;
    if (!place.empty()) {
      lane = cell_text(slice.columns[place[0]], row) + "/" + cell_text(slice.columns[place[1]], row);
      position = lane + "/" + cell_text(slice.columns[place[2]], row);
    }
    if (is_row_refused) {
      refused.push_back(
          {"id=" + cell_text(slice.columns[0], row), "", "the destination refused it", "", cell.sequence});
      refused.back().position = position;
      continue;
    }
    if (slice.schema->table.key.empty()) {
      ++table.copies[position];
      table.order[lane].push_back(slice.columns[place[2]].int64(row));
      continue;
    }
    Cell& kept = table.rows[key_text(slice, row)];
    if (kept.values.empty() || !(cell.sequence < kept.sequence)) kept = std::move(cell);
  }
}

// ---- the sink

class ScriptedSink final : public pipeline::TableSink {
 public:
  explicit ScriptedSink(ScriptedWarehouse& warehouse) : warehouse_(warehouse) {}
  ~ScriptedSink() override {
    std::lock_guard lock(warehouse_.mutex_);
    std::map<std::string, std::int64_t> ends;
    for (auto& [sequence, open] : open_) {
      for (auto& flying : open.flying) {
        if (!flying.stream.empty()) {
          std::int64_t& end = ends.try_emplace(flying.stream, warehouse_.streams_[flying.stream].end).first->second;
          flying.offset = end;
          end += static_cast<std::int64_t>(flying.slice.row_count());
        }
        if (warehouse_.random_.below(2) == 0) warehouse_.stray_.push_back(std::move(flying));
      }
    }
  }

  Status submit(flow::Batch& batch, base::Deadline) override {
    std::lock_guard lock(warehouse_.mutex_);
    if (is_broken_ || warehouse_.is_away_ || warehouse_.happens(warehouse_.trouble.submit_fails)) return broken();
    // One that only waits until its refused rows are kept elsewhere is not in flight: those rows need the room.
    const auto in_flight =
        std::count_if(open_.begin(), open_.end(), [](const auto& one) { return !one.second.flying.empty(); });
    if (static_cast<std::size_t>(in_flight) >= warehouse_.trouble.window) {
      fly();
      return Error(ErrorCode::kTimeout, "the window is full").side(base::Side::kSink);
    }
    if (batch.sequence.value < next_) warehouse_.complain("batches were submitted out of order");
    next_ = batch.sequence.value + 1;
    Open& open = open_[batch.sequence.value];
    for (data::TableSlice& slice : batch.tables) {
      if (slice.row_count() == 0) warehouse_.complain("an empty slice was submitted");
      if (!slice.rejections.empty()) warehouse_.complain("a slice was submitted with its rejections");
      const auto table = warehouse_.tables_.find(slice.schema->destination);
      const std::int64_t created = table == warehouse_.tables_.end() ? 0 : table->second.created_micros;
      if (dropped_.contains(slice.schema->destination)) warehouse_.complain("rows of a dropped table were submitted");
      const auto lane = lanes_.find(slice.lane);
      const bool is_of_lane = lane != lanes_.end() && lane->second.path == slice.schema->destination;
      if (slice.schema->table.key.empty() && warehouse_.wants_streams && !is_of_lane)
        warehouse_.complain("rows of a lane came without its write stream");
      if (is_of_lane && lane->second.is_over) continue;
      open.flying.push_back({std::move(slice), created, is_of_lane ? lane->second.stream : "", 0});
    }
    batch.tables.clear();
    return ok();
  }

  Result<std::vector<flow::Receipt>> collect(base::Deadline) override {
    std::lock_guard lock(warehouse_.mutex_);
    if (!warehouse_.stray_.empty() && warehouse_.random_.below(3) == 0) warehouse_.land_stray();
    fly();
    if (is_broken_ || warehouse_.is_away_ || warehouse_.happens(warehouse_.trouble.collect_fails)) return broken();
    std::vector<flow::Receipt> receipts;
    std::vector<std::uint64_t> ready;
    for (const auto& [sequence, open] : open_)
      if (open.flying.empty() && open.refused == 0) ready.push_back(sequence);
    while (!ready.empty()) {  // in any order, and not all at once
      const std::size_t index = warehouse_.random_.below(ready.size());
      if (warehouse_.random_.below(3) != 0) {
        receipts.push_back({flow::BatchSequence(ready[index]), {}});
        open_.erase(ready[index]);
      }
      ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(index));
    }
    return receipts;
  }

  std::vector<pipeline::RefusedRow> take_refused() override { return std::exchange(refused_, {}); }
  std::vector<pipeline::TableFailure> take_failures() override { return std::exchange(failures_, {}); }

  void resolve(flow::BatchSequence batch) override {
    std::lock_guard lock(warehouse_.mutex_);
    const auto found = open_.find(batch.value);
    if (found == open_.end() || found->second.refused == 0)
      return warehouse_.complain("a batch without refused rows was resolved");
    for (const pipeline::RefusedRow& row : refused_)
      if (row.batch == batch) return;  // some were not taken yet
    found->second.refused = 0;
  }

  void drop_table(const data::TablePath& table) override {
    std::lock_guard lock(warehouse_.mutex_);
    dropped_.insert(table);
    for (auto& [sequence, open] : open_)
      std::erase_if(open.flying, [&](const auto& flying) { return flying.slice.schema->destination == table; });
  }

  void open_lane(std::uint32_t lane, const data::TablePath& table, const std::string& write_stream) override {
    std::lock_guard lock(warehouse_.mutex_);
    lanes_[lane] = {table, write_stream, false};
  }

  void close_lane(std::uint32_t lane) override {
    std::lock_guard lock(warehouse_.mutex_);
    if (const auto found = lanes_.find(lane); found != lanes_.end()) end_lane(found->second);
  }

  std::vector<pipeline::LostLane> take_lost() override { return std::exchange(lost_, {}); }

 private:
  struct Open {
    std::deque<ScriptedWarehouse::Flying> flying;
    std::size_t refused = 0;
  };
  struct Lane {
    data::TablePath path;
    std::string stream;
    bool is_over = false;
  };

  // Its rows on their way may still land as strays.
  void end_lane(Lane& lane) {
    lane.is_over = true;
    std::int64_t end = warehouse_.streams_[lane.stream].end;
    for (auto& [sequence, open] : open_) {
      for (auto& flying : open.flying) {
        if (flying.stream != lane.stream) continue;
        flying.offset = end;
        end += static_cast<std::int64_t>(flying.slice.row_count());
        if (warehouse_.random_.below(2) == 0) warehouse_.stray_.push_back(flying);
      }
      std::erase_if(open.flying, [&](const auto& flying) { return flying.stream == lane.stream; });
    }
  }

  // True when its stream takes nothing any more; its lane is lost.
  bool is_lost(const ScriptedWarehouse::Flying& flying) {
    if (flying.stream.empty() || !warehouse_.streams_[flying.stream].is_final) return false;
    for (auto& [number, lane] : lanes_) {
      if (lane.stream != flying.stream || lane.is_over) continue;
      lane.is_over = true;
      lost_.push_back({number, Error(ErrorCode::kConflict, "the stream is final").side(base::Side::kSink)});
    }
    return true;
  }

  Error broken() {
    is_broken_ = true;
    return away("the sink broke");
  }

  // Slices land in any order, also those of one table: the sequence of each row decides. Those of one lane keep theirs.
  void fly() {
    if (warehouse_.is_away_) return;
    std::set<std::string> waiting;
    for (auto& [sequence, open] : open_) {
      for (std::size_t i = 0; i < open.flying.size();) {
        const std::string stream = open.flying[i].stream;
        if (is_lost(open.flying[i])) {
          open.flying.erase(open.flying.begin() + static_cast<std::ptrdiff_t>(i));
          continue;
        }
        if (waiting.contains(stream) || !warehouse_.happens(warehouse_.trouble.lands)) {
          if (!stream.empty()) waiting.insert(stream);
          ++i;
          continue;
        }
        const data::TablePath path = open.flying[i].slice.schema->destination;
        std::vector<data::Rejection> refused;
        if (!warehouse_.land(open.flying[i], refused)) {
          if (failed_.insert(path).second)
            failures_.push_back(
                {path, Error(ErrorCode::kNotFound, "the table is gone or may not be written").side(base::Side::kSink)});
          if (!stream.empty()) waiting.insert(stream);
          ++i;
          continue;
        }
        for (data::Rejection& rejection : refused)
          refused_.push_back({flow::BatchSequence(sequence), open.flying[i].slice.schema, std::move(rejection)});
        open.refused += refused.size();
        open.flying.erase(open.flying.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  ScriptedWarehouse& warehouse_;
  std::uint64_t next_ = 0;
  bool is_broken_ = false;
  std::map<std::uint64_t, Open> open_;
  std::map<std::uint32_t, Lane> lanes_;
  std::vector<pipeline::LostLane> lost_;
  std::set<data::TablePath> dropped_, failed_;
  std::vector<pipeline::RefusedRow> refused_;
  std::vector<pipeline::TableFailure> failures_;
};

// ---- the port

Status ScriptedDestination::answer() {
  if (warehouse_.is_away_ || warehouse_.happens(warehouse_.trouble.call_fails)) return away("no answer");
  return ok();
}

Status ScriptedDestination::ensure_dataset(const std::string&, const std::string&) {
  std::lock_guard lock(warehouse_.mutex_);
  return answer();
}

Result<std::optional<pipeline::TableFacts>> ScriptedDestination::table(const data::TablePath& path) {
  std::lock_guard lock(warehouse_.mutex_);
  TRY_STATUS(answer());
  const auto found = warehouse_.tables_.find(path);
  if (found == warehouse_.tables_.end()) return std::optional<pipeline::TableFacts>();
  return std::optional(
      pipeline::TableFacts{found->second.schema, found->second.created_micros, found->second.rows.empty()});
}

Result<pipeline::TableFacts> ScriptedDestination::create_table(const data::SliceSchema& schema) {
  std::lock_guard lock(warehouse_.mutex_);
  if (warehouse_.tables_.contains(schema.destination))
    return Error(ErrorCode::kConflict, "the table exists").side(base::Side::kSink);
  TRY_STATUS(answer());
  WarehouseTable made{schema.table, ++warehouse_.created_, {}};
  const pipeline::TableFacts facts{made.schema, made.created_micros, true};
  warehouse_.tables_[schema.destination] = std::move(made);
  TRY_STATUS(answer());  // made, but the answer is lost
  return facts;
}

Result<pipeline::TableFacts> ScriptedDestination::replace_table(const data::SliceSchema& schema) {
  {
    std::lock_guard lock(warehouse_.mutex_);
    TRY_STATUS(answer());
    warehouse_.tables_.erase(schema.destination);
  }
  return create_table(schema);
}

Status ScriptedDestination::add_columns(const data::TablePath& path, const std::vector<data::Field>& fields) {
  std::lock_guard lock(warehouse_.mutex_);
  TRY_STATUS(answer());
  const auto found = warehouse_.tables_.find(path);
  if (found == warehouse_.tables_.end())
    return Error(ErrorCode::kNotFound, "there is no such table").side(base::Side::kSink);
  for (const data::Field& field : fields) {
    if (found->second.schema.find(field.name)) continue;
    found->second.schema.fields.push_back(field);
    for (auto& [key, cell] : found->second.rows) cell.values.push_back("NULL");
  }
  return answer();
}

Result<std::unique_ptr<pipeline::TableSink>> ScriptedDestination::open_sink() {
  std::lock_guard lock(warehouse_.mutex_);
  TRY_STATUS(answer());
  return std::unique_ptr<pipeline::TableSink>(std::make_unique<ScriptedSink>(warehouse_));
}

Result<std::string> ScriptedDestination::create_write_stream(const data::TablePath& path) {
  std::lock_guard lock(warehouse_.mutex_);
  TRY_STATUS(answer());
  const auto table = warehouse_.tables_.find(path);
  if (table == warehouse_.tables_.end() || warehouse_.forbidden_.contains(path))
    return Error(ErrorCode::kNotFound, "there is no such table, or it may not be written").side(base::Side::kSink);
  const std::string name = path.text() + "/" + std::to_string(warehouse_.streams_.size());
  warehouse_.streams_[name] = {path, table->second.created_micros, 0, false};
  TRY_STATUS(answer());  // made, but the answer is lost
  return name;
}

Status ScriptedDestination::finalize_write_stream(const std::string& name) {
  std::lock_guard lock(warehouse_.mutex_);
  TRY_STATUS(answer());
  warehouse_.streams_[name].is_final = true;
  return answer();
}

Result<std::vector<pipeline::OffsetRange>> ScriptedDestination::held_offsets(const data::TablePath& path,
                                                                             const std::string& topic,
                                                                             std::int32_t partition,
                                                                             std::int64_t from) {
  std::lock_guard lock(warehouse_.mutex_);
  TRY_STATUS(answer());
  std::set<std::int64_t> held;
  const auto table = warehouse_.tables_.find(path);
  if (table != warehouse_.tables_.end()) {
    const auto found = table->second.order.find(topic + "/" + std::to_string(partition));
    if (found != table->second.order.end()) held.insert(found->second.begin(), found->second.end());
  }
  std::vector<pipeline::OffsetRange> ranges;
  for (auto offset = held.lower_bound(from); offset != held.end(); ++offset) {
    if (ranges.empty() || ranges.back().last + 1 != *offset) ranges.push_back({*offset, *offset});
    ranges.back().last = *offset;
  }
  return ranges;
}

Status ScriptedDestination::note_write_stream(const pipeline::LaneKey& lane, const std::string& name) {
  std::lock_guard lock(warehouse_.mutex_);
  TRY_STATUS(answer());
  warehouse_.noted_streams_[name_of(lane)].push_back(name);
  return answer();
}

Result<std::vector<std::string>> ScriptedDestination::noted_write_streams(const pipeline::LaneKey& lane) {
  std::lock_guard lock(warehouse_.mutex_);
  TRY_STATUS(answer());
  return warehouse_.noted_streams_[name_of(lane)];
}

}  // namespace flytt::simulation
