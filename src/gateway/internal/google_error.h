#pragma once
// Google's JSON error body, as all BigQuery clients parse it:
// {"error":{"code":404,"message":…,"errors":[{"message":…,"domain":"global","reason":"notFound"}],"status":"NOT_FOUND"}}

#include <string>
#include <string_view>

#include "gateway/http.h"

namespace flytt::gateway::internal {

struct GoogleError {
  int http_status = 500;
  std::string reason;  // "notFound", "invalidQuery", …
  std::string message;
  std::string location;       // "query", "parameters.maxResults", or empty
  std::string location_type;  // "parameter" or empty; some clients need both or neither
};

// "INVALID_ARGUMENT" for 400, …
std::string_view google_status(int http_status);
std::string google_error_body(const GoogleError& error);
HttpResponse google_error_response(const GoogleError& error);

}  // namespace flytt::gateway::internal
