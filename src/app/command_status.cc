#include <unistd.h>

#include <cstdio>

#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/internal/admin.h"
#include "app/internal/leader.h"
#include "app/internal/running_engine.h"
#include "app/internal/schedule_status.h"
#include "app/internal/session.h"
#include "app/internal/signals.h"
#include "app/internal/source_state.h"
#include "app/output.h"

namespace flytt::app {

namespace {

using Json = nlohmann::json;

struct Current {
  std::string json;
  std::string origin;  // a sentence for people: who says so, where that is not the flytt that runs here
};

// The status of the running engine, or of what state remembers.
Result<Current> current_status(Session& session) {
  const std::int64_t now = session.clock.wall_micros();
  state::LeaseRow leader;
  if (session.config.has_shared_state()) {
    TRY(leader, read_leader(session.config));
  }
  TRY(auto live, ask_status(session, leader));
  if (live) return Current{std::move(*live), leader.is_held() ? "this is from " + leader_text(leader) + ".\n" : ""};
  Current current;
  if (leader.is_held())
    current.origin =
        "this is what " + leader_text(leader) + ", has written to the state; `flytt status` on its host tells more.\n";
  else
    current.origin = "flytt does not run; this is what state remembers.\n";
  const std::string name = leader.is_held() ? leader.holder : "";
  TRY(const auto store, open_state_to_read(session.config));  // null: nothing has run yet
  TRY(const std::string schedules, schedules_json(store.get(), session.config, {}, now));
  std::vector<pipeline::PipelineStatus> remembered;
  if (store) {
    TRY(remembered, remembered_status(*store, leader.is_held()));
  }
  current.json = status_json(remembered, schedules, leader.is_held(), now, name);
  return current;
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

std::string rows_of(const Json& table) {
  if (!table.contains("rows_copied")) return human_count(table.at("rows_streamed").get<std::int64_t>()) + " changes";
  std::string out = human_count(table.at("rows_copied").get<std::int64_t>()) + " of about " +
                    human_count(table.at("rows_estimated").get<std::int64_t>());
  if (!table.at("eta_seconds").is_null())
    out += ", " + human_duration(table.at("eta_seconds").get<std::int64_t>() * 1000) + " left";
  return out;
}

// One line for each schedule; what is wrong with it goes to `troubles`.
std::string schedules_text(const Json& schedules, std::string& troubles) {
  TextTable table({"schedule", "state", "table", "next slot", "newest success", "last run"},
                  {false, false, false, false, false, false});
  for (const Json& schedule : schedules) {
    const std::string name = text_of(schedule.at("name"));
    const Json& last = schedule.at("last_run");
    table.add({name, text_of(schedule.at("state")), text_of(schedule.at("target")), text_of(schedule.at("next_slot")),
               text_of(schedule.at("newest_success_slot")), last.is_null() ? "" : text_of(last.at("state"))});
    if (!schedule.at("waiting").is_null())
      troubles += "\n" + name + " waits: " + text_of(schedule.at("waiting")) + "\n";
    if (!last.is_null() && last.at("state") == "failed")
      troubles += "\n" + name + " failed for its slot of " + text_of(last.at("slot")) + ": " +
                  text_of(last.at("message")) + "\n";
  }
  return table.size() == 0 ? std::string() : "\n" + table.text();
}

std::string status_text(const Current& current) {
  const Json status = Json::parse(current.json);
  std::string out = current.origin;
  TextTable streams({"stream", "state", "received", "saved", "confirmed", "behind", "rows", "quarantined"},
                    {false, false, false, false, false, true, true, true});
  TextTable tables({"stream", "table", "state", "rows"}, {false, false, false, false});
  TextTable partitions({"stream", "topic", "partition", "saved", "end", "behind", "state"},
                       {false, false, true, true, true, true, false});
  std::string troubles;
  for (const Json& stream : status.at("streams")) {
    const std::string name = text_of(stream.at("name"));
    streams.add({name, text_of(stream.at("state")), text_of(stream.at("received_position")),
                 text_of(stream.at("saved_position")), text_of(stream.at("confirmed_position")),
                 human_duration(stream.at("oldest_unsaved_ms").get<std::int64_t>()),
                 human_count(stream.at("rows").get<std::int64_t>()),
                 human_count(stream.at("quarantined").get<std::int64_t>())});
    if (!stream.at("error").is_null()) troubles += "\n" + name + ": " + text_of(stream.at("error")) + "\n";
    for (const Json& lane : stream.at("partitions")) {
      const auto count = [&](const char* key) {
        return lane.at(key).is_null() ? std::string("?") : human_count(lane.at(key).get<std::int64_t>());
      };
      partitions.add({name, text_of(lane.at("topic")), text_of(lane.at("partition")), count("saved"), count("end"),
                      count("lag"), text_of(lane.at("state"))});
    }
    for (const Json& table : stream.at("tables")) {
      tables.add({name, text_of(table.at("source_table")), text_of(table.at("state")), rows_of(table)});
      if (!table.at("reason").is_null())
        troubles += "\n" + name + "." + text_of(table.at("source_table")) + ": " + text_of(table.at("reason")) + "\n";
    }
  }
  out += streams.text() + "\n" + tables.text();
  if (partitions.size() != 0) out += "\n" + partitions.text();
  out += schedules_text(status.at("schedules"), troubles);
  out += troubles;
  return out;
}

Status show(Session& session, bool as_json) {
  TRY(const Current current, current_status(session));
  TRY(const std::string text,
      base::guard("reading the status", [&] { return as_json ? current.json + "\n" : status_text(current); }));
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  return ok();
}

Status watch(Session& session, bool as_json) {
  TRY(const SignalWatch signals, SignalWatch::start());
  do {
    if (!as_json && stdout_is_terminal()) std::fputs("\x1b[H\x1b[2J", stdout);
    TRY_STATUS(show(session, as_json));
  } while (!signals.wait(session.clock, session.clock.in(std::chrono::seconds(1))));
  return ok();
}

Status resync(Session& session, const ResyncOptions& options) {
  const auto dot = options.table.find('.');
  const std::string stream = options.table.substr(0, dot);
  const std::string table = dot == std::string::npos ? std::string() : options.table.substr(dot + 1);
  TRY(const AskedWhom whom, ask_for_resync(session, stream, table));
  const bool is_topic = session.config.find_topic_stream(stream) != nullptr;
  const char* sentence = nullptr;
  if (whom == AskedWhom::kRunning)
    sentence = is_topic ? "%s is tried again, from where it stopped; `flytt status` shows it\n"
                        : "%s is copied again while its stream runs; `flytt status --watch` shows how far it is\n";
  else
    sentence = is_topic ? "%s will be tried again by the next `flytt run`\n"
                        : "%s will be copied again by the next `flytt run`\n";
  std::printf(sentence, options.table.c_str());
  return ok();
}

}  // namespace

int run_status(const CommonOptions& common, const StatusOptions& options) {
  auto session = open_session(common);
  if (!session) return report(session.error());
  const auto done = options.watch ? watch(**session, common.json) : show(**session, common.json);
  return done ? kExitDone : report(done.error());
}

int run_resync(const CommonOptions& common, const ResyncOptions& options) {
  auto session = open_session(common);
  if (!session) return report(session.error());
  const auto done = resync(**session, options);
  return done ? kExitDone : report(done.error());
}

}  // namespace flytt::app
