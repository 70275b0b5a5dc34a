// flytt quarantine list | show | retry | drop: rows that could not be written, with position and reason.

#include <cstdio>

#include "app/commands.h"
#include "app/internal/cells.h"
#include "app/internal/quarantine_retry.h"
#include "app/internal/quarantine_table.h"
#include "app/output.h"
#include "base/log.h"

namespace flytt::app {

namespace {

std::string row_json(const QuarantineRows& entries, const bigquery::ResultRow& row) {
  std::string out = "{";
  for (std::size_t i = 0; i < entries.schema.fields.size(); ++i)
    out += (i == 0 ? "" : ",") + base::json_quote(entries.schema.fields[i].name) + ":" +
           cell_json(entries.schema.fields[i].type, row[i]);
  return out + "}";
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Result<int> list(Session& session, const QuarantineOptions& options, bool as_json) {
  TRY(const QuarantineChoice choice, parse_quarantine_choice(session.config, options.what));
  TRY(const auto open, open_destination_to_ask(session));
  TextTable table({"source", "table", "position", "column", "key", "reason", "set aside at"});
  std::string json;
  for (const QuarantinePlace& place : quarantine_places(session.config, choice.stream)) {
    TRY(const QuarantineRows entries,
        read_quarantine(*open, session.config, place,
                        "source, `table`, position, `column`, key, reason, error_code, time, raw_size, attempts",
                        choice.table, "", "ORDER BY time DESC, position LIMIT " + std::to_string(options.limit)));
    for (const bigquery::ResultRow& row : entries.rows) {
      json += (json.empty() ? "" : ",\n") + row_json(entries, row);
      std::vector<std::string> cells;
      for (const char* column : {"source", "table", "position", "column", "key", "reason", "time"})
        cells.push_back(entries.text(row, column));
      table.add(std::move(cells));
    }
  }
  if (as_json)
    print("{\"entries\":[" + json + "]}\n");
  else
    print(table.size() == 0 ? "Nothing is set aside.\n" : table.text());
  return kExitDone;
}

Result<int> show(Session& session, const QuarantineOptions& options) {
  TRY(const auto open, open_destination_to_ask(session));
  bool is_found = false;
  for (const QuarantinePlace& place : quarantine_places(session.config, "")) {
    TRY(const QuarantineRows entries,
        read_quarantine(*open, session.config, place, "*", "", options.what, "ORDER BY `table`, `column`"));
    for (const bigquery::ResultRow& row : entries.rows) print(row_json(entries, row) + "\n");
    is_found |= !entries.rows.empty();
  }
  if (!is_found) return Error(ErrorCode::kNotFound, "no entry has this position; `flytt quarantine list` shows them");
  return kExitDone;
}

Result<int> drop(Session& session, const QuarantineOptions& options) {
  TRY(const QuarantineChoice choice, parse_quarantine_choice(session.config, options.what));
  TRY(const auto open, open_destination_to_ask(session));
  TRY_STATUS(open_for_rows(session, *open));
  std::int64_t dropped = 0;
  for (const QuarantinePlace& place : quarantine_places(session.config, choice.stream)) {
    TRY(const std::int64_t gone, drop_quarantine(session, *open, place, choice.table, options.position));
    dropped += gone;
  }
  print(human_count(dropped) + (dropped == 1 ? " entry dropped\n" : " entries dropped\n"));
  return kExitDone;
}

Result<int> retry(Session& session, const QuarantineOptions& options) {
  TRY(const RetryCounts counts, retry_quarantine(session, options));
  for (const RetryCounts::Copied& one : counts.copied)
    print(one.table +
          (one.is_now ? " is copied again while its stream runs" : " will be copied again by the next `flytt run`") +
          "; of " + human_count(one.entries) + (one.entries == 1 ? " entry" : " entries") +
          " those come back that still cannot be written\n");
  if (counts.copied.empty() || counts.written + counts.remaining != 0)
    print(human_count(counts.written) + " written, " + human_count(counts.remaining) + " cannot be rows yet\n");
  if (counts.not_kept != 0)
    print(human_count(counts.not_kept) + " cannot be tried: the message itself was not kept whole, or is too old\n");
  return counts.remaining + counts.not_kept == 0 ? kExitDone : kExitFindings;
}

Result<int> run(const CommonOptions& common, const QuarantineOptions& options) {
  base::set_log(base::LogLevel::kError, base::LogFormat::kText);
  TRY(const auto session, open_session_with_project(common));
  if (options.action == "show") return show(*session, options);
  if (options.action == "drop") return drop(*session, options);
  if (options.action == "retry") return retry(*session, options);
  return list(*session, options, common.json);
}

}  // namespace

int run_quarantine(const CommonOptions& common, const QuarantineOptions& options) {
  const auto done = run(common, options);
  return done ? *done : report(done.error());
}

}  // namespace flytt::app
