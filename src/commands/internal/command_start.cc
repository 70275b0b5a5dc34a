#include "commands/internal/command_start.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

#include "commands/internal/record.h"

namespace flytt::commands::internal {

namespace {

enum class Step : int { kFolder, kLimits, kExecute };
struct Failure {
  Step step;
  int code;
};

bool make_pipe(Descriptor& read_end, Descriptor& write_end, int flags) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  read_end.reset(ends[0]);
  write_end.reset(ends[1]);
  return ::fcntl(ends[0], F_SETFL, flags) == 0;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Not execvp: it gives a file without a "#!" line to a shell, and it looks into the supervisor's PATH.
std::vector<std::string> candidates(const Order& order, const std::vector<std::string>& environment) {
  if (order.program.find('/') != std::string::npos) return {order.program};
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& variable : environment)
    if (variable.compare(0, 5, "PATH=") == 0) path = variable.substr(5);
  std::vector<std::string> found;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    if (end > at) found.push_back(path.substr(at, end - at) + "/" + order.program);
    at = end + 1;
  }
  return found;
}

bool limit(__rlimit_resource resource, std::uint64_t most, std::uint64_t room) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return false;
  if (most > now.rlim_max) most = now.rlim_max;  // nobody may raise it
  const rlim_t hard = now.rlim_max - most < room ? now.rlim_max : most + room;
  const rlimit wanted{most, hard};
  return ::setrlimit(resource, &wanted) == 0;
}

bool set_limits(const CommandLimits& limits) {
  return (limits.memory_bytes_max == 0 || limit(RLIMIT_DATA, limits.memory_bytes_max, 0)) &&
         (limits.cpu_seconds_max == 0 || limit(RLIMIT_CPU, limits.cpu_seconds_max, 1)) &&
         (limits.open_files_max == 0 || limit(RLIMIT_NOFILE, limits.open_files_max, 0));
}

// In the child. Returns only to say what failed.
Failure become(const Order& order, int output, int error, pid_t supervisor) {
  std::vector<std::string> environment, arguments{order.program};
  for (const base::Secret& variable : order.environment) environment.push_back(variable.reveal());
  arguments.insert(arguments.end(), order.arguments.begin(), order.arguments.end());
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(1);  // it died before the line above
  if (::dup2(output, STDOUT_FILENO) < 0 || ::dup2(error, STDERR_FILENO) < 0) return {Step::kExecute, errno};
  if (::chdir(order.working_folder.c_str()) != 0) return {Step::kFolder, errno};
  const std::vector<std::string> places = candidates(order, environment);
  const std::vector<char*> variables = pointers_to(environment), words = pointers_to(arguments);
  if (!set_limits(order.limits)) return {Step::kLimits, errno};
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int code = ENOENT;
  for (const std::string& place : places) {
    ::execve(place.c_str(), words.data(), variables.data());
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return {Step::kExecute, errno};
    if (errno == EACCES || code != EACCES) code = errno;
  }
  return {Step::kExecute, code};
}

}  // namespace

Result<StartedCommand> start_command(const Order& order) {
  StartedCommand command;
  Descriptor output, error, failure;
  if (!make_pipe(command.standard_output, output, O_NONBLOCK) ||
      !make_pipe(command.standard_error, error, O_NONBLOCK) || !make_pipe(command.failure, failure, O_NONBLOCK))
    return system_error("cannot make pipes for", one_line(order.program));
  const pid_t supervisor = ::getpid();
  command.pid = ::fork();
  if (command.pid < 0) return system_error("cannot make a process for", one_line(order.program));
  if (command.pid == 0) {
    const Failure failed = become(order, output.get(), error.get(), supervisor);
    const bool told = ::write(failure.get(), &failed, sizeof failed) == sizeof failed;
    ::_exit(told ? 127 : 126);
  }
  return command;
}

std::string start_failure(const StartedCommand& command, const Order& order) {
  Failure failed{};
  if (::read(command.failure.get(), &failed, sizeof failed) != sizeof failed) return {};
  const std::string what = failed.step == Step::kFolder   ? "cannot enter the working folder " + order.working_folder
                           : failed.step == Step::kLimits ? "cannot set the limits of " + order.program
                                                          : "cannot execute " + order.program;
  return what + ": " + std::strerror(failed.code);
}

}  // namespace flytt::commands::internal
