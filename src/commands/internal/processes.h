#pragma once
// Processes as /proc shows them (proc(5)). Any thread.

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "commands/internal/descriptor.h"

namespace flytt::commands::internal {

// A pid is used again; with the clock ticks of its start since boot it names one process of this boot.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  auto operator<=>(const ProcessId&) const = default;
};

struct Process {
  ProcessId id;
  pid_t parent = 0;
  bool is_alive = false;  // false: a zombie of which no thread goes on
};

// The text of /proc/PID/stat; nullopt when it is none. A process's name may hold anything, also ") R 1".
std::optional<Process> parse_stat(std::string_view text);
std::optional<Process> look_up(pid_t pid);
std::vector<Process> all_processes();

// pidfd_open(2), pidfd_send_signal(2). (The header of Debian 12's C library for them is not one for C++.)
Descriptor open_process(pid_t pid);
bool signal_process(const Descriptor& process, int signal);

// Living processes below `roots`, without these.
std::vector<ProcessId> descendants_of(const std::set<pid_t>& roots, const std::vector<Process>& all);

// Never another process that has the pid now. False when it is gone.
bool send_signal(ProcessId process, int signal);

// Kills every process that was started with all of `entries` ("NAME=value") in its environment, and what is below them, until
// none is left. Returns how many were killed; kTimeout when some do not end within kTreeEndMax.
Result<int> kill_marked(const std::vector<std::string>& entries, const base::Clock& clock);

}  // namespace flytt::commands::internal
