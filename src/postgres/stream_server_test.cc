#include "postgres/stream_source.h"

#include <gtest/gtest.h>

#include "postgres/internal/cell_print.h"
#include "postgres/internal/scratch_server.h"
#include "postgres/slot.h"

namespace flytt::postgres {
namespace {

using data::ChangeKind;

// A database with a slot and a publication of everything, and the tables that the stream is to follow.
class Stream : public ::testing::Test {
 protected:
  void make(const std::string& ddl) {
    database.sql(ddl + "; CREATE PUBLICATION pub FOR ALL TABLES WITH (publish_via_partition_root = true)");
    slot = "slot_" + database.name();
    ASSERT_TRUE(create_slot(database.settings(), slot, test_clock(), patience()));
  }
  std::vector<StreamTable> tables(const TableSelection& selection = {}) {
    auto catalog = inspect_tables(database.settings(), selection, "pub", test_clock(), patience());
    CHECK(catalog.has_value());
    std::vector<StreamTable> out;
    for (SourceTable& table : catalog->tables) {
      auto schema = make_slice_schema(table, {"p", "d", table.name}, data::SchemaVersion(1));
      out.push_back(StreamTable{std::move(table), std::move(schema), Lsn(0)});
    }
    return out;
  }
  Result<std::unique_ptr<PostgresStreamSource>> try_open(const flow::Position& from = {},
                                                         std::vector<StreamTable> given = {}) {
    StreamOptions options{slot, "pub", 2};
    options.batch_age = age;
    options.batch_rows_max = rows_max;
    if (given.empty()) given = tables();
    return PostgresStreamSource::open(database.settings(), options, std::move(given), from, test_clock(), patience());
  }
  void open(const flow::Position& from = {}, std::vector<StreamTable> given = {}) {
    source.reset();
    wait_until_free();
    auto opened = try_open(from, std::move(given));
    ASSERT_TRUE(opened) << opened.error().text();
    source = std::move(*opened);
  }
  void wait_until_free() {
    const base::Deadline limit = patience();
    while (inspect_slot(database.settings(), slot, test_clock(), patience()).value()->is_active())
      ASSERT_FALSE(test_clock().is_past(limit));
  }
  flow::Batch next() {
    auto batch = source->next(patience());
    if (!batch) ADD_FAILURE() << batch.error().text();
    CHECK(batch.has_value() && batch->has_value());
    return std::move(**batch);
  }
  // Batches until the position has reached what the log holds now.
  std::vector<flow::Batch> catch_up() {
    const Lsn goal = parse_lsn(database.value("SELECT pg_current_wal_insert_lsn()")).value();
    std::vector<flow::Batch> batches;
    const base::Deadline limit = patience();
    for (Lsn at; at < goal && !test_clock().is_past(limit);) {
      batches.push_back(next());
      at = to_lsn(batches.back().end).value();
    }
    return batches;
  }
  // "+table(a,b) -table(a,NULL)" of all batches, one word per row.
  static std::string print(const std::vector<flow::Batch>& batches) {
    std::string out;
    for (const flow::Batch& batch : batches) {
      for (const data::TableSlice& slice : batch.tables) {
        for (std::size_t row = 0; row < slice.row_count(); ++row) {
          out += out.empty() ? "" : " ";
          out += (slice.kind(row) == ChangeKind::kDelete ? "-" : "+") + slice.schema->destination.table + "(";
          for (std::size_t i = 0; i < slice.columns.size(); ++i)
            out += (i == 0 ? "" : ",") + print_cell(slice.columns[i], row);
          out += ")";
        }
      }
      for (const flow::TableEvent& event : batch.events)
        out +=
            (out.empty() ? "!" : " !") + event.source_table + "[" + std::to_string(static_cast<int>(event.kind)) + "]";
    }
    return out;
  }
  static std::vector<data::Sequence> sequences(const std::vector<flow::Batch>& batches) {
    std::vector<data::Sequence> out;
    for (const flow::Batch& batch : batches)
      for (const data::TableSlice& slice : batch.tables)
        for (std::size_t row = 0; row < slice.row_count(); ++row) out.push_back(slice.sequence(row));
    return out;
  }

