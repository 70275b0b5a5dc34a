#pragma once
// Starts commands, each under a supervisor process of its own, and finds them again after a restart.
//
// A run is a folder (0700): `supervisor` (who watches it), `output.<offset>` (what is kept of its output; the number is the
// offset of the file's first byte in all of the output), `work` (its working folder), at the end `record` (how it ended;
// written durably). Both text files are lines of key=value, the first is format=1.
//
// Errors: kConfig (a spec that cannot be, a folder that cannot be made), kConflict (the folder is there, the run lives),
// kNotFound (no such run, or nothing was started), kTimeout, kCorrupt (a file is not ours), kUnavailable (the system refuses:
// the cause tells). A command that fails is no error: Outcome tells how it ended.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "commands/command.h"

namespace flytt::commands {

// The process that owns runs. `program`, called with `kSupervisorVerb` and a folder, must end up in supervisor_main
// (supervisor.h). The clock must outlive every Run.
struct Host {
  const base::Clock& clock;
  std::map<std::string, std::string> environment;  // that commands inherit from, where their spec asks for it
  std::string program = "/proc/self/exe";          // the running program also when its file was replaced
};

// One run, living or ended. Move-only, owned by one thread; `stop`, `kill` and `renew` may be called by any. The destructor lets a
// living run go on (unless it dies with its parent) and then leaves a zombie until this process ends or adopts the folder
// and waits: keep a Run until `wait` has told the outcome.
class Run {
 public:
  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;
  ~Run();

  // Blocks until the run has ended and its record is durable; kTimeout when the deadline passes before. May be repeated.
  // Where the supervisor was killed it kills what is left of the command's tree first (at most kTreeEndMax).
  Result<Outcome> wait(base::Deadline deadline);
  // SIGTERM to the tree, limits.grace, SIGKILL. Returns at once; `wait` tells. Nothing happens to a run that has ended.
  Status stop() const;
  // SIGKILL to the tree.
  Status kill() const;
  // Moves the end of the lease to a later instant; an earlier one is nothing new. Returns at once, does not wait for the
  // supervisor. kConflict: the run has no lease, or was adopted. Nothing happens to a run that has ended.
  Status renew(base::SteadyTime until) const;

  const std::string& folder() const;
  int supervisor_pid() const;  // 0 when it was known to have ended when this Run was made

 private:
  struct State;
  explicit Run(std::unique_ptr<State> state);
  friend Result<Run> start(const CommandSpec& spec, const std::string& folder, const Host& host);
  friend Result<Run> adopt(const std::string& folder, const Host& host);

  std::unique_ptr<State> state_;
};

// Makes `folder` (absolute; its parent exists), and starts the command. After an error nothing runs and the folder is gone. When
// this process ends at any instant the command was either started and can be adopted, or is never started. Blocks for about
// the time of two fsyncs, at most kStartMax. Safe with other threads; the supervisor gets none of this process's descriptors.
Result<Run> start(const CommandSpec& spec, const std::string& folder, const Host& host);

// The run of a folder that another process, or an earlier Run, started: a living one, or one that has ended. When its supervisor
// was killed, what is left of its tree is killed and the outcome is kSupervisorLost, which is recorded. kNotFound: nothing was
// started there, and nothing will be. Its owner must be gone, and nobody else may adopt it meanwhile.
Result<Run> adopt(const std::string& folder, const Host& host);

// A command was started in `folder`, so that `adopt` finds it, or how it ended. Only looks, does not wait. Also true where that
// cannot be told.
bool was_started(const std::string& folder);

// The last `bytes_max` bytes of what is kept, in which a line says what was left out. Of a living run, too; lines of stdout and
// stderr appear when they are whole.
Result<std::string> read_output(const std::string& folder, std::size_t bytes_max);

// What follows byte `offset` of all output, as far as it is kept, at most about `bytes_max` bytes of it; a line says what was
// left out in front of it. `next` is the offset to go on with. Otherwise as read_output.
struct OutputPiece {
  std::string text;
  std::uint64_t next = 0;
};
Result<OutputPiece> read_output_from(const std::string& folder, std::uint64_t offset, std::size_t bytes_max);

// Deletes the run's own working folder, with what the command has left there; kConflict while the run lives. May be repeated.
Status remove_work(const std::string& folder);
// Deletes the folder with all that is in it; kConflict while the run lives. A folder that is not there is no error.
Status remove(const std::string& folder);

}  // namespace flytt::commands
