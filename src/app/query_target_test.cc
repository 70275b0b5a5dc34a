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
           {"version", "TIMESTAMP_MICROS(7)", true}}};
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

TEST(QueryTarget, AMergeOfKeysAloneUpdatesNothing) {
  QueryTarget keys{{"team", "mart", "orders"}, {{"id", "s.`id`", true}, {"group", "s.`group`", true}}};
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
  ASSERT_FALSE(partition);
  EXPECT_NE(partition.error().sentence().find("a single partition"), std::string::npos) << partition.error().text();
}

}  // namespace
}  // namespace flytt::app
