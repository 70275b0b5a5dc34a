#include "warehouse/internal/query_run.h"

#include <algorithm>

#include "base/log.h"
#include "googlesql/physical_type.h"
#include "warehouse/internal/destination.h"
#include "warehouse/internal/job_records.h"
#include "warehouse/internal/partition.h"
#include "warehouse/internal/result_columns.h"
#include "warehouse/internal/row_rewrite.h"
#include "warehouse/internal/table_options.h"
#include "warehouse/internal/warehouse_impl.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using googlesql::CreateMode;
using googlesql::StatementKind;

// BigQuery's reason, where whoever made the error did not know it.
Error with_reason(Error error) {
  if (!error.cause().empty()) return error;
  if (error.code() == ErrorCode::kBadData) return std::move(error).cause("invalidQuery");
  if (error.code() == ErrorCode::kUnsupported) return std::move(error).cause("notImplemented");
  return error;
}

// A statement that DuckDB would not prepare: either its text is wrong, which is ours, or a constant in it failed.
Error prepare_error(const std::string& message) {
  static const std::pair<std::string_view, duckdb_error_type> kTypes[] = {
      {"Invalid Input Error", DUCKDB_ERROR_INVALID_INPUT},
      {"Conversion Error", DUCKDB_ERROR_CONVERSION},
      {"Out of Range Error", DUCKDB_ERROR_OUT_OF_RANGE},
      {"INTERRUPT Error", DUCKDB_ERROR_INTERRUPT},
      {"Out of Memory Error", DUCKDB_ERROR_OUT_OF_MEMORY},
      {"IO Error", DUCKDB_ERROR_IO},
      {"FATAL Error", DUCKDB_ERROR_FATAL},
  };
  for (const auto& [prefix, type] : kTypes)
    if (message.compare(0, prefix.size(), prefix) == 0) return duck_error(type, message);
  return duck_error(DUCKDB_ERROR_BINDER, message);
}

// The answer of a statement without rows.
class NoRows final : public QueryResult {
 public:
  NoRows(StatementSummary summary, std::vector<googlesql::OutputColumn> columns)
      : summary_(std::move(summary)), columns_(std::move(columns)) {}
  const std::vector<googlesql::OutputColumn>& columns() const override { return columns_; }
  const StatementSummary& summary() const override { return summary_; }
  Result<std::optional<ResultPage>> next() override { return std::optional<ResultPage>(); }

 private:
  StatementSummary summary_;
  std::vector<googlesql::OutputColumn> columns_;
};

// Streams pages out of the snapshot that its connection holds. Members are destroyed from the last to the first.
class StreamedRows final : public QueryResult {
 public:
  StreamedRows(ConnectionPool::Lease lease, std::unique_ptr<QueryWatch::Guard> guard, QueryHandle result,
               std::vector<googlesql::OutputColumn> columns, StatementSummary summary,
               std::vector<ExternalScans::Use> external)
      : lease_(std::move(lease)),
        guard_(std::move(guard)),
        result_(std::move(result)),
        columns_(std::move(columns)),
        summary_(std::move(summary)),
        external_(std::move(external)) {}
  const std::vector<googlesql::OutputColumn>& columns() const override { return columns_; }
  const StatementSummary& summary() const override { return summary_; }

  // Before anything else: computes the first page.
  Status begin() {
    TRY(first_, read());
    return ok();
  }

  Result<std::optional<ResultPage>> next() override {
    if (auto page = std::exchange(first_, std::nullopt)) return page;
    return read();
  }

 private:
  Result<std::optional<ResultPage>> read() {
    if (finished_) return std::optional<ResultPage>();
    TRY_STATUS(guard_->check());
    const Chunk chunk(duckdb_fetch_chunk(*result_.get()));
    if (chunk.raw == nullptr) {
      finished_ = true;
      const char* message = duckdb_result_error(result_.get());
      if (message == nullptr || *message == '\0') return std::optional<ResultPage>();
      return guard_->explain(duck_error(duckdb_result_error_type(result_.get()), message));
    }
    if (chunk.size() == 0) return read();
    TRY(ResultPage page, to_page(chunk, columns_));
    return std::optional<ResultPage>(std::move(page));
  }

