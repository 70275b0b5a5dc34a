#pragma once
// /isalive, /isready and /metrics: the one listener that may leave loopback, because it shows no data.
//
// An HttpHandler, thread-safe. /isalive answers 200 as long as the process answers at all. /isready asks the callback, which
// must not block: 200 or 503, with its sentence. /metrics is the Prometheus text format 0.0.4.

#include <functional>
#include <string>

#include "base/metrics.h"
#include "gateway/http.h"

namespace flytt::gateway {

struct Readiness {
  bool is_ready = false;
  std::string sentence;  // why not, or "ready"
};

class HealthHandler final : public HttpHandler {
 public:
  // `metrics` outlives the handler.
  HealthHandler(const base::Metrics& metrics, std::function<Readiness()> readiness)
      : metrics_(metrics), readiness_(std::move(readiness)) {}
  HttpResponse handle(const HttpRequest& request) override;

 private:
  const base::Metrics& metrics_;
  std::function<Readiness()> readiness_;
};

}  // namespace flytt::gateway
