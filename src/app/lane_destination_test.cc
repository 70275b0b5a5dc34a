// Lanes against the embedded warehouse itself: our client, our gateway and our tables must mean the same by "exactly once".

#include <algorithm>
#include <thread>

#include "app/internal/test_support.h"
#include "flow/lanes.h"
#include "pipeline/quarantine.h"

namespace flytt::app {
namespace {

const data::TablePath kPath{"team", "landing", "events"};

class LaneDestinationTest : public test::WarehouseFixture {
 protected:
  void SetUp() override {
    WarehouseFixture::SetUp();
    destination_ = std::make_unique<BigQueryDestination>(
        BigQueryDestination::Parts{access_, clock_, metrics_, "US", 0, std::size_t{8} << 20});
    auto schema = std::make_shared<data::SliceSchema>();
    schema->source_table = "events";
    schema->destination = kPath;
    schema->table.fields = {{"value", data::Type(data::TypeKind::kString), false, ""},
                            {"_kafka_topic", data::Type(data::TypeKind::kString), true, ""},
                            {"_kafka_partition", data::Type(data::TypeKind::kInt64), true, ""},
                            {"_kafka_offset", data::Type(data::TypeKind::kInt64), true, ""}};
    schema_ = schema;
    ASSERT_TRUE(destination_->ensure_dataset("team", "landing"));
    ASSERT_TRUE(destination_->create_table(*schema_));
  }
  void TearDown() override {
    destination_.reset();
    WarehouseFixture::TearDown();
  }

  data::TableSlice slice(std::uint32_t lane, std::int32_t partition, std::int64_t from, std::int64_t to) {
    data::TableSlice out(schema_);
    out.lane = lane;
    for (std::int64_t offset = from; offset < to; ++offset) {
      out.columns[0].append_bytes("x");
      out.columns[1].append_bytes("team.hendelser-v1");
      out.columns[2].append_int64(partition);
      out.columns[3].append_int64(offset);
    }
    out.sequences = {data::Sequence{}};
    return out;
  }
  std::string stream() {
    auto made = destination_->create_write_stream(kPath);
    EXPECT_TRUE(made) << made.error().text();
    return made ? *made : std::string();
  }
  void write(pipeline::TableSink& sink, std::uint64_t sequence, data::TableSlice rows) {
    flow::Batch batch;
    batch.sequence = flow::BatchSequence(sequence);
    batch.tables.push_back(std::move(rows));
    ASSERT_TRUE(sink.submit(batch, clock_.in(std::chrono::seconds(20))));
    for (;;) {
      auto receipts = sink.collect(clock_.in(std::chrono::seconds(20)));
      ASSERT_TRUE(receipts) << receipts.error().text();
      if (!receipts->empty()) return;
    }
  }
  std::string held(std::int32_t partition, std::int64_t from) {
    const auto ranges = destination_->held_offsets(kPath, "team.hendelser-v1", partition, from);
    EXPECT_TRUE(ranges) << ranges.error().text();
    std::string text;
    for (const pipeline::OffsetRange& range : *ranges)
      text += std::to_string(range.first) + "-" + std::to_string(range.last) + " ";
    return text;
  }

