// Answers of queries in the place of a table's rows, and what a job leaves behind.

#include <gtest/gtest.h>

#include "warehouse/internal/test_support.h"
#include "warehouse/jobs.h"
#include "warehouse/warehouse.h"

namespace flytt::warehouse {
namespace {

using test::Row;

class DestinationTest : public test::Fixture {
 protected:
  // "" or "reason: sentence".
  std::string write(const std::string& sql, Destination::Write how, const std::string& table = "t",
                    const std::string& job_id = "") {
    QueryOptions options;
    options.project = "p";
    const auto dollar = table.find('$');
    options.destination = Destination{path(table.substr(0, dollar)), how, true, ""};
    if (dollar != table.npos) options.destination->partition = table.substr(dollar + 1);
    return run(sql, options, job_id);
  }
  std::string run(const std::string& sql, QueryOptions options, const std::string& job_id = "") {
    options.project = "p";
    if (!job_id.empty()) {
      auto job = std::make_shared<Job>();
      job->project = "p";
      job->location = "US";
      job->id = job_id;
      options.job = job;
    }
    const auto answer = warehouse().query(sql, options);
    if (!answer) return answer.error().cause() + ": " + answer.error().sentence();
    summary = (*answer)->summary();
    const auto stored = collect(**answer, bytes_max);
    if (!stored) return stored.error().cause() + ": " + stored.error().sentence();
    row_count = (*stored)->row_count;
    rows_kept = (*stored)->rows_kept;
    return "";
  }
  void make_governed() {
    TableInfo table;
    table.path = path("t");
    table.schema = test::simple_schema(false);
    table.description = "guarded";
    table.labels = {{"team", "sak"}};
    table.max_staleness = "0-0 0 0:10:0";
    table.properties = R"({"clustering":{"fields":["id"]}})";
    ASSERT_TRUE(warehouse().create_table(table));
    ASSERT_EQ(rows("INSERT INTO d.t (id, name) VALUES (1, 'x'), (2, 'y')"), "");
  }
  StatementSummary summary;
  std::int64_t row_count = 0, rows_kept = 0;
  std::size_t bytes_max = 64u << 20;
};

constexpr auto kData = Destination::Write::kTruncateData;

TEST_F(DestinationTest, RowsAreReplacedAndTheTableStays) {
  make_governed();
  const TableInfo before = *warehouse().table(path("t"));
  EXPECT_EQ(write("SELECT 'z' AS name, 9 AS id", kData), "");
  EXPECT_EQ(rows("SELECT id, name FROM d.t"), "9,z;");
  EXPECT_EQ(write("SELECT 5 AS id", kData), "");
  EXPECT_EQ(rows("SELECT id, name FROM d.t"), "5,NULL;");
  const TableInfo after = *warehouse().table(path("t"));
  EXPECT_EQ(after.id, before.id);
  EXPECT_EQ(after.created_micros, before.created_micros);
  EXPECT_EQ(after.etag, before.etag);
  EXPECT_EQ(after.description, "guarded");
  EXPECT_EQ(after.labels, before.labels);
  EXPECT_EQ(after.max_staleness, before.max_staleness);
  EXPECT_EQ(after.properties, before.properties);
  EXPECT_EQ(warehouse().usage(path("t"))->row_count, 1);
  reopen();
  EXPECT_EQ(rows("SELECT id, name FROM d.t"), "5,NULL;");
}

TEST_F(DestinationTest, AReaderKeepsTheOldRows) {
  make_governed();
  QueryOptions options;
  options.project = "p";
  const auto reader = warehouse().query("SELECT id, name FROM d.t", options);
  ASSERT_TRUE(reader);
  EXPECT_EQ(write("SELECT 9 AS id", kData), "");
  const auto seen = collect(**reader, bytes_max);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_EQ((*seen)->row_count, 2);
  EXPECT_EQ(rows("SELECT id FROM d.t"), "9;");
}

TEST_F(DestinationTest, ATableIsFilledFromItself) {
  make_governed();
  EXPECT_EQ(write("SELECT id + 10 AS id, name FROM d.t", kData), "");
  EXPECT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), "11,x;12,y;");
}

TEST_F(DestinationTest, AFailureLeavesAllOldRows) {
  make_governed();
  EXPECT_NE(write("SELECT 1 AS id, ERROR('stop') AS name FROM d.t", kData), "");
  EXPECT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), "1,x;2,y;");
  EXPECT_EQ(write("SELECT 1 AS other", kData),
            "invalid: Provided Schema does not match Table p:d.t. Cannot add fields (field: other)");
  EXPECT_EQ(write("SELECT 'a' AS id", kData),
            "invalid: Provided Schema does not match Table p:d.t. Field id has changed type from INT64 to STRING");
  EXPECT_EQ(rows("CREATE TABLE d.r (id INT64 NOT NULL, name STRING)"), "");
  EXPECT_EQ(write("SELECT 'a' AS name", kData, "r"),
            "invalid: Provided Schema does not match Table p:d.r. Field id is missing in new schema");
}

