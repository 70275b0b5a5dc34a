#include "bigquery/query_jobs.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using nlohmann::json;

HttpResponse refusal(int status, const std::string& reason, const std::string& message) {
  const json body = {
      {"error", {{"code", status}, {"message", message}, {"errors", {{{"reason", reason}, {"message", message}}}}}}};
  return {status, {}, body.dump()};
}

// Keeps jobs as BigQuery does: one per id. Answers of chosen requests are lost on their way back.
class JobServer final : public HttpTransport {
 public:
  Result<HttpResponse> send(const HttpRequest& request, base::Deadline) override {
    const int number = static_cast<int>(requests.size());
    requests.push_back(request);
    HttpResponse response = answer(request);
    if (on_request) on_request(number);
    if (lost.contains(number))
      return Error(ErrorCode::kUnavailable, "connection reset").retry(base::Retry::kAfterBackoff);
    return response;
  }
  bool is_secure() const override { return false; }

  int polls_until_done = 2;
  json end = {{"state", "DONE"}};  // the status that a job ends with
  std::set<int> lost;              // numbers of requests whose answers do not arrive
  int hidden_polls = 0;            // jobs.get that do not find the job yet
  std::function<void(int)> on_request;
  std::vector<HttpRequest> requests;
  std::map<std::string, json> jobs;
  int started = 0, cancels = 0;

 private:
  HttpResponse answer(const HttpRequest& request) {
    static const std::string kJobs = "/bigquery/v2/projects/p/jobs";
    if (request.target == kJobs) return insert(json::parse(request.body));
    std::string id = request.target.substr(kJobs.size() + 1);
    id = id.substr(0, id.find('?'));
    if (const auto slash = id.find("/cancel"); slash != id.npos) {
      ++cancels;
      id = id.substr(0, slash);
      if (!jobs.contains(id)) return refusal(404, "notFound", "Not found: Job p:" + id);
      end = {{"state", "DONE"}, {"errorResult", {{"reason", "stopped"}, {"message", "Job execution was cancelled"}}}};
      polls_until_done = 1;
      return {200, {}, json{{"kind", "bigquery#jobCancelResponse"}}.dump()};
    }
    if (!jobs.contains(id) || hidden_polls-- > 0) return refusal(404, "notFound", "Not found: Job p:" + id);
    if (--polls_until_done <= 0) jobs[id]["status"] = end;
    return {200, {}, jobs[id].dump()};
  }
  HttpResponse insert(const json& body) {
    json job = body;
    job["status"] = {{"state", "RUNNING"}};
    job["statistics"] = {{"creationTime", "7"},
                         {"totalBytesProcessed", "160"},
                         {"query",
                          {{"statementType", "MERGE"},
                           {"totalBytesBilled", "10485760"},
                           {"numDmlAffectedRows", "3"},
                           {"dmlStats", {{"insertedRowCount", "1"}, {"updatedRowCount", "2"}}},
                           {"queryPlan", {{{"recordsWritten", "9"}}, {{"recordsWritten", "4"}}}}}}};
    if (body["configuration"].value("dryRun", false)) {
      job["statistics"]["query"]["schema"]["fields"] = {{{"name", "a"}, {"type", "INTEGER"}, {"mode", "NULLABLE"}}};
      job["status"]["state"] = "DONE";
      return {200, {}, job.dump()};
    }
    const std::string id = body["jobReference"]["jobId"];
    if (jobs.contains(id)) return refusal(409, "duplicate", "Already Exists: Job p:EU." + id);
    job["jobReference"]["location"] = "EU";
    jobs[id] = job;
    ++started;
    return {200, {}, job.dump()};
  }
};

class NoToken final : public Credentials {
 public:
  Result<base::Secret> token() override { return base::Secret(""); }
  std::string name() const override { return "nobody"; }
};

// Always a little later, so that no pause takes real time.
class HastyClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return base::SteadyTime(now += std::chrono::milliseconds(50)); }
  std::int64_t wall_micros() const override { return 0; }
  mutable base::Duration now{};
};

