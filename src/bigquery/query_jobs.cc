#include "bigquery/query_jobs.h"

#include <algorithm>

#include "bigquery/internal/client_call.h"
#include "bigquery/internal/errors.h"
#include "bigquery/internal/rest_schema.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using nlohmann::json;

std::string object_of(const std::string& job_id) { return job_id.empty() ? "the query" : "job " + job_id; }

const char* text_of(WriteDisposition write) {
  switch (write) {
    case WriteDisposition::kEmpty: return "WRITE_EMPTY";
    case WriteDisposition::kAppend: return "WRITE_APPEND";
    case WriteDisposition::kTruncate: return "WRITE_TRUNCATE";
    case WriteDisposition::kTruncateData: return "WRITE_TRUNCATE_DATA";
  }
  return "WRITE_EMPTY";
}

json reference_of(const data::TablePath& path) {
  return {{"projectId", path.project}, {"datasetId", path.dataset}, {"tableId", path.table}};
}

json query_of(const JobRequest& request) {
  json query = {{"query", request.sql}, {"useLegacySql", false}};
  if (!request.default_dataset.empty())
    query["defaultDataset"] = {{"projectId", request.project}, {"datasetId", request.default_dataset}};
  if (request.destination) {
    query["destinationTable"] = reference_of(request.destination->table);
    query["writeDisposition"] = text_of(request.destination->write);
    query["createDisposition"] = request.destination->may_create ? "CREATE_IF_NEEDED" : "CREATE_NEVER";
  }
  if (request.bytes_billed_max) query["maximumBytesBilled"] = std::to_string(*request.bytes_billed_max);
  if (request.parameters.empty()) return query;
  query["parameterMode"] = "NAMED";
  for (const JobParameter& parameter : request.parameters) {
    json value = json::object();
    if (parameter.text) value["value"] = *parameter.text;
    query["queryParameters"].push_back({{"name", parameter.name},
                                        {"parameterType", {{"type", data::to_string(parameter.type.kind)}}},
                                        {"parameterValue", std::move(value)}});
  }
  return query;
}

json body_of(const JobRequest& request, bool is_dry_run) {
  json reference = {{"projectId", request.project}};
  if (!is_dry_run) reference["jobId"] = request.job_id;
  if (!request.location.empty()) reference["location"] = request.location;
  json configuration = {{"query", query_of(request)}};
  if (!request.labels.empty()) configuration["labels"] = request.labels;
  if (request.timeout_ms) configuration["jobTimeoutMs"] = std::to_string(*request.timeout_ms);
  if (is_dry_run) configuration["dryRun"] = true;
  return {{"jobReference", std::move(reference)}, {"configuration", std::move(configuration)}};
}

Status check(const JobRequest& request) {
  const auto refuse = [](const std::string& what) { return Error(ErrorCode::kConfig, what).side(base::Side::kSink); };
  const bool is_legal = !request.job_id.empty() && request.job_id.size() <= kJobIdMax &&
                        std::all_of(request.job_id.begin(), request.job_id.end(), [](unsigned char c) {
                          return c < 0x80 && (std::isalnum(c) != 0 || c == '_' || c == '-');
                        });
  if (!is_legal) return refuse("a job id has letters, digits, '_' and '-', and at most 1,024 of them");
  for (const JobParameter& parameter : request.parameters) {
    if (parameter.name.empty()) return refuse("a query parameter has no name");
    if (!parameter.type.element.empty() || !parameter.type.fields.empty())
      return refuse("the query parameter @" + parameter.name + " is not of a scalar type");
  }
  return ok();
}

const json& member_of(const json& object, const char* name) {
  static const json kNothing = json::object();
  if (!object.is_object()) return kNothing;
  const auto found = object.find(name);
  return found == object.end() || !found->is_object() ? kNothing : *found;
}

Error not_a_job(const std::string& object) {
  return Error(ErrorCode::kCorrupt, "BigQuery's answer about " + object + " is not a job").side(base::Side::kSink);
}

}  // namespace

// A job as a request showed it.
struct QueryJobs::Seen {
  std::string job_id, location;
  bool is_done = false, was_known = false;
  std::optional<Error> error;
  json resource;
  std::string object() const { return object_of(job_id); }

