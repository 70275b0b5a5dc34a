#include "warehouse/internal/test_support.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <future>

#include "data/table_slice.h"
#include "warehouse/rest_json.h"
#include "wire/row_buffer.h"

namespace flytt::warehouse::test {

TemporaryFolder::TemporaryFolder() {
  const char* parent = std::getenv("TMPDIR");
  path_ = std::string(parent != nullptr ? parent : "/tmp") + "/flytt-warehouse-XXXXXX";
  CHECK(::mkdtemp(path_.data()) != nullptr);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

data::TableSchema simple_schema(bool with_key) {
  data::TableSchema schema;
  schema.fields.push_back({"id", data::TypeKind::kInt64, with_key, ""});
  schema.fields.push_back({"name", data::TypeKind::kString, false, ""});
  if (with_key) schema.key = {0};
  return schema;
}

data::Sequence sequence_of(const Row& row) {
  return row.position == 0 ? data::Sequence{} : data::Sequence::of(1, row.position, 0);
}

Encoded encode(const data::TableSchema& schema, const std::vector<Row>& rows, data::ChangeKind kind, bool changes) {
  auto slice_schema = std::make_shared<data::SliceSchema>();
  slice_schema->table = schema;
  data::TableSlice slice(slice_schema);
  for (const Row& row : rows) {
    slice.columns[0].append_int64(row.id);
    slice.columns[1].append_bytes(row.name);
    for (std::size_t c = 2; c < slice.columns.size(); ++c) slice.columns[c].append_null();
    slice.kinds.push_back(kind);
    slice.sequences.push_back(sequence_of(row));
  }
  auto encoder =
      wire::RowEncoder::make(schema, changes ? wire::ChangeColumns::kTypeAndSequence : wire::ChangeColumns::kNone);
  CHECK(encoder.has_value());
  wire::RowBuffer buffer;
  if (!rows.empty()) CHECK(*encoder->encode(slice, 0, rows.size(), std::size_t{1} << 30, buffer) == rows.size());
  return {encoder->descriptor(), std::make_shared<std::string>(buffer.view())};
}

Status append_and_wait(AppendSession& session, const std::shared_ptr<std::string>& rows) {
  auto answered = std::make_shared<std::promise<Status>>();
  std::future<Status> answer = answered->get_future();
  session.append(
      *rows, rows,
      [answered](AppendOutcome outcome) {
        if (!outcome.refused_rows.empty())
          outcome.status = Error(ErrorCode::kBadData, outcome.refused_rows.front().message);
        answered->set_value(std::move(outcome.status));
      },
      base::Deadline::never());
  return answer.get();
}

void Fixture::SetUp() {
  reopen();
  ASSERT_TRUE(warehouse_->create_dataset({{"p", "d"}}));
}

void Fixture::reopen(bool maintenance) {
  warehouse_.reset();
  WarehouseOptions options;
  options.folder = folder_.path();
  options.project = "p";
  options.maintenance = maintenance;
  options.memory_bytes_max = memory_bytes_max_;
  options.external = external_;
  auto opened = Warehouse::open(options, clock_, metrics_);
  ASSERT_TRUE(opened) << opened.error().text();
  warehouse_ = std::move(*opened);
}

void Fixture::make_mirror(const std::string& name) {
  TableInfo info;
  info.path = path(name);
  info.schema = simple_schema(true);
  const auto made = warehouse_->create_table(info);
  ASSERT_TRUE(made) << made.error().text();
}

void Fixture::make_plain(const std::string& name) {
  TableInfo info;
  info.path = path(name);
  info.schema = simple_schema(false);
  const auto made = warehouse_->create_table(info);
  ASSERT_TRUE(made) << made.error().text();
}

std::unique_ptr<AppendSession> Fixture::open(const std::string& name, bool changes) {
  const auto info = warehouse_->table(path(name));
  CHECK(info.has_value());
  auto session =
      warehouse_->open_append(path(name), encode(info->schema, {}, data::ChangeKind::kUpsert, changes).descriptor);
  CHECK(session.has_value());
  return std::move(*session);
}

Status Fixture::upsert(AppendSession& session, const std::vector<Row>& rows) {
  return append_and_wait(session, encode(simple_schema(true), rows, data::ChangeKind::kUpsert, true).rows);
}

Status Fixture::erase(AppendSession& session, const std::vector<Row>& rows) {
  return append_and_wait(session, encode(simple_schema(true), rows, data::ChangeKind::kDelete, true).rows);
}

Status Fixture::insert(AppendSession& session, const std::vector<Row>& rows) {
  return append_and_wait(session, encode(simple_schema(false), rows, data::ChangeKind::kUpsert, false).rows);
}

std::string Fixture::rows(const std::string& sql) {
  QueryOptions options;
  options.project = "p";
  auto result = warehouse_->query(sql, options);
  if (!result) return "error: " + result.error().text();
  std::string text;
  while (true) {
    auto page = (*result)->next();
    if (!page) return "error: " + page.error().text();
    if (!*page) return text;
    for (std::size_t row = 0; row < (*page)->row_count(); ++row) {
      for (std::size_t c = 0; c < (*page)->columns.size(); ++c) {
        if (c != 0) text += ',';
        const data::Column& column = (*page)->columns[c];
        if (column.is_null(row)) {
          text += "NULL";
        } else {
          std::string cell;
          append_cell_json((*result)->columns()[c].type, column, row, TimestampForm::kIso8601, cell);
          text += cell.size() >= 2 && cell.front() == '"' ? cell.substr(1, cell.size() - 2) : cell;
        }
      }
      text += ';';
    }
  }
}

}  // namespace flytt::warehouse::test
