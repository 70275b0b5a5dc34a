#include "warehouse/internal/job_records.h"

#include <nlohmann/json.hpp>

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using Json = nlohmann::json;

std::string to_document(const Job& job) {
  const StatementSummary& summary = job.summary;
  Json json{{"location", job.location},
            {"user", job.user},
            {"created_micros", job.created_micros},
            {"started_micros", job.started_micros},
            {"ended_micros", job.ended_micros},
            {"configuration", job.configuration},
            {"statement_type", summary.statement_type},
            {"referenced_tables", summary.referenced_tables},
            {"bytes_processed", summary.bytes_processed},
            {"bytes_billed", summary.bytes_billed}};
  if (summary.affected_rows) json["affected_rows"] = *summary.affected_rows;
  if (summary.written_rows) json["written_rows"] = *summary.written_rows;
  if (summary.dml) json["dml"] = {summary.dml->inserted, summary.dml->updated, summary.dml->deleted};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Throws as nlohmann does.
Job from_document(const Json& json) {
  Job job;
  job.state = Job::State::kDone;
  job.location = json.at("location").get<std::string>();
  job.user = json.at("user").get<std::string>();
  job.created_micros = json.at("created_micros").get<std::int64_t>();
  job.started_micros = json.at("started_micros").get<std::int64_t>();
  job.ended_micros = json.at("ended_micros").get<std::int64_t>();
  job.configuration = json.at("configuration").get<std::string>();
  StatementSummary& summary = job.summary;
  summary.statement_type = json.at("statement_type").get<std::string>();
  summary.referenced_tables = json.at("referenced_tables").get<std::vector<std::string>>();
  summary.bytes_processed = json.at("bytes_processed").get<std::int64_t>();
  summary.bytes_billed = json.at("bytes_billed").get<std::int64_t>();
  if (json.contains("affected_rows")) summary.affected_rows = json.at("affected_rows").get<std::int64_t>();
  if (json.contains("written_rows")) summary.written_rows = json.at("written_rows").get<std::int64_t>();
  if (json.contains("dml")) {
    const auto counts = json.at("dml").get<std::vector<std::int64_t>>();
    summary.dml = DmlCounts{counts.at(0), counts.at(1), counts.at(2)};
  }
  return job;
}

}  // namespace

Result<std::vector<Job>> open_job_records(Connection& connection, std::int64_t now_micros) {
  TRY_STATUS(
      connection.run("CREATE TABLE IF NOT EXISTS flytt.jobs(project VARCHAR, id VARCHAR, ended BIGINT, doc VARCHAR)"));
  TRY_STATUS(connection.run("DELETE FROM flytt.jobs WHERE ended < " + std::to_string(now_micros - kSavedJobMicros)));
  TRY(const auto rows,
      connection.rows("SELECT project, id, doc FROM (SELECT * FROM flytt.jobs ORDER BY ended DESC LIMIT " +
                      std::to_string(kJobsMax / 2) + ") ORDER BY ended"));
  std::vector<Job> jobs;
  for (const TextRow& row : rows) {
    try {
      Job job = from_document(Json::parse(row[2].value_or("")));
      job.project = row[0].value_or("");
      job.id = row[1].value_or("");
      jobs.push_back(std::move(job));
    } catch (const std::exception& e) {
      return Error(ErrorCode::kCorrupt, "the warehouse's record of a job is damaged").cause(e.what());
    }
  }
  return jobs;
}

Status insert_job_record(Connection& connection, const Job& job) {
  return connection.run_with("INSERT INTO flytt.jobs VALUES ($1, $2, " + std::to_string(job.ended_micros) + ", $3)",
                             {job.project, job.id, to_document(job)});
}

Status remove_job_record(Connection& connection, const std::string& project, const std::string& id) {
  return connection.run_with("DELETE FROM flytt.jobs WHERE project = $1 AND id = $2", {project, id});
}

}  // namespace flytt::warehouse::internal
