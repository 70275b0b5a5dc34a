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

// BYTES in REST's form: RFC 4648 with padding.
std::string from_base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const auto digit = kAlphabet.find(c);
    if (digit == kAlphabet.npos) break;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held);
  }
  return out;
}

std::int64_t number_or_zero(const std::string& text) {
  std::int64_t value = 0;
  return parse_whole(text, value) ? value : 0;
}

std::shared_ptr<const data::SliceSchema> schema_of(const QuarantinePlace& place) {
  return std::make_shared<const data::SliceSchema>(data::SliceSchema{std::string(pipeline::kQuarantineTable),
                                                                     data::SchemaVersion(1),
                                                                     pipeline::Quarantine::table_schema(), place.path});
}

// After the entry and all that became of it. A database's entry has its own sequence; one of a message begins at that of
// its row, and each try is one more.
data::Sequence next_sequence(const QuarantineRows& entries, const bigquery::ResultRow& row) {
  const std::string position = entries.text(row, "position");
  if (const auto sequence = data::Sequence::parse_sections(position)) return *sequence;
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  if (!parse_message_position(position, topic, partition, offset)) return data::Sequence{};
  const std::int64_t tries = number_or_zero(entries.text(row, "attempts"));
  const data::Sequence made = message_sequence(entries, row, offset);
  return data::Sequence::of(made.epoch(), made.position(), made.ordinal() + static_cast<std::uint32_t>(tries) + 1);
}

void append_delete(const QuarantineRows& entries, const bigquery::ResultRow& row, data::TableSlice& slice) {
  const data::TableSchema& table = slice.schema->table;
  for (std::uint32_t i = 0; i < slice.columns.size(); ++i) {
    if (table.is_key(i))
      slice.columns[i].append_bytes(entries.text(row, table.fields[i].name));
    else if (table.fields[i].type.is(data::TypeKind::kArray))
      slice.columns[i].close_list();
    else
      slice.columns[i].append_null();
  }
  slice.kinds.push_back(data::ChangeKind::kDelete);
  slice.sequences.push_back(next_sequence(entries, row));
}

void append_micros(const QuarantineRows& entries, const bigquery::ResultRow& row, std::string_view column,
                   data::Column& out) {
  std::int64_t micros = 0;
  parse_whole(entries.text(row, column), micros) ? out.append_int64(micros) : out.append_null();
}

void append_headers(const QuarantineRows& entries, const bigquery::ResultRow& row, data::Column& out) {
  data::Column& pairs = out.children().front();
  for (const auto& [key, value] : message_headers(entries, row)) {
    pairs.children()[0].append_bytes(key);
    value ? pairs.children()[1].append_bytes(*value) : pairs.children()[1].append_null();
    pairs.close_struct();
  }
  out.close_list();
}

void append_again(const QuarantineRows& entries, const bigquery::ResultRow& row, const data::Rejection& now,
                  data::TableSlice& slice) {
  const data::TableSchema& table = slice.schema->table;
  for (std::size_t i = 0; i < slice.columns.size(); ++i) {
    const std::string& name = table.fields[i].name;
    data::Column& column = slice.columns[i];
    const auto at = entries.schema.find(name);
    if (name == "attempts")
      column.append_int64(number_or_zero(entries.text(row, name)) + 1);
    else if (name == "column")
      column.append_bytes(now.column);
    else if (name == "reason")
      column.append_bytes(now.reason);
    else if (name == "time")
      append_micros(entries, row, "micros", column);
    else if (name == "message_time")
      append_micros(entries, row, "message_micros", column);
    else if (name == "message_headers")
      append_headers(entries, row, column);
    else if (!at || row[*at].is_null)
      column.append_null();
    else if (table.fields[i].type.is(data::TypeKind::kInt64))
      column.append_int64(number_or_zero(row[*at].text));
    else
      column.append_bytes(row[*at].text);
  }
  slice.kinds.push_back(data::ChangeKind::kUpsert);
  slice.sequences.push_back(next_sequence(entries, row));
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
  QuarantineRows all;
  TRY_STATUS(read_quarantine_pages(open, config, place, columns, table, position, tail, [&](QuarantineRows page) {
    all.schema = std::move(page.schema);
    std::move(page.rows.begin(), page.rows.end(), std::back_inserter(all.rows));
    return ok();
  }));
  return all;
}

