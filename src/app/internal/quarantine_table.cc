#include "app/internal/quarantine_table.h"

#include <charconv>

#include "app/internal/cells.h"
#include "bigquery/storage_channel.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kWriteMax{120};

template <typename Number>
bool parse_whole(std::string_view text, Number& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<QuarantineChoice> parse_quarantine_choice(const Config& config, const std::string& text) {
  if (text.empty()) return QuarantineChoice{};
  // A stream's name may hold a dot, and so may a topic's.
  for (auto dot = text.find('.');; dot = text.find('.', dot + 1)) {
    const std::string stream = text.substr(0, dot);
    if (config.has_stream(stream)) return QuarantineChoice{stream, dot == text.npos ? "" : text.substr(dot + 1)};
    if (dot == text.npos)
      return Error(ErrorCode::kConfig,
                   "there is no stream '" + stream + "' in " + config.path + "; use STREAM or STREAM.TABLE");
  }
}

std::vector<QuarantinePlace> quarantine_places(const Config& config, const std::string& stream) {
  std::vector<QuarantinePlace> places;
  const auto add = [&](const std::string& name, const std::string& source, const std::string& dataset) {
    if (stream.empty() || name == stream)
      places.push_back({{config.project, dataset, std::string(pipeline::kQuarantineTable)}, source, name});
  };
  for (const StreamConfig& one : config.streams) add(one.name, one.from, one.dataset);
  for (const TopicStreamConfig& one : config.topic_streams) add(one.name, one.from, one.dataset);
  return places;
}

std::string QuarantineRows::text(const bigquery::ResultRow& row, std::string_view column) const {
  const auto at = schema.find(column);
  return at && !row[*at].is_null ? cell_text(schema.fields[*at].type, row[*at]) : std::string();
}

Result<QuarantineRows> read_quarantine(OpenDestination& open, const Config& config, const QuarantinePlace& place,
                                       const std::string& columns, const std::string& table,
                                       const std::string& position, const std::string& tail) {
  bigquery::Client& client = *open.access.client;
  const auto there = client.get_table(place.path);
  if (!there && there.error().code() == ErrorCode::kNotFound) return QuarantineRows{};
  if (!there) return there.error();
  bigquery::QueryRequest request;
  request.project = config.project;
  request.location = config.destination.kind == DestinationConfig::Kind::kGoogle ? config.location : "";
  request.sql = "SELECT " + columns + " FROM `" + place.path.text() + "` WHERE source = " + sql_text(place.source);
  if (!table.empty()) request.sql += " AND `table` = " + sql_text(table);
  if (!position.empty()) request.sql += " AND position = " + sql_text(position);
  request.sql += " " + tail;
  TRY(bigquery::QueryResult result, client.query(request));
  QuarantineRows entries;
  entries.schema = result.schema();
  for (;;) {
    TRY(auto rows, result.next_page());
    if (rows.empty()) return entries;
    std::move(rows.begin(), rows.end(), std::back_inserter(entries.rows));
  }
}

Status open_for_rows(Session& session, OpenDestination& open) {
  if (open.access.channel) return ok();
  TRY(const auto running, find_running(session.config.lock_folder()));
  if (!running || running->grpc.empty())
    return Error(ErrorCode::kConflict,
                 "the process that holds the warehouse takes no rows; stop it, or give it 'listen.grpc'");
  TRY(open.access.channel, bigquery::make_storage_channel(running->grpc));
  return ok();
}

bool parse_message_position(const std::string& position, std::string& topic, std::int32_t& partition,
                            std::int64_t& offset) {
  const auto second = position.rfind('/');
  const auto first = second == 0 || second == position.npos ? position.npos : position.rfind('/', second - 1);
  if (first == position.npos) return false;
  topic = position.substr(0, first);
  const std::string_view text(position);
  return parse_whole(text.substr(first + 1, second - first - 1), partition) &&
         parse_whole(text.substr(second + 1), offset);
}

data::TableSlice quarantine_deletes(const QuarantinePlace& place, const QuarantineRows& entries) {
  auto schema = std::make_shared<const data::SliceSchema>(
      data::SliceSchema{std::string(pipeline::kQuarantineTable), data::SchemaVersion(1),
                        pipeline::Quarantine::table_schema(), place.path});
  data::TableSlice slice(schema);
  for (const bigquery::ResultRow& row : entries.rows) {
    for (std::uint32_t i = 0; i < slice.columns.size(); ++i) {
      if (schema->table.is_key(i))
        slice.columns[i].append_bytes(entries.text(row, schema->table.fields[i].name));
      else
        slice.columns[i].append_null();
    }
    slice.kinds.push_back(data::ChangeKind::kDelete);
    const std::string position = entries.text(row, "position");
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    const bool is_message = parse_message_position(position, topic, partition, offset);
    const auto sequence = data::Sequence::parse_sections(position);
    // A database's entry has its own sequence; one of a message is at ordinal 0 of its offset.
    slice.sequences.push_back(sequence     ? *sequence
                              : is_message ? data::Sequence::of(1, static_cast<std::uint64_t>(offset), 1)
                                           : data::Sequence{});
  }
  return slice;
}

Result<std::vector<pipeline::RefusedRow>> write_rows(Session& session, OpenDestination& open,
                                                     std::vector<data::TableSlice> slices,
                                                     const std::string& write_stream,
                                                     const data::TablePath& lane_table) {
  BigQueryDestination destination({open.access, session.clock, session.metrics, session.config.location});
  TRY(const auto sink, destination.open_sink());
  if (!write_stream.empty()) sink->open_lane(0, lane_table, write_stream);
  flow::Batch batch;
  batch.tables = std::move(slices);
  const base::Deadline deadline = session.clock.in(kWriteMax);
  TRY_STATUS(sink->submit(batch, deadline));
  std::vector<pipeline::RefusedRow> refused;
  for (;;) {
    TRY(const auto receipts, sink->collect(deadline));
    for (pipeline::LostLane& lost : sink->take_lost()) return std::move(lost.error);
    for (pipeline::TableFailure& failure : sink->take_failures()) return std::move(failure.error);
    for (pipeline::RefusedRow& row : sink->take_refused()) {
      sink->resolve(row.batch);
      refused.push_back(std::move(row));
    }
    if (!receipts.empty()) return refused;
    if (session.clock.is_past(deadline))
      return Error(ErrorCode::kTimeout, "the destination does not answer").side(base::Side::kSink);
  }
}

}  // namespace flytt::app