class QueryJobsTest : public testing::Test {
 protected:
  QueryJobsTest() {
    request.project = "p";
    request.job_id = "orders-20240229-1";
    request.sql = "SELECT 1 AS a";
    request.destination = JobDestination{{"p", "d", "t"}, WriteDisposition::kTruncateData, false};
  }
  Result<JobOutcome> run(std::stop_token stop = {}) { return jobs.run(request, base::Deadline::never(), stop); }
  json sent(std::size_t number) { return json::parse(server.requests.at(number).body); }

  JobServer server;
  NoToken credentials;
  HastyClock clock;
  base::SeededRandom random{5};
  Client client{{server, credentials, clock, random}};
  QueryJobs jobs{client};
  JobRequest request;
};

TEST_F(QueryJobsTest, AJobIsStartedAndItsEndAwaited) {
  request.labels = {{"schedule", "orders"}};
  request.bytes_billed_max = 1'000'000;
  request.default_dataset = "d";
  request.parameters = {{"run_date", data::Type(data::TypeKind::kDate), "2024-02-29"},
                        {"run_time", data::Type(data::TypeKind::kTimestamp), "2024-02-29 06:00:00+00"},
                        {"n", data::Type(data::TypeKind::kInt64), std::nullopt}};
  const auto done = run();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->job_id, "orders-20240229-1");
  EXPECT_EQ(done->location, "EU");
  EXPECT_EQ(done->statement_type, "MERGE");
  EXPECT_EQ(done->bytes_processed, 160);
  EXPECT_EQ(done->bytes_billed, 10'485'760);
  EXPECT_EQ(done->affected_rows, 3);
  EXPECT_EQ(done->updated_rows, 2);
  EXPECT_FALSE(done->deleted_rows);
  EXPECT_EQ(done->output_rows, 4);
  EXPECT_FALSE(done->was_known);
  const json body = sent(0);
  EXPECT_EQ(body["jobReference"], json::parse(R"({"projectId":"p","jobId":"orders-20240229-1"})"));
  EXPECT_EQ(body["configuration"]["labels"]["schedule"], "orders");
  EXPECT_EQ(body["configuration"]["query"], json::parse(R"({"query":"SELECT 1 AS a","useLegacySql":false,
      "defaultDataset":{"projectId":"p","datasetId":"d"},"maximumBytesBilled":"1000000","parameterMode":"NAMED",
      "destinationTable":{"projectId":"p","datasetId":"d","tableId":"t"},"writeDisposition":"WRITE_TRUNCATE_DATA",
      "createDisposition":"CREATE_NEVER","queryParameters":[
        {"name":"run_date","parameterType":{"type":"DATE"},"parameterValue":{"value":"2024-02-29"}},
        {"name":"run_time","parameterType":{"type":"TIMESTAMP"},"parameterValue":{"value":"2024-02-29 06:00:00+00"}},
        {"name":"n","parameterType":{"type":"INT64"},"parameterValue":{}}]})"));
  EXPECT_EQ(server.requests[1].target, "/bigquery/v2/projects/p/jobs/orders-20240229-1?location=EU");
}

TEST_F(QueryJobsTest, WhateverAnswerIsLostThereIsOneJob) {
  for (int lost = 0; lost < 4; ++lost) {
    server.started = 0;
    server.polls_until_done = 3;
    server.jobs.clear();
    server.requests.clear();
    server.lost = {lost, lost + 1};
    const auto done = run();
    ASSERT_TRUE(done) << lost << ": " << done.error().text();
    EXPECT_EQ(server.started, 1) << lost;
    EXPECT_EQ(done->was_known, lost == 0) << lost;
  }
}

TEST_F(QueryJobsTest, ALaterProcessGoesOnWithTheSameJob) {
  ASSERT_TRUE(run());
  server.polls_until_done = 1;
  const auto again = run();
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE(again->was_known);
  EXPECT_EQ(server.started, 1);
}

TEST_F(QueryJobsTest, AnIdOfAnotherStatementIsAConflict) {
  ASSERT_TRUE(run());
  const auto code = [&] {
    const auto done = run();
    return done ? ErrorCode::kBug : done.error().code();
  };
  request.sql = "SELECT 2 AS a";
  EXPECT_EQ(code(), ErrorCode::kConflict);
  request.sql = "SELECT 1 AS a";
  request.destination->table.table = "u";
  EXPECT_EQ(code(), ErrorCode::kConflict);
}

