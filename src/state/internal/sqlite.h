#pragma once
// The little that this module needs of SQLite's C interface (sqlite.org/c3ref): a connection, a prepared statement,
// a transaction that rolls back unless it is committed.

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"

namespace flytt::state::internal {

inline void finalize_statement(sqlite3_stmt* raw) { sqlite3_finalize(raw); }
inline void close_connection(sqlite3* raw) { sqlite3_close_v2(raw); }

class Connection;

// One use of a cached statement: bind in order, then step. Reset when it leaves scope.
class Statement {
 public:
  Statement(Connection& connection, sqlite3_stmt* raw) : connection_(&connection), raw_(raw) {}
  Statement(Statement&& other) noexcept
      : connection_(other.connection_), raw_(std::exchange(other.raw_, nullptr)), bound_(other.bound_) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& text(std::string_view value);
  Statement& blob(std::string_view value);
  Statement& number(std::int64_t value);

  Result<bool> step();  // true: a row is there
  Status run();         // for statements without rows

  std::string text_at(int column) const;
  std::string blob_at(int column) const;
  std::int64_t number_at(int column) const { return sqlite3_column_int64(raw_, column); }

 private:
  Connection* connection_;
  sqlite3_stmt* raw_;
  int bound_ = 0;
};

class Connection {
 public:
  static Result<Connection> open(const std::string& path, int flags);

  Result<Statement> prepare(std::string_view sql);  // cached by text
  Status execute(const char* sql);                  // one or more statements without parameters or rows
  Result<std::int64_t> number(const char* sql);     // the first column of the first row
  std::int64_t changes() const { return sqlite3_changes64(raw_.get()); }
  Error failure(std::string_view doing) const;

 private:
  explicit Connection(sqlite3* raw, std::string path) : raw_(raw), path_(std::move(path)) {}

  base::Handle<sqlite3, &close_connection> raw_;
  std::map<std::string, base::Handle<sqlite3_stmt, &finalize_statement>, std::less<>> statements_;
  std::string path_;
};

class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection);
  Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

}  // namespace flytt::state::internal
