#include "bigquery/client.h"

#include <cstdio>

#include "bigquery/internal/client_call.h"
#include "bigquery/internal/errors.h"
#include "bigquery/internal/rest_schema.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    char hex[4];
    std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned char>(c));
    out += plain ? std::string(1, c) : std::string(hex);
  }
  return out;
}

std::string project_target(const std::string& project) { return "/bigquery/v2/projects/" + percent_encoded(project); }

namespace {

using nlohmann::json;

std::string datasets_target(const std::string& project) { return project_target(project) + "/datasets"; }
std::string dataset_target(const std::string& project, const std::string& dataset) {
  return datasets_target(project) + "/" + percent_encoded(dataset);
}
std::string tables_target(const data::TablePath& path) {
  return dataset_target(path.project, path.dataset) + "/tables";
}
std::string table_target(const data::TablePath& path) {
  return tables_target(path) + "/" + percent_encoded(path.table);
}

// 128 random bits as hexadecimal digits: jobs.query takes at most 36 characters.
std::string request_id(base::Random& random) {
  char text[40];
  const auto high = static_cast<unsigned long long>(random.next());
  const auto low = static_cast<unsigned long long>(random.next());
  std::snprintf(text, sizeof text, "%016llx%016llx", high, low);
  return text;
}

}  // namespace

Result<HttpResponse> Client::attempt(const Call& call, base::Deadline deadline) {
  HttpRequest request{call.method, call.target, {{"accept", "application/json"}}, call.body};
  if (call.method != "GET") request.headers.emplace_back("content-type", "application/json");
  if (!call.etag.empty()) request.headers.emplace_back("if-match", call.etag);
  if (parts_.transport.is_secure()) {
    TRY(const HttpHeaders headers, sign_in(parts_.credentials));
    request.headers.insert(request.headers.end(), headers.begin(), headers.end());
  }
  auto response = parts_.transport.send(request, deadline);
  if (!response) return std::move(response).error().within("while asking about " + call.object);
  if (response->status >= 200 && response->status < 300) return response;
  return error_of_rest(parse_rest_failure(response->status, response->body), call.object);
}

Result<HttpResponse> Client::exchange(const Call& call) {
  return retrier_.run(
      call.is_repeatable, call.object, [&](base::Deadline deadline) { return attempt(call, deadline); },
      [&](const Error& error) {
        if (call.may_have_happened != nullptr && error.code() != ErrorCode::kThrottled) *call.may_have_happened = true;
      });
}

Result<DatasetInfo> Client::get_dataset(const std::string& project, const std::string& dataset) {
  TRY(const HttpResponse response,
      exchange({"GET", dataset_target(project, dataset), "dataset " + project + "." + dataset}));
  return dataset_from_json(response.body);
}

Result<DatasetInfo> Client::insert_dataset(const DatasetInfo& dataset) {
  bool may_exist = false;
  const std::string object = "dataset " + dataset.project + "." + dataset.dataset;
  auto response = exchange(
      {"POST", datasets_target(dataset.project), object, dataset_to_json(dataset).dump(), "", true, &may_exist});
  if (response) return dataset_from_json(response->body);
  if (may_exist && response.error().code() == ErrorCode::kConflict)
    return get_dataset(dataset.project, dataset.dataset);
  return std::move(response).error();
}

Result<DatasetInfo> Client::patch_dataset(const DatasetInfo& dataset) {
  json body = json::object();
  body["description"] = dataset.description;
  if (!dataset.labels.empty()) body["labels"] = dataset.labels;
  TRY(const HttpResponse response,
      exchange({"PATCH", dataset_target(dataset.project, dataset.dataset),
                "dataset " + dataset.project + "." + dataset.dataset, body.dump(), dataset.etag}));
  return dataset_from_json(response.body);
}

Result<TableInfo> Client::get_table(const data::TablePath& path) {
  TRY(const HttpResponse response, exchange({"GET", table_target(path), "table " + path.text()}));
  return table_from_json(response.body);
}

Result<TableInfo> Client::insert_table(const TableInfo& table) {
  bool may_exist = false;
  auto response = exchange({"POST", tables_target(table.path), "table " + table.path.text(),
                            table_to_json(table, false).dump(), "", true, &may_exist});
  if (response) return table_from_json(response->body);
  if (may_exist && response.error().code() == ErrorCode::kConflict) return get_table(table.path);
  return std::move(response).error();
}

Result<TableInfo> Client::patch_table(const TableInfo& table) {
  TRY(const HttpResponse response, exchange({"PATCH", table_target(table.path), "table " + table.path.text(),
                                             table_to_json(table, true).dump(), table.etag}));
  return table_from_json(response.body);
}

