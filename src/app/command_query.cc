#include <cstdio>

#include "app/commands.h"
#include "app/internal/cells.h"
#include "app/internal/destination.h"
#include "app/internal/session.h"
#include "app/output.h"
#include "base/log.h"

namespace flytt::app {

namespace {

// Prints page by page, except for a table, which needs the widths of all rows first.
class Printer {
 public:
  Printer(const data::TableSchema& schema, const std::string& format)
      : schema_(schema), format_(format), table_(names(schema), numbers(schema)) {
    if (format_ == "csv") print(csv_line(names(schema)));
    if (format_ == "json") print("[");
  }

  void row(const bigquery::ResultRow& row) {
    if (format_ == "json") return json_row(row);
    std::vector<std::string> cells;
    std::vector<bool> nulls;
    for (std::size_t i = 0; i < schema_.fields.size(); ++i) {
      const bool is_null = row[i].is_null && !schema_.fields[i].type.is(data::TypeKind::kArray);
      nulls.push_back(is_null);
      cells.push_back(is_null && format_ == "table" ? "NULL" : cell_text(schema_.fields[i].type, row[i]));
    }
    if (format_ == "csv")
      print(csv_line(cells, nulls));
    else
      table_.add(std::move(cells));
    ++count_;
  }

  void finish() {
    if (format_ == "json") print("]\n");
    if (format_ == "table" && !schema_.fields.empty())
      print(table_.text() + "(" + human_count(count_) + (count_ == 1 ? " row)\n" : " rows)\n"));
  }

 private:
  static std::vector<std::string> names(const data::TableSchema& schema) {
    std::vector<std::string> out;
    for (const data::Field& field : schema.fields) out.push_back(field.name);
    return out;
  }
  static std::vector<bool> numbers(const data::TableSchema& schema) {
    std::vector<bool> out;
    for (const data::Field& field : schema.fields)
      out.push_back(field.type.is(data::TypeKind::kInt64) || field.type.is(data::TypeKind::kFloat64) ||
                    field.type.is(data::TypeKind::kNumeric) || field.type.is(data::TypeKind::kBigNumeric));
    return out;
  }
  static void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

  void json_row(const bigquery::ResultRow& row) {
    std::string out = count_++ == 0 ? "{" : ",\n{";
    for (std::size_t i = 0; i < schema_.fields.size(); ++i)
      out += (i == 0 ? "" : ",") + base::json_quote(schema_.fields[i].name) + ":" +
             cell_json(schema_.fields[i].type, row[i]);
    print(out + "}");
  }

  const data::TableSchema& schema_;
  const std::string format_;
  TextTable table_;
  std::int64_t count_ = 0;
};

Status ask(bigquery::Client& client, const std::string& project, const QueryOptions& options) {
  bigquery::QueryRequest request;
  request.project = project;
  request.sql = options.sql;
  TRY(bigquery::QueryResult result, client.query(request));
  Printer printer(result.schema(), options.format);
  while (true) {
    TRY(const auto rows, result.next_page());
    if (rows.empty()) break;
    for (const bigquery::ResultRow& row : rows) printer.row(row);
  }
  printer.finish();
  if (const auto affected = result.affected_rows())
    std::fprintf(stderr, "%s rows changed\n", human_count(*affected).c_str());
  if (std::fflush(stdout) != 0)
    return Error(ErrorCode::kUnavailable, "the answer could not be written to standard output");
  return ok();
}

Status run(const CommonOptions& common, const QueryOptions& options) {
  base::set_log(base::LogLevel::kWarning, stderr_is_terminal() ? base::LogFormat::kText : base::LogFormat::kJson);
  Session session;
  if (options.data.empty()) {
    TRY(session.config, load_config(common.config_path, process_environment()));
    TRY_STATUS(find_project(session.config, session.clock));
  } else {
    session.config.destination.folder = options.data;
    session.config.state_file = options.data + "/state.db";
  }
  TRY(const auto destination, open_destination_to_ask(session));
  return ask(*destination->access.client, session.config.project, options);
}

}  // namespace

int run_query(const CommonOptions& common, const QueryOptions& options) {
  const auto done = run(common, options);
  if (done) return kExitDone;
  // The query's own mistakes are not mistakes of flytt's configuration.
  const int status = report(done.error());
  return done.error().side() == base::Side::kSink ? kExitFailed : status;
}

}  // namespace flytt::app