  ScratchDatabase database;
  std::string slot;
  base::Duration age = std::chrono::milliseconds(1);
  std::size_t rows_max = kStreamBatchRowsMax;
  std::unique_ptr<PostgresStreamSource> source;
};

TEST_F(Stream, brings_inserts_updates_deletes_and_key_changes_with_their_sequences) {
  make(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY); CREATE TABLE nokey (a "
      "int)");
  open({}, tables({{"t"}, {}}));
  EXPECT_TRUE(source->progress().binary);
  database.sql(
      "BEGIN; INSERT INTO t VALUES (1, 'a'); INSERT INTO other VALUES (1); UPDATE t SET v = 'b'; UPDATE t SET id = 2; "
      "INSERT INTO nokey VALUES (1); DELETE FROM t; COMMIT");
  const auto batches = catch_up();
  EXPECT_EQ(print(batches), "+t(1,a) +t(1,b) -t(1,NULL) +t(2,b) -t(2,NULL)");
  const auto seen = sequences(batches);
  ASSERT_EQ(seen.size(), 5u);
  const std::uint64_t ordinals[] = {1, 5, 7, 8, 11};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(seen[i].epoch(), 2);
    EXPECT_EQ(seen[i].position(), seen[0].position());
    EXPECT_EQ(seen[i].ordinal(), ordinals[i]);
  }
  EXPECT_LT(Lsn(seen[0].position()), to_lsn(batches.back().end).value());
  EXPECT_EQ(source->progress().ignored_rows, 2u);
  std::int64_t newest = 0;
  for (const flow::Batch& batch : batches) newest = std::max(newest, batch.newest_commit_micros);
  EXPECT_LT(std::abs(newest - test_clock().wall_micros()), 60'000'000);
}

TEST_F(Stream, repeats_the_same_sequences_from_a_position) {
  make("CREATE TABLE t (id int PRIMARY KEY, v text)");
  open();
  database.sql("INSERT INTO t VALUES (1, 'a')");
  const auto first = catch_up();
  database.sql("INSERT INTO t VALUES (2, 'b'), (3, 'c'); INSERT INTO t VALUES (4, 'd')");
  const auto second = catch_up();
  open(first.back().end);
  const auto again = catch_up();
  EXPECT_EQ(print(again), print(second));
  EXPECT_EQ(sequences(again), sequences(second));
  // What was not confirmed is still there.
  open();
  EXPECT_EQ(print(catch_up()), print(second));
}

TEST_F(Stream, gives_a_large_transaction_in_several_batches_with_one_restart_place) {
  make("CREATE TABLE t (id int PRIMARY KEY, v text)");
  rows_max = 100;
  open();
  database.sql("INSERT INTO t VALUES (0, 'x')");
  const flow::Position before = catch_up().back().end;
  database.sql("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 250) i");
  const auto batches = catch_up();
  std::size_t rows = 0;
  for (const flow::Batch& batch : batches) {
    rows += batch.row_count();
    // Not before its last batch may the position pass the transaction.
    if (rows < 250) {
      EXPECT_EQ(batch.end, before);
    }
  }
  EXPECT_EQ(rows, 250u);
  EXPECT_GE(batches.size(), 3u);
  EXPECT_LT(to_lsn(batches.front().end).value(), to_lsn(batches.back().end).value());
  open(batches.front().end);
  std::size_t repeated = 0;
  for (const flow::Batch& batch : catch_up()) repeated += batch.row_count();
  EXPECT_EQ(repeated, 250u);
}

TEST_F(Stream, of_a_quiet_table_moves_its_position_and_releases_the_log) {
  make("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE busy (id int, v text)");
  open({}, tables({{"t"}, {}}));
  const Lsn start = inspect_slot(database.settings(), slot, test_clock(), patience()).value()->confirmed_flush;
  // Changes elsewhere in the server: another database, which this slot does not decode.
  ScratchDatabase elsewhere;
  elsewhere.sql("CREATE TABLE x AS SELECT i, repeat('x', 100) v FROM generate_series(1, 20000) i; CHECKPOINT");
  const auto batches = catch_up();
  EXPECT_EQ(print(batches), "");
  ASSERT_TRUE(source->confirm(batches.back().end));
  const Lsn goal = to_lsn(batches.back().end).value();
  EXPECT_GT(goal.value, start.value + 1'000'000);
  const base::Deadline limit = patience();
  SlotFacts facts;
  do {
    facts = *inspect_slot(database.settings(), slot, test_clock(), patience()).value();
    ASSERT_FALSE(test_clock().is_past(limit));
  } while (facts.confirmed_flush < goal);
  EXPECT_EQ(facts.confirmed_flush, goal);
  // The log itself is let go with the next running-transactions record that is decoded.
  while (facts.restart_lsn.value < start.value + 1'000'000) {
    database.sql("CHECKPOINT");
    ASSERT_TRUE(source->confirm(catch_up().back().end));
    facts = *inspect_slot(database.settings(), slot, test_clock(), patience()).value();
    ASSERT_FALSE(test_clock().is_past(limit));
  }
}

TEST_F(Stream, of_a_quiet_database_reaches_the_end_of_the_log) {
  make("CREATE TABLE t (id int PRIMARY KEY)");
  open();
  const base::Deadline limit = patience();
  for (const char* before : {"INSERT INTO t VALUES (1)", "SELECT pg_switch_wal()", "INSERT INTO t VALUES (2)"}) {
    database.sql(before);
    const Lsn end = read_log_end(database.settings(), test_clock(), patience()).value();
    while (source->progress().received < end) {
      ASSERT_FALSE(test_clock().is_past(limit)) << before << " to " << format_lsn(end);
      ASSERT_TRUE(source->next(test_clock().in(std::chrono::milliseconds(300))));
    }
  }
}

TEST_F(Stream, tells_the_server_only_what_was_confirmed) {
  make("CREATE TABLE t (id int PRIMARY KEY)");
  open();
  const Lsn start = inspect_slot(database.settings(), slot, test_clock(), patience()).value()->confirmed_flush;
  database.sql("INSERT INTO t VALUES (1)");
  const auto batches = catch_up();
  for (int i = 0; i < 3; ++i) static_cast<void>(source->next(test_clock().in(std::chrono::milliseconds(700))));
  EXPECT_EQ(inspect_slot(database.settings(), slot, test_clock(), patience()).value()->confirmed_flush, start);
  // An older place never takes a newer one back.
  ASSERT_TRUE(source->confirm(batches.back().end));
  ASSERT_TRUE(source->confirm(to_position(start)));
  const base::Deadline limit = patience();
  while (inspect_slot(database.settings(), slot, test_clock(), patience()).value()->confirmed_flush !=
         to_lsn(batches.back().end).value())
    ASSERT_FALSE(test_clock().is_past(limit));
}

TEST_F(Stream, in_text_form_is_the_same) {
  make(
      "CREATE TABLE t (id int PRIMARY KEY, n numeric(10,2), j jsonb, b bytea, ts timestamptz, a int[], iv interval, "
      "tags tsvector)");
  open();
  EXPECT_FALSE(source->progress().binary);
  database.sql(
      "INSERT INTO t VALUES (1, -1.5, '{\"a\":1}', '\\x61', '2024-06-01 12:00+02', '{1,2}', '1 day 02:03:04', 'cat')");
  EXPECT_EQ(print(catch_up()), "+t(1,-1.5,{\"a\": 1},a,2024-06-01T10:00:00Z,[1|2],0-0 1 2:3:4,'cat')");
}

TEST_F(Stream, refuses_values_and_rows_that_cannot_be_represented) {
  make("CREATE TABLE t (id int PRIMARY KEY, at date); CREATE TABLE k (at date PRIMARY KEY, v int)");
  open();
  database.sql(
      "INSERT INTO t VALUES (1, 'infinity'); INSERT INTO k VALUES ('infinity', 1), ('2024-01-01', 2); DELETE FROM k");
  const auto batches = catch_up();
  EXPECT_EQ(print(batches), "+t(1,NULL) +k(2024-01-01,2) -k(2024-01-01,NULL)");
  std::vector<data::Rejection> rejections;
  for (const flow::Batch& batch : batches)
    for (const data::TableSlice& slice : batch.tables)
      rejections.insert(rejections.end(), slice.rejections.begin(), slice.rejections.end());
  ASSERT_EQ(rejections.size(), 2u);
  EXPECT_EQ(rejections[0].key, "id=1");
  EXPECT_EQ(rejections[0].column, "at");
  EXPECT_EQ(rejections[0].raw, "infinity");
  EXPECT_EQ(rejections[1].key, "at=infinity");
  EXPECT_EQ(rejections[1].column, "");
  EXPECT_EQ(rejections[1].sequence.ordinal(), 3u);
}

TEST_F(Stream, fills_unchanged_large_values) {
  make(
      "CREATE TABLE t (id int PRIMARY KEY, small int, big text, doc jsonb); ALTER TABLE t ALTER big SET STORAGE "
      "EXTERNAL, ALTER doc SET STORAGE EXTERNAL;"
      "INSERT INTO t SELECT i, 0, repeat(i::text, 5000), jsonb_build_object('k', repeat('y', 5000)) FROM "
      "generate_series(1, 5) i");
  open();
  // In turn: looked up; taken from the batch; key changed after an insert in the batch; gone before it is looked up.
  database.sql(
      "UPDATE t SET small = 1 WHERE id = 1; UPDATE t SET small = 2 WHERE id = 1;"
      "INSERT INTO t VALUES (10, 0, repeat('z', 5000), '{}'); UPDATE t SET small = 1, id = 11 WHERE id = 10; UPDATE t "
      "SET small = 2 WHERE id = 11;"
      "UPDATE t SET small = 3 WHERE id = 2; DELETE FROM t WHERE id = 2; UPDATE t SET big = 'short' WHERE id = 3; "
      "UPDATE t SET id = 30 WHERE id = 3");
  age = std::chrono::seconds(1);
  open();
  std::map<std::string, std::string> table;  // what a destination would show
  for (const flow::Batch& batch : catch_up()) {
    EXPECT_TRUE(batch.events.empty());
    for (const data::TableSlice& slice : batch.tables) {
      for (std::size_t row = 0; row < slice.row_count(); ++row) {
        const std::string key = print_cell(slice.columns[0], row);
        if (slice.kind(row) == ChangeKind::kDelete) {
          table.erase(key);
          continue;
        }
        EXPECT_FALSE(slice.columns[2].is_null(row)) << key;
        EXPECT_FALSE(slice.columns[3].is_null(row)) << key;
        table[key] = print_cell(slice.columns[1], row) + "," + print_cell(slice.columns[2], row) + "," +
                     print_cell(slice.columns[3], row);
      }
    }
  }
  const Rows rows =
      database.sql("SELECT id, small || ',' || big || ',' || doc FROM t WHERE id IN (1, 11, 30) ORDER BY id");
  ASSERT_EQ(table.size(), 3u);
  for (int row = 0; row < rows.size(); ++row)
    EXPECT_EQ(table[rows.text(row, 0)], rows.text(row, 1)) << rows.text(row, 0);
}

TEST_F(Stream, takes_large_values_of_identity_full_from_the_old_row) {
  make(
      "CREATE TABLE t (id int PRIMARY KEY, small int, big text); ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE t "
      "ALTER big SET STORAGE EXTERNAL; INSERT INTO t VALUES (1, 0, repeat('x', 5000))");
  open();
  database.sql(
      "BEGIN; UPDATE t SET small = 1; UPDATE t SET big = 'now another'; COMMIT; UPDATE t SET id = 2; DELETE FROM t");
  const auto batches = catch_up();
  EXPECT_EQ(print(batches), "+t(1,1," + std::string(5000, 'x') +
                                ") +t(1,1,now another) -t(1,NULL,NULL) +t(2,1,now another) -t(2,NULL,NULL)");
}

TEST_F(Stream, of_a_table_whose_values_cannot_be_looked_up_stops_that_table_only) {
  make(
      "CREATE TABLE t (id int PRIMARY KEY, small int, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL; INSERT "
      "INTO t VALUES (1, 0, repeat('x', 5000)); CREATE TABLE fine (id int PRIMARY KEY)");
  const auto given = tables();
  database.sql("UPDATE t SET small = 1; DROP TABLE t; INSERT INTO fine VALUES (1)");
  open({}, given);
  const auto batches = catch_up();
  EXPECT_NE(print(batches).find("!public.t[2]"), std::string::npos) << print(batches);
  EXPECT_NE(print(batches).find("+fine(1)"), std::string::npos);
  EXPECT_EQ(print(batches).find("+t("), std::string::npos);
}

TEST_F(Stream, follows_added_columns_in_order) {
  make("CREATE TABLE t (id int PRIMARY KEY, v text)");
  age = std::chrono::seconds(1);
  open();
  database.sql(
      "INSERT INTO t VALUES (1, 'a'); ALTER TABLE t ADD COLUMN n int, ADD COLUMN d timestamptz; INSERT INTO t VALUES "
      "(2, 'b', 7, '2024-01-01 00:00+00'); UPDATE t SET n = 1 WHERE id = 1");
  const auto batches = catch_up();
  EXPECT_EQ(print(batches), "+t(1,a) +t(2,b,7,2024-01-01T00:00:00Z) +t(1,a,1,NULL)");
  std::vector<std::uint32_t> versions;
  for (const flow::Batch& batch : batches)
    for (const data::TableSlice& slice : batch.tables) versions.push_back(slice.schema->version.value);
  EXPECT_EQ(versions, (std::vector<std::uint32_t>{1, 2}));
  // Started again with the new shape, the old rows lack the columns.
  open();
  EXPECT_EQ(print(catch_up()), "+t(1,a,NULL,NULL) +t(2,b,7,2024-01-01T00:00:00Z) +t(1,a,1,NULL)");
}

TEST_F(Stream, goes_on_in_text_form_after_a_column_of_an_unknown_binary_type) {
  make("CREATE TABLE t (id int PRIMARY KEY)");
  open();
  EXPECT_TRUE(source->progress().binary);
  database.sql("ALTER TABLE t ADD COLUMN r int4range; INSERT INTO t VALUES (1, '[1,3)')");
  std::optional<Error> error;
  for (int i = 0; i < 10 && !error; ++i) {
    auto batch = source->next(patience());
    if (!batch) error = batch.error();
  }
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->retry(), base::Retry::kAfterBackoff);
  open();
  EXPECT_FALSE(source->progress().binary);
  EXPECT_EQ(print(catch_up()), "+t(1,[1,3))");
}

