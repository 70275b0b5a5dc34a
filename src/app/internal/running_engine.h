#pragma once
// What the verbs ask of the flytt that runs beside them, through its admin endpoint (admin.h).

#include <chrono>
#include <optional>
#include <string>

#include "app/internal/session.h"
#include "state/lease.h"

namespace flytt::app {

// The body of the answer; `status` is HTTP's. Blocks for `patience` at most.
Result<std::string> call_admin(const RunningProcess& running, const base::Clock& clock, const char* method,
                               const std::string& target, int& status,
                               std::chrono::seconds patience = std::chrono::seconds(20));

// The status JSON of the flytt that works with this configuration, when it can be asked from here: it has the folder's LOCK, or
// leads the replicas and is on this host. Nothing otherwise, also when a `leader` does not answer.
Result<std::optional<std::string>> ask_status(const Session& session, const state::LeaseRow& leader);

enum class AskedWhom { kRunning, kNextRun };
// A table is to be copied again, or a topic to be read on: said to the running flytt, or left in state for the next one.
// `table` as the source names it. kConfig for an unknown stream, kNotFound when it has no such table.
Result<AskedWhom> ask_for_resync(Session& session, const std::string& stream, const std::string& table);

}  // namespace flytt::app
