#include "app/internal/destination_adapter.h"

#include <cstdlib>

#include "base/log.h"
#include "data/civil.h"

namespace flytt::app {

namespace {

pipeline::TableFacts facts_of(const bigquery::TableInfo& table) {
  return {table.schema, table.created_ms * 1000, table.row_count == 0 && !table.has_streaming_buffer};
}

// The sink's own words for refused rows and failed tables, handed on in the pipeline's.
class AdaptedSink final : public pipeline::TableSink {
 public:
  explicit AdaptedSink(std::unique_ptr<bigquery::StorageWriteSink> sink) : sink_(std::move(sink)) {}

  Status submit(flow::Batch& batch, base::Deadline deadline) override { return sink_->submit(batch, deadline); }
  Result<std::vector<flow::Receipt>> collect(base::Deadline deadline) override { return sink_->collect(deadline); }
  std::vector<pipeline::RefusedRow> take_refused() override {
    std::vector<pipeline::RefusedRow> out;
    for (bigquery::RefusedRow& row : sink_->take_refused())
      out.push_back({row.batch, std::move(row.schema), std::move(row.rejection)});
    return out;
  }
  std::vector<pipeline::TableFailure> take_failures() override {
    std::vector<pipeline::TableFailure> out;
    for (bigquery::TableFailure& failure : sink_->take_failures())
      out.push_back({std::move(failure.table), std::move(failure.error)});
    return out;
  }
  void resolve(flow::BatchSequence batch) override { sink_->resolve(batch); }
  void drop_table(const data::TablePath& table) override { sink_->drop_table(table); }
  void open_lane(std::uint32_t lane, const data::TablePath& table, const std::string& write_stream) override {
    sink_->open_lane(lane, table, write_stream);
  }
  void close_lane(std::uint32_t lane) override { sink_->close_lane(lane); }
  std::vector<pipeline::LostLane> take_lost() override {
    std::vector<pipeline::LostLane> out;
    for (bigquery::LostLane& lost : sink_->take_lost()) out.push_back({lost.lane, std::move(lost.error)});
    return out;
  }

