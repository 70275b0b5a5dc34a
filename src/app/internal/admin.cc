#include "app/internal/admin.h"

#include <algorithm>

#include "app/internal/json_object.h"

namespace flytt::app {

namespace {

std::string table_state(const state::TableRecord& record) {
  switch (record.phase) {
    case state::TablePhase::kPlanned:
    case state::TablePhase::kReplacing: return "waiting";
    case state::TablePhase::kCopying: return "copying";
    case state::TablePhase::kStreaming: return "streaming";
    case state::TablePhase::kDetached: return "detached";
    case state::TablePhase::kAbsent: return "absent";
  }
  return "waiting";
}

std::string table_json(const pipeline::TableStatus& table) {
  JsonObject out;
  out.text("source_table", table.record.source_table)
      .text("destination", table.record.project + "." + table.record.dataset + "." + table.record.table)
      .text("state", table_state(table.record))
      .text_or_null("reason", table.record.reason)
      .number("rows_streamed", table.rows_streamed)
      .number("rows_estimated", table.record.rows_estimated);
  if (table.copy) {
    out.number("rows_copied", table.copy->rows_done)
        .number("ranges", table.copy->ranges)
        .number("ranges_done", table.copy->ranges_done)
        .number("rows_per_second", static_cast<std::int64_t>(table.copy->rows_per_second))
        .raw("eta_seconds", table.copy->seconds_left < 0 ? "null" : std::to_string(table.copy->seconds_left))
        .text_or_null("trouble", table.copy->trouble);
  }
  return out.end();
}

std::string lane_json(const pipeline::LaneStatus& lane, bool is_running) {
  const bool has_end = lane.end >= 0;
  const char* state = !is_running         ? "remembered"
                      : lane.is_held_back ? "held back"
                      : lane.is_waiting   ? "taking over"
                                          : "reading";
  return JsonObject()
      .text("topic", lane.topic)
      .number("partition", lane.partition)
      .number("saved", lane.saved)
      .raw("end", has_end ? std::to_string(lane.end) : "null")
      .raw("lag", has_end ? std::to_string(std::max<std::int64_t>(lane.end - lane.saved, 0)) : "null")
      .text("state", state)
      .end();
}

pipeline::CopyProgress remembered_copy(const std::vector<state::CopyRange>& ranges) {
  pipeline::CopyProgress copy;
  copy.ranges = static_cast<std::uint32_t>(ranges.size());
  for (const state::CopyRange& range : ranges) {
    copy.rows_estimated += range.rows_estimated;
    copy.rows_done += range.rows;
    copy.ranges_done += range.done ? 1 : 0;
  }
  return copy;
}

std::string query_value(const std::string& query, const std::string& name) {
  std::size_t at = 0;
  while (at < query.size()) {
    const auto end = std::min(query.find('&', at), query.size());
    const std::string pair = query.substr(at, end - at);
    at = end + 1;
    if (pair.rfind(name + "=", 0) != 0) continue;
    std::string out;
    for (std::size_t i = name.size() + 1; i < pair.size(); ++i) {
      if (pair[i] == '%' && i + 2 < pair.size()) {
        out += static_cast<char>(std::strtol(pair.substr(i + 1, 2).c_str(), nullptr, 16));
        i += 2;
      } else {
        out += pair[i];
      }
    }
    return out;
  }
  return {};
}

}  // namespace

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '_' || c == '.' || c == '~';
    if (is_plain) {
      out += c;
      continue;
    }
    out += '%';
    out += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789ABCDEF"[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string status_json(const std::vector<pipeline::PipelineStatus>& streams, const std::string& schedules,
                        bool is_running, std::int64_t now_micros, const std::string& leader) {
  std::string list = "[";
  for (const pipeline::PipelineStatus& stream : streams) {
    std::string tables = "[";
    for (const pipeline::TableStatus& table : stream.tables)
      tables += (tables.size() == 1 ? "" : ",") + table_json(table);
    std::string partitions = "[";
    for (const pipeline::LaneStatus& lane : stream.lanes)
      partitions += (partitions.size() == 1 ? "" : ",") + lane_json(lane, is_running);
    JsonObject out;
    out.text("name", stream.stream)
        .text("state", std::string(pipeline::to_string(stream.condition)))
        .text_or_null("error", stream.error)
        .text_or_null("slot", stream.slot)
        .text_or_null("server_version", stream.server_version)
        .text_or_null("received_position", stream.received)
        .text_or_null("saved_position", stream.saved)
        .text_or_null("confirmed_position", stream.confirmed)
        .number("rows", stream.rows)
        .number("bytes", stream.bytes)
        .number("channel_bytes", static_cast<std::int64_t>(stream.channel_bytes))
        .number("oldest_unsaved_ms", stream.oldest_unsaved_ms)
        .raw("newest_commit_age_ms", stream.newest_commit_micros == 0
                                         ? "null"
                                         : std::to_string((now_micros - stream.newest_commit_micros) / 1000))
        .number("quarantined", stream.quarantined)
        .text_or_null("copy_stage", stream.copy_stage)
        .raw("tables", tables + "]")
        .raw("partitions", partitions + "]");
    list += (list.size() == 1 ? "" : ",") + out.end();
  }
  return JsonObject()
      .raw("running", is_running ? "true" : "false")
      .text_or_null("leader", leader)
      .raw("streams", list + "]")
      .raw("schedules", schedules)
      .end();
}

