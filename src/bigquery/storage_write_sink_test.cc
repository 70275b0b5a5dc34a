#include "bigquery/storage_write_sink.h"

#include <gtest/gtest.h>

#include "base/failpoint.h"
#include "bigquery/internal/scripted_peer.h"
#include "bigquery/storage_channel.h"
#include "wire/decoded_columns.h"
#include "wire/grpc_channel_native.h"
#include "wire/row_decoder.h"

namespace flytt::bigquery {
namespace {

using data::Type;
using data::TypeKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = PeerStep::Kind;

std::shared_ptr<const data::SliceSchema> person(const std::string& table = "t", bool with_age = false) {
  auto schema = std::make_shared<data::SliceSchema>();
  schema->source_table = "public." + table;
  schema->destination = {"p", "d", table};
  schema->table.fields = {{"id", Type(TypeKind::kInt64), true, ""}, {"name", Type(TypeKind::kString), false, ""}};
  if (with_age) schema->table.fields.push_back({"age", Type(TypeKind::kInt64), false, ""});
  schema->table.key = {0};
  return schema;
}

data::TableSlice slice(const std::shared_ptr<const data::SliceSchema>& schema, std::int64_t from, std::int64_t count,
                       std::size_t name_size = 5) {
  data::TableSlice out(schema);
  for (std::int64_t id = from; id < from + count; ++id) {
    out.columns[0].append_int64(id);
    out.columns[1].append_bytes(std::string(name_size, 'x'));
    if (out.columns.size() > 2) out.columns[2].append_null();
  }
  out.sequences = {data::Sequence::of(1, 0x10, 7)};
  return out;
}

flow::Batch batch_of(std::uint64_t sequence, std::vector<data::TableSlice> slices) {
  flow::Batch batch;
  batch.sequence = flow::BatchSequence(sequence);
  batch.tables = std::move(slices);
  return batch;
}

class FixedToken final : public Credentials {
 public:
  Result<base::Secret> token() override {
    if (failures_left-- > 0) return Error(failure, "no token");
    return base::Secret("a-token");
  }
  std::string name() const override { return "somebody"; }
  std::string quota_project() const override { return "billed"; }

  int failures_left = 0;
  ErrorCode failure = ErrorCode::kUnavailable;
};

class SinkTest : public ::testing::Test {
 protected:
  StorageWriteOptions quick() {
    StorageWriteOptions options;
    options.backoff_min = milliseconds(1);
    options.backoff_max = milliseconds(4);
    options.throttle_backoff_min = milliseconds(1);
    options.throttle_backoff_max = milliseconds(4);
    return options;
  }
  void open(StorageWriteOptions options) {
    auto channel = make_storage_channel(peer.address());
    ASSERT_TRUE(channel);
    sink = StorageWriteSink::make({*channel, credentials, clock, random, metrics}, std::move(options));
  }
  base::Deadline soon() { return clock.in(seconds(20)); }
  void submit(std::uint64_t sequence, std::vector<data::TableSlice> slices) {
    flow::Batch batch = batch_of(sequence, std::move(slices));
    const Status taken = sink->submit(batch, soon());
    ASSERT_TRUE(taken) << taken.error().text();
  }
  // Sequences of receipts, in the order of arrival, until there are `count`.
  std::vector<std::uint64_t> receipts(std::size_t count) {
    std::vector<std::uint64_t> out;
    while (out.size() < count) {
      auto more = sink->collect(soon());
      if (!more || more->empty()) {
        ADD_FAILURE() << (more ? "no receipt in time" : more.error().text());
        return out;
      }
      for (const flow::Receipt& receipt : *more) out.push_back(receipt.sequence.value);
    }
    return out;
  }
  std::vector<TableFailure> failures() {
    for (;;) {
      auto more = sink->collect(soon());
      EXPECT_TRUE(more) << more.error().text();
      auto out = sink->take_failures();
      if (!out.empty() || !more) return out;
    }
  }
  std::vector<RefusedRow> refused() {
    for (;;) {
      auto more = sink->collect(soon());
      EXPECT_TRUE(more) << more.error().text();
      EXPECT_TRUE(!more || more->empty()) << "a receipt before its refused rows";
      auto out = sink->take_refused();
      if (!out.empty() || !more) return out;
    }
  }

