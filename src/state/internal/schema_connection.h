#pragma once
// A store in a schema that replicas share.
//
// A write transaction begins with one statement that locks the one row of `flytt_state`, so that writers follow each other
// as they do with a file, and, for the process that leads, the row of `lease` under its token, so that the lease cannot be
// taken from it before the end. It also tells the transaction's id, by which the server says what became of it when
// the answer to COMMIT is lost (manual, 9.27.11: pg_xact_status). What is lost before COMMIT has done nothing.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "state/internal/connection.h"
#include "state/lease.h"

namespace flytt::state::internal {

class SchemaConnection final : public Connection {
 public:
  // kNotFound, when it only reads: the schema is not there.
  static Result<std::unique_ptr<SchemaConnection>> open(const SqlDatabase& database, bool writes,
                                                        std::optional<Fence> fence);

  Status begin() override;
  Status commit() override;
  void rollback() override;
  Result<std::int64_t> format() override;
  Status make_tables(const char* sql) override;
  Status set_format(std::int64_t version) override;
  Result<std::int64_t> revision() override;
  std::string name() const override;

 private:
  SchemaConnection(SqlDatabase database, bool writes, std::optional<Fence> fence)
      : database_(std::move(database)), writes_(writes), fence_(std::move(fence)) {}
  Result<SqlAnswer> ask(const std::string& sql, const std::vector<SqlValue>& values) override;
  Result<SqlAnswer> send(const std::string& sql, const std::vector<SqlValue>& values);
  Status connect();
  Status settle();
  std::string begin_statement() const;

  const SqlDatabase database_;
  const bool writes_;
  const std::optional<Fence> fence_;
  std::unique_ptr<SqlSession> session_;
  std::map<std::string, std::string> translated_;  // statements
  bool in_transaction_ = false, has_failed_ = false;
  std::string transaction_;  // its id at the server
  std::int64_t own_wishes_ = 0;
};

// A statement or the tables of a store as SQLite takes them → as PostgreSQL does.
std::string translate_statement(std::string_view sql);
std::string translate_tables(std::string_view sql);

}  // namespace flytt::state::internal
