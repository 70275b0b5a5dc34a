#include "gateway/internal/google_error.h"

#include "base/log.h"
#include "data/utf8.h"

namespace flytt::gateway::internal {

std::string_view google_status(int http_status) {
  switch (http_status) {
    case 400:
    case 413:
    case 414:
    case 415:
    case 431: return "INVALID_ARGUMENT";
    case 401: return "UNAUTHENTICATED";
    case 403: return "PERMISSION_DENIED";
    case 404: return "NOT_FOUND";
    case 405:
    case 501: return "UNIMPLEMENTED";
    case 499: return "CANCELLED";
    case 408:
    case 504: return "DEADLINE_EXCEEDED";
    case 409: return "ALREADY_EXISTS";
    case 412: return "FAILED_PRECONDITION";
    case 429: return "RESOURCE_EXHAUSTED";
    case 503: return "UNAVAILABLE";
    default: return "INTERNAL";
  }
}

std::string google_error_body(const GoogleError& error) {
  std::string text = error.message;
  if (!data::is_valid_utf8(text))
    for (char& c : text) c = static_cast<unsigned char>(c) < 0x80 ? c : '?';
  const std::string message = base::json_quote(text);
  std::string out = "{\"error\":{\"code\":" + std::to_string(error.http_status) + ",\"message\":" + message +
                    ",\"errors\":[{\"message\":" + message +
                    ",\"domain\":\"global\",\"reason\":" + base::json_quote(error.reason);
  if (!error.location.empty()) out += ",\"location\":" + base::json_quote(error.location);
  if (!error.location_type.empty()) out += ",\"locationType\":" + base::json_quote(error.location_type);
  out += "}],\"status\":\"";
  out += google_status(error.http_status);
  return out + "\"}}";
}

HttpResponse google_error_response(const GoogleError& error) {
  HttpResponse response;
  response.status = error.http_status;
  response.body = google_error_body(error);
  return response;
}

}  // namespace flytt::gateway::internal
