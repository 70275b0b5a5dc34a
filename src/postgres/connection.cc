#include "postgres/connection.h"

#include <charconv>

#include "postgres/internal/client.h"

namespace flytt::postgres {

namespace {

// A setting of pg_settings in its own unit; -1, 0 and whole numbers as they are.
constexpr std::string_view kFactsSql = R"(
SELECT current_setting('server_version_num'), current_setting('server_version'), current_database(), current_user,
       (SELECT system_identifier FROM pg_catalog.pg_control_system()),
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())
            ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::integer END,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN coalesce(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
            ELSE pg_catalog.pg_current_wal_lsn() END,
       current_setting('wal_level'), pg_catalog.pg_is_in_recovery(), current_setting('server_encoding'), current_setting('block_size'),
       current_setting('max_replication_slots'), (SELECT count(*) FROM pg_catalog.pg_replication_slots),
       current_setting('max_wal_senders'), (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walsender'),
       coalesce((SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'), '60000'),
       coalesce((SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'), '-1'),
       coalesce((SELECT setting FROM pg_catalog.pg_settings WHERE name = 'idle_replication_slot_timeout'), '0'),
       coalesce((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), false),
       coalesce((SELECT rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user), false),
       pg_catalog.pg_backend_pid()
)";

std::uint64_t unsigned_number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Result<ServerFacts> read_server_facts(const ConnectionSettings& settings, const base::Clock& clock,
                                      base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  // The database's own lc_monetary decides how many decimals a money value has; our sessions set another one.
  TRY(const Rows money, client->query("RESET lc_monetary; SELECT pg_catalog.scale('1'::money::numeric)", deadline,
                                      "read the decimals of money"));
  TRY(const Rows rows, client->query(kFactsSql, deadline, "read the server's settings"));
  ServerFacts facts;
  facts.version_num = static_cast<int>(rows.number(0, 0));
  facts.version = rows.text(0, 1);
  facts.database = rows.text(0, 2);
  facts.user = rows.text(0, 3);
  facts.system_identifier = unsigned_number(rows.view(0, 4));
  facts.timeline = static_cast<std::uint32_t>(rows.number(0, 5));
  if (!rows.is_null(0, 6)) {
    TRY(facts.wal_end, parse_lsn(rows.view(0, 6)));
  }
  facts.wal_level = rows.text(0, 7);
  facts.in_recovery = rows.flag(0, 8);
  facts.server_encoding = rows.text(0, 9);
  facts.block_size_bytes = static_cast<std::uint32_t>(rows.number(0, 10));
  facts.max_replication_slots = static_cast<int>(rows.number(0, 11));
  facts.used_replication_slots = static_cast<int>(rows.number(0, 12));
  facts.max_wal_senders = static_cast<int>(rows.number(0, 13));
  facts.used_wal_senders = static_cast<int>(rows.number(0, 14));
  facts.wal_sender_timeout_ms = rows.number(0, 15);
  facts.max_slot_wal_keep_size_mb = rows.number(0, 16);
  facts.idle_replication_slot_timeout_s = rows.number(0, 17);
  facts.money_decimals = static_cast<int>(money.number(0, 0));
  facts.role_is_superuser = rows.flag(0, 18);
  facts.role_can_replicate = rows.flag(0, 19);
  // A pooler tells libpq a process id of its own making.
  facts.behind_pooler = rows.number(0, 20) != client->backend_pid();
  return facts;
}

Result<Lsn> read_log_end(const ConnectionSettings& settings, const base::Clock& clock, base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  TRY(const Rows rows, client->query("SELECT pg_catalog.pg_current_wal_insert_lsn(), current_setting('wal_block_size')",
                                     deadline, "read the end of the log"));
  TRY(const Lsn insert, parse_lsn(rows.view(0, 0)));
  return end_of_log(insert, static_cast<std::uint64_t>(rows.number(0, 1)));
}

Result<ReplicationIdentity> read_replication_identity(const ConnectionSettings& settings, const base::Clock& clock,
                                                      base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kReplication, clock, deadline));
  TRY(const Rows rows, client->query("IDENTIFY_SYSTEM", deadline, "identify the server on a replication connection"));
  if (rows.size() != 1 || rows.columns() < 3)
    return Error(ErrorCode::kCorrupt, "the server's answer to IDENTIFY_SYSTEM has an unknown form")
        .side(base::Side::kSource);
  ReplicationIdentity identity;
  identity.system_identifier = unsigned_number(rows.view(0, 0));
  identity.timeline = static_cast<std::uint32_t>(rows.number(0, 1));
  TRY(identity.wal_end, parse_lsn(rows.view(0, 2)));
  return identity;
}

}  // namespace flytt::postgres
