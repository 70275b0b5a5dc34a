#include "state/store.h"

#include <gtest/gtest.h>

#include <thread>

#include "state/limits.h"
#include "state/store_test_support.h"

namespace flytt::state {
namespace {

class StoreTest : public testing::Test {
 protected:
  std::unique_ptr<Store> open() {
    auto store = place_->open();
    EXPECT_TRUE(store) << store.error().text();
    return std::move(store).value();
  }
  static TableRecord table(const std::string& name, TablePhase phase) {
    TableRecord record;
    record.stream = "sak";
    record.source_table = name;
    record.project = "p";
    record.dataset = "landing";
    record.table = "t";
    record.phase = phase;
    record.generation = 3;
    return record;
  }
  static Checkpoint checkpoint(const std::string& position) {
    Checkpoint made;
    made.stream = "sak";
    made.position = position;
    made.system_identifier = "7300000000000000001";
    made.timeline = 4;
    made.epoch = 2;
    made.slot = "flytt_sak";
    made.saved_micros = 17;
    return made;
  }

  std::unique_ptr<TestPlace> place_ = make_test_place();
};

TEST_F(StoreTest, ACheckpointSurvivesReopeningByteForByte) {
  const std::string bytes(
      "\0\x01\xFF"
      "end",
      6);
  ASSERT_TRUE(open()->save(checkpoint(bytes), {}));
  auto found = open()->checkpoint("sak");
  ASSERT_TRUE(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->position, bytes);
  EXPECT_EQ((*found)->system_identifier, "7300000000000000001");
  EXPECT_EQ((*found)->timeline, 4u);
  EXPECT_EQ((*found)->epoch, 2);
  EXPECT_EQ((*found)->slot, "flytt_sak");
  EXPECT_FALSE(open()->checkpoint("other").value().has_value());
}

TEST_F(StoreTest, APositionNeedsItsCheckpoint) {
  auto store = open();
  EXPECT_EQ(store->save_position("sak", "a", 1).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(store->save(checkpoint("a"), {}));
  ASSERT_TRUE(store->save_position("sak", "b", 99));
  const auto found = store->checkpoint("sak").value();
  EXPECT_EQ(found->position, "b");
  EXPECT_EQ(found->saved_micros, 99);
  EXPECT_EQ(found->epoch, 2) << "the rest stays";
}

TEST_F(StoreTest, ChangesOfTablesAreSavedWithThePosition) {
  using Changes = Store::TableChanges;
  auto store = open();
  EXPECT_FALSE(store->save_position("sak", "a", 1, {{"public.a", "1/1/1"}}));
  EXPECT_EQ(store->table_changes("sak").value(), Changes()) << "both or none";
  ASSERT_TRUE(store->save(checkpoint("a"), {}));
  ASSERT_TRUE(store->save_position("sak", "b", 1, {{"public.a", "1/1/1"}, {"public.b", "1/1/3"}}));
  ASSERT_TRUE(store->save_position("sak", "c", 1));
  ASSERT_TRUE(store->save_position("sak", "d", 1, {{"public.a", "1/2/1"}}));
  EXPECT_EQ(open()->table_changes("sak").value(), (Changes{{"public.a", "1/2/1"}, {"public.b", "1/1/3"}}));
  EXPECT_EQ(store->table_changes("other").value(), Changes());
  Changes many;
  for (int i = 0; i < 450; ++i) many.emplace("public.t" + std::to_string(i), std::to_string(i));
  for (const char* position : {"e", "f"}) {
    ASSERT_TRUE(store->save_position("sak", position, 1, many));
    const Changes found = store->table_changes("sak").value();
    EXPECT_EQ(found.size(), 452U);
    EXPECT_EQ(found.at("public.t449"), many.at("public.t449"));
    for (auto& [name, newest] : many) newest += "x";
  }
  ASSERT_TRUE(store->forget_stream("sak"));
  EXPECT_EQ(store->table_changes("sak").value(), Changes());
}

TEST_F(StoreTest, ATableIsReadBackWhole) {
  TableRecord saved = table("public.æøå", TablePhase::kDetached);
  saved.created_micros = 1;
  saved.source_identity = "16385/17001";
  saved.valid_after = "1/16/3";
  saved.reason = "truncated";
  saved.is_refused = true;
  saved.detached_at = "1/17/0";
  saved.since_micros = 2;
  saved.copy_point = "0/16";
  saved.copy_point_micros = 3;
  saved.copy_plan = "rel 1";
  saved.rows_estimated = 4;
  ASSERT_TRUE(open()->save_table(saved));
  const auto found = open()->tables("sak").value();
  ASSERT_EQ(found.size(), 1u);
  const TableRecord& got = found[0];
  EXPECT_EQ(got.source_table, saved.source_table);
  EXPECT_EQ(got.project + got.dataset + got.table, "plandingt");
  EXPECT_EQ(got.phase, TablePhase::kDetached);
  EXPECT_EQ(got.created_micros, 1);
  EXPECT_EQ(got.source_identity, "16385/17001");
  EXPECT_EQ(got.valid_after, "1/16/3");
  EXPECT_EQ(got.generation, 3);
  EXPECT_EQ(got.reason, "truncated");
  EXPECT_TRUE(got.is_refused);
  EXPECT_EQ(got.detached_at, "1/17/0");
  EXPECT_EQ(got.since_micros, 2);
  EXPECT_EQ(got.copy_point, "0/16");
  EXPECT_EQ(got.copy_point_micros, 3);
  EXPECT_EQ(got.copy_plan, "rel 1");
  EXPECT_EQ(got.rows_estimated, 4);
}

TEST_F(StoreTest, FinishedRangesStayFinishedAndLeaveWithTheirCopy) {
  ASSERT_TRUE(
      open()->save_copy(table("public.a", TablePhase::kCopying), {{0, "0-9", 10, false, 0}, {1, "9-", 20, false, 0}}));
  ASSERT_TRUE(open()->finish_range("sak", "public.a", 3, 1, 21));
  auto store = open();
  const auto found = store->ranges("sak", "public.a").value();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_FALSE(found[0].done);
  EXPECT_TRUE(found[1].done);
  EXPECT_EQ(found[1].rows, 21);
  EXPECT_EQ(found[1].range, "9-");
  EXPECT_EQ(found[1].rows_estimated, 20);
  ASSERT_TRUE(store->save_table(table("public.a", TablePhase::kStreaming)));
  EXPECT_TRUE(store->ranges("sak", "public.a").value().empty());
}

TEST_F(StoreTest, WorkOfAnOlderCopyIsVoid) {
  auto store = open();
  ASSERT_TRUE(store->save_copy(table("public.a", TablePhase::kCopying), {{0, "all", 1, false, 0}}));
  EXPECT_EQ(store->finish_range("sak", "public.a", 2, 0, 1).error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(store->ranges("sak", "public.a").value()[0].done);
}

TEST_F(StoreTest, AResyncRequestStaysUntilItIsSettledUnlessRepeatedLater) {
  auto store = open();
  ASSERT_TRUE(store->request_resync({"sak", "public.a", 10}));
  const auto first = store->resync_requests("sak").value();
  ASSERT_EQ(first.size(), 1u);
  ASSERT_TRUE(store->request_resync({"sak", "public.a", 11}));
  ASSERT_TRUE(store->settle_resync(first[0], {table("public.a", TablePhase::kReplacing)}));
  EXPECT_EQ(store->tables("sak").value()[0].phase, TablePhase::kReplacing);
  const auto again = store->resync_requests("sak").value();
  ASSERT_EQ(again.size(), 1u);
  ASSERT_TRUE(store->settle_resync(again[0], {}));
  EXPECT_TRUE(store->resync_requests("sak").value().empty());
}

TEST_F(StoreTest, MadeObjectsOutliveTheStream) {
  auto store = open();
  ASSERT_TRUE(store->save_made("sak", {"slot", "flytt_sak", 5}));
  ASSERT_TRUE(store->save_made("sak", {"slot", "flytt_sak", 6}));
  ASSERT_TRUE(store->save_made("sak", {"publication", "flytt_sak", 5}));
  ASSERT_TRUE(store->save(checkpoint("x"), {table("public.a", TablePhase::kCopying)}));
  ASSERT_TRUE(store->save_facts({"sak", "running"}));
  EXPECT_EQ(store->streams().value(), std::vector<std::string>{"sak"});
  ASSERT_TRUE(store->forget_stream("sak"));
  EXPECT_TRUE(store->streams().value().empty());
  ASSERT_EQ(store->made("sak").value().size(), 2u);
  EXPECT_EQ(store->made("sak").value()[1].made_micros, 5) << "made once";
  ASSERT_TRUE(store->forget_made("sak", {"slot", "flytt_sak"}));
  EXPECT_EQ(store->made("sak").value(), (std::vector<MadeObject>{{"publication", "flytt_sak", 0}}));
}

TEST_F(StoreTest, FactsAreReadByAnotherReader) {
  auto store = open();
  ASSERT_TRUE(store->save_facts({"sak", "failed", "no slot", 1, "0/3", "0/2", "0/1", 10, 20, 30, 40}));
  auto reader = place_->open(Store::Access::kReadOnly);
  ASSERT_TRUE(reader) << reader.error().text();
  const auto facts = (*reader)->facts().value();
  ASSERT_EQ(facts.size(), 1u);
  EXPECT_EQ(facts[0].error, "no slot");
  EXPECT_EQ(facts[0].received + facts[0].saved + facts[0].confirmed, "0/30/20/1");
  EXPECT_EQ(facts[0].rows + facts[0].bytes + facts[0].newest_commit_micros + facts[0].updated_micros, 100);
  EXPECT_FALSE((*reader)->save_facts({"sak", "x"}));
}

SavedLane lane(const std::string& topic, std::int32_t partition, std::int64_t next_offset) {
  return {"sak",
          topic,
          partition,
          "id-1",
          next_offset,
          "projects/p/streams/s",
          true,
          1'699'999'999'999,
          1'700'000'000'000'000};
}

TEST_F(StoreTest, LanesAreSavedTogetherAndReadBackWhole) {
  auto store = open();
  ASSERT_TRUE(store->save_lanes({lane("b", 1, 10), lane("a", 11, 3), lane("a", 2, 5)}));
  ASSERT_TRUE(store->save_lanes({lane("a", 2, 6)}));
  SavedLane other = lane("a", 2, 99);
  other.stream = "other";
  ASSERT_TRUE(store->save_lanes({other}));
  store = open();
  EXPECT_EQ(store->lanes("sak").value(), (std::vector<SavedLane>{lane("a", 2, 6), lane("a", 11, 3), lane("b", 1, 10)}));
  EXPECT_EQ(store->streams().value(), (std::vector<std::string>{"other", "sak"}));
  ASSERT_TRUE(store->forget_lanes("sak", "a"));
  EXPECT_EQ(store->lanes("sak").value(), (std::vector<SavedLane>{lane("b", 1, 10)}));
  ASSERT_TRUE(store->forget_stream("sak"));
  EXPECT_TRUE(store->lanes("sak").value().empty());
  EXPECT_EQ(store->lanes("other").value().size(), 1U);
}

TEST_F(StoreTest, AnOlderFileIsBroughtHereWithWhatItHolds) {
  ASSERT_TRUE(open()->save(checkpoint("place"), {}));
  place_->sql(
      "DROP TABLE lane; DROP TABLE schedule; DROP TABLE schedule_slot; DROP TABLE query_run; DROP TABLE schedule_seen; "
      "DROP TABLE table_change");
  place_->set_format(1);
  {
    auto reader = place_->open(Store::Access::kReadOnly);
    ASSERT_TRUE(reader) << reader.error().text();
    EXPECT_TRUE((*reader)->lanes("sak").value().empty());
    EXPECT_TRUE((*reader)->table_changes("sak").value().empty());
    EXPECT_EQ((*reader)->streams().value(), (std::vector<std::string>{"sak"}));
  }
  auto store = open();
  EXPECT_EQ(store->checkpoint("sak").value()->position, "place");
  ASSERT_TRUE(store->save_lanes({lane("a", 0, 1)}));
  EXPECT_EQ(open()->lanes("sak").value().size(), 1U);
  ASSERT_TRUE(store->save_position("sak", "b", 1, {{"public.a", "1/1/1"}}));
  EXPECT_EQ(open()->table_changes("sak").value().size(), 1U);
}

TEST_F(StoreTest, ANewerFormatIsRefused) {
  open();
  place_->set_format(kFormatVersion + 1);
  const auto refused = place_->open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
}

TEST_F(StoreTest, ThreadsAndTwoConnectionsShareIt) {
  auto one = open();
  auto two = open();
  ASSERT_TRUE(one->save(checkpoint("start"), {}));
  std::vector<CopyRange> ranges;
  for (std::uint32_t i = 0; i < 40; ++i) ranges.push_back({i, "r", 1, false, 0});
  ASSERT_TRUE(one->save_copy(table("public.a", TablePhase::kCopying), ranges));
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        Store& mine = t % 2 == 0 ? *one : *two;
        for (std::uint32_t i = t; i < 40; i += 4) {
          EXPECT_TRUE(mine.finish_range("sak", "public.a", 3, i, i));
          EXPECT_TRUE(mine.save_position("sak", std::to_string(i), 1));
        }
      });
  }
  const auto found = two->ranges("sak", "public.a").value();
  for (const CopyRange& range : found) EXPECT_TRUE(range.done) << range.index;
}

}  // namespace
}  // namespace flytt::state
