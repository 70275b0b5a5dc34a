#pragma once
// What is to be run, within which bounds, and how a run ended. Values; no thread, no I/O.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"

namespace flytt::commands {

// 0 means: no limit, except where a line says otherwise. rlimits (setrlimit(2)) hold for each process of the run by itself,
// never for their sum: a bound of the sum needs a cgroup of the service that runs flytt.
struct CommandLimits {
  std::chrono::milliseconds wall{std::chrono::hours(1)};      // from its start; then SIGTERM
  std::chrono::milliseconds grace{std::chrono::seconds(30)};  // from SIGTERM to SIGKILL; 0 means SIGKILL at once
  // RLIMIT_DATA: heap and other private writable memory. Not RLIMIT_AS, which also counts address space that is only
  // reserved, and so ends programs (Java, Go) that use little memory. Shared memory and mapped files are not counted.
  std::uint64_t memory_bytes_max = 0;
  std::uint64_t cpu_seconds_max = 0;         // RLIMIT_CPU: SIGXCPU, a second later SIGKILL
  std::uint64_t open_files_max = 1024;       // RLIMIT_NOFILE
  std::uint64_t output_bytes_max = 4 << 20;  // kept: a first half and the last part; at least kOutputBytesLeast
  std::uint64_t work_bytes_max =
      1ULL << 30;  // allocated in the working folder; measured, so it can be passed for a moment
  std::chrono::milliseconds work_check{
      200};  // how often it is measured; less often when measuring takes long; at least 1 ms
};

struct CommandSpec {
  // With a slash: this file (relative to the working folder). Otherwise looked for in the PATH of the command. No shell is
  // involved: a script needs its "#!" line.
  std::string program;
  std::vector<std::string> arguments;
  // Must hold FLYTT_RUN, an id of this run ([A-Za-z0-9_.-]+): what is left of a run whose supervisor was killed is found by it.
  std::map<std::string, std::string> environment;
  std::map<std::string, base::Secret> secrets;                       // variables, too; no name may be in both
  std::vector<std::string> inherited{"PATH", "HOME", "LANG", "TZ"};  // taken from Host::environment where it has them
  std::string working_folder;                 // absolute; empty: a fresh one (0700), `work` in the run's folder
  std::map<std::string, base::Secret> files;  // plain name → content, 0600, in the fresh working folder only
  CommandLimits limits;
  // true: the run is the owner's, and is killed when the owner's process ends, however it ends, or its Run is destroyed.
  // false: the run goes on without its owner, and is found again by `adopt`.
  bool dies_with_parent = false;
  // Of a run that dies with its parent: killed at this instant of the steady clock, too, unless Run::renew moves it on. So it
  // ends also while its owner is frozen.
  base::Deadline lease_until = base::Deadline::never();
};

enum class EndReason {
  kEnded,           // by itself: an exit code or a signal
  kTimedOut,        // limits.wall
  kStopped,         // Run::stop, Run::kill, or SIGTERM to the supervisor
  kLeaseLost,       // dies_with_parent, and the parent is gone; or lease_until
  kOutOfSpace,      // limits.work_bytes_max
  kCouldNotStart,   // nothing of the program ran; `detail` says why
  kSupervisorLost,  // the supervisor was killed: how the command ended is not known; what was left of it was killed
};
std::string_view to_string(EndReason reason);

struct Outcome {
  EndReason reason = EndReason::kEnded;
  std::optional<int> exit_code;     // of the command itself; neither this nor `signal` when it is not known
  std::optional<int> signal;        // that ended it
  std::string detail;               // for people, one line; never a secret
  std::int64_t started_micros = 0;  // wall time, µs since 1970; 0 when it is not known
  std::int64_t ended_micros = 0;    // when nothing of its tree was left
  std::uint64_t peak_rss_bytes =
      0;  // of its largest process; what the kernel tells is never below the supervisor's own
  std::uint64_t output_bytes_seen = 0;
  std::uint64_t output_bytes_kept = 0;
  std::uint64_t processes_left = 0;  // that SIGKILL did not end within kTreeEndMax: they wait for a device

  bool succeeded() const { return reason == EndReason::kEnded && exit_code == 0; }
};

}  // namespace flytt::commands
