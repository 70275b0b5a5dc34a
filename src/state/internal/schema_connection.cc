#include "state/internal/schema_connection.h"

#include "state/internal/schema.h"

#include "state/limits.h"

namespace flytt::state::internal {

namespace {

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

std::string translate_statement(std::string_view sql) {
  constexpr std::string_view kHint = "INDEXED BY ";
  std::string out;
  int count = 0;
  bool is_quoted = false;
  for (std::size_t at = 0; at < sql.size(); ++at) {
    if (!is_quoted && sql.substr(at, kHint.size()) == kHint) {
      at = sql.find(' ', at + kHint.size());
      continue;
    }
    if (sql[at] == '\'') is_quoted = !is_quoted;
    if (sql[at] != '?' || is_quoted) {
      out += sql[at];
      continue;
    }
    out += '$';
    const bool is_numbered = at + 1 < sql.size() && sql[at + 1] >= '1' && sql[at + 1] <= '9';
    if (!is_numbered) out += std::to_string(++count);
  }
  return out;
}

std::string translate_tables(std::string_view sql) {
  std::string out(sql);
  replace_all(out, " INTEGER", " BIGINT");
  replace_all(out, " BLOB", " BYTEA");
  replace_all(out, " TEXT", " TEXT COLLATE \"C\"");  // in the order of bytes, as SQLite
  replace_all(out, " WITHOUT ROWID", "");
  return out;
}

Result<std::unique_ptr<SchemaConnection>> SchemaConnection::open(const SqlDatabase& database, bool writes,
                                                                 std::optional<Fence> fence) {
  std::unique_ptr<SchemaConnection> made(new SchemaConnection(database, writes, std::move(fence)));
  TRY_STATUS(made->connect());
  TRY_STATUS(writes ? make_schema(*made->session_, database) : require_schema(*made->session_, database));
  return made;
}

std::string SchemaConnection::name() const { return name_of(database_); }

Status SchemaConnection::connect() {
  session_.reset();
  TRY(session_, open_session(database_, writes_));
  return ok();
}

// A connection that was lost while nothing was going on is made anew: nothing can have been done.
Result<SqlAnswer> SchemaConnection::send(const std::string& sql, const std::vector<SqlValue>& values) {
  const bool is_fresh = session_ == nullptr || !session_->is_usable();
  if (is_fresh) TRY_STATUS(connect());
  auto answer = session_->ask(sql, values);
  if (answer || session_->is_usable() || is_fresh) return answer;
  TRY_STATUS(connect());
  return session_->ask(sql, values);
}

Result<SqlAnswer> SchemaConnection::ask(const std::string& sql, const std::vector<SqlValue>& values) {
  auto text = translated_.find(sql);
  if (text == translated_.end()) text = translated_.emplace(sql, translate_statement(sql)).first;
  if (!in_transaction_) return send(text->second, values);
  auto answer = session_->ask(text->second, values);
  if (!answer) has_failed_ = true;
  return answer;
}

std::string SchemaConnection::begin_statement() const {
  std::string sql = "BEGIN; SELECT pg_catalog.pg_current_xact_id()::text FROM flytt_state s";
  if (!fence_) return sql + " FOR UPDATE";
  return sql + ", lease l WHERE l.name='engine' AND l.token=" + std::to_string(fence_->token) +
         " AND l.holder=" + literal(fence_->holder) + " FOR UPDATE OF s FOR KEY SHARE OF l";
}

Status SchemaConnection::begin() {
  CHECK(!in_transaction_);
  if (!writes_) return Error(ErrorCode::kConfig, name() + " is open for reading only");
  auto answer = send(begin_statement(), {});
  in_transaction_ = true;
  has_failed_ = false;
  if (answer && !answer->rows.empty()) {
    transaction_ = answer->rows[0].at(0);
    return ok();
  }
  rollback();
  if (!answer) return answer.error();
  return Error(ErrorCode::kConflict,
               "another replica has taken over " + name() + "; nothing is recorded here any more");
}

Status SchemaConnection::commit() {
  if (has_failed_) return Error(ErrorCode::kBug, "a statement has failed in a change of " + name());
  if (!fence_) {
    const auto counted = session_->ask("UPDATE flytt_state SET wishes=wishes+1", {});
    if (!counted) return counted.error();
  }
  const auto done = session_->ask("COMMIT", {});
  if (!done && session_->is_usable()) return done.error();
  if (!done) TRY_STATUS(settle());
  in_transaction_ = false;
  if (!fence_) ++own_wishes_;
  return ok();
}

// The answer to COMMIT is lost. For the process that leads there is no other way on than to know: it waits as long as it
// leads. Everything that it saves may be repeated, but not the guarded steps of the ledger.
Status SchemaConnection::settle() {
  Error last(ErrorCode::kUnavailable, "");
  for (int tries = 0; fence_ && fence_->may_wait ? fence_->may_wait() : tries < kSettleTries; ++tries) {
    if (const Status connected = connect(); !connected) {
      last = connected.error();
      continue;
    }
    while (session_->is_usable()) {
      const auto told = session_->ask("SELECT pg_catalog.pg_xact_status($1::text::pg_catalog.xid8)", {transaction_});
      if (!told && session_->is_usable()) return told.error();  // this server does not know of it
      if (!told) break;
      const std::string& status = told->rows.at(0).at(0);
      if (status == "committed") return ok();
      if (status != "in progress")
        return Error(ErrorCode::kUnavailable, "the connection to " + name() + " was lost; nothing was changed");
      // Its process at the server has not noticed yet that nobody is there.
      static_cast<void>(session_->ask("SELECT pg_catalog.pg_sleep(0.05)", {}));
    }
  }
  return Error(ErrorCode::kUnavailable,
               "the connection to " + name() + " was lost while a change was saved, and it is not known whether it was")
      .cause(last.sentence());
}

void SchemaConnection::rollback() {
  in_transaction_ = false;
  // A session that is not usable takes its transaction with it.
  if (session_ == nullptr || !session_->is_usable()) return;
  if (!session_->ask("ROLLBACK", {})) session_.reset();
}

Result<std::int64_t> SchemaConnection::format() {
  TRY(const SqlAnswer answer, ask("SELECT format FROM flytt_state", {}));
  return answer.rows.empty() ? 0 : number_of(answer.rows[0].at(0));
}

// The process that leads may be of an older version, and goes by what it has found.
Status SchemaConnection::make_tables(const char* sql) {
  if (!fence_) {
    TRY(const SqlAnswer held, ask("SELECT 1 FROM lease WHERE expires>clock_timestamp() FOR UPDATE", {}));
    if (!held.rows.empty())
      return Error(ErrorCode::kUnavailable,
                   name() +
                       " has an older format, and a replica of flytt works with it; it is brought to this one by the "
                       "first `flytt run` of this version");
  }
  TRY(const SqlAnswer made, ask(translate_tables(sql), {}));
  static_cast<void>(made);
  return ok();
}

Status SchemaConnection::set_format(std::int64_t version) {
  TRY(const SqlAnswer set, ask("UPDATE flytt_state SET format=" + std::to_string(version), {}));
  static_cast<void>(set);
  return ok();
}

Result<std::int64_t> SchemaConnection::revision() {
  TRY(const SqlAnswer answer, ask("SELECT wishes FROM flytt_state", {}));
  return (answer.rows.empty() ? 0 : number_of(answer.rows[0].at(0))) - own_wishes_;
}

}  // namespace flytt::state::internal
