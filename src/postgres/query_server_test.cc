#include "postgres/query.h"

#include <gtest/gtest.h>

#include "postgres/internal/cell_print.h"
#include "postgres/internal/scratch_server.h"

namespace flytt::postgres {
namespace {

std::unique_ptr<QuerySession> open_session(ScratchDatabase& database) {
  auto session = QuerySession::open(database.settings(), test_clock(), patience());
  if (!session) ADD_FAILURE() << session.error().text();
  return std::move(*session);
}

struct Answer {
  std::vector<std::string> rows;  // cells joined by "|"
  std::vector<data::Rejection> rejections;
};

Result<Answer> read(const QuerySession& session, const std::shared_ptr<const QueryShape>& shape,
                    std::vector<int> columns = {}) {
  if (columns.empty())
    for (std::size_t i = 0; i < shape->columns().size(); ++i) columns.push_back(static_cast<int>(i));
  auto schema = std::make_shared<data::SliceSchema>();
  for (const int column : columns)
    schema->table.fields.push_back(shape->columns()[static_cast<std::size_t>(column)].field);
  TRY(auto source, session.open_rows(shape, columns, schema, patience()));
  Answer answer;
  while (!source->is_done()) {
    TRY(const auto batch, source->next(patience()));
    CHECK(batch.has_value());
    for (const data::TableSlice& slice : batch->tables) {
      answer.rejections.insert(answer.rejections.end(), slice.rejections.begin(), slice.rejections.end());
      for (std::size_t row = 0; row < slice.row_count(); ++row) {
        std::string text;
        for (const data::Column& column : slice.columns)
          text += (&column == &slice.columns.front() ? "" : "|") + print_cell(column, row);
        answer.rows.push_back(std::move(text));
      }
    }
  }
  return answer;
}

Result<Answer> ask(QuerySession& session, const std::string& sql, QueryTypes types = QueryTypes::kMirror,
                   DecimalType decimals = DecimalType::kNumeric) {
  TRY(const auto shape, session.describe(sql, types, decimals, patience()));
  return read(session, shape);
}

TEST(Query, all_statements_of_a_session_see_one_snapshot) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'a'), (2, NULL)");
  const auto session = open_session(database);
  database.sql("INSERT INTO t VALUES (3, 'c'); ALTER TABLE t ADD COLUMN later int");
  for (int i = 0; i < 2; ++i) {
    const auto answer = ask(*session, "SELECT id, v FROM t ORDER BY id -- the end");
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->rows, (std::vector<std::string>{"1|a", "2|NULL"}));
  }
}

TEST(Query, the_recipe_works_as_it_stands) {
  ScratchDatabase database;
  database.sql(R"(CREATE TYPE kind AS ENUM ('raw', 'derived');
    CREATE TABLE dataproducts (id uuid, name text, "group" text, pii boolean, created timestamptz, last_modified timestamp, "type" kind);
    INSERT INTO dataproducts VALUES ('00000000-0000-0000-0000-000000000001', 'navn æøå', 'g', true, '2024-02-29 12:00+01', '2024-02-29 12:00', 'raw'))");
  const auto session = open_session(database);
  const auto shape = session->describe(R"(
      -- which version of the rows this is
      WITH constants (version) AS (VALUES (TIMESTAMP '2024-03-01 00:00:00'))
      SELECT id::text, name, "group", pii, created, last_modified, "type"::text, /* all of it */ version
      FROM dataproducts, constants; )",
                                       QueryTypes::kFederated, DecimalType::kNumeric, patience());
  ASSERT_TRUE(shape) << shape.error().text();
  std::string types;
  for (const QueryColumn& column : (*shape)->columns())
    types += column.field.name + " " + column.field.type.sql_name() + ", ";
  EXPECT_EQ(types,
            "id STRING, name STRING, group STRING, pii BOOL, created TIMESTAMP, last_modified DATETIME, type STRING, "
            "version DATETIME, ");
  const auto answer = read(*session, *shape);
  ASSERT_TRUE(answer) << answer.error().text();
  ASSERT_EQ(answer->rows.size(), 1u);
  EXPECT_EQ(answer->rows.front().substr(0, 55), "00000000-0000-0000-0000-000000000001|navn æøå|g|true");
  const auto some = read(*session, *shape, {6, 1});
  ASSERT_TRUE(some) << some.error().text();
  EXPECT_EQ(some->rows, (std::vector<std::string>{"raw|navn æøå"}));
}

struct FederatedCase {
  const char* expression;
  const char* type;   // empty: not supported
  std::string value;  // as print_cell writes it
};

