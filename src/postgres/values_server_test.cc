// Values through a real server: the binary form, the text form and what COPY gives are read as the same cell, and that
// cell is what the type table promises.

#include <gtest/gtest.h>

#include "postgres/catalog.h"
#include "postgres/internal/cell_print.h"
#include "postgres/internal/copy_decoder.h"
#include "postgres/internal/row_builder.h"
#include "postgres/internal/scratch_server.h"

namespace flytt::postgres {
namespace {

struct ValueCase {
  const char* type;
  const char* literal;   // inside quotes
  const char* expected;  // of the cell, or "Q: …" with the rejected raw text
};

const ValueCase kCases[] = {
    {"smallint", "-32768", "-32768"},
    {"integer", "2147483647", "2147483647"},
    {"bigint", "-9223372036854775808", "-9223372036854775808"},
    {"oid", "4294967295", "4294967295"},
    {"real", "0.1", "0.10000000149011612"},
    {"real", "-Infinity", "-inf"},
    {"double precision", "0.1", "0.10000000000000001"},
    {"double precision", "NaN", "nan"},
    {"double precision", "1e300", "1.0000000000000001e+300"},
    {"boolean", "true", "true"},
    {"boolean", "f", "false"},
    {"numeric(10,2)", "-12345678.9", "-12345678.9"},
    {"numeric(38,9)", "99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"},
    {"numeric(38,9)", "-0.000000001", "-0.000000001"},
    {"numeric(5,-3)", "12345678", "12346000"},
    {"numeric(10,2)", "NaN", "Q: NaN"},
    {"numeric", "12345678901234567890123456789012345678.12345678901234567890123456789012345678",
     "12345678901234567890123456789012345678.12345678901234567890123456789012345678"},
    {"numeric", "1e-38", "0.00000000000000000000000000000000000001"},
    {"numeric", "1e-39", "Q: 0.000000000000000000000000000000000000001"},
    {"numeric", "1e40", "Q: 10000000000000000000000000000000000000000"},
    {"numeric", "-Infinity", "Q: -Infinity"},
    {"numeric", "0", "0"},
    {"numeric", "0.00", "0"},
    {"numeric", "10000", "10000"},
    {"numeric", "100000000", "100000000"},
    {"numeric(60,20)", "1.5", "1.5"},
    {"money", "-1234.56", "-1234.56"},
    {"text", "blåbær 😀", "blåbær 😀"},
    {"text", "", ""},
    {"varchar(20)", "a\tb", "a\tb"},
    {"char(5)", "ab", "ab   "},
    {"name", "n", "n"},
    {"xml", "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>ø</a>", "<a>ø</a>"},
    {"\"char\"", "x", "x"},
    {"bytea", "\\x00ff10", std::string_view("\0\xFF\x10", 3).data()},
    {"uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {"date", "2024-02-29", "2024-02-29"},
    {"date", "0001-01-01", "0001-01-01"},
    {"date", "9999-12-31", "9999-12-31"},
    {"date", "infinity", "Q: infinity"},
    {"date", "-infinity", "Q: -infinity"},
    {"date", "0044-03-15 BC", "Q: 0044-03-15 BC"},
    {"date", "10000-01-01", "Q: 10000-01-01"},
    {"time", "23:59:59.999999", "23:59:59.999999"},
    {"time", "00:00", "00:00:00"},
    {"time", "24:00:00", "Q: 24:00:00"},
    {"timetz", "12:34:56.5+02", "12:34:56.5+02"},
    {"timetz", "00:00:00-05:30", "00:00:00-05:30"},
    {"timestamp", "2024-02-29 12:34:56.000001", "2024-02-29T12:34:56.000001"},
    {"timestamp", "1969-12-31 23:59:59.5", "1969-12-31T23:59:59.500000"},
    {"timestamp", "infinity", "Q: infinity"},
    {"timestamp", "0001-01-01 00:00:00 BC", "Q: 0001-01-01 00:00:00 BC"},
    {"timestamp", "9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999"},
    {"timestamptz", "2024-06-01 12:00:00+02", "2024-06-01T10:00:00Z"},
    {"timestamptz", "10000-01-01 00:00:00.25+00", "Q: 10000-01-01 00:00:00.25+00"},
    {"timestamptz", "-infinity", "Q: -infinity"},
    {"timestamptz", "0001-01-01 00:00:00+00", "0001-01-01T00:00:00Z"},
    {"interval", "1 year 2 mons -3 days 04:05:06.789", "1-2 -3 4:5:6.789000"},
    {"interval", "-1 year -2 mons", "-1-2 0 0:0:0"},
    {"interval", "-00:00:00.000001", "0-0 0 -0:0:0.000001"},
    {"interval", "11000 years", "Q: 11000 years"},
    {"interval", "-5 days +100 hours", "0-0 -5 100:0:0"},
    {"interval", "0", "0-0 0 0:0:0"},
    {"json", "{\"b\": 1,  \"a\": [1.5, \"\\u00e6\"]}", "{\"b\": 1,  \"a\": [1.5, \"\\u00e6\"]}"},
    {"json", "\"\\u0000\"", "Q: \"\\u0000\""},
    {"jsonb", "{\"b\": 1, \"a\": [1.5, null]}", "{\"a\": [1.5, null], \"b\": 1}"},
    {"jsonb", "123456789012345678901234567890", "Q: 123456789012345678901234567890"},
    {"jsonb", "18446744073709551615", "18446744073709551615"},
    {"inet", "192.168.1.1", "192.168.1.1"},
    {"inet", "192.168.1.1/24", "192.168.1.1/24"},
    {"cidr", "10.1.0.0/16", "10.1.0.0/16"},
    {"inet", "::1", "::1"},
    {"inet", "::5", "::5"},
    {"inet", "2001:db8::ff00:42:8329", "2001:db8::ff00:42:8329"},
    {"inet", "::ffff:1.2.3.4", "::ffff:1.2.3.4"},
    {"inet", "1:0:0:2::", "1:0:0:2::"},
    {"inet", "fe80::/10", "fe80::/10"},
    {"inet", "::", "::"},
    {"inet", "1::", "1::"},
    {"inet", "0:0:1::", "0:0:1::"},
    {"inet", "::1.2.3.4", "::1.2.3.4"},
    {"macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:03"},
    {"macaddr8", "08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03:04:05"},
    {"pg_lsn", "16/B374D848", "16/B374D848"},
    {"bit(9)", "101010101", "101010101"},
    {"varbit", "", ""},
    {"varbit", "1", "1"},
    {"tsvector", "fat cat:1A", "'cat':1A 'fat'"},
    {"tsquery", "fat & cat", "'fat' & 'cat'"},
    {"point", "(1.5,-2)", "(1.5,-2)"},
    {"box", "(1,2),(0,0)", "(1,2),(0,0)"},
    {"int4range", "[1,5)", "[1,5)"},
    {"tstzrange", "[2024-01-01 00:00+00,)", "[\"2024-01-01 00:00:00+00\",)"},
    {"int4multirange", "{[1,3),[5,6)}", "{[1,3),[5,6)}"},
    {"regtype", "integer", "integer"},
    {"int2vector", "1 2", "1 2"},
    {"xid", "7", "7"},
    {"txid_snapshot", "1:1:", "1:1:"},
    {"app.mood", "glad", "glad"},
    {"app.email", "A@b", "A@b"},
    {"app.amount", "1.25", "1.25"},
    {"app.pair", "(1,\"a b\")", "(1,\"a b\")"},
    {"app.pair", "(,)", "(,)"},
    {"app.tags", "{a,b}", "[a|b]"},
    {"integer[]", "{1,-2,3}", "[1|-2|3]"},
    {"integer[]", "{}", "[]"},
    {"integer[]", "{1,NULL}", "Q: {1,NULL}"},
    {"integer[]", "{{1,2},{3,4}}", "Q: {{1,2},{3,4}}"},
    {"integer[]", "[0:1]={5,6}", "[5|6]"},
    {"integer[]", "[0:1]={5,NULL}", "Q: [0:1]={5,NULL}"},
    {"text[]", "{\"a,b\",\"NULL\",\"\",\"q\\\"\\\\\",c d}", "[a,b|NULL||q\"\\|c d]"},
    {"text[]", "{\"a,b\",NULL,\"q\\\"\"}", "Q: {\"a,b\",NULL,\"q\\\"\"}"},
    {"numeric(10,2)[]", "{1.5,2}", "[1.5|2]"},
    {"numeric[]", "{NaN}", "Q: {NaN}"},
    {"date[]", "{2024-01-01}", "[2024-01-01]"},
    {"jsonb[]", "{\"{\\\"a\\\": 1}\"}", "[{\"a\": 1}]"},
    {"box[]", "{(1,2),(0,0);(3,4),(1,1)}", "[(1,2),(0,0)|(3,4),(1,1)]"},
    {"inet[]", "{1.2.3.4,::1}", "[1.2.3.4|::1]"},
    {"app.mood[]", "{glad,trist}", "[glad|trist]"},
    {"app.email[]", "{x,y}", "[x|y]"},
    {"bytea[]", "{\"\\\\x0102\"}", "[\x01\x02]"},
    {"timestamptz[]", "{\"2024-06-01 12:00:00+02\"}", "[2024-06-01T10:00:00Z]"},
    {"int4range[]", "{\"[1,5)\"}", "[[1,5)]"},
    {"money[]", "{1.50,-2}", "[1.5|-2]"},
    {"boolean[]", "{t,f}", "[true|false]"},
    {"interval[]", "{\"1 day\"}", "[0-0 1 0:0:0]"},
    {"uuid[]", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "[a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11]"},
};

class Values : public ::testing::Test {
 protected:
  Values() {
    database.sql(
        "CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('glad', 'trist'); CREATE DOMAIN app.short AS varchar(20); "
        "CREATE DOMAIN app.email AS app.short; "
        "CREATE DOMAIN app.amount AS numeric(12,2); CREATE TYPE app.pair AS (a int, b text); CREATE DOMAIN app.tags AS "
        "text[]");
    std::string columns = "id int PRIMARY KEY", values = "1", nulls = "2";
    for (std::size_t i = 0; i < std::size(kCases); ++i) {
      const bool is_newer = database.version() < 140000 && std::string_view(kCases[i].type) == "int4multirange";
      columns += ", c" + std::to_string(i) + " " + (is_newer ? "text" : kCases[i].type);
      values += ", " + quote_literal(kCases[i].literal);
      nulls += ", NULL";
    }
    database.sql("CREATE TABLE every (" + columns + "); INSERT INTO every VALUES (" + values + "), (" + nulls + ")");
    auto catalog = inspect_tables(database.settings(), {}, "", test_clock(), patience());
    CHECK(catalog.has_value());
    CHECK(catalog->tables.size() == 1);
    table = std::move(catalog->tables.front());
    plan = make_row_plan(table, make_slice_schema(table, {"p", "d", "every"}, data::SchemaVersion(1)), {});
  }

  std::string expected(std::size_t i) const {
    if (std::string_view(kCases[i].type) == "bytea") return std::string("\0\xFF\x10", 3);
    return kCases[i].expected;
  }
  // Both rows of the table are in `slice`.
  void compare(const data::TableSlice& slice, const char* form) const {
    ASSERT_EQ(slice.row_count(), 2u);
    for (std::size_t i = 0; i < std::size(kCases); ++i) {
      const data::Column& column = slice.columns[i + 1];
      const std::string name = "c" + std::to_string(i),
                        message = std::string(form) + " form of " + kCases[i].type + " " + kCases[i].literal;
      EXPECT_EQ(print_cell(column, 1), column.kind() == data::TypeKind::kArray ? "[]" : "NULL") << message;
      std::string seen = print_cell(column, 0);
      for (const data::Rejection& rejection : slice.rejections) {
        if (rejection.column != name) continue;
        EXPECT_EQ(seen, column.kind() == data::TypeKind::kArray ? "[]" : "NULL") << message;
        EXPECT_EQ(rejection.key, "id=1");
        seen = "Q: " + rejection.raw;
      }
      EXPECT_EQ(seen, expected(i)) << message;
    }
  }

  ScratchDatabase database;
  SourceTable table;
  std::shared_ptr<const RowPlan> plan;
};

TEST_F(Values, have_one_cell_in_binary_form_and_in_text_form) {
  auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
  std::string select;
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    select += (i == 0 ? "SELECT " : ", ") + copy_expression(table.columns[i].name, plan->codecs[i]);
  const Rows binary = client->query_binary(select + " FROM public.every ORDER BY id", patience(), "select", {}).value();
  const Rows text = client->query("SELECT * FROM public.every ORDER BY id", patience(), "select").value();
  for (const bool as_text : {false, true}) {
    RowBuilder builder(plan);
    for (int row = 0; row < 2; ++row) {
      std::vector<Cell> cells;
      for (int i = 0; i < binary.columns(); ++i) {
        const Rows& rows = as_text ? text : binary;
        const char form = as_text || !plan->codecs[static_cast<std::size_t>(i)].binary ? 't' : 'b';
        cells.push_back(rows.is_null(row, i) ? Cell{} : Cell{form, rows.view(row, i)});
      }
      ASSERT_TRUE(builder.append(cells, {}).value());
    }
    compare(builder.take(), as_text ? "text" : "binary");
  }
}

TEST_F(Values, arrive_so_from_a_copy) {
  auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
  std::string select;
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    select += (i == 0 ? "SELECT " : ", ") + copy_expression(table.columns[i].name, plan->codecs[i]);
  ASSERT_TRUE(client->start_copy("COPY (" + select + " FROM public.every ORDER BY id) TO STDOUT (FORMAT binary)",
                                 patience(), "copy"));
  CopyDecoder decoder(plan, data::Sequence::of(1, 2, 0));
  for (;;) {
    std::string_view row;
    const CopyState state = client->read_copy(row).value();
    if (state == CopyState::kEnd) break;
    if (state == CopyState::kRow)
      ASSERT_TRUE(decoder.consume(row));
    else
      ASSERT_TRUE(client->wait_input(patience()));
  }
  EXPECT_TRUE(decoder.ended());
  compare(decoder.take(), "copied");
}

TEST_F(Values, rendered_from_binary_is_the_servers_own_text) {
  auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
  const Rows binary = client->query_binary("SELECT * FROM public.every WHERE id = 1", patience(), "select", {}).value();
  const Rows text = client->query("SELECT * FROM public.every WHERE id = 1", patience(), "select").value();
  for (int i = 0; i < binary.columns(); ++i) {
    const Codec& codec = plan->codecs[static_cast<std::size_t>(i)];
    const std::string_view type = kCases[std::max(0, i - 1)].type;
    if (!codec.binary || type.starts_with("money") || type.starts_with("double") || type == "real") continue;
    EXPECT_EQ(render_text(codec, binary.view(0, i)), text.view(0, i)) << type;
  }
}

}  // namespace
}  // namespace flytt::postgres
