#include "state/internal/format.h"

#include <array>

#include "state/limits.h"

namespace flytt::state::internal {

namespace {

constexpr const char* kSchema = R"(
CREATE TABLE checkpoint(
  stream TEXT PRIMARY KEY, position BLOB NOT NULL, system_identifier TEXT NOT NULL, timeline INTEGER NOT NULL,
  epoch INTEGER NOT NULL, slot TEXT NOT NULL, saved_micros INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE stream_table(
  stream TEXT NOT NULL, source_table TEXT NOT NULL, project TEXT NOT NULL, dataset TEXT NOT NULL, destination TEXT NOT NULL,
  created_micros INTEGER NOT NULL, phase TEXT NOT NULL, source_identity TEXT NOT NULL,
  valid_after TEXT NOT NULL, generation INTEGER NOT NULL,
  reason TEXT NOT NULL, is_refused INTEGER NOT NULL, detached_at TEXT NOT NULL, since_micros INTEGER NOT NULL, copy_point TEXT NOT NULL,
  copy_point_micros INTEGER NOT NULL, copy_plan TEXT NOT NULL, rows_estimated INTEGER NOT NULL,
  PRIMARY KEY(stream, source_table)) WITHOUT ROWID;
CREATE TABLE copy_range(
  stream TEXT NOT NULL, source_table TEXT NOT NULL, part INTEGER NOT NULL, range TEXT NOT NULL,
  rows_estimated INTEGER NOT NULL, done INTEGER NOT NULL, rows INTEGER NOT NULL,
  PRIMARY KEY(stream, source_table, part)) WITHOUT ROWID;
CREATE TABLE resync_request(
  stream TEXT NOT NULL, source_table TEXT NOT NULL, requested_micros INTEGER NOT NULL,
  PRIMARY KEY(stream, source_table)) WITHOUT ROWID;
CREATE TABLE made_object(
  source TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, made_micros INTEGER NOT NULL,
  PRIMARY KEY(source, kind, name)) WITHOUT ROWID;
CREATE TABLE stream_facts(
  stream TEXT PRIMARY KEY, condition TEXT NOT NULL, error TEXT NOT NULL, since_micros INTEGER NOT NULL,
  received TEXT NOT NULL, saved TEXT NOT NULL, confirmed TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
  newest_commit_micros INTEGER NOT NULL, updated_micros INTEGER NOT NULL) WITHOUT ROWID;
)";

constexpr const char* kLanes = R"(
CREATE TABLE lane(
  stream TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, topic_id TEXT NOT NULL,
  next_offset INTEGER NOT NULL, write_stream TEXT NOT NULL, is_settled INTEGER NOT NULL, epoch INTEGER NOT NULL,
  saved_micros INTEGER NOT NULL, PRIMARY KEY(stream, topic, partition)) WITHOUT ROWID;
)";

constexpr const char* kSchedules = R"(
CREATE TABLE schedule(
  name TEXT PRIMARY KEY, definition TEXT NOT NULL, first_seen_micros INTEGER NOT NULL, decided_micros INTEGER NOT NULL,
  forgotten_micros INTEGER NOT NULL, newest_success_micros INTEGER NOT NULL, is_paused INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE schedule_slot(
  schedule TEXT NOT NULL, slot_micros INTEGER NOT NULL, is_manual INTEGER NOT NULL, state TEXT NOT NULL,
  trigger_kind TEXT NOT NULL, attempt INTEGER NOT NULL, attempts_before INTEGER NOT NULL,
  is_resumed INTEGER NOT NULL, interruptions INTEGER NOT NULL,
  entered_micros INTEGER NOT NULL, next_attempt_micros INTEGER NOT NULL, started_micros INTEGER NOT NULL,
  finished_micros INTEGER NOT NULL, message TEXT NOT NULL, owner TEXT NOT NULL,
  PRIMARY KEY(schedule, slot_micros, is_manual)) WITHOUT ROWID;
CREATE INDEX schedule_slot_active ON schedule_slot(schedule, slot_micros) WHERE state IN ('due','running');
)";

constexpr const char* kQueryRuns = R"(
CREATE TABLE query_run(
  schedule TEXT NOT NULL, slot_micros INTEGER NOT NULL, is_manual INTEGER NOT NULL, run_id TEXT NOT NULL,
  tries INTEGER NOT NULL, phase TEXT NOT NULL, staging TEXT NOT NULL, write_stream TEXT NOT NULL,
  project TEXT NOT NULL, dataset TEXT NOT NULL, target TEXT NOT NULL, disposition TEXT NOT NULL,
  job_id TEXT NOT NULL, sql TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, message TEXT NOT NULL,
  PRIMARY KEY(schedule, slot_micros, is_manual)) WITHOUT ROWID;
)";

// A schedule that has succeeded before did so at least once; how often was not counted.
constexpr const char* kChanges = R"(
ALTER TABLE schedule ADD COLUMN successes INTEGER NOT NULL DEFAULT 0;
UPDATE schedule SET successes=1 WHERE newest_success_micros<>-9223372036854775808;
CREATE TABLE schedule_seen(
  schedule TEXT NOT NULL, dependency TEXT NOT NULL, mark TEXT NOT NULL, PRIMARY KEY(schedule, dependency)) WITHOUT ROWID;
)";

constexpr const char* kTableChanges = R"(
CREATE TABLE table_change(
  stream TEXT NOT NULL, source_table TEXT NOT NULL, newest TEXT NOT NULL, PRIMARY KEY(stream, source_table)) WITHOUT ROWID;
)";

// What brings a store from each version to the next; a new one is of version 0.
constexpr std::array<const char*, kFormatVersion> kSteps{kSchema,    kLanes,   kSchedules,
                                                         kQueryRuns, kChanges, kTableChanges};

}  // namespace

Result<std::int64_t> known_format(Connection& connection) {
  TRY(const std::int64_t version, connection.format());
  if (version > kFormatVersion)
    return Error(ErrorCode::kUnsupported, connection.name() + " has format " + std::to_string(version) +
                                              ", newer than this flytt (" + std::to_string(kFormatVersion) +
                                              "); use the newer flytt");
  return version;
}

Status bring_to_format(Connection& connection) {
  TRY(Transaction transaction, Transaction::begin(connection));
  TRY(std::int64_t version, known_format(connection));
  if (version == kFormatVersion) return ok();
  for (; version < kFormatVersion; ++version)
    TRY_STATUS(connection.make_tables(kSteps.at(static_cast<std::size_t>(version))));
  TRY_STATUS(connection.set_format(kFormatVersion));
  return transaction.commit();
}

}  // namespace flytt::state::internal
