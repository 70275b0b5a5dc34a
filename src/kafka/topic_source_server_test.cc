#include "kafka/topic_source.h"

#include <gtest/gtest.h>

#include <set>

#include "kafka/client.h"
#include "kafka/internal/rows_test_support.h"
#include "kafka/internal/scratch_broker.h"

namespace flytt::kafka {
namespace {

using flow::LaneEvent;

constexpr std::int64_t kTimeMs = 1'700'000'000'000;

std::string json(int n) { return "{\"n\":" + std::to_string(n) + "}"; }

// One member of a group, and what it has seen.
struct Reader {
  explicit Reader(TopicSourceOptions given, std::vector<SavedPoint> saved = {}) : options(std::move(given)) {
    auto opened = TopicSource::open(options, std::move(saved), {}, test_clock(), patience());
    if (!opened) ADD_FAILURE() << opened.error().text();
    CHECK(opened.has_value());
    source = std::move(*opened);
  }

  // One look: what a batch brings, confirmed when `confirms`.
  void step() {
    auto batch = source->next(test_clock().in(std::chrono::milliseconds(50)));
    if (!batch) {
      error = batch.error();
      return;
    }
    if (*batch) take(**batch);
    if (confirms && !end.empty()) confirm();
  }
  void take(const flow::Batch& batch) {
    end = batch.end;
    for (const LaneEvent& event : batch.lane_events) {
      events.push_back(event);
      if (event.kind == LaneEvent::Kind::kOpened)
        names[event.lane] = event.topic + "/" + std::to_string(event.partition);
    }
    for (const data::TableSlice& slice : batch.tables) {
      schemas.insert(slice.schema->version.value);
      const auto offset = slice.schema->table.find("_kafka_offset");
      for (std::size_t row = 0; row < slice.row_count(); ++row)
        rows.push_back(names[slice.lane] + "/" + std::to_string(slice.columns[*offset].int64(row)));
      for (std::size_t row = 0; row < slice.row_count(); ++row) sequences.push_back(slice.sequence(row));
      for (const data::Rejection& rejection : slice.rejections) rejected.push_back(rejection.position);
    }
  }
  // Confirms everything that was seen, with a record for each lane if there is one to give.
  void confirm() {
    auto points = flow::decode_points(end.bytes).value();
    for (flow::LanePoint& point : points) point.record = record;
    const Status status = source->confirm({flow::encode_points(points)});
    if (!status) error = status.error();
  }
  template <typename Condition>
  testing::AssertionResult until(Condition&& condition) {
    for (const base::Deadline limit = patience(); !condition();) {
      if (error) return testing::AssertionFailure() << error->text();
      if (test_clock().is_past(limit))
        return testing::AssertionFailure() << rows.size() << " rows, trouble: " << source->progress().trouble;
      step();
    }
    return testing::AssertionSuccess();
  }
  std::size_t count(LaneEvent::Kind kind) const {
    return static_cast<std::size_t>(
        std::count_if(events.begin(), events.end(), [kind](const LaneEvent& e) { return e.kind == kind; }));
  }

  TopicSourceOptions options;
  std::unique_ptr<TopicSource> source;
  bool confirms = true;
  std::string record;
  flow::Position end;
  std::vector<LaneEvent> events;
  std::map<std::uint32_t, std::string> names;
  std::vector<std::string> rows, rejected;
  std::vector<data::Sequence> sequences;
  std::set<std::uint32_t> schemas;
  std::optional<Error> error;
};

class Topics : public ::testing::Test {
 protected:
  Topics() : broker(ScratchBroker::shared()), topic(unique_name("team.topic")) {}

