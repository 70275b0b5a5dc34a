#include "postgres/slot.h"

#include <poll.h>

#include "postgres/internal/client.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

Result<std::optional<SlotFacts>> inspect_on(Client& client, const std::string& name, base::Deadline deadline) {
  TRY(const Rows rows, client.query("SELECT s.slot_name, s.plugin, s.database, s.temporary, s.active_pid, "
                                    "a.application_name, s.confirmed_flush_lsn, s.restart_lsn, "
                                    "greatest(pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery() THEN "
                                    "pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, "
                                    "s.restart_lsn), 0)::bigint, s.wal_status "
                                    "FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_activity a ON "
                                    "a.pid = s.active_pid WHERE s.slot_name = $1",
                                    deadline, "look at the replication slot " + name, {name}));
  if (rows.size() == 0) return std::optional<SlotFacts>();
  SlotFacts slot;
  slot.name = rows.text(0, 0);
  slot.plugin = rows.text(0, 1);
  slot.database = rows.text(0, 2);
  slot.temporary = rows.flag(0, 3);
  slot.active_pid = static_cast<int>(rows.number(0, 4));
  slot.active_application = rows.text(0, 5);
  if (!rows.is_null(0, 6)) {
    TRY(slot.confirmed_flush, parse_lsn(rows.view(0, 6)));
  }
  if (!rows.is_null(0, 7)) {
    TRY(slot.restart_lsn, parse_lsn(rows.view(0, 7)));
  }
  slot.retained_bytes = static_cast<std::uint64_t>(rows.number(0, 8));
  slot.wal_status = rows.text(0, 9);
  return std::optional<SlotFacts>(std::move(slot));
}

}  // namespace

Result<std::optional<SlotFacts>> inspect_slot(const ConnectionSettings& settings, const std::string& name,
                                              const base::Clock& clock, base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  return inspect_on(*client, name, deadline);
}

Result<Lsn> create_slot(const ConnectionSettings& settings, const std::string& name, const base::Clock& clock,
                        base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kReplication, clock, deadline));
  auto created =
      client->query("CREATE_REPLICATION_SLOT " + quote_identifier(name) + " LOGICAL pgoutput NOEXPORT_SNAPSHOT",
                    deadline, "create the replication slot " + name);
  if (!created) {
    // Left alone, the server would go on waiting and in the end make the slot.
    if (created.error().code() == ErrorCode::kTimeout) end_backend(settings, client->backend_pid(), clock);
    if (created.error().text().find("53400") != std::string::npos) {
      return Error(ErrorCode::kConflict, "max_replication_slots of the server is reached, so replication slot " + name +
                                             " cannot be made; drop a slot that nobody needs (SELECT slot_name, active "
                                             "FROM pg_replication_slots;), or raise "
                                             "max_replication_slots and restart the server")
          .side(base::Side::kSource)
          .retry(base::Retry::kAfterOperator)
          .cause("SQLSTATE 53400");
    }
    return std::move(created).error();
  }
  const Rows& rows = *created;
  if (rows.size() != 1 || rows.columns() < 2)
    return Error(ErrorCode::kCorrupt, "the server's answer to CREATE_REPLICATION_SLOT has an unknown form")
        .side(base::Side::kSource);
  return parse_lsn(rows.view(0, 1));
}

Status may_adopt_slot(const ConnectionSettings& settings, const std::string& name, const base::Clock& clock,
                      base::Deadline deadline, base::Duration settle) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  TRY(const auto first, inspect_on(*client, name, deadline));
  const auto refuse = [&](ErrorCode code, const std::string& why) {
    return Error(code, "the replication slot " + name + " cannot be adopted: " + why)
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterOperator);
  };
  if (!first) return refuse(ErrorCode::kNotFound, "there is none of that name");
  if (first->plugin != "pgoutput")
    return refuse(ErrorCode::kConfig, "its plugin is " + first->plugin + ", and flytt reads pgoutput");
  if (first->database != client->endpoint().database)
    return refuse(ErrorCode::kConfig, "it belongs to database " + first->database);
  if (first->temporary) return refuse(ErrorCode::kConfig, "it is temporary");
  if (first->is_lost())
    return refuse(ErrorCode::kNotFound, "the log that it needs is gone (wal_status lost); drop it and copy again");
  if (first->is_active()) return slot_is_held(*first);
  const base::Deadline second_look = clock.in(settle).earlier(deadline);
  while (!clock.is_past(second_look)) ::poll(nullptr, 0, static_cast<int>(clock.left(second_look).count()));
  TRY(const auto second, inspect_on(*client, name, deadline));
  if (!second) return refuse(ErrorCode::kNotFound, "it was dropped just now");
  if (second->is_active()) return slot_is_held(*second);
  if (second->confirmed_flush != first->confirmed_flush) return refuse(ErrorCode::kConflict, "somebody else moves it");
  return ok();
}

Result<bool> drop_slot(const ConnectionSettings& settings, const std::string& name, const base::Clock& clock,
                       base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  TRY(const auto slot, inspect_on(*client, name, deadline));
  if (!slot) return false;
  if (slot->is_active()) return slot_is_held(*slot);
  TRY(const Rows ignored, client->query("SELECT pg_catalog.pg_drop_replication_slot($1)", deadline,
                                        "drop the replication slot " + name, {name}));
  static_cast<void>(ignored);
  return true;
}

Error slot_is_held(const SlotFacts& slot) {
  const bool ours = slot.active_application.starts_with("flytt");
  std::string sentence = "the replication slot " + slot.name + " is held by pid " + std::to_string(slot.active_pid) +
                         (slot.active_application.empty() ? "" : " (" + slot.active_application + ")");
  sentence += ours ? "; if that flytt is dead, the server lets go within wal_sender_timeout"
                   : "; stop that process, or SELECT pg_terminate_backend(" + std::to_string(slot.active_pid) + ");";
  return Error(ErrorCode::kConflict, std::move(sentence))
      .side(base::Side::kSource)
      .retry(ours ? base::Retry::kAfterBackoff : base::Retry::kNever);
}

}  // namespace flytt::postgres
