#pragma once
// The SQL database in which several replicas keep one state, as this module needs it; `app` makes it of PostgreSQL.
//
// A session is one connection to the server; owned by whoever made it, used by one thread at a time. Errors are those of
// the server's side, kUnavailable or kTimeout where it does not answer; none holds a credential.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace flytt::state {

struct SqlBytes {
  std::string bytes;
};
using SqlValue = std::variant<std::int64_t, std::string, SqlBytes>;  // BIGINT, TEXT, BYTEA

struct SqlAnswer {
  std::vector<std::vector<std::string>> rows;  // numbers in decimal, text and bytes as they are, NULL as nothing
  std::int64_t changes = 0;                    // rows that the statement inserted, updated or deleted
};

class SqlSession {
 public:
  virtual ~SqlSession() = default;
  // One statement with its values ($1 …); or, without values, any number of them, of which the last answers.
  virtual Result<SqlAnswer> ask(const std::string& sql, const std::vector<SqlValue>& values) = 0;
  // False once the connection is lost: every later call fails, and what the last one did is not known.
  virtual bool is_usable() const = 0;
};

struct SqlDatabase {
  // Tries for a bounded time, again and again where that may help. May be called by any thread.
  std::function<Result<std::unique_ptr<SqlSession>>()> connect;
  std::string schema;
  std::string place;  // for sentences: "user@host:port/database"
};

}  // namespace flytt::state
