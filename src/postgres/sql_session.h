#pragma once
// A session for statements of our own, in a database in which flytt keeps something.
//
// Owned and used by one thread at a time. Values are text, BYTEA as its bytes. Every call blocks until its deadline at
// most. A call that timed out or lost the connection leaves the session unusable. A query that the server refuses leaves it
// usable, in a failed transaction if one was open.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "postgres/connection.h"

namespace flytt::postgres {

struct SqlParameter {
  std::string value;
  bool is_bytes = false;
};

struct SqlRows {
  std::vector<std::vector<std::string>> rows;  // NULL is an empty text
  std::int64_t changes = 0;                    // rows that were inserted, updated or deleted
};

class SqlSession {
 public:
  virtual ~SqlSession() = default;
  static Result<std::unique_ptr<SqlSession>> connect(const ConnectionSettings& settings, const base::Clock& clock,
                                                     base::Deadline deadline);
  // One statement with its parameters ($1 …, whose types the server infers); or, without any, some statements, of which the
  // last answers. `doing` continues "could not …".
  virtual Result<SqlRows> query(const std::string& sql, const std::vector<SqlParameter>& parameters,
                                base::Deadline deadline, const std::string& doing) = 0;
  virtual bool is_usable() const = 0;
};

}  // namespace flytt::postgres
