#include "postgres/check.h"

#include <algorithm>

#include "postgres/internal/client.h"
#include "postgres/limits.h"
#include "postgres/slot.h"

namespace flytt::postgres {

namespace {

using Severity = Finding::Severity;

// The tables that can be streamed, as SQL names them.
std::string table_list(const Catalog& catalog) {
  std::string out;
  for (const SourceTable& table : catalog.tables) {
    if (!table.problem.empty()) continue;
    out += (out.empty() ? "" : ", ") + quote_table(table.schema, table.name);
  }
  return out;
}

class Doctor {
 public:
  Doctor(const ConnectionSettings& settings, const CheckRequest& request, const base::Clock& clock,
         base::Deadline deadline)
      : settings_(settings), request_(request), clock_(clock), deadline_(deadline) {}

  std::vector<Finding> run();

 private:
  // The SQL itself, and the command that runs it.
  std::string by_setup(const std::string& sql) const {
    return request_.setup_command.empty() ? sql : request_.setup_command + ", or: " + sql;
  }
  void add(Severity severity, std::string rule, std::string object, std::string sentence, std::string fix) {
    findings_.push_back({severity, std::move(rule), std::move(object), std::move(sentence), std::move(fix)});
  }
  bool look_at_connection();
  void look_at_server();
  void look_at_capacity();
  void look_at_replication();
  void look_at_publication(const Catalog& catalog);
  void look_at_tables(const Catalog& catalog);
  void look_at_row_security(const Catalog& catalog);
  void look_at_slot();
  void look_at_retention();
  void look_at_long_transactions();

