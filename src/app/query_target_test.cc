#include "app/internal/query_target.h"

#include <gtest/gtest.h>

namespace flytt::app {
namespace {

QueryConfig query_of(QueryWrite write) {
  QueryConfig query;
  query.name = "orders";
  query.dataset = "mart";
  query.table = "orders";
  query.write = write;
  if (write == QueryWrite::kUpsert) query.key = {"id", "group"};
  return query;
}

QueryTarget target() {
  return {{"team", "mart", "orders"},
          {{"id", "s.`id`", true},
           {"group", "s.`group`", true},
           {"name", "s.`name`", true},
           {"gone", "CAST(NULL AS STRING)", false},
           {"version", "TIMESTAMP_MICROS(7)", true}},
          false};
}

TEST(QueryTarget, AResultFillsTheWholeTable) {
  EXPECT_EQ(write_statement(target(), query_of(QueryWrite::kTruncate), "`team.mart.staging`"),
            "SELECT s.`id` AS `id`, s.`group` AS `group`, s.`name` AS `name`, CAST(NULL AS STRING) AS `gone`, "
            "TIMESTAMP_MICROS(7) AS `version`\nFROM `team.mart.staging` AS s");
}

TEST(QueryTarget, AMergeLeavesColumnsAloneThatTheResultDoesNotHave) {
  EXPECT_EQ(write_statement(target(), query_of(QueryWrite::kUpsert), "`team.mart.staging`"),
            "MERGE `team.mart.orders` AS t\nUSING `team.mart.staging` AS s\n"
            "ON t.`id` = s.`id` AND t.`group` = s.`group`\n"
            "WHEN MATCHED THEN UPDATE SET `name` = s.`name`, `version` = TIMESTAMP_MICROS(7)\n"
            "WHEN NOT MATCHED THEN INSERT (`id`, `group`, `name`, `version`) VALUES (s.`id`, s.`group`, s.`name`, "
            "TIMESTAMP_MICROS(7))");
}

TEST(QueryTarget, ATableThatIsStricterThanAnAnswerIsWrittenByStatements) {
  QueryTarget strict = target();
  strict.is_strict = true;
  EXPECT_TRUE(is_written_by_job(target(), query_of(QueryWrite::kAppend)));
  EXPECT_FALSE(is_written_by_job(strict, query_of(QueryWrite::kAppend)));
  EXPECT_EQ(write_statement(strict, query_of(QueryWrite::kAppend), "`s`"),
            "INSERT INTO `team.mart.orders` (`id`, `group`, `name`, `version`)\n"
            "SELECT s.`id`, s.`group`, s.`name`, TIMESTAMP_MICROS(7)\nFROM `s` AS s");
  EXPECT_EQ(write_statement(strict, query_of(QueryWrite::kTruncate), "`s`"),
            "MERGE `team.mart.orders` AS t\nUSING `s` AS s\nON FALSE\nWHEN NOT MATCHED BY SOURCE THEN DELETE\n"
            "WHEN NOT MATCHED THEN INSERT (`id`, `group`, `name`, `version`) VALUES (s.`id`, s.`group`, s.`name`, "
            "TIMESTAMP_MICROS(7))");
}

TEST(QueryTarget, AWiderColumnTakesAResultAndAnotherDoesNot) {
  using data::TypeKind;
  bigquery::TableInfo table;
  table.path = {"team", "mart", "orders"};
  data::Type text(TypeKind::kString), amount(TypeKind::kNumeric);
  text.max_length = 3;
  amount.precision = 6;
  amount.scale = 2;
  table.schema.fields = {{"text", text, false, ""},
                         {"texts", data::Type::array(text), false, ""},
                         {"amount", amount, false, ""},
                         {"ratio", TypeKind::kFloat64, false, ""},
                         {"at", TypeKind::kDatetime, false, ""},
                         {"id", TypeKind::kInt64, true, ""}};
  const auto problems = [&](std::vector<data::Field> fields) {
    std::vector<ResultColumn> result;
    for (data::Field& field : fields) result.push_back({std::move(field), ""});
    std::string out;
    for (const QueryProblem& problem : target_problems(query_of(QueryWrite::kAppend), table, "", result))
      out += problem.object + ": " + problem.fix + "\n";
    return out;
  };
  EXPECT_EQ(problems({{"text", TypeKind::kString, false, ""},
                      {"texts", data::Type::array(TypeKind::kString), false, ""},
                      {"amount", TypeKind::kInt64, false, ""},
                      {"ratio", TypeKind::kBigNumeric, false, ""},
                      {"at", TypeKind::kDate, false, ""},
                      {"id", TypeKind::kInt64, false, ""}}),
            "");
  const std::string cast = ": cast it in 'queries.orders.sql', or write into another table\n";
  EXPECT_EQ(problems({{"text", TypeKind::kBytes, false, ""},
                      {"amount", TypeKind::kFloat64, false, ""},
                      {"at", TypeKind::kTimestamp, false, ""}}),
            "team.mart.orders.text" + cast + "team.mart.orders.amount" + cast + "team.mart.orders.at" + cast +
                "team.mart.orders.id: return it, or: ALTER TABLE `mart.orders` ALTER COLUMN `id` DROP NOT NULL\n");
}

TEST(QueryTarget, AResultHasColumnsThatATableCanHave) {
  QueryConfig query = query_of(QueryWrite::kUpsert);
  query.key = {"idd"};
  query.version_column = "seen";
  std::string text;
  for (const QueryProblem& problem : result_problems(query, {{{"id", data::TypeKind::kInt64, false, ""}, ""},
                                                             {{"a.b", data::TypeKind::kInt64, false, ""}, ""},
                                                             {{"ID", data::TypeKind::kInt64, false, ""}, ""},
                                                             {{"Seen", data::TypeKind::kInt64, false, ""}, ""}}))
    text += problem.sentence + "; " + problem.fix + "\n";
  EXPECT_EQ(text,
            "BigQuery takes no column named \"a.b\"; give it another name with AS in 'queries.orders.sql'\n"
            "the result has two columns \"ID\"; give one of them another name with AS in 'queries.orders.sql'\n"
            "the result has a column \"seen\" itself, and 'version' would add another; give 'queries.orders.version' "
            "another name, or take the column out of the result\n"
            "the result has no column \"idd\", which 'key' names; name 'id' in 'queries.orders.key'\n");
}

TEST(QueryTarget, ALimitOfWhatIsReadIsInclusive) {
  QueryConfig query = query_of(QueryWrite::kAppend);
  EXPECT_FALSE(cost_problem(query, INT64_MAX)) << "there is no limit";
  query.bytes_max = 2048;
  EXPECT_FALSE(cost_problem(query, 2048));
  ASSERT_TRUE(cost_problem(query, 2049));
  EXPECT_EQ(cost_problem(query, 4096)->sentence, "it would read 4.0 KiB (4096 bytes), more than its limit of 2.0 KiB");
}

TEST(QueryTarget, AMergeOfKeysAloneUpdatesNothing) {
  QueryTarget keys{{"team", "mart", "orders"}, {{"id", "s.`id`", true}, {"group", "s.`group`", true}}, false};
  EXPECT_EQ(write_statement(keys, query_of(QueryWrite::kUpsert), "`s`").find("WHEN MATCHED"), std::string::npos);
}

TEST(QueryTarget, AStatementIsClosedWhateverItEndsWith) {
  EXPECT_EQ(as_rows("SELECT 1 AS a -- one"), "(\nSELECT 1 AS a -- one\n)");
  EXPECT_EQ(as_rows("SELECT 1 AS a ;\n; "), "(\nSELECT 1 AS a\n)");
}

TEST(QueryTarget, NamesAreQuoted) { EXPECT_EQ(quoted_name("a`b\\c"), "`a\\`b\\\\c`"); }

TEST(QueryTarget, TheTableIsThatOfTheSlot) {
  QueryConfig query = query_of(QueryWrite::kTruncate);
  query.table = "orders_{run_date}";
  EXPECT_EQ(target_table(query, "team", 1'768'453'200'000'000).value(),
            (data::TablePath{"team", "mart", "orders_20260115"}));
  query.table = "orders${run_date}";
  const auto partition = target_table(query, "team", 1'768'453'200'000'000);
  ASSERT_TRUE(partition);
  EXPECT_EQ(whole_table(*partition), (data::TablePath{"team", "mart", "orders"}));
  EXPECT_EQ(partition_of(*partition), "20260115");
  EXPECT_EQ(partition_of(whole_table(*partition)), "");
}

TEST(QueryTarget, APartitionIsOfATableThatHasSuch) {
  const auto first = [](const std::string& unit, const std::string& id, const std::vector<data::Field>& fields = {}) {
    bigquery::TableInfo table;
    table.path = {"team", "mart", "orders"};
    table.partition_unit = unit;
    table.schema.fields = fields;
    std::vector<ResultColumn> result;
    for (const data::Field& field : fields) result.push_back({field, ""});
    const auto problems = target_problems(query_of(QueryWrite::kTruncate), table, id, result);
    return problems.empty() ? "" : problems.front().sentence + "; " + problems.front().fix;
  };
  EXPECT_EQ(first("DAY", "20260115"), "");
  EXPECT_EQ(first("HOUR", "2026011507"), "");
  EXPECT_EQ(first("RANGE", "40"), "");
  EXPECT_EQ(first("", "20260115"),
            "table team.mart.orders is not partitioned, so it has no partition $20260115; name it without '$' in "
            "'queries.orders.to', or make it anew with PARTITION BY");
  EXPECT_EQ(
      first("MONTH", "20260115"),
      "table team.mart.orders is partitioned by MONTH, and $20260115 is no such partition; end 'queries.orders.to' "
      "with ${run_time|\"%Y%m\"}");
  EXPECT_EQ(
      first("DAY", "20260115", {{"day", data::TypeKind::kDate, true, ""}}),
      "column \"day\" of table team.mart.orders is REQUIRED, and BigQuery puts an answer into a single partition only "
      "where columns are NULLABLE and without parameters; ALTER TABLE `mart.orders` ALTER COLUMN `day` DROP NOT "
      "NULL, or name the table without '$' in 'queries.orders.to'");
}

}  // namespace
}  // namespace flytt::app
