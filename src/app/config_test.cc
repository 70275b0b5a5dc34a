#include "app/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/config_keys.h"
#include "postgres/types.h"

namespace flytt::app {
namespace {

const Environment kEnvironment = [](const std::string& name) -> std::optional<std::string> {
  if (name == "SAK_URL") return "postgres://u:hemmelig@127.0.0.1/sak";
  return std::nullopt;
};

Result<Config> parse(const std::string& text) { return parse_config(text, "flytt.yaml", kEnvironment); }

constexpr const char* kWhole = R"(
project: team-sak
destination: {local: ./warehouse}
sources:
  sak: {postgres: "${env:SAK_URL}"}
streams:
  sak:
    from: sak
    to: landing_sak
    tables: {include: ["public.*"], exclude: [public.flyway_schema_history]}
    freshness: 50ms
)";

TEST(Config, ReadsTheWholeFile) {
  const auto config = parse(kWhole);
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->project, "team-sak");
  EXPECT_EQ(config->sources[0].publication, "flytt_sak");
  EXPECT_EQ(config->sources[0].url.reveal(), "postgres://u:hemmelig@127.0.0.1/sak");
  EXPECT_EQ(config->streams[0].freshness_ms, 50);
  EXPECT_EQ(config->streams[0].exclude[0], "public.flyway_schema_history");
  EXPECT_TRUE(config->state_file.ends_with("/warehouse/state.db"));
}

TEST(Config, ASharedStateHasASchemaAndALease) {
  const std::string head = "destination: {bigquery: {rest: x, grpc: y}}\n";
  const auto config = parse(head + "state: {postgres: \"${env:SAK_URL}\", schema: other, lease: 1m}\n");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_TRUE(config->has_shared_state());
  EXPECT_EQ(config->state_url.reveal(), "postgres://u:hemmelig@127.0.0.1/sak");
  EXPECT_EQ(config->state_schema, "other");
  EXPECT_EQ(config->lease_ms, 60'000);
  EXPECT_EQ(config->lock_folder(), "");
  const auto standard = parse(head + "state: {postgres: \"${env:ABSENT}\"}\n");
  ASSERT_TRUE(standard) << "a verb that does not need it works without it";
  EXPECT_EQ(standard->state_schema, "flytt");
  EXPECT_EQ(standard->lease_ms, 15'000);
  EXPECT_NE(standard->state_url_problem.find("ABSENT"), std::string::npos);
}

TEST(Config, RunsAreBesideTheStateOrWhereTheFileSays) {
  const auto runs = [](const std::string& text) { return parse(text)->runs_folder(); };
  const std::string here = std::filesystem::current_path().string();
  const std::string remote = "destination: {bigquery: {rest: x, grpc: y}}\n";
  EXPECT_EQ(runs("destination: {local: ./w}\n"), here + "/w/runs");
  EXPECT_EQ(runs(remote + "state: {sqlite: ./s.db}\n"), here + "/s.db.runs");
  EXPECT_EQ(runs(remote + "state: {postgres: u}\n"), here + "/flytt.runs");
  EXPECT_EQ(runs(remote + "state: {postgres: u, runs: /var/lib/flytt/runs}\n"), "/var/lib/flytt/runs");
  EXPECT_EQ(runs("destination: {local: ./w}\nstate: {runs: r}\n"), here + "/r");
  EXPECT_TRUE(parse("destination: {local: ./w}\nstate: {runs: r}\n")->state_file.ends_with("/w/state.db"));
}

struct Bad {
  const char* yaml;
  const char* sentence;
};

class BadConfig : public testing::TestWithParam<Bad> {};

TEST_P(BadConfig, SaysLineReasonAndNearestWord) {
  const auto config = parse(GetParam().yaml);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code(), ErrorCode::kConfig);
  EXPECT_NE(config.error().sentence().find(GetParam().sentence), std::string::npos) << config.error().sentence();
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadConfig,
    testing::Values(
        Bad{"project: a\nsteams: {}\n", "flytt.yaml:2: unknown key 'steams'; did you mean 'streams'?"},
        Bad{"project: a\nproject: b\n", "'project' stands twice"},
        Bad{"models: ./models\n", "flytt.yaml:1: 'models' is not in this version"},
        Bad{"sources: {e: {kafka: {}, postgres: x}}\n", "either 'postgres: URL' or 'kafka: {…}'"},
        Bad{"sources: {e: {kafka: {broker: b}}}\n",
            "unknown key 'broker' in 'sources.e.kafka'; did you mean 'brokers'?"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d}\n",
            "flytt.yaml:3: stream 's' needs 'topics"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d.t.x, topics: [a]}\n",
            "must be dataset or dataset.table"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d, topics: [a], format: jsom}\n",
            "'jsom' is none of json, text, bytes; did you mean 'json'?"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d, topics: [a], format: avro}\n",
            "format 'avro' is not in this version"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d, topics: [a], metadata: [topic]}\n",
            "'delivery: exactly_once' needs 'topic', 'partition' and 'offset'"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d, topics: [a], key: [id]}\n",
            "'key' belongs to 'delivery: upsert'"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d, topics: [a], tables: {include: "
            "[x.y]}}\n",
            "'tables' belongs to a stream from a database"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d, topics: [a], schema: [{name: a, "
            "type: TEXT}]}\n",
            "'TEXT' is not a type of BigQuery"},
        Bad{"sources: {e: {kafka: {brokers: b}}}\nstreams:\n  s: {from: e, to: d, topics: [a], schema: [{nme: a}]}\n",
            "a column has no key 'nme'; did you mean 'name'?"},
        Bad{"sources: {sak: {postgres: x}}\nstreams:\n  s: {from: sak, to: d, topics: [a]}\n",
            "'topics' belongs to a stream of topics"},
        Bad{"sources: {E-1: {postgres: x}}\n", "a-z, 0-9 and _"},
        Bad{"sources: {sak: {postgres: x}}\nstreams:\n  s: {from: sk, to: d}\n",
            "flytt.yaml:3: unknown source 'sk'; did you mean 'sak'?"},
        Bad{"sources: {sak: {postgres: x}}\nstreams:\n  s: {from: sak, to: d, mode: append}\n",
            "mode 'append' is not in this version"},
        Bad{"sources: {sak: {postgres: x}}\nstreams:\n  s: {from: sak, to: d, freshness: 5}\n", "is not a duration"},
        Bad{"sources: {sak: {postgres: x}}\nstreams:\n  s: {from: sak, to: d, tables: {include: person}}\n",
            "must be a list"},
        Bad{"sources: {sak: {postgres: x}}\nstreams:\n  s: {from: sak, to: d, tables: {include: [person]}}\n",
            "schema.table"},
        Bad{"destination: {bigquery: {rest: x}}\n", "needs both 'rest' and 'grpc'"},
        Bad{"destination: {bigquery: {rest: x, grpc: y}}\n", "'state' is obligatory"},
        Bad{"state: {postgres: u}\n", "flytt.yaml:1: 'state.postgres' is for replicas that write into one warehouse"},
        Bad{"destination: {bigquery: {rest: x, grpc: y}}\nstate: {postgres: u, sqlite: f}\n",
            "flytt.yaml:2: 'state' takes either 'sqlite' or 'postgres'"},
        Bad{"state: {runs: ''}\n", "flytt.yaml:1: 'state.runs' is empty"},
        Bad{"state: {sqlite: f, lease: 5s}\n", "'state.lease' belongs to 'state.postgres'"},
        Bad{"destination: {bigquery: {rest: x, grpc: y}}\nstate: {postgres: u, lease: 1s}\n", "between 3s and 5m"},
        Bad{"destination: {bigquery: {rest: x, grpc: y}}\nstate: {postgres: u, schema: pg_x}\n",
            "flytt.yaml:2: a schema's name"},
        Bad{"memory: {engine: 1MiB}\n", "at least 32MiB"}, Bad{"copy_workers: 99\n", "from 1 to 16"},
        Bad{"a: [\n", "not valid YAML"}, Bad{"", "the configuration is empty"}));

