#include <gtest/gtest.h>

#include "app/config.h"

namespace flytt::app {
namespace {

const Environment kEnvironment = [](const std::string& name) -> std::optional<std::string> {
  if (name == "SAK_URL") return "postgres://u:hemmelig@127.0.0.1/sak";
  return std::nullopt;
};

// What all cases have in front of `queries:`, whose first line is the sixth.
constexpr const char* kHead = R"(sources:
  sak: {postgres: "${env:SAK_URL}"}
  lost: {postgres: "${env:NOT_SET}"}
  events: {kafka: {brokers: b}}
streams: {sak: {from: sak, to: landing}, hendelser: {from: events, topics: [t], to: landing_events.hendelser}}
)";

Result<Config> parse(const std::string& queries) { return parse_config(kHead + queries, "flytt.yaml", kEnvironment); }

constexpr const char* kWhole = R"(queries:
  dataproducts:
    from: sak
    schedule: {cron: "15 5 * * *", timezone: Europe/Oslo, start: "2026-01-15 09:00", end: "2027-01-01"}
    to: landing.dataproducts
    write: upsert
    key: [id, place]
    version: version
    after: ["stream:hendelser", "table:landing.person", "table:landing_events.hendelser", "query:daily", "table:produkt.fixed"]
    missed: all
    missed_max: 7
    concurrency: forbid
    retries: {max: 5, delay: 10m, factor: 1.5}
    timeout: 1h
    start_within: 30m
    labels: {team: sak, cost-center: "42"}
    sql: SELECT id, place FROM dataproducts
  daily:
    schedule: {every: "24 hours"}
    to: produkt.daily_{run_time-1h|"%Y%m%d"}
    max_bytes: 10GiB
    sql: SELECT 1 AS x
  fixed: {schedule: {every: 10m}, to: produkt.fixed, write: append, sql: SELECT 1 AS x}
)";

