#include "tests/simulation/scripted_database.h"

#include <algorithm>

namespace flytt::simulation {

namespace {

Error away(const std::string& what) { return Error(ErrorCode::kUnavailable, what).side(base::Side::kSource); }

// Appends one row in the slice's shape.
void append_row(data::TableSlice& slice, std::int64_t key, std::int64_t value, const Shape& shape_of_row,
                data::Sequence sequence) {
  const data::TableSchema& table = slice.schema->table;
  slice.columns[0].append_int64(key);
  const bool is_text = table.fields[1].type.is(data::TypeKind::kString);
  if (is_unrepresentable(value)) {
    slice.columns[1].append_null();
    slice.rejections.push_back(
        {"id=" + std::to_string(key), "value", "it is one of those", std::to_string(value), sequence});
  } else if (is_text) {
    slice.columns[1].append_bytes(std::to_string(value));
  } else {
    slice.columns[1].append_int64(value);
  }
  if (table.fields.size() < 3) return;
  if (shape_of_row.has_extra)
    slice.columns[2].append_int64(value * 2);
  else
    slice.columns[2].append_null();
}

Shape shape_of(const data::SliceSchema& schema) {
  return {schema.table.fields.size() > 2, schema.table.fields[1].type.is(data::TypeKind::kString)};
}

}  // namespace

std::shared_ptr<const data::SliceSchema> slice_schema(const std::string& dataset, const std::string& name, Shape shape,
                                                      std::uint32_t version) {
  data::SliceSchema made;
  made.source_table = name;
  made.version = data::SchemaVersion(version);
  made.destination = {"project", dataset, name.substr(name.find('.') + 1)};
  made.table.fields = {{"id", data::TypeKind::kInt64, true, ""},
                       {"value", shape.value_is_text ? data::TypeKind::kString : data::TypeKind::kInt64, false, ""}};
  if (shape.has_extra) made.table.fields.push_back({"extra", data::TypeKind::kInt64, false, ""});
  made.table.key = {0};
  return std::make_shared<const data::SliceSchema>(std::move(made));
}

flow::Position position_of(std::uint64_t lsn) { return {std::to_string(lsn)}; }

// ---- the database

void ScriptedDatabase::add_table(const std::string& name) {
  std::lock_guard lock(mutex_);
  tables_[name];
}

void ScriptedDatabase::commit(std::vector<Change> changes, std::int64_t now_micros) {
  std::lock_guard lock(mutex_);
  for (Change& change : changes) {
    SourceTableState& table = tables_.at(change.table);
    change.shape = table.shape;
    switch (change.kind) {
      case Change::Kind::kUpsert: table.rows[change.key] = {change.value, table.next_place++}; break;
      case Change::Kind::kDelete: table.rows.erase(change.key); break;
      case Change::Kind::kTruncate:
        table.rows.clear();
        ++table.storage;
        table.next_place = 0;
        break;
    }
  }
  std::erase_if(changes, [&](const Change& change) { return !tables_.at(change.table).is_published; });
  Transaction transaction{end_ + 2, end_ + 8, now_micros, std::move(changes)};
  end_ += 10;
  log_.push_back(std::move(transaction));
}

void ScriptedDatabase::alter(const std::string& name, Shape shape) {
  std::lock_guard lock(mutex_);
  tables_.at(name).shape = shape;
}

void ScriptedDatabase::rewrite(const std::string& name) {
  std::lock_guard lock(mutex_);
  SourceTableState& table = tables_.at(name);
  ++table.storage;
  table.next_place = 0;
  for (auto& [key, row] : table.rows) row.place = table.next_place++;
}

void ScriptedDatabase::publish(const std::string& name, bool is_published) {
  std::lock_guard lock(mutex_);
  SourceTableState& table = tables_.at(name);
  if (is_published && !table.is_published) ++table.membership;
  table.is_published = is_published;
}

void ScriptedDatabase::make_anew(const std::string& name) {
  std::lock_guard lock(mutex_);
  SourceTableState& table = tables_.at(name);
  table.rows.clear();
  ++table.storage;
  ++table.relation;
  ++table.membership;
  table.next_place = 0;
}

void ScriptedDatabase::refuse(const std::string& name, std::string refusal) {
  std::lock_guard lock(mutex_);
  tables_.at(name).refusal = std::move(refusal);
}

void ScriptedDatabase::drop_slot() {
  std::lock_guard lock(mutex_);
  has_slot_ = false;
}

void ScriptedDatabase::move_slot(std::uint64_t position) {
  std::lock_guard lock(mutex_);
  slot_confirmed_ = position;
}

void ScriptedDatabase::become_another_system() {
  std::lock_guard lock(mutex_);
  system_ += "'";
  log_.clear();
  end_ = 500;
  has_slot_ = false;
}

std::map<std::string, SourceTableState> ScriptedDatabase::tables() const {
  std::lock_guard lock(mutex_);
  return tables_;
}

std::uint64_t ScriptedDatabase::end() const {
  std::lock_guard lock(mutex_);
  return end_;
}

std::uint64_t ScriptedDatabase::confirmed() const {
  std::lock_guard lock(mutex_);
  return slot_confirmed_;
}

std::uint64_t ScriptedDatabase::heartbeats() const {
  std::lock_guard lock(mutex_);
  return heartbeats_;
}

std::vector<Transaction> ScriptedDatabase::transactions(std::uint64_t after, std::uint64_t until) const {
  std::lock_guard lock(mutex_);
  std::vector<Transaction> found;
  for (const Transaction& transaction : log_)
    if (transaction.end > after && transaction.end <= until) found.push_back(transaction);
  return found;
}

std::vector<std::string> ScriptedDatabase::complaints() const {
  std::lock_guard lock(mutex_);
  return complaints_;
}

// ---- the stream

class ScriptedStream final : public flow::Source {
 public:
  ScriptedStream(ScriptedDatabase& database, std::string dataset, std::uint64_t from, std::uint16_t epoch,
                 const pipeline::OriginTables& tables)
      : database_(database), dataset_(std::move(dataset)), at_(from), restart_(from), confirmed_(from), epoch_(epoch) {
    for (const pipeline::OriginTable& table : tables)
      known_.emplace(table.schema->source_table, Known{table.schema, 1, false, table.covered_until});
  }
  ~ScriptedStream() override {
    std::lock_guard lock(database_.mutex_);
    --database_.streams_open_;
  }

