#include "state/internal/schema.h"

#include <charconv>

#include "state/limits.h"

namespace flytt::state::internal {

namespace {

std::string quote_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string setting(const char* name, std::chrono::milliseconds value) {
  return std::string("SET ") + name + "=" + std::to_string(value.count()) + ";";
}

struct Found {
  bool schema = false;
  bool ours = false;
  bool has_told = false;  // `lease` has the columns of kTold
  bool others = false;    // tables that are not ours
};

// What the holder of the lease tells about itself, under its token. They came after the table.
constexpr const char* kTold =
    "ALTER TABLE lease ADD COLUMN IF NOT EXISTS told_token BIGINT, ADD COLUMN IF NOT EXISTS taken TIMESTAMPTZ, "
    "ADD COLUMN IF NOT EXISTS address TEXT;";

Result<Found> look(SqlSession& session, const SqlDatabase& database) {
  TRY(const SqlAnswer answer,
      session.ask(
          "SELECT n.oid, count(c.oid), count(c.oid) FILTER (WHERE c.relname='flytt_state'), count(a.attnum) FROM "
          "pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace=n.oid AND c.relkind='r' "
          "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid=c.oid AND c.relname='lease' AND "
          "a.attname='address' AND NOT a.attisdropped WHERE n.nspname=$1 GROUP BY n.oid",
          {database.schema}));
  Found found;
  if (answer.rows.empty()) return found;
  found.schema = true;
  found.ours = answer.rows[0].at(2) != "0";
  found.has_told = answer.rows[0].at(3) != "0";
  found.others = !found.ours && answer.rows[0].at(1) != "0";
  return found;
}

}  // namespace

std::string name_of(const SqlDatabase& database) {
  return "the state in schema " + database.schema + " of " + database.place;
}

std::int64_t number_of(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<std::unique_ptr<SqlSession>> open_session(const SqlDatabase& database, bool writes) {
  TRY(auto session, database.connect());
  TRY(const SqlAnswer answer,
      session->ask("SET search_path=" + quote_name(database.schema) + ";" + setting("lock_timeout", kLockWaitMax) +
                       setting("statement_timeout", kStatementMax) +
                       setting("idle_in_transaction_session_timeout", kIdleTransactionMax) +
                       "SET synchronous_commit=on; SET default_transaction_isolation='read committed'; "
                       "SET default_transaction_deferrable=off; SET default_transaction_read_only=" +
                       (writes ? "off" : "on"),
                   {}));
  static_cast<void>(answer);
  return session;
}

Result<std::string> missing_grant(SqlSession& session, const SqlDatabase& database) {
  TRY(const Found found, look(session, database));
  const std::string schema = found.schema ? database.schema : "";
  TRY(const SqlAnswer answer,
      session.ask("SELECT current_user, current_database(), CASE WHEN $1='' THEN "
                  "has_database_privilege(current_database(), 'CREATE') ELSE has_schema_privilege($1, 'USAGE') AND "
                  "($2=1 OR has_schema_privilege($1, 'CREATE')) END",
                  {schema, std::int64_t{found.ours}}));
  if (answer.rows.at(0).at(2) == "t") return std::string();
  const std::string role = quote_name(answer.rows[0][0]), name = quote_name(database.schema);
  if (found.schema) return "GRANT USAGE, CREATE ON SCHEMA " + name + " TO " + role;
  return "GRANT CREATE ON DATABASE " + quote_name(answer.rows[0][1]) + " TO " + role + ", or: CREATE SCHEMA " + name +
         " AUTHORIZATION " + role;
}

Status make_schema(SqlSession& session, const SqlDatabase& database) {
  TRY(const Found found, look(session, database));
  if (found.ours && found.has_told) return ok();
  if (found.ours) {  // of an older program; whoever leads waits for a moment at most
    TRY(const SqlAnswer widened, session.ask(kTold, {}));
    static_cast<void>(widened);
    return ok();
  }
  if (found.others)
    return Error(ErrorCode::kCorrupt, "schema " + database.schema + " of " + database.place +
                                          " holds tables that are not flytt's; name another one in `state.schema`");
  TRY(const std::string grant, missing_grant(session, database));
  if (!grant.empty())
    return Error(ErrorCode::kAuth, name_of(database) + " cannot be made, a right is missing; as its owner: " + grant);
  // Two replicas may begin at the same moment. The unique key over the token makes a change of it conflict with the lock of a
  // write (FOR KEY SHARE), and a renewal, which leaves it alone, not (manual, 13.3.2).
  std::string sql = "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('flytt_state', 0));";
  if (!found.schema) sql += "CREATE SCHEMA IF NOT EXISTS " + quote_name(database.schema) + ";";
  sql +=
      "CREATE TABLE IF NOT EXISTS flytt_state(format BIGINT NOT NULL, wishes BIGINT NOT NULL);"
      "INSERT INTO flytt_state SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM flytt_state);"
      "CREATE TABLE IF NOT EXISTS lease(name TEXT PRIMARY KEY, holder TEXT NOT NULL, token BIGINT NOT NULL, "
      "expires TIMESTAMPTZ NOT NULL, UNIQUE(name, token));" +
      std::string(kTold) + "COMMIT";
  const auto made = session.ask(sql, {});
  if (made) return ok();
  static_cast<void>(session.ask("ROLLBACK", {}));
  return made.error();
}

Status require_schema(SqlSession& session, const SqlDatabase& database) {
  TRY(const Found found, look(session, database));
  if (found.ours) return ok();
  return Error(ErrorCode::kNotFound, name_of(database) + " is not there; `flytt run` makes it");
}

}  // namespace flytt::state::internal
