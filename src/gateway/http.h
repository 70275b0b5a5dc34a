#pragma once
// HTTP messages as plain values, and the seam between the server and whoever answers.
//
// A handler is called in process in the same way as behind a socket: nothing in it knows about connections.

#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flytt::gateway {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;    // upper case: "GET"
  std::string path;      // as sent, percent-encoded, without the query string: "/bigquery/v2/projects/p/datasets"
  std::string query;     // as sent, without '?'
  HttpHeaders headers;   // names in lower case
  std::string body;      // after Content-Encoding
  std::stop_token stop;  // asked to stop when the server's deadline for draining has passed

  // The first header of that (lower case) name; empty when there is none.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json; charset=UTF-8";
  std::string body;
  HttpHeaders headers;  // in addition to Content-Type and Content-Length
};

// Called by many threads at once. May block, but returns soon after `request.stop` is asked to stop. Does not throw.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual HttpResponse handle(const HttpRequest& request) = 0;
};

}  // namespace flytt::gateway
