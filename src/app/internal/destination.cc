#include "app/internal/destination.h"

#include <filesystem>

#include "bigquery/storage_channel.h"

namespace flytt::app {

namespace {

constexpr const char* kGoogleRestUrl = "https://bigquery.googleapis.com";

void make_client(BigQueryAccess& access, const base::Clock& clock) {
  access.client = std::make_unique<bigquery::Client>(
      bigquery::Client::Parts{*access.transport, *access.credentials, clock, *access.random});
}

Result<BigQueryAccess> open_rest_only(const std::string& url, const base::Clock& clock) {
  BigQueryAccess access;
  access.random = std::make_unique<base::SeededRandom>(random_seed());
  access.credentials = bigquery::no_credentials();
  TRY(access.transport, bigquery::CurlTransport::make(url, clock));
  make_client(access, clock);
  return access;
}

}  // namespace

Result<BigQueryAccess> open_remote_access(const DestinationConfig& destination, const base::Clock& clock) {
  BigQueryAccess access;
  access.random = std::make_unique<base::SeededRandom>(random_seed());
  const bool is_google = destination.kind == DestinationConfig::Kind::kGoogle;
  if (is_google) {
    TRY(access.credentials,
        bigquery::find_credentials(destination.sign_in, {clock, *access.random, bigquery::connector(clock)}));
  } else {
    access.credentials = bigquery::no_credentials();
  }
  TRY(access.transport, bigquery::CurlTransport::make(is_google ? kGoogleRestUrl : destination.rest_url, clock));
  TRY(access.channel,
      bigquery::make_storage_channel(is_google ? bigquery::kGoogleStorageAddress : destination.grpc_address));
  make_client(access, clock);
  return access;
}

Status find_project(Config& config, const base::Clock& clock) {
  if (!config.project.empty()) return ok();
  base::SeededRandom random(random_seed());
  TRY(const auto credentials,
      bigquery::find_credentials(config.destination.sign_in, {clock, random, bigquery::connector(clock)}));
  TRY(config.project, credentials->project());
  if (!config.project.empty()) return ok();
  return Error(ErrorCode::kConfig, config.path + " names no project, nor does " + credentials->name() +
                                       ": set 'project', or GOOGLE_CLOUD_PROJECT");
}

Result<std::unique_ptr<OpenDestination>> open_destination_to_ask(Session& session) {
  auto out = std::make_unique<OpenDestination>();
  const Config& config = session.config;
  if (config.destination.kind != DestinationConfig::Kind::kLocal) {
    TRY(out->access, open_remote_access(config.destination, session.clock));
    return out;
  }
  TRY(const auto running, find_running(config.lock_folder()));
  if (running && !running->rest.empty()) {
    TRY(out->access, open_rest_only(running->rest, session.clock));
    return out;
  }
  if (!std::filesystem::exists(config.destination.folder))
    return Error(ErrorCode::kNotFound,
                 "there is no warehouse in '" + config.destination.folder + "' yet; `flytt run` makes it");
  LocalServiceOptions options;
  options.folder = config.destination.folder;
  options.project = config.project;
  options.location = config.location;
  options.verb = "query";
  options.memory_bytes_max = config.warehouse_memory_bytes;
  options.sources = config.sources;
  options.maintenance = false;
  TRY(out->local, LocalService::open(options, session.clock, session.metrics));
  TRY(out->access, out->local->access(session.clock, random_seed()));
  return out;
}

}  // namespace flytt::app
