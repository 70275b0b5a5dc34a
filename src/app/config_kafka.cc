// Kafka in the configuration: sources, and streams of topics.

#include <algorithm>

#include "app/config_keys.h"
#include "app/internal/config_reader.h"
#include "kafka/client.h"
#include "kafka/schema.h"

namespace flytt::app {

namespace {

constexpr const char* kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

bool is_pem(const std::string& text) { return text.find("-----BEGIN") != std::string::npos; }

// What the file says, else the platform's variables NAME (the text itself) and NAME_PATH.
Status read_pem(const ConfigReader& reader, const YAML::Node& node, const std::string& variable, std::string& pem,
                std::string& file) {
  if (node) {
    TRY(std::string text, reader.resolve(node));
    if (is_pem(text))
      pem = std::move(text);
    else
      file = reader.beside(text);
    return ok();
  }
  pem = reader.environment(variable).value_or("");
  if (pem.empty()) file = reader.environment(variable + "_PATH").value_or("");
  return ok();
}

Status read_tls(const ConfigReader& reader, const YAML::Node& node, kafka::TlsSettings& tls) {
  const bool is_asked = node && !node.IsNull();
  const YAML::Node none(YAML::NodeType::Undefined);
  const auto at = [&](const char* key) { return is_asked ? node[key] : none; };
  std::string key_pem, key_password;
  TRY_STATUS(read_pem(reader, at("ca"), "KAFKA_CA", tls.ca_pem, tls.ca_file));
  TRY_STATUS(read_pem(reader, at("certificate"), "KAFKA_CERTIFICATE", tls.certificate_pem, tls.certificate_file));
  TRY_STATUS(read_pem(reader, at("key"), "KAFKA_PRIVATE_KEY", key_pem, tls.key_file));
  tls.key_pem = base::Secret(std::move(key_pem));
  TRY_STATUS(reader.resolved(at("key_password"), key_password));
  tls.key_password = base::Secret(std::move(key_password));
  TRY_STATUS(reader.boolean(at("verify_host_name"), tls.verifies_host_name));
  tls.is_enabled = is_asked || !tls.ca_pem.empty() || !tls.ca_file.empty() || !tls.certificate_pem.empty() ||
                   !tls.certificate_file.empty();
  return ok();
}

Status read_sasl(const ConfigReader& reader, const YAML::Node& node, kafka::SaslSettings& sasl) {
  if (!node || node.IsNull()) return ok();
  std::size_t mechanism = 2;
  TRY_STATUS(reader.choice(node["mechanism"], {"plain", "scram-sha-256", "scram-sha-512"}, mechanism));
  sasl.mechanism = static_cast<kafka::SaslMechanism>(mechanism + 1);
  std::string password;
  TRY_STATUS(reader.resolved(node["user"], sasl.user));
  TRY_STATUS(reader.resolved(node["password"], password));
  sasl.password = base::Secret(std::move(password));
  if (sasl.user.empty()) return reader.fail(node, "'sasl' needs 'user' and 'password'");
  return ok();
}

Status read_connection(const ConfigReader& reader, const YAML::Node& node, KafkaSourceConfig& source) {
  kafka::ConnectionSettings& connection = source.connection;
  connection.brokers = reader.environment("KAFKA_BROKERS").value_or("");
  const YAML::Node none(YAML::NodeType::Undefined);
  const auto at = [&](const char* key) { return node.IsMap() ? node[key] : none; };
  TRY_STATUS(reader.resolved(at("brokers"), connection.brokers));
  if (connection.brokers.empty())
    return reader.fail(node, "source '" + source.name + "' needs 'brokers' or the variable KAFKA_BROKERS");
  TRY_STATUS(read_tls(reader, at("tls"), connection.tls));
  TRY_STATUS(read_sasl(reader, at("sasl"), connection.sasl));
  TRY_STATUS(reader.resolved(at("group"), source.group_prefix));
  TRY_STATUS(reader.resolved(at("instance"), source.instance));
  return reader.duration(at("session_timeout"), source.session_timeout_ms);
}

// -- columns

Result<data::Type> read_type(const ConfigReader& reader, const YAML::Node& node, int depth) {
  if (depth > 15) return reader.fail(node, "fields are nested deeper than the 15 levels that BigQuery takes");
  const std::string text = text_or(node, "type", "");
  auto kind = data::parse_type_kind(text);
  if (!kind)
    return reader.fail(node, "'" + text + "' is not a type of BigQuery; use STRING, INT64, TIMESTAMP, STRUCT, …");
  if (!data::Type(*kind).is(data::TypeKind::kStruct)) return data::Type(*kind);
  std::vector<data::StructField> fields;
  for (const auto& entry : node["fields"]) {
    TRY(data::Type type, read_type(reader, entry, depth + 1));
    if (text_or(entry, "mode", "") == "REPEATED") type = data::Type::array(std::move(type));
    fields.push_back({text_or(entry, "name", ""), std::move(type)});
  }
  if (fields.empty()) return reader.fail(node, "a STRUCT needs 'fields'");
  return data::Type::structure(std::move(fields));
}

Status read_schema(const ConfigReader& reader, const YAML::Node& node, kafka::PayloadSettings& payload) {
  static const std::vector<std::string> kKnown{"name", "type", "mode", "from", "description", "fields"};
  if (!node) return ok();
  for (const auto& entry : node) {
    if (!entry.IsMap()) return reader.fail(entry, "a column is written {name: …, type: …}");
    for (const auto& member : entry) {
      const std::string key = member.first.Scalar();
      if (std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end()) continue;
      const std::string nearest = nearest_name(key, kKnown);
      return reader.fail(member.first, "a column has no key '" + key + "'" +
                                           (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
    }
    kafka::DeclaredField field;
    field.name = text_or(entry, "name", "");
    if (field.name.empty()) return reader.fail(entry, "a column needs 'name'");
    TRY(field.type, read_type(reader, entry, 1));
    std::size_t mode = 0;
    TRY_STATUS(reader.choice(entry["mode"], {"NULLABLE", "REQUIRED", "REPEATED"}, mode));
    field.is_required = mode == 1;
    if (mode == 2) field.type = data::Type::array(std::move(field.type));
    field.key = text_or(entry, "from", "");
    field.description = text_or(entry, "description", "");
    payload.fields.push_back(std::move(field));
  }
  return ok();
}

Status read_metadata(const ConfigReader& reader, const YAML::Node& node, kafka::PayloadSettings& payload) {
  if (!node) return ok();
  payload.topic_column = payload.partition_column = payload.offset_column = payload.timestamp_column = false;
  for (const auto& entry : node) {
    std::size_t which = 0;
    TRY_STATUS(
        reader.choice(entry, {"topic", "partition", "offset", "timestamp", "key", "key_bytes", "headers"}, which));
    switch (which) {
      case 0: payload.topic_column = true; break;
      case 1: payload.partition_column = true; break;
      case 2: payload.offset_column = true; break;
      case 3: payload.timestamp_column = true; break;
      case 4: payload.key_column = kafka::PayloadSettings::KeyColumn::kString; break;
      case 5: payload.key_column = kafka::PayloadSettings::KeyColumn::kBytes; break;
      default: payload.headers_column = true;
    }
  }
  return ok();
}

Status read_payload(const ConfigReader& reader, const YAML::Node& node, kafka::PayloadSettings& payload) {
  std::size_t format = 0, unknown = 0, nested = 0, epoch = 0;
  if (const std::string text = text_or(node, "format", "json"); text == "avro" || text == "protobuf")
    return reader.fail(node["format"], "format '" + text + "' is not in this version; json, text and bytes are");
  TRY_STATUS(reader.choice(node["format"], {"json", "text", "bytes"}, format));
  payload.format = static_cast<kafka::Format>(format);
  TRY_STATUS(read_schema(reader, node["schema"], payload));
  if (node["unknown_fields"]) {
    TRY_STATUS(reader.choice(node["unknown_fields"], {"ignore", "rest", "grow"}, unknown));
    payload.unknown_fields = static_cast<kafka::UnknownFields>(unknown + 1);
  }
  TRY_STATUS(reader.choice(node["nested"], {"struct", "json"}, nested));
  payload.nested = static_cast<kafka::NestedForm>(nested);
  TRY_STATUS(read_metadata(reader, node["metadata"], payload));
  if (const YAML::Node times = node["times"]; times && times.IsMap()) {
    TRY_STATUS(reader.boolean(times["detect"], payload.detects_times));
    TRY_STATUS(reader.boolean(times["strict"], payload.strict_times));
    TRY_STATUS(reader.choice(times["epoch"], {"refused", "seconds", "millis", "micros", "nanos"}, epoch));
    payload.epoch_unit = static_cast<kafka::EpochUnit>(epoch);
  }
  TRY_STATUS(reader.boolean(node["numbers_in_strings"], payload.numbers_in_strings));
  TRY_STATUS(reader.boolean(node["scalars_as_strings"], payload.scalars_as_strings));
  return reader.boolean(node["raw"], payload.keeps_raw);
}

Status read_delivery(const ConfigReader& reader, const YAML::Node& node, TopicStreamConfig& stream) {
  std::size_t delivery = 0, start = 0, lost = 0;
  TRY_STATUS(reader.choice(node["delivery"], {"exactly_once", "at_least_once", "upsert"}, delivery));
  stream.delivery = static_cast<TopicDelivery>(delivery);
  TRY_STATUS(reader.choice(node["start"], {"earliest", "latest", "error"}, start));
  stream.start = static_cast<kafka::StartPlace>(start);
  TRY_STATUS(reader.choice(node["lost"], {"error", "earliest", "latest"}, lost));
  stream.lost = static_cast<kafka::LostPlace>(lost);
  kafka::PayloadSettings& payload = stream.payload;
  payload.is_upsert = stream.delivery == TopicDelivery::kUpsert;
  if (const YAML::Node key = node["key"]) {
    if (!payload.is_upsert) return reader.fail(key, "'key' belongs to 'delivery: upsert'");
    for (const auto& entry : key) payload.key_fields.push_back(entry.Scalar());
  }
  const bool has_place = payload.topic_column && payload.partition_column && payload.offset_column;
  if (stream.delivery == TopicDelivery::kExactlyOnce && !has_place)
    return reader.fail(
        node["metadata"],
        "'delivery: exactly_once' needs 'topic', 'partition' and 'offset' in 'metadata'; by these columns "
        "it finds out what is in the table already");
  return ok();
}

}  // namespace

Status read_kafka_source(const ConfigReader& reader, const std::string& name, const YAML::Node& node, Config& config) {
  KafkaSourceConfig source;
  source.name = name;
  source.connection.client_name = "flytt_" + name;
  source.connection.source = name;
  // A variable that is missing here may be there where the stream runs.
  if (const Status read = read_connection(reader, node, source); !read) source.problem = read.error().sentence();
  config.kafka_sources.push_back(std::move(source));
  return ok();
}

Status read_topic_stream(const ConfigReader& reader, const YAML::Node& name, const YAML::Node& node, Config& config) {
  TopicStreamConfig stream;
  stream.name = name.Scalar();
  stream.from = node["from"].Scalar();
  const std::string to = node["to"].Scalar();
  const auto dot = to.find('.');
  stream.dataset = to.substr(0, dot);
  if (dot != std::string::npos) stream.table = to.substr(dot + 1);
  if (stream.dataset.find_first_not_of(kNameCharacters) != std::string::npos ||
      (dot != std::string::npos && stream.table.empty()) ||
      stream.table.find_first_not_of(std::string(kNameCharacters) + "-") != std::string::npos)
    return reader.fail(node["to"], "'" + to + "' must be dataset or dataset.table: letters, digits and _ only");
  for (const char* key : {"tables", "mode"})
    if (node[key]) return reader.fail(node[key], "'" + std::string(key) + "' belongs to a stream from a database");
  if (!node["topics"] || node["topics"].size() == 0)
    return reader.fail(name, "stream '" + stream.name + "' needs 'topics: [name, …]'");
  for (const auto& topic : node["topics"]) stream.topics.include.push_back(topic.Scalar());
  if (node["exclude_topics"])
    for (const auto& topic : node["exclude_topics"]) stream.topics.exclude.push_back(topic.Scalar());
  TRY_STATUS(read_payload(reader, node, stream.payload));
  TRY_STATUS(read_delivery(reader, node, stream));
  stream.dead_letters = text_or(node, "dead_letters", "");
  if (stream.dead_letters.find_first_not_of(std::string(kNameCharacters) + ".-") != std::string::npos)
    return reader.fail(node["dead_letters"],
                       "'" + stream.dead_letters + "' must be one topic: letters, digits, ., _ and -");
  if (kafka::is_chosen(stream.topics, stream.dead_letters))
    return reader.fail(node["dead_letters"],
                       "dead letters would be read again: '" + stream.dead_letters +
                           "' is one of 'topics'; name it in 'exclude_topics', or choose another");
  TRY_STATUS(reader.duration(node["freshness"], stream.freshness_ms));
  TRY_STATUS(reader.duration(node["max_staleness"], stream.max_staleness_ms));
  if (stream.freshness_ms < 1 || stream.freshness_ms > 60'000)
    return reader.fail(node["freshness"], "'freshness' must be between 1ms and 1m");
  stream.group = config.find_kafka_source(stream.from)->group_prefix + "_" + stream.name;
  TRY_STATUS(reader.resolved(node["group"], stream.group));
  if (const Status checked = kafka::check_payload_settings(stream.payload); !checked)
    return reader.fail(name, "stream '" + stream.name + "': " + checked.error().sentence());
  config.topic_streams.push_back(std::move(stream));
  return ok();
}

}  // namespace flytt::app