Status Client::delete_table(const data::TablePath& path) {
  const auto response = exchange({"DELETE", table_target(path), "table " + path.text()});
  if (!response && response.error().code() != ErrorCode::kNotFound) return response.error();
  return ok();
}

Status Client::insert_row(const data::TablePath& path, const std::string& row) {
  const std::string object = "table " + path.text();
  TRY(const HttpResponse response,
      exchange({"POST", table_target(path) + "/insertAll", object, "{\"rows\":[{\"json\":" + row + "}]}"}));
  const json answer = json::parse(response.body, nullptr, false);
  if (answer.is_object() && !answer.contains("insertErrors")) return ok();
  return Error(ErrorCode::kBadData, object + " does not take the row").side(base::Side::kSink);
}

Status Client::fill_result(QueryResult& result, const std::string& body, bool& is_complete) {
  const json answer = json::parse(body, nullptr, false);
  if (!answer.is_object())
    return Error(ErrorCode::kCorrupt, "BigQuery's answer to a query is not JSON").side(base::Side::kSink);
  if (const auto reference = answer.find("jobReference"); reference != answer.end() && reference->is_object()) {
    result.job_id_ = text_member(*reference, "jobId");
    result.location_ = text_member(*reference, "location");
  }
  is_complete = answer.value("jobComplete", json(false)) == json(true);
  if (!is_complete) return ok();
  if (const auto schema = answer.find("schema");
      schema != answer.end() && schema->is_object() && schema->contains("fields")) {
    TRY(result.schema_, fields_from_json((*schema)["fields"]));
  }
  result.total_rows_ = int_member(answer, "totalRows").value_or(result.total_rows_);
  result.total_bytes_processed_ = int_member(answer, "totalBytesProcessed").value_or(result.total_bytes_processed_);
  if (const auto affected = int_member(answer, "numDmlAffectedRows")) result.affected_rows_ = affected;
  result.page_token_ = text_member(answer, "pageToken");
  const auto rows = answer.find("rows");
  TRY(auto parsed, rows_from_json(rows == answer.end() ? json() : *rows));
  result.ready_ = std::move(parsed);
  return ok();
}

Status Client::fetch_page(QueryResult& result, bool& is_complete) {
  std::string target = project_target(result.request_.project) + "/queries/" + percent_encoded(result.job_id_) +
                       "?formatOptions.useInt64Timestamp=true&timeoutMs=" + std::to_string(kQueryPoll.count());
  if (!result.location_.empty()) target += "&location=" + percent_encoded(result.location_);
  if (!result.page_token_.empty()) target += "&pageToken=" + percent_encoded(result.page_token_);
  target += "&maxResults=" + std::to_string(result.request_.page_rows);
  TRY(const HttpResponse response, exchange({"GET", target, "the result of job " + result.job_id_}));
  return fill_result(result, response.body, is_complete);
}

Result<QueryResult> Client::query(const QueryRequest& request) {
  QueryResult result;
  result.client_ = this;
  result.request_ = request;
  if (request.page_rows <= 0 || request.page_rows > kPageRowsMax) result.request_.page_rows = kPageRowsMax;
  json body = {{"query", request.sql},
               {"useLegacySql", false},
               {"timeoutMs", kQueryPoll.count()},
               {"maxResults", result.request_.page_rows},
               {"formatOptions", {{"useInt64Timestamp", true}}}};
  if (request.is_dry_run)
    body["dryRun"] = true;
  else
    body["requestId"] = request_id(parts_.random);
  if (!request.location.empty()) body["location"] = request.location;
  if (!request.default_dataset.empty())
    body["defaultDataset"] = {{"projectId", request.project}, {"datasetId", request.default_dataset}};
  bool is_complete = false;
  TRY(const HttpResponse response,
      exchange({"POST", project_target(request.project) + "/queries", "the query", body.dump()}));
  TRY_STATUS(fill_result(result, response.body, is_complete));
  while (!is_complete) {
    if (result.job_id_.empty())
      return Error(ErrorCode::kCorrupt, "BigQuery's answer to a query names no job").side(base::Side::kSink);
    TRY_STATUS(fetch_page(result, is_complete));
  }
  return result;
}

Result<std::vector<ResultRow>> QueryResult::next_page() {
  for (;;) {
    if (!ready_) {
      if (page_token_.empty()) return std::vector<ResultRow>();
      bool is_complete = false;
      TRY_STATUS(client_->fetch_page(*this, is_complete));
      if (!is_complete)
        return Error(ErrorCode::kCorrupt, "BigQuery's job " + job_id_ + " is no longer complete")
            .side(base::Side::kSink);
    }
    std::vector<ResultRow> out = std::move(*ready_);
    ready_.reset();
    // A page may be empty although more follow; an empty list means the end.
    if (!out.empty() || page_token_.empty()) return out;
  }
}

}  // namespace flytt::bigquery
