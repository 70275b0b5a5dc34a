// What only a store in a shared schema has: its rights, its fence, and connections that are lost.

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <thread>

#include "state/limits.h"
#include "state/store.h"
#include "tests/state/schema_place.h"

namespace flytt::state {
namespace {

constexpr std::chrono::milliseconds kLong{60'000};

class SchemaStoreTest : public testing::Test {
 protected:
  ~SchemaStoreTest() override { run_sql("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE"); }

  std::unique_ptr<LeaseTable> table() {
    auto opened = open_lease_table(database_of(schema_), LeaseAccess::kMake);
    EXPECT_TRUE(opened) << opened.error().text();
    return std::move(opened).value();
  }
  std::unique_ptr<Store> open(const std::optional<Fence>& fence = {}) {
    auto store = Store::open(database_of(schema_), Store::Access::kReadWrite, fence);
    EXPECT_TRUE(store) << store.error().text();
    return std::move(store).value();
  }
  static Status write(Store& store, std::int64_t micros = 1) {
    return store.request_resync({"sak", "public.a", micros});
  }
  static std::int64_t written(Store& store) {
    const auto requests = store.resync_requests("sak").value();
    return requests.empty() ? 0 : requests[0].requested_micros;
  }

  const std::string schema_ = new_schema();
};

TEST_F(SchemaStoreTest, TheLeaseHasOneHolderAndEachItsToken) {
  const auto one = table(), two = table();
  EXPECT_EQ(one->read()->holder, "");
  EXPECT_FALSE(one->read()->is_held());
  EXPECT_EQ(one->take("one", kLong).value(), 1);
  EXPECT_EQ(two->take("two", kLong).value(), std::nullopt);
  EXPECT_EQ(two->read()->holder, "one");
  EXPECT_GT(two->read()->left_ms, 50'000);
  EXPECT_LE(two->read()->left_ms, 60'000);
  EXPECT_TRUE(one->renew("one", 1, kLong, "").value());
  EXPECT_FALSE(two->renew("two", 1, kLong, "").value());
  EXPECT_FALSE(one->renew("one", 2, kLong, "").value());
  EXPECT_EQ(one->take("one", kLong).value(), 2) << "an answer that was lost is asked for again";
  ASSERT_TRUE(two->give_back("two"));
  EXPECT_EQ(two->take("two", kLong).value(), std::nullopt) << "only its holder gives it back";
  ASSERT_TRUE(one->give_back("one"));
  EXPECT_FALSE(one->read()->is_held());
  EXPECT_EQ(two->take("two", kLong).value(), 3);
  EXPECT_FALSE(one->renew("one", 2, kLong, "").value());
}

TEST_F(SchemaStoreTest, TheLeaseTellsSinceWhenAndThatItsHolderLives) {
  const auto one = table();
  EXPECT_EQ(one->read()->taken_micros, 0);
  const auto now = [] { return std::stoll(run_sql("SELECT (extract(epoch FROM now()) * 1000000)::bigint")[0][0]); };
  const std::int64_t before = now();
  ASSERT_EQ(one->take("one", kLong).value(), 1);
  const LeaseRow taken = one->read().value();
  EXPECT_GE(taken.taken_micros, before);
  EXPECT_LE(taken.taken_micros, now());
  EXPECT_EQ(one->read()->expires_micros, taken.expires_micros);
  EXPECT_EQ(taken.address, "");
  ASSERT_TRUE(one->renew("one", 1, kLong, "127.0.0.1:8").value());
  const LeaseRow renewed = one->read().value();
  EXPECT_GT(renewed.expires_micros, taken.expires_micros);
  EXPECT_EQ(renewed.taken_micros, taken.taken_micros);
  EXPECT_EQ(renewed.address, "127.0.0.1:8");
  ASSERT_TRUE(one->give_back("one"));
  ASSERT_EQ(one->take("two", kLong).value(), 2);
  EXPECT_EQ(one->read()->address, "") << "that of the one before is nobody's";
}

TEST_F(SchemaStoreTest, ALeaseOfAnOlderProgramIsReadAndBroughtHere) {
  ASSERT_EQ(table()->take("new", kLong).value(), 1);
  ASSERT_TRUE(table()->renew("new", 1, kLong, "127.0.0.1:8").value());
  // As an older program takes it.
  run_sql("UPDATE " + schema_ + ".lease SET holder='old', token=token+1");
  EXPECT_EQ(table()->read()->holder, "old");
  EXPECT_EQ(table()->read()->address, "");
  EXPECT_EQ(table()->read()->taken_micros, 0) << "what the one before has told is not of this one";
  run_sql("ALTER TABLE " + schema_ + ".lease DROP COLUMN taken, DROP COLUMN told_token, DROP COLUMN address");
  const auto reads = open_lease_table(database_of(schema_), LeaseAccess::kRead);
  ASSERT_TRUE(reads) << reads.error().text();
  const auto row = (*reads)->read();
  ASSERT_TRUE(row) << row.error().text();
  EXPECT_EQ(row->token, 2);
  EXPECT_EQ(row->taken_micros, 0);
  ASSERT_EQ(table()->take("old", kLong).value(), 3);
  EXPECT_GT((*reads)->read()->taken_micros, 0);
}

TEST_F(SchemaStoreTest, WhoeverHasLostTheLeaseRecordsNothing) {
  const auto leases = table();
  ASSERT_EQ(leases->take("one", kLong).value(), 1);
  const auto old = open(Fence{"one", 1, {}});
  ASSERT_TRUE(write(*old, 1));
  ASSERT_TRUE(leases->give_back("one"));
  ASSERT_TRUE(write(*old, 2)) << "nobody has taken it";
  ASSERT_EQ(leases->take("two", kLong).value(), 2);
  const Status refused = write(*old, 3);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kConflict);
  EXPECT_NE(refused.error().sentence().find("another replica has taken over"), std::string::npos);
  EXPECT_EQ(write(*old, 3).error().code(), ErrorCode::kConflict) << "also the next time";
  EXPECT_FALSE(write(*open(Fence{"two", 2, {}}), 4).error().code() == ErrorCode::kConflict);
  EXPECT_EQ(written(*old), 4) << "it still reads";
}

TEST_F(SchemaStoreTest, ARenewalDoesNotWaitForAWriteButATakeoverDoes) {
  const auto leases = table();
  ASSERT_EQ(leases->take("one", kLong).value(), 1);
  auto writer = database_of(schema_).connect();
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->ask("BEGIN; SELECT 1 FROM " + schema_ + ".lease WHERE token=1 FOR KEY SHARE", {}));
  const auto renewed = leases->renew("one", 1, kLong, "");
  ASSERT_TRUE(renewed) << renewed.error().text();
  EXPECT_TRUE(*renewed);
  ASSERT_TRUE(leases->give_back("one"));
  std::optional<std::int64_t> taken;
  {
    std::jthread other([&] { taken = table()->take("two", kLong).value(); });
    const char* waits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type='Lock' AND query LIKE 'INSERT INTO lease%'";
    while (run_sql(waits)[0][0] == "0") {}
    EXPECT_EQ(run_sql("SELECT token FROM " + schema_ + ".lease")[0][0], "1");
    ASSERT_TRUE((*writer)->ask("COMMIT", {}));
  }
  EXPECT_EQ(taken, 2);
}

TEST_F(SchemaStoreTest, AWriterThatIsFrozenHoldsUpOthersForAWhileOnly) {
  const auto store = open();
  auto frozen = database_of(schema_).connect();
  ASSERT_TRUE(
      (*frozen)->ask("SET idle_in_transaction_session_timeout=" + std::to_string(kIdleTransactionMax.count() / 2), {}));
  ASSERT_TRUE((*frozen)->ask("BEGIN; SELECT 1 FROM " + schema_ + ".flytt_state FOR UPDATE", {}));
  EXPECT_TRUE(write(*store));
  EXPECT_FALSE((*frozen)->ask("COMMIT", {}));
}

// Errors tell the right that is missing, and no password.
TEST_F(SchemaStoreTest, AMissingRightIsNamed) {
  run_sql("DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN PASSWORD 'hemmelig'");
  std::string url = server_url();
  url.replace(url.find("://") + 3, url.find('@') - url.find("://") - 3, "poor:hemmelig");
  const auto refused = Store::open(database_of(schema_, url), Store::Access::kReadWrite);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kAuth) << refused.error().text();
  EXPECT_NE(refused.error().text().find("GRANT CREATE ON DATABASE \"postgres\" TO \"poor\""), std::string::npos)
      << refused.error().text();
  EXPECT_EQ(refused.error().text().find("hemmelig"), std::string::npos);
  run_sql("CREATE SCHEMA " + schema_);
  const auto again = Store::open(database_of(schema_, url), Store::Access::kReadWrite);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().text().find("GRANT USAGE, CREATE ON SCHEMA"), std::string::npos) << again.error().text();
  run_sql("GRANT USAGE, CREATE ON SCHEMA " + schema_ + " TO poor");
  EXPECT_TRUE(Store::open(database_of(schema_, url), Store::Access::kReadWrite));
  run_sql("DROP SCHEMA " + schema_ + " CASCADE; DROP OWNED BY poor; DROP ROLE poor");
}

TEST_F(SchemaStoreTest, SomebodyElsesSchemaIsLeftAlone) {
  run_sql("CREATE SCHEMA " + schema_ + "; CREATE TABLE " + schema_ + ".theirs(x int)");
  EXPECT_EQ(Store::open(database_of(schema_), Store::Access::kReadWrite).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(open_lease_table(database_of(schema_), LeaseAccess::kMake).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(run_sql("SELECT count(*) FROM pg_tables WHERE schemaname='" + schema_ + "'")[0][0], "1");
}

TEST_F(SchemaStoreTest, ReadingNeverMakesAnything) {
  EXPECT_EQ(Store::open(database_of(schema_), Store::Access::kReadOnly).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(open_lease_table(database_of(schema_), LeaseAccess::kRead).error().code(), ErrorCode::kNotFound);
  const auto made = table();
  EXPECT_EQ(Store::open(database_of(schema_), Store::Access::kReadOnly).error().code(), ErrorCode::kNotFound)
      << "the lease is there, and nothing else yet";
  EXPECT_EQ(run_sql("SELECT count(*) FROM pg_tables WHERE schemaname='" + schema_ + "'")[0][0], "2");
}

TEST_F(SchemaStoreTest, ReplicasThatStartTogetherMakeItOnce) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([this] { EXPECT_TRUE(Store::open(database_of(schema_), Store::Access::kReadWrite)); });
  threads.clear();
  EXPECT_EQ(run_sql("SELECT format FROM " + schema_ + ".flytt_state"),
            (std::vector<std::vector<std::string>>{{std::to_string(kFormatVersion)}}));
}

TEST_F(SchemaStoreTest, AnOlderStoreIsBroughtHereByWhoeverLeads) {
  open();
  run_sql("SET search_path=" + schema_ +
          "; DROP TABLE query_run, schedule_seen, table_change; ALTER TABLE schedule DROP COLUMN successes; "
          "UPDATE flytt_state SET format=3");
  const auto leases = table();
  ASSERT_EQ(leases->take("one", kLong).value(), 1);
  const auto wish = Store::open(database_of(schema_), Store::Access::kReadWrite);
  ASSERT_FALSE(wish);
  EXPECT_EQ(wish.error().code(), ErrorCode::kUnavailable);
  open(Fence{"one", 1, {}});
  EXPECT_TRUE(write(*open()));
}

// -- connections that are lost

TEST_F(SchemaStoreTest, AConnectionThatWasLostMeanwhileIsMadeAnew) {
  const auto store = open();
  const std::string cut =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='flytt_state' AND "
      "pid<>pg_backend_pid()";
  run_sql(cut);
  EXPECT_TRUE(write(*store, 5));
  run_sql(cut);
  EXPECT_EQ(written(*store), 5);
}

// Passes everything on, but for one COMMIT.
enum class Loss { kNone, kBefore, kAfter, kLater };
struct Wire {
  Loss loss = Loss::kNone;
  std::unique_ptr<SqlSession> held;  // of kLater: its COMMIT is sent while somebody asks what became of it
};

class LossySession final : public SqlSession {
 public:
  LossySession(std::unique_ptr<SqlSession> session, Wire& wire) : session_(std::move(session)), wire_(wire) {}

  Result<SqlAnswer> ask(const std::string& sql, const std::vector<SqlValue>& values) override {
    const Error lost(ErrorCode::kUnavailable, "the wire is cut");
    if (session_ == nullptr) return lost;
    if (sql.find("pg_sleep") != std::string::npos && wire_.held) {
      EXPECT_TRUE(wire_.held->ask("COMMIT", {}));
      wire_.held.reset();
    }
    if (sql != "COMMIT" || wire_.loss == Loss::kNone) return session_->ask(sql, values);
    if (wire_.loss == Loss::kAfter) {
      EXPECT_TRUE(session_->ask(sql, values));
    }
    if (wire_.loss == Loss::kLater) wire_.held = std::move(session_);
    wire_.loss = Loss::kNone;
    session_.reset();
    return lost;
  }
  bool is_usable() const override { return session_ != nullptr; }

 private:
  std::unique_ptr<SqlSession> session_;
  Wire& wire_;
};

TEST_F(SchemaStoreTest, WhatBecameOfACommitWithoutAnAnswerIsAsked) {
  Wire wire;
  SqlDatabase database = database_of(schema_);
  const auto connect = database.connect;
  database.connect = [&wire, connect]() -> Result<std::unique_ptr<SqlSession>> {
    TRY(auto session, connect());
    return std::unique_ptr<SqlSession>(new LossySession(std::move(session), wire));
  };
  auto store = std::move(*Store::open(database, Store::Access::kReadWrite));
  wire.loss = Loss::kAfter;
  EXPECT_TRUE(write(*store, 1));
  EXPECT_EQ(written(*store), 1);
  wire.loss = Loss::kBefore;
  const Status undone = write(*store, 2);
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(undone.error().retry(), base::Retry::kAfterBackoff);
  EXPECT_EQ(written(*store), 1);
  EXPECT_TRUE(write(*store, 3));
  wire.loss = Loss::kLater;
  EXPECT_TRUE(write(*store, 4));
  EXPECT_EQ(written(*store), 4);
}

TEST_F(SchemaStoreTest, ACommitThatNobodyCanTellOfIsWaitedForAsLongAsTheLeaseLasts) {
  const auto leases = table();
  ASSERT_EQ(leases->take("one", kLong).value(), 1);
  Wire wire;
  bool is_away = false;
  int looks = 0;
  SqlDatabase database = database_of(schema_);
  const auto connect = database.connect;
  database.connect = [&]() -> Result<std::unique_ptr<SqlSession>> {
    if (is_away) return Error(ErrorCode::kUnavailable, "the server is away");
    TRY(auto session, connect());
    return std::unique_ptr<SqlSession>(new LossySession(std::move(session), wire));
  };
  Fence fence{"one", 1, [&] {
                if (++looks == 20) is_away = false;
                return looks < 40;
              }};
  auto store = std::move(*Store::open(database, Store::Access::kReadWrite, fence));
  wire.loss = Loss::kAfter;
  is_away = true;
  EXPECT_TRUE(write(*store, 7)) << "the server came back";
  EXPECT_EQ(written(*store), 7);
  wire.loss = Loss::kAfter;
  is_away = true;
  const Status unknown = write(*store, 8);
  ASSERT_FALSE(unknown) << "the lease was over";
  EXPECT_NE(unknown.error().sentence().find("not known"), std::string::npos);
}

}  // namespace
}  // namespace flytt::state
