#include "bigquery/internal/errors.h"

#include <grpcpp/support/status_code_enum.h>

#include <nlohmann/json.hpp>

#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using base::Retry;
using base::Side;

struct Translation {
  ErrorCode code;
  Retry retry;
};

struct ReasonRow {
  std::string_view reason;
  Translation means;
};

// Reasons of bigquery REST v2 ("Error messages"); the HTTP status decides where the reason is unknown.
constexpr ReasonRow kReasons[] = {
    {"accessDenied", {ErrorCode::kAuth, Retry::kAfterOperator}},
    {"authError", {ErrorCode::kAuth, Retry::kAfterOperator}},
    {"forbidden", {ErrorCode::kAuth, Retry::kAfterOperator}},
    {"required", {ErrorCode::kConfig, Retry::kNever}},
    {"billingNotEnabled", {ErrorCode::kAuth, Retry::kAfterOperator}},
    {"billingTierLimitExceeded", {ErrorCode::kThrottled, Retry::kAfterOperator}},
    {"blocked", {ErrorCode::kAuth, Retry::kAfterOperator}},
    {"notFound", {ErrorCode::kNotFound, Retry::kAfterOperator}},
    {"duplicate", {ErrorCode::kConflict, Retry::kNever}},
    {"alreadyExists", {ErrorCode::kConflict, Retry::kNever}},
    {"conditionNotMet", {ErrorCode::kConflict, Retry::kNever}},
    {"resourceInUse", {ErrorCode::kConflict, Retry::kNever}},
    {"invalid", {ErrorCode::kConfig, Retry::kNever}},
    {"invalidQuery", {ErrorCode::kConfig, Retry::kNever}},
    {"invalidUser", {ErrorCode::kConfig, Retry::kNever}},
    {"badRequest", {ErrorCode::kConfig, Retry::kNever}},
    {"parseError", {ErrorCode::kConfig, Retry::kNever}},
    {"resourcesExceeded", {ErrorCode::kConfig, Retry::kNever}},
    {"responseTooLarge", {ErrorCode::kConfig, Retry::kNever}},
    {"bytesBilledLimitExceeded", {ErrorCode::kConfig, Retry::kNever}},
    {"quotaExceeded", {ErrorCode::kThrottled, Retry::kAfterOperator}},
    {"rateLimitExceeded", {ErrorCode::kThrottled, Retry::kAfterBackoff}},
    {"userRateLimitExceeded", {ErrorCode::kThrottled, Retry::kAfterBackoff}},
    {"jobRateLimitExceeded", {ErrorCode::kThrottled, Retry::kAfterBackoff}},
    {"backendError", {ErrorCode::kUnavailable, Retry::kAfterBackoff}},
    {"internalError", {ErrorCode::kUnavailable, Retry::kAfterBackoff}},
    {"badGateway", {ErrorCode::kUnavailable, Retry::kAfterBackoff}},
    {"jobBackendError", {ErrorCode::kUnavailable, Retry::kAfterBackoff}},
    {"jobInternalError", {ErrorCode::kUnavailable, Retry::kAfterBackoff}},
    {"tableUnavailable", {ErrorCode::kUnavailable, Retry::kAfterBackoff}},
    {"timeout", {ErrorCode::kTimeout, Retry::kNever}},
    {"stopped", {ErrorCode::kCancelled, Retry::kNever}},
    {"notImplemented", {ErrorCode::kUnsupported, Retry::kNever}},
};

Translation of_status(int status) {
  switch (status) {
    case 400: return {ErrorCode::kConfig, Retry::kNever};
    case 401:
    case 403: return {ErrorCode::kAuth, Retry::kAfterOperator};
    case 404: return {ErrorCode::kNotFound, Retry::kAfterOperator};
    case 409:
    case 412: return {ErrorCode::kConflict, Retry::kNever};
    case 413: return {ErrorCode::kConfig, Retry::kNever};
    case 429: return {ErrorCode::kThrottled, Retry::kAfterBackoff};
    case 408:
    case 500:
    case 502:
    case 503:
    case 504: return {ErrorCode::kUnavailable, Retry::kAfterBackoff};
    case 501: return {ErrorCode::kUnsupported, Retry::kNever};
    default: return {ErrorCode::kUnavailable, status >= 500 ? Retry::kAfterBackoff : Retry::kNever};
  }
}

