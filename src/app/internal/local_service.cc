#include "app/internal/local_service.h"

#include <random>

#include "app/internal/in_process_transport.h"
#include "app/internal/session.h"
#include "base/log.h"

namespace flytt::app {

namespace {

// The sentence of a taken port, with what to do.
Error port_taken(Error error, const char* key, const char* flag) {
  if (error.code() != ErrorCode::kConflict) return error;
  return Error(ErrorCode::kConflict, error.sentence() +
                                         "; stop the other process, or choose another address with 'listen: {" + key +
                                         ": …}' (flytt warehouse: " + flag + ")")
      .cause(error.cause());
}

}  // namespace

std::uint64_t random_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

LocalService::~LocalService() = default;

Result<std::unique_ptr<LocalService>> LocalService::open(const LocalServiceOptions& options, const base::Clock& clock,
                                                         base::Metrics& metrics) {
  std::unique_ptr<LocalService> service(new LocalService());
  TRY(warehouse::FolderLock lock,
      warehouse::FolderLock::acquire(options.folder, options.verb, clock, clock.in(options.lock_wait)));
  service->lock_ = std::make_unique<warehouse::FolderLock>(std::move(lock));
  warehouse::WarehouseOptions wanted;
  wanted.folder = options.folder;
  wanted.project = options.project;
  wanted.location = options.location;
  wanted.memory_bytes_max = options.memory_bytes_max;
  wanted.analyzer_library = analyzer_library_path();
  wanted.maintenance = options.maintenance;
  service->external_ = std::make_unique<ExternalConnections>(options.sources, options.project, options.location, clock);
  wanted.external = service->external_.get();
  TRY(service->warehouse_, warehouse::Warehouse::open(wanted, clock, metrics));
  gateway::RestOptions rest;
  rest.location = options.location;
  service->rest_ = std::make_unique<gateway::RestService>(*service->warehouse_, clock, metrics, rest);
  auto grpc =
      gateway::GrpcServer::start({options.grpc_address, options.location}, *service->warehouse_, clock, metrics);
  if (!grpc) return port_taken(std::move(grpc).error(), "grpc", "--grpc");
  service->grpc_ = std::move(*grpc);
  if (!options.rest_address.empty()) {
    gateway::HttpServerOptions http;
    http.address = options.rest_address;
    auto listening = gateway::HttpServer::start(http, *service->rest_, clock);
    if (!listening) return port_taken(std::move(listening).error(), "rest", "--http");
    service->http_ = std::move(*listening);
  }
  return service;
}

const std::string& LocalService::rest_address() const {
  static const std::string none;
  return http_ ? http_->address() : none;
}

const std::string& LocalService::grpc_address() const { return grpc_->address(); }

Status LocalService::announce(const std::string& admin_address) {
  std::map<std::string, std::string> endpoints;
  if (http_) endpoints["rest"] = http_->address();
  if (!grpc_->address().empty()) endpoints["grpc"] = grpc_->address();
  if (!admin_address.empty()) endpoints["admin"] = admin_address;
  return lock_->set_endpoints(endpoints);
}

Result<BigQueryAccess> LocalService::access(const base::Clock& clock, std::uint64_t seed) {
  BigQueryAccess access;
  access.credentials = bigquery::no_credentials();
  access.transport = std::make_unique<InProcessTransport>(*rest_);
  access.random = std::make_unique<base::SeededRandom>(seed);
  access.client = std::make_unique<bigquery::Client>(
      bigquery::Client::Parts{*access.transport, *access.credentials, clock, *access.random});
  access.channel = grpc_->in_process_channel();
  return access;
}

Status LocalService::close(base::Deadline deadline) {
  if (http_) http_->stop(deadline);
  grpc_->stop(deadline);
  return warehouse_->close(deadline);
}

}  // namespace flytt::app
