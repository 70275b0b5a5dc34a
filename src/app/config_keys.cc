#include "app/config_keys.h"

#include <algorithm>

namespace flytt::app {

namespace {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    const auto dot = path.find('.');
    parts.emplace_back(path.substr(0, dot));
    if (dot == path.npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path, std::size_t length) {
  if (pattern.size() < length || path.size() < length) return false;
  for (std::size_t i = 0; i < length; ++i)
    if (pattern[i] != "*" && pattern[i] != path[i]) return false;
  return true;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = {
      {"project", KeyKind::kString, true, "flytt", "BigQuery project of every dataset in this file."},
      {"location", KeyKind::kString, true, "europe-north1", "Location of datasets that flytt creates."},
      {"destination", KeyKind::kMap, true, "", "Where rows go: exactly one of the keys below."},
      {"destination.local", KeyKind::kString, true, "./warehouse", "Folder of the embedded warehouse."},
      {"destination.bigquery", KeyKind::kMap, true, "", "BigQuery itself, or another flytt by its addresses."},
      {"destination.bigquery.rest", KeyKind::kString, true, "",
       "REST address of another flytt, http://127.0.0.1:9050."},
      {"destination.bigquery.grpc", KeyKind::kString, true, "",
       "Storage Write address of another flytt, 127.0.0.1:9060."},
      {"destination.bigquery.key_file", KeyKind::kString, true, "",
       "Service account key; without it GOOGLE_APPLICATION_CREDENTIALS names one."},
      {"state", KeyKind::kMap, true, "", "Where progress is remembered; beside the local warehouse unless given."},
      {"state.sqlite", KeyKind::kString, true, "<warehouse folder>/state.db", "File of the embedded state store."},
      {"state.postgres", KeyKind::kReference, false, "", "URL of a PostgreSQL database that several replicas share."},
      {"listen", KeyKind::kMap, true, "", "Addresses that flytt listens on."},
      {"listen.health", KeyKind::kString, true, "", "Address of /isalive, /isready and /metrics; off unless given."},
      {"listen.rest", KeyKind::kString, true, "127.0.0.1:9050",
       "REST address of the embedded warehouse; loopback only."},
      {"listen.grpc", KeyKind::kString, true, "127.0.0.1:9060",
       "Storage Write address of the embedded warehouse; loopback only."},
      {"memory", KeyKind::kMap, true, "", "Bounds on memory."},
      {"memory.engine", KeyKind::kBytes, true, "256MiB", "Rows on their way, all streams together."},
      {"memory.warehouse", KeyKind::kBytes, true, "512MiB", "The embedded warehouse's own bound."},
      {"copy_workers", KeyKind::kNumber, true, "2", "Connections that copy tables in parallel, per stream; 1 to 16."},
      {"sources", KeyKind::kMap, true, "", "Systems that rows come from, by a name of your choice."},
      {"sources.*", KeyKind::kMap, true, "", "One source."},
      {"sources.*.postgres", KeyKind::kReference, true, "", "Connection URL, usually ${env:NAME} or ${file:/path}."},
      {"sources.*.publication", KeyKind::kString, true, "flytt_<source>",
       "Publication to read, when it is not flytt's own."},
      {"sources.*.slot", KeyKind::kString, true, "flytt_<source>",
       "Replication slot to read, when it is not flytt's own."},
      {"sources.*.kafka", KeyKind::kMap, false, "", "Brokers of a Kafka cluster."},
      {"streams", KeyKind::kMap, true, "", "What moves continuously, by a name of your choice."},
      {"streams.*", KeyKind::kMap, true, "", "One stream."},
      {"streams.*.from", KeyKind::kString, true, "", "Name of a source."},
      {"streams.*.to", KeyKind::kString, true, "", "Dataset that the tables land in."},
      {"streams.*.tables", KeyKind::kMap, true, "", "Which tables."},
      {"streams.*.tables.include", KeyKind::kStringList, true, "[\"public.*\"]",
       "Patterns schema.table; * stands for any text."},
      {"streams.*.tables.exclude", KeyKind::kStringList, true, "[]", "Patterns that are left out of what is included."},
      {"streams.*.mode", KeyKind::kString, true, "mirror",
       "mirror: a table shows the source's rows as they are. (append: not in this version.)"},
      {"streams.*.freshness", KeyKind::kDuration, true, "100ms",
       "Longest time that a row waits for its batch to fill."},
      {"streams.*.max_staleness", KeyKind::kDuration, true, "0s", "BigQuery's own setting for reads of mirror tables."},
      {"streams.*.columns", KeyKind::kMap, false, "", "Columns that are masked or dropped."},
      {"streams.*.names", KeyKind::kString, false, "", "Template for destination table names."},
      {"streams.*.topics", KeyKind::kStringList, false, "", "Kafka topics."},
      {"streams.*.format", KeyKind::kString, false, "", "Format of Kafka messages."},
      {"streams.*.delivery", KeyKind::kString, false, "", "Delivery of Kafka messages."},
      {"streams.*.schema", KeyKind::kMap, false, "", "Declared schema of Kafka messages."},
      {"streams.*.arrays", KeyKind::kString, false, "", "How arrays are stored."},
      {"queries", KeyKind::kMap, false, "", "Federated and scheduled queries."},
      {"models", KeyKind::kString, false, "", "Folder of models."},
      {"zones", KeyKind::kMap, false, "", "Access by zone."},
      {"jobs", KeyKind::kMap, false, "", "Scheduled commands."},
  };
  return keys;
}

const ConfigKey* find_config_key(const std::vector<std::string>& path) {
  for (const ConfigKey& key : config_keys()) {
    const auto pattern = split_path(key.path);
    if (pattern.size() == path.size() && matches(pattern, path, path.size())) return &key;
  }
  return nullptr;
}

std::vector<std::string> known_names_below(const std::vector<std::string>& path) {
  std::vector<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    const auto pattern = split_path(key.path);
    if (pattern.size() == path.size() + 1 && matches(pattern, path, path.size()) && pattern.back() != "*")
      names.push_back(pattern.back());
  }
  return names;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string config_reference_markdown() {
  std::string out =
      "# Configuration keys\n\nMade from `src/app/config_keys.cc`; a test compares them. A key that is not in this "
      "version is an "
      "error.\n\n| key | default | meaning |\n|---|---|---|\n";
  for (const ConfigKey& key : config_keys())
    out += "| `" + std::string(key.path) + "` | " +
           (key.standard.empty() ? "" : "`" + std::string(key.standard) + "`") + " | " + std::string(key.sentence) +
           (key.works ? "" : " *Not in this version.*") + " |\n";
  return out;
}

}  // namespace flytt::app
