#include "state/schedule_ledger.h"

#include <array>

#include "state/internal/database.h"
#include "state/limits.h"

namespace flytt::state {

using internal::Connection;
using internal::Statement;
using internal::Transaction;

namespace {

constexpr std::array<std::string_view, 6> kStateNames{"due", "running", "succeeded", "failed", "missed", "skipped"};

constexpr const char* kSlotColumns =
    "schedule, slot_micros, is_manual, state, trigger_kind, attempt, attempts_before, is_resumed, interruptions, "
    "entered_micros, next_attempt_micros, started_micros, finished_micros, message";
constexpr const char* kIsActive = "state IN ('due','running')";

Result<SlotState> parse_state(std::string_view name) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i)
    if (kStateNames[i] == name) return static_cast<SlotState>(i);
  return Error(ErrorCode::kCorrupt, "the state holds an unknown state of a slot; restore it from a backup");
}

std::string_view bounded(std::string_view message) {
  if (message.size() <= kMessageBytesMax) return message;
  std::size_t end = kMessageBytesMax;
  while (end > 0 && (message[end] & 0xC0) == 0x80) --end;  // not inside of a UTF-8 character
  return message.substr(0, end);
}

Result<SlotRecord> read_slot(const Statement& row) {
  SlotRecord slot;
  slot.key = {row.text_at(0), row.number_at(1), row.number_at(2) != 0};
  TRY(slot.state, parse_state(row.text_at(3)));
  slot.trigger = row.text_at(4);
  slot.attempt = static_cast<int>(row.number_at(5));
  slot.attempts_before = static_cast<int>(row.number_at(6));
  slot.is_resumed = row.number_at(7) != 0;
  slot.interruptions = static_cast<int>(row.number_at(8));
  slot.entered_micros = row.number_at(9);
  slot.next_attempt_micros = row.number_at(10);
  slot.started_micros = row.number_at(11);
  slot.finished_micros = row.number_at(12);
  slot.message = row.text_at(13);
  return slot;
}

Result<std::vector<SlotRecord>> read_slots(Statement& statement) {
  std::vector<SlotRecord> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    TRY(SlotRecord slot, read_slot(statement));
    found.push_back(std::move(slot));
  }
}

Result<std::vector<ScheduleRecord>> read_schedules(Statement& statement) {
  std::vector<ScheduleRecord> found;
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    found.push_back({statement.text_at(0), statement.text_at(1), statement.number_at(2), statement.number_at(3),
                     statement.number_at(4), statement.number_at(5), statement.number_at(6) != 0,
                     statement.number_at(7)});
  }
}

// An older file, which is only read, has not counted successes.
std::string select_schedule(bool has_changes) {
  return std::string(
             "SELECT name, definition, first_seen_micros, decided_micros, forgotten_micros, newest_success_micros, "
             "is_paused, ") +
         (has_changes ? "successes" : "0") + " FROM schedule";
}

Result<std::optional<ScheduleRecord>> find_schedule(Connection& connection, std::string_view name,
                                                    bool has_changes = true) {
  TRY(Statement statement, connection.prepare(select_schedule(has_changes) + " WHERE name=?"));
  statement.text(name);
  TRY(auto found, read_schedules(statement));
  return found.empty() ? std::optional<ScheduleRecord>() : std::optional(std::move(found.front()));
}

Result<std::optional<SlotRecord>> find_slot(Connection& connection, const SlotKey& key) {
  TRY(Statement statement,
      connection.prepare("SELECT " + std::string(kSlotColumns) +
                         " FROM schedule_slot WHERE schedule=? AND slot_micros=? AND is_manual=?"));
  statement.text(key.schedule).number(key.slot_micros).number(key.is_manual ? 1 : 0);
  TRY(auto found, read_slots(statement));
  return found.empty() ? std::optional<SlotRecord>() : std::optional(std::move(found.front()));
}

// A row that is there already stays as it is.
Status insert_slot(Connection& connection, const SlotRecord& slot) {
  TRY(Statement statement,
      connection.prepare("INSERT INTO schedule_slot(" + std::string(kSlotColumns) +
                         ", owner) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,'') ON CONFLICT DO NOTHING"));
  statement.text(slot.key.schedule).number(slot.key.slot_micros).number(slot.key.is_manual ? 1 : 0);
  statement.text(to_string(slot.state)).text(slot.trigger).number(slot.attempt);
  statement.number(slot.attempts_before).number(slot.is_resumed ? 1 : 0);
  statement.number(slot.interruptions).number(slot.entered_micros).number(slot.next_attempt_micros);
  statement.number(slot.started_micros).number(slot.finished_micros).text(bounded(slot.message));
  return statement.run();
}

