#include "app/internal/query_check.h"

#include "app/internal/query_target.h"
#include "app/internal/source_state.h"
#include "bigquery/query_jobs.h"
#include "data/civil.h"
#include "postgres/query.h"
#include "state/store.h"

namespace flytt::app {

namespace {

using postgres::Finding;
using Severity = Finding::Severity;

Result<QueryFindings> ask_source(Session& session, const QueryConfig& query) {
  const PostgresSourceConfig* source = session.config.find_source(query.from);
  CHECK(source != nullptr);
  const base::Deadline deadline = session.clock.in(kQueryCheckMax);
  TRY(const auto opened, postgres::QuerySession::open({source->url, "flytt_check"}, session.clock, deadline));
  TRY(const auto shape,
      opened->describe(query.sql, postgres::QueryTypes::kMirror, postgres::DecimalType::kNumeric, deadline));
  QueryFindings found;
  for (const postgres::QueryColumn& column : shape->columns()) found.columns.fields.push_back(column.field);
  return found;
}

Result<QueryFindings> ask_destination(Session& session, const QueryConfig& query, bigquery::Client& client) {
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
  return QueryFindings{std::move(dry.schema), dry.bytes_processed};
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
    const auto found = ask_about(session_, query_, client_);
    if (!found) return add_failure(found.error());
    if (const auto problem = cost_problem(query_, found->bytes_read)) add_all({*problem});
    add_all(result_problems(query_, columns_of(found->columns)));
    if (client_ != nullptr) check_target(columns_of(with_version(query_, found->columns)));
  }

 private:
  void add(Severity severity, const std::string& rule, const std::string& object, const std::string& sentence,
           const std::string& fix) {
    found_.push_back({query_.entry->name, {severity, rule, object, sentence, fix}});
  }

  void add_failure(const Error& error) {
    const QueryProblem problem = statement_problem(query_, error);
    if (problem.rule == "sql") {
      // What it reads may be made by the first run.
      const bool may_come = query_.from.empty() && error.code() == ErrorCode::kNotFound;
      return add(may_come ? Severity::kWarning : Severity::kError, problem.rule, problem.object, problem.sentence,
                 may_come ? problem.fix + ", or let `flytt run` make it" : problem.fix);
    }
    const std::string object = query_.from.empty() ? session_.config.project : query_.from;
    add(Severity::kError, "connection", object, error.text(),
        query_.from.empty() ? "" : "correct 'sources." + query_.from + ".postgres', or mend the server");
  }

  void add_all(const std::vector<QueryProblem>& problems) {
    for (const QueryProblem& problem : problems)
      add(Severity::kError, problem.rule, problem.object, problem.sentence, problem.fix);
  }

  void check_target(const std::vector<ResultColumn>& result) {
    const auto target = query_target(session_.config, query_, session_.clock.wall_micros());
    if (!target) return add(Severity::kError, "to", query_.table, target.error().text(), "");
    const data::TablePath path = whole_table(*target);
    if (const std::string stream = stream_of(path); !stream.empty())
      return add(Severity::kError, "to", path.text(), "the table belongs to stream '" + stream + "' already",
                 "name another table in 'queries." + query_.name + ".to'");
    const auto table = client_->get_table(path);
    if (!table && table.error().code() != ErrorCode::kNotFound)
      return add(Severity::kError, "to", path.text(), table.error().text(), "");
    add_all(table ? target_problems(query_, *table, partition_of(*target), result)
                  : missing_target_problems(query_, *target, result));
  }

  // Empty, too, while there is no state to ask.
  std::string stream_of(const data::TablePath& path) const {
    const auto store = open_state_to_read(session_.config);
    if (!store || *store == nullptr) return "";
    const auto stream = stream_that_writes(**store, path);
    return stream ? *stream : "";
  }

  Session& session_;
  const QueryConfig& query_;
  bigquery::Client* const client_;
  std::vector<Found>& found_;
};

}  // namespace

Result<QueryFindings> ask_about(Session& session, const QueryConfig& query, bigquery::Client* client) {
  if (!query.from.empty()) return ask_source(session, query);
  if (client == nullptr) return Error(ErrorCode::kNotFound, "the warehouse is not there yet; `flytt run` makes it");
  return ask_destination(session, query, *client);
}

data::TableSchema with_version(const QueryConfig& query, data::TableSchema columns) {
  if (!query.version_column.empty())
    columns.fields.push_back({query.version_column, data::Type(data::TypeKind::kTimestamp), false, ""});
  return columns;
}

std::vector<ResultColumn> columns_of(const data::TableSchema& schema) {
  std::vector<ResultColumn> columns;
  for (const data::Field& field : schema.fields) columns.push_back({field, ""});
  return columns;
}

Result<data::TablePath> query_target(const Config& config, const QueryConfig& query, std::int64_t now_micros) {
  return target_table(query, config.project, query.entry->schedule.next_after(now_micros).value_or(now_micros));
}

void check_queries(Session& session, bigquery::Client* client, std::vector<Found>& found) {
  for (const QueryConfig& query : session.config.queries) QueryCheck(session, query, client, found).run();
}

}  // namespace flytt::app