Translation of_rest(const RestFailure& failure) {
  for (const ReasonRow& row : kReasons) {
    if (row.reason == failure.reason) return row.means;
  }
  return of_status(failure.status);
}

std::string shortened(std::string_view text) { return std::string(text.substr(0, kErrorTextMax)); }

std::string sentence(ErrorCode code, const std::string& object) {
  switch (code) {
    case ErrorCode::kAuth: return "BigQuery does not allow this for " + object + ": check the account's roles";
    case ErrorCode::kNotFound: return "BigQuery does not find " + object;
    case ErrorCode::kConflict: return "BigQuery sees a conflict about " + object;
    case ErrorCode::kThrottled: return "BigQuery limits requests about " + object;
    case ErrorCode::kUnavailable: return "BigQuery could not serve " + object;
    case ErrorCode::kTimeout: return "BigQuery stopped " + object + " because it took too long";
    case ErrorCode::kUnsupported: return "the server does not offer what was asked about " + object;
    case ErrorCode::kSchema: return "the schema of " + object + " does not fit its rows";
    case ErrorCode::kCancelled: return object + " was cancelled";
    default: return "BigQuery refuses " + object;
  }
}

std::string grpc_name(int code) {
  static constexpr const char* kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return code >= 0 && code <= 16 ? kNames[code] : "code " + std::to_string(code);
}

std::string cause_of(const wire::AppendFailure& failure) {
  std::string cause = grpc_name(failure.grpc_code);
  if (failure.storage_code != wire::StorageCode::kNone)
    cause += " " + std::string(wire::to_string(failure.storage_code));
  if (!failure.message.empty()) cause += ": " + without_quoted(failure.message);
  return cause;
}

// What the service says about a stream that it does not know, without a code of its own.
bool names_no_stream(const wire::AppendFailure& failure) {
  return failure.grpc_code == grpc::StatusCode::INVALID_ARGUMENT &&
         failure.message.rfind("Invalid stream name", 0) == 0;
}

Translation of_append(const wire::AppendFailure& failure) {
  switch (verdict_of(failure)) {
    case AppendVerdict::kTransient: return {ErrorCode::kUnavailable, Retry::kAfterBackoff};
    case AppendVerdict::kThrottled: return {ErrorCode::kThrottled, Retry::kAfterBackoff};
    case AppendVerdict::kMissingTable: return {ErrorCode::kNotFound, Retry::kAfterOperator};
    case AppendVerdict::kSchemaLag: return {ErrorCode::kSchema, Retry::kAfterOperator};
    case AppendVerdict::kStreamEnded: return {ErrorCode::kConflict, Retry::kAfterBackoff};
    case AppendVerdict::kSinkFailed: return {ErrorCode::kAuth, Retry::kAfterOperator};
    case AppendVerdict::kTableFailed: break;
  }
  switch (failure.grpc_code) {
    case grpc::StatusCode::PERMISSION_DENIED: return {ErrorCode::kAuth, Retry::kAfterOperator};
    case grpc::StatusCode::UNIMPLEMENTED: return {ErrorCode::kUnsupported, Retry::kNever};
    default: return {ErrorCode::kSchema, Retry::kAfterOperator};
  }
}

}  // namespace

RestFailure parse_rest_failure(int status, std::string_view body) {
  RestFailure out{status, "", ""};
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  if (!parsed.is_object()) return out;
  const auto error = parsed.find("error");
  if (error == parsed.end() || !error->is_object()) return out;
  if (const auto message = error->find("message"); message != error->end() && message->is_string())
    out.message = *message;
  const auto errors = error->find("errors");
  if (errors == error->end() || !errors->is_array() || errors->empty() || !errors->front().is_object()) return out;
  if (const auto reason = errors->front().find("reason"); reason != errors->front().end() && reason->is_string())
    out.reason = *reason;
  return out;
}

