#include "app/internal/running_engine.h"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "app/internal/admin.h"
#include "app/internal/leader.h"
#include "app/internal/source_state.h"
#include "bigquery/http_transport.h"

namespace flytt::app {

namespace {

constexpr const char* kStatusTarget = "/flytt/v1/status";
constexpr std::chrono::seconds kLeaderPatience{3};  // then the state tells enough

}  // namespace

Result<std::string> call_admin(const RunningProcess& running, const base::Clock& clock, const char* method,
                               const std::string& target, int& status, std::chrono::seconds patience) {
  TRY(const auto transport, bigquery::CurlTransport::make(running.admin, clock));
  TRY(auto answer, transport->send({method, target, {}, {}}, clock.in(patience)));
  status = answer.status;
  return std::move(answer.body);
}

Result<std::optional<std::string>> ask_status(const Session& session, const state::LeaseRow& leader) {
  int status = 0;
  TRY(const auto running, find_running(session.config.lock_folder()));
  if (running && !running->admin.empty()) {
    TRY(std::string answer, call_admin(*running, session.clock, "GET", kStatusTarget, status));
    return std::optional(std::move(answer));
  }
  if (!leader.is_held() || leader.address.empty() || !is_on_this_host(parse_holder(leader.holder)))
    return std::optional<std::string>();
  RunningProcess replica;
  replica.admin = "http://" + leader.address;
  auto answer = call_admin(replica, session.clock, "GET", kStatusTarget, status, kLeaderPatience);
  const auto told = answer ? nlohmann::json::parse(*answer, nullptr, false) : nlohmann::json();
  // Its port may be somebody else's by now, or of another network on this host.
  const bool is_it = told.is_object() && told.value("leader", nlohmann::json()) == leader.holder;
  return is_it ? std::optional(std::move(*answer)) : std::optional<std::string>();
}

Result<AskedWhom> ask_for_resync(Session& session, const std::string& stream, const std::string& table) {
  if (!session.config.has_stream(stream))
    return Error(ErrorCode::kConfig,
                 "unknown stream '" + stream + "'; use STREAM.TABLE, for example sak.public.person");
  if (table.empty()) return Error(ErrorCode::kConfig, "name the table, too: flytt resync " + stream + ".public.person");
  TRY(const auto running, find_running(session.config.lock_folder()));
  if (running && !running->admin.empty()) {
    int status = 0;
    TRY(const std::string body,
        call_admin(*running, session.clock, "POST",
                   "/flytt/v1/resync?stream=" + percent_encode(stream) + "&table=" + percent_encode(table), status));
    if (status == 202) return AskedWhom::kRunning;
    const auto answer = nlohmann::json::parse(body, nullptr, false);
    const bool has_reason = answer.is_object() && answer.contains("error") && answer["error"].is_string();
    return Error(ErrorCode::kNotFound, has_reason ? answer["error"].get<std::string>() : "the running flytt refused");
  }
  TRY(const auto remembered, open_state_to_read(session.config));
  if (remembered == nullptr) return Error(ErrorCode::kNotFound, "nothing was ever copied; `flytt run` begins");
  TRY(const auto store, open_source_state(session));
  TRY(const auto tables, store->tables(stream));
  const bool is_known = std::any_of(tables.begin(), tables.end(), [&table](const state::TableRecord& record) {
    return record.source_table == table;
  });
  if (!is_known)
    return Error(ErrorCode::kNotFound,
                 "stream '" + stream + "' has no table '" + table + "'; `flytt status` lists them");
  TRY_STATUS(store->request_resync({stream, table, session.clock.wall_micros()}));
  TRY(const bool is_led, is_engine_running(session.config));
  return is_led ? AskedWhom::kRunning : AskedWhom::kNextRun;
}

}  // namespace flytt::app
