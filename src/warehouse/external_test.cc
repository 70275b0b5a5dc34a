// EXTERNAL_QUERY over scripted rows: every type, joins, writes, and readings that end early.

#include "warehouse/external.h"

#include <gtest/gtest.h>

#include <thread>

#include "warehouse/internal/test_support.h"

namespace flytt::warehouse {
namespace {

using data::Type;
using data::TypeKind;

constexpr int kLists = 5000;

std::vector<data::Field> fields() {
  return {{"n", Type(TypeKind::kInt64), false, ""},
          {"text", Type(TypeKind::kString), false, ""},
          {"day", Type(TypeKind::kDate), false, ""},
          {"amount", Type(TypeKind::kNumeric), false, ""},
          {"big", Type(TypeKind::kBigNumeric), false, ""},
          {"yes", Type(TypeKind::kBool), false, ""},
          {"list", Type::array(TypeKind::kString), false, ""},
          {"at", Type(TypeKind::kTimestamp), false, ""}};
}

// Rows 0 … count − 1 in slices of 3,000; a row whose number is a multiple of 7 is NULL except for `n` and `list`.
class Numbers final : public flow::Source {
 public:
  Numbers(std::vector<int> columns, int count, bool has_end, bool is_bad, std::atomic<int>& open)
      : columns_(std::move(columns)), count_(count), has_end_(has_end), is_bad_(is_bad), open_(open) {
    auto schema = std::make_shared<data::SliceSchema>();
    for (const int column : columns_) schema->table.fields.push_back(fields()[static_cast<std::size_t>(column)]);
    schema_ = std::move(schema);
    ++open_;
  }
  ~Numbers() override { --open_; }
  Result<std::optional<flow::Batch>> next(base::Deadline) override {
    if (next_ == count_ && !has_end_) {
      std::this_thread::yield();  // as if the deadline had passed
      return std::optional<flow::Batch>();
    }
    flow::Batch batch;
    data::TableSlice slice(schema_);
    for (int end = std::min(next_ + 3000, count_); next_ < end; ++next_)
      for (std::size_t i = 0; i < columns_.size(); ++i) append(columns_[i], next_, slice.columns[i]);
    if (is_bad_) slice.rejections.push_back({"", "amount", "has too many decimals", "secret", {}, "", {}, {}});
    batch.tables.push_back(std::move(slice));
    return std::optional(std::move(batch));
  }
  Status confirm(const flow::Position&) override { return ok(); }
  bool is_done() const override { return has_end_ && next_ == count_; }

 private:
  static void append(int column, int n, data::Column& out) {
    if (n % 7 == 0 && column != 0 && column != 6) return out.append_null();
    switch (column) {
      case 0: return out.append_int64(n);
      case 1: return out.append_bytes("a text that is longer than twelve bytes, " + std::to_string(n));
      case 2: return out.append_int64(n);
      case 3: return out.append_int128(data::Int128(n) * 1'000'000'000);
      case 4: return out.append_int256(data::Int256{static_cast<std::uint64_t>(n), 0, 0, 0});
      case 5: return out.append_bool(n % 2 == 0);
      case 6:
        for (int i = 0; i < n % 3; ++i) out.children()[0].append_bytes("element " + std::to_string(i));
        return out.close_list();
      default: return out.append_int64(n * 1'000'000LL);
    }
  }
  const std::vector<int> columns_;
  std::shared_ptr<const data::SliceSchema> schema_;
  const int count_;
  const bool has_end_, is_bad_;
  std::atomic<int>& open_;
  int next_ = 0;
};

class Script final : public ExternalQueries, public ExternalSession, public ExternalRows {
 public:
  std::unique_ptr<ExternalSession> begin(const std::string&) override { return std::make_unique<Forward>(*this); }
  Result<std::shared_ptr<ExternalRows>> describe(const googlesql::ExternalCall& call, base::Deadline) override {
    calls.push_back(call.connection + "|" + call.query + "|" + call.options + "|" + call.place);
    if (call.query == "wrong")
      return Error(ErrorCode::kBadData, "Invalid table-valued function EXTERNAL_QUERY at " + call.place);
    return std::shared_ptr<ExternalRows>(std::shared_ptr<void>(), this);
  }
  const std::vector<data::Field>& columns() const override { return fields_; }
  Result<std::unique_ptr<flow::Source>> open(const std::vector<int>& columns, base::Deadline) override {
    asked.push_back(columns);
    if (is_away) return Error(ErrorCode::kBadData, "PostgreSQL is away");
    return std::unique_ptr<flow::Source>(std::make_unique<Numbers>(columns, kLists, has_end, is_bad, open_sources));
  }