Error conflict(const SlotKey& key, std::string_view what) {
  return Error(ErrorCode::kConflict, "the slot " + std::to_string(key.slot_micros) + " of schedule " + key.schedule +
                                         " " + std::string(what) + "; it was changed by somebody else");
}
Error unknown(std::string_view name) {
  return Error(ErrorCode::kNotFound, "the state knows no schedule called " + std::string(name));
}

Status move_decided(Connection& connection, std::string_view schedule, std::int64_t before, std::int64_t after) {
  TRY(Statement statement,
      connection.prepare("UPDATE schedule SET decided_micros=? WHERE name=? AND decided_micros=?"));
  TRY_STATUS(statement.number(after).text(schedule).number(before).run());
  if (connection.changes() == 1) return ok();
  return Error(ErrorCode::kConflict, "schedule " + std::string(schedule) + " was changed by somebody else");
}

// Each step is a function of its own below; one transaction is around all of them.
class Applier {
 public:
  explicit Applier(Connection& connection) : connection_(connection) {}

  Status operator()(const EnterSlots& step) {
    TRY_STATUS(move_decided(connection_, step.schedule, step.decided_before, step.decided_after));
    for (const SlotRecord& slot : step.slots) TRY_STATUS(insert_slot(connection_, slot));
    return ok();
  }

  Status operator()(const RewindSlots& step) {
    TRY(const auto schedule, find_schedule(connection_, step.schedule));
    if (!schedule) return unknown(step.schedule);
    TRY_STATUS(move_decided(connection_, step.schedule, step.decided_before,
                            std::max(step.now_micros, schedule->forgotten_micros)));
    TRY(Statement statement,
        connection_.prepare("DELETE FROM schedule_slot WHERE schedule=? AND slot_micros>? AND trigger_kind='schedule' "
                            "AND attempt=0 AND state IN ('due','missed','skipped')"));
    return statement.text(step.schedule).number(step.now_micros).run();
  }

  Status operator()(const BeginRun& step) {
    TRY(Statement statement,
        connection_.prepare(
            "UPDATE schedule_slot SET state='running', attempt=attempt+(CASE WHEN is_resumed<>0 THEN 0 ELSE 1 END), "
            "owner=?, started_micros=?, finished_micros=0, message='' "
            "WHERE schedule=? AND slot_micros=? AND is_manual=? AND state='due'"));
    statement.text(step.owner).number(step.now_micros);
    TRY_STATUS(key(statement, step.key).run());
    return connection_.changes() == 1 ? ok() : conflict(step.key, "is not due");
  }

  Status operator()(const EndRun& step) {
    CHECK(step.state != SlotState::kRunning && step.state != SlotState::kMissed);
    {
      TRY(Statement statement,
          connection_.prepare(
              "UPDATE schedule_slot SET state=?, is_resumed=0, finished_micros=?, next_attempt_micros=?, "
              "message=?, owner='' WHERE schedule=? AND slot_micros=? AND is_manual=? AND "
              "state='running' AND attempt=? AND owner=?"));
      statement.text(to_string(step.state)).number(step.now_micros).number(step.next_attempt_micros);
      statement.text(bounded(step.message));
      TRY_STATUS(key(statement, step.key).number(step.attempt).text(step.owner).run());
    }
    if (connection_.changes() != 1) return conflict(step.key, "does not run under this attempt");
    if (step.state != SlotState::kSucceeded) return ok();
    TRY(Statement statement,
        connection_.prepare("UPDATE schedule SET newest_success_micros=CASE WHEN newest_success_micros<?1 THEN ?1 ELSE "
                            "newest_success_micros END, successes=successes+1 WHERE name=?2"));
    return statement.number(step.key.slot_micros).text(step.key.schedule).run();
  }