 private:
  std::unique_ptr<bigquery::StorageWriteSink> sink_;
};

}  // namespace

std::string sql_text(const std::string& value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

constexpr int kAlterAttemptsMax = 50;  // of a table that others alter, too
constexpr std::int64_t kLaneNotesSeconds = 31LL * 24 * 3600;

data::TablePath lanes_table_of(const pipeline::LaneKey& lane) {
  return {lane.table.project, lane.table.dataset, std::string(pipeline::kLanesTable)};
}

std::string staleness_text(std::int64_t millis) {
  return millis == 0 ? std::string() : data::format_interval({0, 0, millis * 1000});
}

Status BigQueryDestination::ensure_dataset(const std::string& project, const std::string& dataset) {
  const auto found = client().get_dataset(project, dataset);
  if (found) return ok();
  if (found.error().code() != ErrorCode::kNotFound) return found.error();
  bigquery::DatasetInfo wanted;
  wanted.project = project;
  wanted.dataset = dataset;
  wanted.location = parts_.location;
  auto made = client().insert_dataset(wanted);
  if (!made && made.error().code() != ErrorCode::kConflict) return std::move(made).error();
  return ok();
}

Result<std::optional<pipeline::TableFacts>> BigQueryDestination::table(const data::TablePath& path) {
  auto found = client().get_table(path);
  if (found) return std::optional(facts_of(*found));
  if (found.error().code() == ErrorCode::kNotFound) return std::optional<pipeline::TableFacts>();
  return std::move(found).error();
}

Result<pipeline::TableFacts> BigQueryDestination::create_table(const data::SliceSchema& schema) {
  bigquery::TableInfo wanted;
  wanted.path = schema.destination;
  wanted.schema = schema.table;
  wanted.max_staleness = staleness_text(parts_.max_staleness_ms);
  TRY(const auto made, client().insert_table(wanted));
  return facts_of(made);
}

Result<pipeline::TableFacts> BigQueryDestination::replace_table(const data::SliceSchema& schema) {
  TRY_STATUS(client().delete_table(schema.destination));
  return create_table(schema);
}

Status BigQueryDestination::add_columns(const data::TablePath& path, const std::vector<data::Field>& fields) {
  // Several processes may add columns to one table at the same moment: of those who looked at it together one is let
  // through each time, and the others look again.
  for (int attempt = 1;; ++attempt) {
    TRY(bigquery::TableInfo table, client().get_table(path));
    bool changed = false;
    for (const data::Field& field : fields) {
      const auto index = table.schema.find(field.name);
      if (!index) {
        table.schema.fields.push_back(field);
        changed = true;
      } else if (!(table.schema.fields[*index].type == field.type)) {
        return Error(ErrorCode::kSchema, "column '" + field.name + "' of " + path.text() + " is " +
                                             table.schema.fields[*index].type.sql_name() +
                                             " at the destination and would have to be " + field.type.sql_name())
            .side(base::Side::kSink);
      }
    }
    if (!changed) return ok();
    auto patched = client().patch_table(table);
    if (patched) return ok();
    if (patched.error().code() != ErrorCode::kConflict) return std::move(patched).error();
    if (attempt == kAlterAttemptsMax) return std::move(patched).error().retry(base::Retry::kAfterBackoff);
  }
}

Result<std::unique_ptr<pipeline::TableSink>> BigQueryDestination::open_sink() {
  bigquery::StorageWriteOptions options;
  if (parts_.window_bytes > 0) options.window_bytes = parts_.window_bytes;
  auto sink = bigquery::StorageWriteSink::make(
      {parts_.access.channel, *parts_.access.credentials, parts_.clock, *parts_.access.random, parts_.metrics},
      options);
  return std::unique_ptr<pipeline::TableSink>(std::make_unique<AdaptedSink>(std::move(sink)));
}

Result<std::string> BigQueryDestination::create_write_stream(const data::TablePath& path) {
  TRY(auto made, streams_.create(path, bigquery::WriteStreamKind::kCommitted));
  return std::move(made.name);
}

Status BigQueryDestination::finalize_write_stream(const std::string& name) {
  const auto done = streams_.finalize(name);
  if (!done && done.error().code() != ErrorCode::kNotFound) return done.error();
  return ok();
}

// Runs of consecutive offsets, so that the answer is short even when all of a partition is asked about.
Result<std::vector<pipeline::OffsetRange>> BigQueryDestination::held_offsets(const data::TablePath& path,
                                                                             const std::string& topic,
                                                                             std::int32_t partition,
                                                                             std::int64_t from) {
  bigquery::QueryRequest request;
  request.project = path.project;
  request.location = parts_.location;
  request.sql =
      "SELECT MIN(place), MAX(place) FROM (SELECT place, place - ROW_NUMBER() OVER (ORDER BY place) AS run FROM ("
      "SELECT DISTINCT _kafka_offset AS place FROM `" +
      path.text() + "` WHERE _kafka_topic = " + sql_text(topic) +
      " AND _kafka_partition = " + std::to_string(partition) + " AND _kafka_offset >= " + std::to_string(from) +
      ")) GROUP BY run ORDER BY 1";
  TRY(bigquery::QueryResult result, client().query(request));
  std::vector<pipeline::OffsetRange> ranges;
  for (;;) {
    TRY(const auto rows, result.next_page());
    if (rows.empty()) return ranges;
    for (const bigquery::ResultRow& row : rows) {
      if (row.size() != 2 || row[0].is_null || row[1].is_null)
        return Error(ErrorCode::kCorrupt, "BigQuery's answer about offsets in " + path.text() + " cannot be read")
            .side(base::Side::kSink);
      ranges.push_back(
          {std::strtoll(row[0].text.c_str(), nullptr, 10), std::strtoll(row[1].text.c_str(), nullptr, 10)});
    }
  }
}

// Held locked while the table is made, so that a hundred lanes ask once.
Status BigQueryDestination::make_lanes_table(const data::TablePath& path) {
  std::lock_guard lock(mutex_);
  if (lanes_tables_.contains(path)) return ok();
  using data::TypeKind;
  bigquery::TableInfo wanted;
  wanted.path = path;
  wanted.schema.fields = {{"table", TypeKind::kString, true, "table that the lane's rows are in"},
                          {"topic", TypeKind::kString, true, "topic of the lane"},
                          {"partition", TypeKind::kInt64, true, "its partition"},
                          {"write_stream", TypeKind::kString, true, "write stream that a process made for it"},
                          {"time", TypeKind::kTimestamp, true, "when"}};
  const auto made = client().insert_table(wanted);
  if (!made && made.error().code() != ErrorCode::kConflict) return made.error();
  lanes_tables_.insert(path);
  return ok();
}

Status BigQueryDestination::note_write_stream(const pipeline::LaneKey& lane, const std::string& name) {
  const data::TablePath path = lanes_table_of(lane);
  TRY_STATUS(make_lanes_table(path));
  const auto now = parts_.clock.wall_micros();
  const std::string row =
      "{\"table\":" + base::json_quote(lane.table.table) + ",\"topic\":" + base::json_quote(lane.topic) +
      ",\"partition\":" + std::to_string(lane.partition) + ",\"write_stream\":" + base::json_quote(name) +
      ",\"time\":" + std::to_string(now / 1'000'000) + "}";
  const Status noted = client().insert_row(path, row);
  if (noted || noted.error().code() != ErrorCode::kNotFound) return noted;
  // A table that was just made is not known everywhere at once; one that was dropped is made again.
  std::lock_guard lock(mutex_);
  lanes_tables_.erase(path);
  return Error(ErrorCode::kUnavailable, "table " + path.text() + " is not there yet").side(base::Side::kSink);
}

Result<std::vector<std::string>> BigQueryDestination::noted_write_streams(const pipeline::LaneKey& lane) {
  bigquery::QueryRequest request;
  request.project = lane.table.project;
  request.location = parts_.location;
  request.sql = "SELECT DISTINCT write_stream FROM `" + lanes_table_of(lane).text() +
                "` WHERE `table` = " + sql_text(lane.table.table) + " AND topic = " + sql_text(lane.topic) +
                " AND `partition` = " + std::to_string(lane.partition) + " AND UNIX_SECONDS(time) > " +
                std::to_string(parts_.clock.wall_micros() / 1'000'000 - kLaneNotesSeconds);
  std::vector<std::string> names;
  auto result = client().query(request);
  if (!result && result.error().code() == ErrorCode::kNotFound) return names;
  if (!result) return std::move(result).error();
  for (;;) {
    TRY(const auto rows, result->next_page());
    if (rows.empty()) return names;
    for (const bigquery::ResultRow& row : rows) names.push_back(row.front().text);
  }
}

}  // namespace flytt::app