  base::SystemClock clock;
  base::SeededRandom random{1};
  base::Metrics metrics;
  FixedToken credentials;
  ScriptedPeer peer;
  std::unique_ptr<StorageWriteSink> sink;
};

TEST_F(SinkTest, AReceiptForEachBatchAndTheSchemaOnlyOnce) {
  open(quick());
  const auto schema = person();
  submit(0, {slice(schema, 0, 10)});
  submit(1, {slice(schema, 10, 5)});
  submit(2, {});
  auto got = receipts(3);
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<std::uint64_t>{0, 1, 2}));
  const auto seen = peer.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_TRUE(seen[0].has_stream && seen[0].has_descriptor);
  EXPECT_EQ(seen[0].trace_id, "flytt");
  EXPECT_FALSE(seen[1].has_stream || seen[1].has_descriptor);
  EXPECT_EQ(seen[0].rows.size() + seen[1].rows.size(), 15U);
  EXPECT_EQ(peer.routing_headers(),
            (std::vector<std::string>{"write_stream=projects%2Fp%2Fdatasets%2Fd%2Ftables%2Ft%2Fstreams%2F_default"}));
  EXPECT_FALSE(peer.saw_authorization()) << "a token went over plain text";
}

TEST_F(SinkTest, WorksInsideTheProcess) {
  sink = StorageWriteSink::make({wire::make_grpc_channel(peer.in_process(), true), credentials, clock, random, metrics},
                                quick());
  submit(0, {slice(person(), 0, 1000)});
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  EXPECT_FALSE(peer.saw_authorization());
}

TEST_F(SinkTest, ATokenIsWaitedFor) {
  const wire::GrpcChannel channel = wire::make_grpc_channel(peer.in_process(), true, true);
  credentials.failures_left = 2;
  sink = StorageWriteSink::make({channel, credentials, clock, random, metrics}, quick());
  submit(0, {slice(person(), 0, 10)});
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  auto sign_ins = peer.sign_ins();
  std::sort(sign_ins.begin(), sign_ins.end());
  EXPECT_EQ(sign_ins, (std::vector<std::string>{"Bearer a-token", "billed"}));
}

TEST_F(SinkTest, CredentialsThatAreRefusedEndTheSink) {
  const wire::GrpcChannel channel = wire::make_grpc_channel(peer.in_process(), true, true);
  credentials.failures_left = 1'000'000;
  credentials.failure = ErrorCode::kAuth;
  sink = StorageWriteSink::make({channel, credentials, clock, random, metrics}, quick());
  submit(0, {slice(person(), 0, 10)});
  const auto more = sink->collect(soon());
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code(), ErrorCode::kAuth);
}

TEST_F(SinkTest, ALargeBatchBecomesSeveralRequestsOfWhichAllMustBeAnswered) {
  StorageWriteOptions options = quick();
  options.request_bytes = 500;
  open(options);
  peer.script("t", {{}, {}, {}, {Kind::kHold, {}, {}}});
  submit(0, {slice(person(), 0, 100)});
  ASSERT_TRUE(peer.wait_for_requests(4));
  EXPECT_TRUE(sink->collect(base::Deadline::passed())->empty());
  peer.release();
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  std::size_t rows = 0;
  for (const SeenRequest& request : peer.seen()) rows += request.rows.size();
  EXPECT_EQ(rows, 100U);
}

TEST_F(SinkTest, ALostAnswerIsAskedForAgain) {
  open(quick());
  peer.script("t", {{Kind::kClose, {14, "gone", wire::StorageCode::kNone, ""}, {}}});
  submit(0, {slice(person(), 0, 3)});
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  const auto seen = peer.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].rows, seen[1].rows);
  EXPECT_TRUE(seen[1].has_descriptor);
  EXPECT_NE(seen[0].connection, seen[1].connection);
}

