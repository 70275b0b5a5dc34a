// Workloads with a state that replicas share.

#include "app/internal/render_plan.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

#include "app/internal/render_places.h"
#include "app/internal/yaml_text.h"

namespace flytt::app {
namespace {

constexpr const char* kFile = R"(
destination: {bigquery: {rest: "http://h:1", grpc: "h:2"}}
state: {postgres: "${env:STATE_URL}"}
queries:
  a: {schedule: {cron: "15 5 * * *"}, to: d.a, sql: SELECT 1 AS a}
  b: {schedule: {every: 30s}, to: d.b, sql: SELECT 1 AS a}
)";

Config config_of(const std::string& text) {
  Result<Config> config = parse_config_for_elsewhere(text, "flytt.yaml");
  EXPECT_TRUE(config) << config.error().text();
  return std::move(*config);
}

std::vector<Workload> workloads_of(const std::string& text, Place place, bool jobs_apart = true) {
  static Config config;  // that schedules point into
  config = config_of(text);
  RenderRequest request;
  request.place = place;
  request.jobs_apart = jobs_apart;
  auto plan = plan_render(config, text, request);
  EXPECT_TRUE(plan) << plan.error().text();
  return plan ? std::move(plan->workloads) : std::vector<Workload>();
}

TEST(RenderPlan, ReplicasShareAState) {
  const Config config = config_of(kFile);
  RenderRequest request;
  const auto plan = plan_render(config, kFile, request);
  ASSERT_TRUE(plan) << plan.error().text();
  ASSERT_EQ(plan->workloads.size(), 1U);
  EXPECT_EQ(plan->workloads[0].replicas, 2);
  EXPECT_EQ(plan->workloads[0].state_volume, "");
  EXPECT_EQ(plan->workloads[0].configuration.variables, std::vector<std::string>{"STATE_URL"});
  request.replicas = 5;
  EXPECT_EQ(plan_render(config, kFile, request)->workloads[0].replicas, 5);
  request.place = Place::kSystemd;
  EXPECT_EQ(plan_render(config, kFile, request)->workloads[0].replicas, 1);
}

// A lease holds a state, so a process beside the engine needs its own.
TEST(RenderPlan, WhatRunsApartHasASchemaOfItsOwn) {
  const Config config = config_of(kFile);
  RenderRequest request;
  request.jobs_apart = true;
  const auto plan = plan_render(config, kFile, request);
  ASSERT_TRUE(plan) << plan.error().text();
  ASSERT_EQ(plan->workloads.size(), 2U);
  const YAML::Node engine = YAML::Load(plan->workloads[0].configuration.text);
  const YAML::Node apart = YAML::Load(plan->workloads[1].configuration.text);
  EXPECT_FALSE(engine["state"]["schema"]);
  EXPECT_EQ(apart["state"]["schema"].Scalar(), "flytt_flytt_a");
  EXPECT_EQ(apart["state"]["postgres"].Scalar(), "${env:STATE_URL}");
  EXPECT_EQ(plan->workloads[1].state_volume, "");
}

TEST(RenderPlan, SchemasAreDifferentWhereNamesAreTooLong) {
  std::string text = kFile;
  text.replace(text.find("state: {"), 8, "state: {schema: " + std::string(60, 's') + ", ");
  text += "  c: {schedule: {every: 1h}, to: d.c, sql: SELECT 1 AS a}\n";
  std::set<std::string> schemas;
  for (const Workload& workload : workloads_of(text, Place::kSystemd))
    schemas.insert(YAML::Load(workload.configuration.text)["state"]["schema"].Scalar());
  EXPECT_EQ(schemas.size(), 3U);
  for (const std::string& schema : schemas) EXPECT_LE(schema.size(), 63U);
}

// A pod waits for the lock of a state file until the one that it replaces has stopped, but a lease that is held is somebody's.
TEST(RenderPlan, NoPodBeginsBesideOneThatHoldsALease) {
  const std::string remote = "destination: {bigquery: {rest: \"http://h:1\", grpc: \"h:2\"}}\n";
  const std::string query =
      "queries: {q: {schedule: {every: 1h}, to: d.a, sql: SELECT 1 AS a, concurrency: replace}}\n";
  for (const auto& [state, policy] : std::map<std::string, std::string>{
           {"state: {sqlite: s}\n", "concurrencyPolicy: Replace\n"},
           {"state: {postgres: \"${env:STATE_URL}\"}\n", "concurrencyPolicy: Forbid\n"}}) {
    const Config config = config_of(remote + state + query);
    RenderRequest request;
    request.jobs_apart = true;
    const auto plan = plan_render(config, remote + state + query, request);
    ASSERT_TRUE(plan) << plan.error().text();
    EXPECT_NE(render_kubernetes(*plan).files.at(0).text.find(policy), std::string::npos) << state;
  }
}

// The folder of the configuration cannot be written in any place.
TEST(RenderPlan, RunsLieInAFolderOfTheState) {
  const std::string text = std::string(kFile) + "jobs: {j: {schedule: {every: 1h}, run: [x]}}\n";
  const auto runs = [](const Workload& workload) {
    const YAML::Node state = YAML::Load(workload.configuration.text)["state"];
    return state["runs"] ? state["runs"].Scalar() : "";
  };
  for (const Place place : {Place::kNais, Place::kKubernetes, Place::kSystemd, Place::kCompose})
    EXPECT_EQ(runs(workloads_of(text, place, false).at(0)), "/var/lib/flytt/runs");
  std::map<std::string, std::string> apart;
  for (const Workload& workload : workloads_of(text, Place::kSystemd)) apart[workload.name] = runs(workload);
  EXPECT_EQ(apart["flytt-j"], "/var/lib/flytt-j/runs");
  EXPECT_EQ(apart["flytt-a"], "") << "a query leaves nothing";
  for (const char* local : {"destination: {local: ./l}\n", "destination: {local: ./l}\nstate: {runs: ./r}\n"})
    EXPECT_FALSE(YAML::Load(
        workloads_of(std::string(local) + "jobs: {j: {schedule: {every: 1h}, run: [x]}}\n", Place::kKubernetes, false)
            .at(0)
            .configuration.text)["state"]);
}

// A schedule of two lines has two objects, which end in -1 and -2.
TEST(RenderPlan, NamesOfLinesAreTakenToo) {
  const std::string head =
      "destination: {bigquery: {rest: \"http://h:1\", grpc: \"h:2\"}}\nstate: {sqlite: s}\nqueries:\n";
  const auto query = [](const std::string& name, const std::string& every, char table) {
    return "  " + name + ": {schedule: {every: " + every + "}, to: d." + table + ", sql: SELECT 1 AS a}\n";
  };
  for (const std::string& text : {head + query("a", "90m", 'a') + query("a-1", "1h", 'b') + query("a_1", "90m", 'c'),
                                  head + query("a-1", "1h", 'a') + query("a", "90m", 'b') + query("A", "90m", 'c')}) {
    std::set<std::string> names;
    std::size_t count = 0;
    for (const Workload& workload : workloads_of(text, Place::kKubernetes)) {
      const std::size_t lines = workload.schedule.lines.size();
      names.insert(workload.name);
      for (std::size_t i = 1; lines > 1 && i <= lines; ++i)
        names.insert(dns_name(workload.name + "-" + std::to_string(i)));
      count += lines > 1 ? lines + 1 : 1;
    }
    EXPECT_EQ(names.size(), count);
  }
}

TEST(RenderPlan, NamesBeginWithALetter) {
  EXPECT_EQ(dns_name("9_lives"), "flytt-9-lives");
  EXPECT_EQ(dns_name("Æ-1-"), "flytt-1");
  EXPECT_EQ(dns_name("___"), "flytt");
  EXPECT_LE(dns_name(std::string(60, '1')).size(), 52U);
}

TEST(RenderPlan, AVariableHasAName) {
  const std::string text =
      "destination: {local: ./l}\nsources: {s: {postgres: \"${env:MY URL}\"}}\nstreams: {s: {from: s, to: l}}\n";
  const Config config = config_of(text);
  const auto plan = plan_render(config, text, RenderRequest{});
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().sentence().find("'${env:MY URL}' of 'sources.s.postgres' is no variable"), std::string::npos)
      << plan.error().sentence();
}

