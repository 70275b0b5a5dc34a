#include "state/store.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "state/internal/database.h"
#include "state/internal/format.h"
#include "state/internal/schema_connection.h"
#include "state/internal/sqlite.h"

namespace flytt::state {

using internal::Connection;
using internal::Statement;
using internal::Transaction;

namespace {

constexpr const char* kCheckpointColumns = "stream, position, system_identifier, timeline, epoch, slot, saved_micros";
constexpr const char* kLaneColumns =
    "stream, topic, partition, topic_id, next_offset, write_stream, is_settled, epoch, saved_micros";
constexpr const char* kFactsColumns =
    "stream, condition, error, since_micros, received, saved, confirmed, rows, bytes, newest_commit_micros, "
    "updated_micros";
constexpr const char* kTableColumns =
    "stream, source_table, project, dataset, destination, created_micros, phase, source_identity, valid_after, "
    "generation, reason, "
    "is_refused, detached_at, since_micros, copy_point, copy_point_micros, copy_plan, rows_estimated";

constexpr std::ptrdiff_t kRowsOfStatement =
    50;  // each number of rows is a statement of its own, which the connection keeps

struct PhaseName {
  TablePhase phase;
  std::string_view name;
};
constexpr std::array<PhaseName, 6> kPhaseNames{{{TablePhase::kPlanned, "planned"},
                                                {TablePhase::kReplacing, "replacing"},
                                                {TablePhase::kCopying, "copying"},
                                                {TablePhase::kStreaming, "streaming"},
                                                {TablePhase::kDetached, "detached"},
                                                {TablePhase::kAbsent, "absent"}}};

Result<TablePhase> parse_phase(std::string_view name) {
  for (const PhaseName& known : kPhaseNames)
    if (known.name == name) return known.phase;
  return Error(ErrorCode::kCorrupt, "the state holds an unknown table phase; restore it from a backup");
}

Status write_table(Connection& connection, const TableRecord& table) {
  TRY(Statement statement, connection.prepare(internal::upsert("stream_table", kTableColumns, 2)));
  statement.text(table.stream).text(table.source_table).text(table.project).text(table.dataset).text(table.table);
  statement.number(table.created_micros)
      .text(to_string(table.phase))
      .text(table.source_identity)
      .text(table.valid_after)
      .number(table.generation);
  statement.text(table.reason)
      .number(table.is_refused ? 1 : 0)
      .text(table.detached_at)
      .number(table.since_micros)
      .text(table.copy_point);
  statement.number(table.copy_point_micros).text(table.copy_plan).number(table.rows_estimated);
  return statement.run();
}

Status remove_ranges(Connection& connection, std::string_view stream, std::string_view source_table) {
  TRY(Statement statement, connection.prepare("DELETE FROM copy_range WHERE stream=? AND source_table=?"));
  return statement.text(stream).text(source_table).run();
}

Status write_tables(Connection& connection, const std::vector<TableRecord>& tables) {
  for (const TableRecord& table : tables) {
    TRY_STATUS(write_table(connection, table));
    if (table.phase != TablePhase::kCopying) TRY_STATUS(remove_ranges(connection, table.stream, table.source_table));
  }
  return ok();
}

// Some statements for any number of tables: each is a round trip in a schema.
Status write_changes(Connection& connection, std::string_view stream, const Store::TableChanges& changes) {
  for (auto next = changes.begin(); next != changes.end();) {
    const auto count = std::min<std::ptrdiff_t>(std::distance(next, changes.end()), kRowsOfStatement);
    std::string rows;
    for (std::ptrdiff_t i = 0; i < count; ++i) rows += i == 0 ? "(?,?,?)" : ",(?,?,?)";
    TRY(Statement statement,
        connection.prepare("INSERT INTO table_change(stream, source_table, newest) VALUES" + rows +
                           " ON CONFLICT(stream, source_table) DO UPDATE SET newest=excluded.newest"));
    for (std::ptrdiff_t i = 0; i < count; ++i, ++next) statement.text(stream).text(next->first).text(next->second);
    TRY_STATUS(statement.run());
  }
  return ok();
}

Result<TableRecord> read_table(const Statement& row) {
  TableRecord table;
  table.stream = row.text_at(0);
  table.source_table = row.text_at(1);
  table.project = row.text_at(2);
  table.dataset = row.text_at(3);
  table.table = row.text_at(4);
  table.created_micros = row.number_at(5);
  TRY(table.phase, parse_phase(row.text_at(6)));
  table.source_identity = row.text_at(7);
  table.valid_after = row.text_at(8);
  table.generation = row.number_at(9);
  table.reason = row.text_at(10);
  table.is_refused = row.number_at(11) != 0;
  table.detached_at = row.text_at(12);
  table.since_micros = row.number_at(13);
  table.copy_point = row.text_at(14);
  table.copy_point_micros = row.number_at(15);
  table.copy_plan = row.text_at(16);
  table.rows_estimated = row.number_at(17);
  return table;
}

}  // namespace

std::string_view to_string(TablePhase phase) {
  for (const PhaseName& known : kPhaseNames)
    if (known.phase == phase) return known.name;
  return "unknown";
}

Store::Store(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open_on(std::unique_ptr<Connection> connection, Access access) {
  if (access == Access::kReadWrite) TRY_STATUS(internal::bring_to_format(*connection));
  TRY(const std::int64_t version, internal::known_format(*connection));
  if (version == 0)
    return Error(ErrorCode::kNotFound, connection->name() + " holds nothing yet: it is being made, or never was");
  return std::unique_ptr<Store>(new Store(std::make_unique<Database>(std::move(connection), version)));
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, Access access) {
  TRY(auto connection, internal::SqliteConnection::open(path, access == Access::kReadWrite));
  return open_on(std::move(connection), access);
}

Result<std::unique_ptr<Store>> Store::open(const SqlDatabase& database, Access access,
                                           const std::optional<Fence>& fence) {
  TRY(auto connection, internal::SchemaConnection::open(database, access == Access::kReadWrite, fence));
  return open_on(std::move(connection), access);
}

Result<std::optional<Checkpoint>> Store::checkpoint(std::string_view stream) {
  std::lock_guard lock(mutex_);
  TRY(Statement statement,
      database_->connection.prepare("SELECT " + std::string(kCheckpointColumns) + " FROM checkpoint WHERE stream=?"));
  TRY(const bool row, statement.text(stream).step());
  if (!row) return std::optional<Checkpoint>();
  Checkpoint found;
  found.stream = statement.text_at(0);
  found.position = statement.blob_at(1);
  found.system_identifier = statement.text_at(2);
  found.timeline = static_cast<std::uint32_t>(statement.number_at(3));
  found.epoch = static_cast<std::uint16_t>(statement.number_at(4));
  found.slot = statement.text_at(5);
  found.saved_micros = statement.number_at(6);
  return std::optional<Checkpoint>(std::move(found));
}

Status Store::save_position(std::string_view stream, std::string_view position, std::int64_t saved_micros,
                            const TableChanges& changes) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  {
    TRY(Statement statement,
        database_->connection.prepare("UPDATE checkpoint SET position=?, saved_micros=? WHERE stream=?"));
    TRY_STATUS(statement.blob(position).number(saved_micros).text(stream).run());
  }
  if (database_->connection.changes() == 0)
    return Error(ErrorCode::kNotFound, "the state holds no checkpoint of stream " + std::string(stream));
  TRY_STATUS(write_changes(database_->connection, stream, changes));
  return transaction.commit();
}

Result<Store::TableChanges> Store::table_changes(std::string_view stream) {
  std::lock_guard lock(mutex_);
  TableChanges found;
  if (!database_->has_table_changes) return found;
  TRY(Statement statement,
      database_->connection.prepare("SELECT source_table, newest FROM table_change WHERE stream=?"));
  statement.text(stream);
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    found.emplace(statement.text_at(0), statement.text_at(1));
  }
}

