// What the warehouse promises to its callers, through its public surface.

#include "warehouse/warehouse.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <condition_variable>
#include <csignal>
#include <filesystem>

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

TEST_F(Fixture, AnArrayAndMoreColumnsAreAddedInOneChange) {
  for (const bool is_mirror : {true, false}) {
    const std::string name = is_mirror ? "m" : "p";
    is_mirror ? make_mirror(name) : make_plain(name);
    auto session = open(name, is_mirror);
    ASSERT_TRUE(is_mirror ? upsert(*session, {Row{1, "a", 1}}) : insert(*session, {Row{1, "a", 0}}));
    TableChange change;
    change.schema = warehouse().table(path(name))->schema;
    const data::Type number(data::TypeKind::kInt64), text(data::TypeKind::kString);
    for (const auto& [column, type] :
         {std::pair("list", data::Type::array(number)), {"n", number}, {"more", data::Type::array(text)}, {"s", text}})
      change.schema->fields.push_back({column, type, false, ""});
    const auto changed = warehouse().update_table(path(name), change);
    ASSERT_TRUE(changed) << changed.error().text();
    EXPECT_EQ(rows("SELECT id, ARRAY_LENGTH(list), n, ARRAY_LENGTH(more), s FROM d." + name), "1,0,NULL,0,NULL;");
  }
}

// Files that may not grow stand for a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(Fixture, NothingIsKeptOfAnAppendForWhichTheDiskHasNoRoom) {
  make_plain("t");
  auto session = open("t", false);
  ASSERT_TRUE(insert(*session, {Row{0, "first", 0}}));
  std::int64_t taken = 1;
  Status last;
  {
    const FileSizeLimit limit(std::filesystem::file_size(folder_.path() + "/warehouse.duckdb.wal") + 5'000);
    while (taken < 100 && (last = insert(*session, {Row{taken, std::string(300, 'x'), 0}}))) ++taken;
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code(), ErrorCode::kUnavailable) << last.error().text();
    EXPECT_FALSE(insert(*session, {Row{1000, std::string(300, 'y'), 0}}));
  }
  EXPECT_GT(taken, 1);
  const std::string all = "SELECT COUNT(*), MAX(id) FROM d.t";
  EXPECT_EQ(rows(all), std::to_string(taken) + "," + std::to_string(taken - 1) + ";");
  session.reset();
  reopen();
  EXPECT_EQ(rows(all), std::to_string(taken) + "," + std::to_string(taken - 1) + ";");
  session = open("t", false);
  EXPECT_TRUE(insert(*session, {Row{taken, "room", 0}}));
}

}  // namespace
}  // namespace flytt::warehouse
