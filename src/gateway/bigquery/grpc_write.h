#pragma once
// The Storage Write API (google.cloud.bigquery.storage.v1.BigQueryWrite) over the embedded warehouse: AppendRows on default
// streams with change data capture, and COMMITTED, PENDING and BUFFERED streams with offsets.
//
// It owns gRPC's server and the threads that decode requests; the warehouse, the clock and the metrics are not owned and
// outlive it. Reached over TCP (loopback only, without TLS and credentials) when an address is given, and always through
// `in_process_channel`, which uses no socket.

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "warehouse/warehouse.h"
#include "wire/grpc_channel.h"

namespace flytt::gateway {

struct GrpcOptions {
  std::string address;          // host:port, port 0 takes a free one; empty = only in process
  std::string location = "US";  // shown by GetWriteStream; the warehouse's own
};

class GrpcServer {
 public:
  // kConfig: the address cannot be read or leaves loopback. kConflict: the port is taken.
  static Result<std::unique_ptr<GrpcServer>> start(const GrpcOptions& options, warehouse::Warehouse& warehouse,
                                                   const base::Clock& clock, base::Metrics& metrics);
  ~GrpcServer();  // stops at once
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // "127.0.0.1:41235"; empty when it is reached only in process.
  const std::string& address() const;
  // A new channel to this server. Calls on it fail with UNAVAILABLE after `stop`.
  wire::GrpcChannel in_process_channel();
  // Takes no more requests, answers those that were read, ends all calls; those that are left at the deadline are cut.
  // Any thread; the second call does nothing.
  void stop(base::Deadline deadline);

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flytt::gateway