TEST(YamlText, KeysStayTexts) {
  YAML::Node root;
  for (const char* key : {"on", "1e3", "0x1", "~", "", "a: b", "plain.sql"}) root[key] = yaml_text("x");
  EXPECT_EQ(yaml_document(root), "\"on\": x\n\"1e3\": x\n\"0x1\": x\n\"~\": x\n\"\": x\n\"a: b\": x\nplain.sql: x\n");
}

TEST(YamlText, ACommentEndsWhereItsLineEnds) {
  EXPECT_EQ(comment_lines("a\rb\xC2\x85"
                          "c\xE2\x80\xA8"
                          "d\xEF\xBB\xBF"
                          "e\x7F"
                          "f\nå"),
            "# a b c d e f\n# å\n");
}

TEST(YamlText, OddBreaksAreEscaped) {
  YAML::Node root;
  root
      ["å\xE2\x80\xA8"
       "b"] = yaml_text("a\xE2\x80\xA8 b\xEF\xBB\xBF");
  EXPECT_EQ(yaml_document(root), "\"\\xe5\\u2028b\": \"a\\u2028 b\\ufeff\"\n");
}

TEST(YamlText, KeepsEveryText) {
  YAML::Node root;
  const std::vector<std::string> texts{"",         "plain",   "true",    "NO",    "007",    "1e3",      "a: b",
                                       "- a",      "a #b",    " a",      "a ",    "line\n", "a\nb",     "\n",
                                       "a\n\n",    "a\n b\n", " a\nb\n", "tab\t", "\"q\"",  "${env:X}", "æøå\n💡\n",
                                       "a\r\nb\n", "null",    "~",       "a\\b"};
  for (const std::string& text : texts) root["map"]["inner"].push_back(yaml_text(text));
  for (std::size_t i = 0; i < texts.size(); ++i) root["map"]["k" + std::to_string(i)] = yaml_text(texts[i]);
  const YAML::Node read = YAML::Load(yaml_document(root));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(read["map"]["inner"][i].Scalar(), texts[i]);
    EXPECT_EQ(read["map"]["k" + std::to_string(i)].Scalar(), texts[i]);
  }
}

}  // namespace
}  // namespace flytt::app