  TopicSourceOptions options(bool declared = true) const {
    TopicSourceOptions out;
    out.connection = broker.settings();
    out.group.id = "group-" + topic;
    out.group.session_timeout = std::chrono::milliseconds(6'000);
    out.group.closing_time = std::chrono::milliseconds(1'500);
    out.topics.include = {topic};
    if (declared) out.payload.fields = {{"n", data::TypeKind::kInt64, true}};
    out.destination = {"p", "d", "t"};
    out.batch_age = std::chrono::milliseconds(20);
    return out;
  }
  // Records in the group are the epoch.
  TopicSourceOptions upsert_options() const {
    TopicSourceOptions out = options();
    out.payload.is_upsert = true;
    out.payload.key_column = PayloadSettings::KeyColumn::kString;
    out.read_record = [](std::string_view record) { return RecordFacts{"", std::stoll(std::string(record))}; };
    return out;
  }
  void produce(int from, int to, std::int32_t partition = 0) {
    std::vector<Produced> messages;
    for (int n = from; n < to; ++n) messages.push_back({json(n), "k" + std::to_string(n), partition, 0});
    broker.produce(topic, messages);
  }
  std::vector<std::string> expected(std::int64_t from, std::int64_t to, std::int32_t partition = 0) const {
    std::vector<std::string> out;
    for (std::int64_t n = from; n < to; ++n)
      out.push_back(topic + "/" + std::to_string(partition) + "/" + std::to_string(n));
    return out;
  }
  // The group's places, "partition:offset:record".
  std::string committed() const {
    auto client = Client::open(broker.settings(), test_clock()).value();
    const auto topics = client->topics({{topic}, {}}, patience()).value();
    const auto lags = client->lag("group-" + topic, topics, patience()).value();
    std::string out;
    for (const PartitionLag& lag : lags)
      if (lag.committed >= 0)
        out += (out.empty() ? "" : " ") + std::to_string(lag.range.partition) + ":" + std::to_string(lag.committed) +
               ":" + lag.record;
    return out;
  }

  ScratchBroker& broker;
  const std::string topic;
};

TEST_F(Topics, are_listed_sampled_and_measured) {
  broker.create_topic(topic, 2);
  produce(0, 5, 0);
  produce(0, 3, 1);
  auto client = Client::open(broker.settings(), test_clock()).value();
  const auto found = client->topics({{topic, "team.top?c-nothing*"}, {}}, patience());
  ASSERT_TRUE(found) << found.error().text();
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().partition_count, 2);
  EXPECT_TRUE(client->topics({{"team.*"}, {topic}}, patience()).has_value());
  const auto missing = client->topics({{"no-such-topic"}, {}}, patience());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(missing.error().text().find("no-such-topic"), std::string::npos);
  const auto ranges = client->ranges(*found, patience()).value();
  EXPECT_EQ(ranges[0].end, 5);
  EXPECT_EQ(ranges[1].end, 3);
  EXPECT_EQ(client->sample(found->front(), 4, patience()).value().size(), 4u);
  broker.set_offset("g-" + topic, topic, 0, 2);
  const auto lag = client->lag("g-" + topic, *found, patience()).value();
  EXPECT_EQ(lag[0].lag(), 3);
  EXPECT_EQ(lag[1].committed, -1);
  EXPECT_EQ(lag[1].lag(), 3);
  ConnectionSettings wrong = broker.settings();
  wrong.brokers = "127.0.0.1:1";
  const auto away =
      Client::open(wrong, test_clock()).value()->topics({{topic}, {}}, test_clock().in(std::chrono::milliseconds(300)));
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code(), ErrorCode::kUnavailable) << away.error().text();
}

TEST_F(Topics, come_from_their_earliest_message_and_go_on_where_the_group_stands) {
  broker.create_topic(topic, 1);
  produce(0, 100);
  broker.produce(topic, {{"poison", std::nullopt}});
  {
    Reader reader(options());
    ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 100 && reader.rejected.size() == 1; }));
    EXPECT_EQ(reader.rows, expected(0, 100));
    EXPECT_EQ(reader.rejected.front(), topic + "/0/100");
    ASSERT_EQ(reader.events.size(), 1u);
    EXPECT_EQ(reader.events[0].next_offset, 0);
    reader.confirm();
  }
  EXPECT_EQ(committed(), "0:101:");
  produce(101, 110);
  Reader again(options());
  ASSERT_TRUE(again.until([&] { return again.rows.size() == 9; }));
  EXPECT_EQ(again.rows, expected(101, 110));
}

