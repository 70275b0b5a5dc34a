#include "commands/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "commands/internal/descriptor.h"
#include "commands/internal/order.h"
#include "commands/internal/output.h"
#include "commands/internal/processes.h"
#include "commands/internal/record.h"
#include "commands/limits.h"
#include "commands/supervisor.h"

namespace flytt::commands {

namespace {

using internal::Descriptor;
using internal::SupervisorState;
using internal::system_error;

constexpr const char* kWorkFolder = "work";
constexpr const char* kRunVariable = "FLYTT_RUN";
constexpr const char* kFolderVariable =
    "FLYTT_RUN_FOLDER";  // makes FLYTT_RUN unique among installations on one machine

bool holds_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Status check_variable(const std::string& name, std::string_view value) {
  if (name.empty() || name.find('=') != std::string::npos || holds_nul(name) || holds_nul(value))
    return Error(ErrorCode::kConfig, "the environment variable " + internal::one_line(name) +
                                         " cannot be set: its name is empty or holds '=', or it holds a NUL byte");
  return ok();
}

Status check_spec(const CommandSpec& spec, const std::string& folder) {
  const auto wrong = [](const std::string& sentence) { return Error(ErrorCode::kConfig, sentence); };
  if (folder.empty() || folder[0] != '/' || internal::one_line(folder) != folder)
    return wrong("the folder of a run must be absolute, of at most " + std::to_string(kDetailBytesMax) +
                 " bytes and without control characters");
  if (spec.program.empty() || holds_nul(spec.program)) return wrong("a command needs a program");
  if (std::any_of(spec.arguments.begin(), spec.arguments.end(), [](const auto& each) { return holds_nul(each); }))
    return wrong("an argument of a command holds a NUL byte");
  for (const auto& [name, value] : spec.environment) TRY_STATUS(check_variable(name, value));
  for (const auto& [name, value] : spec.secrets) {
    TRY_STATUS(check_variable(name, value.reveal()));
    if (spec.environment.count(name) != 0) return wrong("the variable " + name + " is a secret and is not one");
  }
  const auto run = spec.environment.find(kRunVariable);
  if (run == spec.environment.end() || !internal::is_run_id(run->second))
    return wrong("the environment of a command must hold FLYTT_RUN, an id of letters, digits, _ . and -");
  if (!spec.working_folder.empty() && (spec.working_folder[0] != '/' || holds_nul(spec.working_folder)))
    return wrong("the working folder of a command must be absolute");
  if (!spec.working_folder.empty() && !spec.files.empty())
    return wrong("files are placed into a run's own working folder only; leave working_folder out");
  for (const auto& [name, content] : spec.files)
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos || holds_nul(name))
      return wrong("the file " + internal::one_line(name) + " of a command needs a plain name without folders");
  if (!spec.lease_until.is_never() && !spec.dies_with_parent)
    return wrong("a command with a lease must die with its parent");
  const CommandLimits& limits = spec.limits;
  if (limits.wall.count() < 0 || limits.grace.count() < 0 || limits.work_check.count() < 1)
    return wrong("the times of a command's limits must not be negative, and work_check at least 1 ms");
  if (limits.output_bytes_max < kOutputBytesLeast)
    return wrong("output_bytes_max must be at least " + std::to_string(kOutputBytesLeast));
  return ok();
}

internal::Order make_order(const CommandSpec& spec, const std::string& folder, const Host& host) {
  internal::Order order;
  order.run = spec.environment.at(kRunVariable);
  order.program = spec.program;
  order.arguments = spec.arguments;
  order.working_folder = spec.working_folder.empty() ? folder + "/" + kWorkFolder : spec.working_folder;
  order.limits = spec.limits;
  order.dies_with_parent = spec.dies_with_parent;
  order.lease_until = spec.lease_until;
  std::map<std::string, base::Secret> variables = spec.secrets;
  for (const auto& [name, value] : spec.environment) variables.emplace(name, base::Secret(value));
  for (const std::string& name : spec.inherited)
    if (const auto at = host.environment.find(name); at != host.environment.end())
      variables.emplace(name, base::Secret(at->second));
  variables.insert_or_assign(kFolderVariable, base::Secret(folder));
  for (const auto& [name, value] : variables) order.environment.emplace_back(name + "=" + value.reveal());
  return order;
}

Status make_folders(const CommandSpec& spec, const std::string& folder) {
  const std::string work = folder + "/" + kWorkFolder;
  if (spec.working_folder.empty() && ::mkdir(work.c_str(), 0700) != 0) return system_error("cannot make", work);
  for (const auto& [name, content] : spec.files) {
    const std::string path = work + "/" + name;
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return system_error("cannot make", path);
    std::string_view left = content.reveal();
    while (!left.empty()) {
      const ssize_t count = ::write(file.get(), left.data(), left.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return system_error("cannot write", path);
      left.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  return ok();
}

// The supervisor gets `socket` as kOwnerSocket, no other descriptor, an empty environment, and no signal before it wants one.
Result<pid_t> spawn_supervisor(const Host& host, const std::string& folder, int socket) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  const std::string log = folder + "/supervisor.log";
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, socket, internal::kOwnerSocket);
  posix_spawn_file_actions_addclosefrom_np(&actions, internal::kOwnerSocket + 1);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &all);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::string name = "flytt", verb = kSupervisorVerb, place = folder;
  char* arguments[] = {name.data(), verb.data(), place.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = 0;
  const int failure = posix_spawn(&pid, host.program.c_str(), &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure == 0) return pid;
  return Error(ErrorCode::kUnavailable, "cannot start the supervisor " + host.program).cause(std::strerror(failure));
}

void end_supervisor(pid_t pid) {
  ::kill(pid, SIGKILL);  // our child, not reaped: the pid is its own
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {}
}

Status hand_over(int socket, const internal::Order& order) {
  const Error silent(ErrorCode::kUnavailable, "the supervisor of the run " + order.run + " ended before it was ready");
  const base::Secret bytes = internal::encode(order);
  if (bytes.reveal().size() > kOrderBytesMax)
    return Error(ErrorCode::kConfig, "arguments and environment of the run " + order.run + " have more than " +
                                         std::to_string(kOrderBytesMax) + " bytes");
  char answer = 0;
  if (!internal::send_order(socket, bytes) || !internal::receive_all(socket, &answer, 1)) return silent;
  if (answer != internal::kReady) {
    std::string text(kDetailBytesMax, '\0');
    const ssize_t count = ::recv(socket, text.data(), text.size(), MSG_WAITALL);
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return Error(ErrorCode::kUnavailable, "the supervisor of the run " + order.run + " cannot begin")
        .cause(internal::one_line(text));
  }
  const char go = internal::kGo;
  return internal::send_all(socket, std::string_view(&go, 1)) ? ok() : Status(silent);
}

// A handle of the supervisor, when it lives or was not reaped yet.
Descriptor open_supervisor(const SupervisorState& state) {
  Descriptor handle = internal::open_process(state.process.pid);
  if (!handle || state.boot != internal::boot_id()) return Descriptor();
  const auto now = internal::look_up(state.process.pid);  // after the handle: what it holds cannot change any more
  return now && now->id == state.process ? std::move(handle) : Descriptor();
}

bool has_ended(const Descriptor& supervisor) {
  pollfd ended{supervisor.get(), POLLIN, 0};
  return !supervisor || ::poll(&ended, 1, 0) > 0;
}

// The run of a killed supervisor: ends what is left, and records that.
Result<Outcome> end_lost(const std::string& folder, const SupervisorState& lost, const base::Clock& clock) {
  TRY(const int killed,
      internal::kill_marked(
          {std::string(kRunVariable) + "=" + lost.run, std::string(kFolderVariable) + "=" + lost.folder}, clock));
  Outcome outcome;
  outcome.reason = EndReason::kSupervisorLost;
  outcome.ended_micros = clock.wall_micros();
  outcome.detail = "its supervisor was killed; " + std::to_string(killed) + " processes that were left were killed";
  TRY_STATUS(internal::write_durably(folder, internal::kRecordFile, internal::encode(outcome)));
  return outcome;
}

// Folders whose rights the command took away.
void open_up(const std::filesystem::path& folder) {
  std::error_code error;
  ::chmod(folder.c_str(), 0700);
  std::filesystem::directory_iterator at(folder, error), end;
  for (; !error && at != end; at.increment(error))
    if (at->symlink_status(error).type() == std::filesystem::file_type::directory) open_up(at->path());
}

Status remove_all(const std::string& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (error) {
    open_up(folder);
    std::filesystem::remove_all(folder, error);
  }
  if (error) return Error(ErrorCode::kUnavailable, "cannot remove " + folder).cause(error.message());
  return ok();
}

// kConflict while the run lives. One of which not even that can be read has ended.
Status check_ended(const std::string& folder) {
  const auto supervisor = internal::read_supervisor(folder);
  if (supervisor && *supervisor && !has_ended(open_supervisor(**supervisor)))
    return Error(ErrorCode::kConflict, "the run in " + folder + " lives; stop it before its folder is removed");
  return ok();
}

}  // namespace

struct Run::State {
  std::string folder;
  const base::Clock& clock;
  SupervisorState supervisor;
  Descriptor handle;      // a pidfd; none when the supervisor was known to have ended
  Descriptor lease;       // the socket, when the run dies with its parent
  bool has_term = false;  // lease_until
  std::optional<Outcome> outcome;

