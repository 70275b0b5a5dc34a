// Scheduled queries in the configuration.

#include <algorithm>
#include <cctype>
#include <set>

#include "app/internal/config_schedule.h"
#include "scheduler/name_template.h"

namespace flytt::app {

namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::size_t kNameBytesMax = 100;       // of a query; it becomes part of job ids
constexpr std::size_t kLabelCharactersMax = 63;  // of a key and of a value, as BigQuery has it
constexpr std::size_t kLabelsMax = 60;           // BigQuery takes 64; flytt adds its own
constexpr std::size_t kColumnBytesMax = 300;
constexpr std::string_view kOwnLabels = "flytt";   // labels that begin with it are flytt's
constexpr std::string_view kOwnTables = "_flytt";  // and tables

bool begins_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

bool is_column_name(std::string_view name) {
  return !name.empty() && name.size() <= kColumnBytesMax && consists_of(name, kWordCharacters) &&
         kDigits.find(name[0]) == kDigits.npos;
}

Status read_from(const ConfigReader& reader, const YAML::Node& node, const Config& config, QueryConfig& query) {
  if (!node) return ok();
  query.from = node.Scalar();
  if (config.find_kafka_source(query.from) != nullptr)
    return reader.fail(node, "source '" + query.from +
                                 "' is a Kafka cluster, and a query reads from a PostgreSQL source; a stream with "
                                 "'topics' reads from Kafka");
  const PostgresSourceConfig* source = config.find_source(query.from);
  if (source == nullptr) {
    std::vector<std::string> names;
    for (const PostgresSourceConfig& known : config.sources) names.push_back(known.name);
    return reader.fail(node, "unknown source '" + query.from + "'" + did_you_mean(query.from, names));
  }
  return ok();
}

// The text itself, or one reference to it.
Status read_sql(const ConfigReader& reader, const ScheduledNodes& nodes, QueryConfig& query) {
  const YAML::Node node = nodes.map["sql"];
  if (!node) return reader.fail(nodes.name, "query '" + query.name + "' needs 'sql'");
  query.sql = node.Scalar();
  if (begins_with(query.sql, "${") && query.sql.find('}') == query.sql.size() - 1) {
    TRY(query.sql, reader.resolve(node));
  }
  const bool is_empty = std::all_of(query.sql.begin(), query.sql.end(),
                                    [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; });
  return is_empty ? reader.fail(node, "'sql' of query '" + query.name + "' is empty") : ok();
}

// What stands behind the '$': of orders${run_date} that is {run_date}, as BigQuery has it.
Status check_partition(const ConfigReader& reader, const YAML::Node& node, const QueryConfig& query,
                       const std::string& id) {
  if (id.empty() || !consists_of(id, kDigits))
    return reader.fail(node,
                       "'" + node.Scalar() + "' names the partition '" + id +
                           "'; it is a time as orders${run_date} gives it, YYYYMMDD, or the first number of a range");
  if (query.write == QueryWrite::kUpsert)
    return reader.fail(node,
                       "'write: upsert' looks for keys in a whole table; name the table without '$', or choose "
                       "'write: truncate', which replaces the partition");
  return ok();
}

Status read_target(const ConfigReader& reader, const ScheduledNodes& nodes, QueryConfig& query) {
  const YAML::Node node = nodes.map["to"];
  const std::string to = node ? node.Scalar() : "";
  if (to.empty()) return reader.fail(nodes.name, "query '" + query.name + "' needs 'to: dataset.table'");
  const auto dot = to.find('.');
  query.dataset = to.substr(0, dot);
  if (dot != std::string::npos) query.table = to.substr(dot + 1);
  if (query.dataset.empty() || query.table.empty() || !consists_of(query.dataset, kWordCharacters))
    return reader.fail(node, "'" + to + "' must be dataset.table; a dataset's name has letters, digits and _ only");
  const auto parsed = scheduler::NameTemplate::parse(query.table);
  if (!parsed) return reader.fail(node, "'to': " + parsed.error().sentence());
  constexpr std::int64_t kSomeSlot = 1'768'453'200'000'000;  // 2026-01-15 05:00 UTC
  const std::string name = parsed->render(kSomeSlot);
  const std::string rendered = name.substr(0, name.find('$'));
  if (rendered.size() < name.size()) TRY_STATUS(check_partition(reader, node, query, name.substr(rendered.size() + 1)));
  if (!consists_of(rendered, std::string(kWordCharacters) + "-"))
    return reader.fail(
        node, "'" + to + "' would be table '" + rendered + "'; a table's name has letters, digits, _ and - only");
  if (begins_with(rendered, kOwnTables))
    return reader.fail(node, "tables that begin with " + std::string(kOwnTables) + " are flytt's own; choose another");
  return ok();
}

Status read_write(const ConfigReader& reader, const ScheduledNodes& nodes, QueryConfig& query) {
  std::size_t write = 0;
  TRY_STATUS(reader.choice(nodes.map["write"], {"truncate", "append", "upsert"}, write));
  query.write = static_cast<QueryWrite>(write);
  const YAML::Node key = nodes.map["key"];
  if (key && query.write != QueryWrite::kUpsert) return reader.fail(key, "'key' belongs to 'write: upsert'");
  std::set<std::string> seen;
  if (key)
    for (const auto& entry : key) {
      if (!is_column_name(entry.Scalar()))
        return reader.fail(entry, "'" + entry.Scalar() + "' is no column name: letters, digits and _, no digit first");
      if (!seen.insert(entry.Scalar()).second) return reader.fail(entry, "'" + entry.Scalar() + "' stands twice");
      query.key.push_back(entry.Scalar());
    }
  if (query.write == QueryWrite::kUpsert && query.key.empty())
    return reader.fail(key ? key : nodes.map["write"],
                       "'write: upsert' needs 'key: [column, …]', the columns that say which row is meant");
  const YAML::Node version = nodes.map["version"];
  if (!version) return ok();
  query.version_column = version.Scalar();
  if (!is_column_name(query.version_column))
    return reader.fail(version,
                       "'" + query.version_column + "' is no column name: letters, digits and _, no digit first");
  if (seen.count(query.version_column) != 0)
    return reader.fail(version, "'" + query.version_column + "' changes with every run, so it cannot be in 'key'");
  return ok();
}

// A letter that is not ASCII counts as one; whether it is lower case is left to BigQuery.
bool is_label(std::string_view text) {
  std::size_t characters = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (byte < 'a' || byte > 'z') && kDigits.find(c) == kDigits.npos && c != '_' && c != '-')
      return false;
    characters += (byte & 0xC0) != 0x80;
  }
  return characters <= kLabelCharactersMax;
}

