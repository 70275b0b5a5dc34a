#include "postgres/internal/pgoutput.h"

#include <gtest/gtest.h>

#include "postgres/internal/cell_print.h"
#include "postgres/internal/message_writer.h"
#include "postgres/internal/stream_assembler.h"

namespace flytt::postgres {
namespace {

using namespace std::string_literals;

TEST(PgOutput, golden_messages) {
  PgOutputMessage m;
  std::string bytes;  // what the views in `m` point into
  ASSERT_TRUE(parse_pgoutput(bytes = "B\0\0\0\0\x01\x57\x2A\xB8\0\x02\x6D\x9B\x1F\x9F\x8C\x80\0\0\x02\xE5"s, m));
  EXPECT_EQ(format_lsn(m.final_lsn), "0/1572AB8");
  EXPECT_EQ(m.commit_micros, 0x00026D9B1F9F8C80 + 946'684'800'000'000);
  ASSERT_TRUE(
      parse_pgoutput(bytes = "C\0\0\0\0\0\x01\x57\x2A\xB8\0\0\0\0\x01\x57\x2A\xE8\0\x02\x6D\x9B\x1F\x9F\x8C\x80"s, m));
  EXPECT_EQ(format_lsn(m.end_lsn), "0/1572AE8");
  ASSERT_TRUE(parse_pgoutput(
      bytes = "R\0\0\x40\x01public\0t\0d\0\x02\x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\0v\0\0\0\0\x19\xFF\xFF\xFF\xFF"s, m));
  EXPECT_EQ(m.relation, 0x4001u);
  EXPECT_EQ(m.schema, "public");
  ASSERT_EQ(m.columns.size(), 2u);
  EXPECT_TRUE(m.columns[0].is_key);
  EXPECT_EQ(m.columns[1].type_oid, 25u);
  EXPECT_EQ(m.columns[1].modifier, -1);
  ASSERT_TRUE(parse_pgoutput(bytes = "U\0\0\x40\x01K\0\x02t\0\0\0\x01\x37nN\0\x02t\0\0\0\x01\x38u"s, m));
  EXPECT_EQ(m.old_form, 'K');
  EXPECT_EQ(m.old_cells[0].bytes, "7");
  EXPECT_EQ(m.old_cells[1].form, 'n');
  EXPECT_EQ(m.new_cells[0].bytes, "8");
  EXPECT_EQ(m.new_cells[1].form, 'u');
  ASSERT_TRUE(parse_pgoutput(bytes = "D\0\0\x40\x01O\0\1b\0\0\0\x02xy"s, m));
  EXPECT_EQ(m.old_cells[0].form, 'b');
  ASSERT_TRUE(parse_pgoutput(bytes = "T\0\0\0\x02\x01\0\0\0\x07\0\0\0\x08"s, m));
  EXPECT_EQ(m.relations, (std::vector<std::uint32_t>{7, 8}));
  ASSERT_TRUE(parse_pgoutput(bytes = "Y\0\0\0\x01x\0y\0"s, m));
}

TEST(PgOutput, every_cut_of_a_message_is_refused) {
  const std::string whole[] = {"B\0\0\0\0\x01\x57\x2A\xB8\0\x02\x6D\x9B\x1F\x9F\x8C\x80\0\0\x02\xE5"s,
                               "R\0\0\x40\x01public\0t\0d\0\x01\x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF"s,
                               "I\0\0\x40\x01N\0\x02t\0\0\0\x01\x37n"s,
                               "U\0\0\x40\x01K\0\x01t\0\0\0\x01\x37N\0\x01u"s,
                               "D\0\0\x40\x01K\0\x01t\0\0\0\x01\x37"s,
                               "T\0\0\0\x01\0\0\0\0\x07"s};
  PgOutputMessage m;
  for (const std::string& bytes : whole) {
    EXPECT_TRUE(parse_pgoutput(bytes, m));
    for (std::size_t length = 0; length < bytes.size(); ++length)
      EXPECT_FALSE(parse_pgoutput(bytes.substr(0, length), m)) << bytes[0] << " cut at " << length;
    EXPECT_FALSE(parse_pgoutput(bytes + "x", m)) << bytes[0];
  }
  EXPECT_FALSE(parse_pgoutput("S", m));
  EXPECT_FALSE(parse_pgoutput("I\0\0\0\1N\0\1t\xFF\xFF\xFF\xFF"s, m));
  EXPECT_FALSE(parse_pgoutput("I\0\0\0\1N\x7F\xFF"s, m));
}

SourceColumn column(const std::string& name, const char* type, std::uint32_t oid, bool has_default = false) {
  SourceColumn out;
  out.name = name;
  out.type.declared_oid = out.type.base.oid = oid;
  out.type.declared = type;
  out.type.base.schema = "pg_catalog";
  out.type.base.name = type;
  out.mapping = map_type(out.type);
  out.has_default = has_default;
  return out;
}

StreamTable table(const std::string& name, std::uint32_t oid) {
  StreamTable out;
  out.table.oid = oid;
  out.table.schema = "public";
  out.table.name = name;
  out.table.columns = {column("id", "int4", 23), column("v", "text", 25)};
  out.table.key = {0};
  out.schema = make_slice_schema(out.table, {"p", "d", name}, data::SchemaVersion(1));
  return out;
}

class Assembler : public ::testing::Test {
 protected:
  StreamAssembler assembler{
      {table("t", 7)},
      {},
      1,
      Lsn(100),
      true,
      [this](const SourceTable&, const std::vector<std::string>& names) -> Result<std::vector<SourceColumn>> {
        std::vector<SourceColumn> found;
        for (const SourceColumn& c : catalog)
          if (std::find(names.begin(), names.end(), c.name) != names.end()) found.push_back(c);
        return found;
      }};
  std::vector<SourceColumn> catalog;