  // Fails for a supervisor that was started by another process: it is not ours to reap.
  void reap() const {
    siginfo_t unused{};
    if (handle) ::waitid(P_PIDFD, static_cast<id_t>(handle.get()), &unused, WEXITED | WNOHANG);
  }
  Status signal(int number) const {
    if (!handle || internal::signal_process(handle, number) || errno == ESRCH) return ok();
    return system_error("cannot signal the supervisor of", folder);
  }
};

Run::Run(std::unique_ptr<State> state) : state_(std::move(state)) {}
Run::Run(Run&&) noexcept = default;
Run& Run::operator=(Run&&) noexcept = default;
Run::~Run() {
  if (state_ != nullptr && !state_->outcome) state_->reap();
}

const std::string& Run::folder() const { return state_->folder; }
int Run::supervisor_pid() const { return state_->handle ? state_->supervisor.process.pid : 0; }
Status Run::stop() const { return state_->signal(SIGTERM); }
Status Run::kill() const { return state_->signal(SIGUSR1); }

Status Run::renew(base::SteadyTime until) const {
  if (!state_->lease || !state_->has_term)
    return Error(ErrorCode::kConflict,
                 "the run " + state_->supervisor.run + " has no lease that could be renewed here");
  const internal::Renewal renewal = internal::encode_renewal(until);
  const std::string_view bytes(reinterpret_cast<const char*>(&renewal), sizeof renewal);
  // Its end is `wait`'s to tell.
  if (internal::send_at_once(state_->lease.get(), bytes) || errno == EPIPE || errno == ECONNRESET) return ok();
  return system_error("cannot renew the lease of", state_->folder);
}

Result<Outcome> Run::wait(base::Deadline deadline) {
  while (!state_->outcome) {
    pollfd ended{state_->handle.get(), POLLIN, 0};
    const int millis = static_cast<int>(state_->clock.left(deadline).count());
    const int ready = state_->handle ? ::poll(&ended, 1, millis) : 1;
    if (ready <= 0) {
      if (state_->clock.is_past(deadline))
        return Error(ErrorCode::kTimeout, "the run " + state_->supervisor.run + " has not ended yet");
      continue;
    }
    state_->reap();
    TRY(state_->outcome, internal::read_outcome(state_->folder));
    if (!state_->outcome) {
      TRY(state_->outcome, end_lost(state_->folder, state_->supervisor, state_->clock));
    }
  }
  return *state_->outcome;
}

Result<Run> start(const CommandSpec& spec, const std::string& folder, const Host& host) {
  TRY_STATUS(check_spec(spec, folder));
  if (::mkdir(folder.c_str(), 0700) != 0) return system_error("cannot make the folder", folder);
  const auto give_up = [&](Error error) {
    std::error_code ignored;  // the first error is the one that tells
    std::filesystem::remove_all(folder, ignored);
    return error;
  };
  if (Status made = make_folders(spec, folder); !made) return give_up(std::move(made.error()));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return give_up(system_error("cannot make a socket for", folder));
  auto state = std::unique_ptr<Run::State>(new Run::State{folder, host.clock});
  state->lease.reset(ends[0]);
  Descriptor theirs(ends[1]);
  const timeval patience{kStartMax.count(), 0};
  ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  Result<pid_t> pid = spawn_supervisor(host, folder, theirs.get());
  theirs.reset();
  if (!pid) return give_up(std::move(pid.error()));
  state->supervisor = SupervisorState{{*pid, 0}, "", spec.environment.at(kRunVariable), folder};
  state->handle = internal::open_process(*pid);
  Status handed = state->handle ? hand_over(state->lease.get(), make_order(spec, folder, host))
                                : Status(system_error("cannot watch the supervisor of", folder));
  if (!handed) {
    end_supervisor(*pid);
    state->handle.reset();
    return give_up(std::move(handed.error()));
  }
  if (!spec.dies_with_parent) state->lease.reset();
  state->has_term = !spec.lease_until.is_never();
  return Run(std::move(state));
}

Result<Run> adopt(const std::string& folder, const Host& host) {
  TRY(const auto supervisor, internal::read_supervisor(folder));
  if (!supervisor) return Error(ErrorCode::kNotFound, "nothing was started in " + folder);
  auto state = std::unique_ptr<Run::State>(new Run::State{folder, host.clock, *supervisor});
  state->handle = open_supervisor(*supervisor);
  if (!has_ended(state->handle)) return Run(std::move(state));
  state->reap();  // what an earlier Run of this process left
  state->handle.reset();
  TRY(state->outcome, internal::read_outcome(folder));
  if (!state->outcome) {
    TRY(state->outcome, end_lost(folder, *supervisor, host.clock));
  }
  return Run(std::move(state));
}

bool was_started(const std::string& folder) {
  const auto supervisor = internal::read_supervisor(folder);
  return !supervisor || *supervisor;
}

Result<std::string> read_output(const std::string& folder, std::size_t bytes_max) {
  return internal::read_output_files(folder, bytes_max);
}

Result<OutputPiece> read_output_from(const std::string& folder, std::uint64_t offset, std::size_t bytes_max) {
  return internal::read_output_from(folder, offset, bytes_max);
}

Status remove_work(const std::string& folder) {
  TRY_STATUS(check_ended(folder));
  return remove_all(folder + "/" + kWorkFolder);
}

Status remove(const std::string& folder) {
  TRY_STATUS(check_ended(folder));
  return remove_all(folder);
}

}  // namespace flytt::commands
