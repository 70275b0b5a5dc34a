// What names a table's presence in a publication, against a real server.

#include <gtest/gtest.h>

#include "postgres/catalog.h"
#include "postgres/internal/scratch_server.h"

namespace flytt::postgres {
namespace {

// "-" when the table is not published.
std::string presence(ScratchDatabase& database, const std::string& name, const std::string& publication = "pub") {
  const auto catalog =
      inspect_tables(database.settings(), TableSelection{{name}, {}}, publication, test_clock(), patience());
  CHECK(catalog.has_value());
  CHECK(catalog->tables.size() == 1);
  const SourceTable& table = catalog->tables.front();
  EXPECT_EQ(table.published, table.membership != 0) << name;
  return table.published ? table.presence() : "-";
}

TEST(Presence, changes_when_a_table_leaves_its_publication_and_comes_back) {
  ScratchDatabase database;
  database.sql(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); CREATE PUBLICATION pub FOR TABLE t, "
      "u");
  const std::string first = presence(database, "t"), other = presence(database, "u");
  EXPECT_EQ(first.substr(0, first.find('/')), database.value("SELECT 't'::regclass::oid"));
  database.sql("ALTER TABLE t ADD COLUMN v text; INSERT INTO t VALUES (1, 'x')");
  EXPECT_EQ(presence(database, "t"), first) << "neither rows nor columns are its presence";
  database.sql("ALTER PUBLICATION pub DROP TABLE t");
  EXPECT_EQ(presence(database, "t"), "-");
  database.sql("ALTER PUBLICATION pub ADD TABLE t");
  const std::string second = presence(database, "t");
  EXPECT_NE(second, first);
  EXPECT_EQ(presence(database, "u"), other);
  database.sql("ALTER PUBLICATION pub SET TABLE t, u");
  EXPECT_EQ(presence(database, "t"), second) << "naming it again is no absence";
  database.sql("DROP PUBLICATION pub; CREATE PUBLICATION pub FOR TABLE t");
  EXPECT_NE(presence(database, "t"), second);
}

TEST(Presence, of_a_publication_for_all_tables_is_the_publication) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION pub FOR ALL TABLES");
  const std::string first = presence(database, "t");
  EXPECT_EQ(first, database.value("SELECT 't'::regclass::oid || '/' || oid FROM pg_publication WHERE pubname = 'pub'"));
  database.sql("DROP PUBLICATION pub; CREATE PUBLICATION pub FOR ALL TABLES");
  EXPECT_NE(presence(database, "t"), first);
}

TEST(Presence, of_a_published_schema_stays_whatever_comes_and_goes_beside_it) {
  ScratchDatabase database;
  if (database.version() < 150000) GTEST_SKIP() << "FOR TABLES IN SCHEMA is newer";
  database.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION pub FOR TABLES IN SCHEMA public");
  const std::string first = presence(database, "t");
  EXPECT_NE(first, "-");
  database.sql("ALTER PUBLICATION pub ADD TABLE t");
  EXPECT_EQ(presence(database, "t"), first);
  database.sql("ALTER PUBLICATION pub DROP TABLE t");
  EXPECT_EQ(presence(database, "t"), first);
  database.sql("ALTER PUBLICATION pub DROP TABLES IN SCHEMA public; ALTER PUBLICATION pub ADD TABLES IN SCHEMA public");
  EXPECT_NE(presence(database, "t"), first);
}

TEST(Presence, of_a_partitioned_table_is_that_of_its_root) {
  ScratchDatabase database;
  database.sql(
      "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); "
      "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); "
      "CREATE PUBLICATION pub FOR TABLE t WITH (publish_via_partition_root = true)");
  const std::string first = presence(database, "t");
  EXPECT_NE(first, "-");
  database.sql("CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20)");
  EXPECT_EQ(presence(database, "t"), first);
  database.sql("ALTER PUBLICATION pub DROP TABLE t; ALTER PUBLICATION pub ADD TABLE t");
  EXPECT_NE(presence(database, "t"), first);
}

}  // namespace
}  // namespace flytt::postgres
