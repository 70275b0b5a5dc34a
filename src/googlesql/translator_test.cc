#include "googlesql/translator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "base/clock.h"
#include "data/civil.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql {
namespace {

using data::Type;
using data::TypeKind;

// Two tables of the project "p", found under every way to write their path.
class ShopCatalog final : public Catalog {
 public:
  Result<std::optional<CatalogTable>> find(const std::vector<std::string>& path) override {
    std::string name;
    for (const std::string& part : path) name += (name.empty() ? "" : ".") + part;
    if (name == "p.shop.broken") return Error(ErrorCode::kCorrupt, "the table's description is damaged");
    for (const char* table : {"orders", "customers"}) {
      const std::string full = std::string("p.shop.") + table;
      if (name == table || name == std::string("shop.") + table || name == full)
        return std::optional<CatalogTable>(describe(full));
    }
    return std::optional<CatalogTable>();
  }

 private:
  static CatalogTable describe(const std::string& full) {
    CatalogTable table;
    table.full_name = full;
    if (full == "p.shop.orders") {
      Type money(TypeKind::kNumeric);
      money.precision = 10;
      money.scale = 2;
      table.columns = {
          {"id", TypeKind::kInt64, "a0", false},
          {"customer", TypeKind::kInt64, "a1", false},
          {"amount", money, "a2", false},
          {"placed", TypeKind::kTimestamp, "a3", false},
          {"tags", Type::array(TypeKind::kString), "a4", false},
          {"place", Type::structure({{"city", TypeKind::kString}, {"zip", TypeKind::kInt64}}), "a5", false},
          {"_PARTITIONDATE", TypeKind::kDate, "a6", true}};
    } else {
      table.columns = {{"id", TypeKind::kInt64, "b0", false},
                       {"Name", TypeKind::kString, "weird \"name", false},
                       {"score", TypeKind::kFloat64, "b2", false}};
    }
    table.rewritten = quote_name(full);
    const std::vector<CatalogColumn> columns = table.columns;
    table.relation = [full, columns](const std::vector<int>& indexes) {
      std::string out = "(SELECT ";
      for (const int index : indexes) out += quote_name(columns[static_cast<std::size_t>(index)].physical_name) + ", ";
      return out + "1 FROM " + quote_name(full) + ")";
    };
    return table;
  }
};

class TranslatorTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { analyzer_ = new Analyzer(AnalyzerOptions{}, clock_); }
  static void TearDownTestSuite() {
    delete analyzer_;
    analyzer_ = nullptr;
  }
  TranslatorTest() { options_.now_micros = *data::parse_timestamp("2024-02-29 12:00:00+00"); }
  Result<Translation> translated(const std::string& sql) { return translate(*analyzer_, sql, catalog_, options_); }
  Error refused(const std::string& sql) {
    auto result = translated(sql);
    if (result) {
      ADD_FAILURE() << sql << " was translated";
      return Error(ErrorCode::kBug, "");
    }
    return std::move(result).error();
  }
  static base::SystemClock clock_;
  static Analyzer* analyzer_;
  ShopCatalog catalog_;
  TranslateOptions options_;
};
base::SystemClock TranslatorTest::clock_;
Analyzer* TranslatorTest::analyzer_ = nullptr;

// ---- golden: every statement of the file keeps its DuckDB text. FLYTT_UPDATE_GOLDEN=1 writes the file anew.

std::string shown(const Result<Translation>& result) {
  if (!result) return "error " + std::string(to_string(result.error().code())) + ": " + result.error().sentence();
  const Query& query = result->kind == StatementKind::kInsert  ? result->insert.query
                       : result->kind == StatementKind::kQuery ? result->query
                                                               : *result->create_table.query;
  std::string out = query.sql + "\n" + (query.is_ordered ? "ordered" : "unordered");
  for (const OutputColumn& column : query.columns) out += " " + column.name + ":" + column.type.sql_name();
  return out;
}