TEST_F(DestinationTest, ATableOfChangesIsRefused) {
  const std::string made = "CREATE OR REPLACE TABLE d.t (id INT64, name STRING, PRIMARY KEY (id) NOT ENFORCED)";
  EXPECT_EQ(rows(made), "");
  EXPECT_EQ(write("SELECT 1 AS id, 'a' AS name", kData), "");  // it has a key, but nothing else writes to it
  EXPECT_EQ(write("SELECT 2 AS id, 'b' AS name", kData), "");
  EXPECT_EQ(rows("SELECT id, name FROM d.t"), "2,b;");
  EXPECT_EQ(rows(made), "");
  {
    auto session = open("t");
    ASSERT_TRUE(upsert(*session, {Row{1, "a", 1}}));
  }
  for (int openings = 0; openings < 2; ++openings) {
    for (const auto how : {kData, Destination::Write::kAppend})
      EXPECT_EQ(write("SELECT 2 AS id", how).substr(0, 12), "invalidQuery");
    EXPECT_EQ(rows("SELECT id, name FROM d.t"), "1,a;");
    ASSERT_TRUE(warehouse().apply_all());
    reopen();
  }
}

TEST_F(DestinationTest, ChangesWithoutSequencesAreChanges) {
  EXPECT_EQ(rows("CREATE TABLE d.t (id INT64, name STRING, PRIMARY KEY (id) NOT ENFORCED)"), "");
  {
    auto session = open("t");
    ASSERT_TRUE(upsert(*session, {Row{1, "a", 0}}));
  }
  ASSERT_TRUE(warehouse().apply_all());
  reopen();
  EXPECT_EQ(write("SELECT 2 AS id", kData).substr(0, 12), "invalidQuery");
}

TEST_F(DestinationTest, OnePartitionIsWritten) {
  using Write = Destination::Write;
  EXPECT_EQ(rows("CREATE TABLE d.t (n INT64, seen TIMESTAMP) PARTITION BY DATE(seen)"), "");
  const auto fill =
      "SELECT 1 AS n, TIMESTAMP '2024-02-28 23:59:59.999999+00' AS seen UNION ALL SELECT 2, '2024-02-29 00:00:00+00' "
      "UNION ALL SELECT 3, '2024-02-29 23:59:59.999999+00' UNION ALL SELECT 4, '2024-03-01 00:00:00+00' "
      "UNION ALL SELECT 5, NULL";
  EXPECT_EQ(write(fill, Write::kAppend), "");
  for (const Write how : {Write::kTruncate, kData}) {
    EXPECT_EQ(
        write("SELECT TIMESTAMP '2024-02-29 12:00:00+00' AS seen, 7 AS n UNION ALL SELECT '2024-02-29 13:00:00+00', 8",
              how, "t$20240229"),
        "");
    EXPECT_EQ(rows("SELECT n FROM d.t ORDER BY n"), "1;4;5;7;8;");
    EXPECT_EQ(row_count, 2) << "the answer is what the partition holds";
    EXPECT_EQ(summary.written_rows, 2);
  }
  EXPECT_EQ(write("SELECT n + 10 AS n, seen FROM d.t WHERE n = 7", Write::kAppend, "t$20240229"), "");
  EXPECT_EQ(rows("SELECT n FROM d.t ORDER BY n"), "1;4;5;7;8;17;");
  EXPECT_EQ(row_count, 3);
  EXPECT_EQ(summary.written_rows, 1);
  EXPECT_EQ(write("SELECT 9 AS n, TIMESTAMP '2024-02-29 01:00:00+00' AS seen", Write::kEmpty, "t$20240229"),
            "duplicate: Already Exists: Table p:d.t$20240229");
  EXPECT_EQ(write("SELECT 9 AS n, TIMESTAMP '2024-03-02 01:00:00+00' AS seen", Write::kEmpty, "t$20240302"), "");
  EXPECT_EQ(write("SELECT n, seen FROM d.t WHERE FALSE", Write::kTruncate, "t$20240229"), "");
  EXPECT_EQ(rows("SELECT n FROM d.t ORDER BY n"), "1;4;5;9;");
  EXPECT_EQ(row_count, 0);
  EXPECT_EQ(warehouse().usage(path("t"))->row_count, 4);
  EXPECT_EQ(warehouse().table(path("t"))->properties, R"({"timePartitioning":{"field":"seen","type":"DAY"}})");
}