  const ConnectionSettings& settings_;
  const CheckRequest& request_;
  const base::Clock& clock_;
  const base::Deadline deadline_;
  std::string server_;
  ServerFacts facts_;
  std::optional<SlotFacts> slot_;
  std::vector<Finding> findings_;
};

std::string connection_fix(const Error& error) {
  if (error.cause() == "SQLSTATE 28P01")
    return "put the right password into the URL (special characters as %XX), or ALTER ROLE … PASSWORD …;";
  if (error.cause() == "SQLSTATE 3D000") return "correct the database's name in the URL, or CREATE DATABASE";
  if (error.cause() == "SQLSTATE 53300") return "free connections, or raise max_connections";
  switch (error.code()) {
    case ErrorCode::kAuth: return "correct user and password in the URL, or let the role in with a line in pg_hba.conf";
    case ErrorCode::kNotFound: return "correct the host's name in the URL";
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return "start the server, or correct host and port in the URL; a firewall may be in between";
    case ErrorCode::kUnsupported: return "give the URL of the PostgreSQL server itself, version 13 or newer";
    default: return "correct the URL";
  }
}

bool Doctor::look_at_connection() {
  const auto endpoint = parse_endpoint(settings_);
  server_ = endpoint ? endpoint->text() : "the PostgreSQL URL";
  auto facts = read_server_facts(settings_, clock_, deadline_);
  if (!facts) {
    add(Severity::kError, "connection", server_, facts.error().text(), connection_fix(facts.error()));
    return false;
  }
  facts_ = std::move(*facts);
  if (auto slot = inspect_slot(settings_, request_.slot, clock_, deadline_)) slot_ = std::move(*slot);
  return true;
}

void Doctor::look_at_server() {
  if (facts_.behind_pooler)
    add(Severity::kError, "pooler", server_,
        "a connection pooler stands between flytt and PostgreSQL; it cannot carry replication and snapshots",
        "give the URL of the PostgreSQL server itself");
  if (facts_.in_recovery)
    add(Severity::kError, "standby", server_, "the server is a standby; publications and slots are made on the primary",
        "give the URL of the primary");
  if (facts_.wal_level != "logical") {
    add(Severity::kError, "wal_level", server_,
        "wal_level is " + facts_.wal_level + ", and changes can be read only with logical",
        "ALTER SYSTEM SET wal_level = 'logical'; then restart the server (Cloud SQL: database flag "
        "cloudsql.logical_decoding=on; RDS: parameter rds.logical_replication=1)");
  }
  if (!facts_.role_is_superuser && !facts_.role_can_replicate) {
    add(Severity::kError, "replication_attribute", facts_.user, "role " + facts_.user + " may not replicate",
        "ALTER ROLE " + quote_identifier(facts_.user) + " REPLICATION;");
  }
}

// The stream and one copy session beside it.
void Doctor::look_at_capacity() {
  const int slots = (slot_ ? 0 : 1) + 1, free_slots = facts_.max_replication_slots - facts_.used_replication_slots;
  if (free_slots < slots) {
    add(Severity::kError, "replication_slots", server_,
        "of max_replication_slots = " + std::to_string(facts_.max_replication_slots) + ", " +
            std::to_string(std::max(free_slots, 0)) + " are free; flytt needs " + std::to_string(slots) +
            (slots == 1 ? " (for copies)" : " (one for the stream, one for copies)"),
        "drop a slot that nobody needs (SELECT slot_name, active FROM pg_replication_slots;), or ALTER SYSTEM SET "
        "max_replication_slots = " +
            std::to_string(facts_.used_replication_slots + slots) + "; and restart the server");
  }
  const bool streaming = slot_ && slot_->is_active();
  const int senders = streaming ? 1 : 2, free_senders = facts_.max_wal_senders - facts_.used_wal_senders;
  if (free_senders < senders) {
    add(Severity::kError, "wal_senders", server_,
        "of max_wal_senders = " + std::to_string(facts_.max_wal_senders) + ", " +
            std::to_string(std::max(free_senders, 0)) + " are free; flytt needs " + std::to_string(senders),
        "ALTER SYSTEM SET max_wal_senders = " + std::to_string(facts_.used_wal_senders + senders) +
            "; and restart the server");
  }
}

void Doctor::look_at_replication() {
  const bool known =
      std::any_of(findings_.begin(), findings_.end(), [](const Finding& f) { return f.severity == Severity::kError; });
  if (known) return;  // it would only say the same again
  const auto identity = read_replication_identity(settings_, clock_, deadline_);
  if (identity) return;
  const std::string fix = identity.error().code() == ErrorCode::kAuth
                              ? "allow the connection in pg_hba.conf"
                              : "give the URL of the PostgreSQL server itself, not of a pooler";
  add(Severity::kError, "replication_connection", server_,
      "a replication connection is refused: " + identity.error().text(), fix);
}

void Doctor::look_at_publication(const Catalog& catalog) {
  const PublicationFacts& facts = catalog.publication;
  const std::string name = quote_identifier(request_.publication);
  if (!facts.exists) {
    add(Severity::kError, "publication", request_.publication,
        "publication " + request_.publication + " does not exist",
        by_setup("CREATE PUBLICATION " + name + " FOR TABLE " + table_list(catalog) +
                 " WITH (publish_via_partition_root = true);"));
    return;
  }
  if (!facts.inserts || !facts.updates || !facts.deletes) {
    add(Severity::kError, "publication", request_.publication,
        "publication " + request_.publication + " does not publish all of insert, update and delete",
        "ALTER PUBLICATION " + name + " SET (publish = 'insert, update, delete, truncate');");
  } else if (!facts.truncates) {
    add(Severity::kWarning, "publication", request_.publication,
        "publication " + request_.publication +
            " does not publish truncate, so a truncated table would keep its rows at the destination",
        "ALTER PUBLICATION " + name + " SET (publish = 'insert, update, delete, truncate');");
  }
  const bool partitioned =
      std::any_of(catalog.tables.begin(), catalog.tables.end(), [](const SourceTable& t) { return t.partitioned; });
  if (partitioned && !facts.via_root) {
    add(Severity::kError, "publication", request_.publication,
        "publication " + request_.publication + " publishes partitions under their own names",
        "ALTER PUBLICATION " + name + " SET (publish_via_partition_root = true);");
  }
  const bool any =
      std::any_of(catalog.tables.begin(), catalog.tables.end(), [](const SourceTable& t) { return t.published; });
  if (!any && !catalog.tables.empty())
    add(Severity::kError, "publication", request_.publication,
        "publication " + request_.publication + " is empty for the chosen tables",
        by_setup("ALTER PUBLICATION " + name + " ADD TABLE " + table_list(catalog) + ";"));
  for (const SourceTable& table : catalog.tables) {
    if (!any || table.published || !table.problem.empty()) continue;
    add(Severity::kError, "publication_table", table.full_name(),
        "publication " + request_.publication + " is without table " + table.full_name(),
        "ALTER PUBLICATION " + name + " ADD TABLE " + (table.partitioned ? "" : "ONLY ") +
            quote_table(table.schema, table.name) + ";");
  }
}

void Doctor::look_at_tables(const Catalog& catalog) {
  for (const std::string& pattern : catalog.unmatched_patterns)
    add(Severity::kError, "no_table", pattern, "no table fits the pattern " + pattern,
        "correct tables.include, or create the table");
  const std::string role = quote_identifier(facts_.user);
  std::vector<std::string> schemas;
  for (const SourceTable& table : catalog.tables) {
    if (!table.problem.empty()) {
      add(Severity::kWarning, "table_key", table.full_name(),
          "table " + table.full_name() + " is left out: " + table.problem,
          table.remedy.empty() ? "exclude it: tables.exclude: [" + table.full_name() + "]" : table.remedy);
      continue;
    }
    if (table.readable) continue;
    std::string fix = "GRANT SELECT ON TABLE " + quote_table(table.schema, table.name) + " TO " + role + ";";
    if (std::find(schemas.begin(), schemas.end(), table.schema) == schemas.end())
      fix = "GRANT USAGE ON SCHEMA " + quote_identifier(table.schema) + " TO " + role + "; " + fix;
    schemas.push_back(table.schema);
    add(Severity::kError, "table_grant", table.full_name(),
        "role " + facts_.user + " may not read table " + table.full_name(), fix);
  }
}

void Doctor::look_at_row_security(const Catalog& catalog) {
  auto client = Client::connect(settings_, Client::Mode::kNormal, clock_, deadline_);
  if (!client) return;
  std::string oids;
  for (const SourceTable& table : catalog.tables) oids += (oids.empty() ? "" : ",") + std::to_string(table.oid);
  if (oids.empty()) return;
  const auto rows = (*client)->query(
      "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
      "c.relnamespace WHERE c.oid IN (" +
          oids +
          ") AND c.relrowsecurity "
          "AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user) AND "
          "(c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')) ORDER BY 1",
      deadline_, "look at row security");
  if (!rows) return;
  for (int row = 0; row < rows->size(); ++row) {
    add(Severity::kError, "row_security", rows->text(row, 0),
        "row-level security of table " + rows->text(row, 0) + " would hide rows from role " + facts_.user,
        "ALTER ROLE " + quote_identifier(facts_.user) + " BYPASSRLS;");
  }
}

void Doctor::look_at_slot() {
  if (!slot_) {
    if (request_.slot_expected)
      add(Severity::kError, "slot", request_.slot,
          "replication slot " + request_.slot + " is gone, and with it the changes since it was last read",
          "copy the tables again (flytt resync); the slot is made anew");
    return;
  }
  if (slot_->is_lost()) {
    add(Severity::kError, "slot", request_.slot,
        "replication slot " + request_.slot + " is lost: the log that it needs was removed",
        "SELECT pg_drop_replication_slot(" + quote_literal(request_.slot) +
            "); then copy the tables again (flytt resync)");
    return;
  }
  if (slot_->plugin != "pgoutput" || slot_->database != facts_.database) {
    add(Severity::kError, "slot", request_.slot,
        "replication slot " + request_.slot + " is of plugin " + slot_->plugin + " and database " + slot_->database +
            ", and flytt needs pgoutput and " + facts_.database,
        "choose another slot name, or drop it");
    return;
  }
  if (slot_->is_active() && !slot_->active_application.starts_with("flytt"))
    add(Severity::kError, "slot", request_.slot, slot_is_held(*slot_).sentence(),
        "SELECT pg_terminate_backend(" + std::to_string(slot_->active_pid) + ");");
  if (slot_->wal_status == "unreserved")
    add(Severity::kWarning, "slot", request_.slot,
        "replication slot " + request_.slot + " is about to be lost: it needs log beyond max_slot_wal_keep_size",
        "start flytt run now, or raise max_slot_wal_keep_size");
}

void Doctor::look_at_retention() {
  if (facts_.max_slot_wal_keep_size_mb < 0) {
    add(Severity::kAdvice, "max_slot_wal_keep_size", server_,
        "max_slot_wal_keep_size is -1: while flytt is stopped its slot keeps log without bound, which can fill the "
        "server's disk",
        "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();");
  }
  if (facts_.idle_replication_slot_timeout_s > 0) {
    add(Severity::kWarning, "idle_replication_slot_timeout", server_,
        "idle_replication_slot_timeout is " + std::to_string(facts_.idle_replication_slot_timeout_s) +
            " s: a slot that is not read for so long is invalidated, and all tables must be copied again",
        "ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();");
  }
  const auto status_ms = std::chrono::duration_cast<std::chrono::milliseconds>(kStatusInterval).count();
  if (facts_.wal_sender_timeout_ms > 0 && facts_.wal_sender_timeout_ms < 2 * status_ms) {
    add(Severity::kWarning, "wal_sender_timeout", server_,
        "wal_sender_timeout is " + std::to_string(facts_.wal_sender_timeout_ms) + " ms; flytt reports every " +
            std::to_string(status_ms) + " ms",
        "ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf();");
  }
}

void Doctor::look_at_long_transactions() {
  auto client = Client::connect(settings_, Client::Mode::kNormal, clock_, deadline_);
  if (!client) return;
  const auto rows = (*client)->query(
      "SELECT pid, application_name, extract(epoch FROM now() - xact_start)::bigint FROM pg_catalog.pg_stat_activity "
      "WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '5 minutes' ORDER BY xact_start LIMIT 1",
      deadline_, "look for long transactions");
  if (rows && rows->size() > 0) {
    add(Severity::kWarning, "long_transaction", server_,
        "a transaction of pid " + rows->text(0, 0) + (rows->view(0, 1).empty() ? "" : " (" + rows->text(0, 1) + ")") +
            " has been writing for " + rows->text(0, 2) + " s; a new slot, and so every copy, waits for it",
        "end it, or SELECT pg_terminate_backend(" + rows->text(0, 0) + ");");
  }
  const auto prepared = (*client)->query(
      "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE prepared < now() - interval '5 minutes' ORDER BY prepared "
      "LIMIT 1",
      deadline_, "look for prepared transactions");
  if (prepared && prepared->size() > 0) {
    add(Severity::kWarning, "long_transaction", server_,
        "a prepared transaction has been open for more than five minutes; a new slot, and so every copy, waits for it",
        "COMMIT PREPARED or ROLLBACK PREPARED what pg_prepared_xacts shows");
  }
}

std::vector<Finding> Doctor::run() {
  if (!look_at_connection()) return std::move(findings_);
  look_at_server();
  look_at_capacity();
  look_at_replication();
  auto catalog = inspect_tables(settings_, request_.tables, request_.publication, clock_, deadline_);
  if (!catalog) {
    add(Severity::kError, "catalog", server_, catalog.error().text(), "");
    return std::move(findings_);
  }
  look_at_tables(*catalog);
  look_at_row_security(*catalog);
  look_at_publication(*catalog);
  look_at_slot();
  look_at_retention();
  look_at_long_transactions();
  return std::move(findings_);
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kError: return "error";
    case Severity::kWarning: return "warning";
    case Severity::kAdvice: return "advice";
  }
  return "error";
}

std::vector<Finding> check_source(const ConnectionSettings& settings, const CheckRequest& request,
                                  const base::Clock& clock, base::Deadline deadline) {
  return Doctor(settings, request, clock, deadline).run();
}

}  // namespace flytt::postgres