TEST_F(TranslatorTest, GoldenTranslations) {
  const std::string path = FLYTT_GOLDEN_FILE;
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  std::stringstream whole, written;
  whole << in.rdbuf();
  std::string text = whole.str();
  const std::string kEnd = "\n\n";
  int cases = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find(kEnd, at);
    if (end == std::string::npos) end = text.size();
    const std::string block = text.substr(at, end - at);
    at = end + kEnd.size();
    const std::size_t line = block.find('\n');
    const std::string sql = block.substr(0, line);
    std::string expected = line == std::string::npos ? "" : block.substr(line + 1);
    while (!expected.empty() && expected.back() == '\n') expected.pop_back();
    const std::string actual = shown(translated(sql));
    written << sql << "\n" << actual << kEnd;
    if (std::getenv("FLYTT_UPDATE_GOLDEN") == nullptr) {
      EXPECT_EQ(actual, expected) << sql;
    }
    ++cases;
  }
  EXPECT_GE(cases, 30);
  if (std::getenv("FLYTT_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << written.str();
}

// ---- errors

TEST_F(TranslatorTest, WrongSqlKeepsTheAnalyzersSentenceAndPosition) {
  const Error error = refused("SELECT id,\n  scor FROM shop.customers");
  EXPECT_EQ(error.code(), ErrorCode::kBadData);
  EXPECT_EQ(error.sentence(), "Unrecognized name: scor; Did you mean score? [at 2:3]");
  EXPECT_EQ(refused("SELECT COLLATE(name, 'binary') = 'a' FROM shop.customers").sentence(),
            "Collation 'binary' in collate function is not supported.");
  EXPECT_EQ(refused("SLECT 1").sentence(), "Syntax error: Unexpected identifier \"SLECT\" [at 1:1]");
}

TEST_F(TranslatorTest, UnknownTableIsNotFound) {
  const Error error = refused("SELECT * FROM shop.nothing");
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_EQ(error.sentence(), "Table not found: shop.nothing [at 1:15]");
}

TEST_F(TranslatorTest, AnErrorOfTheCatalogEndsTheTranslation) {
  EXPECT_EQ(refused("SELECT * FROM p.shop.broken").code(), ErrorCode::kCorrupt);
}

TEST_F(TranslatorTest, WhatIsNotSupportedIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"UPDATE shop.orders SET place.city = 'x' WHERE true", "UPDATE of a part of a column is not supported"},
      {"UPDATE shop.orders SET (DELETE tags WHERE true) WHERE true", "nested DML in UPDATE is not supported"},
      {"DELETE FROM shop.orders WHERE true ASSERT_ROWS_MODIFIED 1", "ASSERT_ROWS_MODIFIED is not supported"},
      {"MERGE shop.orders o USING shop.customers c ON o.id IN (SELECT c.id) WHEN NOT MATCHED THEN INSERT (id) VALUES "
       "(1)",
       "a subquery in the ON clause of MERGE is not supported"},
      {"DECLARE x INT64", "the scripting statement DECLARE is not supported"},
      {"begin select 1; end", "the scripting statement BEGIN is not supported"},
      {"SELECT * FROM shop.orders TABLESAMPLE SYSTEM (10 PERCENT)", "TABLESAMPLE is not supported"},
      {"SELECT * FROM shop.orders FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()", "FOR SYSTEM_TIME AS OF is not supported"},
      {"SELECT @@time_zone", "Unrecognized name: @@time_zone [at 1:8]"},
      {"SELECT SUM(score) OVER (ORDER BY score RANGE 1 PRECEDING) FROM shop.customers",
       "a RANGE window frame with offsets over FLOAT64 is not supported"},
      {"SELECT name FROM shop.customers ORDER BY name COLLATE 'und:ci'", "ORDER BY … COLLATE is not supported"},
      {"SELECT 1; SELECT 2", "several statements at once are not supported here"},
  };
  for (const auto& [sql, sentence] : cases) {
    const Error error = refused(sql);
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << sql << ": " << error.text();
    EXPECT_EQ(error.sentence(), sentence) << sql;
  }
}