TEST_F(Topics, wait_for_a_record_that_the_group_then_keeps) {
  broker.create_topic(topic, 1);
  produce(0, 10);
  TopicSourceOptions exactly = options();
  exactly.waits_for_record = true;
  {
    Reader reader(exactly);
    ASSERT_TRUE(reader.until([&] { return !reader.events.empty(); }));
    for (int i = 0; i < 10; ++i) reader.step();  // confirmations without a record open nothing
    EXPECT_TRUE(reader.rows.empty());
    EXPECT_TRUE(reader.source->progress().lanes.at(0).is_waiting);
    reader.record = std::string("stream\0one", 10);
    ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 10; }));
    EXPECT_EQ(reader.rows, expected(0, 10));
    reader.confirm();
  }
  EXPECT_EQ(committed(), "0:10:" + std::string("stream\0one", 10));
  produce(10, 15);
  Reader again(exactly);
  ASSERT_TRUE(again.until([&] { return !again.events.empty(); }));
  EXPECT_EQ(again.events[0].next_offset, 10);
  EXPECT_EQ(again.events[0].record, std::string("stream\0one", 10));
  again.record = "two";
  ASSERT_TRUE(again.until([&] { return again.rows.size() == 5; }));
}

TEST_F(Topics, begin_at_the_further_of_both_places) {
  broker.create_topic(topic, 2);
  produce(0, 10, 0);
  produce(0, 10, 1);
  broker.set_offset("group-" + topic, topic, 0, 3);
  broker.set_offset("group-" + topic, topic, 1, 8);
  Reader reader(options(), {{topic, 0, "", 5, "ours"}, {topic, 1, "", 5, "old"}});
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 7; }));
  for (const LaneEvent& event : reader.events) {
    EXPECT_EQ(event.next_offset, event.partition == 0 ? 5 : 8);
    EXPECT_EQ(event.record, event.partition == 0 ? "ours" : "");
  }
}

TEST_F(Topics, show_nothing_of_aborted_transactions_and_pass_over_gaps) {
  broker.create_topic(topic, 1);
  produce(0, 2);
  broker.transaction(topic, {{json(2), "k"}, {json(3), "k"}}, false);
  broker.transaction(topic, {{json(4), "k"}}, true);
  broker.transaction(topic, {{json(5), "k"}}, false);
  Reader reader(options());
  ASSERT_TRUE(
      reader.until([&] { return reader.rows.size() == 3 && reader.source->progress().lanes.at(0).next_offset == 9; }));
  std::vector<std::string> wanted = expected(0, 2);
  wanted.push_back(topic + "/0/5");
  EXPECT_EQ(reader.rows, wanted);
  // What is only control records is confirmed as well.
  ASSERT_TRUE(reader.until([&] { return reader.source->progress().lanes.at(0).confirmed == 9; }));
}

