// Runs of queries in the destination, against the embedded warehouse itself. Those from PostgreSQL are in the scenario
// tests/scenario/18_a_slot_succeeds_once_test.py.

#include "app/internal/query_job.h"

#include "app/internal/test_support.h"
#include "scheduler/dispatcher.h"

namespace flytt::app {
namespace {

constexpr std::int64_t kSlot = 1'709'186'400'000'000;  // 2024-02-29 06:00 UTC

// Carries requests out. From one of them on no answer comes back.
class CutTransport final : public bigquery::HttpTransport {
 public:
  explicit CutTransport(bigquery::HttpTransport& inner) : inner_(inner) {}
  Result<bigquery::HttpResponse> send(const bigquery::HttpRequest& request, base::Deadline deadline) override {
    if (request.method == "POST" && request.target.ends_with("/jobs")) {
      ++jobs_asked;
      last_job = request.body;
    }
    // When the job is looked at for the first time it is running.
    if (stop_at_look != nullptr && request.target.find("/jobs/flytt_") != std::string::npos)
      stop_at_look->request_stop();
    auto response = inner_.send(request, deadline);
    // The client would try again for minutes.
    if (requests++ >= cut_from) return Error(ErrorCode::kUnavailable, "the answer is lost").retry(base::Retry::kNever);
    return response;
  }
  bool is_secure() const override { return inner_.is_secure(); }
  void cut(int from) {
    cut_from = from;
    requests = 0;
  }
  static constexpr int kNever = 1'000'000;
  int cut_from = kNever, requests = 0;
  int jobs_asked = 0;
  std::string last_job;
  std::stop_source* stop_at_look = nullptr;

 private:
  bigquery::HttpTransport& inner_;
};

class QueryJobTest : public test::WarehouseFixture {
 protected:
  void SetUp() override {
    WarehouseFixture::SetUp();
    sql("CREATE SCHEMA mart");
    sql("CREATE TABLE mart.sold (id INT64, name STRING)");
    sql("INSERT INTO mart.sold (id, name) VALUES (1, 'a'), (2, 'b')");
    query_.name = "Daily.Orders";
    query_.dataset = "mart";
    query_.table = "orders";
    query_.sql = "SELECT id, name FROM mart.sold -- all of them";
  }
  void open() override {
    WarehouseFixture::open();
    transport_ = std::make_unique<CutTransport>(*access_.transport);
    client_ = std::make_unique<bigquery::Client>(
        bigquery::Client::Parts{*transport_, *access_.credentials, clock_, *access_.random});
    streams_ = std::make_unique<bigquery::WriteStreams>(
        bigquery::WriteStreams::Parts{access_.channel, *access_.credentials, clock_, *access_.random});
    store_ = std::move(*state::Store::open(folder_ + "/state.db"));
    parts_ = std::make_unique<QueryParts>(QueryParts{*client_, *streams_, access_.channel, *access_.credentials, clock_,
                                                     *access_.random, metrics_, *store_, "team", "US"});
  }
  void close() override {
    parts_.reset();
    store_.reset();
    streams_.reset();
    client_.reset();
    transport_.reset();
    WarehouseFixture::close();
  }
  // Slots whose first attempt loses its answers from one request on, a later one each time, until that changes nothing. How many
  // requests there are differs: a job that takes longer is asked for more often. Two slots have succeeded before.
  void cut_everywhere(int least, int rows_each) {
    bool is_last = false;
    for (int from = 0; !is_last; ++from) {
      ASSERT_LT(from, 1000);
      const std::int64_t slot = kSlot + 10 + from;
      transport_->cut(from);
      is_last = run(context(1, false, slot)).substr(0, 3) == "ok:";
      EXPECT_FALSE(is_last && from < least) << from;
      transport_->cut(CutTransport::kNever);
      EXPECT_EQ(run(context(2, false, slot)).substr(0, 3), "ok:") << from;
      EXPECT_EQ(run(context(2, true, slot)).substr(0, 3), "ok:") << "asked once more";
      EXPECT_EQ(rows("SELECT COUNT(*) FROM mart.orders"), std::to_string(rows_each * (3 + from)) + " ") << from;
    }
  }
  std::string orders() { return rows("SELECT id, name FROM mart.orders ORDER BY id, name"); }
  std::string staging_tables() {
    return rows("SELECT table_name FROM mart.INFORMATION_SCHEMA.TABLES WHERE STARTS_WITH(table_name, '_flytt')");
  }
  scheduler::RunContext context(int attempt = 1, bool is_resumed = false, std::int64_t slot = kSlot) {
    scheduler::RunContext out;
    out.schedule = "query:" + query_.name;
    out.slot_micros = slot;
    out.trigger = "schedule";
    out.attempt = attempt;
    out.is_resumed = is_resumed;
    out.run_id = scheduler::run_id({out.schedule, slot, false}, attempt);
    return out;
  }
  // "ok: …" with the run's message, or the error.
  std::string run(const scheduler::RunContext& wanted) {
    const auto done = QueryJob(query_, nullptr, *parts_).run(wanted);
    if (!done) code_ = done.error().code();
    return done ? "ok: " + done->message : done.error().text();
  }