Status read_labels(const ConfigReader& reader, const YAML::Node& node, QueryConfig& query) {
  if (!node || node.IsNull()) return ok();
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar(), value = entry.second.Scalar();
    const bool is_first_right = !key.empty() && ((key[0] >= 'a' && key[0] <= 'z') || (key[0] & 0x80) != 0);
    if (!is_first_right || !is_label(key))
      return reader.fail(entry.first,
                         "label '" + key + "': lower case letters, digits, _ and -, a letter first, 63 at most");
    if (begins_with(key, kOwnLabels))
      return reader.fail(entry.first, "label '" + key + "': those that begin with flytt are flytt's own");
    if (!is_label(value))
      return reader.fail(entry.second, "label '" + key + "' has the value '" + value +
                                           "'; lower case letters, digits, _ and -, 63 at most");
    query.labels[key] = value;
  }
  if (query.labels.size() > kLabelsMax)
    return reader.fail(node, "there are more than " + std::to_string(kLabelsMax) + " labels");
  return ok();
}

Status read_cost(const ConfigReader& reader, const YAML::Node& node, QueryConfig& query) {
  if (!node) return ok();
  if (!query.from.empty())
    return reader.fail(node,
                       "'max_bytes' bounds what a query reads in the destination, and this one reads from source '" +
                           query.from + "'");
  auto bytes = parse_bytes(node.Scalar());
  if (!bytes) return reader.fail(node, bytes.error().sentence());
  if (*bytes == 0) return reader.fail(node, "'max_bytes' must be more than 0");
  query.bytes_max = *bytes;
  return ok();
}

Result<QueryConfig> read_query(const ConfigReader& reader, const ScheduledNodes& nodes, const Config& config) {
  QueryConfig query;
  query.name = nodes.name.Scalar();
  TRY_STATUS(check_scheduled_name(reader, nodes, kNameBytesMax));
  if (!nodes.map.IsMap()) return reader.fail(nodes.name, "query '" + query.name + "' needs 'schedule', 'to' and 'sql'");
  TRY_STATUS(read_from(reader, nodes.map["from"], config, query));
  TRY_STATUS(read_sql(reader, nodes, query));
  TRY_STATUS(read_write(reader, nodes, query));
  TRY_STATUS(read_target(reader, nodes, query));
  TRY_STATUS(read_labels(reader, nodes.map["labels"], query));
  TRY_STATUS(read_cost(reader, nodes.map["max_bytes"], query));
  TRY(query.entry, read_entry(reader, nodes));
  return query;
}

// -- what belongs together

Status check_targets(const ConfigReader& reader, const std::vector<ScheduledNodes>& all, const Config& config) {
  for (std::size_t i = 0; i < config.queries.size(); ++i) {
    const QueryConfig& query = config.queries[i];
    const YAML::Node node = all[i].map["to"];
    for (const TopicStreamConfig& stream : config.topic_streams)
      if (!stream.table.empty() && stream.dataset + "." + stream.table == query.target())
        return reader.fail(
            node, "table '" + query.target() + "' belongs to stream '" + stream.name + "' already; choose another");
    for (std::size_t j = 0; j < i; ++j) {
      const QueryConfig& other = config.queries[j];
      // Two partitions may be two.
      const bool may_differ = query.table != other.table && query.table.find('$') != std::string::npos &&
                              other.table.find('$') != std::string::npos;
      if (other.target() == query.target() && !may_differ && query.write == QueryWrite::kTruncate &&
          other.write == QueryWrite::kTruncate)
        return reader.fail(node, "query '" + other.name + "' replaces table '" + query.target() +
                                     "' already, and each would take the other's rows away; choose another table, or "
                                     "'write: append'");
    }
  }
  return ok();
}

}  // namespace

Status read_queries(const ConfigReader& reader, const YAML::Node& node, Config& config,
                    std::vector<ScheduledNodes>& scheduled) {
  if (!node || !node.IsMap()) return ok();
  std::vector<ScheduledNodes> all;
  for (const auto& entry : node) {
    all.push_back({"query", entry.first, entry.second});
    TRY(QueryConfig query, read_query(reader, all.back(), config));
    config.queries.push_back(std::move(query));
  }
  scheduled.insert(scheduled.end(), all.begin(), all.end());
  return check_targets(reader, all, config);
}

}  // namespace flytt::app