TEST_F(TranslatorTest, NamesThatAreThereAlreadyAreNumbered) {
  const auto result = translated("SELECT 1 AS a, 2 AS A, 3 AS a_1, 4 AS a, 5");
  ASSERT_TRUE(result) << result.error().text();
  std::vector<std::string> names;
  for (const OutputColumn& column : result->query.columns) names.push_back(column.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "A_2", "a_1", "a_3", "f0_"}));
  options_.is_for_table = true;
  EXPECT_EQ(refused("SELECT 1 AS a, 2 AS A").sentence(),
            "Duplicate column names in the result are not supported when a destination table is present. Found "
            "duplicate(s): A");
}

TEST_F(TranslatorTest, DeepExpressionsAreTranslatedAndVeryDeepOnesRefused) {
  std::string sum = "id";
  for (int i = 0; i < 90; ++i) sum = "ABS(" + sum + ")";
  EXPECT_TRUE(translated("SELECT " + sum + " FROM shop.orders"));
  for (int i = 0; i < 500; ++i) sum = "ABS(" + sum + ")";
  EXPECT_EQ(refused("SELECT " + sum + " FROM shop.orders").code(), ErrorCode::kUnsupported);
}

// ---- parameters

QueryParameter parameter(std::string name, Type type, std::string text) {
  return {std::move(name), std::move(type), {false, std::move(text), {}}};
}

TEST_F(TranslatorTest, NamedAndPositionalParametersBecomeLiterals) {
  options_.parameters = {parameter("n", TypeKind::kInt64, "-7"), parameter("s", TypeKind::kString, "it's"),
                         parameter("b", TypeKind::kBytes, "/wA=")};
  auto named = translated("SELECT @n AS n, @S AS s, @b AS b");
  ASSERT_TRUE(named) << named.error().text();
  EXPECT_NE(named->query.sql.find("(-7)::BIGINT"), std::string::npos) << named->query.sql;
  EXPECT_NE(named->query.sql.find("'it''s'"), std::string::npos) << named->query.sql;
  EXPECT_NE(named->query.sql.find("from_hex('ff00')"), std::string::npos) << named->query.sql;
  options_.parameters = {parameter("", TypeKind::kDate, "2024-02-29"), {"", TypeKind::kInt64, {true, "", {}}}};
  auto positional = translated("SELECT ? AS d, ? AS n");
  ASSERT_TRUE(positional) << positional.error().text();
  EXPECT_NE(positional->query.sql.find("DATE '2024-02-29'"), std::string::npos);
  EXPECT_NE(positional->query.sql.find("NULL::BIGINT"), std::string::npos);
}

TEST_F(TranslatorTest, AParameterThatIsNoValueOfItsTypeIsNamedWithoutItsValue) {
  options_.parameters = {parameter("day", TypeKind::kDate, "secret")};
  const Error error = refused("SELECT @day");
  EXPECT_EQ(error.code(), ErrorCode::kBadData);
  EXPECT_EQ(error.sentence(), "the value of query parameter @day is not a valid DATE");
}

TEST_F(TranslatorTest, LimitTakesParametersButNoNegativeOnes) {
  options_.parameters = {parameter("n", TypeKind::kInt64, "3")};
  ASSERT_TRUE(translated("SELECT id FROM shop.orders LIMIT @n"));
  options_.parameters = {parameter("n", TypeKind::kInt64, "-3")};
  EXPECT_EQ(refused("SELECT id FROM shop.orders LIMIT @n").code(), ErrorCode::kBadData);
}

// ---- the analyzer's folded DATE → DATETIME

TEST_F(TranslatorTest, ConstantDatesBecomeTheirOwnDatetime) {
  const std::string leap_day = "make_timestamp(1709164800000000::BIGINT)", epoch = "make_timestamp(0::BIGINT)";
  for (const char* sql :
       {"SELECT CAST(DATE '2024-02-29' AS DATETIME)", "SELECT SAFE_CAST(CAST('2024-02-29' AS DATE) AS DATETIME)",
        "SELECT CAST(CAST(DATE '2024-02-29' AS DATETIME) AS DATETIME)",
        "SELECT DATETIME '2024-03-01' > DATE '2024-02-29'"}) {
    auto result = translated(sql);
    ASSERT_TRUE(result) << sql << result.error().text();
    EXPECT_NE(result->query.sql.find(leap_day), std::string::npos) << result->query.sql;
    EXPECT_EQ(result->query.sql.find(epoch), std::string::npos) << result->query.sql;
  }
  auto genuine = translated("SELECT DATETIME '1970-01-01 00:00:00', DATE '2024-01-01', CAST('1970-01-01' AS DATETIME)");
  ASSERT_TRUE(genuine);
  EXPECT_NE(genuine->query.sql.find(epoch), std::string::npos);
  EXPECT_EQ(refused("SELECT [DATETIME '2024-01-01', DATE '2024-02-29']").code(), ErrorCode::kUnsupported);
}