Status Store::save(const Checkpoint& checkpoint, const std::vector<TableRecord>& tables) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  {
    TRY(Statement statement, database_->connection.prepare(internal::upsert("checkpoint", kCheckpointColumns, 1)));
    statement.text(checkpoint.stream)
        .blob(checkpoint.position)
        .text(checkpoint.system_identifier)
        .number(checkpoint.timeline);
    TRY_STATUS(statement.number(checkpoint.epoch).text(checkpoint.slot).number(checkpoint.saved_micros).run());
  }
  TRY_STATUS(write_tables(database_->connection, tables));
  return transaction.commit();
}

Result<std::vector<SavedLane>> Store::lanes(std::string_view stream) {
  std::lock_guard lock(mutex_);
  std::vector<SavedLane> found;
  if (!database_->has_lanes) return found;
  TRY(Statement statement, database_->connection.prepare("SELECT " + std::string(kLaneColumns) +
                                                         " FROM lane WHERE stream=? ORDER BY topic, partition"));
  statement.text(stream);
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    SavedLane lane;
    lane.stream = statement.text_at(0);
    lane.topic = statement.text_at(1);
    lane.partition = static_cast<std::int32_t>(statement.number_at(2));
    lane.topic_id = statement.text_at(3);
    lane.next_offset = statement.number_at(4);
    lane.write_stream = statement.text_at(5);
    lane.is_settled = statement.number_at(6) != 0;
    lane.epoch = statement.number_at(7);
    lane.saved_micros = statement.number_at(8);
    found.push_back(std::move(lane));
  }
}

