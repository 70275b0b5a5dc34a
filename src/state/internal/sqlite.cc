#include "state/internal/sqlite.h"

namespace flytt::state::internal {

Statement::~Statement() {
  if (raw_ == nullptr) return;
  sqlite3_reset(raw_);
  sqlite3_clear_bindings(raw_);
}

Statement& Statement::text(std::string_view value) {
  const int code = sqlite3_bind_text64(raw_, ++bound_, value.data() == nullptr ? "" : value.data(), value.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8);
  CHECK(code == SQLITE_OK);
  return *this;
}

Statement& Statement::blob(std::string_view value) {
  const int code =
      sqlite3_bind_blob64(raw_, ++bound_, value.data() == nullptr ? "" : value.data(), value.size(), SQLITE_TRANSIENT);
  CHECK(code == SQLITE_OK);
  return *this;
}

Statement& Statement::number(std::int64_t value) {
  const int code = sqlite3_bind_int64(raw_, ++bound_, value);
  CHECK(code == SQLITE_OK);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(raw_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_->failure("cannot use the state file");
}

Status Statement::run() {
  TRY(const bool row, step());
  CHECK(!row);
  return ok();
}

std::string Statement::text_at(int column) const {
  const auto* bytes = sqlite3_column_text(raw_, column);
  return bytes == nullptr ? std::string()
                          : std::string(reinterpret_cast<const char*>(bytes),
                                        static_cast<std::size_t>(sqlite3_column_bytes(raw_, column)));
}

std::string Statement::blob_at(int column) const {
  const auto* bytes = sqlite3_column_blob(raw_, column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes),
                                        static_cast<std::size_t>(sqlite3_column_bytes(raw_, column)));
}

Result<Connection> Connection::open(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Connection connection(raw, path);
  if (code != SQLITE_OK) {
    if ((code & 0xFF) == SQLITE_CANTOPEN)
      return Error(ErrorCode::kConfig,
                   "cannot open the state file " + path + "; check that its folder exists and may be written")
          .cause(sqlite3_errstr(code));
    return connection.failure("cannot open the state file");
  }
  return connection;
}

Result<Statement> Connection::prepare(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(raw_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw,
                           nullptr) != SQLITE_OK)
      return failure("cannot use the state file");
    found = statements_.emplace(std::string(sql), base::Handle<sqlite3_stmt, &finalize_statement>(raw)).first;
  }
  return Statement(*this, found->second.get());
}

Status Connection::execute(const char* sql) {
  if (sqlite3_exec(raw_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return failure("cannot use the state file");
  return ok();
}

Result<std::int64_t> Connection::number(const char* sql) {
  TRY(Statement statement, prepare(sql));
  TRY(const bool row, statement.step());
  return row ? statement.number_at(0) : 0;
}

Error Connection::failure(std::string_view doing) const {
  const std::string sentence = std::string(doing) + " " + path_;
  const char* native = raw_.get() == nullptr ? "out of memory" : sqlite3_errmsg(raw_.get());
  switch (raw_.get() == nullptr ? SQLITE_NOMEM : sqlite3_errcode(raw_.get()) & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(
                 ErrorCode::kCorrupt,
                 sentence +
                     ": it is damaged or is not a state file; restore it from a backup, or move it away and copy again")
          .cause(native);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Error(ErrorCode::kUnavailable, sentence + ": another process holds it").cause(native);
    case SQLITE_FULL: return Error(ErrorCode::kUnavailable, sentence + ": the disk is full").cause(native);
    case SQLITE_IOERR: return Error(ErrorCode::kUnavailable, sentence + ": the disk reports an error").cause(native);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN: return Error(ErrorCode::kConfig, sentence + ": it may not be written").cause(native);
    default: return Error(ErrorCode::kBug, sentence).cause(native);
  }
}

Result<Transaction> Transaction::begin(Connection& connection) {
  // IMMEDIATE takes the write lock at once: a later upgrade could fail with SQLITE_BUSY in the middle.
  TRY(Statement statement, connection.prepare("BEGIN IMMEDIATE"));
  TRY_STATUS(statement.run());
  return Transaction(connection);
}

Transaction::~Transaction() {
  if (connection_ != nullptr) static_cast<void>(connection_->execute("ROLLBACK"));
}

Status Transaction::commit() {
  TRY(Statement statement, connection_->prepare("COMMIT"));
  TRY_STATUS(statement.run());
  connection_ = nullptr;
  return ok();
}

}  // namespace flytt::state::internal
