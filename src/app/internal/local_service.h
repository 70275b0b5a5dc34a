#pragma once
// The embedded warehouse as a service: folder lock, warehouse, REST, gRPC, and the listeners when they are wanted.

#include <memory>
#include <string>

#include "app/config.h"
#include "app/internal/destination_adapter.h"
#include "app/internal/external_connections.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "gateway/bigquery/grpc_write.h"
#include "gateway/bigquery/rest.h"
#include "gateway/http_server.h"
#include "warehouse/folder_lock.h"
#include "warehouse/warehouse.h"

namespace flytt::app {

struct LocalServiceOptions {
  std::string folder, project, location = "US";
  std::string verb;  // for LOCK
  std::int64_t memory_bytes_max = 512LL << 20;
  std::string rest_address, grpc_address;  // empty = no listener
  bool maintenance = true;
  std::vector<PostgresSourceConfig> sources;  // that EXTERNAL_QUERY may name
  std::chrono::seconds lock_wait{30};
};

// Owned by one thread; `close` in the order of an orderly shutdown, the destructor for all other ends.
class LocalService {
 public:
  static Result<std::unique_ptr<LocalService>> open(const LocalServiceOptions& options, const base::Clock& clock,
                                                    base::Metrics& metrics);
  ~LocalService();

  const std::string& rest_address() const;  // bound; empty without listener
  const std::string& grpc_address() const;
  Status announce(const std::string& admin_address);  // writes the endpoints into LOCK
  warehouse::Warehouse& warehouse() { return *warehouse_; }
  // REST and gRPC inside this process.
  Result<BigQueryAccess> access(const base::Clock& clock, std::uint64_t seed);
  // Ends listeners, then the warehouse with a checkpoint.
  Status close(base::Deadline deadline);

 private:
  LocalService() = default;
  std::unique_ptr<warehouse::FolderLock> lock_;
  std::unique_ptr<ExternalConnections> external_;
  std::unique_ptr<warehouse::Warehouse> warehouse_;
  std::unique_ptr<gateway::RestService> rest_;
  std::unique_ptr<gateway::GrpcServer> grpc_;
  std::unique_ptr<gateway::HttpServer> http_;
};

// A seed for jitter, from the system.
std::uint64_t random_seed();

}  // namespace flytt::app
