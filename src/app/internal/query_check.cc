#include "app/internal/query_check.h"

#include <filesystem>

#include "app/config_keys.h"
#include "app/internal/query_target.h"
#include "bigquery/query_jobs.h"
#include "data/civil.h"
#include "postgres/query.h"
#include "state/store.h"

namespace flytt::app {

namespace {

using postgres::Finding;
using Severity = Finding::Severity;

Result<data::TableSchema> columns_at_source(Session& session, const QueryConfig& query) {
  const PostgresSourceConfig* source = session.config.find_source(query.from);
  CHECK(source != nullptr);
  const base::Deadline deadline = session.clock.in(kQueryCheckMax);
  TRY(const auto opened, postgres::QuerySession::open({source->url, "flytt_check"}, session.clock, deadline));
  TRY(const auto shape,
      opened->describe(query.sql, postgres::QueryTypes::kMirror, postgres::DecimalType::kNumeric, deadline));
  data::TableSchema columns;
  for (const postgres::QueryColumn& column : shape->columns()) columns.fields.push_back(column.field);
  return columns;
}

Result<data::TableSchema> columns_at_destination(Session& session, const QueryConfig& query, bigquery::Client& client) {
  const std::int64_t now = session.clock.wall_micros();
  const std::int64_t slot = query.entry->schedule.next_after(now).value_or(now);
  bigquery::JobRequest request;
  request.project = session.config.project;
  request.sql = query.sql;
  request.parameters = {{"run_time", data::Type(data::TypeKind::kTimestamp), data::format_datetime(slot, ' ') + "+00"},
                        {"run_date", data::Type(data::TypeKind::kDate), data::format_date(slot / data::kMicrosPerDay)}};
  TRY(bigquery::DryRun dry, bigquery::QueryJobs(client).dry_run(request));
  if (dry.schema.fields.empty())
    return Error(ErrorCode::kConfig, "the statement of query '" + query.name + "' returns no rows (" +
                                         dry.statement_type + "), so there is nothing to write");
  return std::move(dry.schema);
}

// What is found about one query.
class QueryCheck {
 public:
  QueryCheck(Session& session, const QueryConfig& query, bigquery::Client* client, std::vector<Found>& found)
      : session_(session), query_(query), client_(client), found_(found) {}

  void run() {
    if (query_.from.empty() && client_ == nullptr)
      return add(Severity::kAdvice, "sql", query_.name,
                 "its statement cannot be tried, because the warehouse is not there yet", "flytt run makes it");
    auto columns = query_columns(session_, query_, client_);
    if (!columns) return add_failure(columns.error());
    check_result(*columns);
    if (!query_.version_column.empty())
      columns->fields.push_back({query_.version_column, data::Type(data::TypeKind::kTimestamp), false, ""});
    if (client_ != nullptr) check_target(*columns);
  }

 private:
  void add(Severity severity, const std::string& rule, const std::string& object, const std::string& sentence,
           const std::string& fix) {
    found_.push_back({query_.entry->name, {severity, rule, object, sentence, fix}});
  }

  void add_failure(const Error& error) {
    if (error.code() == ErrorCode::kConfig || error.code() == ErrorCode::kBadData || error.code() == ErrorCode::kSchema)
      return add(Severity::kError, "sql", query_.name, error.text(), "mend 'queries." + query_.name + ".sql'");
    if (query_.from.empty() && error.code() == ErrorCode::kNotFound)
      return add(Severity::kWarning, "sql", query_.name, error.text(),
                 "mend 'queries." + query_.name + ".sql', or let `flytt run` make what it reads first");
    const std::string object = query_.from.empty() ? session_.config.project : query_.from;
    add(Severity::kError, "connection", object, error.text(),
        query_.from.empty() ? "" : "mend 'sources." + query_.from + ".postgres', or the server");
  }

  void check_result(const data::TableSchema& columns) {
    std::vector<std::string> names;
    for (const data::Field& field : columns.fields) names.push_back(field.name);
    for (const std::string& key : query_.key) {
      if (columns.find(key)) continue;
      const std::string nearest = nearest_name(key, names);
      add(Severity::kError, "key", key, "the result has no column '" + key + "', which 'key' names",
          (nearest.empty() ? "return it, or name others" : "name '" + nearest + "'") + std::string(" in 'queries.") +
              query_.name + ".key'");
    }
    if (!query_.version_column.empty() && columns.find(query_.version_column))
      add(Severity::kError, "version", query_.version_column,
          "the result has a column '" + query_.version_column + "' itself, and 'version' would add another",
          "give 'queries." + query_.name + ".version' another name, or take the column out of the result");
  }

  void check_target(const data::TableSchema& columns) {
    const auto path = query_target(session_.config, query_, session_.clock.wall_micros());
    if (!path) return add(Severity::kError, "to", query_.table, path.error().text(), "");
    if (const std::string stream = stream_of(*path); !stream.empty())
      return add(Severity::kError, "to", path->text(), "the table belongs to stream '" + stream + "' already",
                 "name another table in 'queries." + query_.name + ".to'");
    const auto table = client_->get_table(*path);
    if (!table) {
      if (table.error().code() != ErrorCode::kNotFound)
        add(Severity::kError, "to", path->text(), table.error().text(), "");
      return;
    }
    std::vector<ResultColumn> result;
    for (const data::Field& field : columns.fields) result.push_back({field, ""});
    for (const TargetProblem& problem : target_problems(query_, *table, result))
      add(Severity::kError, problem.rule, problem.object, problem.sentence, problem.fix);
  }

  // Empty, too, while there is no state to ask.
  std::string stream_of(const data::TablePath& path) const {
    if (!std::filesystem::exists(session_.config.state_file)) return "";
    const auto store = state::Store::open(session_.config.state_file, state::Store::Access::kReadOnly);
    if (!store) return "";
    const auto stream = stream_that_writes(**store, path);
    return stream ? *stream : "";
  }

  Session& session_;
  const QueryConfig& query_;
  bigquery::Client* const client_;
  std::vector<Found>& found_;
};

}  // namespace

Result<data::TableSchema> query_columns(Session& session, const QueryConfig& query, bigquery::Client* client) {
  if (!query.from.empty()) return columns_at_source(session, query);
  if (client == nullptr) return Error(ErrorCode::kNotFound, "the warehouse is not there yet; `flytt run` makes it");
  return columns_at_destination(session, query, *client);
}

Result<data::TablePath> query_target(const Config& config, const QueryConfig& query, std::int64_t now_micros) {
  return target_table(query, config.project, query.entry->schedule.next_after(now_micros).value_or(now_micros));
}

void check_queries(Session& session, bigquery::Client* client, std::vector<Found>& found) {
  for (const QueryConfig& query : session.config.queries) QueryCheck(session, query, client, found).run();
}

}  // namespace flytt::app