TEST(ConfigQuery, ReadsEveryKey) {
  const auto config = parse(kWhole);
  ASSERT_TRUE(config) << config.error().text();
  const QueryConfig& query = *config->find_query("dataproducts");
  EXPECT_EQ(query.from, "sak");
  EXPECT_EQ(query.sql, "SELECT id, place FROM dataproducts");
  EXPECT_EQ(query.dataset + " " + query.table, "landing dataproducts");
  EXPECT_EQ(query.write, QueryWrite::kUpsert);
  EXPECT_EQ(query.key, (std::vector<std::string>{"id", "place"}));
  EXPECT_EQ(query.version_column, "version");
  EXPECT_EQ(query.labels, (std::map<std::string, std::string>{{"team", "sak"}, {"cost-center", "42"}}));
  EXPECT_FALSE(query.bytes_max);
  const scheduler::Entry& entry = *query.entry;
  EXPECT_EQ(entry.name, "query:dataproducts");
  EXPECT_EQ(entry.schedule.definition(),
            "cron 15 5 * * * in Europe/Oslo from 2026-01-15T08:00:00Z until 2026-12-31T23:00:00Z");
  EXPECT_EQ(entry.policy.after,
            (std::vector<std::string>{"stream:hendelser", "table:landing.person", "table:landing_events.hendelser",
                                      "schedule:query:daily", "schedule:query:fixed"}));
  EXPECT_EQ(entry.policy.missed, scheduler::Missed::kAll);
  EXPECT_EQ(entry.policy.missed_max, 7);
  EXPECT_EQ(entry.policy.concurrency, scheduler::Concurrency::kForbid);
  EXPECT_EQ(entry.policy.retries.max, 5);
  EXPECT_EQ(entry.policy.retries.factor, 1.5);
  EXPECT_EQ(entry.policy.retries.delay_micros, 600'000'000);
  EXPECT_EQ(entry.policy.retries.delay_micros_max, 600'000'000) << "the longest is not below the first";
  EXPECT_EQ(entry.policy.run_micros_max, 3'600'000'000);
  EXPECT_EQ(entry.policy.start_micros_max, 1'800'000'000);
}

TEST(ConfigQuery, WhatIsNotGivenHasItsStandard) {
  const auto config = parse(kWhole);
  ASSERT_TRUE(config) << config.error().text();
  const QueryConfig& query = *config->find_query("daily");
  EXPECT_EQ(query.from, "");
  EXPECT_EQ(query.table, "daily_{run_time-1h|\"%Y%m%d\"}");
  EXPECT_EQ(query.write, QueryWrite::kTruncate);
  EXPECT_EQ(query.bytes_max, std::optional<std::int64_t>(10LL << 30));
  EXPECT_EQ(query.entry->schedule.definition(), "every 24 hours in UTC");
  EXPECT_EQ(query.entry->policy.missed, scheduler::Missed::kLast);
  EXPECT_EQ(query.entry->policy.retries.delay_micros_max, 360'000'000);
}

TEST(ConfigQuery, APartitionIsNamedAsBigQueryNamesIt) {
  const auto config = parse(
      "queries:\n  a: {schedule: {every: 1h}, to: \"d.t${run_date}\", sql: S}\n"
      "  b: {schedule: {every: 1h}, to: \"d.t${run_time-24h|\\\"%Y%m%d\\\"}\", sql: S}\n"
      "  c: {schedule: {every: 1h}, to: d.u, after: [\"table:d.t\"], sql: S}\n");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->queries[0].table, "t${run_date}");
  EXPECT_EQ(config->queries[2].entry->policy.after, (std::vector<std::string>{"schedule:query:a", "schedule:query:b"}));
}

TEST(ConfigQuery, OnlyAWholeReferenceIsReplacedInSql) {
  const auto text = parse("queries: {a: {schedule: {every: 1h}, to: d.t, sql: \"SELECT '${x}' AS x\"}}\n");
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_EQ(text->queries[0].sql, "SELECT '${x}' AS x");
  const auto reference = parse("queries: {a: {schedule: {every: 1h}, to: d.t, sql: \"${env:SAK_URL}\"}}\n");
  ASSERT_TRUE(reference) << reference.error().text();
  EXPECT_EQ(reference->queries[0].sql, "postgres://u:hemmelig@127.0.0.1/sak");
}

struct Bad {
  const char* query;  // the seventh line, "a: " in front; braces around
  const char* sentence;
};

class BadQuery : public testing::TestWithParam<Bad> {};

TEST_P(BadQuery, SaysLineReasonAndNearestWord) {
  const auto config = parse(std::string("queries:\n  ") + GetParam().query + "\n");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code(), ErrorCode::kConfig);
  EXPECT_NE(config.error().sentence().find(GetParam().sentence), std::string::npos) << config.error().sentence();
  EXPECT_EQ(config.error().sentence().find("hemmelig"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Shape, BadQuery,
    testing::Values(
        Bad{"a: {schedul: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: unknown key 'schedul' in 'queries.a'; did you mean 'schedule'?"},
        Bad{"a: {schedule: {evry: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: unknown key 'evry' in 'queries.a.schedule'; did you mean 'every'?"},
        Bad{"a: {retries: {dely: 1s}}", "unknown key 'dely' in 'queries.a.retries'; did you mean 'delay'?"},
        Bad{"a: ", "flytt.yaml:7: query 'a' needs 'schedule', 'to' and 'sql'"},
        Bad{"\"a b\": {schedule: {every: 1h}, to: d.t, sql: S}", "flytt.yaml:7: a query's name consists of"},
        Bad{"a: {schedule: {every: 1h}, to: d.t}", "flytt.yaml:7: query 'a' needs 'sql'"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, sql: \" \\n\"}", "flytt.yaml:7: 'sql' of query 'a' is empty"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, sql: \"${file:/nowhere.sql}\"}",
            "flytt.yaml:7: file '/nowhere.sql' cannot be read"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, sql: \"${env:NO_SQL}\"}",
            "flytt.yaml:7: environment variable 'NO_SQL' is not set"},
        Bad{"a: {from: sk, schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: unknown source 'sk'; did you mean 'sak'?"},
        Bad{"a: {from: events, schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: source 'events' is a Kafka cluster"},
        Bad{"a: {from: sak, max_bytes: 1GiB, schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: 'max_bytes' bounds what a query reads in the destination"},
        Bad{"a: {max_bytes: 1GB, schedule: {every: 1h}, to: d.t, sql: S}", "flytt.yaml:7: '1GB' is not a size"},
        Bad{"a: {labels: {Team: x}, schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: label 'Team': lower case letters"},
        Bad{"a: {labels: {team: x.y}, schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: label 'team' has the value 'x.y'"},
        Bad{"a: {labels: {flytt_run: x}, schedule: {every: 1h}, to: d.t, sql: S}", "are flytt's own"}));

INSTANTIATE_TEST_SUITE_P(
    Target, BadQuery,
    testing::Values(
        Bad{"a: {schedule: {every: 1h}, sql: S}", "flytt.yaml:7: query 'a' needs 'to: dataset.table'"},
        Bad{"a: {schedule: {every: 1h}, to: d, sql: S}", "flytt.yaml:7: 'd' must be dataset.table"},
        Bad{"a: {schedule: {every: 1h}, to: d-x.t, sql: S}", "a dataset's name has letters, digits and _ only"},
        Bad{"a: {schedule: {every: 1h}, to: d.t.u, sql: S}", "would be table 't.u'"},
        Bad{"a: {schedule: {every: 1h}, to: \"d.t_{run_dat}\", sql: S}", "flytt.yaml:7: 'to': 't_{run_dat}'"},
        Bad{"a: {schedule: {every: 1h}, to: \"d.t_{run_time|\\\"%H:%M\\\"}\", sql: S}", "would be table 't_05:00'"},
        Bad{"a: {schedule: {every: 1h}, to: d._flytt_quarantine, sql: S}", "flytt's own; choose another"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, write: apend, sql: S}",
            "flytt.yaml:7: 'apend' is none of truncate, append, upsert; did you mean 'append'?"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, write: upsert, sql: S}", "flytt.yaml:7: 'write: upsert' needs 'key:"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, write: upsert, key: [], sql: S}", "'write: upsert' needs 'key:"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, key: [id], sql: S}", "'key' belongs to 'write: upsert'"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, write: upsert, key: [id, id], sql: S}", "'id' stands twice"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, write: upsert, key: [i d], sql: S}", "'i d' is no column name"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, write: upsert, key: [v], version: v, sql: S}", "cannot be in 'key'"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, version: 1st, sql: S}", "'1st' is no column name"},
        Bad{"a: {schedule: {every: 1h}, to: \"d.t${run_time|\\\"%F\\\"}\", sql: S}",
            "flytt.yaml:7: 'd.t${run_time|\"%F\"}' names the partition '2026-01-15'; it is a time as orders${run_date} "
            "gives"},
        Bad{"a: {schedule: {every: 1h}, to: d.t$, sql: S}", "names the partition ''"},
        Bad{"a: {schedule: {every: 1h}, to: \"d.t${run_date}\", write: upsert, key: [id], sql: S}",
            "flytt.yaml:7: 'write: upsert' looks for keys in a whole table"},
        Bad{"a: {schedule: {every: 1h}, to: \"d.t u${run_date}\", sql: S}", "would be table 't u'"},
        Bad{"a: {schedule: {every: 1h}, to: \"landing_events.hendelser${run_date}\", sql: S}",
            "belongs to stream 'hendelser' already"},
        Bad{"a: {schedule: {every: 1h}, to: \"d.t${run_date}\", sql: S}\n  b: {schedule: {every: 2h}, to: d.t, sql: S}",
            "flytt.yaml:8: query 'a' replaces table 'd.t' already"},
        Bad{"a: {schedule: {every: 1h}, to: \"d.t${run_date}\", sql: S}\n"
            "  b: {schedule: {every: 2h}, to: \"d.t${run_date}\", sql: S}",
            "flytt.yaml:8: query 'a' replaces table 'd.t' already"},
        Bad{"a: {schedule: {every: 1h}, to: landing_events.hendelser, sql: S}",
            "flytt.yaml:7: table 'landing_events.hendelser' belongs to stream 'hendelser' already"},
        Bad{"a: {schedule: {every: 1h}, to: d.t, sql: S}\n  b: {schedule: {every: 2h}, to: d.t, sql: S}",
            "flytt.yaml:8: query 'a' replaces table 'd.t' already"}));

