#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/commands.h"
#include "app/internal/init_kafka.h"
#include "app/internal/session.h"
#include "app/output.h"
#include "postgres/catalog.h"
#include "postgres/connection.h"

namespace flytt::app {

namespace {

// A name for the source out of the database's: lower case, a-z, 0-9 and _.
std::string source_name(const std::string& database) {
  std::string name;
  for (const char c : database) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    name += (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ? lower : '_';
  }
  return name.empty() ? "postgres" : name;
}

// Written whole with mode 0600 before anybody else can open it.
Status write_private(const std::filesystem::path& path, const std::string& text) {
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  ::chmod(path.parent_path().c_str(), 0700);
  ::unlink(path.c_str());
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written = descriptor >= 0 &&
                       ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!written) return Error(ErrorCode::kConfig, "'" + path.string() + "' cannot be written");
  return ok();
}

std::string table_comment(const postgres::SourceTable& table) {
  std::string line = "    #   " + table.full_name() + ": ";
  line += table.estimated_rows < 0 ? "not analysed yet" : "about " + human_count(table.estimated_rows) + " rows";
  line += ", " + human_bytes(static_cast<std::int64_t>(table.size_bytes));
  if (!table.problem.empty()) line += "; left out: " + table.problem;
  return line + "\n";
}

std::string configuration_text(const std::string& name, const postgres::Endpoint& endpoint,
                               const postgres::ServerFacts& facts, const postgres::Catalog& catalog) {
  std::string text =
      "# Written by `flytt init`. Every key: docs/reference/configuration.md\n"
      "project: " +
      name +
      "                 # BigQuery project\n"
      "destination: {local: ./warehouse}     # the embedded warehouse; {bigquery: {key_file: key.json}} for BigQuery\n"
      "listen: {health: \"127.0.0.1:8080\"}    # /isalive /isready /metrics\n\n"
      "sources:\n"
      "  # " +
      endpoint.text() + ", PostgreSQL " + facts.version +
      "\n"
      "  " +
      name + ": {postgres: \"${file:.flytt/" + name +
      ".url}\"}\n\n"
      "streams:\n  " +
      name + ":\n    from: " + name + "\n    to: landing_" + name +
      "            # dataset; tables keep their names\n"
      "    # Tables found:\n";
  for (const postgres::SourceTable& table : catalog.tables) text += table_comment(table);
  text +=
      "    tables: {include: [\"public.*\"], exclude: [public.flyway_schema_history]}\n"
      "    freshness: 100ms                   # longest wait of a row for its batch to fill\n";
  return text;
}

Status write_all(const CommonOptions& common, const InitOptions& options) {
  TRY_STATUS(check_may_write(common, options));
  const base::SystemClock clock;
  const base::Deadline deadline = clock.in(std::chrono::seconds(20));
  postgres::ConnectionSettings settings{base::Secret(options.postgres_url)};
  TRY(const auto endpoint, postgres::parse_endpoint(settings));
  TRY(const auto facts, postgres::read_server_facts(settings, clock, deadline));
  postgres::TableSelection selection{{"public.*"}, {"public.flyway_schema_history"}};
  TRY(const auto catalog, postgres::inspect_tables(settings, selection, "", clock, deadline));
  const std::string name = source_name(facts.database);
  const auto folder = std::filesystem::absolute(common.config_path).parent_path();
  TRY_STATUS(write_private(folder / ".flytt" / (name + ".url"), options.postgres_url + "\n"));
  std::ofstream out(common.config_path);
  out << configuration_text(name, endpoint, facts, catalog);
  out.close();
  if (!out) return Error(ErrorCode::kConfig, "'" + common.config_path + "' cannot be written");
  std::printf(
      "%s written: source '%s' with %zu tables. The URL lies in .flytt/%s.url, which only you can read.\n"
      "Next: flytt check, then flytt setup postgres %s, then flytt run\n",
      common.config_path.c_str(), name.c_str(), catalog.tables.size(), name.c_str(), name.c_str());
  return ok();
}

}  // namespace

int run_init(const CommonOptions& common, const InitOptions& options) {
  const bool has_postgres = !options.postgres_url.empty();
  const bool has_kafka = !options.kafka_brokers.empty() || process_environment()("KAFKA_BROKERS").has_value();
  if (!has_postgres && !has_kafka)
    return report(Error(ErrorCode::kConfig, "say what to look at: --postgres URL or --kafka BROKERS"));
  const auto done = has_postgres ? write_all(common, options) : write_kafka_configuration(common, options);
  return done ? kExitDone : report(done.error());
}

}  // namespace flytt::app
