#include "warehouse/internal/maintenance.h"

#include <sys/stat.h>

#include <optional>

#include "base/failpoint.h"
#include "base/log.h"
#include "warehouse/internal/checkpoint_witness.h"
#include "warehouse/internal/merge_sql.h"
#include "warehouse/internal/metadata.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

std::int64_t micros_between(base::SteadyTime from, base::SteadyTime to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

// Runs `work` between BEGIN and COMMIT; nothing of it is kept after an error.
template <typename Work>
Status in_transaction(Connection& connection, Work work) {
  TRY_STATUS(connection.run("BEGIN"));
  Status status = work();
  if (status) status = connection.run("COMMIT");
  if (!status) connection.roll_back();
  return status;
}

}  // namespace

Maintenance::Maintenance(const Database& database, Directory& directory, std::string database_path,
                         std::int64_t memory_bytes_max, Renew renew, const base::Clock& clock, base::Metrics& metrics)
    : database_(database),
      directory_(directory),
      database_path_(std::move(database_path)),
      wal_path_(database_path_ + ".wal"),
      memory_bytes_max_(memory_bytes_max),
      renew_(std::move(renew)),
      clock_(clock),
      connections_(database),
      applies_metric_(metrics.counter("flytt_warehouse_applies_total")),
      checkpoints_metric_(metrics.counter("flytt_warehouse_checkpoints_total")),
      apply_micros_metric_(metrics.counter("flytt_warehouse_apply_microseconds_total")),
      checkpoint_micros_metric_(metrics.counter("flytt_warehouse_checkpoint_microseconds_total")) {}

Maintenance::~Maintenance() { stop(); }

void Maintenance::start() {
  quiet_since_ = clock_.steady();
  thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
}

void Maintenance::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  wake_.notify_all();
  thread_.join();
}

Status Maintenance::verify(TableState& table) {
  TRY(ConnectionPool::Lease connection, connections_.take());
  std::lock_guard lock(table.maintenance);
  return verify_locked(table, *connection);
}

Status Maintenance::verify_locked(TableState& table, Connection& connection) {
  const ReadState state = table.read_state();
  if (state.dropped || !state.has_unverified()) return ok();
  const auto version = table.version();
  // Rows without sequences come from a writer that updates in the same way: from now on they go through the log.
  if (state.load_sequence && state.load_sequence->bits == 0) table.end_load();
  const std::int64_t from = state.verified_ing, to = state.direct_committed_ing;
  std::optional<std::int64_t> excess = 0;
  if (!table.has_distinct_keys()) {
    TRY(excess, connection.number(excess_sql(*version, from, to)));
  }
  std::int64_t removed = 0;
  TRY_STATUS(in_transaction(connection, [&]() -> Status {
    if (excess.value_or(0) > 0) {
      const std::vector<std::string> statements = deduplicate_sql(*version, from, to);
      for (std::size_t i = 0; i < statements.size(); ++i) {
        TRY(const std::int64_t count, connection.changed(statements[i]));
        if (i < 2) removed += count;  // the third one is about tombstones
      }
    }
    const std::string id = std::to_string(table.id);
    TRY_STATUS(connection.run("DELETE FROM flytt.verified WHERE id = " + id));
    return connection.run("INSERT INTO flytt.verified VALUES (" + id + ", " + std::to_string(to) + ")");
  }));
  table.after_verification(to, removed);
  if (removed > 0)
    base::log_info("repeated rows of a first load removed", {{"table", version->info.path.text()}, {"rows", removed}});
  return ok();
}

Result<bool> Maintenance::apply_step(TableState& table, Connection& connection) {
  std::lock_guard lock(table.maintenance);
  if (table.read_state().dropped) return false;
  TRY_STATUS(verify_locked(table, connection));
  const auto taken = table.applicable(kApplyChunkRows, kApplyChunkBytes);
  if (!taken) return false;
  const auto version = table.version();
  const bool log_wins = table.read_state().log_wins;
  const ApplyStatements sql = apply_sql(*version, taken->last_ing, log_wins, clock_.wall_micros());
  std::int64_t gone = 0, come = 0;
  const base::SteadyTime begin = clock_.steady();
  TRY_STATUS(in_transaction(connection, [&]() -> Status {
    for (const std::string& statement : sql.prepare) TRY_STATUS(connection.run(statement));
    TRY(gone, connection.changed(sql.delete_base));
    FAILPOINT_ERROR("warehouse.apply.inside");
    TRY(come, connection.changed(sql.insert_base));
    for (const std::string& statement : sql.finish) TRY_STATUS(connection.run(statement));
    table.before_apply_commit(*taken);
    return ok();
  }));
  FAILPOINT("warehouse.apply.after");
  table.after_apply_commit(*taken, gone, come);
  ++applies_metric_;
  apply_micros_metric_ += micros_between(begin, clock_.steady());
  if (const TableState::Worn worn = table.worn(); worn.log || worn.base)
    if (const Status renewed = renew_(table, worn); !renewed)
      base::log_failure(base::LogLevel::kDebug, "a table is not made anew yet", renewed.error());
  return true;
}

