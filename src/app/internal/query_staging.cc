#include "app/internal/query_staging.h"

#include <numeric>
#include <utility>

#include "base/failpoint.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kConnectPatience{30};
constexpr std::chrono::milliseconds kStopTick{200};  // how long a wait may last before the stop is looked at
constexpr std::int64_t kStagingLifeMs = 24LL * 3600 * 1000;

Error cancelled(const QueryConfig& query) {
  return Error(ErrorCode::kCancelled, "query " + query.name + " was asked to stop");
}

}  // namespace

Status make_staging_table(const QueryParts& parts, const QueryConfig& query, const data::TablePath& staging,
                          const std::vector<ResultColumn>& columns) {
  bigquery::TableInfo wanted;
  wanted.path = staging;
  for (const ResultColumn& column : columns)
    wanted.schema.fields.push_back({column.field.name, plain_type(column.field.type), false, column.field.description});
  wanted.description = "rows of query " + query.name + " on their way; flytt removes it";
  wanted.expires_ms = parts.clock.wall_micros() / 1000 + kStagingLifeMs;
  TRY(const auto made, parts.client.insert_table(wanted));
  return ok();
}

Result<std::unique_ptr<QueryStaging>> QueryStaging::open(const QueryParts& parts, const QueryConfig& query,
                                                         const PostgresSourceConfig& source) {
  if (source.url.empty())
    return Error(ErrorCode::kConfig, "source " + source.name + " cannot be reached: " + source.url_problem);
  std::unique_ptr<QueryStaging> made(new QueryStaging(parts, query));
  postgres::ConnectionSettings settings;
  settings.url = source.url;
  settings.application_name = "flytt_query";
  const base::Deadline patience = parts.clock.in(kConnectPatience);
  TRY(made->session_, postgres::QuerySession::open(settings, parts.clock, patience));
  TRY(made->shape_,
      made->session_->describe(query.sql, postgres::QueryTypes::kMirror, postgres::DecimalType::kNumeric, patience));
  for (const postgres::QueryColumn& column : made->shape_->columns())
    made->columns_.push_back({column.field, "PostgreSQL's " + column.type_name});
  FAILPOINT_ERROR("query.open.after");
  return made;
}

std::shared_ptr<const data::SliceSchema> QueryStaging::schema_of(const data::TablePath& staging) const {
  auto schema = std::make_shared<data::SliceSchema>();
  schema->source_table = "query " + query_.name;
  schema->destination = staging;
  for (const ResultColumn& column : columns_) schema->table.fields.push_back(column.field);
  return schema;
}

Error QueryStaging::rejected(const data::Rejection& rejection) const {
  const std::string what = rejection.column.empty() ? "a row" : "a value of column \"" + rejection.column + "\"";
  return Error(ErrorCode::kBadData, "query " + query_.name + ": " + what + " cannot be written: " + rejection.reason +
                                        "; change it in the query, for example with a cast to text. The rows of "
                                        "earlier runs stay as they are")
      .side(base::Side::kSource);
}

// Waits for room in the window.
Status QueryStaging::write(bigquery::StagedWrite& staged, data::TableSlice& slice, const std::stop_token& stop) {
  if (!slice.rejections.empty()) return rejected(slice.rejections.front());
  while (true) {
    if (stop.stop_requested()) return cancelled(query_);
    const Status taken = staged.write(slice, parts_.clock.in(kStopTick));
    if (taken || taken.error().code() != ErrorCode::kTimeout) return taken;
  }
}

Result<StagedRows> QueryStaging::fill(const data::TablePath& staging,
                                      const std::function<Status(const std::string&)>& save_stream,
                                      const std::stop_token& stop) {
  bigquery::StorageWriteOptions options;
  options.window_bytes = parts_.window_bytes;
  options.trace_id = "flytt:query";
  auto begun =
      bigquery::StagedWrite::begin({parts_.channel, parts_.credentials, parts_.clock, parts_.random, parts_.metrics},
                                   parts_.streams, staging, options);
  // A table that was just made is not known everywhere at once.
  if (!begun && begun.error().code() == ErrorCode::kNotFound)
    return std::move(begun).error().retry(base::Retry::kAfterBackoff);
  if (!begun) return std::move(begun).error();
  bigquery::StagedWrite& staged = **begun;
  TRY_STATUS(save_stream(staged.stream()));
  std::vector<int> columns(columns_.size());
  std::iota(columns.begin(), columns.end(), 0);
  TRY(const auto source, session_->open_rows(shape_, columns, schema_of(staging), parts_.clock.in(kConnectPatience)));
  StagedRows done;
  while (!source->is_done()) {
    if (stop.stop_requested()) return cancelled(query_);
    TRY(auto batch, source->next(parts_.clock.in(kStopTick)));
    if (!batch) continue;
    for (data::TableSlice& slice : batch->tables) {
      const auto bytes = static_cast<std::int64_t>(slice.byte_size());
      TRY_STATUS(write(staged, slice, stop));
      done.bytes += bytes;
    }
    FAILPOINT_ERROR("query.rows.mid");
  }
  FAILPOINT_ERROR("query.finish.before");
  while (true) {
    if (stop.stop_requested()) return cancelled(query_);
    const auto rows = staged.finish(parts_.clock.in(kStopTick));
    if (!rows && rows.error().code() == ErrorCode::kTimeout) continue;
    if (!rows) return rows.error();
    done.rows = *rows;
    FAILPOINT_ERROR("query.finish.after");
    return done;
  }
}

}  // namespace flytt::app
