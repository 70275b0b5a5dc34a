#include "gateway/bigquery/internal/job_json.h"

#include <algorithm>

#include "gateway/bigquery/internal/error_mapping.h"
#include "gateway/bigquery/internal/resources.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

using warehouse::Job;

const char* state_text(Job::State state) {
  switch (state) {
    case Job::State::kPending: return "PENDING";
    case Job::State::kRunning: return "RUNNING";
    case Job::State::kDone: return "DONE";
  }
  return "DONE";
}

OrderedJson status_json(const Job& job) {
  OrderedJson out;
  if (job.error) {
    OrderedJson error;
    error["reason"] = job.error->reason;
    if (!job.error->location.empty()) error["location"] = job.error->location;
    error["message"] = job.error->message;
    out["errorResult"] = error;
    out["errors"] = OrderedJson::array({error});
  }
  out["state"] = state_text(job.state);
  return out;
}

// "project.dataset.table" from the right, because a project may hold dots.
OrderedJson table_reference_json(const std::string& full_name) {
  const auto table = full_name.rfind('.');
  const auto dataset = table == full_name.npos || table == 0 ? full_name.npos : full_name.rfind('.', table - 1);
  if (dataset == full_name.npos) return nullptr;
  return {{"projectId", full_name.substr(0, dataset)},
          {"datasetId", full_name.substr(dataset + 1, table - dataset - 1)},
          {"tableId", full_name.substr(table + 1)}};
}

OrderedJson dataset_reference_json(const std::string& full_name) {
  const auto dataset = full_name.rfind('.');
  if (dataset == full_name.npos) return nullptr;
  return {{"projectId", full_name.substr(0, dataset)}, {"datasetId", full_name.substr(dataset + 1)}};
}

OrderedJson query_statistics_json(const Job& job) {
  const warehouse::StatementSummary& summary = job.summary;
  OrderedJson out;
  out["totalBytesProcessed"] = std::to_string(summary.bytes_processed);
  out["totalBytesBilled"] = std::to_string(summary.bytes_billed);
  out["cacheHit"] = false;
  if (!summary.statement_type.empty()) out["statementType"] = summary.statement_type;
  if (!summary.ddl_operation.empty()) out["ddlOperationPerformed"] = summary.ddl_operation;
  if (!summary.ddl_target.empty()) {
    const bool is_schema = summary.statement_type.find("SCHEMA") != std::string::npos;
    out[is_schema ? "ddlTargetDataset" : "ddlTargetTable"] =
        is_schema ? dataset_reference_json(summary.ddl_target) : table_reference_json(summary.ddl_target);
  }
  if (summary.affected_rows) {
    out["numDmlAffectedRows"] = std::to_string(*summary.affected_rows);
    if (summary.dml) out["dmlStats"] = dml_stats_json(*summary.dml);
  }
  if (summary.written_rows)
    out["queryPlan"] = OrderedJson::array({{{"name", "S00: Output"},
                                            {"id", "0"},
                                            {"status", "COMPLETE"},
                                            {"recordsWritten", std::to_string(*summary.written_rows)}}});
  OrderedJson tables = OrderedJson::array();
  for (const std::string& name : summary.referenced_tables)
    if (OrderedJson reference = table_reference_json(name); !reference.is_null())
      tables.push_back(std::move(reference));
  if (!tables.empty()) out["referencedTables"] = std::move(tables);
  return out;
}

OrderedJson statistics_json(const Job& job) {
  OrderedJson out;
  out["creationTime"] = millis_text(job.created_micros);
  if (job.started_micros != 0) out["startTime"] = millis_text(job.started_micros);
  if (job.ended_micros != 0) out["endTime"] = millis_text(job.ended_micros);
  out["totalBytesProcessed"] = std::to_string(job.summary.bytes_processed);
  if (job.state == Job::State::kDone) out["query"] = query_statistics_json(job);
  return out;
}

