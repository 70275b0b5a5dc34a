#include <algorithm>

#include "gateway/bigquery/internal/job_json.h"
#include "gateway/bigquery/internal/resources.h"
#include "gateway/bigquery/internal/rest_methods.h"
#include "gateway/bigquery/internal/schema_json.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

using warehouse::Job;

OrderedJson schema_of(const std::vector<googlesql::OutputColumn>& columns) {
  std::vector<NamedType> named;
  for (const auto& column : columns) named.push_back({column.name, column.type});
  return result_schema_json(named);
}

void show_dml(OrderedJson& out, const Job& job) {
  if (!job.summary.affected_rows) return;
  out["numDmlAffectedRows"] = std::to_string(*job.summary.affected_rows);
  if (job.summary.dml) out["dmlStats"] = dml_stats_json(*job.summary.dml);
}

Error results_are_gone(const Job& job) {
  return Error(ErrorCode::kNotFound, "Not found: the rows of job " + job.project + ":" + job.location + "." + job.id +
                                         " are no longer kept. Run the query again.")
      .cause("notFound");
}

}  // namespace

// How the rows of a finished job are shown by jobs.query and jobs.getQueryResults.
struct JobMethods::ResultsRequest {
  const char* kind = "";
  bool is_query_response = false;
  RowRange range;
};

Result<Job> JobMethods::wait(const Job& job, std::optional<std::int64_t> timeout_ms, const RestCall& call) {
  const auto span = std::min(std::chrono::milliseconds(std::min<std::int64_t>(
                                 timeout_ms.value_or(kQueryWaitDefault.count()), kQueryWaitMax.count())),
                             kQueryWaitMax);
  return jobs_.wait(job.project, job.id, clock_.in(span), call.http.stop);
}

Result<std::string> JobMethods::results(const Job& job, const ResultsRequest& request) {
  OrderedJson out;
  out["kind"] = request.kind;
  if (!request.is_query_response) out["etag"] = job.id;
  if (job.state != Job::State::kDone) {
    out["jobReference"] = job_reference_json(job);
    out["jobComplete"] = false;
    return dump(out);
  }
  if (job.error) return error_of_job(job);
  TRY(const auto stored, jobs_.answer(job, request.range.rows_max == 0 ? 0 : request.range.offset));
  if (!stored) return results_are_gone(job);
  if (!stored->columns.empty()) out["schema"] = schema_of(stored->columns);
  out["jobReference"] = job_reference_json(job);
  if (request.is_query_response) {
    out["jobCreationReason"] = {{"code", "REQUESTED"}};
    out["queryId"] = job.id;
    out["location"] = job.location;
    if (!job.summary.statement_type.empty()) out["statementType"] = job.summary.statement_type;
    out["creationTime"] = millis_text(job.created_micros);
    out["startTime"] = millis_text(job.started_micros);
    out["endTime"] = millis_text(job.ended_micros);
  }
  out["totalRows"] = std::to_string(stored->row_count);
  const RowsJson page = rows_json(*stored, request.range);
  if (page.next_offset < stored->row_count) out["pageToken"] = page_token(page.next_offset);
  out["totalBytesProcessed"] = std::to_string(job.summary.bytes_processed);
  if (request.is_query_response) out["totalBytesBilled"] = std::to_string(job.summary.bytes_billed);
  out["jobComplete"] = true;
  out["cacheHit"] = false;
  show_dml(out, job);
  std::string text = dump(out);
  if (page.row_count > 0) add_rows(text, page.rows);
  return text;
}

Result<std::string> JobMethods::dry_run(const RestCall& call, const QueryRequest& request) {
  TRY(const auto answer, warehouse_.dry_run(request.sql, jobs_.options_of(call.target.project, request)));
  Job job;
  job.project = call.target.project;
  job.location = location_;
  OrderedJson out;
  out["kind"] = "bigquery#queryResponse";
  if (!answer->columns().empty()) out["schema"] = schema_of(answer->columns());
  out["jobReference"] = job_reference_json(job);
  out["location"] = location_;
  if (!answer->summary().statement_type.empty()) out["statementType"] = answer->summary().statement_type;
  out["totalBytesProcessed"] = std::to_string(answer->summary().bytes_processed);
  out["totalBytesBilled"] = "0";
  out["jobComplete"] = true;
  out["cacheHit"] = false;
  return dump(out);
}

Result<std::string> JobMethods::dry_run_job(const RestCall& call, const QueryRequest& request) {
  TRY(const auto answer, warehouse_.dry_run(request.sql, jobs_.options_of(call.target.project, request)));
  Job job;
  job.project = call.target.project;
  job.location = location_;
  job.user = user_;
  job.created_micros = clock_.wall_micros();
  job.state = Job::State::kDone;
  job.configuration = request.configuration;
  job.summary = answer->summary();
  OrderedJson out = job_json(job, call.base);
  out["id"] = job.project + ":" + job.location + ".";
  out.erase("selfLink");
  if (!answer->columns().empty()) out["statistics"]["query"]["schema"] = schema_of(answer->columns());
  return dump(out);
}