  Status operator()(const DropSlot& step) {
    CHECK(step.state == SlotState::kMissed || step.state == SlotState::kSkipped);
    TRY(Statement statement,
        connection_.prepare("UPDATE schedule_slot SET state=?, finished_micros=?, message=? WHERE schedule=? AND "
                            "slot_micros=? AND is_manual=? AND state='due'"));
    statement.text(to_string(step.state)).number(step.now_micros).text(bounded(step.message));
    TRY_STATUS(key(statement, step.key).run());
    return connection_.changes() == 1 ? ok() : conflict(step.key, "is not due");
  }

  Status operator()(const SeeChange& step) {
    TRY(Statement statement, connection_.prepare("INSERT INTO schedule_seen(schedule, dependency, mark) VALUES(?,?,?) "
                                                 "ON CONFLICT(schedule, dependency) DO UPDATE SET mark=excluded.mark"));
    return statement.text(step.schedule).text(step.dependency).text(step.mark).run();
  }

 private:
  static Statement& key(Statement& statement, const SlotKey& key) {
    return statement.text(key.schedule).number(key.slot_micros).number(key.is_manual ? 1 : 0);
  }
  Connection& connection_;
};

// Makes a slot due whose row is of one that did not succeed, or absent. False: somebody is at it, or it succeeded.
Status enter_again(Connection& connection, const SlotKey& key, std::int64_t now_micros) {
  SlotRecord due;
  due.key = key;
  due.trigger = "backfill";
  due.entered_micros = due.next_attempt_micros = now_micros;
  TRY_STATUS(insert_slot(connection, due));
  TRY(Statement statement,
      connection.prepare("UPDATE schedule_slot SET state='due', trigger_kind='backfill', interruptions=0, "
                         "attempts_before=attempt-(CASE WHEN is_resumed<>0 THEN 1 ELSE 0 END), "
                         "entered_micros=?, next_attempt_micros=?, message='' WHERE schedule=? AND slot_micros=? AND "
                         "is_manual=0 AND state IN ('failed','missed','skipped')"));
  return statement.number(now_micros).number(now_micros).text(key.schedule).number(key.slot_micros).run();
}

}  // namespace

std::string_view to_string(SlotState state) { return kStateNames.at(static_cast<std::size_t>(state)); }

Result<std::vector<ScheduleRecord>> ScheduleLedger::schedules() {
  std::lock_guard lock(store_.mutex_);
  if (!store_.database_->has_schedules) return std::vector<ScheduleRecord>();
  TRY(Statement statement,
      store_.database_->connection.prepare(select_schedule(store_.database_->has_changes) + " ORDER BY name"));
  return read_schedules(statement);
}

Result<std::optional<ScheduleRecord>> ScheduleLedger::schedule(std::string_view name) {
  std::lock_guard lock(store_.mutex_);
  if (!store_.database_->has_schedules) return std::optional<ScheduleRecord>();
  return find_schedule(store_.database_->connection, name, store_.database_->has_changes);
}

Result<std::map<std::string, std::string>> ScheduleLedger::seen(std::string_view name) {
  std::lock_guard lock(store_.mutex_);
  std::map<std::string, std::string> found;
  if (!store_.database_->has_changes) return found;
  TRY(Statement statement,
      store_.database_->connection.prepare("SELECT dependency, mark FROM schedule_seen WHERE schedule=?"));
  statement.text(name);
  while (true) {
    TRY(const bool row, statement.step());
    if (!row) return found;
    found.emplace(statement.text_at(0), statement.text_at(1));
  }
}

Result<std::optional<SlotRecord>> ScheduleLedger::slot(const SlotKey& key) {
  std::lock_guard lock(store_.mutex_);
  if (!store_.database_->has_schedules) return std::optional<SlotRecord>();
  return find_slot(store_.database_->connection, key);
}

Result<std::vector<SlotRecord>> ScheduleLedger::active(std::string_view name) {
  std::lock_guard lock(store_.mutex_);
  if (!store_.database_->has_schedules) return std::vector<SlotRecord>();
  TRY(Statement statement,
      store_.database_->connection.prepare("SELECT " + std::string(kSlotColumns) +
                                           " FROM schedule_slot INDEXED BY schedule_slot_active WHERE schedule=? AND " +
                                           kIsActive + " ORDER BY slot_micros, is_manual"));
  statement.text(name);
  return read_slots(statement);
}

