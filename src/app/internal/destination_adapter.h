#pragma once
// BigQuery as the pipeline's Destination: one REST client and one Storage Write channel, shared by all streams.

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/random.h"
#include "bigquery/client.h"
#include "bigquery/storage_write_sink.h"
#include "bigquery/write_streams.h"
#include "pipeline/destination.h"
#include "wire/grpc_channel.h"

namespace flytt::app {

// Everything that a way to BigQuery consists of; destroyed after its users.
struct BigQueryAccess {
  std::unique_ptr<base::SeededRandom> random;
  std::unique_ptr<bigquery::Credentials> credentials;
  std::unique_ptr<bigquery::HttpTransport> transport;
  std::unique_ptr<bigquery::Client> client;
  wire::GrpcChannel channel;
};

class BigQueryDestination final : public pipeline::Destination {
 public:
  struct Parts {
    BigQueryAccess& access;
    const base::Clock& clock;
    base::Metrics& metrics;
    std::string location;
    std::int64_t max_staleness_ms = 0;
    std::size_t window_bytes = 0;  // of encoded rows in flight, per sink
  };
  explicit BigQueryDestination(Parts parts)
      : parts_(std::move(parts)),
        streams_({parts_.access.channel, *parts_.access.credentials, parts_.clock, *parts_.access.random}) {}

  Status ensure_dataset(const std::string& project, const std::string& dataset) override;
  Result<std::optional<pipeline::TableFacts>> table(const data::TablePath& path) override;
  Result<pipeline::TableFacts> create_table(const data::SliceSchema& schema) override;
  Result<pipeline::TableFacts> replace_table(const data::SliceSchema& schema) override;
  Status add_columns(const data::TablePath& path, const std::vector<data::Field>& fields) override;
  Result<std::unique_ptr<pipeline::TableSink>> open_sink() override;
  Result<std::string> create_write_stream(const data::TablePath& path) override;
  Status finalize_write_stream(const std::string& name) override;
  Result<std::vector<pipeline::OffsetRange>> held_offsets(const data::TablePath& path, const std::string& topic,
                                                          std::int32_t partition, std::int64_t from) override;
  Status note_write_stream(const pipeline::LaneKey& lane, const std::string& name) override;
  Result<std::vector<std::string>> noted_write_streams(const pipeline::LaneKey& lane) override;

 private:
  bigquery::Client& client() { return *parts_.access.client; }
  Status make_lanes_table(const data::TablePath& path);
  const Parts parts_;
  bigquery::WriteStreams streams_;
  std::mutex mutex_;
  std::set<data::TablePath> lanes_tables_;  // that exist
};

// A GoogleSQL string literal of text without line breaks.
std::string sql_text(const std::string& value);

// "0-0 0 0:0:30" for 30,000; empty for 0.
std::string staleness_text(std::int64_t millis);

}  // namespace flytt::app
