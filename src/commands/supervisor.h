#pragma once
// The supervisor's side: a process of the same program that watches one command. Why: docs/decisions/0015.

#include "base/clock.h"

namespace flytt::commands {

inline constexpr const char* kSupervisorVerb = "supervise-command";

// Whether `main` was called as a supervisor: `PROGRAM supervise-command FOLDER`, with its owner's socket as descriptor 3.
// To be asked before anything else is done: no thread may have been started.
bool is_supervisor_call(int argc, char** argv);

// Supervises one command until nothing of it is left, records that, and returns the process's exit code, which says nothing
// about the command. Signals: SIGTERM ends the command with its grace, SIGUSR1 kills it, others are blocked.
int supervisor_main(int argc, char** argv, const base::Clock& clock);

}  // namespace flytt::commands