  bool has_end = true, is_bad = false, is_away = false;
  std::vector<std::string> calls;
  std::vector<std::vector<int>> asked;
  std::atomic<int> open_sources{0};

 private:
  struct Forward final : ExternalSession {
    explicit Forward(Script& to) : script(to) {}
    Result<std::shared_ptr<ExternalRows>> describe(const googlesql::ExternalCall& call,
                                                   base::Deadline deadline) override {
      return script.describe(call, deadline);
    }
    Script& script;
  };
  const std::vector<data::Field> fields_ = fields();
};

class ExternalTest : public test::Fixture {
 protected:
  void SetUp() override {
    external_ = &script;
    test::Fixture::SetUp();
  }
  Script script;
};

constexpr const char* kCall = "EXTERNAL_QUERY('eu.sak', 'SELECT')";

TEST_F(ExternalTest, CallsAreReadAsTheyAreWritten) {
  EXPECT_EQ(rows(R"(SELECT COUNT(*) /* EXTERNAL_QUERY('no', 'no') */, 'EXTERNAL_QUERY(' AS a
    FROM external_query('eu.sak', '''SELECT 'a' -- it's
) "x" \u00e6\x41\101''', r'{"a": "\d"}') AS one -- EXTERNAL_QUERY('no', 'no')
    JOIN EXTERNAL_QUERY("b", """two""") USING (n))"),
            "5000,EXTERNAL_QUERY(;");
  EXPECT_EQ(script.calls, (std::vector<std::string>{
                              "eu.sak|SELECT 'a' -- it's\n) \"x\" \u00e6AA|{\"a\": \"\\d\"}|[2:10]", "b|two||[4:10]"}));
}

TEST_F(ExternalTest, OnlyColumnsThatAreNeededAreAskedFor) {
  EXPECT_EQ(rows(std::string("SELECT SUM(n), MAX(text) FROM ") + kCall + " WHERE yes"),
            "5352858,a text that is longer than twelve bytes, 998;");
  EXPECT_EQ(script.asked, (std::vector<std::vector<int>>{{0, 1, 5}}));
}

TEST_F(ExternalTest, EveryTypeArrives) {
  EXPECT_EQ(rows(std::string("SELECT * FROM ") + kCall + " WHERE n IN (0, 4, 4999) ORDER BY n"),
            "0,NULL,NULL,NULL,NULL,NULL,[],NULL;"
            "4,a text that is longer than twelve bytes, "
            "4,1970-01-05,4,0.00000000000000000000000000000000000004,true,[{\"v\":\"element 0\"}],1970-01-01T00:00:04Z;"
            "4999,a text that is longer than twelve bytes, "
            "4999,1983-09-09,4999,0.00000000000000000000000000000000004999,false,[{\"v\":\"element "
            "0\"}],1970-01-01T01:23:19Z;");
  EXPECT_EQ(rows(std::string("SELECT COUNT(*), COUNTIF(ARRAY_LENGTH(list) != MOD(n, 3)), COUNTIF(text IS NULL) FROM ") +
                 kCall),
            "5000,0,715;");
}

TEST_F(ExternalTest, RowsJoinWithTablesAndAreWrittenIntoThem) {
  make_plain("t");
  EXPECT_EQ(rows("INSERT INTO d.t (id, name) VALUES (3, 'three'), (5000, 'none')"), "");
  EXPECT_EQ(rows(std::string("SELECT t.name, e.amount FROM d.t JOIN ") + kCall + " AS e ON t.id = e.n"), "three,3;");
  EXPECT_EQ(rows(std::string("CREATE TABLE d.made AS SELECT n, day, list FROM ") + kCall), "");
  EXPECT_EQ(rows("SELECT COUNT(*), SUM(n), MAX(day) FROM d.made"), "5000,12497500,1983-09-09;");
  EXPECT_EQ(rows(std::string("INSERT INTO d.t (id, name) SELECT n, text FROM ") + kCall + " WHERE n < 3"), "");
  EXPECT_EQ(rows("SELECT COUNT(*) FROM d.t"), "5;");
  EXPECT_EQ(script.open_sources, 0);
}

TEST_F(ExternalTest, WhatFailsElsewhereFailsTheStatementAndNothingIsWritten) {
  EXPECT_EQ(rows("SELECT n FROM EXTERNAL_QUERY('c', 'wrong')"),
            "error: Invalid table-valued function EXTERNAL_QUERY at [1:15] (invalidQuery)");
  EXPECT_EQ(rows("SELECT n FROM EXTERNAL_QUERY('c', CONCAT('a', 'b'))").substr(0, 44),
            "error: EXTERNAL_QUERY takes string literals:");
  EXPECT_EQ(rows("SELECT missing FROM EXTERNAL_QUERY('c', 'a')"),
            "error: Unrecognized name: missing [at 1:8] (invalidQuery)");
  script.is_away = true;
  EXPECT_EQ(rows(std::string("SELECT n FROM ") + kCall),
            "error: Invalid table-valued function EXTERNAL_QUERY PostgreSQL is away (invalidQuery)");
  script.is_away = false;
  script.is_bad = true;
  const std::string bad = rows(std::string("CREATE TABLE d.made AS SELECT n FROM ") + kCall);
  EXPECT_NE(bad.find("column amount cannot be represented: has too many decimals"), std::string::npos) << bad;
  EXPECT_EQ(bad.find("secret"), std::string::npos);
  EXPECT_FALSE(warehouse().table(path("made")));
  EXPECT_EQ(script.open_sources, 0);
}

TEST_F(ExternalTest, AReadingThatNobodyWaitsForEnds) {
  script.has_end = false;
  for (const bool is_write : {false, true}) {
    QueryOptions options;
    options.project = "p";
    options.cancel = std::make_shared<std::atomic<bool>>(false);
    const std::string sql =
        (is_write ? "CREATE TABLE d.made AS " : "") + std::string("SELECT COUNT(*) AS n FROM ") + kCall;
    std::jthread canceller([&] {
      while (script.open_sources == 0) std::this_thread::yield();
      *options.cancel = true;
    });
    auto answer = warehouse().query(sql, options);
    Status ended;
    if (answer) {
      const auto page = (*answer)->next();
      ASSERT_FALSE(page);
      ended = page.error();
    } else {
      ended = answer.error();
    }
    EXPECT_EQ(ended.error().code(), ErrorCode::kCancelled) << ended.error().text();
    if (answer) answer->reset();
    EXPECT_EQ(script.open_sources, 0);
  }
  script.has_end = true;
  QueryOptions options;
  options.project = "p";
  {
    auto first = warehouse().query(std::string("SELECT n FROM ") + kCall, options);
    ASSERT_TRUE(first) << first.error().text();
    ASSERT_TRUE((*first)->next());
  }
  EXPECT_EQ(script.open_sources, 0);
}

TEST_F(ExternalTest, WithoutConnectionsTheCallSaysSo) {
  external_ = nullptr;
  reopen();
  EXPECT_EQ(rows(std::string("SELECT n FROM ") + kCall),
            "error: EXTERNAL_QUERY needs the connections of a configuration; this warehouse was opened without one "
            "(notImplemented)");
}

}  // namespace
}  // namespace flytt::warehouse
