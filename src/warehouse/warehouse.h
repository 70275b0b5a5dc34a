#pragma once
// The embedded warehouse: datasets, tables, rows and questions under BigQuery's names and rules, kept in one DuckDB file.
//
// A Warehouse is thread-safe: every function may be called from any thread. It owns one writer thread (appends, DDL) and
// one maintenance thread (apply, checkpoint); both end in the destructor. Questions run on connections of their own and see
// one snapshot each. The folder must be locked by the caller (FolderLock) for as long as the Warehouse lives.
//
// Errors carry BigQuery's text in sentence() and its reason in cause(): notFound, duplicate, resourceInUse, invalid,
// invalidQuery, conditionNotMet, notImplemented, stopped, timeout, backendError.
//
// Durability: what is answered is in DuckDB's write-ahead log on disk. After kill -9, open() recovers by itself.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "data/schema.h"
#include "googlesql/analyzer.h"
#include "warehouse/append.h"
#include "warehouse/jobs.h"
#include "warehouse/query.h"
#include "warehouse/tables.h"
#include "warehouse/write_streams.h"

namespace flytt::warehouse {

class ExternalQueries;

struct WarehouseOptions {
  std::string folder;   // mode 0700; the file is FOLDER/warehouse.duckdb
  std::string project;  // answers INFORMATION_SCHEMA and names without a project
  std::string location = "US";
  // DuckDB's buffers and hash tables; larger ones spill to FOLDER/spill. DuckDB works on 2,048 rows at once, whatever their
  // size: a table of so many rows needs about three times their size to be read. Opening and checkpoints, which must not
  // fail, may take up to four times this number for such rows.
  std::int64_t memory_bytes_max = 512ll << 20;
  int thread_count = 0;                 // DuckDB's workers; 0 = one per core
  std::string analyzer_library;         // see googlesql::AnalyzerOptions
  ExternalQueries* external = nullptr;  // for EXTERNAL_QUERY (external.h); outlives the warehouse
  bool maintenance = true;              // false: apply and checkpoint only when asked (tests, tools)
};

class WarehouseImpl;

class Warehouse {
 public:
  // Opens or makes the file and recovers it. `clock` and `metrics` outlive the warehouse.
  // kConfig: a newer format, or a library is missing; kCorrupt: the file is damaged; kConflict: another process has it.
  static Result<std::unique_ptr<Warehouse>> open(const WarehouseOptions& options, const base::Clock& clock,
                                                 base::Metrics& metrics);
  ~Warehouse();
  Warehouse(const Warehouse&) = delete;
  Warehouse& operator=(const Warehouse&) = delete;

  // Answers all queued appends, ends the threads and makes a checkpoint, within `deadline` as far as it goes. Calls after
  // it answer kUnavailable. Not calling it before destruction loses nothing that was answered.
  Status close(base::Deadline deadline);

  // -- Datasets
  Result<DatasetInfo> create_dataset(const DatasetInfo& dataset);
  Result<DatasetInfo> dataset(const DatasetPath& path) const;
  std::vector<DatasetInfo> datasets(const std::string& project) const;  // by name
  Result<DatasetInfo> update_dataset(const DatasetPath& path, const DatasetChange& change);
  // kConflict (resourceInUse) when it has tables and `with_tables` is false.
  Status delete_dataset(const DatasetPath& path, bool with_tables);

  // -- Tables. A schema with a key makes a mirror table, which takes UPSERT and DELETE.
  Result<TableInfo> create_table(const TableInfo& table);
  Result<TableInfo> table(const data::TablePath& path) const;
  Result<std::vector<TableInfo>> tables(const DatasetPath& path) const;  // by name
  // Waits for appends that are already in the writer's hands.
  Result<TableInfo> update_table(const data::TablePath& path, const TableChange& change);
  Status delete_table(const data::TablePath& path);
  Result<TableUsage> usage(const data::TablePath& path) const;

  // -- Rows
  Result<std::unique_ptr<AppendSession>> open_append(const data::TablePath& path, const std::string& descriptor);

  // -- Write streams: see write_streams.h for what they promise
  Result<WriteStream> create_stream(const data::TablePath& path, StreamKind kind);
  Result<WriteStream> stream(const StreamPath& path) const;
  // An append after it is refused, also by whoever does not know of it. The number of rows. May be repeated.
  Result<std::int64_t> finalize_stream(const StreamPath& path);
  // Shows the rows up to `offset`, inclusive, of a kBuffered stream. May be repeated.
  Result<std::int64_t> flush_stream(const StreamPath& path, std::int64_t offset);
  // Shows all rows of finalized kPending streams of one table at once.
  Result<StreamCommit> commit_streams(const data::TablePath& path, const std::vector<std::string>& ids);
  Result<std::unique_ptr<AppendSession>> open_stream_append(const StreamPath& path, const std::string& descriptor);

  // -- Questions. One statement, or a script of statements of which the last one's answer is returned.
  Result<std::unique_ptr<QueryResult>> query(const std::string& sql, const QueryOptions& options);
  // Analyzes only: columns and summary of the last statement, nothing is run.
  Result<std::unique_ptr<QueryResult>> dry_run(const std::string& sql, const QueryOptions& options);
  // Jobs whose rows were changed (QueryOptions::job) are there after a restart, too, for kSavedJobMicros.
  JobStore& jobs();
  Status remove_job(const std::string& project, const std::string& id);

  // -- Maintenance, which the background thread does by itself
  // Moves all changes that are committed now into the base of one table, or of all.
  Status apply(const data::TablePath& path);
  Status apply_all();
  Status checkpoint();
  Status expire_streams();  // idle ones, and tables whose expiration has passed

 private:
  explicit Warehouse(std::unique_ptr<WarehouseImpl> impl);
  std::unique_ptr<WarehouseImpl> impl_;
};

}  // namespace flytt::warehouse