  static Result<Seen> parse(const std::string& body, const std::string& object) {
    Seen seen;
    seen.resource = json::parse(body, nullptr, false);
    const json& reference = member_of(seen.resource, "jobReference");
    const json& status = member_of(seen.resource, "status");
    seen.job_id = text_member(reference, "jobId");
    seen.location = text_member(reference, "location");
    const std::string state = text_member(status, "state");
    if (state.empty()) return not_a_job(object);
    seen.is_done = state == "DONE";
    if (const json& failure = member_of(status, "errorResult"); seen.is_done && !failure.empty())
      seen.error = error_of_job({0, text_member(failure, "reason"), text_member(failure, "message")}, object);
    return seen;
  }

  // Whether it does what `request` asks for.
  bool does(const JobRequest& request) const {
    const json& query = member_of(member_of(resource, "configuration"), "query");
    if (text_member(query, "query") != request.sql) return false;
    if (!request.destination) return true;
    const json& table = member_of(query, "destinationTable");
    return text_member(table, "datasetId") == request.destination->table.dataset &&
           text_member(table, "tableId") == request.destination->table.table;
  }

  JobOutcome outcome() const {
    JobOutcome out;
    out.job_id = job_id;
    out.location = location;
    out.was_known = was_known;
    const json& statistics = member_of(resource, "statistics");
    const json& query = member_of(statistics, "query");
    out.statement_type = text_member(query, "statementType");
    out.created_ms = int_member(statistics, "creationTime").value_or(0);
    out.started_ms = int_member(statistics, "startTime").value_or(0);
    out.ended_ms = int_member(statistics, "endTime").value_or(0);
    out.bytes_processed = int_member(statistics, "totalBytesProcessed").value_or(0);
    out.bytes_billed = int_member(query, "totalBytesBilled").value_or(0);
    out.affected_rows = int_member(query, "numDmlAffectedRows");
    const json& dml = member_of(query, "dmlStats");
    out.inserted_rows = int_member(dml, "insertedRowCount");
    out.updated_rows = int_member(dml, "updatedRowCount");
    out.deleted_rows = int_member(dml, "deletedRowCount");
    // The last stage of the plan is the one that writes the answer.
    if (const auto plan = query.find("queryPlan"); plan != query.end() && plan->is_array() && !plan->empty())
      out.output_rows = int_member(plan->back(), "recordsWritten");
    return out;
  }
};

Result<DryRun> QueryJobs::dry_run(const JobRequest& request) {
  TRY(const HttpResponse response, client_.exchange({"POST", project_target(request.project) + "/jobs", "the query",
                                                     body_of(request, true).dump()}));
  const json answer = json::parse(response.body, nullptr, false);
  const json& statistics = member_of(answer, "statistics");
  if (statistics.empty()) return not_a_job("the query");
  const json& query = member_of(statistics, "query");
  DryRun out;
  out.bytes_processed = int_member(statistics, "totalBytesProcessed").value_or(0);
  out.statement_type = text_member(query, "statementType");
  if (const json& schema = member_of(query, "schema"); schema.contains("fields")) {
    TRY(out.schema, fields_from_json(schema["fields"]));
  }
  return out;
}

Result<QueryJobs::Seen> QueryJobs::insert(const JobRequest& request) {
  const std::string object = object_of(request.job_id);
  auto response =
      client_.exchange({"POST", project_target(request.project) + "/jobs", object, body_of(request, false).dump()});
  if (response) return Seen::parse(response->body, object);
  if (response.error().code() != ErrorCode::kConflict) return std::move(response).error();
  // What is not a job's id may be in conflict, too (a table that has rows): then there is no such job.
  const Error conflict = std::move(response).error();
  auto seen = get(request.project, request.location, request.job_id);
  if (!seen) return seen.error().code() == ErrorCode::kNotFound ? conflict : std::move(seen).error();
  if (!seen->does(request))
    return Error(ErrorCode::kConflict, object + " exists already, with another statement or destination")
        .side(base::Side::kSink);
  seen->was_known = true;
  return seen;
}

