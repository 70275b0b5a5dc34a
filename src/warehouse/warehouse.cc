#include "warehouse/warehouse.h"

#include <sys/stat.h>

#include "warehouse/internal/append_session.h"
#include "warehouse/internal/job_records.h"
#include "warehouse/internal/metadata.h"
#include "warehouse/internal/query_run.h"
#include "warehouse/internal/warehouse_impl.h"
#include "warehouse/limits.h"
#if __has_include("warehouse/internal/sql_functions.h")
#include "warehouse/internal/sql_functions.h"
#define FLYTT_HAS_SQL_FUNCTIONS 1
#endif

namespace flytt::warehouse {

using namespace internal;

WarehouseImpl::WarehouseImpl(const WarehouseOptions& options, const base::Clock& clock, base::Metrics& metrics)
    : options_(options), clock_(clock), metrics_(metrics), jobs_(clock), analyzer_({options.analyzer_library}, clock) {}

WarehouseImpl::~WarehouseImpl() {
  external_scans_.end_all();
  stop_expiry();
  if (maintenance_) maintenance_->stop();
  if (writer_) writer_->stop();
}

Status WarehouseImpl::open() {
  ::mkdir(options_.folder.c_str(), 0700);
  std::map<std::string, std::string> settings{
      {"memory_limit", std::to_string(options_.memory_bytes_max / 1024 * kCheckpointMemoryFactor) + "KiB"},
      {"temp_directory", options_.folder + "/spill"},
      {"checkpoint_threshold", std::to_string(kCheckpointHardWalBytes / 1024) + "KiB"},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"storage_compatibility_version", "v1.5.0"},
  };
  if (options_.thread_count > 0) settings["threads"] = std::to_string(options_.thread_count);
  const mode_t before = ::umask(0077);
  Result<Database> database = Database::open(options_.folder + "/warehouse.duckdb", settings);
  ::umask(before);
  if (!database) return std::move(database.error());
  database_ = std::move(*database);
  TRY(Connection connection, Connection::open(database_.raw()));
  TRY_STATUS(prepare_file(connection));
  TRY(Loaded loaded, load(connection));
  next_id_ = loaded.next_id;
  for (const DatasetInfo& dataset : loaded.datasets) directory_.put(dataset);
  for (TableVersion& version : loaded.tables) {
    TRY(const TableState::Recovered recovered, recover(connection, version, clock_.steady()));
    auto table = std::make_shared<TableState>(std::make_shared<const TableVersion>(std::move(version)));
    table->recover(recovered);
    directory_.put(std::move(table));
  }
  // Refused while more than that is in use; the first checkpoint tries again.
  static_cast<void>(connection.run(memory_limit_sql(options_.memory_bytes_max)));
#if FLYTT_HAS_SQL_FUNCTIONS
  TRY_STATUS(register_sql_functions(connection.raw()));
#endif
  TRY_STATUS(external_scans_.register_function(connection));
  TRY_STATUS(connection.run("ATTACH ':memory:' AS " + std::string(kSpool)));
  TRY_STATUS(open_streams(connection));
  TRY(std::vector<Job> jobs, open_job_records(connection, clock_.wall_micros()));
  for (Job& job : jobs) TRY_STATUS(jobs_.add(std::move(job)));
  connections_ = std::make_unique<ConnectionPool>(database_);
  watch_ = std::make_unique<QueryWatch>(clock_);
  maintenance_ = std::make_unique<Maintenance>(
      database_, directory_, options_.folder + "/warehouse.duckdb", options_.memory_bytes_max,
      [this](TableState& table, TableState::Worn worn) { return renew(table, worn); }, clock_, metrics_);
  writer_ =
      std::make_unique<Writer>(std::move(connection), clock_, metrics_, [this] { maintenance_->notice_commit(); });
  if (options_.maintenance) {
    maintenance_->start();
    expiry_ = std::jthread([this](std::stop_token stop) { watch_expiry(stop); });
  }
  return ok();
}

void WarehouseImpl::stop_expiry() {
  expiry_.request_stop();
  if (expiry_.joinable()) expiry_.join();
}

Status WarehouseImpl::close(base::Deadline deadline) {
  stop_expiry();
  writer_->stop();
  maintenance_->stop();
  external_scans_.end_all();
  watch_->interrupt_all();
  if (clock_.is_past(deadline))
    return Error(ErrorCode::kTimeout, "no time was left for a last checkpoint; the next start takes longer");
  return maintenance_->checkpoint();
}

Result<std::unique_ptr<QueryResult>> WarehouseImpl::query(const std::string& sql, const QueryOptions& options,
                                                          bool dry) {
  QueryOptions completed = options;
  if (completed.project.empty()) completed.project = options_.project;
  return QueryRun(*this, sql, completed).run(dry);
}

Status WarehouseImpl::remove_job(const std::string& project, const std::string& id) {
  TRY_STATUS(transact({}, [&](Connection& connection) { return remove_job_record(connection, project, id); }));
  jobs_.remove(project, id);
  return ok();
}

