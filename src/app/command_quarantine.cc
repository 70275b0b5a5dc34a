// flytt quarantine list | show | drop: rows that could not be written, with position and reason.

#include <cstdio>
#include <set>

#include "app/commands.h"
#include "app/internal/cells.h"
#include "app/internal/destination.h"
#include "app/internal/session.h"
#include "app/output.h"
#include "base/log.h"
#include "bigquery/storage_channel.h"
#include "pipeline/quarantine.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kDropMax{60};

// STREAM or STREAM.TABLE, as the source names its table or topic; empty: everything.
struct Chosen {
  std::string stream, table;
};

struct Place {
  data::TablePath quarantine;
  std::string source;  // under whose name its entries were made
};

Result<Chosen> parse_choice(const Config& config, const std::string& text) {
  if (text.empty()) return Chosen{};
  // A stream's name may hold a dot, and so may a topic's.
  for (auto dot = text.find('.');; dot = text.find('.', dot + 1)) {
    const std::string stream = text.substr(0, dot);
    if (config.has_stream(stream)) return Chosen{stream, dot == text.npos ? "" : text.substr(dot + 1)};
    if (dot == text.npos)
      return Error(ErrorCode::kConfig,
                   "unknown stream in '" + text + "'; use STREAM or STREAM.TABLE, as in " + config.path);
  }
}

std::vector<Place> places_of(const Config& config, const std::string& stream) {
  std::vector<Place> places;
  const auto add = [&](const std::string& name, const std::string& source, const std::string& dataset) {
    if (stream.empty() || name == stream)
      places.push_back({{config.project, dataset, std::string(pipeline::kQuarantineTable)}, source});
  };
  for (const StreamConfig& one : config.streams) add(one.name, one.from, one.dataset);
  for (const TopicStreamConfig& one : config.topic_streams) add(one.name, one.from, one.dataset);
  return places;
}

std::string where(const Place& place, const Chosen& chosen, const std::string& position) {
  std::string sql = " WHERE source = " + sql_text(place.source);
  if (!chosen.table.empty()) sql += " AND `table` = " + sql_text(chosen.table);
  if (!position.empty()) sql += " AND position = " + sql_text(position);
  return sql;
}

struct Entries {
  data::TableSchema schema;
  std::vector<bigquery::ResultRow> rows;
};

// Nothing when the dataset has no quarantine: nothing was ever set aside there.
Result<Entries> ask(bigquery::Client& client, const Config& config, const Place& place, const std::string& sql) {
  const auto there = client.get_table(place.quarantine);
  if (!there && there.error().code() == ErrorCode::kNotFound) return Entries{};
  if (!there) return there.error();
  bigquery::QueryRequest request;
  request.project = config.project;
  request.location = config.destination.kind == DestinationConfig::Kind::kGoogle ? config.location : "";
  request.sql = sql;
  TRY(bigquery::QueryResult result, client.query(request));
  Entries entries;
  entries.schema = result.schema();
  for (;;) {
    TRY(auto rows, result.next_page());
    if (rows.empty()) return entries;
    std::move(rows.begin(), rows.end(), std::back_inserter(entries.rows));
  }
}

