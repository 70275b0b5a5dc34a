// What the warehouse promises to its callers, through its public surface.

#include "warehouse/warehouse.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "warehouse/rest_json.h"
#include "warehouse/internal/test_support.h"

namespace flytt::warehouse {
namespace {

using test::Fixture;
using test::Row;

TEST_F(Fixture, RowsOfAMirrorAreSeenAtOnce) {
  make_mirror("t");
  auto session = open("t");
  ASSERT_TRUE(upsert(*session, {Row{1, "a", 1}, Row{2, "b", 1}}));
  EXPECT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), "1,a;2,b;");
  ASSERT_TRUE(upsert(*session, {Row{2, "c", 5}}));
  EXPECT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), "1,a;2,c;");
  ASSERT_TRUE(erase(*session, {Row{1, "", 6}}));
  EXPECT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), "2,c;");
  ASSERT_TRUE(warehouse().apply_all());
  EXPECT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), "2,c;");
  ASSERT_TRUE(upsert(*session, {Row{1, "late", 3}}));
  EXPECT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), "2,c;");
}

TEST_F(Fixture, ATableIsReplacedByItsOwnRows) {
  make_mirror("t");
  auto session = open("t");
  ASSERT_TRUE(upsert(*session, {Row{1, "a", 1}, Row{2, "b", 1}}));
  EXPECT_EQ(rows("CREATE OR REPLACE TABLE d.t AS SELECT id + 10 AS id, name FROM d.t"), "");
  EXPECT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), "11,a;12,b;");
  EXPECT_EQ(rows("CREATE OR REPLACE TABLE d.t (id INT64, PRIMARY KEY (id) NOT ENFORCED) AS SELECT id FROM d.t"), "");
  EXPECT_EQ(rows("SELECT id FROM d.t ORDER BY id"), "11;12;");
  ASSERT_TRUE(warehouse().apply_all());
  reopen();
  EXPECT_EQ(rows("SELECT id FROM d.t ORDER BY id"), "11;12;");
}

TEST_F(Fixture, AReplacementThatFailsLeavesTheTable) {
  make_plain("t");
  EXPECT_EQ(rows("INSERT INTO d.t (id, name) VALUES (1, 'x')"), "");
  EXPECT_EQ(rows("CREATE OR REPLACE TABLE d.t AS SELECT CAST(name AS INT64) AS n FROM d.t").substr(0, 6), "error:");
  EXPECT_EQ(rows("SELECT id, name FROM d.t"), "1,x;");
  EXPECT_EQ(rows("CREATE TABLE d.u AS SELECT CAST(name AS INT64) AS n FROM d.t").substr(0, 6), "error:");
  EXPECT_EQ(rows("SELECT COUNT(*) FROM d.INFORMATION_SCHEMA.TABLES"), "1;");
}

}  // namespace
}  // namespace flytt::warehouse
