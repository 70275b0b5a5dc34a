#include "gateway/bigquery/internal/query_request.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "gateway/bigquery/internal/query_parameters.h"
#include "gateway/bigquery/internal/resources.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

constexpr std::string_view kTokenPrefix = "rows-";

Error not_in_this_version(const std::string& what) {
  return Error(ErrorCode::kUnsupported, what + " is not in this version.").cause("notImplemented");
}

// Members that would change what the query does, and that nothing here carries out.
Status refuse_unsupported(const Json& query) {
  static constexpr const char* kObjects[] = {"tableDefinitions",
                                             "systemVariables",
                                             "scriptOptions",
                                             "timePartitioning",
                                             "rangePartitioning",
                                             "clustering",
                                             "destinationEncryptionConfiguration"};
  static constexpr const char* kLists[] = {"connectionProperties", "userDefinedFunctionResources",
                                           "schemaUpdateOptions"};
  static constexpr const char* kFlags[] = {"createSession", "continuous"};
  for (const char* name : kObjects)
    if (const Json* value = member(query, name); value != nullptr && !value->empty())
      return not_in_this_version(std::string("A query with ") + name);
  for (const char* name : kLists)
    if (const Json* value = member(query, name); value != nullptr && !value->empty())
      return not_in_this_version(std::string("A query with ") + name);
  for (const char* name : kFlags) {
    TRY(const auto flag, optional_bool(query, name));
    if (flag.value_or(false)) return not_in_this_version(std::string("A query with ") + name);
  }
  TRY(const auto format, optional_string(query, "queryResultsFormat"));
  if (format == "ARROW") return not_in_this_version("queryResultsFormat ARROW");
  return ok();
}

// The first lines of a query may say which dialect it is in ("#standardSQL"), whatever the flag says.
enum class Dialect { kUnmarked, kStandard, kLegacy };
Dialect marked_dialect(std::string_view sql) {
  while (!sql.empty()) {
    const auto newline = sql.find('\n');
    std::string line(sql.substr(0, newline));
    line.erase(std::remove_if(line.begin(), line.end(), [](unsigned char c) { return std::isspace(c) != 0; }),
               line.end());
    for (char& c : line) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (line == "#standardsql") return Dialect::kStandard;
    if (line == "#legacysql") return Dialect::kLegacy;
    if (!line.empty() && line.front() != '#') return Dialect::kUnmarked;
    sql = newline == sql.npos ? std::string_view{} : sql.substr(newline + 1);
  }
  return Dialect::kUnmarked;
}

// Members that jobs.query and the query configuration of a job have in common.
Status parse_common(const Json& query, const std::string& project, QueryRequest& out) {
  TRY(out.sql, required_string(query, "query"));
  if (out.sql.size() > kQueryTextBytesMax)
    return invalid(
        "The query is too large. The maximum standard SQL query length is 1024.00K characters, including comments and "
        "white space characters.");
  TRY(const auto is_legacy, optional_bool(query, "useLegacySql"));
  const Dialect dialect = marked_dialect(out.sql);
  if (dialect == Dialect::kLegacy || (dialect == Dialect::kUnmarked && is_legacy.value_or(true)))
    return Error(ErrorCode::kBadData,
                 "Legacy SQL is not supported. Send \"useLegacySql\": false (its default is true), or begin the query "
                 "with a line #standardSQL.")
        .cause("invalidQuery");
  TRY_STATUS(refuse_unsupported(query));
  TRY(const Json* dataset, optional_object(query, "defaultDataset"));
  if (dataset != nullptr) {
    warehouse::DatasetPath path;
    TRY(path.dataset, required_string(*dataset, "datasetId"));
    TRY_STATUS(check_dataset_id(path.dataset));
    TRY(const auto its_project, optional_string(*dataset, "projectId"));
    path.project = its_project.value_or(project);
    out.default_dataset = std::move(path);
  }
  TRY(out.parameters, parse_query_parameters(query));
  TRY(out.bytes_billed_max, optional_int64(query, "maximumBytesBilled"));
  if (out.bytes_billed_max && *out.bytes_billed_max <= 0) out.bytes_billed_max.reset();  // as if it were not given
  return ok();
}

// What stands behind the '$'. Those of rows without a value are special words, which are not taken.
Status check_partition_id(const std::string& id) {
  const bool has_digits = std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!id.empty() && id.size() <= 19 && has_digits) return ok();
  if (id == "__NULL__" || id == "__UNPARTITIONED__") return not_in_this_version("Writing to the partition $" + id);
  return invalid("Invalid partition id \"" + id.substr(0, 100) +
                 "\": it is a time like 20260115, or the first number of a range.");
}

