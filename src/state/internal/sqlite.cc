#include "state/internal/sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/limits.h"

namespace flytt::state::internal {

namespace {

constexpr std::int64_t kApplicationId =
    0x666C7974;  // "flyt"; in the file's header, so that another program's file is never taken

// The file must be private before SQLite writes the first byte; -wal and -shm take over its mode.
Status make_private_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return Error(ErrorCode::kConfig,
                 "cannot open the state file " + path + "; check that its folder exists and may be written");
  const int code = ::fchmod(descriptor, 0600);
  ::close(descriptor);
  if (code != 0) return Error(ErrorCode::kConfig, "the state file " + path + " belongs to another user");
  return ok();
}

struct Binder {
  sqlite3_stmt* raw;
  int index;

  int operator()(std::int64_t value) const { return sqlite3_bind_int64(raw, index, value); }
  int operator()(const std::string& value) const {
    return sqlite3_bind_text64(raw, index, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int operator()(const SqlBytes& value) const {
    return sqlite3_bind_blob64(raw, index, value.bytes.data(), value.bytes.size(), SQLITE_STATIC);
  }
};

// A statement that is left as it was found, however its use ends.
struct Use {
  sqlite3_stmt* raw;
  ~Use() {
    sqlite3_reset(raw);
    sqlite3_clear_bindings(raw);
  }
};

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path, bool writes) {
  if (writes) TRY_STATUS(make_private_file(path));
  sqlite3* raw = nullptr;
  const int flags = writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(raw, path));
  if (code != SQLITE_OK) {
    if ((code & 0xFF) == SQLITE_CANTOPEN)
      return Error(ErrorCode::kConfig,
                   "cannot open the state file " + path + "; check that its folder exists and may be written")
          .cause(sqlite3_errstr(code));
    return connection->failure("cannot open the state file");
  }
  TRY_STATUS(connection->execute("PRAGMA busy_timeout=" + std::to_string(kBusyTimeoutMs)));
  if (writes) {
    TRY_STATUS(connection->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"));
    TRY_STATUS(connection->execute("PRAGMA journal_size_limit=" + std::to_string(kWalBytesMax)));
  }
  return connection;
}

Result<sqlite3_stmt*> SqliteConnection::compiled(const std::string& sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(raw_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw,
                           nullptr) != SQLITE_OK)
      return failure("cannot use the state file");
    found = statements_.emplace(sql, base::Handle<sqlite3_stmt, &finalize_statement>(raw)).first;
  }
  return found->second.get();
}

Result<SqlAnswer> SqliteConnection::ask(const std::string& sql, const std::vector<SqlValue>& values) {
  TRY(sqlite3_stmt* const statement, compiled(sql));
  const Use use{statement};
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(std::visit(Binder{statement, static_cast<int>(i) + 1}, values[i]) == SQLITE_OK);
  SqlAnswer answer;
  while (true) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_ROW) return failure("cannot use the state file");
    std::vector<std::string>& row = answer.rows.emplace_back();
    for (int column = 0; column < sqlite3_column_count(statement); ++column) {
      // A number's text is its decimal form (sqlite.org/c3ref/column_blob.html).
      const void* bytes = sqlite3_column_blob(statement, column);
      row.emplace_back(static_cast<const char*>(bytes == nullptr ? "" : bytes),
                       static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
    }
  }
  answer.changes = sqlite3_changes64(raw_.get());
  return answer;
}

Status SqliteConnection::execute(const std::string& sql) {
  if (sqlite3_exec(raw_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return failure("cannot use the state file");
  return ok();
}

Result<std::int64_t> SqliteConnection::number(const std::string& sql) {
  TRY(Statement statement, prepare(sql));
  TRY(const bool row, statement.step());
  return row ? statement.number_at(0) : 0;
}

// IMMEDIATE takes the write lock at once: a later upgrade could fail with SQLITE_BUSY in the middle.
Status SqliteConnection::begin() { return execute("BEGIN IMMEDIATE"); }
Status SqliteConnection::commit() { return execute("COMMIT"); }
// Fails where the transaction is over already.
void SqliteConnection::rollback() { static_cast<void>(execute("ROLLBACK")); }

Result<std::int64_t> SqliteConnection::format() {
  TRY(const std::int64_t objects, number("SELECT count(*) FROM sqlite_schema"));
  if (objects == 0) return 0;
  TRY(const std::int64_t application, number("PRAGMA application_id"));
  if (application != kApplicationId)
    return Error(ErrorCode::kCorrupt,
                 "the file " + path_ + " is not a state file of flytt; name another one in `state`");
  return number("PRAGMA user_version");
}

Status SqliteConnection::set_format(std::int64_t version) {
  TRY_STATUS(execute("PRAGMA application_id=" + std::to_string(kApplicationId)));
  return execute("PRAGMA user_version=" + std::to_string(version));
}

Error SqliteConnection::failure(std::string_view doing) const {
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

}  // namespace flytt::state::internal