Result<std::string> JobMethods::query(const RestCall& call) {
  TRY(const Json body, call.body());
  TRY(const QueryRequest request, parse_query_request(body, call.target.project));
  if (request.is_dry_run) return dry_run(call, request);
  TRY(const Job started, jobs_.start(call.target.project, request));
  TRY(const Job job, wait(started, request.timeout_ms, call));
  ResultsRequest shown;
  shown.kind = "bigquery#queryResponse";
  shown.is_query_response = true;
  shown.range.rows_max = request.max_results;
  shown.range.timestamps = request.timestamps;
  return results(job, shown);
}

Result<std::string> JobMethods::insert(const RestCall& call) {
  TRY(const Json body, call.body());
  TRY(const QueryRequest request, parse_query_job(body, call.target.project));
  if (request.is_dry_run) return dry_run_job(call, request);
  TRY(const Job started, jobs_.start(call.target.project, request));
  return dump(job_json(started, call.base));
}

Result<std::string> JobMethods::get(const RestCall& call) {
  TRY(const Job job, jobs_.find(call.target.project, call.target.job));
  return dump(job_json(job, call.base));
}

Result<std::string> JobMethods::get_query_results(const RestCall& call) {
  ResultsRequest shown;
  shown.kind = "bigquery#getQueryResultsResponse";
  TRY(shown.range.timestamps, parse_format_options(call.query));
  TRY(shown.range.rows_max, parse_count(call.query, "maxResults"));
  TRY(const auto start_index, parse_count(call.query, "startIndex"));
  TRY(const auto timeout_ms, parse_count(call.query, "timeoutMs"));
  shown.range.offset = start_index.value_or(0);
  if (const std::string_view token = call.query.get("pageToken"); !token.empty()) {
    TRY(shown.range.offset, parse_page_token(token));
  }
  TRY(const Job known, jobs_.find(call.target.project, call.target.job));
  TRY(const Job job, wait(known, timeout_ms, call));
  return results(job, shown);
}

Result<std::string> JobMethods::cancel(const RestCall& call) {
  TRY(const Job job, jobs_.cancel(call.target.project, call.target.job));
  OrderedJson out;
  out["kind"] = "bigquery#jobCancelResponse";
  out["job"] = job_json(job, call.base);
  out["job"].erase("user_email");
  return dump(out);
}

Result<std::string> JobMethods::remove(const RestCall& call) {
  TRY(const Job job, jobs_.find(call.target.project, call.target.job));
  if (job.state != Job::State::kDone) return invalid("The job is still running: cancel it first.");
  TRY_STATUS(warehouse_.remove_job(job.project, job.id));
  return std::string("{}");
}

Result<std::string> JobMethods::list(const RestCall& call) {
  std::vector<Job> wanted;
  const auto states = call.query.all("stateFilter");
  TRY(const auto created_min_ms, parse_count(call.query, "minCreationTime"));
  TRY(const auto created_max_ms, parse_count(call.query, "maxCreationTime"));
  for (Job& job : warehouse_.jobs().list(call.target.project)) {
    const char* state = job.state == Job::State::kDone      ? "done"
                        : job.state == Job::State::kRunning ? "running"
                                                            : "pending";
    if (!states.empty() && std::find(states.begin(), states.end(), std::string_view(state)) == states.end()) continue;
    const std::int64_t created_ms = job.created_micros / 1000;
    if (created_min_ms && created_ms < *created_min_ms) continue;
    if (created_max_ms && created_ms > *created_max_ms) continue;
    wanted.push_back(std::move(job));
  }
  TRY(const auto given_max, parse_count(call.query, "maxResults"));
  std::int64_t begin = 0;
  if (const std::string_view token = call.query.get("pageToken"); !token.empty()) {
    TRY(begin, parse_page_token(token));
  }
  const auto count = static_cast<std::int64_t>(wanted.size());
  begin = std::min(begin, count);
  const std::int64_t end = std::min(count, begin + std::min(given_max.value_or(50), kListItemsMax));
  OrderedJson out;
  out["kind"] = "bigquery#jobList";
  out["etag"] = std::to_string(count);
  if (end < count) out["nextPageToken"] = page_token(end);
  OrderedJson items = OrderedJson::array();
  const bool is_full = call.query.get("projection") == "full" || call.query.get("projection") == "FULL";
  for (std::int64_t i = begin; i < end; ++i)
    items.push_back(job_list_item_json(wanted[static_cast<std::size_t>(i)], is_full));
  if (!items.empty()) out["jobs"] = std::move(items);
  return dump(out);
}

}  // namespace flytt::gateway::internal
