#include "base/error.h"

namespace flytt::base {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kConfig: return "config";
    case ErrorCode::kAuth: return "auth";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kConflict: return "conflict";
    case ErrorCode::kSchema: return "schema";
    case ErrorCode::kBadData: return "bad_data";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kThrottled: return "throttled";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kBug: return "bug";
  }
  return "bug";
}

std::string_view to_string(Retry retry) {
  switch (retry) {
    case Retry::kNever: return "never";
    case Retry::kAfterBackoff: return "after_backoff";
    case Retry::kAfterOperator: return "after_operator";
  }
  return "never";
}

std::string_view to_string(Side side) {
  switch (side) {
    case Side::kLocal: return "local";
    case Side::kSource: return "source";
    case Side::kSink: return "sink";
  }
  return "local";
}

void Error::set_default_retry() {
  switch (code_) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kThrottled:
    case ErrorCode::kTimeout: retry_ = Retry::kAfterBackoff; break;
    case ErrorCode::kAuth:
    case ErrorCode::kSchema:
    case ErrorCode::kNotFound: retry_ = Retry::kAfterOperator; break;
    default: retry_ = Retry::kNever;
  }
}

std::string Error::text() const {
  std::string out = sentence_;
  if (!cause_.empty()) out += " (" + cause_ + ")";
  for (const std::string& step : trail_) out += ", " + step;
  return out;
}

}  // namespace flytt::base