Status WarehouseImpl::apply(const data::TablePath& path) {
  TRY(const std::shared_ptr<TableState> table, find_table(path));
  return table->version()->is_mirror() ? maintenance_->apply(*table) : ok();
}

Status WarehouseImpl::apply_all() {
  for (const std::shared_ptr<TableState>& table : directory_.all_tables())
    if (table->version()->is_mirror()) TRY_STATUS(maintenance_->apply(*table));
  return ok();
}

Result<std::unique_ptr<AppendSession>> WarehouseImpl::open_append(const data::TablePath& path,
                                                                  const std::string& descriptor) {
  TRY(std::shared_ptr<TableState> table, find_table(path));
  return TableAppendSession::make(std::move(table), nullptr, descriptor, *writer_,
                                  [this](TableState& state) { return widen(state); });
}

Warehouse::Warehouse(std::unique_ptr<WarehouseImpl> impl) : impl_(std::move(impl)) {}
Warehouse::~Warehouse() = default;

Result<std::unique_ptr<Warehouse>> Warehouse::open(const WarehouseOptions& options, const base::Clock& clock,
                                                   base::Metrics& metrics) {
  auto impl = std::make_unique<WarehouseImpl>(options, clock, metrics);
  TRY_STATUS(impl->open());
  return std::unique_ptr<Warehouse>(new Warehouse(std::move(impl)));
}

Status Warehouse::close(base::Deadline deadline) { return impl_->close(deadline); }
Result<DatasetInfo> Warehouse::create_dataset(const DatasetInfo& dataset) { return impl_->create_dataset(dataset); }
Result<DatasetInfo> Warehouse::dataset(const DatasetPath& path) const { return impl_->dataset(path); }
std::vector<DatasetInfo> Warehouse::datasets(const std::string& project) const {
  return impl_->directory_.datasets(project);
}
Result<DatasetInfo> Warehouse::update_dataset(const DatasetPath& path, const DatasetChange& change) {
  return impl_->update_dataset(path, change);
}
Status Warehouse::delete_dataset(const DatasetPath& path, bool with_tables) {
  return impl_->delete_dataset(path, with_tables);
}
Result<TableInfo> Warehouse::create_table(const TableInfo& table) { return impl_->create_table(table); }
Result<TableInfo> Warehouse::table(const data::TablePath& path) const {
  TRY(const std::shared_ptr<TableState> table, impl_->find_table(path));
  return table->version()->info;
}
Result<std::vector<TableInfo>> Warehouse::tables(const DatasetPath& path) const { return impl_->tables(path); }
Result<TableInfo> Warehouse::update_table(const data::TablePath& path, const TableChange& change) {
  return impl_->update_table(path, change);
}
Status Warehouse::delete_table(const data::TablePath& path) { return impl_->delete_table(path); }
Result<TableUsage> Warehouse::usage(const data::TablePath& path) const { return impl_->usage(path); }
Result<std::unique_ptr<AppendSession>> Warehouse::open_append(const data::TablePath& path,
                                                              const std::string& descriptor) {
  return impl_->open_append(path, descriptor);
}
Result<WriteStream> Warehouse::create_stream(const data::TablePath& path, StreamKind kind) {
  return impl_->create_stream(path, kind);
}
Result<WriteStream> Warehouse::stream(const StreamPath& path) const {
  TRY(const auto stream, impl_->find_stream(path));
  return stream->describe();
}
Result<std::int64_t> Warehouse::finalize_stream(const StreamPath& path) { return impl_->finalize_stream(path); }
Result<std::int64_t> Warehouse::flush_stream(const StreamPath& path, std::int64_t offset) {
  return impl_->flush_stream(path, offset);
}
Result<StreamCommit> Warehouse::commit_streams(const data::TablePath& path, const std::vector<std::string>& ids) {
  return impl_->commit_streams(path, ids);
}
Result<std::unique_ptr<AppendSession>> Warehouse::open_stream_append(const StreamPath& path,
                                                                     const std::string& descriptor) {
  return impl_->open_stream_append(path, descriptor);
}
Status Warehouse::expire_streams() {
  TRY_STATUS(impl_->expire_streams());
  return impl_->drop_expired_tables();
}
Result<std::unique_ptr<QueryResult>> Warehouse::query(const std::string& sql, const QueryOptions& options) {
  return impl_->query(sql, options, false);
}
Result<std::unique_ptr<QueryResult>> Warehouse::dry_run(const std::string& sql, const QueryOptions& options) {
  return impl_->query(sql, options, true);
}
Status Warehouse::apply(const data::TablePath& path) { return impl_->apply(path); }
Status Warehouse::apply_all() { return impl_->apply_all(); }
Status Warehouse::checkpoint() { return impl_->maintenance_->checkpoint(); }
JobStore& Warehouse::jobs() { return impl_->jobs_; }
Status Warehouse::remove_job(const std::string& project, const std::string& id) {
  return impl_->remove_job(project, id);
}

}  // namespace flytt::warehouse
