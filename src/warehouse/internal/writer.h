#pragma once
// The one thread that writes.
//
// Row batches arrive through a queue bounded by bytes. The writer takes whatever is there, merges it per table and commits
// several tables at once (group commit). Rows that go straight to a base in bulk wait a moment for their neighbours, so that
// a commit holds whole row groups of DuckDB (122,880 rows): those are compressed and written once, and the write-ahead
// log only names them. A small append never waits for others, unless it belongs to a write stream that brought rows in
// bulk a moment ago: it is the end of such a load, or a piece of it.
//
// Where a row goes. Tables without a key: base. Mirrors: when the table never held a row, its first sequence starts a first
// load; an UPSERT with just that sequence goes straight to base (a "direct" row, to be verified before it is read), and
// every other change to the log. Rows of a table keep their order wherever it can be seen: changes overtake direct rows
// only when no sequence is equal. Ingestion numbers are given at COMMIT.
// A mirror's batch may be spread over two commits, which replaying mends; a plain table's never is.
// Rows of a write stream get their offsets in the transaction that stores them, and rows that wait to be shown have a lane
// of their own.
//
// A task (DDL) is a barrier: everything queued before it is committed first.
// `done` of a batch is called on the writer thread after COMMIT, or with the error that undid the transaction.

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "warehouse/internal/duck.h"
#include "warehouse/internal/row_chunks.h"
#include "warehouse/internal/row_store.h"

namespace flytt::warehouse::internal {

class Writer {
 public:
  // `after_commit` is called on the writer thread after every commit of rows; it must not block.
  Writer(Connection connection, const base::Clock& clock, base::Metrics& metrics, std::function<void()> after_commit);
  ~Writer();

  // Takes the batch when there is room before the deadline; else kTimeout, and `batch` is untouched.
  // kUnavailable after `stop`. A refused batch's `done` is the caller's business.
  Status enqueue(std::unique_ptr<RowBatch>& batch, base::Deadline deadline);

  // Runs `work` on the writer thread with its connection, outside of any transaction, and waits for it. `tables` are the
  // ids of tables and the numbers of streams whose shape it changes. Not from the writer thread.
  Status run(const std::vector<std::int64_t>& tables, std::function<Status(Connection&)> work);

  void stop();  // refuses what comes later, answers everything earlier, ends the thread; may be repeated

 private:
  struct Task {
    std::vector<std::int64_t> tables;
    std::function<Status(Connection&)> work;
    std::promise<Status> done;
  };
  struct Entry {
    std::unique_ptr<RowBatch> batch;
    std::unique_ptr<Task> task;
  };

  void loop();
  bool take(std::deque<Entry>& entries);  // false when there is nothing left to do, ever
  void accept(std::unique_ptr<RowBatch> batch);
  void work_off(bool everything);
  static bool is_bulk(const RowBatch& batch, base::SteadyTime now);
  bool is_ripe(const Lane& lane, base::SteadyTime now) const;
  base::Deadline next_ripe() const;
  void commit(const std::vector<Lane*>& lanes, std::int64_t rows_max);
  Status transact(const std::vector<Lane*>& lanes, std::int64_t rows_max, Transaction& transaction);
  void settle(Transaction& transaction, const Status& status);

  Connection connection_;
  const base::Clock& clock_;
  std::function<void()> after_commit_;
  RowStore store_;
  std::map<std::int64_t, Lane> direct_,
      small_;  // writer thread only, by table id: rows for base in bulk, and all others
  base::Metric& rows_metric_;
  base::Metric& commits_metric_;
  base::Metric& queue_metric_;

  std::mutex mutex_;
  std::condition_variable not_empty_, not_full_;
  std::deque<Entry> queue_;
  std::size_t queued_bytes_ = 0;  // of queue and lanes
  bool stopping_ = false;
  std::jthread thread_;
};

}  // namespace flytt::warehouse::internal
