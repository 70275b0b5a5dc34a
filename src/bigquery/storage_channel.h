#pragma once
// The way to the Storage API (gRPC).

#include <string>

#include "base/result.h"
#include "wire/grpc_channel.h"

namespace flytt::bigquery {

inline constexpr const char* kGoogleStorageAddress = "bigquerystorage.googleapis.com:443";

// `address` is host:port. TLS with the system's roots, except that a loopback address is plain text; kConfig when it cannot
// be read. Connects when it is first used, with keepalive, so a peer that died is noticed.
Result<wire::GrpcChannel> make_storage_channel(const std::string& address);

}  // namespace flytt::bigquery