Error error_of_job(const RestFailure& failure, const std::string& object) {
  const Translation means = of_rest({400, failure.reason, ""});
  std::string cause = failure.reason;
  if (!failure.message.empty()) cause += ": " + shortened(failure.message);
  return Error(means.code, sentence(means.code, object)).retry(means.retry).side(Side::kSink).cause(std::move(cause));
}

Error error_of_rest(const RestFailure& failure, const std::string& object) {
  const Translation means = of_rest(failure);
  std::string cause = "HTTP " + std::to_string(failure.status);
  if (!failure.reason.empty()) cause += " " + failure.reason;
  if (!failure.message.empty()) cause += ": " + shortened(failure.message);
  return Error(means.code, sentence(means.code, object)).retry(means.retry).side(Side::kSink).cause(std::move(cause));
}

AppendVerdict verdict_of(const wire::AppendFailure& failure) {
  if (failure.storage_code == wire::StorageCode::kSchemaMismatchExtraFields) return AppendVerdict::kSchemaLag;
  if (failure.storage_code == wire::StorageCode::kTableNotFound) return AppendVerdict::kMissingTable;
  if (failure.storage_code == wire::StorageCode::kStreamFinalized ||
      failure.storage_code == wire::StorageCode::kStreamNotFound || names_no_stream(failure))
    return AppendVerdict::kStreamEnded;
  switch (failure.grpc_code) {
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::UNKNOWN: return AppendVerdict::kTransient;
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return AppendVerdict::kThrottled;
    case grpc::StatusCode::NOT_FOUND: return AppendVerdict::kMissingTable;
    case grpc::StatusCode::UNAUTHENTICATED: return AppendVerdict::kSinkFailed;
    default: return AppendVerdict::kTableFailed;
  }
}

Error error_of_append(const wire::AppendFailure& failure, const std::string& object) {
  const Translation means = of_append(failure);
  return Error(means.code, sentence(means.code, object)).retry(means.retry).side(Side::kSink).cause(cause_of(failure));
}

Error error_of_stream(const wire::AppendFailure& failure, const std::string& object) {
  const auto with = [&](ErrorCode code, Retry retry) {
    return Error(code, sentence(code, object)).retry(retry).side(Side::kSink).cause(cause_of(failure));
  };
  switch (failure.storage_code) {
    case wire::StorageCode::kTableNotFound:
    case wire::StorageCode::kStreamNotFound: return with(ErrorCode::kNotFound, Retry::kAfterOperator);
    case wire::StorageCode::kStreamAlreadyCommitted:
    case wire::StorageCode::kInvalidStreamState:
    case wire::StorageCode::kStreamFinalized: return with(ErrorCode::kConflict, Retry::kNever);
    default: break;
  }
  if (names_no_stream(failure)) return with(ErrorCode::kNotFound, Retry::kAfterOperator);
  switch (failure.grpc_code) {
    case grpc::StatusCode::NOT_FOUND: return with(ErrorCode::kNotFound, Retry::kAfterOperator);
    case grpc::StatusCode::FAILED_PRECONDITION: return with(ErrorCode::kConflict, Retry::kNever);
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE: return with(ErrorCode::kConfig, Retry::kNever);
    default: return error_of_append(failure, object);
  }
}

std::string without_quoted(std::string_view message) {
  std::string out;
  for (std::size_t at = 0; at < message.size() && out.size() < kErrorTextMax; ++at) {
    const char c = message[at];
    const bool opens =
        c == '"' || c == '`' || (c == '\'' && (at == 0 || message[at - 1] == ' ' || message[at - 1] == '('));
    const auto close = opens ? message.find(c, at + 1) : std::string_view::npos;
    out += c;
    if (close == std::string_view::npos) continue;
    out += "…";
    out += c;
    at = close;
  }
  return out;
}

}  // namespace flytt::bigquery
