// Workloads with a state that replicas share.

#include "app/internal/render_plan.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

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

// As a configuration with `state.postgres` is read: there is no file.
Config shared_config() {
  std::string text = kFile;
  text.replace(text.find("postgres:"), 8, "sqlite");
  Result<Config> config = parse_config_for_elsewhere(text, "flytt.yaml");
  EXPECT_TRUE(config) << config.error().text();
  config->state_file.clear();
  return std::move(*config);
}

TEST(RenderPlan, ReplicasShareAState) {
  const Config config = shared_config();
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
  const Config config = shared_config();
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