TEST_F(DestinationTest, ARowThatDoesNotBelongToThePartitionFailsTheJob) {
  using Write = Destination::Write;
  EXPECT_EQ(rows("CREATE TABLE d.t (n INT64, day DATE) PARTITION BY day"), "");
  EXPECT_EQ(rows("INSERT INTO d.t (n, day) VALUES (1, '2024-02-29')"), "");
  const std::string refusal =
      "invalid: Some rows belong to different partitions rather than destination partition p.d.t$20240229";
  for (const Write how : {Write::kAppend, Write::kTruncate, kData}) {
    EXPECT_EQ(write("SELECT 2 AS n, DATE '2024-02-29' AS day UNION ALL SELECT 3, '2024-03-01'", how, "t$20240229"),
              refusal);
    EXPECT_EQ(write("SELECT 2 AS n, CAST(NULL AS DATE) AS day", how, "t$20240229"), refusal);
    EXPECT_EQ(write("SELECT 2 AS n", how, "t$20240229"), refusal);
    EXPECT_EQ(write("SELECT 2 AS n, DATE '2024-02-29' AS day, 3 AS more", how, "t$20240229"),
              "invalid: Provided Schema does not match Table p:d.t. Cannot add fields (field: more)");
  }
  EXPECT_EQ(
      write("SELECT 2 AS n", kData, "none$20240229"),
      "notImplemented: the table p.d.none is not there, and one partitioned by ingestion time cannot be made for it; "
      "make it first, partitioned by a column");
  EXPECT_EQ(rows("SELECT n FROM d.t"), "1;");
}

TEST_F(DestinationTest, AnIdIsTakenAfterARestartIfItsRowsAreThere) {
  make_governed();
  EXPECT_EQ(write("SELECT 3 AS id", Destination::Write::kAppend, "t", "job-1"), "");
  EXPECT_NE(write("SELECT ERROR('x') AS name", Destination::Write::kAppend, "t", "job-2"), "");
  EXPECT_EQ(run("INSERT INTO d.t (id) VALUES (4), (5)", {}, "job-3"), "");
  EXPECT_EQ(run("SELECT 1", {}, "job-4"), "");
  EXPECT_EQ(run("UPDATE d.t SET name = 'u' WHERE id = 5", {}, "job-5"), "");
  EXPECT_EQ(write("SELECT 8 AS id", kData, "t", "job-6"), "");
  reopen();
  const auto done = warehouse().jobs().find("p", "job-1");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->state, Job::State::kDone);
  EXPECT_FALSE(done->error);
  EXPECT_FALSE(warehouse().jobs().find("p", "job-2"));
  EXPECT_FALSE(warehouse().jobs().find("p", "job-4"));
  ASSERT_TRUE(warehouse().jobs().find("p", "job-3"));
  EXPECT_EQ(warehouse().jobs().find("p", "job-3")->summary.dml->inserted, 2);
  ASSERT_TRUE(warehouse().jobs().find("p", "job-5"));
  EXPECT_EQ(warehouse().jobs().find("p", "job-5")->summary.dml->updated, 1);
  ASSERT_TRUE(warehouse().jobs().find("p", "job-6"));
  EXPECT_EQ(warehouse().jobs().find("p", "job-6")->summary.written_rows, 1);
  Job again;
  again.project = "p";
  again.id = "job-1";
  EXPECT_EQ(warehouse().jobs().add(again).error().cause(), "duplicate");
  ASSERT_TRUE(warehouse().remove_job("p", "job-1"));
  reopen();
  EXPECT_FALSE(warehouse().jobs().find("p", "job-1"));
}

TEST_F(DestinationTest, ALargeAnswerInItsTableIsNoFailure) {
  make_governed();
  bytes_max = 1;
  EXPECT_EQ(write("SELECT 7 AS id, 'long enough' AS name", kData), "");
  EXPECT_EQ(row_count, 1);
  EXPECT_EQ(rows_kept, 0);
  EXPECT_NE(run("SELECT * FROM d.t", {}), "") << "without a table it is one";
}

TEST_F(DestinationTest, BytesAreEstimatedAndLimited) {
  make_governed();
  const auto dry = warehouse().dry_run("SELECT id FROM d.t", QueryOptions{});
  ASSERT_TRUE(dry) << dry.error().text();
  EXPECT_EQ((*dry)->summary().bytes_processed, 16);
  QueryOptions options;
  options.bytes_billed_max = 1;
  EXPECT_EQ(run("SELECT id FROM d.t", options),
            "bytesBilledLimitExceeded: Query exceeded limit for bytes billed: 1. 10485760 or higher required.");
  options.bytes_billed_max = 10 << 20;
  EXPECT_EQ(run("SELECT id FROM d.t", options), "");
  EXPECT_EQ(summary.bytes_billed, 10 << 20);
  EXPECT_EQ(run("SELECT 1", options), "");
}

}  // namespace
}  // namespace flytt::warehouse
