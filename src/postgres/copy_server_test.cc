#include "postgres/copy.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "postgres/internal/cell_print.h"
#include "postgres/internal/copy_reader.h"
#include "postgres/internal/scratch_server.h"
#include "postgres/slot.h"

namespace flytt::postgres {
namespace {

const data::TablePath kPath{"p", "d", "t"};

SourceTable table_of(ScratchDatabase& database, const std::string& name, const std::string& publication = {}) {
  auto catalog = inspect_tables(database.settings(), TableSelection{{name}, {}}, publication, test_clock(), patience());
  CHECK(catalog.has_value());
  CHECK(catalog->tables.size() == 1);
  return std::move(catalog->tables.front());
}

std::unique_ptr<CopySession> open_session(ScratchDatabase& database,
                                          const std::function<bool(const SlotWait&)>& on_wait = {}) {
  auto session = CopySession::open(database.settings(),
                                   CopyOptions{"flytt_copy_" + database.name(), 3, std::chrono::milliseconds(100)},
                                   test_clock(), patience(), on_wait);
  if (!session) ADD_FAILURE() << session.error().text();
  return std::move(*session);
}

// Reads a range to its end; the first two columns of each row as "id:value".
Result<std::vector<std::string>> read_range(const CopySession& session, const SourceTable& table,
                                            const CopyRange& range) {
  TRY(auto source,
      session.open_range(table, make_slice_schema(table, kPath, data::SchemaVersion(1)), range, patience()));
  std::vector<std::string> rows;
  std::uint64_t sequence = 0;
  while (!source->is_done()) {
    TRY(const auto batch, source->next(patience()));
    CHECK(batch.has_value());
    EXPECT_EQ(batch->sequence.value, sequence++);
    EXPECT_TRUE(batch->end.empty());
    for (const data::TableSlice& slice : batch->tables) {
      EXPECT_EQ(slice.sequence(0), data::Sequence::of(3, session.consistent_point().value, 0));
      for (std::size_t row = 0; row < slice.row_count(); ++row)
        rows.push_back(print_cell(slice.columns[0], row) + ":" + print_cell(slice.columns[1], row));
    }
  }
  return rows;
}

TEST(Copy, shows_the_rows_of_its_consistent_point_and_no_later_ones) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  const auto session = open_session(database);
  EXPECT_GT(session->consistent_point().value, 0u);
  database.sql("INSERT INTO t VALUES (3, 'c'); UPDATE t SET v = 'changed' WHERE id = 1; DELETE FROM t WHERE id = 2");
  const SourceTable table = table_of(database, "t");
  const auto ranges = session->plan_ranges(table, patience()).value();
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_TRUE(ranges[0].is_whole_table());
  EXPECT_EQ(read_range(*session, table, ranges[0]).value(), (std::vector<std::string>{"1:a", "2:b"}));
  // The commit of the later changes lies behind the consistent point.
  EXPECT_LT(session->consistent_point(), parse_lsn(database.value("SELECT pg_current_wal_lsn()")).value());
}

TEST(Copy, ranges_together_hold_every_row_once) {
  ScratchDatabase database;
  database.sql(
      "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, "
      "20000) i");
  const SourceTable table = table_of(database, "t");
  const auto session = open_session(database);
  const CopyRange whole = session->plan_ranges(table, patience()).value().front();
  std::map<std::string, int> seen;
  const std::uint32_t cuts[] = {0, 1, 700, 701, CopyRange::kOpenEnd};
  std::size_t last = 0;
  for (std::size_t i = 0; i + 1 < std::size(cuts); ++i) {
    const auto rows = read_range(*session, table, CopyRange{cuts[i], cuts[i + 1], whole.storage}).value();
    last = rows.size();
    for (const std::string& row : rows) ++seen[row.substr(0, row.find(':'))];
  }
  EXPECT_GT(last, 10'000u);
  EXPECT_EQ(seen.size(), 20'000u);
  for (const auto& [id, count] : seen) EXPECT_EQ(count, 1) << id;
}

TEST(Copy, partitions_row_filters_and_column_lists) {
  ScratchDatabase database;
  if (database.version() < 150000) GTEST_SKIP() << "column lists and row filters are newer";
  database.sql(
      "CREATE TABLE part (id int, x int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE part_1 "
      "PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
      "CREATE TABLE part_2 (at date NOT NULL, x int, id int NOT NULL); ALTER TABLE part ATTACH PARTITION part_2 FOR "
      "VALUES FROM ('2025-01-01') TO ('2026-01-01');"
      "INSERT INTO part VALUES (1, 10, '2024-05-05'), (2, 20, '2025-05-05'), (3, 30, '2025-06-06');"
      "CREATE TABLE parent (id int PRIMARY KEY, v int); CREATE TABLE child () INHERITS (parent); INSERT INTO parent "
      "VALUES (1, 1); INSERT INTO child VALUES (2, 2);"
      "CREATE PUBLICATION pub FOR TABLE part (id, at) WHERE (id <> 2) WITH (publish_via_partition_root = true)");
  const auto session = open_session(database);
  const SourceTable part = table_of(database, "part", "pub");
  const auto ranges = session->plan_ranges(part, patience()).value();
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(read_range(*session, part, ranges[0]).value(), (std::vector<std::string>{"1:2024-05-05", "3:2025-06-06"}));
  // A table's heirs are tables of their own.
  const SourceTable parent = table_of(database, "parent");
  EXPECT_EQ(read_range(*session, parent, session->plan_ranges(parent, patience()).value()[0]).value(),
            std::vector<std::string>{"1:1"});
}

TEST(Copy, of_a_table_that_was_rewritten_or_altered_is_refused) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)");
  const SourceTable table = table_of(database, "t");
  const auto session = open_session(database);
  const CopyRange range = session->plan_ranges(table, patience()).value().front();
  database.sql("VACUUM FULL t");
  const auto rewritten = read_range(*session, table, range);
  ASSERT_FALSE(rewritten);
  EXPECT_EQ(rewritten.error().code(), ErrorCode::kConflict);
  const CopyRange again = session->plan_ranges(table, patience()).value().front();
  EXPECT_FALSE(again == range);
  EXPECT_TRUE(read_range(*session, table, again));
  database.sql("ALTER TABLE t ALTER v TYPE text");
  const auto altered = read_range(*session, table, session->plan_ranges(table, patience()).value().front());
  ASSERT_FALSE(altered);
  EXPECT_EQ(altered.error().code(), ErrorCode::kSchema);
  database.sql("ALTER TABLE t DROP COLUMN v");
  const auto dropped = read_range(*session, table, session->plan_ranges(table, patience()).value().front());
  ASSERT_FALSE(dropped);
  EXPECT_EQ(dropped.error().code(), ErrorCode::kSchema);
}

TEST(Copy, session_that_ended_gives_no_more_sources) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY, v int)");
  const SourceTable table = table_of(database, "t");
  const auto session = open_session(database);
  const CopyRange range = session->plan_ranges(table, patience()).value().front();
  EXPECT_TRUE(read_range(*session, table, range));
  database.terminate("SELECT active_pid FROM pg_replication_slots WHERE database = current_database()");
  const auto gone = read_range(*session, table, range);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), ErrorCode::kUnavailable);
}