TEST_F(Topics, move_between_members_without_loss_or_repetition) {
  broker.create_topic(topic, 4);
  for (int p = 0; p < 4; ++p) produce(0, 200, p);
  Reader first(options());
  ASSERT_TRUE(first.until([&] { return first.rows.size() == 800; }));
  auto second = std::make_unique<Reader>(options());
  ASSERT_TRUE(second->until([&] {
    first.step();
    return second->count(LaneEvent::Kind::kOpened) == 2;
  }));
  EXPECT_EQ(first.count(LaneEvent::Kind::kClosing), 2u);
  EXPECT_EQ(first.source->progress().lanes.size(), 2u);
  for (int p = 0; p < 4; ++p) produce(200, 300, p);
  ASSERT_TRUE(second->until([&] {
    first.step();
    return first.rows.size() + second->rows.size() == 1'200;
  }));
  std::set<std::string> all(first.rows.begin(), first.rows.end());
  all.insert(second->rows.begin(), second->rows.end());
  EXPECT_EQ(all.size(), 1'200u);
  EXPECT_EQ(second->rows.size(), 200u);
  for (const LaneEvent& event : second->events) EXPECT_EQ(event.next_offset, 200);
  second.reset();  // leaves: its partitions come back, under new numbers
  for (int p = 0; p < 4; ++p) produce(300, 310, p);
  ASSERT_TRUE(first.until([&] { return first.rows.size() == 1'040; }));
  EXPECT_EQ(first.events.back().lane, 5u);
}

TEST_F(Topics, give_up_a_lane_when_its_rows_are_durable_or_at_the_deadline) {
  broker.create_topic(topic, 2);
  for (int p = 0; p < 2; ++p) produce(0, 10, p);
  Reader first(options());
  first.confirms = false;
  ASSERT_TRUE(first.until([&] { return first.rows.size() == 20; }));
  Reader second(options());
  ASSERT_TRUE(second.until([&] {
    first.step();
    return second.count(LaneEvent::Kind::kOpened) == 1;
  }));
  ASSERT_EQ(first.count(LaneEvent::Kind::kClosing), 1u);
  // Nothing was confirmed, so the next owner reads everything again.
  EXPECT_EQ(second.events.back().next_offset, 0);
  ASSERT_TRUE(second.until([&] {
    first.step();
    return second.rows.size() == 10;
  }));
}

TEST_F(Topics, stay_with_a_member_whose_batches_nobody_takes) {
  broker.create_topic(topic, 1);
  produce(0, 10);
  TopicSourceOptions patient = options();
  patient.group.poll_interval_max = std::chrono::milliseconds(6'000);
  Reader reader(patient);
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 10; }));
  produce(10, 20);
  // Longer than the poll interval, only confirmations.
  for (const base::Deadline limit = test_clock().in(std::chrono::milliseconds(8'000)); !test_clock().is_past(limit);) {
    reader.confirm();
    ASSERT_FALSE(reader.error) << reader.error->text();
  }
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 20; }));
  EXPECT_EQ(reader.rows, expected(0, 20));
  EXPECT_EQ(reader.events.size(), 1u) << "the partition was never lost";
}

TEST_F(Topics, tell_a_member_that_it_has_lost_its_partitions) {
  broker.create_topic(topic, 1);
  produce(0, 10);
  TopicSourceOptions patient = options();
  patient.group.poll_interval_max = std::chrono::milliseconds(6'000);
  Reader first(patient);
  ASSERT_TRUE(first.until([&] { return first.rows.size() == 10; }));
  // The first member is silent until the group gives its partition to the second, which may then be silent itself for longer
  // than a loaded machine takes.
  Reader second(options());
  ASSERT_TRUE(second.until([&] { return second.count(LaneEvent::Kind::kOpened) == 1; }));
  ASSERT_TRUE(first.until([&] { return first.count(LaneEvent::Kind::kLost) == 1; }));
  EXPECT_TRUE(first.source->progress().lanes.empty());
  produce(10, 12);
  ASSERT_TRUE(second.until([&] {
    first.step();
    return second.rows.size() >= 2 && second.rows.back() == topic + "/0/11";
  }));
}

TEST_F(Topics, that_lost_the_remembered_place_say_so_with_the_choices) {
  broker.create_topic(topic, 1);
  produce(0, 10);
  const auto fails = [&](std::int64_t place) {
    Reader reader(options(), {{topic, 0, "", place, "r"}});
    for (const base::Deadline limit = patience(); !reader.error && !test_clock().is_past(limit);) reader.step();
    CHECK(reader.error.has_value());
    return *reader.error;
  };
  const Error beyond = fails(50);
  EXPECT_EQ(beyond.retry(), base::Retry::kAfterOperator);
  EXPECT_NE(beyond.text().find(topic + "/0 is not there: it holds offsets 0 to 10"), std::string::npos)
      << beyond.text();
  EXPECT_NE(beyond.text().find("made anew"), std::string::npos);
  broker.delete_messages(topic, 0, 6);
  EXPECT_NE(fails(2).text().find("have been deleted"), std::string::npos);
  TopicSourceOptions chosen = options();
  chosen.lost = LostPlace::kEarliest;
  Reader reader(chosen, {{topic, 0, "", 2, "r"}});
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 4; }));
  EXPECT_EQ(reader.rows, expected(6, 10));
  EXPECT_EQ(reader.events[0].record, "r") << "nobody could stop whoever writes there";
}
TEST_F(Topics, that_use_offsets_again_leave_no_choice_where_rows_are_told_apart_by_them) {
  broker.create_topic(topic, 1);
  produce(0, 10);
  TopicSourceOptions chosen = options();
  chosen.lost = LostPlace::kEarliest;
  const auto fails = [&](const TopicSourceOptions& how) {
    Reader reader(how, {{topic, 0, "", 50, "r"}});
    for (const base::Deadline limit = patience(); !reader.error && !test_clock().is_past(limit);) reader.step();
    return reader.error ? reader.error->text() : std::string();
  };
  TopicSourceOptions once = chosen;
  once.waits_for_record = true;
  EXPECT_NE(fails(once).find("a stream of another name"), std::string::npos);
  TopicSourceOptions upsert = chosen;
  upsert.payload.is_upsert = true;
  EXPECT_NE(fails(upsert).find("a stream of another name"), std::string::npos);
  Reader reader(chosen, {{topic, 0, "", 50, "r"}});
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 10; })) << "at least once: it is read again";
}