Status read_quarantine_pages(OpenDestination& open, const Config& config, const QuarantinePlace& place,
                             const std::string& columns, const std::string& table, const std::string& position,
                             const std::string& tail, const std::function<Status(QuarantineRows)>& use) {
  bigquery::Client& client = *open.access.client;
  const auto there = client.get_table(place.path);
  if (!there && there.error().code() == ErrorCode::kNotFound) return ok();
  if (!there) return there.error();
  bigquery::QueryRequest request;
  request.project = config.project;
  request.location = config.destination.kind == DestinationConfig::Kind::kGoogle ? config.location : "";
  const bool has_sequence = there->schema.find("sequence").has_value();
  request.sql = "SELECT " + columns + (columns == kEntryPlace && has_sequence ? ", sequence" : "") + " FROM `" +
                place.path.text() + "` WHERE source = " + sql_text(place.source);
  if (!table.empty()) request.sql += " AND `table` = " + sql_text(table);
  if (!position.empty()) request.sql += " AND position = " + sql_text(position);
  request.sql += " " + tail;
  TRY(bigquery::QueryResult result, client.query(request));
  for (;;) {
    TRY(auto rows, result.next_page());
    if (rows.empty()) return ok();
    TRY_STATUS(use({result.schema(), std::move(rows)}));
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
  data::TableSlice slice(schema_of(place));
  for (const bigquery::ResultRow& row : entries.rows) append_delete(entries, row, slice);
  return slice;
}

data::TableSlice quarantine_again(const QuarantinePlace& place, const QuarantineRows& entries,
                                  const std::map<std::string, data::Rejection>& failed) {
  data::TableSlice slice(schema_of(place));
  for (const bigquery::ResultRow& row : entries.rows) {
    const auto found = failed.find(entries.text(row, "position"));
    if (found == failed.end()) continue;
    // The column is part of the key: an entry that fails for another one is another row.
    if (entries.text(row, "column") != found->second.column) append_delete(entries, row, slice);
    append_again(entries, row, found->second, slice);
  }
  return slice;
}

data::Sequence message_sequence(const QuarantineRows& entries, const bigquery::ResultRow& row, std::int64_t offset) {
  const auto kept = data::Sequence::parse_sections(entries.text(row, "sequence"));
  return kept.value_or(data::Sequence::of(1, static_cast<std::uint64_t>(offset), 0));
}

std::vector<std::pair<std::string, std::optional<std::string>>> message_headers(const QuarantineRows& entries,
                                                                                const bigquery::ResultRow& row) {
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  const auto at = entries.schema.find("message_headers");
  if (!at) return headers;
  for (const bigquery::Cell& pair : row[*at].children) {
    const bigquery::Cell& value = pair.children[1];
    headers.emplace_back(pair.children[0].text, value.is_null ? std::nullopt : std::optional(from_base64(value.text)));
  }
  return headers;
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

Result<std::int64_t> drop_quarantine(Session& session, OpenDestination& open, const QuarantinePlace& place,
                                     const std::string& table, const std::string& position) {
  std::int64_t dropped = 0;
  TRY_STATUS(read_quarantine_pages(
      open, session.config, place, kEntryPlace, table, position, "", [&](const QuarantineRows& page) -> Status {
        TRY([[maybe_unused]] const auto refused, write_rows(session, open, {quarantine_deletes(place, page)}));
        dropped += static_cast<std::int64_t>(page.rows.size());
        return ok();
      }));
  return dropped;
}

}  // namespace flytt::app
