#pragma once
// What jobs.query and jobs.insert ask for. Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/bigquery/internal/json.h"
#include "gateway/internal/url.h"
#include "googlesql/translator.h"
#include "warehouse/query.h"
#include "warehouse/rest_json.h"
#include "warehouse/tables.h"

namespace flytt::gateway::internal {

struct QueryRequest {
  std::string sql;
  std::optional<warehouse::DatasetPath> default_dataset;
  std::vector<googlesql::QueryParameter> parameters;
  std::optional<warehouse::Destination> destination;
  bool is_dry_run = false;
  std::optional<std::int64_t> job_timeout_ms;
  std::optional<std::int64_t> bytes_billed_max;
  std::string job_id;         // jobs.insert: the client's own; empty = make one
  std::string configuration;  // JSON text of the job's `configuration`

  // Only jobs.query: about its response.
  std::string request_id;
  std::optional<std::int64_t> max_results;
  std::optional<std::int64_t> timeout_ms;
  warehouse::TimestampForm timestamps = warehouse::TimestampForm::kFloatSeconds;
};

Result<QueryRequest> parse_query_request(const Json& body, const std::string& project);  // QueryRequest
Result<QueryRequest> parse_query_job(const Json& body, const std::string& project);      // Job

// formatOptions of a body, or formatOptions.* of a query string.
Result<warehouse::TimestampForm> parse_format_options(const Json& body);
Result<warehouse::TimestampForm> parse_format_options(const QueryParameters& query);

// "maxResults", "timeoutMs", "startIndex": nullopt when absent, an error when no integer of at least 0.
Result<std::optional<std::int64_t>> parse_count(const QueryParameters& query, const char* name);

// A place in a list of rows as a page token, and back.
std::string page_token(std::int64_t offset);
Result<std::int64_t> parse_page_token(std::string_view token);

}  // namespace flytt::gateway::internal