TEST_F(Topics, that_were_made_anew_are_another_topic) {
  broker.create_topic(topic, 1);
  produce(0, 10);
  TopicSourceOptions given = options();
  given.read_record = [](std::string_view record) { return RecordFacts{std::string(record), 0}; };
  std::string old_id;
  {
    Reader reader(given);
    ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 10; }));
    old_id = reader.events[0].topic_id;
    EXPECT_FALSE(old_id.empty());
    reader.record = old_id;
    reader.confirm();
  }
  EXPECT_EQ(committed(), "0:10:" + old_id);
  broker.delete_topic(topic);
  broker.create_topic(topic, 1);
  produce(0, 20);  // more than there were
  const auto fails = [&](const TopicSourceOptions& how, std::vector<SavedPoint> saved) {
    Reader reader(how, std::move(saved));
    for (const base::Deadline limit = patience(); !reader.error && !test_clock().is_past(limit);) reader.step();
    CHECK(reader.error.has_value());
    EXPECT_EQ(reader.error->retry(), base::Retry::kAfterOperator);
    EXPECT_TRUE(reader.rows.empty());
    return reader.error->text();
  };
  const std::vector<SavedPoint> ours{{topic, 0, old_id, 10, "r"}};
  EXPECT_EQ(committed(), "") << "the broker forgets the places of a topic that is deleted";
  broker.set_offset(given.group.id, topic, 0, 10, old_id);  // as a member does that has not noticed yet
  EXPECT_NE(fails(given, {}).find(topic + " was deleted and made anew"), std::string::npos) << "by the group's record";
  EXPECT_NE(fails(given, ours).find("made anew"), std::string::npos);
  broker.set_offset(given.group.id, topic, 0, 5);  // without a record: nothing is known of it
  EXPECT_NE(fails(given, ours).find("made anew"), std::string::npos) << "by our own";
  TopicSourceOptions chosen = given;
  chosen.lost = LostPlace::kEarliest;
  Reader reader(chosen, ours);
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 20; }));
  EXPECT_EQ(reader.rows, expected(0, 20));
  EXPECT_EQ(reader.events[0].record, "");
  EXPECT_NE(reader.events[0].topic_id, old_id);
  reader.source.reset();
  const auto id = reader.events[0].topic_id;
  broker.set_offset(given.group.id, topic, 0, 7);
  Reader old(given, {{topic, 0, "", 12, "r"}});  // a place that was saved without an id
  ASSERT_TRUE(old.until([&] { return old.rows.size() == 8; }));
  Reader known(given, {{topic, 0, id, 13, "r"}});
  EXPECT_FALSE(known.error);
}

