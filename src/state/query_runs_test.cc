#include "state/query_runs.h"

#include <gtest/gtest.h>

#include "state/store.h"
#include "state/store_test_support.h"

namespace flytt::state {
namespace {

class QueryRunsTest : public testing::Test {
 protected:
  QueryRunsTest() { open(); }
  void open() {
    store_.reset();
    auto opened = place_->open();
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
  }
  QueryRuns runs() { return QueryRuns(*store_); }

  static QueryRunRecord record(std::int64_t slot, bool is_manual) {
    QueryRunRecord out;
    out.key = {"query:orders", slot, is_manual};
    out.run_id = "query_3aorders-1";
    out.tries = 2;
    out.phase = QueryPhase::kJob;
    out.staging = "_flytt_stage_orders_1";
    out.write_stream = "projects/p/streams/s";
    out.project = "p";
    out.dataset = "d";
    out.table = "t";
    out.disposition = "append";
    out.job_id = "job-1";
    out.sql = "SELECT 'æ'";
    out.rows = 7;
    out.bytes = 70;
    out.message = "7 rows";
    return out;
  }

  std::unique_ptr<TestPlace> place_ = make_test_place();
  std::unique_ptr<Store> store_;
};

TEST_F(QueryRunsTest, ARecordIsThereWholeAfterTheStoreIsOpenedAgain) {
  ASSERT_TRUE(runs().save(record(10, false)));
  ASSERT_TRUE(runs().save(record(10, true)));
  QueryRunRecord done = record(10, false);
  done.phase = QueryPhase::kDone;
  ASSERT_TRUE(runs().save(done));
  open();
  EXPECT_EQ(runs().find({"query:orders", 10, false}).value(), done);
  EXPECT_EQ(runs().find({"query:orders", 10, true}).value(), record(10, true));
  EXPECT_FALSE(runs().find({"query:orders", 11, false}).value());
}

TEST_F(QueryRunsTest, RecordsOfAScheduleComeInTheOrderOfTheirSlots) {
  for (const std::int64_t slot : {30, 10, 20}) ASSERT_TRUE(runs().save(record(slot, false)));
  QueryRunRecord other = record(5, false);
  other.key.schedule = "query:other";
  ASSERT_TRUE(runs().save(other));
  ASSERT_TRUE(runs().forget({"query:orders", 20, false}));
  EXPECT_EQ(runs().of_schedule("query:orders").value(),
            (std::vector<QueryRunRecord>{record(10, false), record(30, false)}));
}

TEST_F(QueryRunsTest, AFileOfTheFormatBeforeIsBroughtHere) {
  store_.reset();
  place_->sql(
      "DROP TABLE query_run; DROP TABLE schedule_seen; DROP TABLE table_change; ALTER TABLE schedule DROP COLUMN "
      "successes");
  place_->set_format(3);
  open();
  ASSERT_TRUE(runs().save(record(10, false)));
  EXPECT_EQ(runs().of_schedule("query:orders").value().size(), 1U);
}

}  // namespace
}  // namespace flytt::state
