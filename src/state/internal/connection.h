#pragma once
// What is the same for both places of a store: one connection, statements with bound values, and a transaction that rolls
// back unless it is committed. Statements are SQL that both understand; answers are small and are read whole.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "state/sql_port.h"

namespace flytt::state::internal {

class Connection;

// One use of a statement: bind in order, then step.
class Statement {
 public:
  Statement(Connection& connection, std::string_view sql) : connection_(&connection), sql_(sql) {}

  Statement& text(std::string_view value);
  Statement& blob(std::string_view value);
  Statement& number(std::int64_t value);

  Result<bool> step();  // true: a row is there
  Status run();         // for statements without rows

  const std::string& text_at(std::size_t column) const { return answer_.rows.at(row_ - 1).at(column); }
  const std::string& blob_at(std::size_t column) const { return text_at(column); }
  std::int64_t number_at(std::size_t column) const;  // 0 for NULL

 private:
  Connection* connection_;
  std::string sql_;
  std::vector<SqlValue> values_;
  SqlAnswer answer_;
  std::size_t row_ = 0;  // rows that were stepped to
  bool has_run_ = false;
};

class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  // Parameters are `?`, or `?1` … where one is used again. Nothing is sent yet.
  Result<Statement> prepare(std::string_view sql) { return Statement(*this, sql); }
  std::int64_t changes() const { return changes_; }  // rows that the last statement changed

  // Only one writer at a time, over all processes: `begin` waits for the others.
  virtual Status begin() = 0;
  virtual Status
  commit() = 0;  // ok: it survives a crash; after an error nothing was changed, but where it says otherwise
  virtual void rollback() = 0;

  // 0 when nothing was made yet; kCorrupt when it is not ours.
  virtual Result<std::int64_t> format() = 0;
  // Tables as SQLite writes them; of one transaction, as `set_format`.
  virtual Status make_tables(const char* sql) = 0;
  virtual Status set_format(std::int64_t version) = 0;
  // Changes when another connection has changed something.
  virtual Result<std::int64_t> revision() = 0;
  virtual std::string name() const = 0;  // "the state file PATH", for sentences

 protected:
  friend class Statement;
  virtual Result<SqlAnswer> ask(const std::string& sql, const std::vector<SqlValue>& values) = 0;

 private:
  std::int64_t changes_ = 0;
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

// "INSERT INTO table(columns) VALUES(?,…) ON CONFLICT(the first `keys` columns) DO UPDATE SET …" of all others.
std::string upsert(std::string_view table, std::string_view columns, std::size_t keys);

}  // namespace flytt::state::internal
