#include "app/internal/leader.h"

#include <unistd.h>

#include <cstdio>

#include "app/internal/source_state.h"
#include "data/civil.h"

namespace flytt::app {

namespace {

const base::SystemClock kClock;  // of tables that outlive no session

std::string host_name() {
  char host[64] = "";
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = 0;
  return host;
}

}  // namespace

std::string holder_name(std::uint64_t chance) {
  char unique[20];
  std::snprintf(unique, sizeof unique, "%08llx", static_cast<unsigned long long>(chance & 0xffffffff));
  return host_name() + ":" + std::to_string(::getpid()) + ":" + unique;
}

Result<state::LeaseRow> read_leader(const Config& config) {
  TRY(const state::SqlDatabase database, shared_state(config, kClock));
  const auto table = state::open_lease_table(database, state::LeaseAccess::kRead);
  if (table) return (*table)->read();
  if (table.error().code() == ErrorCode::kNotFound) return state::LeaseRow{};
  return table.error();
}

LeaderName parse_holder(const std::string& holder) {
  const auto chance = holder.rfind(':');
  const auto pid = chance == holder.npos || chance == 0 ? holder.npos : holder.rfind(':', chance - 1);
  if (pid == holder.npos) return {holder, ""};
  return {holder.substr(0, pid), holder.substr(pid + 1, chance - pid - 1)};
}

bool is_on_this_host(const LeaderName& leader) { return !leader.pid.empty() && leader.host == host_name(); }

std::string leader_text(const state::LeaseRow& leader) {
  const LeaderName name = parse_holder(leader.holder);
  std::string text = "the replica on " + name.host + (name.pid.empty() ? "" : " (pid " + name.pid + ")");
  if (leader.taken_micros != 0)
    text += ", which has led since " + data::format_datetime(leader.taken_micros / 1'000'000 * 1'000'000, ' ') + " UTC";
  return text;
}

}  // namespace flytt::app
