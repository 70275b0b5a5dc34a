#include "postgres/catalog.h"

#include <gtest/gtest.h>

#include "postgres/internal/scratch_server.h"

namespace flytt::postgres {
namespace {

Catalog inspect(ScratchDatabase& database, const TableSelection& selection = {}, const std::string& publication = {}) {
  auto catalog = inspect_tables(database.settings(), selection, publication, test_clock(), patience());
  if (!catalog) ADD_FAILURE() << catalog.error().text();
  return std::move(*catalog);
}

std::vector<std::string> names(const Catalog& catalog) {
  std::vector<std::string> out;
  for (const SourceTable& table : catalog.tables) out.push_back(table.full_name());
  return out;
}

const SourceTable& find(const Catalog& catalog, const std::string& name) {
  for (const SourceTable& table : catalog.tables)
    if (table.full_name() == name) return table;
  ADD_FAILURE() << "no table " << name;
  return catalog.tables.front();
}

TEST(TableSelection, patterns) {
  const auto chooses = [](std::vector<std::string> include, std::vector<std::string> exclude, const char* schema,
                          const char* table) {
    return TableSelection{std::move(include), std::move(exclude)}.chooses(schema, table);
  };
  EXPECT_TRUE(chooses({}, {}, "public", "person"));
  EXPECT_FALSE(chooses({}, {}, "app", "person"));
  EXPECT_TRUE(chooses({"app.*"}, {}, "app", "person"));
  EXPECT_TRUE(chooses({"person"}, {}, "public", "person"));
  EXPECT_FALSE(chooses({"person"}, {}, "app", "person"));
  EXPECT_TRUE(chooses({"*.p?rs*n"}, {}, "app", "person"));
  EXPECT_FALSE(chooses({"public.*"}, {"public.flyway_schema_history"}, "public", "flyway_schema_history"));
  EXPECT_FALSE(chooses({"public.*"}, {"*.tmp_*"}, "public", "tmp_1"));
  EXPECT_FALSE(chooses({"public.per"}, {}, "public", "person"));
  EXPECT_TRUE(chooses({"public.*a*b*"}, {}, "public", "xaab"));
}

TEST(Catalog, tables_columns_and_keys) {
  ScratchDatabase database;
  database.sql(
      "CREATE TABLE person (navn text NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, \"æøå\" numeric(10,2), dobbel "
      "int GENERATED ALWAYS AS (1 + 1) STORED, gone int, PRIMARY KEY (id));"
      "ALTER TABLE person DROP COLUMN gone; INSERT INTO person (navn) SELECT 'x' FROM generate_series(1, 500); ANALYZE "
      "person;"
      "CREATE TABLE pair (b int, a text, v timestamptz DEFAULT now(), PRIMARY KEY (b, a));"
      "CREATE TABLE part (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE part_1 "
      "PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
      "CREATE VIEW v AS SELECT 1; CREATE SCHEMA other; CREATE TABLE other.t (id int PRIMARY KEY)");
  const Catalog catalog = inspect(database);
  EXPECT_EQ(names(catalog), (std::vector<std::string>{"public.pair", "public.part", "public.person"}));
  const SourceTable& person = find(catalog, "public.person");
  ASSERT_EQ(person.columns.size(), 3u);
  EXPECT_EQ(person.columns[0].name, "navn");
  EXPECT_TRUE(person.columns[0].not_null);
  EXPECT_EQ(person.columns[2].name, "æøå");
  EXPECT_EQ(person.columns[2].type.declared, "numeric(10,2)");
  EXPECT_EQ(person.columns[2].mapping.type.sql_name(), "NUMERIC");
  EXPECT_EQ(person.left_out, std::vector<std::string>{"dobbel"});
  EXPECT_EQ(person.key, std::vector<std::uint32_t>{1});
  EXPECT_EQ(person.estimated_rows, 500);
  EXPECT_GT(person.size_bytes, 0u);
  EXPECT_EQ(person.problem, "");
  EXPECT_FALSE(person.published);
  const SourceTable& pair = find(catalog, "public.pair");
  EXPECT_EQ(pair.key, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_TRUE(pair.columns[2].has_default);
  EXPECT_TRUE(find(catalog, "public.part").partitioned);
  EXPECT_TRUE(inspect(database, {{"nowhere.*", "other.t"}, {}}).unmatched_patterns ==
              std::vector<std::string>{"nowhere.*"});

  const auto schema = make_slice_schema(person, {"p", "d", "person"}, data::SchemaVersion(3));
  EXPECT_EQ(schema->source_table, "public.person");
  EXPECT_TRUE(schema->table.fields[1].required);
  EXPECT_FALSE(schema->table.fields[0].required);
  EXPECT_EQ(schema->table.key, std::vector<std::uint32_t>{1});
}

TEST(Catalog, tables_that_cannot_be_mirrored_say_why_and_what_to_do) {
  ScratchDatabase database;
  database.sql(
      "CREATE TABLE nokey (a int); CREATE TABLE uniq (a int NOT NULL UNIQUE); CREATE TABLE by_index (a int NOT NULL, b "
      "text NOT NULL UNIQUE); ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b_key;"
      "CREATE TABLE nothing (a int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING; CREATE TABLE full_id (a "
      "int PRIMARY KEY); ALTER TABLE full_id REPLICA IDENTITY FULL;"
      "CREATE TABLE full_nokey (a int); ALTER TABLE full_nokey REPLICA IDENTITY FULL; CREATE UNLOGGED TABLE unlogged "
      "(a int PRIMARY KEY); CREATE TABLE floatkey (a float8 PRIMARY KEY);"
      "CREATE TABLE twins (id int PRIMARY KEY, a int, \"A\" int); CREATE TABLE reserved (id int PRIMARY KEY, "
      "\"_PARTITIONTIME\" date); CREATE TABLE empty ()");
  const Catalog catalog = inspect(database);
  EXPECT_EQ(find(catalog, "public.nokey").problem, "it has no primary key");
  EXPECT_EQ(find(catalog, "public.nokey").remedy, "ALTER TABLE \"public\".\"nokey\" ADD PRIMARY KEY (…);");
  EXPECT_EQ(find(catalog, "public.uniq").remedy,
            "ALTER TABLE \"public\".\"uniq\" REPLICA IDENTITY USING INDEX \"uniq_a_key\";");
  EXPECT_EQ(find(catalog, "public.by_index").problem, "");
  EXPECT_EQ(find(catalog, "public.by_index").key, std::vector<std::uint32_t>{1});
  EXPECT_EQ(find(catalog, "public.nothing").remedy, "ALTER TABLE \"public\".\"nothing\" REPLICA IDENTITY DEFAULT;");
  EXPECT_EQ(find(catalog, "public.full_id").problem, "");
  EXPECT_NE(find(catalog, "public.full_nokey").problem, "");
  EXPECT_EQ(find(catalog, "public.unlogged").remedy, "ALTER TABLE \"public\".\"unlogged\" SET LOGGED;");
  EXPECT_NE(find(catalog, "public.floatkey").problem.find("FLOAT64"), std::string::npos);
  EXPECT_NE(find(catalog, "public.twins").problem, "");
  EXPECT_NE(find(catalog, "public.reserved").problem, "");
  EXPECT_NE(find(catalog, "public.empty").problem, "");
}

TEST(Catalog, publication_membership_column_lists_and_row_filters) {
  ScratchDatabase database;
  if (database.version() < 150000) GTEST_SKIP() << "column lists and row filters are newer";
  database.sql(
      "CREATE TABLE a (id int PRIMARY KEY, x int, y int); CREATE TABLE b (id int PRIMARY KEY, s text); CREATE TABLE c "
      "(id int PRIMARY KEY);"
      "CREATE PUBLICATION pub FOR TABLE a (id, y), b WHERE (id > 10 AND s = 'x') WITH (publish_via_partition_root = "
      "true, publish = 'insert, update, delete')");
  const Catalog catalog = inspect(database, {}, "pub");
  EXPECT_TRUE(catalog.publication.exists);
  EXPECT_TRUE(catalog.publication.via_root);
  EXPECT_FALSE(catalog.publication.truncates);
  EXPECT_FALSE(catalog.publication.all_tables);
  const SourceTable& a = find(catalog, "public.a");
  EXPECT_TRUE(a.published);
  ASSERT_EQ(a.columns.size(), 2u);
  EXPECT_EQ(a.columns[1].name, "y");
  EXPECT_EQ(a.left_out, std::vector<std::string>{"x"});
  EXPECT_NE(find(catalog, "public.b").row_filter.find("id > 10"), std::string::npos);
  EXPECT_FALSE(find(catalog, "public.c").published);
  EXPECT_FALSE(inspect(database, {}, "no_such").publication.exists);
}

TEST(Catalog, destination_names) {
  const auto table = [](const char* schema, const char* name) {
    SourceTable out;
    out.schema = schema;
    out.name = name;
    return out;
  };
  EXPECT_EQ(destination_names({table("app", "a"), table("app", "b")}).value(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(destination_names({table("app", "a"), table("web", "a")}).value(),
            (std::vector<std::string>{"app_a", "web_a"}));
  const auto collision = destination_names({table("a_b", "c"), table("a", "b_c")});
  ASSERT_FALSE(collision);
  EXPECT_EQ(collision.error().code(), ErrorCode::kConfig);
}

}  // namespace
}  // namespace flytt::postgres
