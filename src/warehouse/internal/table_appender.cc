#include "warehouse/internal/table_appender.h"

#include <algorithm>

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

Result<std::unique_ptr<TableAppender>> TableAppender::make(Connection& connection, const std::string& table,
                                                           const std::vector<std::string>& columns) {
  duckdb_appender raw = nullptr;
  if (duckdb_appender_create(connection.raw(), "flytt", table.c_str(), &raw) != DuckDBSuccess) {
    const char* message = duckdb_appender_error(raw);
    Error error = duck_error(DUCKDB_ERROR_INTERNAL, message != nullptr ? message : "");
    duckdb_appender_destroy(&raw);
    return error;
  }
  std::unique_ptr<TableAppender> appender(new TableAppender(raw));
  for (const std::string& column : columns)
    if (duckdb_appender_add_column(raw, column.c_str()) != DuckDBSuccess) return appender->failure().error();
  return appender;
}

TableAppender::~TableAppender() {
  abandon();
  duckdb_appender_destroy(&raw_);
}

Status TableAppender::failure() {
  duckdb_error_data data = duckdb_appender_error_data(raw_);
  Error error = duck_error(duckdb_error_data_error_type(data), duckdb_error_data_message(data));
  duckdb_destroy_error_data(&data);
  return error;
}

Status TableAppender::append(const Chunk& chunk) {
  if (duckdb_append_data_chunk(raw_, chunk.raw) != DuckDBSuccess) return failure();
  return ok();
}

Status TableAppender::flush() {
  if (duckdb_appender_flush(raw_) != DuckDBSuccess) return failure();
  return ok();
}

void TableAppender::abandon() { static_cast<void>(duckdb_appender_clear(raw_)); }

Result<TableAppender*> AppenderCache::get(const std::string& table, std::uint64_t revision,
                                          const std::vector<std::string>& columns) {
  const auto found = kept_.find(table);
  if (found != kept_.end() && found->second.revision == revision) {
    found->second.used_at = ++uses_;
    TableAppender* appender = found->second.appender.get();
    if (std::find(used_.begin(), used_.end(), appender) == used_.end()) used_.push_back(appender);
    return appender;
  }
  if (found != kept_.end()) {
    // Another shape of the same table: what the old one took in this transaction has to come first.
    TRY_STATUS(found->second.appender->flush());
    used_.erase(std::remove(used_.begin(), used_.end(), found->second.appender.get()), used_.end());
    kept_.erase(found);
  }
  if (kept_.size() >= kAppendersMax) {
    auto oldest = kept_.begin();
    for (auto at = kept_.begin(); at != kept_.end(); ++at)
      if (at->second.used_at < oldest->second.used_at) oldest = at;
    TRY_STATUS(oldest->second.appender->flush());
    used_.erase(std::remove(used_.begin(), used_.end(), oldest->second.appender.get()), used_.end());
    kept_.erase(oldest);
  }
  TRY(std::unique_ptr<TableAppender> made, TableAppender::make(connection_, table, columns));
  TableAppender* appender = made.get();
  kept_[table] = Kept{std::move(made), revision, ++uses_};
  used_.push_back(appender);
  return appender;
}

Status AppenderCache::flush() {
  for (TableAppender* appender : used_) TRY_STATUS(appender->flush());
  used_.clear();
  return ok();
}

void AppenderCache::abandon() {
  used_.clear();
  kept_.clear();
}

void AppenderCache::forget(std::int64_t id) {
  const std::string number = std::to_string(id);
  for (const std::string& name : {"t" + number, "t" + number + "_changes", "s" + number}) kept_.erase(name);
}

}  // namespace flytt::warehouse::internal
