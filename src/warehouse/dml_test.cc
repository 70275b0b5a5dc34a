// UPDATE, DELETE and MERGE.

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "base/random.h"
#include "warehouse/internal/test_support.h"
#include "warehouse/warehouse.h"

namespace flytt::warehouse {
namespace {

using test::Row;

class DmlTest : public test::Fixture {
 protected:
  void SetUp() override {
    test::Fixture::SetUp();
    ASSERT_EQ(rows("CREATE TABLE d.t (id INT64 NOT NULL, name STRING, tags ARRAY<STRING>)"), "");
    ASSERT_EQ(rows("CREATE TABLE d.s (id INT64, name STRING)"), "");
    ASSERT_EQ(rows("INSERT INTO d.t (id, name, tags) VALUES (1, 'a', ['x']), (2, 'b', NULL), (3, NULL, [])"), "");
    ASSERT_EQ(rows("INSERT INTO d.s (id, name) VALUES (2, 'B'), (3, NULL), (4, 'D')"), "");
  }
  // "inserted/updated/deleted", or the error's sentence.
  std::string run(const std::string& sql) {
    QueryOptions options;
    options.project = "p";
    const auto done = warehouse().query(sql, options);
    if (!done) return done.error().sentence();
    const auto& dml = (*done)->summary().dml;
    if (!dml) return "no counts";
    EXPECT_EQ((*done)->summary().affected_rows, dml->all());
    return std::to_string(dml->inserted) + "/" + std::to_string(dml->updated) + "/" + std::to_string(dml->deleted);
  }
  std::string table() { return rows("SELECT id, name, ARRAY_LENGTH(tags) FROM d.t ORDER BY id"); }
};

constexpr const char* kBefore = "1,a,1;2,b,0;3,NULL,0;";

TEST_F(DmlTest, Update) {
  EXPECT_EQ(run("UPDATE d.t SET name = CONCAT(name, '!') WHERE id < 3"), "0/2/0");
  EXPECT_EQ(table(), "1,a!,1;2,b!,0;3,NULL,0;");
  EXPECT_EQ(run("UPDATE d.t SET name = s.name, tags = ['u', 'v'] FROM d.s WHERE t.id = s.id"), "0/2/0");
  EXPECT_EQ(table(), "1,a!,1;2,B,2;3,NULL,2;");
  EXPECT_EQ(run("UPDATE d.t SET tags = NULL, name = DEFAULT WHERE id = 2"), "0/1/0");
  EXPECT_EQ(table(), "1,a!,1;2,NULL,0;3,NULL,2;");
  EXPECT_EQ(run("UPDATE d.t SET id = id + 1 WHERE TRUE"), "0/3/0") << "values are of the rows as they were";
  EXPECT_EQ(table(), "2,a!,1;3,NULL,0;4,NULL,2;");
  EXPECT_EQ(run("UPDATE d.t SET name = (SELECT MAX(s.name) FROM d.s WHERE s.id = t.id) WHERE id = 4"), "0/1/0");
  EXPECT_EQ(run("UPDATE d.t SET name = 'n' WHERE name IS NULL AND id > 100"), "0/0/0");
  reopen();
  EXPECT_EQ(table(), "2,a!,1;3,NULL,0;4,D,2;");
  EXPECT_EQ(warehouse().usage(path("t"))->row_count, 3);
}

TEST_F(DmlTest, Delete) {
  EXPECT_EQ(run("DELETE FROM d.t WHERE name IS NULL"), "0/0/1");
  EXPECT_EQ(table(), "1,a,1;2,b,0;");
  EXPECT_EQ(run("DELETE d.t WHERE id IN (SELECT id FROM d.s)"), "0/0/1");
  EXPECT_EQ(table(), "1,a,1;");
  EXPECT_EQ(run("DELETE FROM d.t WHERE TRUE"), "0/0/1");
  EXPECT_EQ(table(), "");
  EXPECT_EQ(warehouse().usage(path("t"))->row_count, 0);
}

TEST_F(DmlTest, MergeByKey) {
  const std::string merge =
      "MERGE d.t USING d.s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name "
      "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)";
  EXPECT_EQ(run(merge), "1/2/0");
  EXPECT_EQ(table(), "1,a,1;2,B,0;3,NULL,0;4,D,0;");
  EXPECT_EQ(run(merge), "0/3/0");
  EXPECT_EQ(table(), "1,a,1;2,B,0;3,NULL,0;4,D,0;");
}

TEST_F(DmlTest, MergeTakesTheFirstClauseThatHolds) {
  EXPECT_EQ(run("MERGE INTO d.t AS x USING (SELECT id, name, ['n'] AS tags FROM d.s) AS y ON x.id = y.id "
                "WHEN MATCHED AND y.name IS NULL THEN DELETE "
                "WHEN MATCHED AND y.name = 'never' THEN UPDATE SET name = 'wrong' "
                "WHEN MATCHED THEN UPDATE SET name = y.name, tags = y.tags "
                "WHEN NOT MATCHED BY TARGET AND y.id > 100 THEN INSERT (id) VALUES (0) "
                "WHEN NOT MATCHED BY TARGET THEN INSERT ROW "
                "WHEN NOT MATCHED BY SOURCE AND x.id = 1 THEN UPDATE SET name = 'alone' "
                "WHEN NOT MATCHED BY SOURCE THEN DELETE"),
            "1/2/1");
  EXPECT_EQ(table(), "1,alone,1;2,B,1;4,D,1;");
  EXPECT_EQ(run("MERGE d.t USING d.s ON FALSE WHEN NOT MATCHED THEN INSERT (id, name) VALUES (id + 10, name) "
                "WHEN NOT MATCHED BY SOURCE THEN DELETE"),
            "3/0/3");
  EXPECT_EQ(table(), "12,B,0;13,NULL,0;14,D,0;");
  EXPECT_EQ(run("MERGE d.t USING d.s ON t.id > s.id AND s.id = 4 WHEN MATCHED AND t.id = 12 THEN DELETE"), "0/0/1");
}

TEST_F(DmlTest, OneSourceRowForEachTargetRow) {
  EXPECT_EQ(rows("INSERT INTO d.s (id, name) VALUES (2, 'again'), (9, 'p'), (9, 'q')"), "");
  const std::string refusal = "UPDATE/MERGE must match at most one source row for each target row";
  EXPECT_EQ(run("UPDATE d.t SET name = s.name FROM d.s WHERE t.id = s.id"), refusal);
  EXPECT_EQ(run("MERGE d.t USING d.s ON t.id = s.id WHEN MATCHED THEN DELETE"), refusal);
  EXPECT_EQ(table(), kBefore);
  // Two rows that are not matched are two new ones; and only rows to which a clause applies count.
  EXPECT_EQ(run("MERGE d.t USING d.s ON t.id = s.id WHEN MATCHED AND s.name = 'again' THEN UPDATE SET name = s.name "
                "WHEN NOT MATCHED AND s.id = 9 THEN INSERT (id, name) VALUES (id, name)"),
            "2/1/0");
  EXPECT_EQ(table(), "1,a,1;2,again,0;3,NULL,0;9,p,0;9,q,0;");
}

TEST_F(DmlTest, RequiredColumnsRefuseNull) {
  const std::string refusal = "Required field id cannot be null";
  EXPECT_EQ(run("UPDATE d.t SET id = NULLIF(id, 2) WHERE TRUE").find(refusal), 0U);
  EXPECT_EQ(run("INSERT INTO d.t (name) VALUES ('x')"), refusal);
  EXPECT_NE(run("INSERT INTO d.t (id, name) VALUES (7, 'x'), (NULL, 'x')").find(refusal), std::string::npos);
  EXPECT_NE(run("MERGE d.t USING d.s ON FALSE WHEN NOT MATCHED THEN INSERT (name) VALUES (name)").find(refusal),
            std::string::npos);
  EXPECT_EQ(table(), kBefore);
}

TEST_F(DmlTest, AFailureChangesNothing) {
  EXPECT_NE(run("UPDATE d.t SET name = ERROR('stop') WHERE id = 3").find("stop"), std::string::npos);
  EXPECT_EQ(table(), kBefore);
  EXPECT_EQ(run("UPDATE d.t SET name = 'x' WHERE id = 1"), "0/1/0") << "and nothing stays behind";
}

TEST_F(DmlTest, RefusalsNameTheirReason) {
  EXPECT_NE(run("UPDATE d.t SET name = 'x'").find("WHERE"), std::string::npos);
  EXPECT_NE(run("DELETE FROM d.t").find("WHERE"), std::string::npos);
  EXPECT_NE(run("UPDATE d.nothing SET name = 'x' WHERE TRUE").find("d.nothing"), std::string::npos);
  EXPECT_EQ(table(), kBefore);
  make_mirror("m");
  {
    auto session = open("m");
    ASSERT_TRUE(upsert(*session, {Row{1, "a", 1}}));
  }
  for (const char* sql : {"UPDATE d.m SET name = 'x' WHERE TRUE", "DELETE FROM d.m WHERE TRUE",
                          "MERGE d.m USING d.s ON m.id = s.id WHEN MATCHED THEN DELETE"})
    EXPECT_NE(run(sql).find("change data capture"), std::string::npos) << sql;
  EXPECT_EQ(rows("SELECT id, name FROM d.m"), "1,a;");
}

TEST_F(DmlTest, ATableWithAKeyThatNoStreamWritesTo) {
  make_mirror("k");
  EXPECT_EQ(run("INSERT INTO d.k (id, name) VALUES (1, 'a'), (2, 'b')"), "2/0/0");
  EXPECT_EQ(run("MERGE d.k USING d.s ON k.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name "
                "WHEN NOT MATCHED THEN INSERT ROW"),
            "2/1/0");
  EXPECT_EQ(rows("SELECT id, name FROM d.k ORDER BY id"), "1,a;2,B;3,NULL;4,D;");
  EXPECT_EQ(run("DELETE FROM d.k WHERE id > 2"), "0/0/2");
  auto session = open("k");
  ASSERT_TRUE(upsert(*session, {Row{2, "stream", 1}, Row{3, "new", 1}}));
  EXPECT_EQ(rows("SELECT id, name FROM d.k ORDER BY id"), "1,a;2,stream;3,new;");
}

// Every MERGE of a family over small random tables, compared with a model that follows the manual sentence by sentence.
struct Clause {
  enum class Match { kMatched, kByTarget, kBySource } match;
  int more_than;  // AND: the source's (or the target's) value is greater; -1 = no condition
  enum class Do { kInsert, kUpdate, kDelete } what;
};

std::string sql_of(const std::vector<Clause>& clauses) {
  std::string sql = "MERGE d.mt AS t USING d.ms AS s ON t.k = s.k";
  for (const Clause& clause : clauses) {
    const bool by_source = clause.match == Clause::Match::kBySource;
    sql += clause.match == Clause::Match::kMatched ? " WHEN MATCHED"
           : by_source                             ? " WHEN NOT MATCHED BY SOURCE"
                                                   : " WHEN NOT MATCHED BY TARGET";
    if (clause.more_than >= 0)
      sql += std::string(" AND ") + (by_source ? "t" : "s") + ".v > " + std::to_string(clause.more_than);
    switch (clause.what) {
      case Clause::Do::kInsert: sql += " THEN INSERT (k, v) VALUES (s.k, s.v + 100)"; break;
      case Clause::Do::kUpdate:
        sql += by_source ? " THEN UPDATE SET v = t.v * 10" : " THEN UPDATE SET v = t.v + s.v";
        break;
      case Clause::Do::kDelete: sql += " THEN DELETE"; break;
    }
  }
  return sql;
}

using Pair = std::pair<int, int>;  // key, value

// nullopt: an error.
std::optional<std::multimap<int, int>> model(const std::vector<Pair>& target, const std::vector<Pair>& source,
                                             const std::vector<Clause>& clauses) {
  std::multimap<int, int> out;
  const auto first = [&](Clause::Match match, int value) -> const Clause* {
    for (const Clause& clause : clauses)
      if (clause.match == match && (clause.more_than < 0 || value > clause.more_than)) return &clause;
    return nullptr;
  };
  for (const auto& [key, value] : target) {
    int changes = 0, partners = 0;
    std::optional<int> now = value;
    const auto apply = [&](const Clause* clause, int updated) {
      if (clause == nullptr) return;
      ++changes;
      now = clause->what == Clause::Do::kUpdate ? std::optional<int>(updated) : std::nullopt;
    };
    for (const auto& [other, amount] : source) {
      if (other != key) continue;
      ++partners;
      apply(first(Clause::Match::kMatched, amount), value + amount);
    }
    if (partners == 0) apply(first(Clause::Match::kBySource, value), value * 10);
    if (changes > 1) return std::nullopt;
    if (now) out.emplace(key, *now);
  }
  for (const auto& [key, amount] : source) {
    bool has_partner = false;
    for (const auto& [other, value] : target) has_partner |= other == key;
    if (!has_partner && first(Clause::Match::kByTarget, amount) != nullptr) out.emplace(key, amount + 100);
  }
  return out;
}

TEST_F(DmlTest, MergeIsWhatTheManualSays) {
  base::SeededRandom random(20240229);
  ASSERT_EQ(rows("CREATE TABLE d.mt (k INT64, v INT64)"), "");
  ASSERT_EQ(rows("CREATE TABLE d.ms (k INT64, v INT64)"), "");
  const auto fill = [&](const std::string& name, std::vector<Pair>& made) {
    ASSERT_EQ(rows("DELETE FROM d." + name + " WHERE TRUE"), "");
    std::string values;
    for (std::uint64_t i = random.below(6); i > 0; --i) {
      made.emplace_back(static_cast<int>(random.below(5)), static_cast<int>(random.below(10)));
      values += (values.empty() ? "(" : ", (") + std::to_string(made.back().first) + ", " +
                std::to_string(made.back().second) + ")";
    }
    if (values.empty()) return;
    ASSERT_EQ(rows("INSERT INTO d." + name + " (k, v) VALUES " + values), "");
  };
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<Pair> target, source;
    fill("mt", target);
    fill("ms", source);
    std::vector<Clause> clauses;
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      const auto match = static_cast<Clause::Match>(random.below(3));
      const auto what = match == Clause::Match::kByTarget ? Clause::Do::kInsert
                        : random.below(2) == 0            ? Clause::Do::kUpdate
                                                          : Clause::Do::kDelete;
      clauses.push_back({match, random.below(3) == 0 ? -1 : static_cast<int>(random.below(9)), what});
    }
    const auto expected = model(target, source, clauses);
    const std::string done = run(sql_of(clauses));
    if (!expected) {
      ++refused;
      EXPECT_EQ(done, "UPDATE/MERGE must match at most one source row for each target row") << sql_of(clauses);
      continue;
    }
    std::string text;
    std::multimap<Pair, int> sorted;
    for (const auto& [key, value] : *expected) sorted.emplace(Pair{key, value}, 0);
    for (const auto& [pair, nothing] : sorted)
      text += std::to_string(pair.first) + "," + std::to_string(pair.second) + ";";
    ASSERT_EQ(rows("SELECT k, v FROM d.mt ORDER BY k, v"), text) << round << ": " << sql_of(clauses) << " → " << done;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 40);
}

}  // namespace
}  // namespace flytt::warehouse