  ConnectionPool::Lease lease_;
  std::unique_ptr<QueryWatch::Guard> guard_;
  QueryHandle result_;
  std::vector<googlesql::OutputColumn> columns_;
  StatementSummary summary_;
  bool finished_ = false;
  std::optional<ResultPage> first_;
  std::vector<ExternalScans::Use> external_;  // last: they end before the result that reads them
};

Error always_moving() {
  return Error(ErrorCode::kConflict, "a table of the query was changed again and again; try again")
      .retry(base::Retry::kAfterBackoff)
      .cause("backendError");
}

bool is_about_memory(const Error& error) { return error.cause() == "resourcesExceeded"; }

bool is_dml(StatementKind kind) {
  return kind == StatementKind::kInsert || kind == StatementKind::kUpdate || kind == StatementKind::kDelete ||
         kind == StatementKind::kMerge;
}

std::string all_rows_of(const data::TablePath& path) { return "SELECT * FROM `" + path.text() + "`"; }

std::vector<std::string> physical_of(const TableState& table, const std::vector<std::uint32_t>& columns) {
  std::vector<std::string> names;
  const auto version = table.version();
  for (const std::uint32_t column : columns) names.push_back(version->physical[column]);
  return names;
}

bool reads(const googlesql::Translation& translation, const data::TablePath& table) {
  const auto& sources = translation.referenced_tables;
  return std::find(sources.begin(), sources.end(), table.text()) != sources.end();
}

std::string target_text(const data::TablePath& path) { return path.project + "." + path.dataset + "." + path.table; }

}  // namespace

Result<QueryRun::Step> QueryRun::translate(std::size_t begin, Connection& connection, SnapshotCatalog::Use use) {
  googlesql::TranslateOptions options;
  options.parameters = options_.parameters;
  options.now_micros = warehouse_.clock_.wall_micros();
  options.is_for_table = options_.destination.has_value();
  options.deadline = options_.deadline;
  for (int attempt = 1;; ++attempt) {
    auto catalog = std::make_unique<SnapshotCatalog>(
        warehouse_.directory_, options_, connection, use,
        [this](TableState& table) { return warehouse_.maintenance_->verify(table); }, warehouse_.options_.location,
        SnapshotCatalog::External{warehouse_.options_.external, warehouse_.external_scans_});
    Result<googlesql::Translation> translation =
        googlesql::translate(warehouse_.analyzer_, sql_, begin, *catalog, options);
    if (!translation) return with_reason(catalog->explain(std::move(translation.error())));
    TRY_STATUS(catalog->pin());
    if (!catalog->is_stale()) return Step{std::move(*translation), std::move(catalog)};
    connection.roll_back();
    if (attempt == kSnapshotAttemptsMax) return always_moving();
    warehouse_.await_definitions();
  }
}

Result<std::unique_ptr<QueryResult>> QueryRun::run(bool dry) {
  std::size_t begin = 0;
  for (int statements = 1;; ++statements) {
    TRY(ConnectionPool::Lease lease, warehouse_.connections_->take());
    auto guard = std::make_unique<QueryWatch::Guard>(*warehouse_.watch_, *lease, options_.deadline, options_.cancel);
    TRY_STATUS(guard->check());
    TRY(Step step, translate(begin, *lease, SnapshotCatalog::Use::kRead));
    const googlesql::Translation& translation = step.translation;
    const bool is_last = translation.is_last, is_query = translation.kind == StatementKind::kQuery;
    const std::size_t end = translation.end;
    if (!dry) TRY_STATUS(check_cost(*step.catalog));
    if (options_.destination) {
      TRY_STATUS(check_destination(translation, statements));
      if (!dry) {
        lease->roll_back();
        return write_to_destination(begin, *lease);
      }
    }
    std::unique_ptr<QueryResult> result;
    if (!dry && is_query) {
      const auto tables = step.catalog->read_tables();
      auto selected = select(step, std::move(lease), std::move(guard));
      step.catalog.reset();
      if (!selected && is_about_memory(selected.error())) selected = select_with_room(begin, tables);
      TRY(result, std::move(selected));
    } else {
      lease->roll_back();  // its snapshot is not needed: the writer thread does the work
      const bool has_query = translation.create_table.query.has_value();
      StatementSummary summary;
      if (!dry) {
        const bool writes = has_query || is_dml(translation.kind);
        auto done = writes ? write(begin, *lease) : define(translation);
        if (!done) return guard->explain(std::move(done).error());
        summary = std::move(*done);
      }
      summary.statement_type = googlesql::statement_type(translation.kind, has_query);
      summary.referenced_tables = translation.referenced_tables;
      summary.bytes_processed = step.catalog->bytes_read();
      if (!dry) summary.bytes_billed = step.catalog->bytes_billed();
      auto columns = dry ? translation.query.columns : std::vector<googlesql::OutputColumn>();
      result = std::make_unique<NoRows>(std::move(summary), std::move(columns));
    }
    if (dry || is_last) return result;
    while (true) {
      TRY(const std::optional<ResultPage> page, result->next());
      if (!page) break;
    }
    begin = end;
  }
}