  Result<std::optional<flow::Batch>> next(base::Deadline) override {
    std::lock_guard lock(database_.mutex_);
    if (database_.happens(database_.trouble.stream_fails)) return away("the stream broke");
    const Transaction* transaction = find_next();
    if (transaction == nullptr && restart_ >= database_.end_) return std::optional<flow::Batch>();
    flow::Batch batch;
    batch.sequence = flow::BatchSequence(sequence_++);
    const std::size_t limit = 1 + database_.random_.below(database_.batch_changes_max);
    for (std::size_t taken = 0; transaction != nullptr && taken < limit; ++taken) {
      if (index_ < transaction->changes.size()) {
        take(batch, *transaction, index_++);
        batch.newest_commit_micros = transaction->commit_micros;
      }
      if (index_ < transaction->changes.size()) continue;
      at_ = restart_ = transaction->end;
      index_ = 0;
      transaction = find_next();
    }
    if (transaction == nullptr && index_ == 0)
      restart_ = std::max(restart_, database_.end_);  // a quiet source moves its position
    at_ = std::max(at_, restart_);
    batch.end = position_of(restart_);
    return std::optional(std::move(batch));
  }

  Status confirm(const flow::Position& durable) override {
    const std::uint64_t position = std::stoull(durable.bytes);
    std::uint64_t before = 0;
    {
      std::lock_guard lock(database_.mutex_);
      ++database_.heartbeats_;
      if (position < confirmed_)
        database_.complain("confirm went back from " + std::to_string(confirmed_) + " to " + durable.bytes);
      confirmed_ = position;
      before = database_.slot_confirmed_;
      if (position <= before) return ok();
    }
    const std::string complaint = database_.on_confirm ? database_.on_confirm(before, position) : std::string();
    std::lock_guard lock(database_.mutex_);
    if (!complaint.empty()) database_.complain(complaint);
    database_.slot_confirmed_ = std::max(database_.slot_confirmed_, position);
    return ok();
  }

