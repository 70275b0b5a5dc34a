#pragma once
// GrpcChannel: a way to a gRPC server, as a value that can be passed around without gRPC's headers.
//
// Copies share the channel. Made in wire/grpc_channel_native.h: by `bigquery` over TCP, by `gateway` inside the process.

#include <memory>

namespace flytt::wire {

class GrpcChannel {
 public:
  struct Native;  // holds std::shared_ptr<grpc::Channel>
  GrpcChannel() = default;
  explicit GrpcChannel(std::shared_ptr<Native> native) : native_(std::move(native)) {}
  explicit operator bool() const { return native_ != nullptr; }
  const std::shared_ptr<Native>& native() const { return native_; }

 private:
  std::shared_ptr<Native> native_;
};

}  // namespace flytt::wire
