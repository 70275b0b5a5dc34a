#pragma once
// flytt's errors as BigQuery's: reason, HTTP status (REST v2, "Error messages"), location.

#include <string_view>

#include "base/result.h"
#include "gateway/internal/google_error.h"

namespace flytt::gateway::internal {

// 0 when BigQuery has no such reason.
int http_status_of_reason(std::string_view reason);
// cause() when it is one of BigQuery's reasons, else the nearest one to code().
std::string_view reason_of(const Error& error);
GoogleError google_error_of(const Error& error);

}  // namespace flytt::gateway::internal
