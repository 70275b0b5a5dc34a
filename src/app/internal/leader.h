#pragma once
// Who leads, of replicas with a shared state (docs/decisions/0017), as the others and the verbs see it.

#include <string>

#include "app/config.h"
#include "state/lease.h"

namespace flytt::app {

// "HOST:PID:CHANCE" of this process; `chance` tells it from an earlier one of this host.
std::string holder_name(std::uint64_t chance);
// Who leads. Errors as of open_lease_table; that nothing is there yet is none.
Result<state::LeaseRow> read_leader(const Config& config);

struct LeaderName {
  std::string host;
  std::string pid;
};
LeaderName parse_holder(const std::string& holder);
bool is_on_this_host(const LeaderName& leader);
// "the replica on HOST (pid 17), which has led since 2026-01-15 04:15:00 UTC"
std::string leader_text(const state::LeaseRow& leader);

}  // namespace flytt::app