TEST(Query, the_types_of_federation_are_those_that_BigQuery_documents) {
  ScratchDatabase database;
  database.sql(
      "CREATE TYPE mood AS ENUM ('sad'); CREATE DOMAIN short AS varchar(5); CREATE TYPE pair AS (a int, b int)");
  const std::vector<FederatedCase> cases = {
      {"1::smallint", "INT64", "1"},
      {"2::integer", "INT64", "2"},
      {"3::bigint", "INT64", "3"},
      {"1.5::real", "FLOAT64", "1.5"},
      {"2.5::double precision", "FLOAT64", "2.5"},
      {"1.25::numeric", "NUMERIC", "1.25"},
      {"1.25::numeric(10,2)", "NUMERIC", "1.25"},
      {"true", "BOOL", "true"},
      {"'2024-02-29'::date", "DATE", "2024-02-29"},
      {"'12:34:56.789'::time", "TIME", "12:34:56.789000"},
      {"'2024-02-29 12:34:56'::timestamp", "DATETIME", "2024-02-29T12:34:56"},
      {"'2024-02-29 12:34:56+02'::timestamptz", "TIMESTAMP", "2024-02-29T10:34:56Z"},
      {"'\\x00ff'::bytea", "BYTES", std::string("\0\xff", 2)},
      {"B'1010000011'::bit(10)", "BYTES", "\xa0\xc0"},
      {"B'1010'::bit varying", "BYTES", "\xa0"},
      {"'a'::char(3)", "STRING", "a  "},
      {"'b'::varchar", "STRING", "b"},
      {"'c'::text", "STRING", "c"},
      {"'{\"a\": 1}'::json", "STRING", "{\"a\": 1}"},
      {"'<a/>'::xml", "STRING", "<a/>"},
      {"'d'::short", "STRING", "d"},
      {"'1'::money", "", ""},
      {"'1 day'::interval", "", ""},
      {"'12:00+01'::timetz", "", ""},
      {"'{}'::jsonb", "", ""},
      {"'00000000-0000-0000-0000-000000000001'::uuid", "", ""},
      {"'127.0.0.1'::inet", "", ""},
      {"'127.0.0.0/8'::cidr", "", ""},
      {"'08:00:2b:01:02:03'::macaddr", "", ""},
      {"'08:00:2b:01:02:03:04:05'::macaddr8", "", ""},
      {"'(1,2)'::point", "", ""},
      {"'{1,2,3}'::line", "", ""},
      {"'[(1,2),(3,4)]'::lseg", "", ""},
      {"'(1,2),(3,4)'::box", "", ""},
      {"'((1,2),(3,4))'::path", "", ""},
      {"'((1,2),(3,4))'::polygon", "", ""},
      {"'<(1,2),3>'::circle", "", ""},
      {"'0/1'::pg_lsn", "", ""},
      {"'a'::tsquery", "", ""},
      {"'a'::tsvector", "", ""},
      {"txid_current_snapshot()", "", ""},
      {"ARRAY[1]", "", ""},
      {"'sad'::mood", "", ""},
      {"ROW(1, 2)::pair", "", ""},
      {"'[1,2)'::int4range", "", ""},
  };
  const auto session = open_session(database);
  for (const FederatedCase& each : cases) {
    SCOPED_TRACE(each.expression);
    const auto shape = session->describe(std::string("SELECT ") + each.expression + " AS v", QueryTypes::kFederated,
                                         DecimalType::kNumeric, patience());
    ASSERT_TRUE(shape) << shape.error().text();
    const QueryColumn& column = (*shape)->columns().front();
    EXPECT_EQ(column.is_supported, *each.type != '\0');
    if (!column.is_supported) continue;
    EXPECT_EQ(column.field.type.sql_name(), each.type);
    const auto answer = read(*session, *shape);
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->rows, std::vector<std::string>({each.value}));
  }
}

TEST(Query, decimals_become_what_was_asked_for) {
  ScratchDatabase database;
  const auto session = open_session(database);
  const std::string sql = "SELECT 1.0000000001::numeric AS v";
  const auto numeric = ask(*session, sql, QueryTypes::kFederated);
  ASSERT_TRUE(numeric) << numeric.error().text();
  ASSERT_EQ(numeric->rejections.size(), 1u);
  EXPECT_EQ(numeric->rejections.front().column, "v");
  for (const auto& [decimals, text] :
       std::vector<std::pair<DecimalType, std::string>>{{DecimalType::kBigNumeric, "1.0000000001"},
                                                        {DecimalType::kFloat64, "1.0000000001"},
                                                        {DecimalType::kString, "1.0000000001"}}) {
    const auto answer = ask(*session, sql, QueryTypes::kFederated, decimals);
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->rows, std::vector<std::string>{text});
    EXPECT_TRUE(answer->rejections.empty());
  }
}