Status QueryRun::check_destination(const googlesql::Translation& translation, int statements) const {
  if (statements > 1 || !translation.is_last)
    return Error(ErrorCode::kBadData, "configuration.query.destinationTable cannot be set for scripts")
        .cause("invalidQuery");
  if (translation.kind != StatementKind::kQuery)
    return Error(ErrorCode::kBadData, "Cannot set destination table in jobs with DDL or DML statements")
        .cause("invalidQuery");
  return ok();
}

Result<std::unique_ptr<QueryResult>> QueryRun::write_to_destination(std::size_t begin, Connection& connection) {
  StatementSummary written;
  std::vector<googlesql::OutputColumn> columns;
  for (int attempt = 1;; ++attempt) {
    TRY(const Step step, translate(begin, connection, SnapshotCatalog::Use::kWrite));
    Selection rows;
    rows.deadline = options_.deadline;
    rows.cancel = options_.cancel;
    rows.sql = step.translation.query.sql;
    rows.is_current = [&step] { return !step.catalog->has_moved(); };
    written.statement_type = "SELECT";
    written.referenced_tables = step.translation.referenced_tables;
    written.bytes_processed = step.catalog->bytes_read();
    written.bytes_billed = step.catalog->bytes_billed();
    save_job(written, rows);
    columns = step.translation.query.columns;
    const Result<Written> done =
        options_.destination->partition.empty() ? write_answer(step, rows) : write_partition(step, rows);
    if (done) {
      written.written_rows = done->rows;
      written.destination_rows = done->rows_there;
      written.destination_sql = done->read_sql;
      break;
    }
    if (!rows.is_void) return done.error();
    if (attempt == kSnapshotAttemptsMax) return always_moving();
  }
  QueryOptions reading = options_;
  reading.destination.reset();
  reading.bytes_billed_max.reset();
  reading.parameters.clear();
  QueryRun reader(warehouse_, written.destination_sql, reading);
  reader.written_ = written;
  auto answer = reader.run(false);
  if (answer) return answer;
  return std::unique_ptr<QueryResult>(std::make_unique<NoRows>(std::move(written), std::move(columns)));
}

void QueryRun::save_job(const StatementSummary& summary, Selection& rows) const {
  if (!options_.job) return;
  rows.finish = [this, summary](Connection& connection, const DmlCounts& counts) {
    Job job = *options_.job;
    job.summary = summary;
    if (options_.destination) {
      job.summary.written_rows = counts.inserted;
    } else {
      job.summary.affected_rows = counts.all();
      if (summary.statement_type != "CREATE_TABLE_AS_SELECT") job.summary.dml = counts;
    }
    job.state = Job::State::kDone;
    job.ended_micros = warehouse_.clock_.wall_micros();
    return insert_job_record(connection, job);
  };
}

// BigQuery's sentence.
Status QueryRun::check_cost(const SnapshotCatalog& catalog) const {
  if (!options_.bytes_billed_max || catalog.bytes_billed() <= *options_.bytes_billed_max) return ok();
  return Error(ErrorCode::kBadData,
               "Query exceeded limit for bytes billed: " + std::to_string(*options_.bytes_billed_max) + ". " +
                   std::to_string(catalog.bytes_billed()) + " or higher required.")
      .cause("bytesBilledLimitExceeded");
}