// destinationTable and the two dispositions of a query job.
Result<std::optional<warehouse::Destination>> parse_destination(const Json& query, const std::string& project) {
  using Write = warehouse::Destination::Write;
  TRY(const Json* table, optional_object(query, "destinationTable"));
  if (table == nullptr || table->empty()) return std::optional<warehouse::Destination>();
  warehouse::Destination out;
  TRY(const auto its_project, optional_string(*table, "projectId"));
  out.table.project = its_project.value_or(project);
  TRY(out.table.dataset, required_string(*table, "datasetId"));
  TRY(out.table.table, required_string(*table, "tableId"));
  TRY_STATUS(check_dataset_id(out.table.dataset));
  if (const auto dollar = out.table.table.find('$'); dollar != std::string::npos) {
    out.partition = out.table.table.substr(dollar + 1);
    out.table.table.resize(dollar);
    TRY_STATUS(check_partition_id(out.partition));
  }
  TRY_STATUS(check_table_id(out.table.table));
  TRY(const auto write, optional_string(query, "writeDisposition"));
  if (write == "WRITE_TRUNCATE")
    out.write = Write::kTruncate;
  else if (write == "WRITE_TRUNCATE_DATA")
    out.write = Write::kTruncateData;
  else if (write == "WRITE_APPEND")
    out.write = Write::kAppend;
  else if (write && *write != "WRITE_EMPTY")
    return invalid("Invalid value for writeDisposition: " + *write + " is not a valid value.");
  TRY(const auto create, optional_string(query, "createDisposition"));
  if (create && *create != "CREATE_IF_NEEDED" && *create != "CREATE_NEVER")
    return invalid("createDisposition must be CREATE_IF_NEEDED or CREATE_NEVER.");
  out.may_create = create != "CREATE_NEVER";
  return std::optional<warehouse::Destination>(std::move(out));
}

// BigQuery: at most 64 labels of texts.
Status check_labels(const Json& owner) {
  TRY(const Json* labels, optional_object(owner, "labels"));
  if (labels == nullptr) return ok();
  if (labels->size() > 64) return invalid("A job may have at most 64 labels.");
  for (const auto& [key, value] : labels->items())
    if (!value.is_string() || key.empty() || key.size() > 63 || value.get_ref<const std::string&>().size() > 63)
      return invalid("Invalid label " + key + ": keys and values are texts of at most 63 characters.");
  return ok();
}

Status check_not_negative(const char* name, const std::optional<std::int64_t>& value) {
  if (value && *value < 0) return invalid(std::string("Invalid value for '") + name + "': it must not be negative.");
  return ok();
}

Result<warehouse::TimestampForm> timestamp_form(std::optional<bool> is_int64, std::optional<std::string> format) {
  using warehouse::TimestampForm;
  if (is_int64.value_or(false)) return TimestampForm::kInt64Micros;
  if (!format || format->empty() || *format == "FLOAT64" || *format == "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED")
    return TimestampForm::kFloatSeconds;
  if (*format == "INT64") return TimestampForm::kInt64Micros;
  if (*format == "ISO8601_STRING") return TimestampForm::kIso8601;
  return invalid("formatOptions.timestampOutputFormat must be FLOAT64, INT64 or ISO8601_STRING.");
}

}  // namespace

