#pragma once
// The parts of a Warehouse and how they are wired. One file per concern: warehouse.cc opens and closes, definitions.cc keeps
// datasets and tables, write_streams.cc keeps write streams.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "warehouse/internal/connection_pool.h"
#include "warehouse/internal/directory.h"
#include "warehouse/internal/duck.h"
#include "warehouse/internal/external_scan.h"
#include "warehouse/internal/maintenance.h"
#include "warehouse/internal/query_watch.h"
#include "warehouse/internal/stream_state.h"
#include "warehouse/internal/writer.h"
#include "warehouse/warehouse.h"

namespace flytt::warehouse {

// Rows of a SELECT in DuckDB's SQL, whose relations are right in every snapshot.
struct Selection {
  std::string sql;
  std::function<bool()> is_current;  // asked on the writer thread: the tables are still those that `sql` was made for
  bool is_void = false;              // they were not, and nothing was done: translate again
  // Until when, and whether still, somebody wants them; `cancel` may be null.
  base::Deadline deadline;
  std::shared_ptr<std::atomic<bool>> cancel;
  // Called last in the transaction that the rows are written in; may be empty.
  std::function<Status(internal::Connection&, const DmlCounts&)> finish;
};

class WarehouseImpl {
 public:
  WarehouseImpl(const WarehouseOptions& options, const base::Clock& clock, base::Metrics& metrics);
  ~WarehouseImpl();

  Status open();
  Status close(base::Deadline deadline);

  // -- definitions.cc
  Result<DatasetInfo> create_dataset(const DatasetInfo& dataset);
  Result<DatasetInfo> dataset(const DatasetPath& path) const;
  Result<DatasetInfo> update_dataset(const DatasetPath& path, const DatasetChange& change);
  Status delete_dataset(const DatasetPath& path, bool with_tables);
  Result<TableInfo> create_table(const TableInfo& table);
  struct MadeTable {
    TableInfo info;
    bool has_replaced = false;
    std::int64_t rows = 0;
  };
  // Makes a table, with `replaces` in the place of the one that has its name, and with the rows of `rows` when it is not
  // null: one transaction, so that readers see the old table or the new one and never none.
  Result<MadeTable> make_table(const TableInfo& table, bool replaces, Selection* rows);
  Result<std::shared_ptr<internal::TableState>> find_table(const data::TablePath& path) const;
  Result<std::vector<TableInfo>> tables(const DatasetPath& path) const;
  Result<TableInfo> update_table(const data::TablePath& path, const TableChange& change);
  Status delete_table(const data::TablePath& path);
  Result<TableUsage> usage(const data::TablePath& path);
  Status drop_expired_tables();
  Status widen(internal::TableState& table);
  // With the table's maintenance mutex held: makes its worn tables in DuckDB anew.
  Status renew(internal::TableState& table, internal::TableState::Worn worn);

  Result<std::unique_ptr<AppendSession>> open_append(const data::TablePath& path, const std::string& descriptor);
  // As plain rows. How many.
  Result<std::int64_t> insert_rows(internal::TableState& table, const std::vector<std::string>& columns,
                                   Selection& rows);
  // Changes rows of a table that takes no changes from streams (kBadData), in one transaction: readers see all of it or
  // nothing. `work` runs on the writer thread and says what it did.
  using RowWork = std::function<Result<DmlCounts>(internal::Connection&)>;
  Result<DmlCounts> rewrite_rows(internal::TableState& table, Selection& guard, const RowWork& work);
  // The rows of `rows` in the place of all that the table has; `reads_itself`: they come from it.
  Result<std::int64_t> replace_rows(internal::TableState& table, const std::vector<std::string>& columns,
                                    Selection& rows, bool reads_itself);
  // Some rows of a table, and how those of an answer are to come among them.
  struct RowsOfPart {
    data::TablePath table;  // for people, with the partition
    Destination::Write write = Destination::Write::kAppend;
    std::string is_old, is_new;  // conditions: on the table's columns; on those of the answer, q0, q1, …
  };
  struct PartWritten {
    std::int64_t written = 0, there = 0;
  };
  // kBadData (invalid) when a row of `rows` does not belong to the part.
  Result<PartWritten> write_part(internal::TableState& table, const std::vector<std::string>& columns, Selection& rows,
                                 const RowsOfPart& part);
  // Waits until memory knows of every change of definitions that a snapshot can show.
  void await_definitions();
  Status remove_job(const std::string& project, const std::string& id);
  Result<std::unique_ptr<QueryResult>> query(const std::string& sql, const QueryOptions& options, bool dry);

  // -- write_streams.cc
  Result<WriteStream> create_stream(const data::TablePath& path, StreamKind kind);
  Result<std::shared_ptr<internal::StreamState>> find_stream(const StreamPath& path) const;
  Result<std::int64_t> finalize_stream(const StreamPath& path);
  Result<std::int64_t> flush_stream(const StreamPath& path, std::int64_t offset);
  Result<StreamCommit> commit_streams(const data::TablePath& path, const std::vector<std::string>& ids);
  Status expire_streams();
  Result<std::unique_ptr<AppendSession>> open_stream_append(const StreamPath& path, const std::string& descriptor);

  Status apply(const data::TablePath& path);
  Status apply_all();

  const WarehouseOptions options_;
  const base::Clock& clock_;
  base::Metrics& metrics_;
  JobStore jobs_;
  internal::ExternalScans external_scans_{clock_};
  internal::Database database_;
  internal::Directory directory_{clock_};
  internal::StreamDirectory streams_;
  googlesql::Analyzer analyzer_;
  std::unique_ptr<internal::ConnectionPool> connections_;
  std::unique_ptr<internal::QueryWatch> watch_;
  std::unique_ptr<internal::Maintenance> maintenance_;

 private:
  // With definitions_ held.
  Status drop_expired();
  Status drop(const std::vector<std::shared_ptr<internal::TableState>>& tables);
  // Work on the writer thread's connection that is stopped when nobody wants it any more.
  Status watched(const Selection& rows, internal::Connection& connection, const std::function<Status()>& work);
  // One transaction on the writer thread; `committed` follows it there, before any later rows.
  Status transact(const std::vector<std::int64_t>& tables, const std::function<Status(internal::Connection&)>& work,
                  const std::function<void()>& committed = nullptr);

  Status open_streams(internal::Connection& connection);
  Status change_stream(const std::shared_ptr<internal::StreamState>& stream,
                       const std::function<Status(internal::Connection&, internal::StreamFacts&)>& change);
  void watch_expiry(std::stop_token stop);
  void stop_expiry();

  std::mutex definitions_;  // one change of definitions at a time
  std::mutex publishing_;   // held by the writer thread from the COMMIT of such a change until memory knows of it
  std::int64_t next_id_ = 1;
  std::unique_ptr<internal::Writer> writer_;
  std::jthread expiry_;
};

}  // namespace flytt::warehouse