Result<QueryRun::Written> QueryRun::write_answer(const Step& step, Selection& rows) {
  const Destination& destination = *options_.destination;
  const std::shared_ptr<TableState> existing = warehouse_.directory_.find(destination.table);
  std::optional<TableInfo> described;
  if (existing) described = existing->version()->info;
  const bool has_rows = existing && (existing->base_rows() > 0 || existing->read_state().has_changes);
  TRY(const DestinationPlan plan,
      plan_destination(destination, step.translation.query.columns, described, has_rows, warehouse_.options_.location));
  Written written;
  written.read_sql = all_rows_of(destination.table);
  if (plan.appends || plan.replaces) {
    TRY_STATUS(check_takes_statements(*existing));
    rows.is_current = [existing, source = rows.is_current] { return !existing->read_state().dropped && source(); };
    if (plan.appends) {
      TRY(written.rows, append(*existing, plan.columns, rows));
    } else {
      TRY(written.rows, warehouse_.replace_rows(*existing, physical_of(*existing, plan.columns), rows,
                                                reads(step.translation, destination.table)));
    }
  } else {
    TRY(const auto made, warehouse_.make_table(plan.table, existing != nullptr, &rows));
    written.rows = made.rows;
  }
  const auto table = warehouse_.directory_.find(destination.table);
  written.rows_there = table ? table->base_rows() : 0;
  return written;
}

Result<QueryRun::Written> QueryRun::write_partition(const Step& step, Selection& rows) {
  const Destination& destination = *options_.destination;
  const std::shared_ptr<TableState> existing = warehouse_.directory_.find(destination.table);
  if (!existing && destination.may_create)
    return Error(ErrorCode::kUnsupported, "the table " + destination.table.text() +
                                              " is not there, and one partitioned by ingestion time cannot be made "
                                              "for it; make it first, partitioned by a column")
        .cause("notImplemented");
  TRY(const auto table, warehouse_.find_table(destination.table));
  const TableInfo info = table->version()->info;
  TRY(const Partition partition, find_partition(info, destination.partition));
  Destination whole = destination;
  whole.write = Destination::Write::kAppend;  // the schema of the table stands, however its rows are written
  TRY(const DestinationPlan plan,
      plan_destination(whole, step.translation.query.columns, info, true, warehouse_.options_.location));
  TRY_STATUS(check_takes_statements(*table));
  rows.is_current = [table, version = table->version(), source = rows.is_current] {
    return !table->read_state().dropped && table->version() == version && source();
  };
  WarehouseImpl::RowsOfPart part;
  part.write = destination.write;
  part.table = destination.table;
  part.table.table += "$" + destination.partition;
  part.is_old = is_within(partition, table->version()->physical[partition.column]);
  const auto decides = std::find(plan.columns.begin(), plan.columns.end(), partition.column);
  part.is_new = decides == plan.columns.end()
                    ? "NULL"
                    : is_within(partition, "q" + std::to_string(decides - plan.columns.begin()));
  TRY(const auto done, warehouse_.write_part(*table, physical_of(*table, plan.columns), rows, part));
  return Written{done.written, done.there, all_rows_of(destination.table) + " WHERE " + partition.google_condition};
}

Result<StatementSummary> QueryRun::define(const googlesql::Translation& translation) {
  switch (translation.kind) {
    case StatementKind::kCreateTable: return create_table(translation.create_table, nullptr);
    case StatementKind::kDropTable: return drop_table(translation.drop_table);
    case StatementKind::kCreateSchema: return create_schema(translation.create_schema);
    case StatementKind::kDropSchema: return drop_schema(translation.drop_schema);
    default: return Error(ErrorCode::kBug, "a statement is neither a question, nor does it write or define anything");
  }
}

