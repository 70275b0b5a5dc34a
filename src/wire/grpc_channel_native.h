#pragma once
// The inside of GrpcChannel. Slow to include; only for .cc files and internal headers of `bigquery` and `gateway`.

#include <grpcpp/channel.h>

#include "wire/grpc_channel.h"

namespace flytt::wire {

struct GrpcChannel::Native {
  std::shared_ptr<grpc::Channel> channel;
  // An in-process channel carries no TLS and no credentials by nature.
  bool is_in_process = false;
};

inline GrpcChannel make_grpc_channel(std::shared_ptr<grpc::Channel> channel, bool is_in_process) {
  auto native = std::make_shared<GrpcChannel::Native>();
  native->channel = std::move(channel);
  native->is_in_process = is_in_process;
  return GrpcChannel(std::move(native));
}
inline const std::shared_ptr<grpc::Channel>& native_channel(const GrpcChannel& channel) { return channel.native()->channel; }

}  // namespace flytt::wire