Status Store::save_lanes(const std::vector<SavedLane>& lanes) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  for (const SavedLane& lane : lanes) {
    TRY(Statement statement, database_->connection.prepare(internal::upsert("lane", kLaneColumns, 3)));
    statement.text(lane.stream).text(lane.topic).number(lane.partition).text(lane.topic_id).number(lane.next_offset);
    statement.text(lane.write_stream).number(lane.is_settled ? 1 : 0).number(lane.epoch).number(lane.saved_micros);
    TRY_STATUS(statement.run());
  }
  return transaction.commit();
}

Status Store::forget_lanes(std::string_view stream, std::string_view topic) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  {
    TRY(Statement statement, database_->connection.prepare("DELETE FROM lane WHERE stream=? AND topic=?"));
    TRY_STATUS(statement.text(stream).text(topic).run());
  }
  return transaction.commit();
}

Result<std::vector<TableRecord>> Store::tables(std::string_view stream) {
  std::lock_guard lock(mutex_);
  TRY(Statement statement, database_->connection.prepare("SELECT " + std::string(kTableColumns) +
                                                         " FROM stream_table WHERE stream=? ORDER BY source_table"));
  statement.text(stream);
  std::vector<TableRecord> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    TRY(TableRecord table, read_table(statement));
    found.push_back(std::move(table));
  }
}

Status Store::save_table(const TableRecord& table) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  TRY_STATUS(write_tables(database_->connection, {table}));
  return transaction.commit();
}

Result<std::vector<CopyRange>> Store::ranges(std::string_view stream, std::string_view source_table) {
  std::lock_guard lock(mutex_);
  TRY(Statement statement, database_->connection.prepare("SELECT part, range, rows_estimated, done, rows FROM "
                                                         "copy_range WHERE stream=? AND source_table=? ORDER BY part"));
  statement.text(stream).text(source_table);
  std::vector<CopyRange> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    CopyRange range;
    range.index = static_cast<std::uint32_t>(statement.number_at(0));
    range.range = statement.text_at(1);
    range.rows_estimated = statement.number_at(2);
    range.done = statement.number_at(3) != 0;
    range.rows = statement.number_at(4);
    found.push_back(std::move(range));
  }
}

Status Store::save_copy(const TableRecord& table, const std::vector<CopyRange>& ranges) {
  CHECK(table.phase == TablePhase::kCopying);
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  TRY_STATUS(write_table(database_->connection, table));
  TRY_STATUS(remove_ranges(database_->connection, table.stream, table.source_table));
  for (const CopyRange& range : ranges) {
    TRY(Statement statement, database_->connection.prepare("INSERT INTO copy_range VALUES(?,?,?,?,?,?,?)"));
    statement.text(table.stream)
        .text(table.source_table)
        .number(range.index)
        .text(range.range)
        .number(range.rows_estimated);
    TRY_STATUS(statement.number(range.done ? 1 : 0).number(range.rows).run());
  }
  return transaction.commit();
}

Status Store::finish_range(std::string_view stream, std::string_view source_table, std::int64_t generation,
                           std::uint32_t index, std::int64_t rows) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  {
    TRY(Statement statement,
        database_->connection.prepare(
            "UPDATE copy_range SET done=1, rows=? WHERE stream=? AND source_table=? AND part=? AND EXISTS("
            "SELECT 1 FROM stream_table t WHERE t.stream=copy_range.stream AND t.source_table=copy_range.source_table "
            "AND t.generation=? AND t.phase='copying')"));
    TRY_STATUS(statement.number(rows).text(stream).text(source_table).number(index).number(generation).run());
  }
  if (database_->connection.changes() == 0)
    return Error(ErrorCode::kNotFound, "table " + std::string(source_table) + " is no longer copied under this copy");
  return transaction.commit();
}

Status Store::request_resync(const ResyncRequest& request) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  {
    TRY(Statement statement,
        database_->connection.prepare(internal::upsert("resync_request", "stream, source_table, requested_micros", 2)));
    TRY_STATUS(statement.text(request.stream).text(request.source_table).number(request.requested_micros).run());
  }
  return transaction.commit();
}

