#pragma once
// How to reach a PostgreSQL server, and what it says of itself.
//
// ConnectionSettings is a value; every class of this module opens its own connections from it. The URL is what libpq
// takes ("postgresql://user:password@host:port/database?sslmode=require", or "host=… dbname=…"). No error and no log of
// this module holds the URL or a part of it other than host, port, database and user.

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "postgres/lsn.h"

namespace flytt::postgres {

struct ConnectionSettings {
  base::Secret url;
  std::string application_name = "flytt";  // shown in pg_stat_activity; names beginning with "flytt" count as our own
};

// The parts of a URL that may be shown.
struct Endpoint {
  std::string host, port, database, user;
  std::string text() const;  // "user@host:port/database"
};
// kConfig when libpq cannot read the URL. Does not connect.
Result<Endpoint> parse_endpoint(const ConnectionSettings& settings);

struct ServerFacts {
  int version_num = 0;  // 150018
  std::string version;  // "15.18 (Debian …)"
  std::string database, user;
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  Lsn wal_end;               // what is in the log now (on a standby: what was received)
  std::string wal_level;     // minimal | replica | logical
  bool in_recovery = false;  // a standby
  std::string server_encoding;
  std::uint32_t block_size_bytes = 8192;
  int max_replication_slots = 0, used_replication_slots = 0;
  int max_wal_senders = 0, used_wal_senders = 0;
  std::int64_t wal_sender_timeout_ms = 0;            // 0 = none
  std::int64_t max_slot_wal_keep_size_mb = -1;       // -1 = without bound
  std::int64_t idle_replication_slot_timeout_s = 0;  // PostgreSQL 18; 0 = none
  int money_decimals = 2;                            // of the database's lc_monetary
  bool role_is_superuser = false, role_can_replicate = false;
  bool behind_pooler = false;  // the process that answers is not the one that libpq was told of
};

// One ordinary connection, closed before it returns. Blocks until the deadline at most (name resolution excepted).
Result<ServerFacts> read_server_facts(const ConnectionSettings& settings, const base::Clock& clock,
                                      base::Deadline deadline);

// A place that has all before it which was committed when this was called, also what is not on disk yet. Not for standbys.
Result<Lsn> read_log_end(const ConnectionSettings& settings, const base::Clock& clock, base::Deadline deadline);

// What only a replication connection knows for certain. Fails behind poolers that refuse replication.
struct ReplicationIdentity {
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  Lsn wal_end;
};
Result<ReplicationIdentity> read_replication_identity(const ConnectionSettings& settings, const base::Clock& clock,
                                                      base::Deadline deadline);

}  // namespace flytt::postgres