std::string row_json(const data::TableSchema& schema, const bigquery::ResultRow& row) {
  std::string out = "{";
  for (std::size_t i = 0; i < schema.fields.size(); ++i)
    out +=
        (i == 0 ? "" : ",") + base::json_quote(schema.fields[i].name) + ":" + cell_json(schema.fields[i].type, row[i]);
  return out + "}";
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Result<int> list(Session& session, const QuarantineOptions& options, bool as_json) {
  TRY(const Chosen chosen, parse_choice(session.config, options.what));
  TRY(const auto open, open_destination_to_ask(session));
  TextTable table({"source", "table", "position", "column", "key", "reason", "set aside at"});
  std::string json;
  for (const Place& place : places_of(session.config, chosen.stream)) {
    TRY(const Entries entries,
        ask(*open->access.client, session.config, place,
            "SELECT source, `table`, position, `column`, key, reason, error_code, time, raw_size, attempts FROM `" +
                place.quarantine.text() + "`" + where(place, chosen, "") + " ORDER BY time DESC, position LIMIT " +
                std::to_string(options.limit)));
    for (const bigquery::ResultRow& row : entries.rows) {
      json += (json.empty() ? "" : ",\n") + row_json(entries.schema, row);
      const auto text = [&](std::size_t i) { return cell_text(entries.schema.fields[i].type, row[i]); };
      table.add({text(0), text(1), text(2), text(3), text(4), text(5), text(7)});
    }
  }
  if (as_json)
    print("{\"entries\":[" + json + "]}\n");
  else if (table.size() == 0)
    print("Nothing is set aside.\n");
  else
    print(table.text());
  return kExitDone;
}

Result<int> show(Session& session, const QuarantineOptions& options) {
  TRY(const auto open, open_destination_to_ask(session));
  bool is_found = false;
  for (const Place& place : places_of(session.config, "")) {
    TRY(const Entries entries, ask(*open->access.client, session.config, place,
                                   "SELECT * FROM `" + place.quarantine.text() + "`" + where(place, {}, options.what) +
                                       " ORDER BY `table`, `column`"));
    for (const bigquery::ResultRow& row : entries.rows) {
      print(row_json(entries.schema, row) + "\n");
      is_found = true;
    }
  }
  if (!is_found) return Error(ErrorCode::kNotFound, "no entry has this position; `flytt quarantine list` shows them");
  return kExitDone;
}

// The way to write into the destination, also while another process serves it.
Status open_writer(Session& session, OpenDestination& open) {
  if (open.access.channel) return ok();
  TRY(const auto running, find_running(session.config.lock_folder()));
  if (!running || running->grpc.empty())
    return Error(ErrorCode::kConflict,
                 "the process that holds the warehouse takes no rows; stop it, or give it "
                 "'listen.grpc'");
  TRY(open.access.channel, bigquery::make_storage_channel(running->grpc));
  return ok();
}

// An entry is a row of a table with a key: it is taken away by a DELETE with its own sequence, which comes later.
data::TableSlice deletes(const Place& place, const Entries& entries) {
  auto schema = std::make_shared<const data::SliceSchema>(
      data::SliceSchema{std::string(pipeline::kQuarantineTable), data::SchemaVersion(1),
                        pipeline::Quarantine::table_schema(), place.quarantine});
  data::TableSlice slice(schema);
  for (const bigquery::ResultRow& row : entries.rows) {
    for (std::uint32_t i = 0; i < slice.columns.size(); ++i) {
      const auto at = entries.schema.find(schema->table.fields[i].name);
      if (at && schema->table.is_key(i))
        slice.columns[i].append_bytes(row[*at].text);
      else
        slice.columns[i].append_null();
    }
    slice.kinds.push_back(data::ChangeKind::kDelete);
    slice.sequences.push_back(
        data::Sequence::parse_sections(row[*entries.schema.find("position")].text).value_or(data::Sequence{}));
  }
  return slice;
}

Status write(Session& session, OpenDestination& open, data::TableSlice slice) {
  BigQueryDestination destination({open.access, session.clock, session.metrics, session.config.location});
  TRY(const auto sink, destination.open_sink());
  flow::Batch batch;
  batch.tables.push_back(std::move(slice));
  const base::Deadline deadline = session.clock.in(kDropMax);
  TRY_STATUS(sink->submit(batch, deadline));
  for (;;) {
    TRY(const auto receipts, sink->collect(deadline));
    for (const pipeline::TableFailure& failure : sink->take_failures()) return failure.error;
    if (!receipts.empty()) return ok();
    if (session.clock.is_past(deadline))
      return Error(ErrorCode::kTimeout, "the destination does not answer").side(base::Side::kSink);
  }
}

Result<int> drop(Session& session, const QuarantineOptions& options) {
  TRY(const Chosen chosen, parse_choice(session.config, options.what));
  TRY(const auto open, open_destination_to_ask(session));
  TRY_STATUS(open_writer(session, *open));
  std::int64_t dropped = 0;
  for (const Place& place : places_of(session.config, chosen.stream)) {
    TRY(const Entries entries, ask(*open->access.client, session.config, place,
                                   "SELECT source, `table`, position, `column`, key FROM `" + place.quarantine.text() +
                                       "`" + where(place, chosen, options.position)));
    if (entries.rows.empty()) continue;
    TRY_STATUS(write(session, *open, deletes(place, entries)));
    dropped += static_cast<std::int64_t>(entries.rows.size());
  }
  std::printf("%s %s dropped\n", human_count(dropped).c_str(), dropped == 1 ? "entry" : "entries");
  return kExitDone;
}

Result<int> run(const CommonOptions& common, const QuarantineOptions& options) {
  base::set_log(base::LogLevel::kError, base::LogFormat::kText);
  TRY(const auto session, open_session(common));
  if (options.action == "show") return show(*session, options);
  if (options.action == "drop") return drop(*session, options);
  return list(*session, options, common.json);
}

}  // namespace

int run_quarantine(const CommonOptions& common, const QuarantineOptions& options) {
  const auto done = run(common, options);
  return done ? *done : report(done.error());
}

}  // namespace flytt::app
