#include "warehouse/internal/duck.h"

#include <utility>

namespace flytt::warehouse::internal {

namespace {

// "Conversion Error: could not …" → "could not …". DuckDB writes one such prefix.
std::string_view without_prefix(std::string_view message) {
  const auto colon = message.find(": ");
  if (colon == message.npos || colon > 40) return message;
  const std::string_view head = message.substr(0, colon);
  return head.size() > 5 && head.substr(head.size() - 5) == "Error" ? message.substr(colon + 2) : message;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

Error io_error(std::string_view message) {
  if (contains(message, "No space left") || contains(message, "Disk quota exceeded"))
    return Error(ErrorCode::kUnavailable,
                 "the disk of the warehouse is full: nothing of this was kept; free space and try again")
        .cause("backendError");
  if (contains(message, "Could not set lock"))
    return Error(ErrorCode::kConflict, "another process has the warehouse file open").cause(std::string(message));
  return Error(ErrorCode::kUnavailable, "the warehouse cannot read or write its file").cause(std::string(message));
}

bool is_about_memory(std::string_view message) {
  return contains(message, "failed to pin block") || contains(message, "failed to allocate");
}

// DuckDB reports what the disk refuses during a COMMIT as an error of the transaction.
bool is_about_file(std::string_view message) {
  return contains(message, "No space left") || contains(message, "Disk quota exceeded") ||
         contains(message, "Could not write file") || contains(message, "Could not fsync file");
}

Error memory_error() {
  return Error(ErrorCode::kThrottled,
               "Resources exceeded during query execution: raise the warehouse's memory or ask for less")
      .retry(base::Retry::kNever)
      .cause("resourcesExceeded");
}

}  // namespace

Error duck_error(duckdb_error_type type, std::string_view message) {
  switch (type) {
    case DUCKDB_ERROR_IO: return io_error(message);
    case DUCKDB_ERROR_FATAL:
      if (contains(message, "No space left")) return io_error(message);
      return Error(ErrorCode::kUnavailable, "the warehouse must be opened again").cause(std::string(message));
    case DUCKDB_ERROR_INTERRUPT:
      return Error(ErrorCode::kCancelled, "Job execution was cancelled: User requested cancellation").cause("stopped");
    case DUCKDB_ERROR_OUT_OF_MEMORY:
      if (contains(message, "max_temp_directory_size") || contains(message, "No space left"))
        return io_error("No space left");
      return memory_error();
    case DUCKDB_ERROR_TRANSACTION:
      if (is_about_memory(message)) return memory_error();  // of a COMMIT
      if (is_about_file(message)) return io_error(message);
      return Error(ErrorCode::kConflict, "another transaction changed the same table")
          .retry(base::Retry::kAfterBackoff)
          .cause(std::string(message));
    case DUCKDB_ERROR_OUT_OF_RANGE:
    case DUCKDB_ERROR_CONVERSION:
    case DUCKDB_ERROR_DECIMAL:
    case DUCKDB_ERROR_DIVIDE_BY_ZERO:
    case DUCKDB_ERROR_OBJECT_SIZE:
    case DUCKDB_ERROR_INVALID_INPUT:
      return Error(ErrorCode::kBadData, std::string(without_prefix(message))).cause("invalidQuery");
    case DUCKDB_ERROR_NOT_IMPLEMENTED:
      return Error(ErrorCode::kUnsupported, std::string(without_prefix(message))).cause("notImplemented");
    case DUCKDB_ERROR_SERIALIZATION:
      return Error(ErrorCode::kCorrupt, "the warehouse file is damaged").cause(std::string(message));
    default: return Error(ErrorCode::kBug, "the warehouse refused a statement of its own").cause(std::string(message));
  }
}

std::string memory_limit_sql(std::int64_t bytes) {
  return "SET GLOBAL memory_limit = '" + std::to_string(bytes / 1024) + "KiB'";
}

QueryHandle::QueryHandle(QueryHandle&& other) noexcept
    : result_(other.result_), owned_(std::exchange(other.owned_, false)) {}

QueryHandle& QueryHandle::operator=(QueryHandle&& other) noexcept {
  if (this != &other) {
    if (owned_) duckdb_destroy_result(&result_);
    result_ = other.result_;
    owned_ = std::exchange(other.owned_, false);
  }
  return *this;
}

QueryHandle::~QueryHandle() {
  if (owned_) duckdb_destroy_result(&result_);
}

Result<Connection> Connection::open(duckdb_database database) {
  Connection connection;
  if (duckdb_connect(database, &connection.raw_) != DuckDBSuccess)
    return Error(ErrorCode::kUnavailable, "the warehouse gives no further connection");
  TRY_STATUS(connection.run("SET TimeZone = 'UTC'"));
  return connection;
}

Connection& Connection::operator=(Connection&& other) noexcept {
  if (this != &other) {
    if (raw_ != nullptr) duckdb_disconnect(&raw_);
    raw_ = std::exchange(other.raw_, nullptr);
  }
  return *this;
}

Connection::~Connection() {
  if (raw_ != nullptr) duckdb_disconnect(&raw_);
}

Status Connection::run(const std::string& sql) {
  QueryHandle result;
  if (duckdb_query(raw_, sql.c_str(), result.get()) != DuckDBSuccess)
    return duck_error(duckdb_result_error_type(result.get()), duckdb_result_error(result.get()));
  return ok();
}

Result<std::int64_t> Connection::changed(const std::string& sql) {
  QueryHandle result;
  if (duckdb_query(raw_, sql.c_str(), result.get()) != DuckDBSuccess)
    return duck_error(duckdb_result_error_type(result.get()), duckdb_result_error(result.get()));
  return static_cast<std::int64_t>(duckdb_rows_changed(result.get()));
}

Result<std::vector<TextRow>> Connection::rows(const std::string& sql) {
  QueryHandle result;
  if (duckdb_query(raw_, sql.c_str(), result.get()) != DuckDBSuccess)
    return duck_error(duckdb_result_error_type(result.get()), duckdb_result_error(result.get()));
  const idx_t columns = duckdb_column_count(result.get());
  for (idx_t c = 0; c < columns; ++c) CHECK(duckdb_column_type(result.get(), c) == DUCKDB_TYPE_VARCHAR);
  std::vector<TextRow> rows;
  while (true) {
    Chunk chunk(duckdb_fetch_chunk(*result.get()));
    if (chunk.raw == nullptr) return rows;
    for (idx_t r = 0; r < chunk.size(); ++r) {
      TextRow row(columns);
      for (idx_t c = 0; c < columns; ++c) {
        duckdb_vector vector = chunk.column(c);
        std::uint64_t* validity = duckdb_vector_get_validity(vector);
        if (validity != nullptr && !duckdb_validity_row_is_valid(validity, r)) continue;
        auto* cells = static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector));
        row[c].emplace(duckdb_string_t_data(&cells[r]), duckdb_string_t_length(cells[r]));
      }
      rows.push_back(std::move(row));
    }
  }
}

