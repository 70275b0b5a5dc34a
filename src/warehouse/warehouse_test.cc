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

}  // namespace
}  // namespace flytt::warehouse