Status Maintenance::apply(TableState& table) {
  const auto now = table.applicable(INT64_MAX, INT64_MAX);
  TRY(ConnectionPool::Lease connection, connections_.take());
  for (auto first = now; first && first->last_ing <= now->last_ing; first = table.applicable(0, 0)) {
    TRY(const bool more, apply_step(table, *connection));
    if (!more) break;
  }
  return ok();
}

Status Maintenance::checkpoint() {
  TRY(ConnectionPool::Lease connection, connections_.take());
  const base::SteadyTime begin = clock_.steady();
  std::lock_guard lock(checkpoint_);
  TRY_STATUS(connection->run(memory_limit_sql(memory_bytes_max_ * kCheckpointMemoryFactor)));
  CheckpointWitness witness(database_path_);
  const Status done = connection->run("CHECKPOINT");
  // Refused while more is in use than the limit allows; the next checkpoint tries again.
  static_cast<void>(connection->run(memory_limit_sql(memory_bytes_max_)));
  TRY_STATUS(done);
  if (auto told = witness.end()) return std::move(*told);
  ++checkpoints_metric_;
  checkpoint_micros_metric_ += micros_between(begin, clock_.steady());
  return ok();
}

void Maintenance::notice_commit() noexcept { commits_.fetch_add(1, std::memory_order_relaxed); }

void Maintenance::notice_slow_read(std::int64_t log_rows) {
  if (log_rows < kApplySlowReadRows) return;
  slow_read_ = true;
  wake_.notify_all();
}

void Maintenance::loop(std::stop_token stop) {
  bool is_more_due = false;
  while (!stop.stop_requested()) {
    if (!is_more_due) {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, std::chrono::milliseconds(kMaintenanceTickMillis), [&] { return slow_read_.load(); });
    }
    if (stop.stop_requested()) return;
    is_more_due = tick();
    slow_read_ = false;
  }
}

bool Maintenance::tick() {
  const base::SteadyTime now = clock_.steady();
  bool is_more_due = false;
  for (const std::shared_ptr<TableState>& table : directory_.all_tables()) {
    if (!table->is_apply_due(now, slow_read_)) continue;
    const auto turn = hold_back();
    auto connection = connections_.take();
    const Result<bool> done = connection ? apply_step(*table, **connection) : Result<bool>(connection.error());
    if (done)
      is_more_due = is_more_due || table->is_apply_due(now, slow_read_);
    else
      base::log_failure(base::LogLevel::kWarning, "changes could not be applied", done.error(),
                        {{"table", table->version()->info.path.text()}});
  }
  const auto turn = hold_back();
  maybe_checkpoint(now);
  return is_more_due;
}

std::int64_t Maintenance::wal_bytes() const {
  struct stat facts {};
  return ::stat(wal_path_.c_str(), &facts) == 0 ? static_cast<std::int64_t>(facts.st_size) : 0;
}

void Maintenance::maybe_checkpoint(base::SteadyTime now) {
  const std::int64_t commits = commits_.load(std::memory_order_relaxed);
  if (commits != commits_seen_) quiet_since_ = now;
  commits_seen_ = commits;
  const std::int64_t bytes = wal_bytes();
  const bool is_quiet = now - quiet_since_ >= std::chrono::milliseconds(kCheckpointIdleMillis);
  if (bytes < kCheckpointWalBytes && !(is_quiet && bytes >= kCheckpointIdleWalBytes)) return;
  if (const Status status = checkpoint(); !status)
    base::log_failure(base::LogLevel::kDebug, "checkpoint put off", status.error());
}

}  // namespace flytt::warehouse::internal