Result<StatementSummary> QueryRun::write(std::size_t begin, Connection& connection) {
  for (int attempt = 1;; ++attempt) {
    TRY(const Step step, translate(begin, connection, SnapshotCatalog::Use::kWrite));
    const googlesql::Translation& translation = step.translation;
    Selection rows;
    rows.deadline = options_.deadline;
    rows.cancel = options_.cancel;
    rows.is_current = [&step] { return !step.catalog->has_moved(); };
    StatementSummary known;
    known.statement_type = googlesql::statement_type(translation.kind, translation.create_table.query.has_value());
    known.referenced_tables = translation.referenced_tables;
    known.bytes_processed = step.catalog->bytes_read();
    known.bytes_billed = step.catalog->bytes_billed();
    save_job(known, rows);
    Result<StatementSummary> summary = carry_out(step, rows);
    if (!rows.is_void) return summary;
    if (attempt == kSnapshotAttemptsMax) return always_moving();
  }
}

Result<StatementSummary> QueryRun::carry_out(const Step& step, Selection& rows) {
  const googlesql::Translation& translation = step.translation;
  switch (translation.kind) {
    case StatementKind::kInsert: rows.sql = translation.insert.query.sql; return insert(step, rows);
    case StatementKind::kCreateTable:
      rows.sql = translation.create_table.query->sql;
      return create_table(translation.create_table, &rows);
    default: rows.sql = translation.rewrite.sql; return rewrite(step, rows);
  }
}

Result<StatementSummary> QueryRun::rewrite(const Step& step, Selection& rows) {
  const std::shared_ptr<TableState> table = step.catalog->by_full_name(step.translation.rewrite.table);
  if (!table) return Error(ErrorCode::kBug, "a statement changes a table that was not looked up");
  StatementSummary summary;
  TRY(summary.dml, warehouse_.rewrite_rows(*table, rows, [&](Connection& connection) {
    return rewrite_with(connection, *table, rows.sql);
  }));
  summary.affected_rows = summary.dml->all();
  return summary;
}

Result<StatementSummary> QueryRun::insert(const Step& step, Selection& rows) {
  const googlesql::Translation& translation = step.translation;
  const std::shared_ptr<TableState> table = step.catalog->by_full_name(translation.insert.table);
  if (!table)
    return Error(ErrorCode::kBadData, translation.insert.table + " is not a table that rows can be inserted into")
        .cause("invalidQuery");
  StatementSummary summary;
  TRY(summary.affected_rows, append(*table, translation.insert.columns, rows));
  summary.dml = DmlCounts{*summary.affected_rows, 0, 0};
  return summary;
}

Result<std::int64_t> QueryRun::append(TableState& table, const std::vector<std::uint32_t>& columns, Selection& rows) {
  return warehouse_.insert_rows(table, physical_of(table, columns), rows);
}

Result<std::unique_ptr<QueryResult>> QueryRun::select(Step& step, ConnectionPool::Lease lease,
                                                      std::unique_ptr<QueryWatch::Guard> guard) {
  const googlesql::Query& query = step.translation.query;
  duckdb_prepared_statement prepared = nullptr;
  if (duckdb_prepare(lease->raw(), query.sql.c_str(), &prepared) != DuckDBSuccess) {
    const Error error = prepare_error(duckdb_prepare_error(prepared));
    duckdb_destroy_prepare(&prepared);
    return guard->explain(error);
  }
  QueryHandle result;
  const bool started = duckdb_execute_prepared_streaming(prepared, result.get()) == DuckDBSuccess;
  duckdb_destroy_prepare(&prepared);
  if (!started)
    return guard->explain(duck_error(duckdb_result_error_type(result.get()), duckdb_result_error(result.get())));
  warehouse_.maintenance_->notice_slow_read(step.catalog->log_rows_read());
  StatementSummary summary;
  if (written_) {
    summary = *written_;
  } else {
    summary.statement_type = "SELECT";
    summary.referenced_tables = step.translation.referenced_tables;
    summary.bytes_processed = step.catalog->bytes_read();
    summary.bytes_billed = step.catalog->bytes_billed();
  }
  auto rows = std::make_unique<StreamedRows>(std::move(lease), std::move(guard), std::move(result), query.columns,
                                             std::move(summary), step.catalog->take_external());
  TRY_STATUS(rows->begin());
  return std::unique_ptr<QueryResult>(std::move(rows));
}