  std::unique_ptr<CutTransport> transport_;
  std::unique_ptr<bigquery::Client> client_;
  std::unique_ptr<bigquery::WriteStreams> streams_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<QueryParts> parts_;
  QueryConfig query_;
  ErrorCode code_ = ErrorCode::kBug;
};

TEST_F(QueryJobTest, AMissingTableIsMadeAndLaterItsRowsAreReplaced) {
  query_.version_column = "version";
  EXPECT_EQ(run(context()).substr(0, 11), "ok: 2 rows,");
  EXPECT_EQ(rows("SELECT id, name, FORMAT_TIMESTAMP('%F %T', version) FROM mart.orders ORDER BY id"),
            "1|a|2024-02-29 06:00:00 2|b|2024-02-29 06:00:00 ");
  bigquery::TableInfo described;
  described.path = {"team", "mart", "orders"};
  described.description = "kept";
  ASSERT_TRUE(client_->patch_table(described));
  const auto before = client_->get_table({"team", "mart", "orders"});
  query_.sql = "SELECT 7 AS id, 'g' AS name";
  EXPECT_EQ(run(context(1, false, kSlot + 1)).substr(0, 10), "ok: 1 row,");
  EXPECT_EQ(orders(), "7|g ");
  const auto after = client_->get_table({"team", "mart", "orders"});
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->created_ms, before->created_ms);
  EXPECT_EQ(after->description, "kept");
}

TEST_F(QueryJobTest, ParametersAndLabelsAreThoseOfTheSlot) {
  query_.sql = "SELECT 1 AS id, CAST(@run_date AS STRING) || FORMAT_TIMESTAMP(' %T', @run_time) AS name";
  query_.labels = {{"team", "sak"}};
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  EXPECT_EQ(orders(), "1|2024-02-29 06:00:00 ");
  EXPECT_NE(transport_->last_job.find(R"("labels":{"flytt_attempt":"1","flytt_query":"daily_orders",)"
                                      R"("flytt_slot":"2024-02-29t06_00_00z","team":"sak"})"),
            std::string::npos)
      << transport_->last_job;
}

TEST_F(QueryJobTest, AnAppendHappensOnceWhereverTheConnectionEnds) {
  query_.write = QueryWrite::kAppend;
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  EXPECT_EQ(run(context(1, false, kSlot + 1)).substr(0, 3), "ok:");
  cut_everywhere(3, 2);
}

TEST_F(QueryJobTest, AnAttemptThatWasDoneIsKnownAfterARestart) {
  query_.write = QueryWrite::kAppend;
  const std::string said = run(context());
  close();
  open();
  EXPECT_EQ(run(context(1, true)), said);
  EXPECT_EQ(transport_->jobs_asked, 0);
  EXPECT_EQ(orders(), "1|a 2|b ");
}

TEST_F(QueryJobTest, AStoppedRunHasDoneNothingAndGoesOnLater) {
  query_.write = QueryWrite::kAppend;
  query_.sql =
      "SELECT COUNT(*) AS id, 'n' AS name FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a, "
      "UNNEST(GENERATE_ARRAY(1, 1000000)) AS b WHERE MOD(a * b, 7) = 8";
  std::stop_source stop;
  scheduler::RunContext wanted = context();
  wanted.stop = stop.get_token();
  transport_->stop_at_look = &stop;
  run(wanted);
  EXPECT_EQ(code_, ErrorCode::kCancelled);
  transport_->stop_at_look = nullptr;
  EXPECT_EQ(rows("SELECT COUNT(*) FROM mart.orders"), "0 ");
  query_.sql = "SELECT 3 AS id, 'c' AS name";
  EXPECT_EQ(run(context(1, true)).substr(0, 3), "ok:");
  EXPECT_EQ(orders(), "3|c ");
}

TEST_F(QueryJobTest, AnUpsertReplacesByKey) {
  query_.write = QueryWrite::kUpsert;
  query_.key = {"id"};
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  query_.sql = "SELECT 2 AS id, 'B' AS name UNION ALL SELECT 3, 'c'";
  EXPECT_NE(run(context(1, false, kSlot + 1)).find("(1 new, 1 changed)"), std::string::npos);
  EXPECT_EQ(orders(), "1|a 2|B 3|c ");
}

TEST_F(QueryJobTest, AnUpsertRefusesKeysThatSayNotWhichRowIsMeant) {
  query_.write = QueryWrite::kUpsert;
  query_.key = {"id"};
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  query_.sql = "SELECT IF(@run_date = DATE '2024-02-29', 1, 7) AS id, 'twice' AS name UNION ALL SELECT 1, 'b'";
  EXPECT_EQ(run(context(1, false, kSlot + 1)),
            "query Daily.Orders: 1 key is there more than once; let the query return one row for each key");
  EXPECT_EQ(code_, ErrorCode::kBadData);
  query_.sql = "SELECT NULLIF(1, 1) AS id, 'none' AS name UNION ALL SELECT 3, 'c'";
  EXPECT_EQ(run(context(1, false, kSlot + 2)),
            "query Daily.Orders: 1 row has NULL in a key column; leave out such rows in the query");
  EXPECT_EQ(orders(), "1|a 2|b ");
  EXPECT_EQ(staging_tables(), "");
}

TEST_F(QueryJobTest, AnUpsertMergesTheRowsWhoseKeysItHasChecked) {
  query_.write = QueryWrite::kUpsert;
  query_.key = {"id"};
  query_.sql = "SELECT CAST(10 * RAND() AS INT64) AS id, 'x' AS name";
  const std::string said = run(context());
  EXPECT_EQ(said.substr(0, 10), "ok: 1 row,") << said;
  EXPECT_NE(transport_->last_job.find("MERGE"), std::string::npos) << transport_->last_job;
  EXPECT_EQ(transport_->last_job.find("RAND"), std::string::npos) << transport_->last_job;
  EXPECT_EQ(staging_tables(), "");
}

TEST_F(QueryJobTest, AnUpsertHappensOnceWhereverTheConnectionEnds) {
  query_.write = QueryWrite::kUpsert;
  query_.key = {"id"};
  query_.sql = "SELECT id + (SELECT COUNT(*) FROM mart.orders) AS id, name FROM mart.sold WHERE id = 1";
  sql("CREATE TABLE mart.orders (id INT64, name STRING)");
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  EXPECT_EQ(run(context(1, false, kSlot + 1)).substr(0, 3), "ok:");
  // A cut at the last request, which removes the staging table and is no part of the result, ends it.
  cut_everywhere(6, 1);
  EXPECT_EQ(staging_tables(), "");
}

TEST_F(QueryJobTest, ColumnsComeAndGo) {
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  query_.sql = "SELECT id, CURRENT_DATE() AS day FROM mart.sold";
  EXPECT_EQ(run(context(1, false, kSlot + 1)).substr(0, 3), "ok:");
  EXPECT_EQ(rows("SELECT id, name, day IS NULL FROM mart.orders ORDER BY id"), "1|NULL|false 2|NULL|false ");
}

TEST_F(QueryJobTest, ATypeThatDoesNotFitIsNamedAndTheOldRowsStay) {
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  query_.sql = "SELECT 'x' AS id, name FROM mart.sold";
  const std::string said = run(context(1, false, kSlot + 1));
  EXPECT_EQ(code_, ErrorCode::kSchema);
  EXPECT_NE(said.find("column \"id\" is INT64 in table team.mart.orders and STRING in the result"), std::string::npos)
      << said;
  EXPECT_EQ(orders(), "1|a 2|b ");
}

TEST_F(QueryJobTest, AStrictTableTakesWhatFitsAndSaysWhatDoesNot) {
  sql("CREATE TABLE mart.orders (id INT64 NOT NULL, name STRING(3), price NUMERIC(6, 2), ratio FLOAT64)");
  query_.key = {"id"};
  query_.sql = "SELECT id, name, id AS price, NUMERIC '0.5' AS ratio FROM mart.sold";
  std::int64_t slot = kSlot;
  const auto write = [&](QueryWrite how) {
    query_.write = how;
    return run(context(1, false, ++slot));
  };
  EXPECT_EQ(write(QueryWrite::kAppend).substr(0, 11), "ok: 2 rows,");
  EXPECT_EQ(write(QueryWrite::kAppend).substr(0, 11), "ok: 2 rows,");
  EXPECT_EQ(rows("SELECT COUNT(*), SUM(price), SUM(ratio) FROM mart.orders"), "4|6|2.0 ");
  EXPECT_EQ(write(QueryWrite::kTruncate).substr(0, 11), "ok: 2 rows,");
  EXPECT_EQ(rows("SELECT COUNT(*) FROM mart.orders"), "2 ");
  EXPECT_EQ(write(QueryWrite::kUpsert).substr(0, 11), "ok: 2 rows,");
  EXPECT_EQ(rows("SELECT id, name, price, ratio FROM mart.orders ORDER BY id"), "1|a|1|0.5 2|b|2|0.5 ");
  for (const QueryWrite how : {QueryWrite::kAppend, QueryWrite::kTruncate, QueryWrite::kUpsert}) {
    query_.sql = "SELECT id, CONCAT(name, 'hemmelig') AS name FROM mart.sold";
    const std::string too_long = write(how);
    EXPECT_NE(too_long.find("STRING(3) has maximum length 3 but got a value with length 9"), too_long.npos) << too_long;
    EXPECT_EQ(too_long.find("hemmelig"), too_long.npos) << too_long;
    query_.sql = "SELECT id, 1000 * id * id * id * id AS price FROM mart.sold";
    const std::string too_large = write(how);
    EXPECT_NE(too_large.find("NUMERIC(6, 2) has precision 6 and scale 2 but got a value that is not in range"),
              too_large.npos)
        << too_large;
  }
  EXPECT_EQ(orders(), "1|a 2|b ");
}

TEST_F(QueryJobTest, ARequiredColumnIsNamedWhenItGetsNone) {
  sql("CREATE TABLE mart.orders (id INT64, name STRING NOT NULL)");
  query_.key = {"id"};
  query_.sql = "SELECT id, NULLIF(name, 'b') AS name FROM mart.sold";
  for (const QueryWrite how : {QueryWrite::kAppend, QueryWrite::kTruncate, QueryWrite::kUpsert}) {
    query_.write = how;
    const std::string said = run(context(1, false, kSlot + static_cast<int>(how)));
    EXPECT_NE(said.find("Required field name cannot be null"), said.npos) << said;
  }
  EXPECT_EQ(orders(), "");
}

TEST_F(QueryJobTest, OnePartitionIsReplacedOrAddedTo) {
  query_.table = "orders${run_date}";
  query_.sql = "SELECT id, name, @run_date AS day FROM mart.sold";
  EXPECT_EQ(
      run(context()),
      "query Daily.Orders: table team.mart.orders is not there, and a single partition goes only into a table that "
      "is; make it: CREATE TABLE `mart.orders` (`id` INT64, `name` STRING, `day` DATE) PARTITION BY `day`");
  EXPECT_EQ(code_, ErrorCode::kNotFound);
  sql("CREATE TABLE `mart.orders` (`id` INT64, `name` STRING, `day` DATE) PARTITION BY `day`");
  constexpr std::int64_t kDay = 86'400'000'000;
  EXPECT_EQ(run(context()), "ok: 2 rows, 52 B read for mart.orders$20240229");
  EXPECT_EQ(run(context(1, false, kSlot + kDay)).substr(0, 11), "ok: 2 rows,");
  query_.sql = "SELECT 7 AS id, @run_date AS day";
  EXPECT_EQ(run(context(1, false, kSlot + 1)).substr(0, 10), "ok: 1 row,");
  EXPECT_EQ(rows("SELECT id, name, day FROM mart.orders ORDER BY day, id"),
            "7|NULL|2024-02-29 1|a|2024-03-01 2|b|2024-03-01 ");
  query_.write = QueryWrite::kAppend;
  EXPECT_EQ(run(context(1, false, kSlot + 2)).substr(0, 10), "ok: 1 row,");
  EXPECT_EQ(rows("SELECT COUNT(*) FROM mart.orders"), "4 ");
  query_.sql = "SELECT 8 AS id, DATE '2020-01-01' AS day";
  const std::string said = run(context(1, false, kSlot + 3));
  EXPECT_NE(said.find("Some rows belong to different partitions"), said.npos) << said;
  EXPECT_EQ(rows("SELECT COUNT(*) FROM mart.orders"), "4 ");
}

TEST_F(QueryJobTest, TooMuchIsRefusedBeforeItIsRead) {
  query_.bytes_max = 1;
  const std::string said = run(context());
  EXPECT_EQ(code_, ErrorCode::kConfig);
  EXPECT_NE(said.find("more than its limit of 1 B"), std::string::npos) << said;
  EXPECT_NE(said.find("raise 'queries.Daily.Orders.max_bytes'"), std::string::npos) << said;
  EXPECT_FALSE(client_->get_table({"team", "mart", "orders"}));
  query_.bytes_max = 1 << 20;
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  EXPECT_NE(transport_->last_job.find(R"("maximumBytesBilled":"10485760")"), std::string::npos) << transport_->last_job;
}

TEST_F(QueryJobTest, ATableOfAStreamIsRefused) {
  state::TableRecord record;
  record.stream = "sak";
  record.source_table = "public.orders";
  record.project = "team";
  record.dataset = "mart";
  record.table = "orders";
  ASSERT_TRUE(store_->save_table(record));
  EXPECT_NE(run(context()).find("table team.mart.orders is written by stream sak"), std::string::npos);
  EXPECT_EQ(code_, ErrorCode::kConflict);
}

TEST_F(QueryJobTest, AStatementThatFailsKeepsItsValuesToItself) {
  EXPECT_EQ(run(context()).substr(0, 3), "ok:");
  query_.sql = "SELECT CAST(CONCAT('hem', 'melig', name) AS INT64) AS id, name FROM mart.sold";
  const std::string said = run(context(1, false, kSlot + 1));
  EXPECT_EQ(said.find("hemmelig"), std::string::npos) << said;
  EXPECT_NE(said.find("is in job flytt_query_3aDaily_2eOrders-20240229T060000000001Z-1-1"), std::string::npos) << said;
  EXPECT_EQ(orders(), "1|a 2|b ");
}

TEST_F(QueryJobTest, OneStatementThatSelectsIsWanted) {
  query_.sql = "DELETE FROM mart.sold WHERE TRUE";
  EXPECT_NE(run(context()).find("is a DELETE statement; it must be one SELECT"), std::string::npos);
  query_.sql = "SELECT nothing FROM mart.sold";
  EXPECT_EQ(
      run(context()),
      "query Daily.Orders: the statement is refused (HTTP 400 invalidQuery: Unrecognized name: nothing at [1:8]); "
      "correct 'queries.Daily.Orders.sql'");
  query_.sql = "SELECT id FROM mart.nothing";
  EXPECT_EQ(run(context()),
            "query Daily.Orders: the statement reads what is not there (HTTP 404 notFound: Not found: Table "
            "team:mart.nothing was not found in location US); correct 'queries.Daily.Orders.sql', or make that first");
  EXPECT_EQ(code_, ErrorCode::kNotFound);
}

TEST(QueryLabels, AreWhatBigQueryTakes) {
  EXPECT_EQ(label_text("Daily.Orders-1 x"), "daily_orders-1_x");
  EXPECT_EQ(label_text(std::string(80, 'a')).size(), 63U);
}

}  // namespace
}  // namespace flytt::app