TEST_F(Topics, that_are_made_anew_while_they_are_read_are_noticed) {
  broker.create_topic(topic, 1);
  produce(0, 10);
  Reader reader(options());
  TopicSourceOptions second = upsert_options();
  second.group.id += "-upsert";
  Reader upsert(second);
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 10; }));
  ASSERT_TRUE(upsert.until([&] { return upsert.rows.size() == 10; }));
  broker.delete_topic(topic);
  broker.create_topic(topic, 1);
  produce(0, 20);
  for (const base::Deadline limit = patience(); !(reader.error && upsert.error) && !test_clock().is_past(limit);)
    for (Reader* one : {&reader, &upsert})
      if (!one->error) one->step();
  for (const Reader* one : {&reader, &upsert}) {
    ASSERT_TRUE(one->error.has_value());
    EXPECT_EQ(one->error->code(), ErrorCode::kConflict) << one->error->text();
    EXPECT_NE(one->error->text().find("made anew"), std::string::npos);
  }
  EXPECT_EQ(reader.error->retry(), base::Retry::kAfterOperator);
  EXPECT_EQ(upsert.error->retry(), base::Retry::kAfterBackoff) << "it goes on with the new topic by itself";
}

TEST_F(Topics, of_upserts_that_were_made_anew_are_read_from_their_first_message_and_win) {
  broker.create_topic(topic, 1);
  broker.produce(topic, {{json(0), "k", 0, kTimeMs}});
  const auto ids = Client::open(options().connection, test_clock()).value()->topic_ids({topic}, patience());
  const std::string old_id = ids.value().at(topic);
  broker.delete_topic(topic);
  broker.create_topic(topic, 1);
  broker.produce(topic, {{json(1), "k", 0, kTimeMs - 50}, {json(2), "k", 0, kTimeMs + 50}});
  Reader reader(upsert_options(), {{topic, 0, old_id, 1, "", kTimeMs}});
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 2; }));
  EXPECT_EQ(reader.rows, expected(0, 2));
  EXPECT_EQ(reader.events[0].record, "");
  const data::Sequence last_of_old = data::Sequence::of(2, kTimeMs, 0);
  EXPECT_TRUE(last_of_old < reader.sequences[0]) << "also where its time is older";
  EXPECT_EQ(reader.sequences[1], data::Sequence::of(2, kTimeMs + 50, 1));
}

TEST_F(Topics, of_upserts_go_on_with_the_epoch_that_was_stored) {
  broker.create_topic(topic, 2);
  broker.produce(topic, {{json(0), "a", 0, kTimeMs}, {json(1), "b", 0, kTimeMs - 100}, {json(2), "c", 1, kTimeMs - 7}});
  const TopicSourceOptions upsert = upsert_options();
  const auto sequence = [](std::int64_t epoch, std::uint64_t offset) {
    return data::Sequence::of(2, static_cast<std::uint64_t>(epoch), offset);
  };
  const auto newest_of = [](const Reader& reader, const std::string& row) {
    const auto found = std::find(reader.rows.begin(), reader.rows.end(), row) - reader.rows.begin();
    return reader.sequences[static_cast<std::size_t>(found)];
  };
  {
    Reader reader(upsert);
    ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 3; }));
    EXPECT_EQ(newest_of(reader, topic + "/0/0"), sequence(kTimeMs, 0));
    EXPECT_EQ(newest_of(reader, topic + "/0/1"), sequence(kTimeMs, 1)) << "the order of the offsets";
    EXPECT_EQ(newest_of(reader, topic + "/1/0"), sequence(kTimeMs - 7, 0)) << "each partition has its own";
    std::vector<std::int64_t> epochs;
    for (const flow::LanePoint& point : flow::decode_points(reader.end.bytes).value()) epochs.push_back(point.epoch);
    std::sort(epochs.begin(), epochs.end());
    EXPECT_EQ(epochs, (std::vector<std::int64_t>{kTimeMs - 7, kTimeMs}));
  }
  broker.set_offset(upsert.group.id, topic, 0, 2, std::to_string(kTimeMs));
  broker.produce(topic, {{json(3), "a", 0, kTimeMs - 50}});
  {
    Reader reader(upsert);
    ASSERT_TRUE(reader.until([&] { return !reader.rows.empty(); }));
    EXPECT_EQ(newest_of(reader, topic + "/0/2"), sequence(kTimeMs, 2)) << "by the group's record";
  }
  broker.set_offset(upsert.group.id, topic, 0, 2);
  Reader reader(upsert, {{topic, 0, "", 2, "", kTimeMs + 9}});
  ASSERT_TRUE(reader.until([&] { return !reader.rows.empty(); }));
  EXPECT_EQ(newest_of(reader, topic + "/0/2"), sequence(kTimeMs + 9, 2)) << "by what we have saved";
  reader.source.reset();
  TopicSourceOptions append = upsert;
  append.payload.is_upsert = false;
  broker.set_offset(upsert.group.id, topic, 0, 2, std::to_string(kTimeMs));
  Reader other(append, {{topic, 0, "", 2, "", kTimeMs + 9}});
  ASSERT_TRUE(other.until([&] { return !other.rows.empty(); }));
  EXPECT_EQ(other.events[0].epoch + other.events[1].epoch, 0) << "rows without a key have no order";
}

