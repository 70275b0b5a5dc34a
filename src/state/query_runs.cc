#include "state/query_runs.h"

#include <array>

#include "state/internal/database.h"

namespace flytt::state {

using internal::Statement;
using internal::Transaction;

namespace {

constexpr std::array<std::string_view, 3> kPhaseNames{"staging", "job", "done"};

constexpr const char* kColumns =
    "schedule, slot_micros, is_manual, run_id, tries, phase, staging, write_stream, project, dataset, target, "
    "disposition, job_id, sql, rows, bytes, message";

Result<QueryPhase> parse_phase(std::string_view name) {
  for (std::size_t i = 0; i < kPhaseNames.size(); ++i)
    if (kPhaseNames[i] == name) return static_cast<QueryPhase>(i);
  return Error(ErrorCode::kCorrupt, "the state holds an unknown phase of a query; restore it from a backup");
}

Result<std::vector<QueryRunRecord>> read_all(Statement& statement) {
  std::vector<QueryRunRecord> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    QueryRunRecord record;
    record.key = {statement.text_at(0), statement.number_at(1), statement.number_at(2) != 0};
    record.run_id = statement.text_at(3);
    record.tries = static_cast<int>(statement.number_at(4));
    TRY(record.phase, parse_phase(statement.text_at(5)));
    record.staging = statement.text_at(6);
    record.write_stream = statement.text_at(7);
    record.project = statement.text_at(8);
    record.dataset = statement.text_at(9);
    record.table = statement.text_at(10);
    record.disposition = statement.text_at(11);
    record.job_id = statement.text_at(12);
    record.sql = statement.text_at(13);
    record.rows = statement.number_at(14);
    record.bytes = statement.number_at(15);
    record.message = statement.text_at(16);
    found.push_back(std::move(record));
  }
}

}  // namespace

Result<std::optional<QueryRunRecord>> QueryRuns::find(const SlotKey& key) {
  std::lock_guard lock(store_.mutex_);
  TRY(Statement statement,
      store_.database_->connection.prepare("SELECT " + std::string(kColumns) +
                                           " FROM query_run WHERE schedule=? AND slot_micros=? AND is_manual=?"));
  statement.text(key.schedule).number(key.slot_micros).number(key.is_manual ? 1 : 0);
  TRY(auto found, read_all(statement));
  return found.empty() ? std::optional<QueryRunRecord>() : std::optional(std::move(found.front()));
}

Result<std::vector<QueryRunRecord>> QueryRuns::of_schedule(std::string_view schedule) {
  std::lock_guard lock(store_.mutex_);
  TRY(Statement statement, store_.database_->connection.prepare("SELECT " + std::string(kColumns) +
                                                                " FROM query_run WHERE schedule=? ORDER BY "
                                                                "slot_micros, is_manual"));
  statement.text(schedule);
  return read_all(statement);
}

Status QueryRuns::save(const QueryRunRecord& record) {
  std::lock_guard lock(store_.mutex_);
  TRY(Transaction transaction, Transaction::begin(store_.database_->connection));
  {
    TRY(Statement statement, store_.database_->connection.prepare(internal::upsert("query_run", kColumns, 3)));
    statement.text(record.key.schedule).number(record.key.slot_micros).number(record.key.is_manual ? 1 : 0);
    statement.text(record.run_id).number(record.tries).text(kPhaseNames[static_cast<std::size_t>(record.phase)]);
    statement.text(record.staging).text(record.write_stream).text(record.project).text(record.dataset);
    statement.text(record.table).text(record.disposition).text(record.job_id).text(record.sql);
    statement.number(record.rows).number(record.bytes).text(record.message);
    TRY_STATUS(statement.run());
  }
  return transaction.commit();
}

Status QueryRuns::forget(const SlotKey& key) {
  std::lock_guard lock(store_.mutex_);
  TRY(Transaction transaction, Transaction::begin(store_.database_->connection));
  {
    TRY(Statement statement, store_.database_->connection.prepare(
                                 "DELETE FROM query_run WHERE schedule=? AND slot_micros=? AND is_manual=?"));
    TRY_STATUS(statement.text(key.schedule).number(key.slot_micros).number(key.is_manual ? 1 : 0).run());
  }
  return transaction.commit();
}

}  // namespace flytt::state
