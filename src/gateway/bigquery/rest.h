#pragma once
// BigQuery REST v2 over the embedded warehouse: datasets, tables, tabledata, and jobs that are queries.
//
// An HttpHandler: give it to an HttpServer, or call it in process. Thread-safe. It owns the threads that run queries; the
// destructor cancels what runs. The warehouse, the clock and the metrics are not owned and outlive it.
//
// Paths begin with /bigquery/v2/projects/… or /projects/…. Methods that BigQuery has and this version has not answer
// 501 notImplemented with a sentence that names them.

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "gateway/http.h"
#include "warehouse/warehouse.h"

namespace flytt::gateway {

struct RestOptions {
  std::string location = "US";                     // of jobs; the warehouse's own
  std::string user_email = "local@flytt.invalid";  // who runs jobs: there is no authentication on loopback
};

class RestService final : public HttpHandler {
 public:
  RestService(warehouse::Warehouse& warehouse, const base::Clock& clock, base::Metrics& metrics,
              const RestOptions& options = {});
  ~RestService() override;
  HttpResponse handle(const HttpRequest& request) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flytt::gateway
