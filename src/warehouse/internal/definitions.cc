// Datasets and tables: validation, the transaction on the writer thread, then the directory.

#include "base/log.h"
#include "warehouse/internal/metadata.h"
#include "warehouse/internal/row_rewrite.h"
#include "warehouse/internal/stream_store.h"
#include "warehouse/internal/warehouse_impl.h"
#include "warehouse/limits.h"

namespace flytt::warehouse {

using namespace internal;

namespace {

Error etag_mismatch() { return Error(ErrorCode::kConflict, "Precondition check failed.").cause("conditionNotMet"); }

std::string dataset_text(const DatasetPath& path) { return path.project + ":" + path.dataset; }

Error moved() { return Error(ErrorCode::kConflict, "a table of the statement was changed").cause("backendError"); }

std::shared_ptr<const TableVersion> new_version(const TableInfo& table, std::int64_t id, std::int64_t now_micros) {
  auto version = std::make_shared<TableVersion>();
  TableInfo& info = version->info;
  info = table;
  info.id = id;
  info.created_micros = info.modified_micros = now_micros;
  for (std::size_t i = 0; i < info.schema.fields.size(); ++i)
    version->physical.push_back("c" + std::to_string(version->next_column++));
  info.etag = make_etag(to_document(*version));
  return version;
}

}  // namespace

Status WarehouseImpl::transact(const std::vector<std::int64_t>& tables, const std::function<Status(Connection&)>& work,
                               const std::function<void()>& committed) {
  return writer_->run(tables, [&](Connection& connection) -> Status {
    Status status = connection.run("BEGIN");
    if (status) status = work(connection);
    if (status) {
      std::lock_guard publishing(publishing_);
      status = connection.run("COMMIT");
      if (status && committed) committed();
    }
    if (!status) connection.roll_back();
    return status;
  });
}

void WarehouseImpl::await_definitions() { std::lock_guard published(publishing_); }

Result<DatasetInfo> WarehouseImpl::dataset(const DatasetPath& path) const {
  if (auto found = directory_.find(path)) return std::move(*found);
  return dataset_not_found(path);
}

Result<DatasetInfo> WarehouseImpl::create_dataset(const DatasetInfo& dataset) {
  TRY_STATUS(check_dataset_id(dataset.path.dataset));
  std::lock_guard lock(definitions_);
  if (directory_.find(dataset.path)) return already_exists(dataset.path);
  DatasetInfo made = dataset;
  made.created_micros = made.modified_micros = clock_.wall_micros();
  if (made.location.empty()) made.location = options_.location;
  made.etag = make_etag(to_document(made));
  TRY_STATUS(transact({}, [&](Connection& connection) { return insert_dataset(connection, made); }));
  directory_.put(made);
  return made;
}

Result<DatasetInfo> WarehouseImpl::update_dataset(const DatasetPath& path, const DatasetChange& change) {
  std::lock_guard lock(definitions_);
  TRY(DatasetInfo now, dataset(path));
  if (change.if_etag && *change.if_etag != now.etag) return etag_mismatch();
  if (change.friendly_name) now.friendly_name = *change.friendly_name;
  if (change.description) now.description = *change.description;
  if (change.properties) now.properties = *change.properties;
  if (change.labels) now.labels = *change.labels;
  now.modified_micros = clock_.wall_micros();
  now.etag = make_etag(to_document(now));
  TRY_STATUS(transact({}, [&](Connection& connection) { return replace_dataset(connection, now); }));
  directory_.put(now);
  return now;
}

Status WarehouseImpl::delete_dataset(const DatasetPath& path, bool with_tables) {
  std::lock_guard lock(definitions_);
  if (!directory_.find(path)) return dataset_not_found(path);
  TRY_STATUS(drop_expired());
  const auto tables = directory_.tables(path);
  if (!tables.empty() && !with_tables)
    return Error(ErrorCode::kConflict, "Dataset " + dataset_text(path) + " is still in use").cause("resourceInUse");
  TRY_STATUS(drop(tables));
  TRY_STATUS(transact({}, [&](Connection& connection) { return remove_dataset(connection, path); }));
  directory_.remove(path);
  return ok();
}

Result<TableInfo> WarehouseImpl::create_table(const TableInfo& table) {
  TRY(MadeTable made, make_table(table, false, nullptr));
  return std::move(made.info);
}

Result<WarehouseImpl::MadeTable> WarehouseImpl::make_table(const TableInfo& table, bool replaces, Selection* rows) {
  TRY_STATUS(check_table_id(table.path.table));
  TRY_STATUS(check_schema(table.schema));
  std::lock_guard lock(definitions_);
  const DatasetPath home{table.path.project, table.path.dataset};
  if (!directory_.find(home)) return dataset_not_found(home);
  TRY_STATUS(drop_expired());  // one of them may have this name
  const std::shared_ptr<TableState> old = directory_.find(table.path);
  if (old && !replaces) return already_exists(table.path);
  std::unique_lock<std::mutex> rewriting;
  std::vector<std::int64_t> changed;
  if (old) {
    rewriting = std::unique_lock(old->maintenance);
    changed.push_back(old->id);
  }
  const auto version = new_version(table, next_id_, clock_.wall_micros());
  const auto state = std::make_shared<TableState>(version);
  MadeTable made{version->info, old != nullptr, 0};
  TRY_STATUS(transact(
      changed,
      [&](Connection& connection) -> Status {
        if (rows != nullptr && !rows->is_current()) {
          rows->is_void = true;
          return moved();
        }
        TRY_STATUS(insert_table(connection, *version));
        if (rows != nullptr)
          TRY_STATUS(watched(*rows, connection, [&]() -> Status {
            TRY(made.rows, insert_selected(connection, *state, version->physical, rows->sql));
            return ok();
          }));
        if (old) TRY_STATUS(remove_table(connection, *old->version()));
        return rows != nullptr && rows->finish ? rows->finish(connection, {made.rows, 0, 0}) : ok();
      },
      [&] {
        if (rows != nullptr) state->after_append(made.rows, clock_.wall_micros());
        if (old) old->mark_dropped();
        directory_.put(state);
      }));
  ++next_id_;
  return made;
}

Result<std::shared_ptr<TableState>> WarehouseImpl::find_table(const data::TablePath& path) const {
  if (auto found = directory_.find(path)) return found;
  const DatasetPath home{path.project, path.dataset};
  if (!directory_.find(home)) return dataset_not_found(home);
  return table_not_found(path);
}

Result<std::vector<TableInfo>> WarehouseImpl::tables(const DatasetPath& path) const {
  if (!directory_.find(path)) return dataset_not_found(path);
  std::vector<TableInfo> infos;
  for (const auto& table : directory_.tables(path)) infos.push_back(table->version()->info);
  return infos;
}

Result<TableInfo> WarehouseImpl::update_table(const data::TablePath& path, const TableChange& change) {
  std::lock_guard lock(definitions_);
  TRY(const std::shared_ptr<TableState> table, find_table(path));
  std::lock_guard rewriting(table->maintenance);
  auto version = std::make_shared<TableVersion>(*table->version());
  TableInfo& info = version->info;
  if (change.if_etag && *change.if_etag != info.etag) return etag_mismatch();
  const std::size_t fields_before = info.schema.fields.size();
  if (change.schema) {
    TRY_STATUS(check_schema_change(info, *change.schema));
    info.schema = *change.schema;
    while (version->physical.size() < info.schema.fields.size())
      version->physical.push_back("c" + std::to_string(version->next_column++));
  }
  if (change.friendly_name) info.friendly_name = *change.friendly_name;
  if (change.description) info.description = *change.description;
  if (change.max_staleness) info.max_staleness = *change.max_staleness;
  if (change.properties) info.properties = *change.properties;
  if (change.labels) info.labels = *change.labels;
  if (change.expiration_micros)
    info.expiration_micros = *change.expiration_micros == 0 ? std::nullopt : change.expiration_micros;
  info.modified_micros = clock_.wall_micros();
  info.etag = make_etag(to_document(*version));
  const auto streams = streams_.of_table(info.id);
  std::vector<std::int64_t> shapes{info.id};
  for (const auto& stream : streams) shapes.push_back(stream->number);
  TRY_STATUS(transact(
      shapes,
      [&](Connection& connection) -> Status {
        for (const auto& stream : streams)
          if (!stream->is_gone()) TRY_STATUS(add_staged_columns(connection, *stream, *version, fields_before));
        return add_columns(connection, *version, fields_before);
      },
      [&] { table->publish(version); }));
  return info;
}

Status WarehouseImpl::widen(TableState& table) {
  std::lock_guard lock(definitions_);
  if (table.read_state().dropped) return table_not_found(table.version()->info.path);
  // Direct rows have narrow sequences: no more of them, and those that exist are verified first.
  table.end_load();
  TRY_STATUS(writer_->run({}, [](Connection&) { return ok(); }));
  TRY_STATUS(maintenance_->verify(table));
  std::lock_guard rewriting(table.maintenance);
  if (table.version()->wide) return ok();
  auto version = std::make_shared<TableVersion>(*table.version());
  version->wide = true;
  TRY_STATUS(transact(
      {version->info.id},
      [&](Connection& connection) -> Status {
        TRY_STATUS(widen_sequences(connection, *version));
        TRY_STATUS(connection.run("DELETE FROM flytt.loads WHERE id = " + std::to_string(table.id)));
        return replace_table(connection, *version);
      },
      [&] {
        table.forget_load();
        table.publish(version);
      }));
  return ok();
}

Status WarehouseImpl::renew(TableState& table, TableState::Worn worn) {
  const auto version = table.version();
  return transact(
      {table.id},
      [&](Connection& connection) -> Status {
        if (worn.log) TRY_STATUS(renew_changes(connection, *version));
        if (worn.base) TRY_STATUS(renew_base(connection, *version));
        return ok();
      },
      [&] { table.after_renewal(worn); });
}

Status WarehouseImpl::watched(const Selection& rows, Connection& connection, const std::function<Status()>& work) {
  const QueryWatch::Guard guard(*watch_, connection, rows.deadline, rows.cancel);
  TRY_STATUS(guard.check());
  const Status done = work();
  return done ? ok() : Status(guard.explain(done.error()));
}

Result<std::int64_t> WarehouseImpl::insert_rows(TableState& table, const std::vector<std::string>& columns,
                                                Selection& rows) {
  std::int64_t count = 0;
  TRY_STATUS(transact(
      {},
      [&](Connection& connection) -> Status {
        if (!rows.is_current()) {
          rows.is_void = true;
          return moved();
        }
        TRY_STATUS(watched(rows, connection, [&]() -> Status {
          TRY(count, insert_selected(connection, table, columns, rows.sql));
          return ok();
        }));
        return rows.finish ? rows.finish(connection, {count, 0, 0}) : ok();
      },
      [&] { table.after_append(count, clock_.wall_micros()); }));
  return count;
}

Result<DmlCounts> WarehouseImpl::rewrite_rows(TableState& table, Selection& guard, const RowWork& work) {
  DmlCounts done;
  std::lock_guard rewriting(table.maintenance);
  TRY_STATUS(transact(
      {},
      [&](Connection& connection) -> Status {
        if (!guard.is_current()) {
          guard.is_void = true;
          return moved();
        }
        TRY_STATUS(check_takes_statements(table));
        TRY_STATUS(watched(guard, connection, [&]() -> Status {
          TRY(done, work(connection));
          return ok();
        }));
        return guard.finish ? guard.finish(connection, done) : ok();
      },
      [&] { table.after_rewrite(done.deleted, done.inserted, clock_.wall_micros()); }));
  return done;
}

Result<std::int64_t> WarehouseImpl::replace_rows(TableState& table, const std::vector<std::string>& columns,
                                                 Selection& rows, bool reads_itself) {
  TRY(const DmlCounts done, rewrite_rows(table, rows, [&](Connection& connection) -> Result<DmlCounts> {
        DmlCounts counts;
        std::string sql = rows.sql;
        if (reads_itself) {
          TRY_STATUS(connection.run("CREATE TEMP TABLE replacement AS " + sql));
          sql = "SELECT * FROM temp.replacement";
        }
        TRY(counts.deleted, connection.changed("DELETE FROM " + table.version()->base()));
        TRY(counts.inserted, insert_selected(connection, table, columns, sql));
        if (reads_itself) TRY_STATUS(connection.run("DROP TABLE temp.replacement"));
        return counts;
      }));
  return done.inserted;
}

Result<WarehouseImpl::PartWritten> WarehouseImpl::write_part(TableState& table, const std::vector<std::string>& columns,
                                                             Selection& rows, const RowsOfPart& part) {
  PartWritten done;
  const std::string base = table.version()->base();
  const auto count = [](Connection& connection, const std::string& from) -> Result<std::int64_t> {
    TRY(const auto number, connection.number("SELECT count(*) FROM " + from));
    return number.value_or(0);
  };
  const auto work = [&](Connection& connection) -> Result<DmlCounts> {
    DmlCounts counts;
    std::string names;
    for (std::size_t i = 0; i < columns.size(); ++i) names += (i == 0 ? "q" : ", q") + std::to_string(i);
    TRY_STATUS(connection.run("CREATE TEMP TABLE part AS SELECT * FROM (" + rows.sql + ") AS q(" + names + ")"));
    TRY(const std::int64_t outside, count(connection, "temp.part WHERE (" + part.is_new + ") IS NOT TRUE"));
    if (outside > 0)
      return Error(ErrorCode::kBadData,
                   "Some rows belong to different partitions rather than destination partition " + part.table.text())
          .cause("invalid");
    if (part.write == Destination::Write::kEmpty) {
      TRY(const std::int64_t old, count(connection, base + " WHERE " + part.is_old));
      if (old > 0) return already_exists(part.table);
    }
    if (part.write == Destination::Write::kTruncate || part.write == Destination::Write::kTruncateData) {
      TRY(counts.deleted, connection.changed("DELETE FROM " + base + " WHERE " + part.is_old));
    }
    TRY(counts.inserted, insert_selected(connection, table, columns, "SELECT * FROM temp.part"));
    TRY_STATUS(connection.run("DROP TABLE temp.part"));
    TRY(done.there, count(connection, base + " WHERE " + part.is_old));
    return counts;
  };
  TRY(const DmlCounts counts, rewrite_rows(table, rows, work));
  done.written = counts.inserted;
  return done;
}

Status WarehouseImpl::drop(const std::vector<std::shared_ptr<TableState>>& tables) {
  for (const std::shared_ptr<TableState>& table : tables) {
    std::lock_guard rewriting(table->maintenance);
    const auto version = table->version();
    const auto streams = streams_.of_table(table->id);
    std::vector<std::int64_t> shapes{table->id};
    for (const auto& stream : streams) shapes.push_back(stream->number);
    TRY_STATUS(transact(
        shapes,
        [&](Connection& connection) -> Status {
          for (const auto& stream : streams) TRY_STATUS(remove_stream(connection, *stream));
          return remove_table(connection, *version);
        },
        [&] {
          table->mark_dropped();
          for (const auto& stream : streams) {
            stream->mark_gone();
            streams_.remove(*stream);
          }
          directory_.remove(version->info.path);
        }));
  }
  return ok();
}

Status WarehouseImpl::drop_expired() {
  const auto tables = directory_.expired_tables();
  TRY_STATUS(drop(tables));
  for (const auto& table : tables)
    base::log_info("a table has expired", {{"table", table->version()->info.path.text()}});
  return ok();
}

Status WarehouseImpl::drop_expired_tables() {
  std::lock_guard lock(definitions_);
  return drop_expired();
}

Status WarehouseImpl::delete_table(const data::TablePath& path) {
  std::lock_guard lock(definitions_);
  TRY(std::shared_ptr<TableState> table, find_table(path));
  return drop({std::move(table)});
}

Result<TableUsage> WarehouseImpl::usage(const data::TablePath& path) {
  TRY(Connection connection, Connection::open(database_.raw()));
  TRY(const auto block_size, connection.number("SELECT block_size::BIGINT FROM pragma_database_size()"));
  for (int attempt = 1;; ++attempt) {
    TRY(const std::shared_ptr<TableState> table, find_table(path));
    TableUsage usage;
    usage.row_count = table->base_rows();
    usage.waiting_changes = table->read_state().log_rows;
    usage.modified_micros = table->modified_micros();
    const auto blocks = connection.number("SELECT count(DISTINCT block_id)::BIGINT FROM pragma_storage_info('" +
                                          table->version()->base() + "') WHERE persistent AND block_id >= 0");
    if (blocks) {
      usage.byte_count = blocks->value_or(0) * block_size.value_or(0);
      return usage;
    }
    await_definitions();
    if (!table->read_state().dropped || attempt == kSnapshotAttemptsMax) return blocks.error();
  }
}

}  // namespace flytt::warehouse