Result<std::unique_ptr<QueryResult>> QueryRun::select_with_room(
    std::size_t begin, const std::vector<std::shared_ptr<TableState>>& tables) {
  const auto turn = warehouse_.maintenance_->hold_back();
  for (int attempt = 1;; ++attempt) {
    for (const auto& table : tables)
      if (const Status applied = warehouse_.maintenance_->apply(*table); !applied)
        base::log_failure(base::LogLevel::kDebug, "changes could not be applied", applied.error());
    TRY(ConnectionPool::Lease lease, warehouse_.connections_->take());
    auto guard = std::make_unique<QueryWatch::Guard>(*warehouse_.watch_, *lease, options_.deadline, options_.cancel);
    TRY_STATUS(guard->check());
    TRY(Step step, translate(begin, *lease, SnapshotCatalog::Use::kRead));
    auto selected = select(step, std::move(lease), std::move(guard));
    if (selected || !is_about_memory(selected.error()) || attempt == kMemoryAttemptsMax) return selected;
  }
}

Result<StatementSummary> QueryRun::create_table(const googlesql::CreateTable& statement, Selection* rows) {
  const auto path = resolve_table(statement.path, options_);
  if (!path)
    return Error(ErrorCode::kBadData,
                 "Table \"" + statement.path.back() + "\" must be qualified with a dataset (e.g. dataset.table).")
        .cause("invalid");
  if (statement.is_temporary)
    return Error(ErrorCode::kUnsupported, "temporary tables are not supported").cause("notImplemented");
  StatementSummary summary;
  summary.ddl_target = target_text(*path);
  summary.ddl_operation = "CREATE";
  if (warehouse_.directory_.find(*path)) {
    if (statement.mode == CreateMode::kIfNotExists) {
      summary.ddl_operation = "SKIP";
      return summary;
    }
    if (statement.mode == CreateMode::kError) return already_exists(*path);
  }
  TRY(const TableInfo wanted, describe_table(statement, *path));
  TRY(const auto made, warehouse_.make_table(wanted, statement.mode == CreateMode::kReplace, rows));
  if (made.has_replaced) summary.ddl_operation = "REPLACE";
  if (rows != nullptr) summary.affected_rows = made.rows;
  return summary;
}

Result<StatementSummary> QueryRun::drop_table(const googlesql::DropTable& statement) {
  const auto path = resolve_table(statement.path, options_);
  if (!path)
    return Error(ErrorCode::kBadData,
                 "Table \"" + statement.path.back() + "\" must be qualified with a dataset (e.g. dataset.table).")
        .cause("invalid");
  StatementSummary summary;
  summary.ddl_target = target_text(*path);
  summary.ddl_operation = "DROP";
  if (!warehouse_.directory_.find(*path)) {
    if (!statement.if_exists) return table_not_found(*path);
    summary.ddl_operation = "SKIP";
    return summary;
  }
  TRY_STATUS(warehouse_.delete_table(*path));
  return summary;
}

Result<StatementSummary> QueryRun::create_schema(const googlesql::CreateSchema& statement) {
  const DatasetPath path = resolve_dataset(statement.path, options_);
  StatementSummary summary;
  summary.ddl_target = path.project + "." + path.dataset;
  summary.ddl_operation = "CREATE";
  if (warehouse_.directory_.find(path)) {
    if (statement.mode == CreateMode::kError) return already_exists(path);
    summary.ddl_operation = "SKIP";
    return summary;
  }
  TRY(const DatasetInfo wanted, describe_dataset(statement, path));
  TRY_STATUS(warehouse_.create_dataset(wanted));
  return summary;
}

Result<StatementSummary> QueryRun::drop_schema(const googlesql::DropSchema& statement) {
  const DatasetPath path = resolve_dataset(statement.path, options_);
  StatementSummary summary;
  summary.ddl_target = path.project + "." + path.dataset;
  summary.ddl_operation = "DROP";
  if (!warehouse_.directory_.find(path)) {
    if (!statement.if_exists) return dataset_not_found(path);
    summary.ddl_operation = "SKIP";
    return summary;
  }
  TRY_STATUS(warehouse_.delete_dataset(path, statement.cascade));
  return summary;
}

}  // namespace flytt::warehouse::internal