TEST(Config, MissingVariableIsKeptAsAProblemOfItsSource) {
  const auto config = parse("sources: {sak: {postgres: \"${env:NOT_SET}\"}}\n");
  ASSERT_TRUE(config);
  EXPECT_NE(config->sources[0].url_problem.find("'NOT_SET' is not set"), std::string::npos);
}

constexpr const char* kTopics = R"(
sources:
  events: {kafka: {sasl: {mechanism: plain, user: me, password: "${env:SAK_URL}"}, group: team, instance: pod-1, session_timeout: 6s}}
streams:
  hendelser:
    from: events
    topics: ["team.*"]
    exclude_topics: [team.hemmelig]
    to: landing_events.hendelser
    schema:
      - {name: stringValue, type: STRING, mode: REQUIRED}
      - {name: tags, type: STRING, mode: REPEATED, from: "tag-list"}
      - {name: place, type: STRUCT, fields: [{name: lat, type: FLOAT64}, {name: ids, type: INTEGER, mode: REPEATED}]}
    metadata: [topic, partition, offset, headers]
    times: {strict: true, epoch: millis}
    raw: false
)";

TEST(Config, ReadsAStreamOfTopics) {
  const Environment platform = [](const std::string& name) -> std::optional<std::string> {
    if (name == "KAFKA_BROKERS") return "a:9092,b:9092";
    if (name == "KAFKA_CA") return "-----BEGIN CERTIFICATE-----";
    if (name == "KAFKA_CERTIFICATE_PATH") return "/secrets/kafka.crt";
    if (name == "KAFKA_PRIVATE_KEY_PATH") return "/secrets/kafka.key";
    if (name == "SAK_URL") return "hemmelig";
    return std::nullopt;
  };
  const auto config = parse_config(kTopics, "flytt.yaml", platform);
  ASSERT_TRUE(config) << config.error().text();
  const KafkaSourceConfig& source = config->kafka_sources.at(0);
  EXPECT_EQ(source.problem, "");
  EXPECT_EQ(source.connection.brokers, "a:9092,b:9092");
  EXPECT_TRUE(source.connection.tls.is_enabled);
  EXPECT_EQ(source.connection.tls.ca_pem, "-----BEGIN CERTIFICATE-----");
  EXPECT_EQ(source.connection.tls.certificate_file, "/secrets/kafka.crt");
  EXPECT_EQ(source.connection.tls.key_file, "/secrets/kafka.key");
  EXPECT_EQ(source.connection.sasl.mechanism, kafka::SaslMechanism::kPlain);
  EXPECT_EQ(source.connection.sasl.password.reveal(), "hemmelig");
  EXPECT_EQ(source.session_timeout_ms, 6000);
  const TopicStreamConfig& stream = config->topic_streams.at(0);
  EXPECT_EQ(stream.group, "team_hendelser");
  EXPECT_EQ(stream.dataset + "." + stream.table, "landing_events.hendelser");
  EXPECT_EQ(stream.topics.exclude.at(0), "team.hemmelig");
  EXPECT_EQ(stream.delivery, TopicDelivery::kExactlyOnce);
  ASSERT_EQ(stream.payload.fields.size(), 3U);
  EXPECT_TRUE(stream.payload.fields[0].is_required);
  EXPECT_EQ(stream.payload.fields[1].type.sql_name(), "ARRAY<STRING>");
  EXPECT_EQ(stream.payload.fields[1].key, "tag-list");
  EXPECT_EQ(stream.payload.fields[2].type.sql_name(), "STRUCT<lat FLOAT64, ids ARRAY<INT64>>");
  EXPECT_FALSE(stream.payload.timestamp_column);
  EXPECT_TRUE(stream.payload.headers_column && stream.payload.strict_times && !stream.payload.keeps_raw);
  EXPECT_EQ(stream.payload.epoch_unit, kafka::EpochUnit::kMillis);
}