std::string full_id(const Job& job) { return job.project + ":" + job.location + "." + job.id; }

}  // namespace

OrderedJson dml_stats_json(const warehouse::DmlCounts& counts) {
  return {{"insertedRowCount", std::to_string(counts.inserted)},
          {"updatedRowCount", std::to_string(counts.updated)},
          {"deletedRowCount", std::to_string(counts.deleted)}};
}

OrderedJson job_reference_json(const Job& job) {
  OrderedJson out = {{"projectId", job.project}};
  if (!job.id.empty()) out["jobId"] = job.id;
  out["location"] = job.location;
  return out;
}

OrderedJson job_json(const Job& job, const std::string& base) {
  OrderedJson out;
  out["kind"] = "bigquery#job";
  out["etag"] = job.id + "-" + state_text(job.state);
  out["id"] = full_id(job);
  out["selfLink"] = base + "projects/" + job.project + "/jobs/" + job.id + "?location=" + job.location;
  out["user_email"] = job.user;
  out["configuration"] = OrderedJson::parse(job.configuration.empty() ? "{}" : job.configuration, nullptr, false);
  out["jobReference"] = job_reference_json(job);
  out["statistics"] = statistics_json(job);
  out["status"] = status_json(job);
  out["jobCreationReason"] = {{"code", "REQUESTED"}};
  return out;
}

OrderedJson job_list_item_json(const Job& job, bool is_full) {
  OrderedJson out;
  out["kind"] = "bigquery#job";
  out["id"] = full_id(job);
  out["jobReference"] = job_reference_json(job);
  out["state"] = state_text(job.state);
  out["statistics"] = statistics_json(job);
  if (is_full)
    out["configuration"] = OrderedJson::parse(job.configuration.empty() ? "{}" : job.configuration, nullptr, false);
  OrderedJson status = status_json(job);
  if (status.contains("errorResult")) out["errorResult"] = status["errorResult"];
  out["status"] = std::move(status);
  out["user_email"] = job.user;
  return out;
}

Error error_of_job(const Job& job) {
  const int http_status = http_status_of_reason(job.error->reason);
  ErrorCode code = ErrorCode::kBadData;
  if (http_status == 404) code = ErrorCode::kNotFound;
  if (http_status == 501) code = ErrorCode::kUnsupported;
  if (http_status >= 500 && http_status != 501) code = ErrorCode::kUnavailable;
  return Error(code, job.error->message).cause(job.error->reason);
}

RowsJson rows_json(const warehouse::StoredResult& result, const RowRange& range) {
  RowsJson out;
  out.next_offset = std::min(range.offset, result.row_count);
  std::vector<data::Type> types;
  for (const auto& column : result.columns) types.push_back(column.type);
  const std::int64_t end =
      std::min(result.row_count,
               range.rows_max ? out.next_offset + std::min(*range.rows_max, result.row_count) : result.row_count);
  std::int64_t page_begin = 0;
  for (const warehouse::ResultPage& page : result.pages) {
    const auto page_rows = static_cast<std::int64_t>(page.row_count());
    for (; out.next_offset < std::min(end, page_begin + page_rows); ++out.next_offset) {
      if (out.row_count > 0) out.rows += ',';
      warehouse::append_row_json(types, page.columns, static_cast<std::size_t>(out.next_offset - page_begin),
                                 range.timestamps, out.rows);
      ++out.row_count;
      if (out.rows.size() < kPageBytesMax) continue;
      ++out.next_offset;
      return out;
    }
    page_begin += page_rows;
    if (page_begin >= end) break;
  }
  return out;
}

void add_rows(std::string& object_text, const std::string& rows) {
  object_text.pop_back();  // the closing brace
  object_text.reserve(object_text.size() + rows.size() + 16);
  object_text += ",\"rows\":[";
  object_text += rows;
  object_text += "]}";
}

}  // namespace flytt::gateway::internal