TEST(Copy, slot_is_gone_with_its_session) {
  ScratchDatabase database;
  {
    const auto session = open_session(database);
    EXPECT_EQ(
        database.value("SELECT count(*) FROM pg_replication_slots WHERE database = current_database() AND temporary"),
        "1");
  }
  const base::Deadline limit = patience();
  while (database.value("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") != "0")
    ASSERT_FALSE(test_clock().is_past(limit));
}

TEST(Copy, says_whom_it_waits_for) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY)");
  ConnectionSettings blocker = database.settings();
  blocker.application_name = "long report";
  auto client = Client::connect(blocker, Client::Mode::kNormal, test_clock(), patience()).value();
  ASSERT_TRUE(client->query("BEGIN; INSERT INTO public.t VALUES (1)", patience(), "block"));
  SlotWait seen;
  const auto session = open_session(database, [&](const SlotWait& wait) {
    seen = wait;
    EXPECT_TRUE(client->query("ROLLBACK", patience(), "unblock"));
    return true;
  });
  EXPECT_EQ(seen.pid, client->backend_pid());
  EXPECT_EQ(seen.application, "long report");
  EXPECT_NE(seen.text().find("(long report), user postgres"), std::string::npos) << seen.text();

  ASSERT_TRUE(client->query("BEGIN; INSERT INTO public.t VALUES (1)", patience(), "block"));
  const auto stopped =
      CopySession::open(database.settings(), CopyOptions{"flytt_copy_stopped", 1, std::chrono::milliseconds(1)},
                        test_clock(), patience(), [](const SlotWait&) { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::kCancelled);
  // Given up, neither leaves a slot behind nor somebody who goes on waiting.
  const auto late =
      create_slot(database.settings(), "flytt_late", test_clock(), test_clock().in(std::chrono::milliseconds(300)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(database.value(
                "SELECT count(*) FROM pg_replication_slots WHERE slot_name IN ('flytt_late', 'flytt_copy_stopped')"),
            "0");
  ASSERT_TRUE(client->query("ROLLBACK", patience(), "unblock"));
  EXPECT_TRUE(create_slot(database.settings(), "flytt_late", test_clock(), patience()));
}

// The same copy by our own reading of the socket and through libpq, which is the way under TLS.
TEST(CopyReader, gives_the_same_rows_both_ways) {
  ScratchDatabase database;
  database.sql(
      "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat(chr(97 + i % 26), i % 50 * 100) "
      "FROM generate_series(1, 3000) i; INSERT INTO t VALUES (0, repeat('long', 500000))");
  std::vector<std::vector<std::string>> copies;
  for (const bool through_libpq : {false, true}) {
    auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
    auto reader =
        CopyReader::start(std::move(client), "COPY (SELECT * FROM public.t ORDER BY id) TO STDOUT (FORMAT binary)",
                          patience(), "copy", through_libpq)
            .value();
    copies.emplace_back();
    while (!reader->ended()) {
      const auto messages = reader->read(patience());
      ASSERT_TRUE(messages) << messages.error().text();
      copies.back().insert(copies.back().end(), (*messages)->begin(), (*messages)->end());
    }
  }
  EXPECT_EQ(copies[0].size(), 3002u);
  EXPECT_TRUE(copies[0] == copies[1]);
}

TEST(CopyReader, tells_errors_of_the_server_both_ways) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t AS SELECT i FROM generate_series(1, 100000) i");
  for (const bool through_libpq : {false, true}) {
    auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
    auto reader =
        CopyReader::start(std::move(client), "COPY (SELECT 1 / (99999 - i) FROM public.t) TO STDOUT (FORMAT binary)",
                          patience(), "copy public.t", through_libpq)
            .value();
    Result<const std::vector<std::string_view>*> messages = nullptr;
    while (messages && !reader->ended()) messages = reader->read(patience());
    ASSERT_FALSE(messages);
    EXPECT_EQ(messages.error().cause(), "SQLSTATE 22012");
    EXPECT_EQ(messages.error().code(), ErrorCode::kBadData);
  }
  auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
  auto reader =
      CopyReader::start(std::move(client), "COPY public.nowhere TO STDOUT", patience(), "copy public.nowhere").value();
  const auto missing = reader->read(patience());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
}

TEST(CopyReader, notices_that_the_server_goes) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t AS SELECT i, repeat('x', 1000) FROM generate_series(1, 100000) i");
  auto client = Client::connect(database.settings(), Client::Mode::kNormal, test_clock(), patience()).value();
  const int pid = client->backend_pid();
  auto reader = CopyReader::start(std::move(client), "COPY (SELECT * FROM public.t) TO STDOUT (FORMAT binary)",
                                  patience(), "copy public.t")
                    .value();
  ASSERT_TRUE(reader->read(patience()));
  database.terminate("SELECT " + std::to_string(pid));
  Result<const std::vector<std::string_view>*> messages = nullptr;
  while (messages && !reader->ended()) messages = reader->read(patience());
  ASSERT_FALSE(messages);
  EXPECT_EQ(messages.error().code(), ErrorCode::kUnavailable);
}

TEST(CopyRange, text_round_trip) {
  for (const CopyRange range : {CopyRange{}, CopyRange{5, 9, 0xABCDEF}, CopyRange{7, CopyRange::kOpenEnd, 1}})
    EXPECT_EQ(CopyRange::parse(range.text()).value(), range) << range.text();
  for (const char* wrong : {"", "1", "1-", "1-2", "1-2@", "2-1@0", "x-2@0", "1-2@0z"})
    EXPECT_FALSE(CopyRange::parse(wrong)) << wrong;
}

}  // namespace
}  // namespace flytt::postgres
