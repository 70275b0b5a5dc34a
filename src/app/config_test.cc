#include "app/config.h"

#include <gtest/gtest.h>

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
        Bad{"queries: {}\n", "flytt.yaml:1: 'queries' is not in this version"},
        Bad{"sources: {e: {kafka: {}}}\n", "'sources.e.kafka' is not in this version"},
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
        Bad{"memory: {engine: 1MiB}\n", "at least 32MiB"}, Bad{"copy_workers: 99\n", "from 1 to 16"},
        Bad{"a: [\n", "not valid YAML"}, Bad{"", "the configuration is empty"}));

TEST(Config, MissingVariableIsKeptAsAProblemOfItsSource) {
  const auto config = parse("sources: {sak: {postgres: \"${env:NOT_SET}\"}}\n");
  ASSERT_TRUE(config);
  EXPECT_NE(config->sources[0].url_problem.find("'NOT_SET' is not set"), std::string::npos);
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
