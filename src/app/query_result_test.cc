// A query's result against the embedded warehouse itself: staged rows, then one job that puts them where they belong.
// Our client, our gateway and our tables must mean the same by "once", whatever answer is lost.

#include <set>

#include "app/internal/test_support.h"
#include "bigquery/query_jobs.h"
#include "bigquery/staged_write.h"

namespace flytt::app {
namespace {

using bigquery::JobRequest;
using bigquery::WriteDisposition;

const data::TablePath kStaging{"team", "mart", "orders_staging"};
const data::TablePath kTarget{"team", "mart", "orders"};

// Carries requests out and loses the answers of chosen ones.
class LossyTransport final : public bigquery::HttpTransport {
 public:
  explicit LossyTransport(bigquery::HttpTransport& inner) : inner_(inner) {}
  Result<bigquery::HttpResponse> send(const bigquery::HttpRequest& request, base::Deadline deadline) override {
    auto response = inner_.send(request, deadline);
    if (lost.contains(count_++))
      return Error(ErrorCode::kUnavailable, "the answer is lost").retry(base::Retry::kAfterBackoff);
    return response;
  }
  bool is_secure() const override { return inner_.is_secure(); }
  void lose(std::set<int> numbers) {
    lost = std::move(numbers);
    count_ = 0;
  }
  std::set<int> lost;

 private:
  bigquery::HttpTransport& inner_;
  int count_ = 0;
};

class QueryResultTest : public test::WarehouseFixture {
 protected:
  void SetUp() override {
    WarehouseFixture::SetUp();
    ASSERT_EQ(run("a", "CREATE SCHEMA mart"), "ok");
    ASSERT_EQ(run("b", "CREATE TABLE mart.orders (id INT64, name STRING) CLUSTER BY id OPTIONS(description='kept')"),
              "ok");
    ASSERT_EQ(run("c", "INSERT INTO mart.orders (id, name) VALUES (1, 'old'), (2, 'old')"), "ok");
    ASSERT_EQ(run("d", "CREATE TABLE mart.orders_staging (id INT64, name STRING)"), "ok");
    schema_ = std::make_shared<data::SliceSchema>();
    schema_->source_table = "orders";
    schema_->destination = kStaging;
    schema_->table.fields = {{"id", data::Type(data::TypeKind::kInt64), false, ""},
                             {"name", data::Type(data::TypeKind::kString), false, ""}};
  }
  void open() override {
    WarehouseFixture::open();
    transport_ = std::make_unique<LossyTransport>(*access_.transport);
    client_ = std::make_unique<bigquery::Client>(
        bigquery::Client::Parts{*transport_, *access_.credentials, clock_, *access_.random});
    jobs_ = std::make_unique<bigquery::QueryJobs>(*client_);
    streams_ = std::make_unique<bigquery::WriteStreams>(
        bigquery::WriteStreams::Parts{access_.channel, *access_.credentials, clock_, *access_.random});
  }
  void close() override {
    streams_.reset();
    jobs_.reset();
    client_.reset();
    transport_.reset();
    WarehouseFixture::close();
  }
  base::Deadline soon() { return clock_.in(std::chrono::seconds(60)); }

  JobRequest request(const std::string& id, const std::string& sql) {
    JobRequest out;
    out.project = "team";
    out.job_id = id;
    out.sql = sql;
    return out;
  }
  // "ok" or the error; the outcome stays in outcome_.
  std::string run(const JobRequest& wanted) {
    auto done = jobs_->run(wanted, soon());
    if (!done) return done.error().text();
    outcome_ = *done;
    return "ok";
  }
  std::string run(const std::string& id, const std::string& sql) { return run(request(id, sql)); }
  void stage(std::int64_t from, std::int64_t to) {
    auto staged = bigquery::StagedWrite::begin(
        {access_.channel, *access_.credentials, clock_, *access_.random, metrics_}, *streams_, kStaging);
    ASSERT_TRUE(staged) << staged.error().text();
    data::TableSlice slice(schema_);
    for (std::int64_t id = from; id < to; ++id) {
      slice.columns[0].append_int64(id);
      slice.columns[1].append_bytes("new");
    }
    ASSERT_TRUE((*staged)->write(slice, soon()));
    EXPECT_EQ(ids("orders_staging"), "") << "nothing is seen before the end";
    const auto written = (*staged)->finish(soon());
    ASSERT_TRUE(written) << written.error().text();
    EXPECT_EQ(*written, to - from);
    EXPECT_NE(streams_->get((*staged)->stream())->committed_micros, 0);
  }
  std::string ids(const std::string& table) {
    return rows("SELECT CONCAT(id, name) FROM mart." + table + " ORDER BY id, name");
  }

