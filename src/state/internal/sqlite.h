#pragma once
// A store in a file: the little that this module needs of SQLite's C interface (sqlite.org/c3ref).

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>

#include "base/handle.h"
#include "state/internal/connection.h"

namespace flytt::state::internal {

inline void finalize_statement(sqlite3_stmt* raw) { sqlite3_finalize(raw); }
inline void close_connection(sqlite3* raw) { sqlite3_close_v2(raw); }

class SqliteConnection final : public Connection {
 public:
  // kConfig: the path cannot be opened. kNotFound, when it only reads: the file is empty.
  static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, bool writes);

  Status begin() override;
  Status commit() override;
  void rollback() override;
  Result<std::int64_t> format() override;
  Status make_tables(const char* sql) override { return execute(sql); }
  Status set_format(std::int64_t version) override;
  Result<std::int64_t> revision() override { return number("PRAGMA data_version"); }
  std::string name() const override { return "the state file " + path_; }

 private:
  SqliteConnection(sqlite3* raw, std::string path) : raw_(raw), path_(std::move(path)) {}
  Result<SqlAnswer> ask(const std::string& sql, const std::vector<SqlValue>& values) override;
  Result<sqlite3_stmt*> compiled(const std::string& sql);  // kept for the next time
  Status execute(const std::string& sql);                  // one or more statements without parameters or rows
  Result<std::int64_t> number(const std::string& sql);     // the first column of the first row
  Error failure(std::string_view doing) const;

  base::Handle<sqlite3, &close_connection> raw_;
  std::map<std::string, base::Handle<sqlite3_stmt, &finalize_statement>> statements_;
  std::string path_;
};

}  // namespace flytt::state::internal