  std::unique_ptr<BigQueryDestination> destination_;
  std::shared_ptr<const data::SliceSchema> schema_;
};

TEST_F(LaneDestinationTest, RowsOfLanesAreThereWhenTheyAreAnsweredAndAreFoundByTheirOffsets) {
  auto sink = destination_->open_sink();
  ASSERT_TRUE(sink);
  (*sink)->open_lane(1, kPath, stream());
  (*sink)->open_lane(2, kPath, stream());
  write(**sink, 0, slice(1, 0, 10, 20));
  EXPECT_EQ(held(0, 0), "10-19 ");
  write(**sink, 1, slice(1, 0, 25, 30));
  write(**sink, 2, slice(2, 1, 0, 5));
  EXPECT_EQ(held(0, 0), "10-19 25-29 ");
  EXPECT_EQ(held(0, 15), "15-19 25-29 ");
  EXPECT_EQ(held(1, 0), "0-4 ");
  EXPECT_EQ(held(2, 0), "");
  EXPECT_TRUE((*sink)->take_lost().empty());
}

TEST_F(LaneDestinationTest, AFinalStreamTakesNothingFromItsOldOwner) {
  auto old_owner = destination_->open_sink();
  auto new_owner = destination_->open_sink();
  ASSERT_TRUE(old_owner && new_owner);
  const std::string first = stream();
  (*old_owner)->open_lane(1, kPath, first);
  write(**old_owner, 0, slice(1, 0, 0, 10));
  ASSERT_TRUE(destination_->finalize_write_stream(first));
  ASSERT_TRUE(destination_->finalize_write_stream(first)) << "it may be repeated";
  (*new_owner)->open_lane(1, kPath, stream());
  write(**old_owner, 1, slice(1, 0, 10, 20));
  EXPECT_EQ((*old_owner)->take_lost().size(), 1U);
  write(**new_owner, 0, slice(1, 0, 10, 20));
  EXPECT_EQ(held(0, 0), "0-19 ");
  EXPECT_TRUE((*new_owner)->take_lost().empty());
}

TEST_F(LaneDestinationTest, NamesOfStreamsAreKeptByLane) {
  const auto noted = [&](const data::TablePath& table, const std::string& topic, std::int32_t partition) {
    auto names = destination_->noted_write_streams({table, topic, partition});
    EXPECT_TRUE(names) << names.error().text();
    std::sort(names->begin(), names->end());
    return *names;
  };
  using Names = std::vector<std::string>;
  data::TablePath other = kPath;
  other.table = "other";
  EXPECT_EQ(noted(kPath, "team.hendelser-v1", 0), Names{}) << "before anything was noted";
  ASSERT_TRUE(destination_->note_write_stream({kPath, "team.hendelser-v1", 0}, "a"));
  ASSERT_TRUE(destination_->note_write_stream({kPath, "team.hendelser-v1", 0}, "b'\\"));
  ASSERT_TRUE(destination_->note_write_stream({kPath, "team.hendelser-v1", 0}, "a"));
  ASSERT_TRUE(destination_->note_write_stream({kPath, "team.hendelser-v1", 1}, "c"));
  EXPECT_EQ(noted(kPath, "team.hendelser-v1", 0), (Names{"a", "b'\\"}));
  EXPECT_EQ(noted(kPath, "team.hendelser-v1", 1), Names{"c"});
  EXPECT_EQ(noted(kPath, "team.hendelser-v2", 1), Names{});
  EXPECT_EQ(noted(other, "team.hendelser-v1", 0), Names{});
  const data::TablePath lanes{kPath.project, kPath.dataset, std::string(pipeline::kLanesTable)};
  ASSERT_TRUE(access_.client->delete_table(lanes));
  const Status away = destination_->note_write_stream({kPath, "team.hendelser-v1", 0}, "d");
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().retry(), base::Retry::kAfterBackoff);
  ASSERT_TRUE(destination_->note_write_stream({kPath, "team.hendelser-v1", 0}, "d")) << "it is made again";
}

TEST_F(LaneDestinationTest, AnOlderQuarantineGetsTheColumnsOfNow) {
  data::TableSchema older = pipeline::Quarantine::table_schema();
  older.fields.resize(*older.find("sequence"));
  const data::TablePath path{"team", "landing", std::string(pipeline::kQuarantineTable)};
  ASSERT_TRUE(destination_->create_table({path.table, data::SchemaVersion(1), older, path}));
  ASSERT_TRUE(access_.client->insert_row(
      path, R"({"source":"s","table":"t","position":"t/0/1","column":"","key":"","attempts":3})"));
  pipeline::Quarantine quarantine("s", *destination_, clock_);
  const auto made = quarantine.beside(kPath);
  ASSERT_TRUE(made) << made.error().text();
  bigquery::QueryRequest request;
  request.project = "team";
  request.sql = "SELECT attempts, message_time IS NULL, ARRAY_LENGTH(message_headers) FROM landing._flytt_quarantine";
  auto result = access_.client->query(request);
  ASSERT_TRUE(result) << result.error().text();
  const auto rows = result->next_page();
  ASSERT_TRUE(rows && rows->size() == 1);
  EXPECT_EQ(rows->front()[0].text, "3");
  EXPECT_EQ(rows->front()[1].text, "true");
  EXPECT_EQ(rows->front()[2].text, "0");
}

TEST_F(LaneDestinationTest, AStreamThatIsNotThereIsEndedAndTakesNothing) {
  ASSERT_TRUE(destination_->finalize_write_stream("projects/team/datasets/landing/tables/events/streams/none"));
  auto sink = destination_->open_sink();
  ASSERT_TRUE(sink);
  (*sink)->open_lane(1, kPath, "projects/team/datasets/landing/tables/events/streams/none");
  write(**sink, 0, slice(1, 0, 0, 3));
  EXPECT_EQ((*sink)->take_lost().size(), 1U);
  EXPECT_EQ(held(0, 0), "");
}

TEST_F(LaneDestinationTest, columns_that_are_added_by_several_at_once_are_all_there) {
  std::vector<Status> outcomes(8);
  {
    std::vector<std::jthread> writers;
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      writers.emplace_back([this, i, &outcomes] {
        for (int round = 0; round < 5 && outcomes[i]; ++round)
          outcomes[i] = destination_->add_columns(
              kPath, {{"shared" + std::to_string(round), data::Type(data::TypeKind::kInt64), false, ""},
                      {"own" + std::to_string(i) + "_" + std::to_string(round), data::Type(data::TypeKind::kString),
                       false, ""}});
      });
  }
  for (const Status& outcome : outcomes) EXPECT_TRUE(outcome) << outcome.error().text();
  const auto table = destination_->table(kPath);
  ASSERT_TRUE(table && *table);
  EXPECT_EQ((*table)->schema.fields.size(), schema_->table.fields.size() + 5 + 8 * 5);
}

}  // namespace
}  // namespace flytt::app
