#pragma once
// BigQuery's REST client and our REST service in one process: the same requests, without a socket.

#include "bigquery/http_transport.h"
#include "gateway/http.h"

namespace flytt::app {

// The handler outlives the transport. Deadlines bound the client's own waits; a handler call itself is not cut short.
class InProcessTransport final : public bigquery::HttpTransport {
 public:
  explicit InProcessTransport(gateway::HttpHandler& handler) : handler_(handler) {}
  Result<bigquery::HttpResponse> send(const bigquery::HttpRequest& request, base::Deadline deadline) override;
  bool is_secure() const override { return true; }

 private:
  gateway::HttpHandler& handler_;
};

}  // namespace flytt::app