TEST_F(Topics, that_grew_while_a_static_member_was_away_are_read_whole) {
  broker.create_topic(topic, 1);
  produce(0, 3);
  TopicSourceOptions fixed = options();
  fixed.group.instance_id = "member-" + topic;  // and it does not leave at its end, as one that is killed
  {
    Reader reader(fixed);
    ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 3; }));
  }
  broker.add_partitions(topic, 2);
  produce(0, 4, 1);
  {
    Reader reader(fixed);
    for (const base::Deadline limit = patience(); !reader.error && !test_clock().is_past(limit);) reader.step();
    ASSERT_TRUE(reader.error.has_value()) << "the group gives it what it had, and nobody looks for more";
    EXPECT_NE(reader.error->text().find("reads partition " + topic + "/1"), std::string::npos) << reader.error->text();
    EXPECT_EQ(reader.error->retry(), base::Retry::kAfterBackoff);
  }
  Reader reader(fixed);
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 4; }));
  EXPECT_EQ(reader.rows, expected(0, 4, 1));
}

TEST_F(Topics, without_a_remembered_place_follow_the_policy) {
  broker.create_topic(topic, 1);
  produce(0, 10);
  TopicSourceOptions latest = options();
  latest.start = StartPlace::kLatest;
  {
    Reader reader(latest);
    ASSERT_TRUE(reader.until([&] { return !reader.events.empty(); }));
    EXPECT_EQ(reader.events[0].next_offset, 10);
    produce(10, 12);
    ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 2; }));
  }
  TopicSourceOptions none = options();
  none.group.id += "-other";
  none.start = StartPlace::kError;
  Reader reader(none);
  for (const base::Deadline limit = patience(); !reader.error && !test_clock().is_past(limit);) reader.step();
  ASSERT_TRUE(reader.error.has_value());
  EXPECT_EQ(reader.error->code(), ErrorCode::kNotFound);
}

TEST_F(Topics, without_a_schema_show_it_before_their_rows_and_grow) {
  broker.create_topic(topic, 1);
  produce(0, 3);
  TopicSourceOptions inferred = options(false);
  inferred.destination.table.clear();
  Reader reader(inferred);
  ASSERT_TRUE(reader.until([&] { return !reader.events.empty(); }));
  EXPECT_EQ(reader.schemas, (std::set<std::uint32_t>{1}));
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 3; }));
  broker.produce(topic, {{R"({"n":1,"more":"x"})", std::nullopt}});
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 4; }));
  EXPECT_EQ(reader.schemas, (std::set<std::uint32_t>{1, 2}));
}

TEST_F(Topics, survive_a_broker_that_is_away) {
  broker.create_topic(topic, 1);
  produce(0, 5);
  Reader reader(options());
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 5; }));
  broker.suspend();
  for (int i = 0; i < 20; ++i) reader.step();
  broker.resume();
  ASSERT_FALSE(reader.error) << reader.error->text();
  produce(5, 10);
  ASSERT_TRUE(reader.until([&] { return reader.rows.size() == 10; }));
  EXPECT_EQ(reader.rows, expected(0, 10));
}

TEST_F(Topics, that_do_not_exist_are_named) {
  TopicSourceOptions missing = options();
  auto opened = TopicSource::open(missing, {}, {}, test_clock(), patience());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kNotFound);
  missing.waits_for_record = true;
  missing.payload.offset_column = false;
  EXPECT_EQ(TopicSource::open(missing, {}, {}, test_clock(), patience()).error().code(), ErrorCode::kConfig);
}

}  // namespace
}  // namespace flytt::kafka
