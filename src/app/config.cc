#include "app/config.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/config_keys.h"
#include "app/internal/config_references.h"
#include "app/internal/config_schedule.h"

namespace flytt::app {

namespace {

std::string joined(const std::vector<std::string>& path) {
  std::string out;
  for (const std::string& part : path) out += (out.empty() ? "" : ".") + part;
  return out;
}

Status check_kind(const ConfigReader& reader, const ConfigKey& key, const YAML::Node& node, const std::string& name) {
  switch (key.kind) {
    case KeyKind::kMap:
      if (!node.IsMap() && !node.IsNull()) return reader.fail(node, "'" + name + "' must be a map of keys");
      break;
    case KeyKind::kFieldList:
      if (!node.IsSequence()) return reader.fail(node, "'" + name + "' must be a list of {name: …, type: …}");
      break;
    case KeyKind::kStringList:
      if (!node.IsSequence()) return reader.fail(node, "'" + name + "' must be a list, [a, b]");
      for (const auto& item : node)
        if (!item.IsScalar()) return reader.fail(item, "'" + name + "' must be a list of texts");
      break;
    default:
      if (!node.IsScalar()) return reader.fail(node, "'" + name + "' must be a single value");
  }
  return ok();
}

// Every key is known, works in this version, stands once and has the right kind.
Status check_keys(const ConfigReader& reader, const YAML::Node& node, std::vector<std::string>& path) {
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) return reader.fail(entry.first, "a key must be a text");
    const std::string name = entry.first.Scalar();
    if (!seen.insert(name).second) return reader.fail(entry.first, "'" + name + "' stands twice");
    path.push_back(name);
    const ConfigKey* key = find_config_key(path);
    if (key == nullptr) {
      path.pop_back();
      const std::string nearest = nearest_name(name, known_names_below(path));
      return reader.fail(entry.first, "unknown key '" + name + "'" +
                                          (path.empty() ? "" : " in '" + joined(path) + "'") +
                                          (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
    }
    if (!key->works) return reader.fail(entry.first, "'" + joined(path) + "' is not in this version");
    TRY_STATUS(check_kind(reader, *key, entry.second, joined(path)));
    if (entry.second.IsMap()) TRY_STATUS(check_keys(reader, entry.second, path));
    path.pop_back();
  }
  return ok();
}

std::string variable_or_empty(const ConfigReader& reader, const char* name) {
  return reader.environment(name).value_or("");
}

// As Google's own libraries look for credentials, after `key_file`.
bigquery::CredentialsPlaces credentials_places(const ConfigReader& reader, std::string key_file) {
  bigquery::CredentialsPlaces places;
  places.key_file = key_file.empty() ? variable_or_empty(reader, "GOOGLE_APPLICATION_CREDENTIALS") : key_file;
  if (!places.key_file.empty()) places.key_file = reader.beside(places.key_file);
  std::string gcloud = variable_or_empty(reader, "CLOUDSDK_CONFIG");
  if (const std::string home = variable_or_empty(reader, "HOME"); gcloud.empty() && !home.empty())
    gcloud = home + "/.config/gcloud";
  if (!gcloud.empty()) places.signed_in_file = gcloud + "/application_default_credentials.json";
  places.metadata_host = variable_or_empty(reader, "GCE_METADATA_HOST");
  places.expects_metadata = !places.metadata_host.empty() || reader.environment("KUBERNETES_SERVICE_HOST") ||
                            reader.environment("K_SERVICE") || reader.environment("CLOUD_RUN_JOB");
  places.quota_project = variable_or_empty(reader, "GOOGLE_CLOUD_QUOTA_PROJECT");
  return places;
}

Status read_destination(const ConfigReader& reader, const YAML::Node& node, Config& config) {
  DestinationConfig& destination = config.destination;
  if (node && node["local"] && node["bigquery"])
    return reader.fail(node, "'destination' takes either 'local' or 'bigquery'");
  const YAML::Node remote = node ? node["bigquery"] : YAML::Node(YAML::NodeType::Undefined);
  if (!remote) {
    destination.folder = reader.beside(node ? text_or(node, "local", "./warehouse") : "./warehouse");
    return ok();
  }
  destination.folder.clear();
  destination.rest_url = text_or(remote, "rest", "");
  destination.grpc_address = text_or(remote, "grpc", "");
  if (destination.rest_url.empty() != destination.grpc_address.empty())
    return reader.fail(remote, "'destination.bigquery' needs both 'rest' and 'grpc', or neither for BigQuery itself");
  destination.kind = destination.rest_url.empty() ? DestinationConfig::Kind::kGoogle : DestinationConfig::Kind::kRemote;
  if (destination.kind == DestinationConfig::Kind::kGoogle) {
    destination.sign_in = credentials_places(reader, text_or(remote, "key_file", ""));
    // The variables of Google's libraries, then of nais.
    config.project = variable_or_empty(reader, "GOOGLE_CLOUD_PROJECT");
    if (config.project.empty()) config.project = variable_or_empty(reader, "GCP_TEAM_PROJECT_ID");
  }
  return ok();
}

Status read_shared_state(const ConfigReader& reader, const YAML::Node& node, Config& config) {
  if (node["sqlite"]) return reader.fail(node, "'state' takes either 'sqlite' or 'postgres'");
  if (config.destination.kind == DestinationConfig::Kind::kLocal)
    return reader.fail(node["postgres"],
                       "'state.postgres' is for replicas that write into one warehouse: it needs "
                       "'destination.bigquery'; an embedded warehouse keeps its state beside it");
  auto url = reader.resolve(node["postgres"]);
  if (url)
    config.state_url = base::Secret(std::move(*url));
  else
    config.state_url_problem = url.error().sentence();
  config.state_schema = text_or(node, "schema", config.state_schema);
  const std::string& schema = config.state_schema;
  if (schema.empty() || schema.size() > 63 || (schema[0] >= '0' && schema[0] <= '9') || schema.starts_with("pg_") ||
      schema.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
    return reader.fail(node["schema"],
                       "a schema's name consists of a-z, 0-9 and _, and does not begin with a digit or pg_");
  TRY_STATUS(reader.duration(node["lease"], config.lease_ms));
  if (config.lease_ms < 3'000 || config.lease_ms > 300'000)
    return reader.fail(node["lease"], "'state.lease' must be between 3s and 5m");
  return ok();
}

Status read_state(const ConfigReader& reader, const YAML::Node& root, Config& config) {
  const YAML::Node node = root["state"];
  if (node && node["runs"]) {
    if (node["runs"].Scalar().empty())
      return reader.fail(node["runs"], "'state.runs' is empty; leave it out, or name a folder");
    config.state_runs = reader.beside(node["runs"].Scalar());
  }
  if (node && node["postgres"]) return read_shared_state(reader, node, config);
  for (const char* key : {"schema", "lease"})
    if (node && node[key])
      return reader.fail(node[key], "'state." + std::string(key) + "' belongs to 'state.postgres'");
  if (node && node["sqlite"])
    config.state_file = reader.beside(node["sqlite"].Scalar());
  else if (config.destination.kind == DestinationConfig::Kind::kLocal)
    config.state_file = config.destination.folder + "/state.db";
  else
    return reader.fail(root["destination"],
                       "with 'destination.bigquery' the key 'state' is obligatory: state: {sqlite: ./state.db}, or "
                       "state: {postgres: URL} for several replicas");
  return ok();
}

Status read_bounds(const ConfigReader& reader, const YAML::Node& root, Config& config) {
  const auto bytes = [&](const char* key, std::int64_t& out) -> Status {
    const YAML::Node node = root["memory"][key];
    if (!node) return ok();
    auto value = parse_bytes(node.Scalar());
    if (!value) return reader.fail(node, value.error().sentence());
    if (*value < (32LL << 20)) return reader.fail(node, "'memory." + std::string(key) + "' must be at least 32MiB");
    out = *value;
    return ok();
  };
  if (root["memory"] && root["memory"].IsMap()) {
    TRY_STATUS(bytes("engine", config.engine_memory_bytes));
    TRY_STATUS(bytes("warehouse", config.warehouse_memory_bytes));
  }
  if (const YAML::Node node = root["copy_workers"]) {
    const std::string text = node.Scalar();
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), config.copy_workers);
    if (failure != std::errc() || end != text.data() + text.size() || config.copy_workers < 1 ||
        config.copy_workers > 16)
      return reader.fail(node, "'copy_workers' must be a number from 1 to 16");
  }
  return ok();
}

Status read_sources(const ConfigReader& reader, const YAML::Node& node, Config& config) {
  for (const auto& entry : node) {
    const std::string name = entry.first.Scalar();
    if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
      return reader.fail(
          entry.first,
          "a source's name consists of a-z, 0-9 and _ (it becomes part of slot, publication and group names)");
    const YAML::Node url = entry.second["postgres"];
    const YAML::Node kafka = entry.second["kafka"];
    if (!url == !kafka)
      return reader.fail(entry.first, "source '" + name + "' needs either 'postgres: URL' or 'kafka: {…}'");
    if (kafka) {
      TRY_STATUS(read_kafka_source(reader, name, kafka, config));
      continue;
    }
    PostgresSourceConfig source;
    source.name = name;
    auto resolved = reader.resolve(url);
    if (resolved)
      source.url = base::Secret(std::move(*resolved));
    else
      source.url_problem = resolved.error().sentence();
    source.publication = text_or(entry.second, "publication", "flytt_" + source.name);
    source.slot = text_or(entry.second, "slot", "flytt_" + source.name);
    source.owns_names = !entry.second["publication"] && !entry.second["slot"];
    config.sources.push_back(std::move(source));
  }
  return ok();
}

Status read_patterns(const ConfigReader& reader, const YAML::Node& node, std::vector<std::string>& out) {
  if (!node) return ok();
  out.clear();
  for (const auto& item : node) {
    if (item.Scalar().find('.') == std::string::npos)
      return reader.fail(item, "'" + item.Scalar() + "' must have the form schema.table; * stands for any text");
    out.push_back(item.Scalar());
  }
  return ok();
}

Status read_stream(const ConfigReader& reader, const YAML::Node& name, const YAML::Node& node, Config& config) {
  StreamConfig stream;
  stream.name = name.Scalar();
  stream.from = text_or(node, "from", "");
  stream.dataset = text_or(node, "to", "");
  if (stream.from.empty() || stream.dataset.empty())
    return reader.fail(name, "stream '" + stream.name + "' needs 'from' (a source) and 'to' (a dataset)");
  if (config.find_kafka_source(stream.from) != nullptr) return read_topic_stream(reader, name, node, config);
  if (config.find_source(stream.from) == nullptr) {
    std::vector<std::string> names;
    for (const PostgresSourceConfig& source : config.sources) names.push_back(source.name);
    for (const KafkaSourceConfig& source : config.kafka_sources) names.push_back(source.name);
    const std::string nearest = nearest_name(stream.from, names);
    return reader.fail(node["from"], "unknown source '" + stream.from + "'" +
                                         (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
  }
  for (const StreamConfig& other : config.streams)
    if (other.from == stream.from)
      return reader.fail(node["from"], "source '" + stream.from + "' already feeds stream '" + other.name +
                                           "'; one stream reads one source (a slot has one reader)");
  if (stream.dataset.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") !=
      std::string::npos)
    return reader.fail(node["to"], "'" + stream.dataset + "' is not a dataset name: letters, digits and _ only");
  if (const std::string mode = text_or(node, "mode", "mirror"); mode != "mirror")
    return reader.fail(node["mode"], mode == "append" ? "mode 'append' is not in this version"
                                                      : "unknown mode '" + mode + "'; use 'mirror'");
  for (const char* key :
       {"topics", "exclude_topics", "format", "delivery", "schema", "unknown_fields", "nested", "metadata", "key",
        "start", "lost", "times", "numbers_in_strings", "scalars_as_strings", "raw", "group"})
    if (node[key])
      return reader.fail(node[key], "'" + std::string(key) + "' belongs to a stream of topics, and source '" +
                                        stream.from + "' is a database");
  if (node["tables"]) {
    TRY_STATUS(read_patterns(reader, node["tables"]["include"], stream.include));
    TRY_STATUS(read_patterns(reader, node["tables"]["exclude"], stream.exclude));
  }
  TRY_STATUS(reader.duration(node["freshness"], stream.freshness_ms));
  TRY_STATUS(reader.duration(node["max_staleness"], stream.max_staleness_ms));
  if (stream.freshness_ms < 1 || stream.freshness_ms > 60'000)
    return reader.fail(node["freshness"], "'freshness' must be between 1ms and 1m");
  config.streams.push_back(std::move(stream));
  return ok();
}

// Cloud Storage: lower-case letters, digits, '-', '_' and '.', 3 to 63 of them, or 222 with dots.
Status read_buckets(const ConfigReader& reader, const YAML::Node& node, Config& config) {
  if (!node || node.IsNull()) return ok();
  const auto is_end = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  for (const auto& entry : node) {
    const std::string name = entry.Scalar();
    const std::size_t size_max = name.find('.') == std::string::npos ? 63 : 222;
    const bool is_legal = name.size() >= 3 && name.size() <= size_max && is_end(name.front()) && is_end(name.back()) &&
                          name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
    if (!is_legal)
      return reader.fail(
          entry, "'" + name + "' is no name of a bucket: lower-case letters, digits, -, _ and ., without gs://");
    if (std::find(config.buckets.begin(), config.buckets.end(), name) != config.buckets.end())
      return reader.fail(entry, "bucket '" + name + "' stands twice");
    config.buckets.push_back(name);
  }
  return ok();
}

Result<Config> read_root(const ConfigReader& reader, const YAML::Node& root) {
  Config config;
  config.path = reader.path;
  if (!root.IsMap()) return reader.fail(root, "the configuration is empty; `flytt init --postgres URL` writes one");
  std::vector<std::string> path;
  TRY_STATUS(check_keys(reader, root, path));
  config.location = text_or(root, "location", config.location);
  TRY_STATUS(read_destination(reader, root["destination"], config));
  config.project = text_or(root, "project", config.project);
  TRY_STATUS(read_state(reader, root, config));
  if (const YAML::Node listen = root["listen"]; listen && listen.IsMap()) {
    config.health_address = text_or(listen, "health", "");
    config.rest_address = text_or(listen, "rest", config.rest_address);
    config.grpc_address = text_or(listen, "grpc", config.grpc_address);
  }
  TRY_STATUS(read_bounds(reader, root, config));
  if (root["sources"]) TRY_STATUS(read_sources(reader, root["sources"], config));
  if (root["streams"])
    for (const auto& entry : root["streams"]) TRY_STATUS(read_stream(reader, entry.first, entry.second, config));
  std::vector<ScheduledNodes> scheduled;
  TRY_STATUS(read_queries(reader, root["queries"], config, scheduled));
  TRY_STATUS(read_jobs(reader, root["jobs"], config, scheduled));
  TRY_STATUS(read_after(reader, scheduled, config));
  TRY_STATUS(read_buckets(reader, root["buckets"], config));
  config.references = references_of(root);
  return config;
}

}  // namespace

const PostgresSourceConfig* Config::find_source(std::string_view name) const {
  for (const PostgresSourceConfig& source : sources)
    if (source.name == name) return &source;
  return nullptr;
}

const StreamConfig* Config::find_stream(std::string_view name) const {
  for (const StreamConfig& stream : streams)
    if (stream.name == name) return &stream;
  return nullptr;
}

const KafkaSourceConfig* Config::find_kafka_source(std::string_view name) const {
  for (const KafkaSourceConfig& source : kafka_sources)
    if (source.name == name) return &source;
  return nullptr;
}

const TopicStreamConfig* Config::find_topic_stream(std::string_view name) const {
  for (const TopicStreamConfig& stream : topic_streams)
    if (stream.name == name) return &stream;
  return nullptr;
}

const QueryConfig* Config::find_query(std::string_view name) const {
  for (const QueryConfig& query : queries)
    if (query.name == name) return &query;
  return nullptr;
}

const JobConfig* Config::find_job(std::string_view name) const {
  for (const JobConfig& job : jobs)
    if (job.name == name) return &job;
  return nullptr;
}

std::vector<std::string> datasets_of(const Config& config) {
  const std::vector<std::string> landing = landing_datasets_of(config);
  std::set<std::string> names(landing.begin(), landing.end());
  for (const QueryConfig& query : config.queries) names.insert(query.dataset);
  return {names.begin(), names.end()};
}

std::vector<std::string> landing_datasets_of(const Config& config) {
  std::set<std::string> names;
  for (const StreamConfig& stream : config.streams) names.insert(stream.dataset);
  for (const TopicStreamConfig& stream : config.topic_streams) names.insert(stream.dataset);
  for (const QueryConfig& query : config.queries)
    if (!query.from.empty()) names.insert(query.dataset);
  return {names.begin(), names.end()};
}

std::string Config::lock_folder() const {
  if (destination.kind == DestinationConfig::Kind::kLocal) return destination.folder;
  return has_shared_state() ? std::string() : state_file + ".lock";
}

std::string Config::runs_folder() const {
  if (!state_runs.empty()) return state_runs;
  if (destination.kind == DestinationConfig::Kind::kLocal) return destination.folder + "/runs";
  if (has_shared_state()) return (std::filesystem::absolute(path).parent_path() / "flytt.runs").string();
  return state_file + ".runs";
}

std::vector<const scheduler::Entry*> entries_of(const Config& config) {
  std::vector<const scheduler::Entry*> all;
  for (const QueryConfig& query : config.queries) all.push_back(&*query.entry);
  for (const JobConfig& job : config.jobs) all.push_back(&*job.entry);
  return all;
}

namespace {

Result<Config> parse(const std::string& text, const ConfigReader& reader) {
  try {
    return read_root(reader, YAML::Load(text));
  } catch (const YAML::Exception& e) {
    return Error(ErrorCode::kConfig,
                 reader.path + ":" + std::to_string(e.mark.line + 1) + ": not valid YAML: " + e.msg);
  }
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path);
  if (!in)
    return Error(ErrorCode::kConfig,
                 "'" + path + "' cannot be read; `flytt init --postgres URL` writes one, --config names another");
  std::stringstream content;
  content << in.rdbuf();
  return content.str();
}

std::optional<std::string> no_value(const std::string&) { return std::nullopt; }

}  // namespace

Result<Config> parse_config(const std::string& text, const std::string& path, const Environment& environment) {
  return parse(text, ConfigReader{path, environment});
}

Result<Config> parse_config_for_elsewhere(const std::string& text, const std::string& path) {
  const Environment environment = no_value;
  TRY(Config config, parse(text, ConfigReader{path, environment, true}));
  // Values are not needed, so what is kept as a problem here is a reference that cannot be one anywhere.
  std::string problem = config.state_url_problem;
  for (const PostgresSourceConfig& source : config.sources) problem += problem.empty() ? source.url_problem : "";
  if (!problem.empty()) return Error(ErrorCode::kConfig, problem);
  return config;
}

Result<Config> load_config(const std::string& path, const Environment& environment) {
  TRY(const std::string text, read_text(path));
  return parse_config(text, path, environment);
}

Result<Config> load_config_for_elsewhere(const std::string& path) {
  TRY(const std::string text, read_text(path));
  return parse_config_for_elsewhere(text, path);
}

Result<std::int64_t> parse_duration_ms(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::int64_t kLargest = 400LL * 24 * 3600 * 1000;
  std::int64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : unit == "h" ? 3'600'000 : 0;
  if (failure != std::errc() || factor == 0 || number < 0 || number > kLargest / factor)
    return Error(ErrorCode::kConfig, "'" + std::string(text) + "' is not a duration; use 100ms, 2s, 5m or 1h");
  return number * factor;
}

Result<std::int64_t> parse_bytes(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::int64_t factor = unit == "MiB" ? 1LL << 20 : unit == "GiB" ? 1LL << 30 : unit == "KiB" ? 1LL << 10 : 0;
  if (failure != std::errc() || factor == 0 || number < 0 || number > (1LL << 50) / factor)
    return Error(ErrorCode::kConfig, "'" + std::string(text) + "' is not a size; use 256MiB or 1GiB");
  return number * factor;
}

}  // namespace flytt::app
