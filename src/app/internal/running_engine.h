#pragma once
// What the verbs ask of the flytt that runs beside them, through its admin endpoint (admin.h). Calls block for 20 s at most.

#include <string>

#include "app/internal/session.h"

namespace flytt::app {

// The body of the answer; `status` is HTTP's.
Result<std::string> call_admin(const RunningProcess& running, const base::Clock& clock, const char* method,
                               const std::string& target, int& status);

enum class AskedWhom { kRunning, kNextRun };
// A table is to be copied again, or a topic to be read on: said to the running flytt, or left in state for the next one.
// `table` as the source names it. kConfig for an unknown stream, kNotFound when it has no such table.
Result<AskedWhom> ask_for_resync(Session& session, const std::string& stream, const std::string& table);

}  // namespace flytt::app
