#include "gateway/bigquery/internal/error_mapping.h"

namespace flytt::gateway::internal {

namespace {

struct Reason {
  std::string_view name;
  int http_status;
};
constexpr Reason kReasons[] = {
    {"accessDenied", 403},
    {"backendError", 503},
    {"badRequest", 400},
    {"blocked", 403},
    {"bytesBilledLimitExceeded", 400},
    {"conditionNotMet", 412},
    {"duplicate", 409},
    {"internalError", 500},
    {"invalid", 400},
    {"invalidQuery", 400},
    {"invalidParameter", 400},
    {"jobRateLimitExceeded", 400},
    {"notFound", 404},
    {"notImplemented", 501},
    {"parseError", 400},
    {"quotaExceeded", 403},
    {"rateLimitExceeded", 403},
    {"required", 400},
    {"resourceInUse", 400},
    {"resourcesExceeded", 400},
    {"responseTooLarge", 403},
    {"stopped", 200},
    {"timeout", 400},
    {"tableUnavailable", 400},
};

std::string_view reason_of_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound: return "notFound";
    case ErrorCode::kConflict: return "duplicate";
    case ErrorCode::kAuth: return "accessDenied";
    case ErrorCode::kThrottled: return "rateLimitExceeded";
    case ErrorCode::kUnavailable: return "backendError";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kCancelled: return "stopped";
    case ErrorCode::kUnsupported: return "notImplemented";
    case ErrorCode::kBadData:
    case ErrorCode::kSchema:
    case ErrorCode::kConfig: return "invalid";
    case ErrorCode::kCorrupt:
    case ErrorCode::kBug: return "internalError";
  }
  return "internalError";
}

}  // namespace

int http_status_of_reason(std::string_view reason) {
  for (const Reason& known : kReasons)
    if (known.name == reason) return known.http_status;
  return 0;
}

std::string_view reason_of(const Error& error) {
  return http_status_of_reason(error.cause()) != 0 ? std::string_view(error.cause()) : reason_of_code(error.code());
}

// The analyzer writes a position as "[at 1:8]", BigQuery as "at [1:8]".
std::string with_bigquery_position(std::string sentence) {
  const auto open = sentence.rfind("[at ");
  if (open != std::string::npos && sentence.find(']', open) != std::string::npos) sentence.replace(open, 4, "at [");
  return sentence;
}

GoogleError google_error_of(const Error& error) {
  GoogleError out;
  out.reason = reason_of(error);
  out.http_status = http_status_of_reason(out.reason);
  if (out.reason == "stopped") out.http_status = 499;  // a cancelled request has no body that says 200
  out.message = with_bigquery_position(error.sentence());
  const bool is_native_cause = !error.cause().empty() && error.cause() != out.reason;
  if (is_native_cause) out.message += " (" + error.cause() + ")";
  if (out.reason == "invalidQuery") {
    out.location = "query";
    out.location_type = "parameter";
  }
  return out;
}

}  // namespace flytt::gateway::internal