 private:
  struct Known {
    std::shared_ptr<const data::SliceSchema> schema;
    std::uint32_t version;
    bool is_refused;
    data::Sequence covered_until;
  };

  const Transaction* find_next() const {
    const auto found =
        std::find_if(database_.log_.begin(), database_.log_.end(), [&](const Transaction& t) { return t.end > at_; });
    return found == database_.log_.end() ? nullptr : &*found;
  }

  void take(flow::Batch& batch, const Transaction& transaction, std::size_t index) {
    const Change& change = transaction.changes[index];
    const auto known = known_.find(change.table);
    if (known == known_.end()) return;
    const data::Sequence sequence = data::Sequence::of(epoch_, transaction.commit, 1 + 2 * index);
    if (change.kind == Change::Kind::kTruncate) {
      batch.events.push_back(
          {flow::TableEvent::Kind::kTruncated, change.table, sequence, "table " + change.table + " was truncated"});
      return;
    }
    if (!follow(batch, known->second, change, sequence)) return;
    if (batch.tables.empty() || batch.tables.back().schema != known->second.schema)
      batch.tables.emplace_back(known->second.schema);
    data::TableSlice& slice = batch.tables.back();
    const bool is_delete = change.kind == Change::Kind::kDelete;
    if (is_delete) {
      slice.columns[0].append_int64(change.key);
      for (std::size_t i = 1; i < slice.columns.size(); ++i) slice.columns[i].append_null();
    } else {
      append_row(slice, change.key, change.value, change.shape, sequence);
    }
    slice.sequences.push_back(sequence);
    slice.kinds.push_back(is_delete ? data::ChangeKind::kDelete : data::ChangeKind::kUpsert);
  }

  // Brings what is known of the table to the shape of the change; false when that cannot be done.
  bool follow(flow::Batch& batch, Known& known, const Change& change, data::Sequence sequence) {
    const Shape shape = shape_of(*known.schema);
    if (known.is_refused) return false;
    if (shape.value_is_text != change.shape.value_is_text) {
      if (!(known.covered_until < sequence)) return false;
      batch.events.push_back({flow::TableEvent::Kind::kSchemaRefused, change.table, sequence,
                              "column value of " + change.table + " changed its type"});
      known.is_refused = true;
      return false;
    }
    if (change.shape.has_extra && !shape.has_extra)
      known.schema = slice_schema(dataset_, change.table, change.shape, ++known.version);
    return true;
  }

  ScriptedDatabase& database_;
  const std::string dataset_;
  std::uint64_t at_;  // the end of the last transaction taken whole
  std::uint64_t restart_;
  std::uint64_t confirmed_;
  const std::uint16_t epoch_;
  std::size_t index_ = 0;  // of the next change in the transaction behind at_
  std::uint64_t sequence_ = 0;
  std::map<std::string, Known> known_;
};

// ---- copies

class ScriptedCopySource final : public flow::Source {
 public:
  ScriptedCopySource(ScriptedDatabase& database, std::vector<data::TableSlice> slices)
      : database_(database), slices_(std::move(slices)) {}

