#include "gateway/bigquery/grpc_write.h"

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <utility>

#include "gateway/bigquery/internal/write_service.h"
#include "gateway/internal/origin_guard.h"
#include "gateway/limits.h"
#include "wire/grpc_channel_native.h"
#include "wire/limits.h"

namespace flytt::gateway {

class GrpcServer::Impl {
 public:
  Impl(const GrpcOptions& options, warehouse::Warehouse& warehouse, const base::Clock& clock, base::Metrics& metrics)
      : clock_(clock), service_(warehouse, clock, metrics, options.location) {}
  ~Impl() { stop(base::Deadline::passed()); }

  Status listen(const std::string& address);
  const std::string& address() const { return address_; }
  grpc::Server& server() { return *server_; }
  void stop(base::Deadline deadline);

 private:
  const base::Clock& clock_;
  internal::WriteService service_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  bool is_stopped_ = false;
};

Status GrpcServer::Impl::listen(const std::string& address) {
  grpc::ServerBuilder builder;
  int port = 0;
  std::string host;
  if (!address.empty()) {
    const auto parts = internal::split_host_port(address);
    if (!parts || parts->port.empty())
      return Error(ErrorCode::kConfig,
                   "'" + address + "' is not an address to listen on: write host:port, such as 127.0.0.1:9060");
    if (!internal::is_loopback_name(parts->host))
      return Error(
          ErrorCode::kConfig,
          "this service has no authentication and listens on loopback only: use 127.0.0.1 instead of " + parts->host);
    host = parts->host == "localhost" ? "127.0.0.1" : parts->host;
    if (host.find(':') != host.npos) host = "[" + host + "]";
    builder.AddListeningPort(host + ":" + parts->port, grpc::InsecureServerCredentials(), &port);
  }
  builder.SetMaxReceiveMessageSize(static_cast<int>(wire::kAppendRequestBytesMax));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT,
                             0);  // two servers on one port would share its connections silently
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             static_cast<int>(kGrpcPingIntervalMin.count()));
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
  builder.RegisterService(&service_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || (!address.empty() && port == 0)) {
    server_.reset();
    return Error(ErrorCode::kConflict,
                 "cannot listen on " + address + ": stop the program that uses it, or choose another address");
  }
  if (!address.empty()) address_ = host + ":" + std::to_string(port);
  return ok();
}

void GrpcServer::Impl::stop(base::Deadline deadline) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(is_stopped_, true) || server_ == nullptr) return;
  }
  service_.drain();
  server_->Shutdown(gpr_time_from_millis(clock_.left(deadline).count(), GPR_TIMESPAN));
  server_->Wait();
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() = default;

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const GrpcOptions& options, warehouse::Warehouse& warehouse,
                                                      const base::Clock& clock, base::Metrics& metrics) {
  auto impl = std::make_unique<Impl>(options, warehouse, clock, metrics);
  TRY_STATUS(impl->listen(options.address));
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

const std::string& GrpcServer::address() const { return impl_->address(); }

wire::GrpcChannel GrpcServer::in_process_channel() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(wire::kAppendRequestBytesMax));
  return wire::make_grpc_channel(impl_->server().InProcessChannel(arguments), /*is_in_process=*/true);
}

void GrpcServer::stop(base::Deadline deadline) { impl_->stop(deadline); }

}  // namespace flytt::gateway