TEST_F(TranslatorTest, TheGuardFindsItsPlaceInLaterStatements) {
  const std::string sql = "SELECT 1; -- DATE\nSELECT CAST(DATE '2024-02-29' AS DATETIME)";
  auto first = translate(*analyzer_, sql, 0, catalog_, options_);
  ASSERT_TRUE(first);
  auto second = translate(*analyzer_, sql, first->end, catalog_, options_);
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_NE(second->query.sql.find("1709164800000000"), std::string::npos) << second->query.sql;
}

// ---- scripts and statements

TEST_F(TranslatorTest, AScriptIsTakenStatementByStatement) {
  const std::string sql = " ;; SELECT 1 AS a ; /* ; */ SELECT 'x;y' AS b; # end\n ; ";
  auto first = translate(*analyzer_, sql, 0, catalog_, options_);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->query.columns[0].name, "a");
  EXPECT_FALSE(first->is_last);
  auto second = translate(*analyzer_, sql, first->end, catalog_, options_);
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(second->query.columns[0].name, "b");
  EXPECT_EQ(sql.substr(second->begin, 6), "SELECT");
  EXPECT_TRUE(second->is_last);
  EXPECT_EQ(refused(" -- nothing\n").code(), ErrorCode::kBadData);
}

TEST_F(TranslatorTest, CreateTableCarriesTheWholeDescription) {
  auto result = translated(
      "CREATE OR REPLACE TABLE shop.t (a INT64 NOT NULL OPTIONS(description='key'), b STRING(10), c ARRAY<STRUCT<x "
      "NUMERIC(5,2)>>, placed TIMESTAMP,"
      " PRIMARY KEY (a) NOT ENFORCED) PARTITION BY TIMESTAMP_TRUNC(placed, HOUR) CLUSTER BY b, a"
      " OPTIONS(description='d', max_staleness = INTERVAL 15 MINUTE)");
  ASSERT_TRUE(result) << result.error().text();
  const CreateTable& table = result->create_table;
  EXPECT_EQ(table.path, (std::vector<std::string>{"shop", "t"}));
  EXPECT_EQ(table.mode, CreateMode::kReplace);
  ASSERT_EQ(table.schema.fields.size(), 4u);
  EXPECT_TRUE(table.schema.fields[0].required);
  EXPECT_EQ(table.schema.fields[0].description, "key");
  EXPECT_EQ(table.schema.fields[1].type.sql_name(), "STRING(10)");
  EXPECT_EQ(table.schema.fields[2].type.sql_name(), "ARRAY<STRUCT<x NUMERIC(5, 2)>>");
  EXPECT_EQ(table.schema.key, (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(table.partition_column, "placed");
  EXPECT_EQ(table.partition_unit, "HOUR");
  EXPECT_EQ(table.clustering, (std::vector<std::string>{"b", "a"}));
  ASSERT_EQ(table.options.size(), 2u);
  EXPECT_EQ(table.options[1].name, "max_staleness");
  EXPECT_EQ(table.options[1].text, "INTERVAL 15 MINUTE");
  EXPECT_FALSE(table.query);
  auto by_ingestion = translated("CREATE TABLE IF NOT EXISTS shop.u (a INT64) PARTITION BY _PARTITIONDATE");
  ASSERT_TRUE(by_ingestion) << by_ingestion.error().text();
  EXPECT_EQ(by_ingestion->create_table.partition_column, "_PARTITIONDATE");
  EXPECT_EQ(by_ingestion->create_table.mode, CreateMode::kIfNotExists);
}

TEST_F(TranslatorTest, DropAndSchemaStatements) {
  auto drop = translated("DROP TABLE IF EXISTS `p.shop.t`");
  ASSERT_TRUE(drop);
  EXPECT_EQ(drop->kind, StatementKind::kDropTable);
  EXPECT_TRUE(drop->drop_table.if_exists);
  EXPECT_EQ(drop->drop_table.path, (std::vector<std::string>{"p.shop.t"}));
  auto create = translated("CREATE SCHEMA IF NOT EXISTS `other` OPTIONS(location='EU')");
  ASSERT_TRUE(create);
  EXPECT_EQ(create->kind, StatementKind::kCreateSchema);
  EXPECT_EQ(create->create_schema.mode, CreateMode::kIfNotExists);
  EXPECT_EQ(create->create_schema.options.at(0).text, "'EU'");
  auto gone = translated("DROP SCHEMA other CASCADE");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->kind, StatementKind::kDropSchema);
  EXPECT_TRUE(gone->drop_schema.cascade);
}

TEST_F(TranslatorTest, InsertSaysWhichColumnsOfWhichTable) {
  auto result = translated("INSERT INTO shop.orders (amount, id) VALUES (1.5, 2), (NULL, DEFAULT)");
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->kind, StatementKind::kInsert);
  EXPECT_EQ(result->insert.table, "p.shop.orders");
  EXPECT_EQ(result->insert.columns, (std::vector<std::uint32_t>{2, 0}));
  EXPECT_EQ(result->insert.query.columns.at(0).type.sql_name(), "NUMERIC(10, 2)");
  EXPECT_EQ(result->referenced_tables, (std::vector<std::string>{"p.shop.orders"}));
}