Result<QueryJobs::Seen> QueryJobs::get(const std::string& project, const std::string& location,
                                       const std::string& job_id) {
  std::string target = project_target(project) + "/jobs/" + percent_encoded(job_id);
  if (!location.empty()) target += "?location=" + percent_encoded(location);
  TRY(const HttpResponse response, client_.exchange({"GET", target, object_of(job_id)}));
  return Seen::parse(response.body, object_of(job_id));
}

// Looks again and again, with growing pauses. The job as it is then: done, or not when time is up or `stop` was asked for.
Result<QueryJobs::Seen> QueryJobs::end_of(Seen seen, const std::string& project, base::Deadline deadline,
                                          std::stop_token stop) {
  const base::Clock& clock = client_.parts_.clock;
  const base::Deadline found_by = clock.in(kMissingJobPatience);
  base::Duration span = kJobPollMin;
  while (!seen.is_done && !stop.stop_requested() && !clock.is_past(deadline)) {
    const base::Duration left = deadline.is_never() ? span : base::Duration(clock.left(deadline));
    TRY_STATUS(client_.retrier_.pause(std::min(span, left), stop));
    span = std::min<base::Duration>(span * 3 / 2, kJobPollMax);
    auto now = get(project, seen.location, seen.job_id);
    if (!now && now.error().code() == ErrorCode::kNotFound) {
      if (!clock.is_past(found_by)) continue;
      return Error(ErrorCode::kUnavailable, "BigQuery no longer knows " + seen.object() + "; it can be started again")
          .retry(base::Retry::kAfterBackoff)
          .side(base::Side::kSink);
    }
    if (!now) return std::move(now).error();
    now->was_known = seen.was_known;
    seen = std::move(*now);
  }
  return seen;
}

Status QueryJobs::tell_to_stop(const std::string& project, const std::string& location, const std::string& job_id) {
  std::string target = project_target(project) + "/jobs/" + percent_encoded(job_id) + "/cancel";
  if (!location.empty()) target += "?location=" + percent_encoded(location);
  TRY(const HttpResponse response, client_.exchange({"POST", target, object_of(job_id)}));
  return ok();
}

Result<QueryJobs::Seen> QueryJobs::stopped(const Seen& seen, const std::string& project) {
  TRY_STATUS(tell_to_stop(project, seen.location, seen.job_id));
  return end_of(seen, project, client_.parts_.clock.in(kJobCancelPatience), {});
}

Result<JobOutcome> QueryJobs::run(const JobRequest& request, base::Deadline deadline, std::stop_token stop) {
  TRY_STATUS(check(request));
  TRY(Seen seen, insert(request));
  if (seen.job_id.empty()) seen.job_id = request.job_id;
  if (seen.location.empty()) seen.location = request.location;
  TRY(seen, end_of(std::move(seen), request.project, deadline, stop));
  if (seen.is_done) {
    if (seen.error) return *seen.error;
    return seen.outcome();
  }
  const bool is_cancel = stop.stop_requested();
  TRY(seen, stopped(seen, request.project));
  if (seen.is_done && !seen.error) return seen.outcome();
  if (seen.is_done && seen.error->code() != ErrorCode::kCancelled) return *seen.error;
  Error error(is_cancel ? ErrorCode::kCancelled : ErrorCode::kTimeout,
              seen.object() + (is_cancel ? " was cancelled" : " took too long and was cancelled") +
                  (seen.is_done ? "" : ", and has not ended yet"));
  return std::move(error).side(base::Side::kSink);
}

Result<JobLook> QueryJobs::look(const std::string& project, const std::string& location, const std::string& job_id) {
  TRY(const Seen seen, get(project, location, job_id));
  JobLook out;
  if (!seen.is_done) return out;
  out.failure = seen.error;
  if (!seen.error) out.outcome = seen.outcome();
  return out;
}

Status QueryJobs::cancel(const std::string& project, const std::string& location, const std::string& job_id,
                         base::Deadline deadline) {
  TRY_STATUS(tell_to_stop(project, location, job_id));
  Seen seen;
  seen.job_id = job_id;
  seen.location = location;
  TRY(seen, end_of(std::move(seen), project, deadline, {}));
  if (seen.is_done) return ok();
  return Error(ErrorCode::kTimeout, seen.object() + " was told to stop and has not ended yet").side(base::Side::kSink);
}

}  // namespace flytt::bigquery