Result<std::vector<ResyncRequest>> Store::resync_requests(std::string_view stream) {
  std::lock_guard lock(mutex_);
  TRY(Statement statement,
      database_->connection.prepare(
          "SELECT stream, source_table, requested_micros FROM resync_request WHERE stream=? ORDER BY source_table"));
  statement.text(stream);
  std::vector<ResyncRequest> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    found.push_back({statement.text_at(0), statement.text_at(1), statement.number_at(2)});
  }
}

Status Store::settle_resync(const ResyncRequest& request, const std::vector<TableRecord>& tables) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  TRY_STATUS(write_tables(database_->connection, tables));
  {
    // A request that was repeated in the meantime has a later time and stays.
    TRY(Statement statement,
        database_->connection.prepare(
            "DELETE FROM resync_request WHERE stream=? AND source_table=? AND requested_micros<=?"));
    TRY_STATUS(statement.text(request.stream).text(request.source_table).number(request.requested_micros).run());
  }
  return transaction.commit();
}

Status Store::save_made(std::string_view source, const MadeObject& object) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  {
    TRY(Statement statement,
        database_->connection.prepare("INSERT INTO made_object VALUES(?,?,?,?) ON CONFLICT DO NOTHING"));
    TRY_STATUS(statement.text(source).text(object.kind).text(object.name).number(object.made_micros).run());
  }
  return transaction.commit();
}

Status Store::forget_made(std::string_view source, const MadeObject& object) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  {
    TRY(Statement statement,
        database_->connection.prepare("DELETE FROM made_object WHERE source=? AND kind=? AND name=?"));
    TRY_STATUS(statement.text(source).text(object.kind).text(object.name).run());
  }
  return transaction.commit();
}

Result<std::vector<MadeObject>> Store::made(std::string_view source) {
  std::lock_guard lock(mutex_);
  TRY(Statement statement, database_->connection.prepare(
                               "SELECT kind, name, made_micros FROM made_object WHERE source=? ORDER BY kind, name"));
  statement.text(source);
  std::vector<MadeObject> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    found.push_back({statement.text_at(0), statement.text_at(1), statement.number_at(2)});
  }
}

Status Store::save_facts(const StreamFacts& facts) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  {
    TRY(Statement statement, database_->connection.prepare(internal::upsert("stream_facts", kFactsColumns, 1)));
    statement.text(facts.stream).text(facts.condition).text(facts.error).number(facts.since_micros);
    statement.text(facts.received).text(facts.saved).text(facts.confirmed).number(facts.rows).number(facts.bytes);
    TRY_STATUS(statement.number(facts.newest_commit_micros).number(facts.updated_micros).run());
  }
  return transaction.commit();
}

Result<std::vector<StreamFacts>> Store::facts() {
  std::lock_guard lock(mutex_);
  TRY(Statement statement,
      database_->connection.prepare("SELECT " + std::string(kFactsColumns) + " FROM stream_facts ORDER BY stream"));
  std::vector<StreamFacts> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    found.push_back({statement.text_at(0), statement.text_at(1), statement.text_at(2), statement.number_at(3),
                     statement.text_at(4), statement.text_at(5), statement.text_at(6), statement.number_at(7),
                     statement.number_at(8), statement.number_at(9), statement.number_at(10)});
  }
}

Result<std::vector<std::string>> Store::streams() {
  std::lock_guard lock(mutex_);
  const std::string lanes = database_->has_lanes ? "UNION SELECT stream FROM lane " : "";
  TRY(Statement statement,
      database_->connection.prepare("SELECT stream FROM checkpoint UNION SELECT stream FROM stream_table UNION SELECT "
                                    "stream FROM stream_facts " +
                                    lanes + "ORDER BY 1"));
  std::vector<std::string> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    found.push_back(statement.text_at(0));
  }
}

Status Store::forget_stream(std::string_view stream) {
  std::lock_guard lock(mutex_);
  TRY(Transaction transaction, Transaction::begin(database_->connection));
  for (const char* table :
       {"checkpoint", "lane", "stream_table", "copy_range", "resync_request", "stream_facts", "table_change"}) {
    TRY(Statement statement, database_->connection.prepare("DELETE FROM " + std::string(table) + " WHERE stream=?"));
    TRY_STATUS(statement.text(stream).run());
  }
  return transaction.commit();
}

}  // namespace flytt::state