TEST_F(SinkTest, PassingErrorsAreRepeatedWhereverTheyStand) {
  open(quick());
  std::vector<PeerStep> steps;
  for (const int code : {10, 14, 1, 13, 4, 8, 2}) {
    const wire::AppendFailure failure{code, "for a moment", wire::StorageCode::kNone, ""};
    steps.push_back({Kind::kFail, failure, {}});
    steps.push_back({Kind::kClose, failure, {}});
  }
  steps.push_back({Kind::kClose, {0, "", wire::StorageCode::kNone, ""}, {}});  // an orderly end is no answer, either
  peer.script("t", steps);
  submit(0, {slice(person(), 0, 3)});
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  EXPECT_EQ(peer.seen().size(), steps.size() + 1);
  EXPECT_EQ(metrics.counter("flytt_bigquery_append_repeats_total"), static_cast<std::int64_t>(steps.size()));
}

TEST_F(SinkTest, UnansweredRequestsGoAgainInTheirOrder) {
  StorageWriteOptions options = quick();
  options.request_bytes = 100;
  open(options);
  // The first is answered; then the connection breaks with the rest on its way.
  peer.script("t", {{}, {Kind::kHold, {}, {}}, {Kind::kClose, {10, "idle", wire::StorageCode::kNone, ""}, {}}});
  submit(0, {slice(person(), 0, 30)});
  ASSERT_TRUE(peer.wait_for_requests(2));
  peer.release();
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  std::vector<std::string> last_connection;
  for (const SeenRequest& request : peer.seen()) {
    if (request.connection == peer.seen().back().connection)
      last_connection.insert(last_connection.end(), request.rows.begin(), request.rows.end());
  }
  EXPECT_TRUE(std::is_sorted(last_connection.begin(), last_connection.end(),
                             [](const auto& a, const auto& b) { return a[1] < b[1]; }));
}

TEST_F(SinkTest, ASilentPeerIsLeft) {
  StorageWriteOptions options = quick();
  options.answer_timeout = milliseconds(100);
  open(options);
  peer.script("t", {{Kind::kStaySilent, {}, {}}});
  submit(0, {slice(person(), 0, 3)});
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  EXPECT_EQ(peer.seen().size(), 2U);
}

TEST_F(SinkTest, RefusedRowsAreTakenOutAndTheRestGoesOn) {
  open(quick());
  peer.script("t", {{Kind::kRefuseRows, {}, {{1, "Field name: 'secret' is wrong"}, {3, "Field id: wrong"}}},
                    {Kind::kRefuseRows, {}, {{0, "Field x"}}}});
  auto rows = slice(person(), 40, 5);
  submit(6, {std::move(rows)});
  std::vector<RefusedRow> bad;
  while (bad.size() < 3) {
    for (RefusedRow& row : refused()) bad.push_back(std::move(row));
  }
  EXPECT_EQ(bad[0].rejection.key, "id=41");
  EXPECT_EQ(bad[0].rejection.raw, "{\"id\":41,\"name\":\"xxxxx\"}");
  EXPECT_EQ(bad[0].rejection.reason, "the destination refuses the row: Field name: '…' is wrong");
  EXPECT_EQ(bad[0].rejection.sequence, data::Sequence::of(1, 0x10, 7));
  EXPECT_EQ(bad[0].batch.value, 6U);
  EXPECT_EQ(bad[1].rejection.key, "id=43");
  EXPECT_EQ(bad[2].rejection.key, "id=40");
  ASSERT_TRUE(peer.wait_for_requests(3));
  EXPECT_EQ(peer.seen()[2].rows.size(), 2U);
  // Acknowledged, but not yet in quarantine: a later batch overtakes.
  submit(7, {slice(person(), 50, 1)});
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{7}));
  sink->resolve(flow::BatchSequence(6));
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{6}));
}

TEST_F(SinkTest, ManyTablesShareSeveralConnections) {
  open(quick());
  std::vector<data::TableSlice> slices;
  for (int i = 0; i < 2 * kCallsPerConnectionMax + 5; ++i)
    slices.push_back(slice(person("t" + std::to_string(i)), 0, 1));
  const std::size_t tables = slices.size();
  submit(0, std::move(slices));
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  EXPECT_EQ(peer.seen().size(), tables);
  EXPECT_EQ(peer.peers().size(), 3U);
}

