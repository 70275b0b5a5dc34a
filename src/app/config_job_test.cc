#include <gtest/gtest.h>

#include "app/config.h"

namespace flytt::app {
namespace {

const Environment kEnvironment = [](const std::string& name) -> std::optional<std::string> {
  if (name == "NADA_TOKEN") return "hemmelig";
  return std::nullopt;
};

// What all cases have in front of `jobs:`, which is the fifth line.
constexpr const char* kHead = R"(sources: {sak: {postgres: "postgres://127.0.0.1/sak"}}
streams: {sak: {from: sak, to: landing}}
queries:
  daily: {schedule: {every: 24 hours}, to: mart.daily, sql: SELECT 1 AS x}
)";

Result<Config> parse(const std::string& jobs) {
  return parse_config(kHead + jobs, "/srv/team/flytt.yaml", kEnvironment);
}

constexpr const char* kWhole = R"(jobs:
  story:
    run: [./render.sh, --all]
    schedule: {cron: "0 4 * * *", timezone: Europe/Oslo}
    after: ["query:daily", "table:mart.daily", "stream:sak", "job:load"]
    env: {QUARTO_ID: "17"}
    secrets: {NADA_TOKEN: "${env:NADA_TOKEN}", LOST: "${env:NOT_SET}"}
    files: {settings.json: '{"a": "${b}"}', token: "${env:NADA_TOKEN}"}
    limits: {memory: 512MiB, cpu: 90s, disk: 100MiB, output: 64KiB, open_files: 256}
    timeout: 30m
    grace: 10s
    completions: 4
    parallelism: 2
    missed: all
    missed_max: 3
    retries: {max: 1}
    start_within: 1h
  fresh: {run: [x], schedule: {every: 1h}}
  load: {run: [python3, load.py], schedule: {every: 1h}, folder: work, concurrency: replace}
)";