TEST_F(Stream, refuses_every_other_change_of_shape_and_goes_on_with_the_rest) {
  struct Case {
    const char* change;
    const char* reason;
    const char* row = "INSERT INTO t (id, n) VALUES (2, 2)";
  };
  const Case cases[] = {
      {"ALTER TABLE t DROP COLUMN v", "dropped"},
      {"ALTER TABLE t RENAME v TO w", "renamed"},
      {"ALTER TABLE t ALTER n TYPE bigint", "changed its type"},
      {"ALTER TABLE t ALTER m TYPE numeric(60,20)", "changed its type"},
      {"ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, n)", "its key changed"},
      {"ALTER TABLE t ADD COLUMN d int DEFAULT 7", "default"},
      {"ALTER TABLE t REPLICA IDENTITY NOTHING", "NOTHING"},
      {"ALTER TABLE t RENAME TO t2", "renamed to public.t2", "INSERT INTO t2 (id, n) VALUES (2, 2)"},
      {"ALTER TABLE t ADD COLUMN \"V\" int", "upper and lower case"},
      {"ALTER TABLE t RENAME TO old; CREATE TABLE t (id int PRIMARY KEY, v text, n int, m numeric(10,2))", "made anew"},
  };
  make("CREATE TABLE fine (id int PRIMARY KEY)");
  for (const Case& c : cases) {
    database.sql(
        "DROP TABLE IF EXISTS t, t2, old; CREATE TABLE t (id int PRIMARY KEY, v text, n int NOT NULL, m "
        "numeric(10,2)); TRUNCATE fine");
    open(to_position(parse_lsn(database.value("SELECT pg_current_wal_lsn()")).value()));
    database.sql("INSERT INTO t VALUES (1, 'a', 1, 1); " + std::string(c.change));
    database.sql(std::string(c.row) + "; INSERT INTO fine VALUES (1)");
    const auto batches = catch_up();
    std::string reason;
    for (const flow::Batch& batch : batches)
      for (const flow::TableEvent& event : batch.events)
        if (event.kind == flow::TableEvent::Kind::kSchemaRefused && event.source_table == "public.t")
          reason = event.reason;
    EXPECT_NE(reason.find(c.reason), std::string::npos) << c.change << ": " << reason << " in " << print(batches);
    EXPECT_NE(print(batches).find("+fine(1)"), std::string::npos) << c.change;
    EXPECT_EQ(print(batches).find("+t(2"), std::string::npos) << c.change;
  }
}