  void apply(const std::string& message) {
    const Status status = assembler.apply(message);
    ASSERT_TRUE(status) << status.error().text();
  }
};

TEST_F(Assembler, restart_place_moves_with_commits_and_with_keepalives_outside_of_transactions) {
  EXPECT_EQ(assembler.restart(), Lsn(100));
  assembler.advance(Lsn(150));
  EXPECT_EQ(assembler.restart(), Lsn(150));
  assembler.advance(Lsn(120));
  EXPECT_EQ(assembler.restart(), Lsn(150));
  apply(begin_message(200));
  assembler.advance(Lsn(400));
  EXPECT_EQ(assembler.restart(), Lsn(150));
  apply(commit_message(200, 210));
  EXPECT_EQ(assembler.restart(), Lsn(210));
}

TEST_F(Assembler, ordinals_count_the_rows_of_all_tables) {
  apply(begin_message(200));
  apply(relation_message(7, "t", {{true, "id", 23}, {false, "v", 25}}));
  apply(relation_message(8, "other", {{true, "id", 23}}));
  apply(insert_message(8, {text("1")}));
  apply(insert_message(7, {text("1"), text("a")}));
  apply(insert_message(8, {text("2")}));
  apply(update_message(7, 'K', {text("1"), null()}, {text("2"), text("a")}));
  apply(delete_message(7, 'K', {text("2"), null()}));
  apply(commit_message(200, 210));
  auto output = assembler.take();
  ASSERT_EQ(output.slices.size(), 1u);
  const data::TableSlice& slice = output.slices[0].slice;
  std::vector<std::string> seen;
  for (std::size_t i = 0; i < slice.row_count(); ++i)
    seen.push_back(slice.sequence(i).sections() + (slice.kind(i) == data::ChangeKind::kDelete ? "-" : "+") +
                   print_cell(slice.columns[0], i));
  EXPECT_EQ(seen, (std::vector<std::string>{"1/C8/3+1", "1/C8/7-1", "1/C8/8+2", "1/C8/9-2"}));
  EXPECT_EQ(assembler.ignored_rows(), 2u);
  EXPECT_FALSE(assembler.has_output());
}

TEST_F(Assembler, large_key_in_the_old_row_is_no_key_change) {
  apply(begin_message(200));
  apply(relation_message(7, "t", {{true, "id", 23}, {false, "v", 25}}));
  // The old key is sent because it is stored out of line; the new row marks it unchanged.
  apply(update_message(7, 'K', {text("5"), null()}, {unchanged(), text("b")}));
  apply(update_message(7, 'K', {text("5"), null()}, {text("5"), text("c")}));
  auto output = assembler.take();
  const data::TableSlice& slice = output.slices.at(0).slice;
  ASSERT_EQ(slice.row_count(), 2u);
  EXPECT_EQ(print_cell(slice.columns[0], 0), "5");
  EXPECT_EQ(slice.kind(0), data::ChangeKind::kUpsert);
}

TEST_F(Assembler, rows_that_contradict_their_relation_are_corrupt) {
  apply(begin_message(200));
  EXPECT_EQ(assembler.apply(insert_message(7, {text("1"), text("a")})).error().code(), ErrorCode::kCorrupt);
  apply(relation_message(7, "t", {{true, "id", 23}, {false, "v", 25}}));
  EXPECT_EQ(assembler.apply(insert_message(7, {text("1")})).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(assembler.apply(insert_message(7, {text("x"), text("a")})).error().code(), ErrorCode::kCorrupt);
}

TEST_F(Assembler, a_new_version_begins_a_new_slice) {
  apply(begin_message(200));
  apply(relation_message(7, "t", {{true, "id", 23}, {false, "v", 25}}));
  apply(insert_message(7, {text("1"), text("a")}));
  catalog = {column("n", "int4", 23)};
  apply(relation_message(7, "t", {{true, "id", 23}, {false, "v", 25}, {false, "n", 23}}));
  apply(insert_message(7, {text("2"), text("b"), text("9")}));
  auto output = assembler.take();
  ASSERT_EQ(output.slices.size(), 2u);
  EXPECT_EQ(output.slices[0].slice.schema->version, data::SchemaVersion(1));
  EXPECT_EQ(output.slices[1].slice.schema->version, data::SchemaVersion(2));
  EXPECT_EQ(output.slices[1].slice.columns.size(), 3u);
  EXPECT_TRUE(output.events.empty());
}

// Holes that are filled without a server.
class LargeValues : public Assembler {
 protected:
  void SetUp() override {
    apply(begin_message(200));
    apply(relation_message(7, "t", {{true, "id", 23}, {false, "v", 25}}));
  }
  std::vector<std::string> fill() {
    auto output = assembler.take();
    SliceInMaking& making = output.slices.at(0);
    const auto outcome = fill_large_values(
        making,
        [&](const SourceTable&, const RowPlan&, const std::vector<std::uint32_t>& columns,
            const std::vector<const std::vector<std::string>*>& keys) -> Result<FoundValues> {
          EXPECT_EQ(columns, std::vector<std::uint32_t>{1});
          FoundValues found;
          for (const auto* key : keys) {
            asked.push_back(key->front());
            const auto at = source.find(key->front());
            found.cells.push_back(at == source.end() ? std::vector<Cell>{} : std::vector<Cell>{Cell{'t', at->second}});
          }
          return found;
        });
    EXPECT_TRUE(outcome);
    std::vector<std::string> rows;
    const data::TableSlice& slice = making.slice;
    for (std::size_t i = 0; i < slice.row_count(); ++i)
      rows.push_back((slice.kind(i) == data::ChangeKind::kDelete ? "-" : "+") + print_cell(slice.columns[0], i) + ":" +
                     print_cell(slice.columns[1], i));
    EXPECT_EQ(slice.sequences.size(), slice.row_count());
    return rows;
  }
  std::map<std::string, std::string> source;
  std::vector<std::string> asked;
};

TEST_F(LargeValues, come_from_the_newest_earlier_row_of_the_key) {
  apply(insert_message(7, {text("1"), text("one")}));
  apply(insert_message(7, {text("2"), text("two")}));
  apply(update_message(7, 0, {}, {text("1"), unchanged()}));
  apply(update_message(7, 0, {}, {text("1"), text("uno")}));
  apply(update_message(7, 0, {}, {text("1"), unchanged()}));
  EXPECT_EQ(fill(), (std::vector<std::string>{"+1:one", "+2:two", "+1:one", "+1:uno", "+1:uno"}));
  EXPECT_TRUE(asked.empty());
}

TEST_F(LargeValues, follow_a_key_that_changes) {
  apply(insert_message(7, {text("1"), text("one")}));
  apply(update_message(7, 'K', {text("1"), null()}, {text("2"), unchanged()}));
  apply(update_message(7, 'K', {text("2"), null()}, {text("3"), unchanged()}));
  EXPECT_EQ(fill(), (std::vector<std::string>{"+1:one", "-1:NULL", "+2:one", "-2:NULL", "+3:one"}));
}

TEST_F(LargeValues, are_asked_for_once_per_key_and_gone_rows_are_left_out) {
  source = {{"1", "now"}, {"9", "nine"}};
  apply(update_message(7, 0, {}, {text("1"), unchanged()}));
  apply(update_message(7, 0, {}, {text("1"), unchanged()}));
  apply(update_message(7, 0, {}, {text("2"), unchanged()}));
  apply(update_message(7, 'K', {text("2"), null()}, {text("9"), unchanged()}));
  EXPECT_EQ(fill(), (std::vector<std::string>{"+1:now", "+1:now", "-2:NULL", "+9:nine"}));
  EXPECT_EQ(asked, (std::vector<std::string>{"1", "2", "9"}));
}

TEST_F(LargeValues, after_a_delete_are_those_of_the_source) {
  source = {{"1", "now"}};
  apply(insert_message(7, {text("1"), text("old")}));
  apply(delete_message(7, 'K', {text("1"), null()}));
  apply(update_message(7, 0, {}, {text("1"), unchanged()}));
  EXPECT_EQ(fill(), (std::vector<std::string>{"+1:old", "-1:NULL", "+1:now"}));
}

TEST(LargeValueLookup, asks_by_arrays_of_the_keys_own_types) {
  StreamTable t = table("t", 7);
  t.table.key = {1, 0};
  const auto plan = make_row_plan(t.table, t.schema, {});
  EXPECT_EQ(lookup_sql(t.table, *plan, {1}),
            "SELECT keys.place, found.* FROM unnest($1::text[], $2::int4[]) WITH ORDINALITY AS keys(key_0, key_1, "
            "place) CROSS JOIN LATERAL (SELECT \"v\" FROM ONLY \"public\".\"t\" AS source_row "
            "WHERE \"v\" = keys.key_0 AND \"id\" = keys.key_1) AS found");
  const std::vector<std::string> one = {"a\"b\\", "1"}, two = {"", "2"};
  EXPECT_EQ(lookup_parameters(t.table, {&one, &two}),
            (std::vector<std::optional<std::string>>{R"({"a\"b\\",""})", R"({"1","2"})"}));
}

}  // namespace
}  // namespace flytt::postgres