  Result<std::optional<flow::Batch>> next(base::Deadline) override {
    std::lock_guard lock(database_.mutex_);
    if (database_.happens(database_.trouble.copy_fails)) return away("the copy broke");
    if (database_.random_.below(4) == 0 && next_ < slices_.size()) return std::optional<flow::Batch>();
    flow::Batch batch;
    batch.sequence = flow::BatchSequence(next_);
    if (next_ < slices_.size()) batch.tables.push_back(std::move(slices_[next_]));
    ++next_;
    return std::optional(std::move(batch));
  }
  Status confirm(const flow::Position&) override { return ok(); }
  bool is_done() const override { return next_ >= slices_.size(); }

 private:
  ScriptedDatabase& database_;
  std::vector<data::TableSlice> slices_;
  std::size_t next_ = 0;
};

class ScriptedCopySession final : public pipeline::CopySession {
 public:
  // Under the database's lock.
  ScriptedCopySession(ScriptedDatabase& database, std::uint16_t epoch)
      : database_(database), snapshot_(database.tables_), point_(database.end_), epoch_(epoch) {}

  data::Sequence consistent_point() const override { return data::Sequence::of(epoch_, point_, 0); }
  std::string consistent_point_text() const override { return std::to_string(point_); }
  bool is_alive() override {
    std::lock_guard lock(database_.mutex_);
    return is_alive_;
  }

  Result<pipeline::CopyPlan> plan(const pipeline::OriginTable& table) override {
    std::lock_guard lock(database_.mutex_);
    if (!is_alive_) return away("the snapshot is gone");
    const SourceTableState& now = database_.tables_.at(table.schema->source_table);
    pipeline::CopyPlan plan;
    plan.identity = std::to_string(now.storage);
    const auto parts = static_cast<std::int64_t>(
        database_.ranges_min + database_.random_.below(database_.ranges_max - database_.ranges_min + 1));
    for (std::int64_t i = 0; i < parts; ++i) {
      const std::int64_t from = now.next_place * i / parts;
      const std::string to = i + 1 == parts ? "" : std::to_string(now.next_place * (i + 1) / parts);
      plan.ranges.push_back({std::to_string(from) + "-" + to, now.next_place / parts});
    }
    return plan;
  }

  Result<std::unique_ptr<flow::Source>> open_range(const pipeline::OriginTable& table, const std::string& plan_identity,
                                                   const std::string& range) override {
    std::lock_guard lock(database_.mutex_);
    if (database_.happens(database_.trouble.session_dies)) is_alive_ = false;
    if (!is_alive_) return away("the snapshot is gone");
    const std::string& name = table.schema->source_table;
    const SourceTableState& now = database_.tables_.at(name);
    if (std::to_string(now.storage) != plan_identity)
      return Error(ErrorCode::kConflict, "the table was rewritten").side(base::Side::kSource);
    const Shape listed = shape_of(*table.schema);
    if (!(listed == now.shape)) return Error(ErrorCode::kSchema, "the table was altered").side(base::Side::kSource);
    const auto dash = range.find('-');
    const std::int64_t from = std::stoll(range.substr(0, dash));
    const std::int64_t to = dash + 1 == range.size() ? INT64_MAX : std::stoll(range.substr(dash + 1));
    std::vector<data::TableSlice> slices;
    for (const auto& [key, row] : visible(name, now)) {
      if (row.place < from || row.place >= to) continue;
      if (slices.empty() || slices.back().row_count() > database_.random_.below(6)) {
        slices.emplace_back(table.schema);
        slices.back().sequences.push_back(consistent_point());
      }
      append_row(slices.back(), key, row.value, now.shape, consistent_point());
    }
    return std::unique_ptr<flow::Source>(std::make_unique<ScriptedCopySource>(database_, std::move(slices)));
  }

 private:
  // The snapshot's rows where they lie now: a rewrite keeps what older snapshots see, at other places.
  std::map<std::int64_t, SourceRow> visible(const std::string& name, const SourceTableState& now) const {
    const SourceTableState& then = snapshot_.at(name);
    if (then.storage == now.storage) return then.rows;
    std::map<std::int64_t, SourceRow> moved;
    std::int64_t place = now.next_place;
    for (const auto& [key, row] : then.rows) {
      const auto live = now.rows.find(key);
      const bool is_same = live != now.rows.end() && live->second.value == row.value;
      moved[key] = {row.value, is_same ? live->second.place : place++};
    }
    return moved;
  }