INSTANTIATE_TEST_SUITE_P(
    Time, BadQuery,
    testing::Values(
        Bad{"a: {to: d.t, sql: S}", "flytt.yaml:7: query 'a' needs 'schedule: {cron"},
        Bad{"a: {schedule: {}, to: d.t, sql: S}", "flytt.yaml:7: query 'a' needs 'schedule: {cron"},
        Bad{"a: {schedule: {timezone: UTC}, to: d.t, sql: S}", "flytt.yaml:7: the schedule is empty"},
        Bad{"a: {schedule: {cron: 15 5 * *}, to: d.t, sql: S}", "flytt.yaml:7: cron"},
        Bad{"a: {schedule: {cron: 15 5 30 2 *}, to: d.t, sql: S}", "flytt.yaml:7: cron"},
        Bad{"a: {schedule: {every: evry monday}, to: d.t, sql: S}", "flytt.yaml:7: every"},
        Bad{"a: {schedule: {cron: \"@daily\", every: 1h}, to: d.t, sql: S}", "has both cron and every"},
        Bad{"a: {schedule: {every: 1h, timezone: Europe/Olso}, to: d.t, sql: S}",
            "flytt.yaml:7: there is no time zone called 'Europe/Olso'; the nearest is Europe/Oslo"},
        Bad{"a:\n    schedule:\n      every: 1h\n      start: soon\n    to: d.t\n    sql: S",
            "flytt.yaml:10: start 'soon': no time"},
        Bad{"a:\n    schedule:\n      every: 1h\n      start: 2026-02-01\n      end: 2026-01-01\n    to: d.t\n    sql: "
            "S",
            "flytt.yaml:11: the schedule's end is not after its start"},
        Bad{"a: {missed: al, schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: 'al' is none of none, last, all; did you mean 'all'?"},
        Bad{"a: {missed_max: 3, schedule: {every: 1h}, to: d.t, sql: S}", "'missed_max' belongs to 'missed: all'"},
        Bad{"a: {missed: all, concurrency: replace, schedule: {every: 1h}, to: d.t, sql: S}", "contradict each other"},
        Bad{"a: {concurrency: alow, schedule: {every: 1h}, to: d.t, sql: S}", "did you mean 'allow'?"},
        Bad{"a: {retries: {max: many}, schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: 'many' is not a number"},
        Bad{"a: {retries: {max: -1}, schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: schedule query:a: retries"},
        Bad{"a: {retries: {factor: 0.5}, schedule: {every: 1h}, to: d.t, sql: S}", "the factor of retries"},
        Bad{"a: {retries: {delay: 1m, delay_max: 10s}, schedule: {every: 1h}, to: d.t, sql: S}", "the longest delay"},
        Bad{"a: {timeout: 5, schedule: {every: 1h}, to: d.t, sql: S}", "flytt.yaml:7: '5' is not a duration"}));

