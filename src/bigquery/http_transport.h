#pragma once
// HttpTransport: carries one HTTP exchange to the BigQuery REST API, wherever that is.
//
// CurlTransport speaks HTTP/1.1 or 2 over TCP, with TLS unless the host is loopback. `app` supplies another one for a
// gateway in the same process.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace flytt::bigquery {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // path and query, percent-encoded: "/bigquery/v2/projects/p/datasets?maxResults=1"
  HttpHeaders headers;
  std::string body;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  // names in lower case
  std::string body;
};

// Thread-safe. `send` blocks until the answer is complete or the deadline passes. An answer of any status is a value; an
// Error means that none came (kUnavailable, kTimeout), and whether the server acted on the request is unknown.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual Result<HttpResponse> send(const HttpRequest& request, base::Deadline deadline) = 0;
  // True when what is sent can be read by nobody on the way, so that a token may be sent along.
  virtual bool is_secure() const = 0;
};

// Who is at the other end.
enum class HttpPeer {
  kService,  // may get credentials: TLS, or loopback
  kMetadata,  // the machine's metadata server: plain text wherever it is, because it asks for no credential and gets none
};

// Opens a transport to "https://host:port"; CurlTransport's, or what a test puts in its place.
using HttpConnector = std::function<Result<std::unique_ptr<HttpTransport>>(HttpPeer peer, const std::string& base_url)>;
HttpConnector connector(const base::Clock& clock);  // the network; the clock outlives it

// True for localhost, 127.0.0.0/8 and ::1, written as a host of a URL or of host:port.
bool is_loopback_host(std::string_view host);

class CurlTransport final : public HttpTransport {
 public:
  // `base_url`: scheme, host and port, "https://bigquery.googleapis.com"; a path is put in front of every target.
  // kConfig when it cannot be read, or is plain http:// to a service that is not on loopback. The clock outlives the
  // transport.
  static Result<std::unique_ptr<CurlTransport>> make(const std::string& base_url, const base::Clock& clock,
                                                     HttpPeer peer = HttpPeer::kService);
  ~CurlTransport() override;
  Result<HttpResponse> send(const HttpRequest& request, base::Deadline deadline) override;
  bool is_secure() const override;

 private:
  class Impl;
  explicit CurlTransport(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flytt::bigquery
