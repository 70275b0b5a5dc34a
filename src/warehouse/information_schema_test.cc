// INFORMATION_SCHEMA and wildcard tables: relations that are made of descriptions, or of several tables.

#include <gtest/gtest.h>

#include "warehouse/internal/test_support.h"

namespace flytt::warehouse {
namespace {

using test::Fixture;
using test::Row;

class InformationSchema : public Fixture {
 protected:
  // A table with one of everything that the views speak of.
  void make_described() {
    TableInfo table;
    table.path = path("orders");
    table.schema.fields = {
        {"id", data::TypeKind::kInt64, true, "the key"},
        {"day", data::TypeKind::kDate, false, ""},
        {"place", data::Type::structure({{"street", data::TypeKind::kString}, {"no", data::TypeKind::kInt64}}), false,
         ""},
        {"tags", data::Type::array(data::TypeKind::kString), false, ""}};
    table.schema.fields[1].type = data::TypeKind::kDate;
    table.schema.key = {0};
    table.description = "what \"they\" want";
    table.labels = {{"team", "sak"}};
    table.max_staleness = "0-0 0 0:10:0";
    table.expiration_micros = 4'102'444'800'500'000;
    table.properties = R"({"timePartitioning":{"type":"MONTH","field":"day","expirationMs":"129600000"},)"
                       R"("clustering":{"fields":["tags","ID"]},"requirePartitionFilter":true,)"
                       R"("schema":{"fields":[{"name":"place","fields":[{"name":"street","mode":"REQUIRED",)"
                       R"("description":"its name","policyTags":{"names":["t/1"]}}]}]},)"
                       R"("tableConstraints":{"foreignKeys":[{"name":"","referencedTable":{"projectId":"p",)"
                       R"("datasetId":"d","tableId":"m"},"columnReferences":[{"referencingColumn":"id",)"
                       R"("referencedColumn":"id"}]}]}})";
    make_mirror("m");
    const auto made = warehouse().create_table(table);
    ASSERT_TRUE(made) << made.error().text();
  }
};

TEST_F(InformationSchema, EveryViewHasAllOfItsColumns) {
  make_described();
  for (const std::string view : {"TABLES", "TABLE_OPTIONS", "COLUMNS", "COLUMN_FIELD_PATHS", "TABLE_CONSTRAINTS",
                                 "KEY_COLUMN_USAGE", "CONSTRAINT_COLUMN_USAGE"}) {
    const std::string found = rows("SELECT * FROM d.INFORMATION_SCHEMA." + view);
    EXPECT_NE(found.substr(0, 6), "error:") << view << ": " << found;
    EXPECT_NE(found, "") << view;
    EXPECT_EQ(rows("SELECT COUNT(*) > 0 FROM `p.region-us`.INFORMATION_SCHEMA." + view), "true;") << view;
  }
  EXPECT_EQ(rows("SELECT * FROM d.INFORMATION_SCHEMA.VIEWS"), "");
}

TEST_F(InformationSchema, ColumnsAndFields) {
  make_described();
  EXPECT_EQ(
      rows("SELECT column_name, ordinal_position, is_nullable, data_type, is_partitioning_column, "
           "clustering_ordinal_position FROM d.INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'orders' ORDER BY 2"),
      "id,1,NO,INT64,NO,2;day,2,YES,DATE,YES,NULL;"
      "place,3,YES,STRUCT<street STRING, no INT64>,NO,NULL;tags,4,YES,ARRAY<STRING>,NO,1;");
  EXPECT_EQ(rows("SELECT field_path, data_type, description, ARRAY_LENGTH(policy_tags) "
                 "FROM p.d.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS WHERE table_name = 'orders' ORDER BY 1"),
            "day,DATE,NULL,0;id,INT64,the key,0;place,STRUCT<street STRING, no INT64>,NULL,0;"
            "place.no,INT64,NULL,0;place.street,STRING,its name,1;tags,ARRAY<STRING>,NULL,0;");
}

TEST_F(InformationSchema, TablesShowHowTheyWouldBeMade) {
  make_described();
  EXPECT_EQ(rows("SELECT table_name, table_type, is_insertable_into FROM d.INFORMATION_SCHEMA.TABLES ORDER BY 1"),
            "m,BASE TABLE,YES;orders,BASE TABLE,YES;");
  EXPECT_EQ(rows("SELECT REPLACE(REPLACE(ddl, '\\n', '|'), '\"', '^') FROM d.INFORMATION_SCHEMA.TABLES "
                 "WHERE table_name = 'orders'"),
            "CREATE TABLE `p.d.orders`|(|  id INT64 NOT NULL OPTIONS(description=^the key^),|  day DATE,|"
            "  place STRUCT<street STRING NOT NULL OPTIONS(description=^its name^), `no` INT64>,|"
            "  tags ARRAY<STRING>,|  PRIMARY KEY (id) NOT ENFORCED|)|PARTITION BY DATE_TRUNC(day, MONTH)|"
            "CLUSTER BY tags, ID|OPTIONS(|  description=^what \\\\^they\\\\^ want^,|"
            "  expiration_timestamp=TIMESTAMP ^2100-01-01T00:00:00.500Z^,|  labels=[STRUCT(^team^, ^sak^)],|"
            "  max_staleness=INTERVAL ^0-0 0 0:10:0^ YEAR TO SECOND,|  partition_expiration_days=1.5,|"
            "  require_partition_filter=true|);;");
  EXPECT_EQ(rows("SELECT option_name, option_type FROM d.INFORMATION_SCHEMA.TABLE_OPTIONS ORDER BY 1"),
            "description,STRING;expiration_timestamp,TIMESTAMP;labels,ARRAY<STRUCT<STRING, STRING>>;"
            "max_staleness,INTERVAL;partition_expiration_days,FLOAT64;require_partition_filter,BOOL;");
}

TEST_F(InformationSchema, KeysOfBothKinds) {
  make_described();
  EXPECT_EQ(rows("SELECT constraint_name, constraint_type, enforced FROM d.INFORMATION_SCHEMA.TABLE_CONSTRAINTS "
                 "WHERE table_name = 'orders' ORDER BY 1"),
            "orders.fk$1,FOREIGN KEY,NO;orders.pk$,PRIMARY KEY,NO;");
  EXPECT_EQ(rows("SELECT constraint_name, column_name, ordinal_position, position_in_unique_constraint "
                 "FROM d.INFORMATION_SCHEMA.KEY_COLUMN_USAGE WHERE table_name = 'orders' ORDER BY 1"),
            "orders.fk$1,id,1,1;orders.pk$,id,1,NULL;");
  EXPECT_EQ(rows("SELECT table_name, column_name FROM d.INFORMATION_SCHEMA.CONSTRAINT_COLUMN_USAGE "
                 "WHERE constraint_name LIKE 'orders%' ORDER BY 1"),
            "m,id;orders,id;");
}

TEST_F(InformationSchema, DatasetsOfAProjectAndALocation) {
  DatasetInfo away;
  away.path = {"p", "away"};
  away.location = "EU";
  away.description = "far";
  ASSERT_TRUE(warehouse().create_dataset(away));
  EXPECT_EQ(rows("SELECT schema_name, location FROM `region-us`.INFORMATION_SCHEMA.SCHEMATA"), "d,US;");
  EXPECT_EQ(rows("SELECT schema_name FROM region-eu.INFORMATION_SCHEMA.SCHEMATA"), "away;");
  EXPECT_EQ(rows("SELECT schema_name FROM `p`.INFORMATION_SCHEMA.SCHEMATA ORDER BY 1"), "away;d;");
  EXPECT_EQ(rows("SELECT schema_name FROM other.`region-us`.INFORMATION_SCHEMA.SCHEMATA"), "");
  EXPECT_EQ(rows("SELECT schema_name, option_name, option_value FROM INFORMATION_SCHEMA.SCHEMATA_OPTIONS"),
            "away,description,\\\"far\\\";");
}

TEST_F(InformationSchema, WhatIsNotThereSaysSo) {
  make_plain("t");
  EXPECT_NE(rows("SELECT * FROM `region-us`.INFORMATION_SCHEMA.JOBS_BY_PROJECT")
                .find("INFORMATION_SCHEMA.JOBS_BY_PROJECT is not supported"),
            std::string::npos);
  EXPECT_NE(rows("SELECT * FROM nowhere.INFORMATION_SCHEMA.TABLES").find("Not found: Dataset p:nowhere"),
            std::string::npos);
  EXPECT_NE(rows("SELECT * FROM `not a name.t`").find("Invalid dataset ID \"not a name\""), std::string::npos);
  EXPECT_NE(rows("SELECT * FROM elsewhere.d.t")
                .find("Access Denied: Table elsewhere:d.t: User does not have permission to query table"),
            std::string::npos);
  EXPECT_NE(rows("SELECT last_modified_time FROM d.INFORMATION_SCHEMA.PARTITIONS")
                .find("INFORMATION_SCHEMA.PARTITIONS.last_modified_time is not supported"),
            std::string::npos);
  EXPECT_NE(rows("INSERT INTO d.INFORMATION_SCHEMA.TABLES (table_name) VALUES ('x')").find("error: "),
            std::string::npos);
  EXPECT_NE(rows("SELECT * FROM INFORMATION_SCHEMA.TABLES").find("must be qualified"), std::string::npos);
  EXPECT_NE(rows("SELECT * FROM d.t FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()").find("not supported"),
            std::string::npos);
}

TEST_F(InformationSchema, PartitionsAreCounted) {
  const auto run = [&](const std::string& sql) { EXPECT_EQ(rows(sql), "") << sql; };
  run("CREATE TABLE d.days (day DATE) PARTITION BY day");
  run("CREATE TABLE d.hours (moment TIMESTAMP) PARTITION BY TIMESTAMP_TRUNC(moment, HOUR)");
  run("CREATE TABLE d.whole (x INT64)");
  run("INSERT INTO d.days SELECT x FROM UNNEST([DATE '2024-01-01', DATE '2024-01-01', NULL]) AS x");
  run("INSERT INTO d.hours (moment) VALUES (TIMESTAMP '2024-01-01 05:59:59+00'), (TIMESTAMP '2024-01-01 06:00:00+00')");
  run("CREATE TABLE d.ranged (x INT64) PARTITION BY RANGE_BUCKET(x, GENERATE_ARRAY(-10, 20, 10))");
  run("INSERT INTO d.ranged SELECT x FROM UNNEST([-11, -10, -1, 0, 19, 20, NULL]) AS x");
  EXPECT_EQ(rows("SELECT table_name, partition_id, total_rows, storage_tier FROM d.INFORMATION_SCHEMA.PARTITIONS "
                 "ORDER BY 1, 2"),
            "days,20240101,2,ACTIVE;days,__NULL__,1,ACTIVE;hours,2024010105,1,ACTIVE;hours,2024010106,1,ACTIVE;"
            "ranged,-10,2,ACTIVE;ranged,0,1,ACTIVE;ranged,10,1,ACTIVE;ranged,__NULL__,1,ACTIVE;"
            "ranged,__UNPARTITIONED__,2,ACTIVE;whole,NULL,0,ACTIVE;");
  EXPECT_EQ(rows("SELECT table_name FROM d.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = 'days'"), "days;days;");
  EXPECT_EQ(rows("SELECT COUNT(*) FROM d.INFORMATION_SCHEMA.PARTITIONS"), "10;");
  run("CREATE SCHEMA empty");
  EXPECT_EQ(rows("SELECT COUNT(*) FROM empty.INFORMATION_SCHEMA.PARTITIONS"), "0;");
}

TEST_F(InformationSchema, WildcardsReadAllTables) {
  const auto run = [&](const std::string& sql) { EXPECT_EQ(rows(sql), "") << sql; };
  run("CREATE TABLE d.e_1 AS SELECT 1 AS id, 'a' AS what, TRUE AS gone");
  run("CREATE TABLE d.other AS SELECT 9 AS id");
  run("CREATE TABLE d.e_2 AS SELECT 2.5 AS more, 2 AS ID, 'b' AS what");
  EXPECT_EQ(rows("SELECT * FROM `d.e_*` ORDER BY id"), "NULL,1,a;2.5,2,b;");
  EXPECT_EQ(rows("SELECT _TABLE_SUFFIX, id FROM `p.d.e_*` WHERE _TABLE_SUFFIX > '1'"), "2,2;");
  EXPECT_EQ(rows("SELECT COUNT(*) FROM `p.d`.`*`"), "3;");
  make_mirror("e_3");
  auto session = open("e_3");
  ASSERT_TRUE(upsert(*session, {Row{1, "a", 1}, Row{1, "b", 2}}));
  EXPECT_EQ(rows("SELECT _TABLE_SUFFIX, id, name FROM `d.e_*` ORDER BY 1"), "1,1,NULL;2,2,NULL;3,1,b;");
  run("CREATE TABLE d.e_4 AS SELECT 'x' AS id, 1 AS what");
  EXPECT_NE(rows("SELECT id FROM `d.e_*`").find("different types of one column is not supported: column id"),
            std::string::npos);
  EXPECT_EQ(rows("SELECT COUNT(*) FROM `d.e_*`"), "4;");
  EXPECT_NE(rows("SELECT * FROM `d.none_*`").find("p:d.none_* does not match any table."), std::string::npos);
}

}  // namespace
}  // namespace flytt::warehouse
