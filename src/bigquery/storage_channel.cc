#include "bigquery/storage_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "bigquery/http_transport.h"
#include "bigquery/limits.h"
#include "wire/grpc_channel_native.h"
#include "wire/limits.h"

namespace flytt::bigquery {

Result<wire::GrpcChannel> make_storage_channel(const std::string& address) {
  const auto colon = address.rfind(':');
  const bool has_port = colon != address.npos && colon + 1 < address.size() &&
                        address.find_first_not_of("0123456789", colon + 1) == address.npos;
  if (!has_port || colon == 0 || address.find('/') != address.npos) {
    return Error(ErrorCode::kConfig, "'" + address + "' is not an address: write host:port");
  }
  const bool is_local = is_loopback_host(address);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(wire::kAppendRequestBytesMax));
  arguments.SetMaxSendMessageSize(static_cast<int>(wire::kAppendRequestBytesMax));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(kAppendBackoffMin.count()));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(kAppendBackoffMin.count()));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(kAppendBackoffMax.count()));
  // Every sink has connections of its own, so that a broken one is not shared.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (is_local) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto credentials =
      is_local ? grpc::InsecureChannelCredentials() : grpc::SslCredentials(grpc::SslCredentialsOptions());
  const auto open = [=] { return grpc::CreateCustomChannel(address, credentials, arguments); };
  wire::GrpcChannel channel = wire::make_grpc_channel(open(), false, !is_local);
  channel.native()->open_another = open;
  return channel;
}

}  // namespace flytt::bigquery