TEST_F(TranslatorTest, ChangesOfRowsAreOneQuestion) {
  auto update = translated("UPDATE shop.customers SET score = 1 WHERE id = 7");
  ASSERT_TRUE(update) << update.error().text();
  EXPECT_EQ(update->kind, StatementKind::kUpdate);
  EXPECT_EQ(update->rewrite.table, "p.shop.customers");
  EXPECT_EQ(update->rewrite.sql.rfind("SELECT r, a, o0 AS o0, o1 AS o1, o2 AS o2 FROM (", 0), 0U)
      << update->rewrite.sql;
  auto merge = translated(
      "MERGE shop.customers c USING shop.orders o ON c.id = o.customer WHEN MATCHED THEN DELETE "
      "WHEN NOT MATCHED THEN INSERT (id) VALUES (o.customer)");
  ASSERT_TRUE(merge) << merge.error().text();
  EXPECT_EQ(merge->kind, StatementKind::kMerge);
  EXPECT_EQ(merge->referenced_tables, (std::vector<std::string>{"p.shop.customers", "p.shop.orders"}));
  EXPECT_NE(merge->rewrite.sql.find(" RIGHT JOIN "), std::string::npos);
  EXPECT_EQ(refused("DELETE FROM shop.orders").code(), ErrorCode::kBadData);
}

TEST_F(TranslatorTest, ReferencedTablesAreNamedOnceEach) {
  auto result = translated(
      "SELECT a.id FROM shop.orders a JOIN `p.shop.orders` b USING (id) JOIN customers c ON c.id = a.customer");
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->referenced_tables, (std::vector<std::string>{"p.shop.orders", "p.shop.customers"}));
}

TEST(PhysicalType, EveryTypeLiesInDuckDb) {
  EXPECT_EQ(
      physical_type(Type::array(Type::structure({{"a", TypeKind::kNumeric}, {"", Type::range(TypeKind::kDate)}}))),
      "STRUCT(f0 DECIMAL(38,9), f1 STRUCT(f0 DATE, f1 DATE))[]");
  EXPECT_EQ(physical_type(TypeKind::kBigNumeric), "BLOB");
  EXPECT_EQ(quote_name("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_text("it's"), "'it''s'");
}

}  // namespace
}  // namespace flytt::googlesql
