#include "app/internal/init_kafka.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/internal/session.h"
#include "app/internal/topic_origin_adapter.h"
#include "app/output.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kAskMax{20};
constexpr std::size_t kTopicsProposed = 20;  // with a stream of their own; the others are listed
constexpr std::size_t kSamples = 200;

// A stream's name out of a topic's: lower case, a-z, 0-9 and _.
std::string stream_name(const std::string& topic) {
  std::string name;
  for (const char c : topic) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    name += (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ? lower : '_';
  }
  return name;
}

// As the key `schema` takes it.
std::string column_text(const std::string& name, const data::Type& type) {
  const bool is_repeated = type.is(data::TypeKind::kArray);
  const data::Type& bare = is_repeated ? type.element.front() : type;
  std::string text = "{name: " + name + ", type: " + std::string(data::to_string(bare.kind));
  if (is_repeated) text += ", mode: REPEATED";
  if (bare.is(data::TypeKind::kStruct)) {
    text += ", fields: [";
    for (const data::StructField& field : bare.fields)
      text += (&field == &bare.fields.front() ? "" : ", ") + column_text(field.name, field.type);
    text += "]";
  }
  return text + "}";
}

std::string stream_text(const kafka::TopicPartitions& topic, const std::vector<kafka::SampledMessage>& samples) {
  const std::string name = stream_name(topic.topic);
  std::string text = "  " + name + ":\n    from: events\n    topics: [" + topic.topic + "]     # " +
                     std::to_string(topic.partition_count) +
                     (topic.partition_count == 1 ? " partition" : " partitions") + "\n    to: landing_events." + name +
                     "\n    format: json\n    delivery: exactly_once\n";
  const auto schema = kafka::make_table_schema({}, samples);
  if (!schema || samples.empty())
    return text + "    # No message could be looked at; columns are added as they come.\n";
  text += "    # " + std::to_string(samples.size()) +
          " messages show these columns. Without 'schema' they are found again and grow; with it they are fixed:\n"
          "    # schema:\n";
  for (const data::Field& field : schema->fields)
    if (field.name.rfind("_kafka_", 0) != 0) text += "    #   - " + column_text(field.name, field.type) + "\n";
  return text;
}

}  // namespace

Status check_may_write(const CommonOptions& common, const InitOptions& options) {
  if (!options.force && std::filesystem::exists(common.config_path))
    return Error(ErrorCode::kConfig,
                 "'" + common.config_path + "' exists; --force overwrites it, --config names another file");
  return ok();
}

Status write_kafka_configuration(const CommonOptions& common, const InitOptions& options) {
  TRY_STATUS(check_may_write(common, options));
  const base::SystemClock clock;
  const std::string brokers = options.kafka_brokers.empty() ? "${env:KAFKA_BROKERS}" : options.kafka_brokers;
  std::string text =
      "# Written by `flytt init`. Every key: docs/reference/configuration.md\n"
      "project: flytt                        # BigQuery project\n"
      "destination: {local: ./warehouse}     # the embedded warehouse; {bigquery: {key_file: key.json}} for BigQuery\n"
      "listen: {health: \"127.0.0.1:8080\"}    # /isalive /isready /metrics\n\n"
      "sources:\n  # Certificates are taken from KAFKA_CA, KAFKA_CERTIFICATE and KAFKA_PRIVATE_KEY (or …_PATH) when "
      "they "
      "are set.\n  events: {kafka: {brokers: \"" +
      brokers + "\"}}\n";
  // The same rules as for any configuration, variables of the platform included.
  TRY(const Config config, parse_config(text, common.config_path, process_environment()));
  const KafkaSourceConfig& source = config.kafka_sources.front();
  if (!source.problem.empty()) return Error(ErrorCode::kConfig, source.problem);
  TRY(const auto client, kafka::Client::open(source.connection, clock));
  TRY(const auto topics, client->topics({{"*"}, {"__*"}}, clock.in(kAskMax)));
  if (topics.empty())
    return Error(ErrorCode::kNotFound, "these brokers show no topic to us; check the access that this user has");
  text += "\nstreams:\n";
  std::size_t proposed = 0;
  for (const kafka::TopicPartitions& topic : topics) {
    if (proposed >= kTopicsProposed) {
      text += "  # also there: " + topic.topic + "\n";
      continue;
    }
    const auto samples = client->sample(topic, kSamples, clock.in(kAskMax));
    if (!samples) {
      text += "  # " + topic.topic + " may not be read: " + samples.error().sentence() + "\n";
      continue;
    }
    text += stream_text(topic, *samples);
    ++proposed;
  }
  if (proposed == 0) text += "  {}\n";
  std::ofstream out(common.config_path);
  out << text;
  out.close();
  if (!out) return Error(ErrorCode::kConfig, "'" + common.config_path + "' cannot be written");
  std::printf(
      "%s written: %zu topics, %zu of them with a stream.\nNext: flytt check, then flytt plan, then flytt run\n",
      common.config_path.c_str(), topics.size(), proposed);
  return ok();
}

}  // namespace flytt::app