Result<QueryRequest> parse_query_request(const Json& body, const std::string& project) {
  QueryRequest out;
  TRY_STATUS(parse_common(body, project, out));
  if (member(body, "destinationTable") != nullptr) return not_in_this_version("jobs.query with destinationTable");
  TRY_STATUS(check_labels(body));
  TRY(const auto dry_run, optional_bool(body, "dryRun"));
  out.is_dry_run = dry_run.value_or(false);
  TRY(out.job_timeout_ms, optional_int64(body, "jobTimeoutMs"));
  TRY(out.max_results, optional_int64(body, "maxResults"));
  TRY_STATUS(check_not_negative("maxResults", out.max_results));
  TRY(out.timeout_ms, optional_int64(body, "timeoutMs"));
  TRY_STATUS(check_not_negative("timeoutMs", out.timeout_ms));
  TRY(out.timestamps, parse_format_options(body));
  TRY(const auto request_id, optional_string(body, "requestId"));
  out.request_id = request_id.value_or("");
  const bool is_ascii =
      std::all_of(out.request_id.begin(), out.request_id.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (out.request_id.size() > 36 || !is_ascii)
    return invalid("Invalid value for 'requestId': at most 36 ASCII characters are allowed.");

  Json configuration = {{"jobType", "QUERY"}};
  Json& query = configuration["query"];
  for (const char* name :
       {"query", "defaultDataset", "parameterMode", "queryParameters", "useQueryCache", "maximumBytesBilled"})
    if (const Json* value = member(body, name)) query[name] = *value;
  query["useLegacySql"] = false;
  query["priority"] = "INTERACTIVE";
  if (const Json* labels = member(body, "labels")) configuration["labels"] = *labels;
  if (out.is_dry_run) configuration["dryRun"] = true;
  out.configuration = dump(configuration);
  return out;
}

Result<QueryRequest> parse_query_job(const Json& body, const std::string& project) {
  QueryRequest out;
  TRY(const Json* configuration, optional_object(body, "configuration"));
  if (configuration == nullptr)
    return Error(ErrorCode::kBadData, "Required parameter is missing: configuration").cause("required");
  for (const char* other : {"load", "copy", "extract"})
    if (member(*configuration, other) != nullptr) return not_in_this_version(std::string("A ") + other + " job");
  TRY(const Json* query, optional_object(*configuration, "query"));
  if (query == nullptr)
    return Error(ErrorCode::kBadData, "Required parameter is missing: configuration.query").cause("required");
  TRY_STATUS(parse_common(*query, project, out));
  TRY(out.destination, parse_destination(*query, project));
  TRY_STATUS(check_labels(*configuration));
  TRY(const auto dry_run, optional_bool(*configuration, "dryRun"));
  out.is_dry_run = dry_run.value_or(false);
  TRY(out.job_timeout_ms, optional_int64(*configuration, "jobTimeoutMs"));
  TRY(const Json* reference, optional_object(body, "jobReference"));
  if (reference != nullptr) {
    TRY(const auto job_id, optional_string(*reference, "jobId"));
    out.job_id = job_id.value_or("");
    TRY(const auto its_project, optional_string(*reference, "projectId"));
    if (its_project && !its_project->empty() && *its_project != project)
      return invalid("jobReference.projectId differs from the one in the URL.");
  }
  const bool is_legal = out.job_id.size() <= 1024 && std::all_of(out.job_id.begin(), out.job_id.end(), [](char c) {
                          return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
                        });
  if (!is_legal)
    return invalid(
        "Invalid job ID. Job IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 "
        "characters long.");
  Json kept = *configuration;
  kept["jobType"] = "QUERY";
  kept["query"]["useLegacySql"] = false;
  if (member(kept["query"], "priority") == nullptr) kept["query"]["priority"] = "INTERACTIVE";
  out.configuration = dump(kept);
  return out;
}

Result<warehouse::TimestampForm> parse_format_options(const Json& body) {
  TRY(const Json* options, optional_object(body, "formatOptions"));
  if (options == nullptr) return warehouse::TimestampForm::kFloatSeconds;
  TRY(const auto is_int64, optional_bool(*options, "useInt64Timestamp"));
  TRY(auto format, optional_string(*options, "timestampOutputFormat"));
  return timestamp_form(is_int64, std::move(format));
}

Result<warehouse::TimestampForm> parse_format_options(const QueryParameters& query) {
  std::string flag(query.get("formatOptions.useInt64Timestamp"));
  for (char& c : flag) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!flag.empty() && flag != "true" && flag != "false")
    return wrong_type("formatOptions.useInt64Timestamp", "true or false");
  return timestamp_form(flag == "true", std::string(query.get("formatOptions.timestampOutputFormat")));
}

Result<std::optional<std::int64_t>> parse_count(const QueryParameters& query, const char* name) {
  const auto text = query.find(name);
  if (!text || text->empty()) return std::optional<std::int64_t>();
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (failure != std::errc() || end != text->data() + text->size() || value < 0)
    return invalid(std::string("Invalid value for '") + name + "': a non-negative integer is expected.");
  return std::optional<std::int64_t>(value);
}

std::string page_token(std::int64_t offset) { return std::string(kTokenPrefix) + std::to_string(offset); }

Result<std::int64_t> parse_page_token(std::string_view token) {
  std::int64_t offset = -1;
  if (token.substr(0, kTokenPrefix.size()) == kTokenPrefix) {
    const std::string_view digits = token.substr(kTokenPrefix.size());
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), offset);
    if (failure != std::errc() || end != digits.data() + digits.size()) offset = -1;
  }
  if (offset < 0) return invalid("Invalid value for 'pageToken': it is not a token of this list.");
  return offset;
}

}  // namespace flytt::gateway::internal