TEST_F(SinkTest, ARowThatIsTooLargeIsRefusedHere) {
  open(quick());
  data::TableSlice rows = slice(person(), 1, 1);
  rows.columns[0].append_int64(2);
  rows.columns[1].append_bytes(std::string(kRowBytesMax + 1, 'y'));
  rows.columns[0].append_int64(3);
  rows.columns[1].append_bytes("small");
  submit(0, {std::move(rows)});
  const auto bad = refused();
  ASSERT_EQ(bad.size(), 1U);
  EXPECT_EQ(bad[0].rejection.key, "id=2");
  EXPECT_EQ(bad[0].rejection.raw.size(), kRefusedRawBytesMax);
  sink->resolve(flow::BatchSequence(0));
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  std::size_t sent = 0;
  for (const SeenRequest& request : peer.seen()) sent += request.rows.size();
  EXPECT_EQ(sent, 2U);
}

TEST_F(SinkTest, AFailedTableStopsNobodyElse) {
  StorageWriteOptions options = quick();
  options.missing_table_patience = milliseconds(0);
  open(options);
  const wire::AppendFailure missing{5, "Requested entity was not found.", wire::StorageCode::kTableNotFound,
                                    "p.d.gone"};
  const wire::AppendFailure denied{7, "Permission denied", wire::StorageCode::kNone, ""};
  peer.script("gone", {{Kind::kFail, missing, {}}});
  peer.script("closed", {{Kind::kClose, denied, {}}});
  submit(0, {slice(person("gone"), 0, 3), slice(person("t"), 0, 3)});
  submit(1, {slice(person("closed"), 0, 3)});
  submit(2, {slice(person("t"), 3, 3)});
  std::map<std::string, Error> found;
  while (found.size() < 2) {
    auto more = sink->collect(soon());
    ASSERT_TRUE(more);
    for (TableFailure& failure : sink->take_failures()) found.emplace(failure.table.table, failure.error);
    for (const flow::Receipt& receipt : *more) EXPECT_EQ(receipt.sequence.value, 2U);
  }
  EXPECT_EQ(found.at("gone").code(), ErrorCode::kNotFound);
  EXPECT_EQ(found.at("gone").cause(), "NOT_FOUND TABLE_NOT_FOUND: Requested entity was not found.");
  EXPECT_EQ(found.at("closed").code(), ErrorCode::kAuth);
  sink->drop_table({"p", "d", "gone"});
  sink->drop_table({"p", "d", "closed"});
  submit(3, {slice(person("gone"), 9, 1)});
  const std::size_t before = peer.seen().size();
  std::vector<std::uint64_t> got;
  while (std::find(got.begin(), got.end(), 3U) == got.end() || std::find(got.begin(), got.end(), 0U) == got.end() ||
         std::find(got.begin(), got.end(), 1U) == got.end()) {
    for (const std::uint64_t sequence : receipts(1)) got.push_back(sequence);
    ASSERT_FALSE(got.empty());
  }
  EXPECT_EQ(peer.seen().size(), before) << "rows of a dropped table were sent";
}

TEST_F(SinkTest, AColumnThatIsNotSeenYetIsWaitedFor) {
  open(quick());
  const wire::AppendFailure lag{3, "Input schema has more fields", wire::StorageCode::kSchemaMismatchExtraFields, ""};
  peer.script("t", {{Kind::kFail, lag, {}}, {Kind::kClose, lag, {}}});
  submit(0, {slice(person("t", true), 0, 3)});
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  EXPECT_EQ(peer.seen().size(), 3U);
}

TEST_F(SinkTest, ARefusedSchemaFailsTheTable) {
  open(quick());
  peer.script("t",
              {{Kind::kFail, {3, "The proto field mismatched with BigQuery field", wire::StorageCode::kNone, ""}, {}}});
  submit(0, {slice(person(), 0, 3)});
  const auto failed = failures();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].error.code(), ErrorCode::kSchema);
  EXPECT_EQ(failed[0].error.side(), base::Side::kSink);
}