  ScriptedDatabase& database_;
  const std::map<std::string, SourceTableState> snapshot_;
  const std::uint64_t point_;
  const std::uint16_t epoch_;
  bool is_alive_ = true;
};

// ---- the port

Result<pipeline::OriginIdentity> ScriptedOrigin::identity() {
  std::lock_guard lock(database_.mutex_);
  if (database_.happens(database_.trouble.open_fails)) return away("no connection");
  return pipeline::OriginIdentity{database_.system_, 1, "scripted"};
}

Result<pipeline::OriginTables> ScriptedOrigin::tables() {
  std::lock_guard lock(database_.mutex_);
  if (database_.happens(database_.trouble.open_fails)) return away("no connection");
  pipeline::OriginTables listed;
  for (const auto& [name, table] : database_.tables_) {
    if (!table.is_published) continue;
    const auto rows = static_cast<std::int64_t>(table.rows.size());
    listed.push_back({slice_schema(dataset_, name, table.shape, 1), rows, rows * 16, table.refusal, table.identity()});
  }
  return listed;
}

Result<flow::Position> ScriptedOrigin::end_position() {
  std::lock_guard lock(database_.mutex_);
  return position_of(database_.end_);
}

Result<pipeline::SlotFacts> ScriptedOrigin::slot() {
  std::lock_guard lock(database_.mutex_);
  pipeline::SlotFacts facts;
  facts.exists = database_.has_slot_;
  facts.is_active = database_.streams_open_ > 0;
  facts.is_held_by_flytt = facts.is_active;
  facts.holder = "pid 1";
  facts.release_wait = std::chrono::seconds(70);
  facts.confirmed = position_of(database_.slot_confirmed_);
  return facts;
}

Result<flow::Position> ScriptedOrigin::create_slot(std::stop_token) {
  std::lock_guard lock(database_.mutex_);
  if (database_.happens(database_.trouble.open_fails)) return away("no connection");
  if (database_.has_slot_) return Error(ErrorCode::kConflict, "the slot exists").side(base::Side::kSource);
  database_.has_slot_ = true;
  database_.slot_confirmed_ = database_.end_;
  return position_of(database_.end_);
}

Status ScriptedOrigin::drop_slot() {
  std::lock_guard lock(database_.mutex_);
  database_.has_slot_ = false;
  return ok();
}

Result<std::unique_ptr<flow::Source>> ScriptedOrigin::open_stream(const flow::Position& from, std::uint16_t epoch,
                                                                  const pipeline::OriginTables& tables) {
  std::lock_guard lock(database_.mutex_);
  if (database_.happens(database_.trouble.open_fails)) return away("no connection");
  if (!database_.has_slot_) return Error(ErrorCode::kNotFound, "there is no slot").side(base::Side::kSource);
  if (number(from) < database_.slot_confirmed_)
    database_.complain("the stream was opened at " + from.bytes + ", before the slot");
  ++database_.streams_open_;
  return std::unique_ptr<flow::Source>(
      std::make_unique<ScriptedStream>(database_, dataset_, number(from), epoch, tables));
}

Result<std::unique_ptr<pipeline::CopySession>> ScriptedOrigin::open_copy(const pipeline::OriginTables&,
                                                                         std::uint16_t epoch, std::stop_token) {
  std::lock_guard lock(database_.mutex_);
  if (database_.happens(database_.trouble.open_fails)) return away("no connection");
  return std::unique_ptr<pipeline::CopySession>(std::make_unique<ScriptedCopySession>(database_, epoch));
}

std::uint64_t ScriptedOrigin::number(const flow::Position& position) const {
  return position.empty() ? 0 : std::stoull(position.bytes);
}

}  // namespace flytt::simulation
