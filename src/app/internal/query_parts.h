#pragma once
// What the runs of all queries share.

#include <cstddef>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "bigquery/client.h"
#include "bigquery/credentials.h"
#include "bigquery/write_streams.h"
#include "state/store.h"
#include "wire/grpc_channel.h"

namespace flytt::app {

// All outlive the queries. Thread-safe members only: runs of several queries use them at once.
struct QueryParts {
  bigquery::Client& client;
  bigquery::WriteStreams& streams;
  wire::GrpcChannel channel;
  bigquery::Credentials& credentials;
  const base::Clock& clock;
  base::Random& random;
  base::Metrics& metrics;
  state::Store& store;
  std::string project, location;
  std::size_t window_bytes = 16U << 20;  // of encoded rows in flight, of one run
};

}  // namespace flytt::app