INSTANTIATE_TEST_SUITE_P(
    After, BadQuery,
    testing::Values(
        Bad{"a: {after: [\"stream:sk\"], schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: unknown stream 'sk'; did you mean 'sak'?"},
        Bad{"a: {after: [\"query:b\"], schedule: {every: 1h}, to: d.t, sql: S}", "flytt.yaml:7: unknown query 'b'"},
        Bad{"a: {after: [\"steam:sak\"], schedule: {every: 1h}, to: d.t, sql: S}",
            "'steam:sak' must be stream:NAME, table:dataset.table, query:NAME or job:NAME; did you mean 'stream'?"},
        Bad{"a: {after: [sak], schedule: {every: 1h}, to: d.t, sql: S}", "'sak' must be stream:NAME"},
        Bad{"a: {after: [\"table:person\"], schedule: {every: 1h}, to: d.t, sql: S}", "must be table:dataset.table"},
        Bad{"a: {after: [\"table:landin.person\"], schedule: {every: 1h}, to: d.t, sql: S}",
            "writes table 'landin.person'; did you mean 'landing.person'?"},
        Bad{"a: {after: [\"query:a\"], schedule: {every: 1h}, to: d.t, sql: S}",
            "flytt.yaml:7: schedules wait for each other: query:a → query:a"},
        Bad{"a: {after: [\"query:b\"], schedule: {every: 1h}, to: d.t, sql: S}\n"
            "  b: {after: [\"table:d.t\"], schedule: {every: 1h}, to: d.u, sql: S}",
            "flytt.yaml:8: schedules wait for each other: query:a → query:b → query:a"}));

}  // namespace
}  // namespace flytt::app
