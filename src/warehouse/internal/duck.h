#pragma once
// Owners of DuckDB's C handles, and the one place where its errors become ours.
//
// A Connection is used by one thread at a time; `interrupt` alone may come from another. Cells that `rows` returns are
// text: cast to VARCHAR in the statement.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <duckdb.h>

#include "base/handle.h"
#include "base/result.h"

namespace flytt::warehouse::internal {

// The meaning of a DuckDB error. The sentence is DuckDB's message without its "Conversion Error: " prefix; errors of the
// machine (disk, memory) get a sentence of ours and keep DuckDB's as the cause.
Error duck_error(duckdb_error_type type, std::string_view message);

std::string memory_limit_sql(std::int64_t bytes);

class QueryHandle {
 public:
  QueryHandle() = default;
  QueryHandle(QueryHandle&& other) noexcept;
  QueryHandle& operator=(QueryHandle&& other) noexcept;
  QueryHandle(const QueryHandle&) = delete;
  QueryHandle& operator=(const QueryHandle&) = delete;
  ~QueryHandle();
  duckdb_result* get() { return &result_; }

 private:
  duckdb_result result_{};
  bool owned_ = true;
};

struct Chunk {
  duckdb_data_chunk raw = nullptr;
  Chunk() = default;
  explicit Chunk(duckdb_data_chunk chunk) : raw(chunk) {}
  Chunk(Chunk&& other) noexcept : raw(std::exchange(other.raw, nullptr)) {}
  Chunk& operator=(Chunk&& other) noexcept {
    if (this != &other) {
      if (raw != nullptr) duckdb_destroy_data_chunk(&raw);
      raw = std::exchange(other.raw, nullptr);
    }
    return *this;
  }
  ~Chunk() {
    if (raw != nullptr) duckdb_destroy_data_chunk(&raw);
  }
  duckdb_vector column(idx_t index) const { return duckdb_data_chunk_get_vector(raw, index); }
  idx_t size() const { return duckdb_data_chunk_get_size(raw); }
};

struct LogicalType {
  duckdb_logical_type raw = nullptr;
  LogicalType() = default;
  explicit LogicalType(duckdb_logical_type type) : raw(type) {}
  LogicalType(LogicalType&& other) noexcept : raw(std::exchange(other.raw, nullptr)) {}
  LogicalType& operator=(LogicalType&& other) noexcept {
    if (this != &other) {
      if (raw != nullptr) duckdb_destroy_logical_type(&raw);
      raw = std::exchange(other.raw, nullptr);
    }
    return *this;
  }
  ~LogicalType() {
    if (raw != nullptr) duckdb_destroy_logical_type(&raw);
  }
};

using TextRow = std::vector<std::optional<std::string>>;

class Connection {
 public:
  Connection() = default;
  static Result<Connection> open(duckdb_database database);
  Connection(Connection&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  duckdb_connection raw() const { return raw_; }
  Status run(const std::string& sql);                                  // rows are thrown away
  Result<std::int64_t> changed(const std::string& sql);                // rows that DML touched
  Result<std::vector<TextRow>> rows(const std::string& sql);           // VARCHAR columns only
  Result<std::optional<std::int64_t>> number(const std::string& sql);  // one BIGINT, NULL = nullopt
  // A statement with text parameters $1, $2, …
  Status run_with(const std::string& sql, const std::vector<std::string>& parameters);
  // Ends a transaction that may have failed; never fails itself.
  void roll_back();
  void interrupt() const { duckdb_interrupt(raw_); }

 private:
  duckdb_connection raw_ = nullptr;
};

class Database {
 public:
  Database() = default;
  static Result<Database> open(const std::string& path, const std::map<std::string, std::string>& settings);
  Database(Database&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Database& operator=(Database&& other) noexcept;
  ~Database() { close(); }
  void close();
  duckdb_database raw() const { return raw_; }

 private:
  duckdb_database raw_ = nullptr;
};

}  // namespace flytt::warehouse::internal