Result<std::vector<SlotRecord>> ScheduleLedger::history(std::string_view name, std::size_t limit) {
  std::lock_guard lock(store_.mutex_);
  if (!store_.database_->has_schedules) return std::vector<SlotRecord>();
  TRY(Statement statement,
      store_.database_->connection.prepare("SELECT " + std::string(kSlotColumns) +
                                           " FROM schedule_slot WHERE schedule=? ORDER BY slot_micros DESC, "
                                           "is_manual DESC LIMIT ?"));
  statement.text(name).number(static_cast<std::int64_t>(limit));
  return read_slots(statement);
}

Status ScheduleLedger::enroll(std::string_view name, std::string_view definition, std::int64_t now_micros) {
  std::lock_guard lock(store_.mutex_);
  TRY(Transaction transaction, Transaction::begin(store_.database_->connection));
  {
    TRY(Statement statement, store_.database_->connection.prepare(
                                 "INSERT INTO schedule(name, definition, first_seen_micros, decided_micros, "
                                 "forgotten_micros, newest_success_micros, is_paused) VALUES(?1,?2,?3,?3,?4,?4,0) "
                                 "ON CONFLICT(name) DO UPDATE SET definition=?2, decided_micros=CASE WHEN "
                                 "schedule.decided_micros<?3 THEN ?3 ELSE schedule.decided_micros END "
                                 "WHERE schedule.definition<>?2"));
    TRY_STATUS(statement.text(name).text(definition).number(now_micros).number(INT64_MIN).run());
  }
  return transaction.commit();
}

Status ScheduleLedger::apply(const std::vector<LedgerStep>& steps) {
  std::lock_guard lock(store_.mutex_);
  TRY(Transaction transaction, Transaction::begin(store_.database_->connection));
  for (const LedgerStep& step : steps) TRY_STATUS(std::visit(Applier(store_.database_->connection), step));
  return transaction.commit();
}

Result<std::size_t> ScheduleLedger::recover(std::string_view owner, int interruptions_max, std::int64_t now_micros,
                                            const std::set<SlotKey>& going_on) {
  std::lock_guard lock(store_.mutex_);
  Connection& connection = store_.database_->connection;
  TRY(Transaction transaction, Transaction::begin(connection));
  std::size_t count = 0;
  for (const SlotKey& key : going_on) {
    TRY(Statement statement,
        connection.prepare("UPDATE schedule_slot SET owner='', is_resumed=1, next_attempt_micros=?1, state='due', "
                           "finished_micros=?1, message='the program ended; the work went on' WHERE schedule=?2 AND "
                           "slot_micros=?3 AND is_manual=?4 AND state='running' AND owner<>?5"));
    statement.number(now_micros).text(key.schedule).number(key.slot_micros).number(key.is_manual ? 1 : 0);
    TRY_STATUS(statement.text(owner).run());
    count += static_cast<std::size_t>(connection.changes());
  }
  {
    TRY(Statement statement,
        connection.prepare(
            "UPDATE schedule_slot SET interruptions=interruptions+1, owner='', is_resumed=1, next_attempt_micros=?1, "
            "state=CASE WHEN interruptions+1>=?2 THEN 'failed' ELSE 'due' END, finished_micros=?1, message=CASE WHEN "
            "interruptions+1>=?2 THEN 'the program ended ' || (interruptions+1) || ' times while it ran' ELSE 'the "
            "program ended while it ran' END WHERE state='running' AND owner<>?3"));
    TRY_STATUS(statement.number(now_micros).number(interruptions_max).text(owner).run());
    count += static_cast<std::size_t>(connection.changes());
  }
  TRY_STATUS(transaction.commit());
  return count;
}

Status ScheduleLedger::set_paused(std::string_view name, bool is_paused) {
  std::lock_guard lock(store_.mutex_);
  TRY(Transaction transaction, Transaction::begin(store_.database_->connection));
  {
    TRY(Statement statement, store_.database_->connection.prepare("UPDATE schedule SET is_paused=? WHERE name=?"));
    TRY_STATUS(statement.number(is_paused ? 1 : 0).text(name).run());
  }
  if (store_.database_->connection.changes() == 0) return unknown(name);
  return transaction.commit();
}

