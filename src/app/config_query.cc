// Scheduled queries in the configuration.

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>

#include "app/config_keys.h"
#include "app/internal/config_reader.h"
#include "data/time_zone.h"
#include "scheduler/name_template.h"

namespace flytt::app {

namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";
constexpr std::size_t kNameBytesMax = 100;       // of a query; it becomes part of job ids
constexpr std::size_t kLabelCharactersMax = 63;  // of a key and of a value, as BigQuery has it
constexpr std::size_t kLabelsMax = 60;           // BigQuery takes 64; flytt adds its own
constexpr std::size_t kColumnBytesMax = 300;
constexpr std::string_view kOwnLabels = "flytt";   // labels that begin with it are flytt's
constexpr std::string_view kOwnTables = "_flytt";  // and tables

bool consists_of(std::string_view text, const std::string& allowed) {
  return text.find_first_not_of(allowed) == text.npos;
}

const std::string& word_characters() {
  static const std::string characters = std::string(kLetters) + std::string(kDigits) + "_";
  return characters;
}

bool begins_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

std::string did_you_mean(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?";
}

bool is_column_name(std::string_view name) {
  return !name.empty() && name.size() <= kColumnBytesMax && consists_of(name, word_characters()) &&
         kDigits.find(name[0]) == kDigits.npos;
}

// One query's part of the file, while it is read.
struct QueryNodes {
  YAML::Node name, map;
};

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
  if (!source->url_problem.empty())
    return Error(ErrorCode::kConfig, source->url_problem + "; query '" + query.name + "' reads from this source");
  return ok();
}

