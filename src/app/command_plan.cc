#include <cstdio>

#include "app/commands.h"
#include "app/internal/destination.h"
#include "app/internal/origin_adapter.h"
#include "app/internal/session.h"
#include "app/internal/topic_origin_adapter.h"
#include "app/output.h"
#include "base/log.h"

namespace flytt::app {

namespace {

struct PlannedTable {
  std::string stream;
  pipeline::OriginTable table;
  std::string action;              // "create", "add 2 columns", "none", "left out", "cannot be followed"
  std::vector<std::string> added;  // names of columns that run would add
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

Result<std::vector<PlannedTable>> make_plan(Session& session) {
  const Config& config = session.config;
  std::unique_ptr<OpenDestination> open;
  std::unique_ptr<BigQueryDestination> destination;
  if (has_destination(config)) {
    TRY(open, open_destination_to_ask(session));
    destination = std::make_unique<BigQueryDestination>(
        BigQueryDestination::Parts{open->access, session.clock, session.metrics, config.location});
  }
  std::vector<PlannedTable> out;
  for (const StreamConfig& stream : config.streams) {
    TRY(PostgresOrigin::Parts parts, origin_parts(config, stream, session.clock));
    PostgresOrigin origin(std::move(parts));
    TRY(const pipeline::OriginTables tables, origin.list());
    for (const pipeline::OriginTable& table : tables) {
      PlannedTable planned{stream.name, table, "create", {}};
      if (destination)
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
      if (destination) TRY_STATUS(decide(*destination, planned));
      out.push_back(std::move(planned));
    }
  }
  return out;
}

std::string plan_json(const std::vector<PlannedTable>& plan) {
  std::string out = "{\"tables\":[";
  for (const PlannedTable& planned : plan) {
    const data::SliceSchema& schema = *planned.table.schema;
    if (&planned != &plan.front()) out += ",";
    out += "{\"stream\":" + base::json_quote(planned.stream) +
           ",\"source_table\":" + base::json_quote(schema.source_table) +
           ",\"destination\":" + base::json_quote(schema.destination.text()) +
           ",\"action\":" + base::json_quote(planned.action) +
           ",\"refusal\":" + (planned.table.refusal.empty() ? "null" : base::json_quote(planned.table.refusal)) +
           ",\"columns\":[";
    for (std::uint32_t i = 0; i < schema.table.fields.size(); ++i) {
      const data::Field& field = schema.table.fields[i];
      out += std::string(i == 0 ? "" : ",") + "{\"name\":" + base::json_quote(field.name) +
             ",\"type\":" + base::json_quote(field.type.sql_name()) +
             ",\"key\":" + (schema.table.is_key(i) ? "true" : "false") + "}";
    }
    out += "]}";
  }
  return out + "]}\n";
}

std::string plan_text(const std::vector<PlannedTable>& plan) {
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

}  // namespace

int run_plan(const CommonOptions& common) {
  auto session = open_session(common);
  if (!session) return report(session.error());
  base::set_log(base::LogLevel::kWarning, base::LogFormat::kText);
  const auto plan = make_plan(**session);
  if (!plan) return report(plan.error());
  const std::string text = common.json ? plan_json(*plan) : plan_text(*plan);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kExitDone;
}

}  // namespace flytt::app