TEST(Query, nothing_is_written_and_nothing_smuggled_in) {
  ScratchDatabase database;
  database.sql(
      "CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE SEQUENCE s;"
      "CREATE FUNCTION adds() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (2) RETURNING id';"
      "CREATE FUNCTION opens() RETURNS text LANGUAGE sql AS $$SELECT set_config('transaction_read_only', 'off', "
      "false)$$");
  for (const char* sql : {"INSERT INTO t VALUES (2)",
                          "INSERT INTO t VALUES (2) RETURNING id",
                          "DELETE FROM t RETURNING id",
                          "WITH gone AS (DELETE FROM t RETURNING id) SELECT * FROM gone",
                          "SELECT 1 AS a; DELETE FROM t",
                          "SELECT 1 AS a) TO STDOUT; DELETE FROM t; COPY (SELECT 1 AS a",
                          "SELECT 1 AS a) AS x, (SELECT 2 AS b",
                          "SELECT 1 AS a /* ",
                          "SELECT 'a",
                          "SELECT adds() AS a",
                          "SELECT nextval('s') AS a",
                          "SELECT opens() AS a, adds() AS b",
                          "SELECT 1 AS a INTO u",
                          "SELECT id FROM t FOR UPDATE",
                          "DROP TABLE t",
                          "COMMIT",
                          "SET TRANSACTION READ WRITE",
                          "COPY t TO STDOUT",
                          "SHOW server_version",
                          "SELECT 1 AS a, 2 AS a",
                          "SELECT $1::int AS a",
                          ""}) {
    SCOPED_TRACE(sql);
    const auto session = open_session(database);
    const auto answer = ask(*session, sql);
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().code(), ErrorCode::kBug) << answer.error().text();
    EXPECT_NE(answer.error().code(), ErrorCode::kCorrupt) << answer.error().text();
  }
  EXPECT_EQ(database.value("SELECT count(*)::text || max(id) FROM t"), "11");
}

TEST(Query, a_statement_that_nobody_waits_for_is_ended_at_the_server) {
  ScratchDatabase database;
  const auto session = open_session(database);
  const auto shape = session->describe("SELECT pg_sleep(600) IS NULL AS v /* sleeper */", QueryTypes::kMirror,
                                       DecimalType::kNumeric, patience());
  ASSERT_TRUE(shape) << shape.error().text();
  auto schema = std::make_shared<data::SliceSchema>();
  schema->table.fields.push_back((*shape)->columns().front().field);
  auto source = session->open_rows(*shape, {0}, schema, patience());
  ASSERT_TRUE(source) << source.error().text();
  const auto early = (*source)->next(test_clock().in(std::chrono::milliseconds(1)));
  ASSERT_TRUE(early) << early.error().text();
  EXPECT_FALSE(early->has_value());
  source->reset();
  EXPECT_EQ(
      database.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleeper%' AND state = 'active' AND "
                     "pid <> pg_backend_pid()"),
      "0");
}

TEST(Query, a_statement_may_end_in_a_semicolon_and_comments) {
  ScratchDatabase database;
  const auto session = open_session(database);
  for (const char* sql : {"SELECT 7 AS v; -- the end", "SELECT 7 AS v -- it's\n;\n-- one\n-- two\n",
                          "SELECT 7 AS v /* x */ -- ; y", "SELECT length('\n;--x') + 2 AS v ; "}) {
    const auto found = ask(*session, sql);
    ASSERT_TRUE(found) << sql << found.error().text();
    EXPECT_EQ(found->rows, std::vector<std::string>{"7"}) << sql;
  }
}

TEST(Query, the_roles_own_limits_and_names_hold) {
  ScratchDatabase database;
  database.sql("CREATE SCHEMA app; CREATE TABLE app.t (id int); INSERT INTO app.t VALUES (7); ALTER DATABASE " +
               database.name() + " SET search_path = app; ALTER DATABASE " + database.name() +
               " SET statement_timeout = '50ms'");
  const auto session = open_session(database);
  const auto found = ask(*session, "SELECT id FROM t");
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->rows, std::vector<std::string>{"7"});
  const auto late = ask(*session, "SELECT pg_sleep(600)::text AS v");
  ASSERT_FALSE(late);
  EXPECT_NE(late.error().text().find("57014"), std::string::npos) << late.error().text();
}

}  // namespace
}  // namespace flytt::postgres
