#pragma once
// What keeps reading fast: verification of first loads, apply, checkpoints. On connections of its own; appends go on.
//
// `verify` and `apply` may be called from any thread; they hold the table's maintenance mutex. The background thread, when it
// is started, applies a table when its log is long (relative to its base), old, or in the way of a read, and makes a
// checkpoint when the write-ahead log is long, or short and nothing happens.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/metrics.h"
#include "warehouse/internal/connection_pool.h"
#include "warehouse/internal/directory.h"
#include "warehouse/internal/duck.h"

namespace flytt::warehouse::internal {

class Maintenance {
 public:
  // Makes worn tables anew, on the writer thread; called with the table's maintenance mutex held.
  using Renew = std::function<Status(TableState& table, TableState::Worn worn)>;
  Maintenance(const Database& database, Directory& directory, std::string database_path, std::int64_t memory_bytes_max,
              Renew renew, const base::Clock& clock, base::Metrics& metrics);
  ~Maintenance();

  void start();
  void stop();  // waits for the step that runs

  // Every committed direct row of the table is made distinct by key.
  Status verify(TableState& table);
  // Everything that is committed in the log now goes to base.
  Status apply(TableState& table);
  // While it is held the background thread begins nothing: for what needs the memory. Before any table's maintenance mutex.
  std::unique_lock<std::mutex> hold_back() { return std::unique_lock(heavy_); }
  Status checkpoint();

  void notice_commit() noexcept;                 // by the writer, after each commit: cheap
  void notice_slow_read(std::int64_t log_rows);  // by a reader that went over so many log rows

 private:
  Status verify_locked(TableState& table, Connection& connection);
  Result<bool> apply_step(TableState& table, Connection& connection);  // false: there was nothing
  void loop(std::stop_token stop);
  bool tick();  // true when a log is still too long
  void maybe_checkpoint(base::SteadyTime now);
  std::int64_t wal_bytes() const;

  const Database& database_;
  Directory& directory_;
  const std::string database_path_, wal_path_;
  const std::int64_t memory_bytes_max_;
  const Renew renew_;
  const base::Clock& clock_;
  ConnectionPool connections_;
  base::Metric& applies_metric_;
  base::Metric& checkpoints_metric_;
  base::Metric& apply_micros_metric_;
  base::Metric& checkpoint_micros_metric_;
  std::atomic<std::int64_t> commits_{0};
  std::atomic<bool> slow_read_{false};
  std::int64_t commits_seen_ = 0;
  base::SteadyTime quiet_since_{};
  std::mutex checkpoint_;  // one at a time
  std::mutex heavy_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace flytt::warehouse::internal