namespace {

pipeline::Condition condition_of(const std::string& word) {
  using pipeline::Condition;
  for (const Condition one :
       {Condition::kStarting, Condition::kRunning, Condition::kWaiting, Condition::kFailed, Condition::kStopping})
    if (pipeline::to_string(one) == word) return one;
  return Condition::kStopped;
}

}  // namespace

Result<std::vector<pipeline::PipelineStatus>> remembered_status(state::Store& store, bool is_led) {
  std::vector<pipeline::PipelineStatus> out;
  TRY(const auto facts, store.facts());
  TRY(const auto names, store.streams());
  for (const std::string& name : names) {
    pipeline::PipelineStatus status;
    status.stream = name;
    status.condition = pipeline::Condition::kStopped;
    for (const state::StreamFacts& fact : facts) {
      if (fact.stream != name) continue;
      status.error = fact.error;
      if (is_led) {
        status.condition = condition_of(fact.condition);
        status.rows = fact.rows;
        status.bytes = fact.bytes;
      }
      status.received = fact.received;
      status.saved = fact.saved;
      status.confirmed = fact.confirmed;
      status.newest_commit_micros = fact.newest_commit_micros;
    }
    TRY(auto tables, store.tables(name));
    for (state::TableRecord& record : tables) {
      pipeline::TableStatus table;
      if (record.phase == state::TablePhase::kCopying) {
        TRY(const auto ranges, store.ranges(name, record.source_table));
        table.copy = remembered_copy(ranges);
      }
      table.record = std::move(record);
      status.tables.push_back(std::move(table));
    }
    TRY(const auto lanes, store.lanes(name));
    for (const state::SavedLane& lane : lanes) {
      pipeline::LaneStatus one;
      one.topic = lane.topic;
      one.partition = lane.partition;
      one.saved = lane.next_offset;
      status.lanes.push_back(std::move(one));
    }
    out.push_back(std::move(status));
  }
  return out;
}

gateway::HttpResponse AdminHandler::handle(const gateway::HttpRequest& request) {
  gateway::HttpResponse answer;
  if (request.path == "/flytt/v1/status" && request.method == "GET") {
    auto schedules = schedules_();
    answer.status = schedules ? 200 : 503;
    answer.body = schedules ? status_json(engine_.status(), *schedules, true, clock_.wall_micros(), leader_)
                            : JsonObject().text("error", schedules.error().text()).end();
  } else if (request.path == "/flytt/v1/resync" && request.method == "POST") {
    const auto asked = engine_.resync(query_value(request.query, "stream"), query_value(request.query, "table"));
    answer.status = asked ? 202 : asked.error().code() == ErrorCode::kNotFound ? 404 : 503;
    answer.body = asked ? "{}" : JsonObject().text("error", asked.error().text()).end();
  } else {
    answer.status = 404;
    answer.body = JsonObject().text("error", "no such admin endpoint").end();
  }
  return answer;
}

}  // namespace flytt::app
