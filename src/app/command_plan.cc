#include <algorithm>
#include <cstdio>

#include "app/commands.h"
#include "app/internal/destination.h"
#include "app/internal/job_view.h"
#include "app/internal/origin_adapter.h"
#include "app/internal/query_check.h"
#include "app/internal/session.h"
#include "app/internal/source_state.h"
#include "app/internal/topic_origin_adapter.h"
#include "app/output.h"
#include "base/log.h"
#include "state/store.h"

namespace flytt::app {

namespace {

struct PlannedTable {
  std::string stream;
  pipeline::OriginTable table;
  std::string action;              // "create", "add 2 columns", "none", "left out", "cannot be followed"
  std::vector<std::string> added;  // names of columns that run would add
};

struct PlannedQuery {
  const QueryConfig* query = nullptr;
  std::string schedule_action;  // "begin", "change", "none"
  std::optional<std::int64_t> next_slot_micros;
  data::TablePath target;     // of that slot
  std::string table_action;   // "create", "none", "cannot run"
  std::string problem;        // of "cannot run"
  data::TableSchema columns;  // with the version column
};

struct PlannedJob {
  const JobConfig* job = nullptr;
  std::string schedule_action;  // as of a query
  std::optional<std::int64_t> next_slot_micros;
};

struct Plan {
  std::vector<PlannedTable> tables;
  std::vector<PlannedQuery> queries;
  std::vector<PlannedJob> jobs;
};

// What run would do to one destination table.
Status decide(pipeline::Destination& destination, PlannedTable& planned) {
  if (!planned.table.refusal.empty()) {
    planned.action = "left out";
    return ok();
  }
  const data::SliceSchema& wanted = *planned.table.schema;
  TRY(const auto there, destination.table(wanted.destination));
  if (!there) {
    planned.action = "create";
    return ok();
  }
  planned.action = "none";
  for (const data::Field& field : wanted.table.fields) {
    const auto index = there->schema.find(field.name);
    if (!index)
      planned.added.push_back(field.name);
    else if (!(there->schema.fields[*index].type == field.type))
      planned.action =
          "cannot be followed: column " + field.name + " is " + there->schema.fields[*index].type.sql_name();
  }
  if (planned.action == "none" && !planned.added.empty()) planned.action = "add columns";
  return ok();
}

// A warehouse that does not exist yet is not made: everything would be created.
bool has_destination(const Config& config) {
  if (config.destination.kind != DestinationConfig::Kind::kLocal) return true;
  FILE* file = std::fopen((config.destination.folder + "/warehouse.duckdb").c_str(), "rb");
  if (file == nullptr) return false;
  std::fclose(file);
  return true;
}

Result<std::vector<PlannedTable>> plan_tables(Session& session, pipeline::Destination* destination) {
  const Config& config = session.config;
  std::vector<PlannedTable> out;
  for (const StreamConfig& stream : config.streams) {
    TRY(PostgresOrigin::Parts parts, origin_parts(config, stream, session.clock));
    PostgresOrigin origin(std::move(parts));
    TRY(const pipeline::OriginTables tables, origin.list());
    for (const pipeline::OriginTable& table : tables) {
      PlannedTable planned{stream.name, table, "create", {}};
      if (destination != nullptr)
        TRY_STATUS(decide(*destination, planned));
      else if (!table.refusal.empty())
        planned.action = "left out";
      out.push_back(std::move(planned));
    }
  }
  for (const TopicStreamConfig& stream : config.topic_streams) {
    TRY(std::vector<TopicTable> tables, topic_tables(config, stream, session.clock));
    for (TopicTable& table : tables) {
      PlannedTable planned{stream.name, {}, "create", {}};
      planned.table.rows_estimated = table.messages;
      planned.table.schema = std::make_shared<const data::SliceSchema>(std::move(table.schema));
      if (destination != nullptr) TRY_STATUS(decide(*destination, planned));
      out.push_back(std::move(planned));
    }
  }
  return out;
}

// A statement that cannot run is part of the plan; what else fails is an error.
Status plan_target(Session& session, bigquery::Client* client, PlannedQuery& planned) {
  const QueryConfig& query = *planned.query;
  TRY(planned.target, query_target(session.config, query, session.clock.wall_micros()));
  const auto found = ask_about(session, query, client);
  if (!found) {
    planned.table_action = "cannot run";
    const QueryProblem problem = statement_problem(query, found.error());
    planned.problem = problem.sentence + (problem.fix.empty() ? "" : "; " + problem.fix);
    return ok();
  }
  planned.columns = with_version(query, found->columns);
  planned.table_action = "create";
  if (client == nullptr) return ok();
  const auto table = client->get_table(whole_table(planned.target));
  if (!table && table.error().code() != ErrorCode::kNotFound) return table.error();
  const auto result = columns_of(planned.columns);
  auto problems = result_problems(query, columns_of(found->columns));
  if (const auto cost = cost_problem(query, found->bytes_read)) problems.push_back(*cost);
  if (problems.empty())
    problems = table ? target_problems(query, *table, partition_of(planned.target), result)
                     : missing_target_problems(query, planned.target, result);
  if (table) planned.table_action = "none";
  if (problems.empty()) return ok();
  planned.table_action = "cannot run";
  planned.problem = problems.front().sentence + "; " + problems.front().fix;
  return ok();
}

Result<std::string> schedule_action(state::Store* store, const scheduler::Entry& entry) {
  if (store == nullptr) return std::string("begin");
  TRY(const auto known, state::ScheduleLedger(*store).schedule(entry.name));
  if (!known) return std::string("begin");
  return std::string(known->definition == entry.schedule.definition() ? "none" : "change");
}

Result<std::vector<PlannedQuery>> plan_queries(Session& session, bigquery::Client* client) {
  const Config& config = session.config;
  TRY(const auto store, open_state_to_read(config));
  std::vector<PlannedQuery> out;
  for (const QueryConfig& query : config.queries) {
    PlannedQuery planned;
    planned.query = &query;
    planned.next_slot_micros = query.entry->schedule.next_after(session.clock.wall_micros());
    TRY(planned.schedule_action, schedule_action(store.get(), *query.entry));
    TRY_STATUS(plan_target(session, client, planned));
    out.push_back(std::move(planned));
  }
  return out;
}

Result<std::vector<PlannedJob>> plan_jobs(Session& session) {
  TRY(const auto store, open_state_to_read(session.config));
  std::vector<PlannedJob> out;
  for (const JobConfig& job : session.config.jobs) {
    PlannedJob planned{&job, "", job.entry->schedule.next_after(session.clock.wall_micros())};
    TRY(planned.schedule_action, schedule_action(store.get(), *job.entry));
    out.push_back(std::move(planned));
  }
  return out;
}

Result<Plan> make_plan(Session& session) {
  std::unique_ptr<OpenDestination> open;
  std::unique_ptr<BigQueryDestination> destination;
  if (has_destination(session.config)) {
    TRY(open, open_destination_to_ask(session));
    destination = std::make_unique<BigQueryDestination>(
        BigQueryDestination::Parts{open->access, session.clock, session.metrics, session.config.location});
  }
  Plan plan;
  TRY(plan.tables, plan_tables(session, destination.get()));
  TRY(plan.queries, plan_queries(session, open ? open->access.client.get() : nullptr));
  TRY(plan.jobs, plan_jobs(session));
  return plan;
}

std::string column_json(const data::Field& field, bool is_key) {
  return "{\"name\":" + base::json_quote(field.name) + ",\"type\":" + base::json_quote(field.type.sql_name()) +
         ",\"key\":" + (is_key ? "true" : "false") + "}";
}

bool is_key(const QueryConfig& query, const std::string& column) {
  return std::find(query.key.begin(), query.key.end(), column) != query.key.end();
}

const char* write_word(QueryWrite write) {
  switch (write) {
    case QueryWrite::kTruncate: return "truncate";
    case QueryWrite::kAppend: return "append";
    case QueryWrite::kUpsert: return "upsert";
  }
  return "";
}

std::string queries_json(const std::vector<PlannedQuery>& queries) {
  std::string out;
  for (const PlannedQuery& planned : queries) {
    const scheduler::Entry& entry = *planned.query->entry;
    out += std::string(out.empty() ? "" : ",") + "{\"name\":" + base::json_quote(entry.name) +
           ",\"schedule\":" + base::json_quote(entry.schedule.definition()) +
           ",\"schedule_action\":" + base::json_quote(planned.schedule_action) +
           ",\"next\":" + (planned.next_slot_micros ? json_time(*planned.next_slot_micros) : "null") +
           ",\"destination\":" + base::json_quote(planned.target.text()) +
           ",\"write\":" + base::json_quote(write_word(planned.query->write)) +
           ",\"action\":" + base::json_quote(planned.table_action) +
           ",\"problem\":" + (planned.problem.empty() ? "null" : base::json_quote(planned.problem)) + ",\"columns\":[";
    for (std::size_t i = 0; i < planned.columns.fields.size(); ++i)
      out += (i == 0 ? "" : ",") +
             column_json(planned.columns.fields[i], is_key(*planned.query, planned.columns.fields[i].name));
    out += "]}";
  }
  return out;
}

std::string jobs_json(const std::vector<PlannedJob>& jobs) {
  std::string out;
  for (const PlannedJob& planned : jobs) {
    const scheduler::Entry& entry = *planned.job->entry;
    std::string words;
    for (const std::string& word : planned.job->run) words += (words.empty() ? "" : ",") + base::json_quote(word);
    out += std::string(out.empty() ? "" : ",") + "{\"name\":" + base::json_quote(entry.name) +
           ",\"schedule\":" + base::json_quote(entry.schedule.definition()) +
           ",\"schedule_action\":" + base::json_quote(planned.schedule_action) +
           ",\"next\":" + (planned.next_slot_micros ? json_time(*planned.next_slot_micros) : "null") + ",\"run\":[" +
           words + "]" +
           ",\"folder\":" + (planned.job->folder.empty() ? "null" : base::json_quote(planned.job->folder)) +
           ",\"completions\":" + std::to_string(planned.job->completions) + "}";
  }
  return out;
}

std::string plan_json(const Plan& plan) {
  std::string out = "{\"tables\":[";
  for (const PlannedTable& planned : plan.tables) {
    const data::SliceSchema& schema = *planned.table.schema;
    if (&planned != &plan.tables.front()) out += ",";
    out += "{\"stream\":" + base::json_quote(planned.stream) +
           ",\"source_table\":" + base::json_quote(schema.source_table) +
           ",\"destination\":" + base::json_quote(schema.destination.text()) +
           ",\"action\":" + base::json_quote(planned.action) +
           ",\"refusal\":" + (planned.table.refusal.empty() ? "null" : base::json_quote(planned.table.refusal)) +
           ",\"columns\":[";
    for (std::uint32_t i = 0; i < schema.table.fields.size(); ++i)
      out += (i == 0 ? "" : ",") + column_json(schema.table.fields[i], schema.table.is_key(i));
    out += "]}";
  }
  return out + "],\"queries\":[" + queries_json(plan.queries) + "],\"jobs\":[" + jobs_json(plan.jobs) + "]}\n";
}

std::string queries_text(const std::vector<PlannedQuery>& queries) {
  TextTable table({"query", "schedule", "of it", "next slot", "destination", "write", "action"});
  std::string details, problems;
  for (const PlannedQuery& planned : queries) {
    const scheduler::Entry& entry = *planned.query->entry;
    table.add(
        {entry.name, entry.schedule.definition(), planned.schedule_action,
         planned.next_slot_micros ? local_time_text(entry.schedule.time_zone(), *planned.next_slot_micros) : "none",
         planned.target.text(), write_word(planned.query->write), planned.table_action});
    if (!planned.problem.empty()) {
      problems += "  " + entry.name + ": " + planned.problem + "\n";
      continue;
    }
    details += "\n" + planned.target.text() + "\n";
    for (const data::Field& field : planned.columns.fields)
      details +=
          "  " + field.name + " " + field.type.sql_name() + (is_key(*planned.query, field.name) ? " (key)" : "") + "\n";
  }
  return table.text() + details + (problems.empty() ? "" : "\nCannot run:\n" + problems);
}

std::string tables_text(const std::vector<PlannedTable>& plan) {
  TextTable tables({"stream", "table", "destination", "rows, about", "action"}, {false, false, false, true, false});
  std::string details, left_out;
  for (const PlannedTable& planned : plan) {
    const data::SliceSchema& schema = *planned.table.schema;
    tables.add({planned.stream, schema.source_table, schema.destination.text(),
                human_count(planned.table.rows_estimated), planned.action});
    if (!planned.table.refusal.empty()) {
      left_out += "  " + schema.source_table + ": " + planned.table.refusal + "\n";
      continue;
    }
    details += "\n" + schema.destination.text() + "\n";
    for (std::uint32_t i = 0; i < schema.table.fields.size(); ++i)
      details += "  " + schema.table.fields[i].name + " " + schema.table.fields[i].type.sql_name() +
                 (schema.table.is_key(i) ? " (key)" : "") + "\n";
  }
  return tables.text() + details + (left_out.empty() ? "" : "\nLeft out:\n" + left_out);
}

std::string jobs_text(const std::vector<PlannedJob>& jobs) {
  TextTable table({"job", "schedule", "of it", "next slot", "command"});
  for (const PlannedJob& planned : jobs) {
    const scheduler::Entry& entry = *planned.job->entry;
    std::string command;
    for (const std::string& word : planned.job->run) command += (command.empty() ? "" : " ") + word;
    if (planned.job->completions > 1) command += ", " + std::to_string(planned.job->completions) + " times";
    table.add(
        {entry.name, entry.schedule.definition(), planned.schedule_action,
         planned.next_slot_micros ? local_time_text(entry.schedule.time_zone(), *planned.next_slot_micros) : "none",
         command});
  }
  return table.text();
}

// Only what there is; a configuration of streams alone has the table of tables also when it is empty.
std::string plan_text(const Plan& plan) {
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : "\n") + part; };
  if (!plan.tables.empty() || (plan.queries.empty() && plan.jobs.empty())) add(tables_text(plan.tables));
  if (!plan.queries.empty()) add(queries_text(plan.queries));
  if (!plan.jobs.empty()) add(jobs_text(plan.jobs));
  return out;
}

}  // namespace

int run_plan(const CommonOptions& common) {
  auto session = open_session_with_project(common);
  if (!session) return report(session.error());
  base::set_log(base::LogLevel::kWarning, base::LogFormat::kText);
  const auto plan = make_plan(**session);
  if (!plan) return report(plan.error());
  const std::string text = common.json ? plan_json(*plan) : plan_text(*plan);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kExitDone;
}

}  // namespace flytt::app
