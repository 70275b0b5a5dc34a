#include "googlesql/internal/helper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "googlesql/internal/helper_image.h"
#include "googlesql/limits.h"

namespace flytt::googlesql::internal {
namespace {

constexpr int kControlFdInHelper = 3;
constexpr int kFdsAboveControl = 10;  // our own ends lie above, so that dup2 onto 3 cannot hit them
constexpr std::size_t kRecordBytesMax = 2048;

Error system_error(const char* sentence) { return Error(ErrorCode::kUnavailable, sentence).cause(strerror(errno)); }

struct Fd {
  int value = -1;
  explicit Fd(int v) : value(v) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (value >= 0) close(value);
  }
  int release() { return std::exchange(value, -1); }
};

int lift(int fd) {
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, kFdsAboveControl);
  close(fd);
  return high;
}

// An anonymous file with the helper program.
Result<int> helper_file() {
  const int low = memfd_create("googlesql_helper", MFD_CLOEXEC);
  if (low < 0) return system_error("the SQL analyzer's helper cannot be started: no memory file");
  Fd file(lift(low));
  std::string_view rest = helper_image();
  while (!rest.empty()) {
    const ssize_t size = write(file.value, rest.data(), rest.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return system_error("the SQL analyzer's helper cannot be started: memory file not writable");
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  return file.release();
}

struct Record {
  std::string text;  // first byte is the kind
  int fd = -1;
};

// Waits for one record; an end of the connection is kUnavailable.
Result<Record> receive(int control, int millis_max) {
  pollfd wait{control, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&wait, 1, millis_max);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return Error(ErrorCode::kUnavailable, "the SQL analyzer's helper does not answer");
  Record record;
  record.text.resize(kRecordBytesMax);
  iovec part{record.text.data(), record.text.size()};
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary;
  message.msg_controllen = sizeof(ancillary);
  const ssize_t size = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) return Error(ErrorCode::kUnavailable, "the SQL analyzer's helper ended unexpectedly");
  record.text.resize(static_cast<std::size_t>(size));
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
    memcpy(&record.fd, CMSG_DATA(header), sizeof(int));
  return record;
}

Result<pid_t> spawn(int program, int control, const std::string& library_path) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, control, kControlFdInHelper);
  // Its own process group: a terminal's Ctrl-C must not take it away while we drain.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  const std::string path = "/proc/self/fd/" + std::to_string(program);
  std::string name = "googlesql_helper", library = library_path;
  char* arguments[] = {name.data(), library.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = 0;
  const int failure = posix_spawn(&pid, path.c_str(), &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure != 0)
    return Error(ErrorCode::kUnavailable, "the SQL analyzer's helper cannot be started").cause(strerror(failure));
  return pid;
}

}  // namespace

Result<std::unique_ptr<HelperProcess>> HelperProcess::start(const std::string& library_path) {
  if (access(library_path.c_str(), R_OK) != 0) {
    return Error(ErrorCode::kConfig, "the SQL analyzer library " + library_path +
                                         " cannot be read; it belongs into lib/ beside the flytt program")
        .cause(strerror(errno));
  }
  TRY(const int program, helper_file());
  Fd program_fd(program);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return system_error("the SQL analyzer's helper cannot be started: no socket");
  Fd ours(lift(pair[0])), theirs(lift(pair[1]));
  TRY(const pid_t pid, spawn(program_fd.value, theirs.value, library_path));
  std::unique_ptr<HelperProcess> helper(new HelperProcess(pid, ours.release()));
  close(theirs.release());  // so that the helper's end shows as the end of the connection
  TRY(const Record ready, receive(helper->control_, kHelperStartMillisMax));
  if (ready.text != "R")
    return Error(ErrorCode::kConfig, "the SQL analyzer library " + library_path + " does not work")
        .cause(ready.text.substr(1));
  return helper;
}

HelperProcess::~HelperProcess() {
  kill();
  close(control_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
}

void HelperProcess::kill() const { ::kill(pid_, SIGKILL); }

Result<int> HelperProcess::connect() {
  if (send(control_, "C", 1, MSG_NOSIGNAL) != 1) return system_error("the SQL analyzer's helper is gone");
  TRY(const Record answer, receive(control_, kHelperConnectMillisMax));
  if (answer.text != "F" || answer.fd < 0)
    return Error(ErrorCode::kUnavailable, "the SQL analyzer's helper gave no connection").cause(answer.text.substr(1));
  return answer.fd;
}

}  // namespace flytt::googlesql::internal