TEST(ConfigJob, ReadsEveryKey) {
  const auto config = parse(kWhole);
  ASSERT_TRUE(config) << config.error().text();
  const JobConfig& job = *config->find_job("story");
  EXPECT_EQ(job.run, (std::vector<std::string>{"/srv/team/render.sh", "--all"}));
  EXPECT_EQ(job.environment, (std::map<std::string, std::string>{{"QUARTO_ID", "17"}}));
  EXPECT_EQ(job.secrets.at("NADA_TOKEN").reference, "${env:NADA_TOKEN}");
  EXPECT_EQ(job.secrets.at("NADA_TOKEN").value.reveal(), "hemmelig");
  EXPECT_EQ(job.secrets.at("NADA_TOKEN").problem, "");
  EXPECT_EQ(job.secrets.at("LOST").problem, "/srv/team/flytt.yaml:11: environment variable 'NOT_SET' is not set")
      << "and the configuration is read all the same";
  EXPECT_EQ(job.files.at("settings.json").reference, "");
  EXPECT_EQ(job.files.at("settings.json").value.reveal(), "{\"a\": \"${b}\"}");
  EXPECT_EQ(job.files.at("token").value.reveal(), "hemmelig");
  EXPECT_EQ(job.folder, "");
  EXPECT_EQ(job.limits.memory_bytes_max, 512U << 20);
  EXPECT_EQ(job.limits.cpu_seconds_max, 90U);
  EXPECT_EQ(job.limits.work_bytes_max, 100U << 20);
  EXPECT_EQ(job.limits.output_bytes_max, 64U << 10);
  EXPECT_EQ(job.limits.open_files_max, 256U);
  EXPECT_EQ(job.limits.grace, std::chrono::seconds(10));
  EXPECT_EQ(job.completions, 4);
  EXPECT_EQ(job.parallelism, 2);
  EXPECT_EQ(job.entry->name, "job:story");
  EXPECT_EQ(job.entry->schedule.definition(), "cron 0 4 * * * in Europe/Oslo");
  const scheduler::Policy& policy = job.entry->policy;
  EXPECT_EQ(policy.after, (std::vector<std::string>{"schedule:query:daily", "schedule:query:daily", "stream:sak",
                                                    "schedule:job:load"}));
  EXPECT_EQ(policy.run_micros_max, 1'800'000'000);
  EXPECT_EQ(policy.start_micros_max, 3'600'000'000);
  EXPECT_EQ(policy.missed, scheduler::Missed::kAll);
  EXPECT_EQ(policy.missed_max, 3);
  EXPECT_EQ(policy.retries.max, 1);
}

TEST(ConfigJob, WhatIsNotGivenHasItsStandard) {
  const auto config = parse(kWhole);
  ASSERT_TRUE(config) << config.error().text();
  const JobConfig& job = *config->find_job("load");
  EXPECT_EQ(job.run[0], "python3") << "looked for in PATH";
  EXPECT_EQ(job.folder, "/srv/team/work");
  EXPECT_EQ(job.limits.memory_bytes_max, 0U);
  EXPECT_EQ(job.limits.work_bytes_max, 0U) << "its folder is not the run's own";
  EXPECT_EQ(config->find_job("fresh")->limits.work_bytes_max, 1U << 30);
  EXPECT_EQ(job.limits.output_bytes_max, 4U << 20);
  EXPECT_EQ(job.limits.grace, std::chrono::seconds(30));
  EXPECT_EQ(job.completions * 10 + job.parallelism, 11);
  EXPECT_EQ(job.entry->policy.run_micros_max, 0);
  EXPECT_EQ(job.entry->policy.concurrency, scheduler::Concurrency::kReplace);
}

TEST(ConfigJob, WithoutAScheduleItRunsOnChanges) {
  const auto config = parse("jobs: {a: {run: [x], after: [\"table:mart.daily\", \"stream:sak\"], at_most: 5m}}\n");
  ASSERT_TRUE(config) << config.error().text();
  const scheduler::Entry& entry = *config->find_job("a")->entry;
  EXPECT_TRUE(entry.schedule.is_on_changes());
  EXPECT_EQ(entry.schedule.definition(), "on changes of table:mart.daily, stream:sak");
  EXPECT_EQ(entry.policy.after, (std::vector<std::string>{"schedule:query:daily", "stream:sak"}));
  EXPECT_EQ(entry.policy.at_most_micros, 300'000'000);
  const auto query = parse_config(
      "queries: {a: {to: d.t, sql: S, after: [\"job:b\"]}}\n"
      "jobs: {b: {schedule: {every: 1h}, run: [true]}}\n",
      "flytt.yaml", kEnvironment);
  ASSERT_TRUE(query) << query.error().text();
  EXPECT_TRUE(query->queries[0].entry->schedule.is_on_changes());
}

TEST(ConfigJob, AQueryMayWaitForAJob) {
  const auto config = parse_config(
      "queries: {a: {schedule: {every: 1h}, to: d.t, sql: S, after: [\"job:b\"]}}\n"
      "jobs: {b: {schedule: {every: 1h}, run: [true]}}\n",
      "flytt.yaml", kEnvironment);
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->queries[0].entry->policy.after, std::vector<std::string>{"schedule:job:b"});
}

struct Bad {
  const char* job;  // the sixth line
  const char* sentence;
};

class BadJob : public testing::TestWithParam<Bad> {};

TEST_P(BadJob, SaysLineReasonAndNearestWord) {
  const auto config = parse(std::string("jobs:\n  ") + GetParam().job + "\n");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code(), ErrorCode::kConfig) << "whose exit status is 2";
  EXPECT_NE(config.error().sentence().find(GetParam().sentence), std::string::npos) << config.error().sentence();
  EXPECT_EQ(config.error().sentence().find("hemmelig"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Shape, BadJob,
    testing::Values(
        Bad{"a: {runn: [x]}", "flytt.yaml:6: unknown key 'runn' in 'jobs.a'; did you mean 'run'?"},
        Bad{"a: {limits: {memmory: 1GiB}}", "unknown key 'memmory' in 'jobs.a.limits'; did you mean 'memory'?"},
        Bad{"a: {schedule: {crn: x}}", "unknown key 'crn' in 'jobs.a.schedule'; did you mean 'cron'?"},
        Bad{"a: ", "flytt.yaml:6: job 'a' needs 'schedule' and 'run'"},
        Bad{"\"a/b\": {}", "flytt.yaml:6: a job's name consists of"},
        Bad{"a23456789012345678901234567890123456789012345678901: {}", "flytt.yaml:6: a job's name consists of"},
        Bad{"daily: {}", "flytt.yaml:6: there is a query called 'daily'"},
        Bad{"a: {schedule: {every: 1h}}", "flytt.yaml:6: job 'a' needs 'run: [program"},
        Bad{"a: {run: [], schedule: {every: 1h}}", "flytt.yaml:6: job 'a' needs 'run: [program"},
        Bad{"a: {run: [\"\"], schedule: {every: 1h}}", "flytt.yaml:6: job 'a' needs 'run: [program"},
        Bad{"a: {run: \"x y\", schedule: {every: 1h}}", "flytt.yaml:6: 'jobs.a.run' must be a list"},
        Bad{"a: {run: [\"x\\0y\"], schedule: {every: 1h}}", "flytt.yaml:6: a word of 'run' must not hold a zero byte"},
        Bad{"a: {run: [x], folder: \"\", schedule: {every: 1h}}", "flytt.yaml:6: 'folder' is empty"},
        Bad{"a: {run: [x], folder: w, files: {f: t}, schedule: {every: 1h}}", "this job has its 'folder'"},
        Bad{"a: {run: [x], files: {../f: t}, schedule: {every: 1h}}", "flytt.yaml:6: '../f' must be a plain name"},
        Bad{"a: {run: [x], completions: 0, schedule: {every: 1h}}", "flytt.yaml:6: 'completions' must be 1 to 1000"},
        Bad{"a: {run: [x], completions: all, schedule: {every: 1h}}", "flytt.yaml:6: 'all' is not a number"},
        Bad{"a: {run: [x], parallelism: 2, schedule: {every: 1h}}", "'parallelism' is more than 'completions'"},
        Bad{"a: {run: [x], limits: {memory: 1GB}, schedule: {every: 1h}}", "flytt.yaml:6: '1GB' is not a size"},
        Bad{"a: {run: [x], limits: {memory: 1KiB}, schedule: {every: 1h}}", "flytt.yaml:6: '1KiB' is too little"},
        Bad{"a: {run: [x], limits: {output: 1KiB}, schedule: {every: 1h}}", "is too little; at least 4KiB"},
        Bad{"a: {run: [x], limits: {cpu: 500ms}, schedule: {every: 1h}}",
            "flytt.yaml:6: 'limits.cpu' is whole seconds"},
        Bad{"a: {run: [x], limits: {open_files: 3}, schedule: {every: 1h}}", "'limits.open_files' must be at least 16"},
        Bad{"a: {run: [x], grace: 5, schedule: {every: 1h}}", "flytt.yaml:6: '5' is not a duration"}));

INSTANTIATE_TEST_SUITE_P(
    Variables, BadJob,
    testing::Values(
        Bad{"a: {run: [x], schedule: {every: 1h}, secrets: {T: hemmelig}}",
            "flytt.yaml:6: secret 'T' must be one reference"},
        Bad{"a: {run: [x], schedule: {every: 1h}, secrets: {T: \"Bearer ${env:NADA_TOKEN}\"}}",
            "flytt.yaml:6: secret 'T' must be one reference"},
        Bad{"a: {run: [x], schedule: {every: 1h}, secrets: {T: \"${gsm:x}\"}}", "secret 'T' must be one reference"},
        Bad{"a: {run: [x], schedule: {every: 1h}, env: {T: \"${env:NADA_TOKEN}\"}}", "it belongs under 'secrets'"},
        Bad{"a: {run: [x], schedule: {every: 1h}, env: {T: a}, secrets: {T: \"${env:NADA_TOKEN}\"}}",
            "flytt.yaml:6: 'T' stands under 'env', too"},
        Bad{"a: {run: [x], schedule: {every: 1h}, env: {1T: a}}", "flytt.yaml:6: '1T' is no name of a variable"},
        Bad{"a: {run: [x], schedule: {every: 1h}, secrets: {FLYTT_RUN: \"${env:X}\"}}", "FLYTT_ are flytt's own"}));

INSTANTIATE_TEST_SUITE_P(
    Time, BadJob,
    testing::Values(
        Bad{"a: {run: [x]}", "flytt.yaml:6: job 'a' needs 'schedule: {cron"},
        Bad{"a: {run: [x], after: []}", "flytt.yaml:6: job 'a' needs 'schedule: {cron"},
        Bad{"a: {run: [x], at_most: 1m, schedule: {every: 1h}}",
            "flytt.yaml:6: 'at_most' belongs to what has no 'schedule'"},
        Bad{"a: {run: [x], at_most: 1, after: [\"stream:sak\"]}", "flytt.yaml:6: '1' is not a duration"},
        Bad{"a: {run: [x], missed: all, after: [\"stream:sak\"]}",
            "flytt.yaml:6: schedule job:a: what changes while nothing can run is one slot"},
        Bad{"a: {run: [x], schedule: {cron: 61 * * * *}}", "flytt.yaml:6: cron"},
        Bad{"a: {run: [x], schedule: {cron: \"@daily\", timezone: Europe/Olso}}", "the nearest is Europe/Oslo"},
        Bad{"a: {run: [x], schedule: {every: 1h}, missed_max: 3}", "'missed_max' belongs to 'missed: all'"},
        Bad{"a: {run: [x], schedule: {every: 1h}, retries: {factor: 0.5}}", "flytt.yaml:6: schedule job:a: the factor"},
        Bad{"a: {run: [x], schedule: {every: 1h}, after: [\"job:b\"]}", "flytt.yaml:6: unknown job 'b'"},
        Bad{"a: {run: [x], schedule: {every: 1h}, after: [\"query:dayly\"]}",
            "flytt.yaml:6: unknown query 'dayly'; did you mean 'daily'?"},
        Bad{"a: {run: [x], schedule: {every: 1h}, after: [\"stream:sk\"]}", "unknown stream 'sk'; did you mean 'sak'?"},
        Bad{"a: {run: [x], schedule: {every: 1h}, after: [\"table:mart.dayly\"]}", "did you mean 'mart.daily'?"},
        Bad{"a: {run: [x], schedule: {every: 1h}, after: [\"jub:b\"]}", "query:NAME or job:NAME; did you mean 'job'?"},
        Bad{"a: {run: [x], schedule: {every: 1h}, after: [\"job:a\"]}",
            "flytt.yaml:6: schedules wait for each other: job:a → job:a"},
        Bad{"a: {run: [x], schedule: {every: 1h}, after: [\"job:b\"]}\n"
            "  b: {run: [x], schedule: {every: 1h}, after: [\"job:a\"]}",
            "flytt.yaml:7: schedules wait for each other: job:a → job:b → job:a"}));

TEST(ConfigJob, ACircleMayGoThroughQueries) {
  const auto config = parse_config(
      "queries: {a: {schedule: {every: 1h}, to: d.t, sql: S, after: [\"job:b\"]}}\n"
      "jobs:\n  b: {schedule: {every: 1h}, run: [true], after: [\"table:d.t\"]}\n",
      "flytt.yaml", kEnvironment);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().sentence(),
            "flytt.yaml:3: schedules wait for each other: query:a → job:b → query:a; take one `after` out");
}

}  // namespace
}  // namespace flytt::app
