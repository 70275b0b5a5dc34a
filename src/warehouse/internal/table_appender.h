#pragma once
// DuckDB appenders, kept between transactions, with the rules that keep them safe: always inside an explicit transaction,
// flushed before its COMMIT, and after an error emptied and thrown away (a destroyed appender writes what is left in it).
// Used by the writer thread only.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "warehouse/internal/duck.h"

namespace flytt::warehouse::internal {

class TableAppender {
 public:
  // `columns` empty: all columns of the table; else those, and the others become NULL.
  static Result<std::unique_ptr<TableAppender>> make(Connection& connection, const std::string& table,
                                                     const std::vector<std::string>& columns);
  ~TableAppender();
  TableAppender(const TableAppender&) = delete;
  TableAppender& operator=(const TableAppender&) = delete;

  Status append(const Chunk& chunk);
  Status flush();
  void abandon();  // forgets rows that are not flushed

 private:
  explicit TableAppender(duckdb_appender raw) : raw_(raw) {}
  Status failure();
  duckdb_appender raw_;
};

class AppenderCache {
 public:
  explicit AppenderCache(Connection& connection) : connection_(connection) {}

  // Of this transaction; made when it does not exist. `revision` tells shapes of the same table apart.
  Result<TableAppender*> get(const std::string& table, std::uint64_t revision, const std::vector<std::string>& columns);
  Status flush();                // all that were used since the last flush or abandon
  void abandon();                // after an error: nothing of this transaction is written, all are thrown away
  void forget(std::int64_t id);  // of a table or a write stream, before DDL

 private:
  struct Kept {
    std::unique_ptr<TableAppender> appender;
    std::uint64_t revision = 0;
    std::uint64_t used_at = 0;
  };
  Connection& connection_;
  std::map<std::string, Kept> kept_;
  std::vector<TableAppender*> used_;
  std::uint64_t uses_ = 0;
};

}  // namespace flytt::warehouse::internal
