// Tables whose time is over.

#include <gtest/gtest.h>

#include <atomic>

#include "warehouse/internal/test_support.h"
#include "warehouse/jobs.h"

namespace flytt::warehouse {
namespace {

// Hours pass when the test says so.
class MovedClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return base::SystemClock().steady(); }
  std::int64_t wall_micros() const override { return base::SystemClock().wall_micros() + moved; }
  std::atomic<std::int64_t> moved{0};
};

constexpr std::int64_t kHour = 3'600'000'000;
const data::TablePath kTable{"p", "d", "t"};

class Expiration : public testing::Test {
 protected:
  void SetUp() override {
    open();
    ASSERT_TRUE(house_->create_dataset({{"p", "d"}}));
    make(clock_.wall_micros() + kHour);
  }
  void open() {
    house_.reset();
    WarehouseOptions options;
    options.folder = folder_.path();
    options.project = "p";
    options.maintenance = false;
    auto opened = Warehouse::open(options, clock_, metrics_);
    ASSERT_TRUE(opened);
    house_ = std::move(*opened);
  }
  void make(std::optional<std::int64_t> expiration_micros) {
    TableInfo info;
    info.path = kTable;
    info.schema = test::simple_schema(false);
    info.expiration_micros = expiration_micros;
    const auto made = house_->create_table(info);
    ASSERT_TRUE(made) << made.error().text();
    ASSERT_EQ(ask("INSERT INTO d.t (id, name) VALUES (1, 'a')"), "");
  }
  // The number of rows that are the answer, or the error; nothing for a statement without rows.
  std::string ask(const std::string& sql) {
    QueryOptions options;
    options.project = "p";
    const auto answer = house_->query(sql, options);
    if (!answer) return answer.error().cause() + ": " + answer.error().sentence();
    const auto stored = collect(**answer, 1 << 20);
    return !stored ? stored.error().text() : (*stored)->columns.empty() ? "" : std::to_string((*stored)->row_count);
  }

  test::TemporaryFolder folder_;
  MovedClock clock_;
  base::Metrics metrics_;
  std::unique_ptr<Warehouse> house_;
};

TEST_F(Expiration, ATableIsNotFoundFromThenOn) {
  EXPECT_EQ(ask("SELECT * FROM d.t"), "1");
  clock_.moved = kHour + 1;
  EXPECT_EQ(ask("SELECT * FROM d.t"), "notFound: Not found: Table p:d.t was not found in location US");
  EXPECT_EQ(house_->table(kTable).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(house_->tables({"p", "d"})->empty());
  EXPECT_EQ(ask("SELECT table_name FROM d.INFORMATION_SCHEMA.TABLES"), "0");
  EXPECT_EQ(ask("DROP TABLE d.t"), "notFound: Not found: Table p:d.t");
  EXPECT_FALSE(house_->create_stream(kTable, StreamKind::kPending));
  open();
  EXPECT_EQ(house_->table(kTable).error().code(), ErrorCode::kNotFound);
}

TEST_F(Expiration, MaintenanceTakesItAway) {
  const std::int64_t id = house_->table(kTable)->id;
  ASSERT_TRUE(house_->expire_streams());
  EXPECT_EQ(house_->table(kTable)->id, id);
  clock_.moved = kHour + 1;
  ASSERT_TRUE(house_->expire_streams());
  clock_.moved = 0;
  EXPECT_EQ(house_->table(kTable).error().code(), ErrorCode::kNotFound) << "it is not only hidden";
  open();
  EXPECT_EQ(house_->table(kTable).error().code(), ErrorCode::kNotFound);
}

TEST_F(Expiration, ANewTableTakesItsName) {
  const std::int64_t id = house_->table(kTable)->id;
  clock_.moved = kHour + 1;
  make(std::nullopt);
  open();
  clock_.moved = 0;
  EXPECT_NE(house_->table(kTable)->id, id);
  EXPECT_EQ(ask("SELECT * FROM d.t"), "1");
}

TEST_F(Expiration, ItDoesNotHoldItsDataset) {
  clock_.moved = kHour + 1;
  EXPECT_EQ(ask("DROP SCHEMA d"), "");
  open();
  clock_.moved = 0;
  EXPECT_FALSE(house_->dataset({"p", "d"}));
  EXPECT_FALSE(house_->table(kTable));
}

TEST_F(Expiration, ATableThatIsExtendedStays) {
  TableChange change;
  change.expiration_micros = 0;
  ASSERT_TRUE(house_->update_table(kTable, change));
  clock_.moved = 2 * kHour;
  ASSERT_TRUE(house_->expire_streams());
  EXPECT_EQ(ask("SELECT * FROM d.t"), "1");
}

}  // namespace
}  // namespace flytt::warehouse
