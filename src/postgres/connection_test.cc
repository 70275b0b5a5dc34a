#include "postgres/connection.h"

#include <gtest/gtest.h>

#include "postgres/internal/error_map.h"
#include "postgres/internal/scratch_server.h"

namespace flytt::postgres {
namespace {

TEST(Lsn, text_and_position_round_trip) {
  const Lsn lsn(0x16'B374D848);
  EXPECT_EQ(format_lsn(lsn), "16/B374D848");
  EXPECT_EQ(parse_lsn("16/B374D848").value(), lsn);
  EXPECT_EQ(to_position(lsn).bytes, std::string("\0\0\0\x16\xB3\x74\xD8\x48", 8));
  EXPECT_EQ(to_lsn(to_position(lsn)).value(), lsn);
  EXPECT_EQ(to_lsn(flow::Position{}).value(), Lsn(0));
  EXPECT_FALSE(to_lsn(flow::Position{"abc"}));
  for (const char* wrong : {"", "16", "16/", "/16", "16/B3 ", "G/1", "1/100000000"})
    EXPECT_FALSE(parse_lsn(wrong)) << wrong;
}

TEST(Lsn, the_end_of_the_log_is_before_a_page_that_nobody_has_begun) {
  constexpr std::uint64_t kBlock = 8'192;
  EXPECT_EQ(end_of_log(Lsn(5 * kBlock + 24), kBlock), Lsn(5 * kBlock));
  EXPECT_EQ(end_of_log(Lsn((16 << 20) + 40), kBlock), Lsn(16 << 20));
  for (const std::uint64_t within : {std::uint64_t{0}, std::uint64_t{23}, std::uint64_t{48}, kBlock - 8})
    EXPECT_EQ(end_of_log(Lsn(5 * kBlock + within), kBlock), Lsn(5 * kBlock + within));
}

TEST(ErrorMap, every_class_has_its_code) {
  using base::Retry;
  struct Case {
    const char* state;
    ErrorCode code;
    Retry retry;
  };
  const Case cases[] = {
      {"08006", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {"08P01", ErrorCode::kUnsupported, Retry::kAfterOperator},
      {"0A000", ErrorCode::kUnsupported, Retry::kAfterOperator},
      {"22P02", ErrorCode::kBadData, Retry::kNever},
      {"23505", ErrorCode::kBadData, Retry::kNever},
      {"28P01", ErrorCode::kAuth, Retry::kAfterOperator},
      {"28000", ErrorCode::kAuth, Retry::kAfterOperator},
      {"3D000", ErrorCode::kNotFound, Retry::kAfterOperator},
      {"40P01", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {"42501", ErrorCode::kAuth, Retry::kAfterOperator},
      {"42601", ErrorCode::kBug, Retry::kNever},
      {"42703", ErrorCode::kSchema, Retry::kAfterOperator},
      {"42704", ErrorCode::kNotFound, Retry::kAfterOperator},
      {"42710", ErrorCode::kConflict, Retry::kNever},
      {"42P01", ErrorCode::kNotFound, Retry::kAfterOperator},
      {"42P07", ErrorCode::kConflict, Retry::kNever},
      {"53300", ErrorCode::kThrottled, Retry::kAfterBackoff},
      {"53400", ErrorCode::kConflict, Retry::kAfterOperator},
      {"55000", ErrorCode::kConfig, Retry::kAfterOperator},
      {"55006", ErrorCode::kConflict, Retry::kAfterBackoff},
      {"57014", ErrorCode::kTimeout, Retry::kAfterBackoff},
      {"57P01", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {"58P01", ErrorCode::kNotFound, Retry::kAfterOperator},
      {"XX001", ErrorCode::kCorrupt, Retry::kAfterOperator},
      {"ZZZZZ", ErrorCode::kUnavailable, Retry::kAfterBackoff},
  };
  for (const Case& c : cases) {
    const Error error = translate_error(c.state, "message", "do it");
    EXPECT_EQ(error.code(), c.code) << c.state;
    EXPECT_EQ(error.retry(), c.retry) << c.state;
    EXPECT_EQ(error.side(), base::Side::kSource);
    EXPECT_EQ(error.cause(), "SQLSTATE " + std::string(c.state));
  }
}

TEST(ErrorMap, texts_that_may_quote_rows_are_left_out) {
  for (const char* state : {"22P02", "23505", "P0001", "44000", "XX000"}) {
    EXPECT_EQ(translate_error(state, "secret 12345678901", "copy").text().find("12345678901"), std::string::npos)
        << state;
  }
  EXPECT_NE(translate_error("42P01", "relation \"t\" does not exist", "copy").text().find("relation"),
            std::string::npos);
}

TEST(ErrorMap, connection_texts) {
  const Error wrong = translate_connect_error(
      "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password authentication failed for user "
      "\"x\"\nLOCATION:  auth_failed, auth.c:335\n",
      "x@h:5432/d");
  EXPECT_EQ(wrong.code(), ErrorCode::kAuth);
  EXPECT_EQ(wrong.sentence(),
            "could not connect to PostgreSQL at x@h:5432/d: password authentication failed for user \"x\"");
  const Error dead = translate_connect_error(
      "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server running on that host "
      "and accepting TCP/IP connections?\n",
      "x@h:1/d");
  EXPECT_EQ(dead.code(), ErrorCode::kUnavailable);
  EXPECT_EQ(translate_connect_error("FATAL:  unsupported startup parameter: replication\n", "e").code(),
            ErrorCode::kUnsupported);
}

TEST(Endpoint, never_holds_the_password) {
  const ConnectionSettings settings{base::Secret("postgresql://app:hemmelig@db.example:5433/sak?sslmode=require")};
  const Endpoint endpoint = parse_endpoint(settings).value();
  EXPECT_EQ(endpoint.text(), "app@db.example:5433/sak");
  for (const char* broken : {"postgresql://app:hemme%zzlig@h/d", "hemmelig", "host=h hemmelig = = x"}) {
    const auto result = parse_endpoint(ConnectionSettings{base::Secret(broken)});
    ASSERT_FALSE(result) << broken;
    EXPECT_EQ(result.error().code(), ErrorCode::kConfig);
    EXPECT_EQ(result.error().text().find("hemme"), std::string::npos);
  }
}

TEST(ServerFacts, are_read_from_a_live_server) {
  ScratchDatabase database;
  const auto facts = read_server_facts(database.settings(), test_clock(), patience());
  ASSERT_TRUE(facts) << facts.error().text();
  EXPECT_EQ(facts->version_num, database.version());
  EXPECT_EQ(facts->wal_level, "logical");
  EXPECT_EQ(facts->database, database.name());
  EXPECT_FALSE(facts->in_recovery);
  EXPECT_TRUE(facts->role_is_superuser);
  EXPECT_EQ(facts->max_wal_senders, 20);
  EXPECT_EQ(facts->wal_sender_timeout_ms, 60'000);
  EXPECT_EQ(facts->money_decimals, 2);
  EXPECT_FALSE(facts->behind_pooler);
  EXPECT_GT(facts->wal_end.value, 0u);
  const auto identity = read_replication_identity(database.settings(), test_clock(), patience());
  ASSERT_TRUE(identity) << identity.error().text();
  EXPECT_EQ(identity->system_identifier, facts->system_identifier);
  EXPECT_EQ(identity->timeline, 1u);
}

TEST(LogEnd, has_what_was_committed_before_and_is_not_on_disk_yet) {
  ScratchServer lazy({"synchronous_commit = off", "wal_writer_delay = 10s"});
  ScratchDatabase database(lazy);
  database.sql("CREATE TABLE t (n int)");
  const std::string before = database.value("SELECT pg_current_wal_flush_lsn()");
  database.sql("INSERT INTO t VALUES (1)");
  const auto end = read_log_end(database.settings(), test_clock(), patience());
  ASSERT_TRUE(end) << end.error().text();
  EXPECT_GT(*end, parse_lsn(before).value());
  EXPECT_EQ(database.value("SELECT '" + format_lsn(*end) + "' <= pg_current_wal_insert_lsn()"), "t");
}

TEST(Client, names_what_is_wrong_with_a_connection) {
  ScratchDatabase database;
  database.sql(
      "SET password_encryption = 'scram-sha-256'; DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = "
      "'with_password') THEN CREATE ROLE with_password "
      "LOGIN PASSWORD 'right'; END IF; END $$");
  const auto wrong =
      Client::connect(database.settings("with_password", "wrong"), Client::Mode::kNormal, test_clock(), patience());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kAuth);
  EXPECT_EQ(wrong.error().cause(), "SQLSTATE 28P01");
  EXPECT_EQ(wrong.error().text().find("wrong"), std::string::npos);
  EXPECT_TRUE(
      Client::connect(database.settings("with_password", "right"), Client::Mode::kNormal, test_clock(), patience()));
  const auto unknown =
      Client::connect(ScratchServer::shared().settings("nowhere"), Client::Mode::kNormal, test_clock(), patience());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kNotFound);
  const ConnectionSettings dead{base::Secret("postgresql://x@127.0.0.1:1/d")};
  const auto refused = Client::connect(dead, Client::Mode::kNormal, test_clock(), patience());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
}

TEST(Client, a_deadline_ends_a_statement_and_the_client) {
  ScratchDatabase database;
  auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
  const auto late = client->query("SELECT pg_sleep(3600)", test_clock().in(std::chrono::milliseconds(50)), "sleep");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kTimeout);
  EXPECT_FALSE(client->usable());
  EXPECT_FALSE(client->query("SELECT 1", patience(), "ask"));
  database.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND pid <> "
      "pg_backend_pid()");
}

TEST(Client, an_error_leaves_it_usable_and_quotes_no_value) {
  ScratchDatabase database;
  auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
  const auto bad = client->query("SELECT $1::int", patience(), "cast", {std::string("12345678901x")});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), ErrorCode::kBadData);
  EXPECT_EQ(bad.error().text().find("12345678901"), std::string::npos);
  EXPECT_EQ(client->query("SELECT $1::text", patience(), "echo", {std::string("ø")}).value().view(0, 0), "ø");
}

TEST(Quote, makes_sql_safe) {
  ScratchDatabase database;
  for (const char* name : {"a", "a\"b", "æ ø.å", "a'b\\c"}) {
    EXPECT_EQ(database.value("SELECT " + quote_literal(name)), name);
    const Rows rows = database.sql("SELECT 1 AS " + quote_identifier(name));
    EXPECT_EQ(rows.size(), 1);
  }
}

}  // namespace
}  // namespace flytt::postgres