Result<std::optional<std::int64_t>> Connection::number(const std::string& sql) {
  QueryHandle result;
  if (duckdb_query(raw_, sql.c_str(), result.get()) != DuckDBSuccess)
    return duck_error(duckdb_result_error_type(result.get()), duckdb_result_error(result.get()));
  CHECK(duckdb_column_count(result.get()) == 1 && duckdb_column_type(result.get(), 0) == DUCKDB_TYPE_BIGINT);
  Chunk chunk(duckdb_fetch_chunk(*result.get()));
  if (chunk.raw == nullptr || chunk.size() == 0) return std::optional<std::int64_t>();
  duckdb_vector vector = chunk.column(0);
  std::uint64_t* validity = duckdb_vector_get_validity(vector);
  if (validity != nullptr && !duckdb_validity_row_is_valid(validity, 0)) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(static_cast<std::int64_t*>(duckdb_vector_get_data(vector))[0]);
}

Status Connection::run_with(const std::string& sql, const std::vector<std::string>& parameters) {
  duckdb_prepared_statement prepared = nullptr;
  if (duckdb_prepare(raw_, sql.c_str(), &prepared) != DuckDBSuccess) {
    Error error = duck_error(DUCKDB_ERROR_INTERNAL, duckdb_prepare_error(prepared));
    duckdb_destroy_prepare(&prepared);
    return error;
  }
  idx_t index = 1;
  for (const std::string& text : parameters) duckdb_bind_varchar_length(prepared, index++, text.data(), text.size());
  QueryHandle result;
  const bool done = duckdb_execute_prepared(prepared, result.get()) == DuckDBSuccess;
  Status status;
  if (!done) status = duck_error(duckdb_result_error_type(result.get()), duckdb_result_error(result.get()));
  duckdb_destroy_prepare(&prepared);
  return status;
}

void Connection::roll_back() {
  QueryHandle result;
  duckdb_query(raw_, "ROLLBACK", result.get());
}

Result<Database> Database::open(const std::string& path, const std::map<std::string, std::string>& settings) {
  duckdb_config config = nullptr;
  if (duckdb_create_config(&config) != DuckDBSuccess)
    return Error(ErrorCode::kUnavailable, "DuckDB cannot be configured");
  for (const auto& [name, value] : settings) {
    if (duckdb_set_config(config, name.c_str(), value.c_str()) != DuckDBSuccess) {
      duckdb_destroy_config(&config);
      return Error(ErrorCode::kConfig, "DuckDB does not know the setting " + name + " = " + value);
    }
  }
  Database database;
  char* message = nullptr;
  const duckdb_state state = duckdb_open_ext(path.c_str(), &database.raw_, config, &message);
  duckdb_destroy_config(&config);
  if (state == DuckDBSuccess) return database;
  const std::string text = message != nullptr ? message : "";
  duckdb_free(message);
  if (contains(text, "IO Error")) return io_error(text);
  return Error(ErrorCode::kCorrupt, "the warehouse file " + path + " cannot be opened").cause(text);
}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    close();
    raw_ = std::exchange(other.raw_, nullptr);
  }
  return *this;
}

void Database::close() {
  if (raw_ != nullptr) duckdb_close(&raw_);
}

}  // namespace flytt::warehouse::internal