Result<BackfillOutcome> ScheduleLedger::backfill(std::string_view name, const std::vector<std::int64_t>& slots,
                                                 bool with_forgotten, std::int64_t now_micros) {
  std::lock_guard lock(store_.mutex_);
  Connection& connection = store_.database_->connection;
  TRY(Transaction transaction, Transaction::begin(connection));
  TRY(const auto schedule, find_schedule(connection, name));
  if (!schedule) return unknown(name);
  BackfillOutcome outcome;
  for (const std::int64_t slot : slots) {
    const SlotKey key{std::string(name), slot, false};
    TRY(const auto row, find_slot(connection, key));
    if (row && row->state == SlotState::kSucceeded) {
      ++outcome.succeeded_before;
    } else if (row && (row->state == SlotState::kDue || row->state == SlotState::kRunning)) {
      ++outcome.active;
    } else if (!row && !with_forgotten && slot > schedule->first_seen_micros && slot <= schedule->forgotten_micros) {
      ++outcome.forgotten;
    } else {
      TRY_STATUS(enter_again(connection, key, now_micros));
      ++outcome.entered;
    }
  }
  TRY_STATUS(transaction.commit());
  return outcome;
}

Result<SlotKey> ScheduleLedger::run_now(std::string_view name, std::int64_t now_micros) {
  std::lock_guard lock(store_.mutex_);
  Connection& connection = store_.database_->connection;
  TRY(Transaction transaction, Transaction::begin(connection));
  TRY(const auto schedule, find_schedule(connection, name));
  if (!schedule) return unknown(name);
  SlotRecord due;
  due.key = {std::string(name), now_micros, true};
  due.trigger = "manual";
  due.entered_micros = due.next_attempt_micros = now_micros;
  TRY(const auto row, find_slot(connection, due.key));
  if (row) return conflict(due.key, "was asked for already");
  TRY_STATUS(insert_slot(connection, due));
  TRY_STATUS(transaction.commit());
  return due.key;
}

Status ScheduleLedger::prune(std::string_view name, std::size_t keep) {
  std::lock_guard lock(store_.mutex_);
  Connection& connection = store_.database_->connection;
  TRY(Transaction transaction, Transaction::begin(connection));
  const std::string finished = std::string("NOT ") + kIsActive;
  std::int64_t oldest_kept = 0;
  {
    TRY(Statement statement, connection.prepare("SELECT slot_micros FROM schedule_slot WHERE schedule=? AND " +
                                                finished + " ORDER BY slot_micros DESC LIMIT 1 OFFSET ?"));
    statement.text(name).number(static_cast<std::int64_t>(keep));
    TRY(const bool row, statement.step());
    if (!row) return ok();
    oldest_kept = statement.number_at(0);
  }
  {
    TRY(Statement newest,
        connection.prepare("SELECT slot_micros FROM schedule_slot WHERE schedule=? AND slot_micros<=? "
                           "AND is_manual=0 AND " +
                           finished + " ORDER BY slot_micros DESC LIMIT 1"));
    TRY(const bool row, newest.text(name).number(oldest_kept).step());
    TRY(Statement statement,
        connection.prepare("UPDATE schedule SET forgotten_micros=?1 WHERE name=?2 AND forgotten_micros<?1"));
    if (row) TRY_STATUS(statement.number(newest.number_at(0)).text(name).run());
  }
  {
    TRY(Statement statement,
        connection.prepare("DELETE FROM schedule_slot WHERE schedule=? AND slot_micros<=? AND " + finished));
    TRY_STATUS(statement.text(name).number(oldest_kept).run());
  }
  return transaction.commit();
}

Status ScheduleLedger::forget(std::string_view name) {
  std::lock_guard lock(store_.mutex_);
  Connection& connection = store_.database_->connection;
  TRY(Transaction transaction, Transaction::begin(connection));
  for (const char* sql : {"DELETE FROM schedule WHERE name=?", "DELETE FROM schedule_slot WHERE schedule=?",
                          "DELETE FROM schedule_seen WHERE schedule=?"}) {
    TRY(Statement statement, connection.prepare(sql));
    TRY_STATUS(statement.text(name).run());
  }
  return transaction.commit();
}

Result<std::int64_t> ScheduleLedger::version() {
  std::lock_guard lock(store_.mutex_);
  return store_.database_->connection.revision();
}

}  // namespace flytt::state