TEST_F(QueryJobsTest, AFailureHasGooglesSentence) {
  server.end = {{"state", "DONE"},
                {"errorResult",
                 {{"reason", "bytesBilledLimitExceeded"},
                  {"message", "Query exceeded limit for bytes billed: 1. 10485760 or higher required."}}}};
  auto failed = run();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kConfig);
  EXPECT_EQ(failed.error().cause(),
            "bytesBilledLimitExceeded: Query exceeded limit for bytes billed: 1. 10485760 or higher required.");
  EXPECT_NE(failed.error().sentence().find("job orders-20240229-1"), std::string::npos);
  request.job_id = "second";
  server.end["errorResult"]["reason"] = "backendError";
  failed = run();
  EXPECT_EQ(failed.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(failed.error().retry(), base::Retry::kAfterBackoff);
}

TEST_F(QueryJobsTest, AJobThatIsNotFoundYetIsLookedForAgain) {
  server.hidden_polls = 3;
  ASSERT_TRUE(run());
  request.job_id = "second";
  server.hidden_polls = 1'000'000;
  const auto gone = run();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(server.started, 2);
}

TEST_F(QueryJobsTest, StopCancelsTheJobAndAwaitsItsEnd) {
  std::stop_source stop;
  server.polls_until_done = 1'000;
  server.on_request = [&](int number) {
    if (number == 2) stop.request_stop();
  };
  const auto stopped = run(stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(server.cancels, 1);
  EXPECT_EQ(server.jobs["orders-20240229-1"]["status"]["state"], "DONE");
}

TEST_F(QueryJobsTest, ADeadlineCancelsTheJob) {
  server.polls_until_done = 1'000;
  const auto late = jobs.run(request, clock.in(std::chrono::seconds(3)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(server.cancels, 1);
}

TEST_F(QueryJobsTest, AShutdownLeavesTheJob) {
  server.polls_until_done = 1'000;
  server.on_request = [&](int number) {
    if (number == 2) client.cancel();
  };
  EXPECT_EQ(run().error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(server.cancels, 0);
}

TEST_F(QueryJobsTest, CancelOfAnyJob) {
  ASSERT_TRUE(run());
  EXPECT_TRUE(jobs.cancel("p", "EU", "orders-20240229-1", clock.in(std::chrono::seconds(10))));
  EXPECT_EQ(jobs.cancel("p", "EU", "other", clock.in(std::chrono::seconds(10))).error().code(), ErrorCode::kNotFound);
}

TEST_F(QueryJobsTest, DryRunsTellBytesAndColumns) {
  request.job_id = "";
  const auto seen = jobs.dry_run(request);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_EQ(seen->bytes_processed, 160);
  ASSERT_EQ(seen->schema.fields.size(), 1U);
  EXPECT_EQ(seen->schema.fields[0].name, "a");
  EXPECT_EQ(server.started, 0);
  EXPECT_EQ(run().error().code(), ErrorCode::kConfig) << "a job needs an id";
}

TEST_F(QueryJobsTest, AJobIsLookedAtAsItStands) {
  const auto none = jobs.look("p", "", request.job_id);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kNotFound);
  server.polls_until_done = 3;
  ASSERT_TRUE(jobs.run(request, base::Deadline::never()));
  const auto done = jobs.look("p", "EU", request.job_id);
  ASSERT_TRUE(done) << done.error().text();
  ASSERT_TRUE(done->outcome && !done->failure);
  EXPECT_EQ(done->outcome->output_rows, 4);
  server.end = {{"state", "DONE"}, {"errorResult", {{"reason", "invalidQuery"}, {"message", "no"}}}};
  const auto failed = jobs.look("p", "EU", request.job_id);
  ASSERT_TRUE(failed) << failed.error().text();
  EXPECT_TRUE(failed->failure && !failed->outcome);
  server.jobs[request.job_id]["status"] = {{"state", "RUNNING"}};
  server.polls_until_done = 5;
  const auto running = jobs.look("p", "EU", request.job_id);
  ASSERT_TRUE(running) << running.error().text();
  EXPECT_TRUE(!running->failure && !running->outcome);
}

}  // namespace
}  // namespace flytt::bigquery
