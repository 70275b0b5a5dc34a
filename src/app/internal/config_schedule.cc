#include "app/internal/config_schedule.h"

#include <algorithm>
#include <charconv>

#include "app/config_keys.h"
#include "data/time_zone.h"

namespace flytt::app {

const std::string_view kWordCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

bool consists_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == text.npos;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?";
}

Status check_scheduled_name(const ConfigReader& reader, const ScheduledNodes& nodes, std::size_t bytes_max) {
  const std::string name = nodes.name.Scalar();
  if (!name.empty() && name.size() <= bytes_max && consists_of(name, std::string(kWordCharacters) + "-")) return ok();
  return reader.fail(nodes.name, "a " + std::string(nodes.kind) + "'s name consists of letters, digits, _ and -, " +
                                     std::to_string(bytes_max) + " at most (it becomes part of ids)");
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
template Status read_number(const ConfigReader&, const YAML::Node&, int&);
template Status read_number(const ConfigReader&, const YAML::Node&, std::uint64_t&);

namespace {

// Which key of the schedule is to blame: each is tried without those after it.
Result<scheduler::Schedule> read_schedule(const ConfigReader& reader, const ScheduledNodes& nodes) {
  const YAML::Node node = nodes.map["schedule"], after = nodes.map["after"];
  if (!node && after && after.IsSequence() && after.size() > 0) {
    std::vector<std::string> names;
    for (const auto& name : after) names.push_back(name.Scalar());
    return scheduler::Schedule::on_changes(names);
  }
  if (const YAML::Node at_most = nodes.map["at_most"])
    return reader.fail(at_most,
                       "'at_most' belongs to what has no 'schedule' and runs when what stands in 'after' has changed");
  if (!node || !node.IsMap() || node.size() == 0)
    return reader.fail(node ? node : nodes.name, std::string(nodes.kind) + " '" + nodes.name.Scalar() +
                                                     "' needs 'schedule: {cron: \"15 5 * * *\", timezone: "
                                                     "Europe/Oslo}', or {every: \"24 hours\"}; or, without it, "
                                                     "'after: [\"query:daily\"]', to run when that has changed");
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
  TRY_STATUS(read_micros(reader, node["at_most"], policy.at_most_micros));
  TRY_STATUS(read_micros(reader, node["timeout"], policy.run_micros_max));
  return read_micros(reader, node["start_within"], policy.start_micros_max);
}

}  // namespace

Result<scheduler::Entry> read_entry(const ConfigReader& reader, const ScheduledNodes& nodes) {
  TRY(scheduler::Schedule schedule, read_schedule(reader, nodes));
  scheduler::Policy policy;
  TRY_STATUS(read_policy(reader, nodes.map, policy));
  scheduler::Entry entry{std::string(nodes.kind) + ":" + nodes.name.Scalar(), std::move(schedule), std::move(policy)};
  if (const Status checked = scheduler::check_entries({entry}); !checked)
    return reader.fail(nodes.name, checked.error().sentence());
  return entry;
}

// -- what it runs after

namespace {

template <typename Named>
std::vector<std::string> names_of(const std::vector<Named>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.push_back(one.name);
  return names;
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
    if (query.target() == table) {
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
  for (const QueryConfig& query : config.queries) known.push_back(query.target());
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
  if ((kind == "query" || kind == "job") && !name.empty()) {
    const bool is_there = kind == "query" ? config.find_query(name) != nullptr : config.find_job(name) != nullptr;
    const std::vector<std::string> names = kind == "query" ? names_of(config.queries) : names_of(config.jobs);
    if (!is_there) return reader.fail(node, "unknown " + kind + " '" + name + "'" + did_you_mean(name, names));
    after.push_back("schedule:" + text);
    return ok();
  }
  if (kind == "table" && !name.empty()) return add_table(reader, node, name, config, after);
  return reader.fail(node, "'" + text + "' must be stream:NAME, table:dataset.table, query:NAME or job:NAME" +
                               (name.empty() ? "" : did_you_mean(kind, {"stream", "table", "query", "job"})));
}

Status check_circles(const ConfigReader& reader, const std::vector<ScheduledNodes>& all,
                     const std::vector<const scheduler::Entry*>& entries) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<scheduler::Entry> known;
    std::vector<std::string> names;
    for (std::size_t j = 0; j <= i; ++j) names.push_back("schedule:" + entries[j]->name);
    for (std::size_t j = 0; j <= i; ++j) {
      known.push_back(*entries[j]);
      std::vector<std::string>& after = known.back().policy.after;
      std::erase_if(
          after, [&](const std::string& name) { return std::find(names.begin(), names.end(), name) == names.end(); });
    }
    if (const Status checked = scheduler::check_entries(known); !checked)
      return reader.fail(all[i].map["after"], checked.error().sentence());
  }
  return ok();
}

}  // namespace

Status read_after(const ConfigReader& reader, const std::vector<ScheduledNodes>& all, Config& config) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const YAML::Node after = all[i].map["after"];
    if (!after) continue;
    std::vector<std::string> dependencies;
    for (const auto& entry : after) TRY_STATUS(add_dependency(reader, entry, config, dependencies));
    const std::size_t queries = config.queries.size();
    (i < queries ? config.queries[i].entry : config.jobs[i - queries].entry)->policy.after = std::move(dependencies);
  }
  return check_circles(reader, all, entries_of(config));
}

}  // namespace flytt::app
