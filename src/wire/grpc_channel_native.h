#pragma once
// The inside of GrpcChannel. Slow to include; only for .cc files and internal headers of `bigquery` and `gateway`.

#include <grpcpp/channel.h>

#include <functional>

#include "wire/grpc_channel.h"

namespace flytt::wire {

struct GrpcChannel::Native {
  std::shared_ptr<grpc::Channel> channel;
  // An in-process channel carries no TLS and no credentials by nature.
  bool is_in_process = false;
  bool has_tls = false;  // a token may be sent along
  // Another connection to the same server: one carries about a hundred calls at a time. Empty in process, where one is
  // enough.
  std::function<std::shared_ptr<grpc::Channel>()> open_another;
};

inline GrpcChannel make_grpc_channel(std::shared_ptr<grpc::Channel> channel, bool is_in_process, bool has_tls = false) {
  auto native = std::make_shared<GrpcChannel::Native>();
  native->channel = std::move(channel);
  native->is_in_process = is_in_process;
  native->has_tls = has_tls;
  return GrpcChannel(std::move(native));
}
inline const std::shared_ptr<grpc::Channel>& native_channel(const GrpcChannel& channel) {
  return channel.native()->channel;
}

}  // namespace flytt::wire