TEST_F(SinkTest, ANewShapeOfATableGoesOverANewConnection) {
  open(quick());
  peer.script("t", {{Kind::kHold, {}, {}}});
  submit(0, {slice(person(), 0, 3)});
  submit(1, {slice(person("t", true), 3, 3)});
  ASSERT_TRUE(peer.wait_for_requests(1));
  peer.release();
  EXPECT_EQ(receipts(2), (std::vector<std::uint64_t>{0, 1}));
  const auto seen = peer.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_NE(seen[0].connection, seen[1].connection);
  EXPECT_TRUE(seen[1].has_stream && seen[1].has_descriptor);
  EXPECT_NE(seen[0].descriptor, seen[1].descriptor);
}

TEST_F(SinkTest, AFullWindowLeavesTheBatchWithTheCaller) {
  StorageWriteOptions options = quick();
  options.window_bytes = 100;
  open(options);
  peer.script("t", {{Kind::kHold, {}, {}}});
  submit(0, {slice(person(), 0, 10)});
  flow::Batch batch = batch_of(1, {slice(person(), 10, 2)});
  const Status taken = sink->submit(batch, base::Deadline::passed());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), ErrorCode::kTimeout);
  ASSERT_EQ(batch.tables.size(), 1U);
  EXPECT_EQ(batch.tables[0].row_count(), 2U);
  peer.release();
  ASSERT_TRUE(sink->submit(batch, soon()));
  EXPECT_EQ(receipts(2), (std::vector<std::uint64_t>{0, 1}));
}

TEST_F(SinkTest, AnAbsentServerEndsTheSinkWhenPatienceDoes) {
  StorageWriteOptions options = quick();
  options.transient_patience = milliseconds(50);
  auto channel = make_storage_channel("127.0.0.1:1");
  ASSERT_TRUE(channel);
  sink = StorageWriteSink::make({*channel, credentials, clock, random, metrics}, options);
  submit(0, {slice(person(), 0, 1)});
  const auto got = sink->collect(soon());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(got.error().retry(), base::Retry::kAfterBackoff);
  flow::Batch batch = batch_of(1, {});
  EXPECT_FALSE(sink->submit(batch, soon()));
}

TEST_F(SinkTest, RefusedCredentialsEndTheSink) {
  open(quick());
  peer.script("t", {{Kind::kClose, {16, "expired", wire::StorageCode::kNone, ""}, {}}});
  submit(0, {slice(person(), 0, 1)});
  const auto got = sink->collect(soon());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kAuth);
  EXPECT_EQ(got.error().retry(), base::Retry::kAfterOperator);
}

TEST_F(SinkTest, ItsEndDoesNotWaitForAnswers) {
  open(quick());
  peer.script("t", {{Kind::kStaySilent, {}, {}}});
  submit(0, {slice(person(), 0, 1)});
  ASSERT_TRUE(peer.wait_for_requests(1));
  sink.reset();
}

TEST_F(SinkTest, AnAcknowledgementThatIsLostHereIsHarmless) {
  open(quick());
  ASSERT_TRUE(base::arm_failpoints("bigquery.append.after_ack=error@1", ""));
  submit(0, {slice(person(), 0, 2)});
  EXPECT_EQ(receipts(1), (std::vector<std::uint64_t>{0}));
  ASSERT_TRUE(base::arm_failpoints("", ""));
  EXPECT_EQ(peer.seen().size(), 2U);
}

TEST(StorageChannel, AddressesThatCannotBeUsed) {
  EXPECT_FALSE(make_storage_channel("127.0.0.1"));
  EXPECT_FALSE(make_storage_channel("https://host:443"));
  EXPECT_FALSE(make_storage_channel(":443"));
  EXPECT_TRUE(make_storage_channel(kGoogleStorageAddress)->native()->has_tls);
  EXPECT_FALSE(make_storage_channel("127.0.0.1:9060")->native()->has_tls);
  EXPECT_TRUE(make_storage_channel("10.0.0.1:9060")->native()->has_tls);
}

}  // namespace
}  // namespace flytt::bigquery