  std::unique_ptr<LossyTransport> transport_;
  std::unique_ptr<bigquery::Client> client_;
  std::unique_ptr<bigquery::QueryJobs> jobs_;
  std::unique_ptr<bigquery::WriteStreams> streams_;
  std::shared_ptr<data::SliceSchema> schema_;
  bigquery::JobOutcome outcome_;
};

TEST_F(QueryResultTest, StagedRowsTakeThePlaceOfTheOld) {
  const auto before = client_->get_table(kTarget);
  stage(2, 5);
  JobRequest job = request("slot-1", "SELECT id, name FROM mart.orders_staging");
  job.destination = bigquery::JobDestination{kTarget, WriteDisposition::kTruncateData, false};
  job.labels = {{"schedule", "orders"}};
  ASSERT_EQ(run(job), "ok");
  EXPECT_EQ(outcome_.output_rows, 3);
  EXPECT_GT(outcome_.bytes_processed, 0);
  EXPECT_EQ(ids("orders"), "2new 3new 4new ");
  const auto after = client_->get_table(kTarget);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->etag, before->etag);
  EXPECT_EQ(after->created_ms, before->created_ms);
  EXPECT_EQ(after->description, "kept");
}

TEST_F(QueryResultTest, AnAppendHappensOnceWhateverIsLost) {
  stage(7, 8);
  std::string expected = "1old 2old ";
  for (int lost = 0; lost < 3; ++lost) {
    transport_->lose({lost, lost + 1});
    JobRequest job = request("append-" + std::to_string(lost), "SELECT id, name FROM mart.orders_staging");
    job.destination = bigquery::JobDestination{kTarget, WriteDisposition::kAppend, false};
    ASSERT_EQ(run(job), "ok") << lost;
    expected += "7new ";
    EXPECT_EQ(ids("orders"), expected) << lost;
    EXPECT_EQ(run(job), "ok");
    EXPECT_TRUE(outcome_.was_known);
    EXPECT_EQ(ids("orders"), expected) << "the id is taken";
  }
}

TEST_F(QueryResultTest, AJobIsKnownAfterARestart) {
  stage(2, 4);
  JobRequest append = request("append", "SELECT id, name FROM mart.orders_staging");
  append.destination = bigquery::JobDestination{kTarget, WriteDisposition::kAppend, false};
  const JobRequest merge =
      request("merge",
              "MERGE mart.orders AS t USING mart.orders_staging AS s ON t.id = s.id AND t.name = 'old' "
              "WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT ROW");
  ASSERT_EQ(run(append), "ok");
  ASSERT_EQ(run(merge), "ok");
  EXPECT_EQ(outcome_.statement_type, "MERGE");
  const std::string there = ids("orders");
  EXPECT_EQ(there, "1old 2new 2new 3new 3new ");
  close();
  open();
  ASSERT_EQ(run(append), "ok");
  EXPECT_TRUE(outcome_.was_known);
  EXPECT_EQ(outcome_.output_rows, 2);
  ASSERT_EQ(run(merge), "ok");
  EXPECT_TRUE(outcome_.was_known);
  EXPECT_EQ(outcome_.inserted_rows, 1);
  EXPECT_EQ(outcome_.updated_rows, 1);
  EXPECT_EQ(ids("orders"), there);
}

TEST_F(QueryResultTest, ParametersLimitsAndDryRuns) {
  JobRequest job = request(
      "with-parameters", "SELECT id FROM mart.orders WHERE @run_date = DATE(@run_time) AND id = @id AND name = @name");
  job.parameters = {{"run_date", data::Type(data::TypeKind::kDate), "2024-02-29"},
                    {"run_time", data::Type(data::TypeKind::kTimestamp), "2024-02-29 06:00:00+00"},
                    {"id", data::Type(data::TypeKind::kInt64), "2"},
                    {"name", data::Type(data::TypeKind::kString), "old"}};
  job.destination = bigquery::JobDestination{{"team", "mart", "picked"}, WriteDisposition::kEmpty, true};
  ASSERT_EQ(run(job), "ok");
  EXPECT_EQ(outcome_.output_rows, 1);
  const auto seen = jobs_->dry_run(request("", "SELECT id, name FROM mart.orders"));
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_GT(seen->bytes_processed, 0);
  ASSERT_EQ(seen->schema.fields.size(), 2U);
  EXPECT_EQ(seen->statement_type, "SELECT");
  JobRequest dear = request("dear", "SELECT id FROM mart.orders");
  dear.bytes_billed_max = 1;
  EXPECT_NE(run(dear).find("Query exceeded limit for bytes billed: 1. 10485760 or higher required."),
            std::string::npos);
  EXPECT_NE(run("wrong", "SELECT nothing FROM mart.orders").find("Unrecognized name: nothing at [1:8]"),
            std::string::npos);
}

TEST_F(QueryResultTest, AStopReachesTheWarehouse) {
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = jobs_->run(
      request(
          "endless",
          "SELECT COUNT(*) AS n FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a, UNNEST(GENERATE_ARRAY(1, 1000000)) AS b "
          "WHERE MOD(a * b, 7) = 8"),
      soon(), stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::kCancelled) << stopped.error().text();
}

}  // namespace
}  // namespace flytt::app