TEST(Config, BrokersThatAreMissingHereAreAProblemOfTheirSource) {
  const auto config = parse("sources: {e: {kafka: {}}}\n");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_NE(config->kafka_sources.at(0).problem.find("KAFKA_BROKERS"), std::string::npos);
}

TEST(ConfigKeys, EveryKeyHasItsParent) {
  for (const ConfigKey& key : config_keys()) {
    const std::string path(key.path);
    const auto dot = path.rfind('.');
    if (dot == std::string::npos) continue;
    bool found = false;
    for (const ConfigKey& other : config_keys()) found = found || other.path == path.substr(0, dot);
    EXPECT_TRUE(found) << path;
  }
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Config, DeadLettersAreNotReadAgain) {
  const char* kBody =
      "sources: {e: {kafka: {brokers: b}}}\nstreams: {s: {from: e, to: d, topics: ['a*'], dead_letters: ";
  EXPECT_TRUE(parse(std::string(kBody) + "b}}"));
  const auto refused = parse(std::string(kBody) + "ab}}");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("read again"), std::string::npos);
  EXPECT_TRUE(parse(std::string(kBody) + "ab, exclude_topics: [ab]}}"));
  EXPECT_FALSE(parse(std::string(kBody) + "'b*'}}"));
}

TEST(Config, BucketsHaveNamesThatCloudStorageTakes) {
  const auto config = parse("buckets: [team-sak, b.example.no, a_1]");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->buckets, (std::vector<std::string>{"team-sak", "b.example.no", "a_1"}));
  for (const std::string& name :
       std::vector<std::string>{"gs://team", "Team", "ab", "-team", "team-", std::string(64, 'a')}) {
    const auto refused = parse("buckets: [\"" + name + "\"]");
    ASSERT_FALSE(refused) << name;
    EXPECT_NE(refused.error().text().find("'" + name + "' is no name of a bucket"), std::string::npos);
  }
  EXPECT_NE(parse("buckets: [team, team]").error().text().find("stands twice"), std::string::npos);
}

TEST(Reference, PagesAreMadeFromTheTables) {
  const std::string folder = FLYTT_SOURCE_DIR "/docs/reference/";
  EXPECT_EQ(read_file(folder + "configuration.md"), config_reference_markdown());
  EXPECT_EQ(read_file(folder + "types.md"),
            "# PostgreSQL types in BigQuery\n\nMade from `src/postgres/types.cc`; a test compares them. Q: the value "
            "becomes NULL and an entry in quarantine.\n\n" +
                postgres::type_table_markdown());
}

}  // namespace
}  // namespace flytt::app