// The text itself, or one reference to it.
Status read_sql(const ConfigReader& reader, const QueryNodes& nodes, QueryConfig& query) {
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

Status read_target(const ConfigReader& reader, const QueryNodes& nodes, QueryConfig& query) {
  const YAML::Node node = nodes.map["to"];
  const std::string to = node ? node.Scalar() : "";
  if (to.empty()) return reader.fail(nodes.name, "query '" + query.name + "' needs 'to: dataset.table'");
  const auto dot = to.find('.');
  query.dataset = to.substr(0, dot);
  if (dot != std::string::npos) query.table = to.substr(dot + 1);
  if (query.dataset.empty() || query.table.empty() || !consists_of(query.dataset, word_characters()))
    return reader.fail(node, "'" + to + "' must be dataset.table; a dataset's name has letters, digits and _ only");
  const auto parsed = scheduler::NameTemplate::parse(query.table);
  if (!parsed) return reader.fail(node, "'to': " + parsed.error().sentence());
  constexpr std::int64_t kSomeSlot = 1'768'453'200'000'000;  // 2026-01-15 05:00 UTC
  const std::string rendered = parsed->render(kSomeSlot);
  if (rendered.find('$') != std::string::npos)
    return reader.fail(node, "'" + to + "' names a single partition, which is not in this version; name the table");
  if (!consists_of(rendered, word_characters() + "-"))
    return reader.fail(
        node, "'" + to + "' would be table '" + rendered + "'; a table's name has letters, digits, _ and - only");
  if (begins_with(rendered, kOwnTables))
    return reader.fail(node, "tables that begin with " + std::string(kOwnTables) + " are flytt's own; choose another");
  return ok();
}

Status read_write(const ConfigReader& reader, const QueryNodes& nodes, QueryConfig& query) {
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

// -- when it runs

// Which key of the schedule is to blame: each is tried without those after it.
Result<scheduler::Schedule> read_schedule(const ConfigReader& reader, const QueryNodes& nodes,
                                          const std::string& name) {
  const YAML::Node node = nodes.map["schedule"];
  if (!node || !node.IsMap() || node.size() == 0)
    return reader.fail(node ? node : nodes.name, "query '" + name +
                                                     "' needs 'schedule: {cron: \"15 5 * * *\", timezone: "
                                                     "Europe/Oslo}', or {every: \"24 hours\"}");
  const auto refuse = [&](const char* key, const Error& error) {
    return reader.fail(node[key] ? node[key] : node, error.sentence());
  };
  scheduler::ScheduleText text;
  text.timezone = text_or(node, "timezone", "");
  if (!text.timezone.empty())
    if (const auto zone = data::TimeZone::find(text.timezone); !zone) return refuse("timezone", zone.error());
  text.cron = text_or(node, "cron", "");
  text.every = text_or(node, "every", "");
  auto schedule = scheduler::Schedule::parse(text);
  if (!schedule) return refuse(text.every.empty() ? "cron" : "every", schedule.error());
  text.start = text_or(node, "start", "");
  schedule = scheduler::Schedule::parse(text);
  if (!schedule) return refuse("start", schedule.error());
  text.end = text_or(node, "end", "");
  schedule = scheduler::Schedule::parse(text);
  if (!schedule) return refuse("end", schedule.error());
  return schedule;
}

template <typename Number>
Status read_number(const ConfigReader& reader, const YAML::Node& node, Number& out) {
  if (!node) return ok();
  const std::string text = node.Scalar();
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failure != std::errc() || end != text.data() + text.size())
    return reader.fail(node, "'" + text + "' is not a number");
  return ok();
}

Status read_micros(const ConfigReader& reader, const YAML::Node& node, std::int64_t& out) {
  if (!node) return ok();
  std::int64_t millis = 0;
  TRY_STATUS(reader.duration(node, millis));
  out = millis * 1000;
  return ok();
}

Status read_retries(const ConfigReader& reader, const YAML::Node& node, scheduler::Retries& retries) {
  if (!node || !node.IsMap()) return ok();
  TRY_STATUS(read_number(reader, node["max"], retries.max));
  TRY_STATUS(read_micros(reader, node["delay"], retries.delay_micros));
  if (!node["delay_max"]) retries.delay_micros_max = std::max(retries.delay_micros_max, retries.delay_micros);
  TRY_STATUS(read_micros(reader, node["delay_max"], retries.delay_micros_max));
  return read_number(reader, node["factor"], retries.factor);
}

Status read_policy(const ConfigReader& reader, const YAML::Node& node, scheduler::Policy& policy) {
  auto missed = static_cast<std::size_t>(policy.missed), concurrency = static_cast<std::size_t>(policy.concurrency);
  TRY_STATUS(reader.choice(node["missed"], {"none", "last", "all"}, missed));
  TRY_STATUS(reader.choice(node["concurrency"], {"forbid", "replace", "allow"}, concurrency));
  policy.missed = static_cast<scheduler::Missed>(missed);
  policy.concurrency = static_cast<scheduler::Concurrency>(concurrency);
  if (node["missed_max"] && policy.missed != scheduler::Missed::kAll)
    return reader.fail(node["missed_max"], "'missed_max' belongs to 'missed: all'");
  TRY_STATUS(read_number(reader, node["missed_max"], policy.missed_max));
  TRY_STATUS(read_retries(reader, node["retries"], policy.retries));
  TRY_STATUS(read_micros(reader, node["timeout"], policy.run_micros_max));
  return read_micros(reader, node["start_within"], policy.start_micros_max);
}

Result<QueryConfig> read_query(const ConfigReader& reader, const QueryNodes& nodes, const Config& config) {
  QueryConfig query;
  query.name = nodes.name.Scalar();
  if (query.name.empty() || query.name.size() > kNameBytesMax || !consists_of(query.name, word_characters() + "-"))
    return reader.fail(nodes.name, "a query's name consists of letters, digits, _ and -, " +
                                       std::to_string(kNameBytesMax) + " at most (it becomes part of job ids)");
  if (!nodes.map.IsMap()) return reader.fail(nodes.name, "query '" + query.name + "' needs 'schedule', 'to' and 'sql'");
  TRY_STATUS(read_from(reader, nodes.map["from"], config, query));
  TRY_STATUS(read_sql(reader, nodes, query));
  TRY_STATUS(read_write(reader, nodes, query));
  TRY_STATUS(read_target(reader, nodes, query));
  TRY_STATUS(read_labels(reader, nodes.map["labels"], query));
  TRY_STATUS(read_cost(reader, nodes.map["max_bytes"], query));
  TRY(scheduler::Schedule schedule, read_schedule(reader, nodes, query.name));
  scheduler::Policy policy;
  TRY_STATUS(read_policy(reader, nodes.map, policy));
  query.entry = scheduler::Entry{"query:" + query.name, std::move(schedule), std::move(policy)};
  if (const Status checked = scheduler::check_entries({*query.entry}); !checked)
    return reader.fail(nodes.name, checked.error().sentence());
  return query;
}

// -- what belongs together

std::string target(const QueryConfig& query) { return query.dataset + "." + query.table; }

Status check_targets(const ConfigReader& reader, const std::vector<QueryNodes>& all, const Config& config) {
  for (std::size_t i = 0; i < config.queries.size(); ++i) {
    const QueryConfig& query = config.queries[i];
    const YAML::Node node = all[i].map["to"];
    for (const TopicStreamConfig& stream : config.topic_streams)
      if (!stream.table.empty() && stream.dataset + "." + stream.table == target(query))
        return reader.fail(
            node, "table '" + target(query) + "' belongs to stream '" + stream.name + "' already; choose another");
    for (std::size_t j = 0; j < i; ++j) {
      const QueryConfig& other = config.queries[j];
      if (target(other) == target(query) && query.write == QueryWrite::kTruncate &&
          other.write == QueryWrite::kTruncate)
        return reader.fail(node, "query '" + other.name + "' replaces table '" + target(query) +
                                     "' already, and each would take the other's rows away; choose another table, or "
                                     "'write: append'");
    }
  }
  return ok();
}

std::vector<std::string> stream_names(const Config& config) {
  std::vector<std::string> names;
  for (const StreamConfig& stream : config.streams) names.push_back(stream.name);
  for (const TopicStreamConfig& stream : config.topic_streams) names.push_back(stream.name);
  return names;
}

// A table of a query stands for the queries that write it; any other is asked of the streams that land in its dataset.
Status add_table(const ConfigReader& reader, const YAML::Node& node, const std::string& table, const Config& config,
                 std::vector<std::string>& after) {
  const auto dot = table.find('.');
  const std::string dataset = table.substr(0, dot);
  if (dot == std::string::npos || dataset.empty() || dot + 1 == table.size())
    return reader.fail(node, "'table:" + table + "' must be table:dataset.table");
  bool is_of_query = false;
  for (const QueryConfig& query : config.queries)
    if (target(query) == table) {
      after.push_back("schedule:query:" + query.name);
      is_of_query = true;
    }
  if (is_of_query) return ok();
  std::vector<std::string> known;
  for (const StreamConfig& stream : config.streams) {
    known.push_back(stream.dataset + table.substr(dot));
    if (stream.dataset == dataset) after.push_back("table:" + table);
  }
  for (const TopicStreamConfig& stream : config.topic_streams) {
    known.push_back(stream.dataset + "." + (stream.table.empty() ? table.substr(dot + 1) : stream.table));
    if (known.back() == table) after.push_back("table:" + table);
  }
  for (const QueryConfig& query : config.queries) known.push_back(target(query));
  if (!after.empty() && after.back() == "table:" + table) return ok();
  return reader.fail(node,
                     "no stream and no query of this file writes table '" + table + "'" + did_you_mean(table, known));
}

Status add_dependency(const ConfigReader& reader, const YAML::Node& node, const Config& config,
                      std::vector<std::string>& after) {
  const std::string text = node.Scalar();
  const auto colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const std::string name = colon == std::string::npos ? std::string() : text.substr(colon + 1);
  if (kind == "stream" && !name.empty()) {
    if (!config.has_stream(name))
      return reader.fail(node, "unknown stream '" + name + "'" + did_you_mean(name, stream_names(config)));
    after.push_back(text);
    return ok();
  }
  if (kind == "query" && !name.empty()) {
    std::vector<std::string> names;
    for (const QueryConfig& query : config.queries) names.push_back(query.name);
    if (config.find_query(name) == nullptr)
      return reader.fail(node, "unknown query '" + name + "'" + did_you_mean(name, names));
    after.push_back("schedule:query:" + name);
    return ok();
  }
  if (kind == "table" && !name.empty()) return add_table(reader, node, name, config, after);
  return reader.fail(node, "'" + text + "' must be stream:NAME, table:dataset.table or query:NAME" +
                               (name.empty() ? "" : did_you_mean(kind, {"stream", "table", "query"})));
}

// The first query that closes a circle with those before it is named with its line.
Status check_circles(const ConfigReader& reader, const std::vector<QueryNodes>& all, const Config& config) {
  std::vector<scheduler::Entry> entries;
  for (std::size_t i = 0; i < config.queries.size(); ++i) {
    entries.push_back(*config.queries[i].entry);
    std::vector<scheduler::Entry> known = entries;
    for (scheduler::Entry& entry : known)
      entry.policy.after.erase(std::remove_if(entry.policy.after.begin(), entry.policy.after.end(),
                                              [&](const std::string& name) {
                                                return std::none_of(entries.begin(), entries.end(),
                                                                    [&](const scheduler::Entry& other) {
                                                                      return name == "schedule:" + other.name;
                                                                    });
                                              }),
                               entry.policy.after.end());
    if (const Status checked = scheduler::check_entries(known); !checked)
      return reader.fail(all[i].map["after"], checked.error().sentence());
  }
  return ok();
}

}  // namespace

Status read_queries(const ConfigReader& reader, const YAML::Node& node, Config& config) {
  if (!node || !node.IsMap()) return ok();
  std::vector<QueryNodes> all;
  for (const auto& entry : node) {
    all.push_back({entry.first, entry.second});
    TRY(QueryConfig query, read_query(reader, all.back(), config));
    config.queries.push_back(std::move(query));
  }
  TRY_STATUS(check_targets(reader, all, config));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const YAML::Node after = all[i].map["after"];
    if (!after) continue;
    std::vector<std::string> dependencies;
    for (const auto& entry : after) TRY_STATUS(add_dependency(reader, entry, config, dependencies));
    config.queries[i].entry->policy.after = std::move(dependencies);
  }
  return check_circles(reader, all, config);
}

}  // namespace flytt::app