TEST_F(Stream, a_shape_that_does_not_fit_is_left_out_where_a_copy_covers_it) {
  make("CREATE TABLE t (id int PRIMARY KEY, v text)");
  database.sql("INSERT INTO t VALUES (1, 'a'); ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN n int DEFAULT 5");
  auto given = tables();
  given[0].covered_until = parse_lsn(database.value("SELECT pg_current_wal_lsn()")).value();
  database.sql("INSERT INTO t VALUES (2, 7)");
  open({}, given);
  EXPECT_EQ(print(catch_up()), "+t(2,7)");
}

TEST_F(Stream, says_when_a_table_was_truncated) {
  make("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)");
  open({}, tables({{"t"}, {}}));
  database.sql("BEGIN; INSERT INTO t VALUES (1); TRUNCATE t, other; INSERT INTO t VALUES (2); COMMIT");
  const auto batches = catch_up();
  EXPECT_EQ(print(batches), "+t(1) !public.t[0] +t(2)");
  data::Sequence truncated;
  for (const flow::Batch& batch : batches)
    for (const flow::TableEvent& event : batch.events) truncated = event.sequence;
  const auto rows = sequences(batches);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_LT(rows[0], truncated);
  EXPECT_LT(truncated, rows[1]);
}

TEST_F(Stream, of_partitions_is_that_of_their_root) {
  make(
      "CREATE TABLE part (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE part_1 "
      "PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
      "CREATE TABLE part_2 (v text, at date NOT NULL, id int NOT NULL, PRIMARY KEY (id, at)); ALTER TABLE part ATTACH "
      "PARTITION part_2 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')");
  open();
  database.sql(
      "INSERT INTO part VALUES (1, '2024-02-02', 'a'), (2, '2025-02-02', 'b'); UPDATE part SET v = 'c' WHERE id = 2; "
      "UPDATE part SET at = '2025-03-03' WHERE id = 1");
  EXPECT_EQ(print(catch_up()),
            "+part(1,2024-02-02,a) +part(2,2025-02-02,b) +part(2,2025-02-02,c) -part(1,2024-02-02,NULL) "
            "+part(1,2025-03-03,a)");
}

TEST_F(Stream, names_who_holds_the_slot) {
  make("CREATE TABLE t (id int PRIMARY KEY)");
  open();
  const auto ours = try_open();
  ASSERT_FALSE(ours);
  EXPECT_EQ(ours.error().code(), ErrorCode::kConflict);
  EXPECT_EQ(ours.error().retry(), base::Retry::kAfterBackoff);
  EXPECT_NE(ours.error().text().find("(flytt)"), std::string::npos);
  EXPECT_EQ(drop_slot(database.settings(), slot, test_clock(), patience()).error().code(), ErrorCode::kConflict);
  source.reset();
  wait_until_free();
  ConnectionSettings foreign = database.settings();
  foreign.application_name = "debezium";
  auto other = PostgresStreamSource::open(foreign, StreamOptions{slot, "pub"}, tables(), {}, test_clock(), patience());
  ASSERT_TRUE(other);
  const auto theirs = try_open();
  ASSERT_FALSE(theirs);
  EXPECT_EQ(theirs.error().retry(), base::Retry::kNever);
  EXPECT_NE(theirs.error().text().find("debezium"), std::string::npos);
  EXPECT_FALSE(may_adopt_slot(database.settings(), slot, test_clock(), patience(), std::chrono::milliseconds(1)));
}

TEST_F(Stream, does_not_start_where_changes_are_missing) {
  make("CREATE TABLE t (id int PRIMARY KEY)");
  const Lsn start = inspect_slot(database.settings(), slot, test_clock(), patience()).value()->confirmed_flush;
  database.sql("INSERT INTO t VALUES (1)");
  database.sql("SELECT pg_replication_slot_advance('" + slot + "', pg_current_wal_lsn())");
  const auto ahead = try_open(to_position(start));
  ASSERT_FALSE(ahead);
  EXPECT_EQ(ahead.error().code(), ErrorCode::kConflict);
  EXPECT_EQ(ahead.error().retry(), base::Retry::kAfterOperator);
  EXPECT_TRUE(may_adopt_slot(database.settings(), slot, test_clock(), patience(), std::chrono::milliseconds(1)));
  EXPECT_TRUE(drop_slot(database.settings(), slot, test_clock(), patience()).value());
  EXPECT_FALSE(drop_slot(database.settings(), slot, test_clock(), patience()).value());
  EXPECT_EQ(try_open().error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(
      may_adopt_slot(database.settings(), slot, test_clock(), patience(), std::chrono::milliseconds(1)).error().code(),
      ErrorCode::kNotFound);
}

TEST_F(Stream, ends_with_an_error_when_the_server_goes) {
  make("CREATE TABLE t (id int PRIMARY KEY)");
  open();
  database.terminate("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '" + slot + "'");
  Result<std::optional<flow::Batch>> batch = std::optional<flow::Batch>();
  for (int i = 0; i < 10 && batch; ++i) batch = source->next(patience());
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(batch.error().retry(), base::Retry::kAfterBackoff);
}

}  // namespace
}  // namespace flytt::postgres
