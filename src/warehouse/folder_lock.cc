#include "warehouse/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>

#include <nlohmann/json.hpp>

#include "warehouse/limits.h"

namespace flytt::warehouse {

namespace {

Error failed(const std::string& what, const std::string& path) {
  const int code = errno;
  return Error(code == EACCES || code == EPERM ? ErrorCode::kAuth : ErrorCode::kUnavailable, what + " " + path)
      .cause(std::strerror(code));
}

std::string lock_path(const std::string& folder) { return folder + "/LOCK"; }

Status prepare_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed("cannot make the folder", folder);
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) return failed("cannot read the folder", folder);
  if (!S_ISDIR(facts.st_mode)) return Error(ErrorCode::kConfig, folder + " is not a folder");
  if ((facts.st_mode & 077) != 0)
    return Error(ErrorCode::kAuth,
                 "the folder " + folder + " can be read by others; make it yours alone: chmod 700 " + folder);
  return ok();
}

Result<std::string> read_all(int file, const std::string& path) {
  std::string text(kLockFileBytesMax, '\0');
  const ssize_t count = ::pread(file, text.data(), text.size(), 0);
  if (count < 0) return failed("cannot read", path);
  text.resize(static_cast<std::size_t>(count));
  return text;
}

// nullopt when the text is not that of a lock file: its holder has not written it yet.
std::optional<FolderHolder> parse(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  FolderHolder holder;
  if (const auto at = json.find("pid"); at != json.end() && at->is_number_integer())
    holder.pid = at->get<std::int64_t>();
  if (const auto at = json.find("verb"); at != json.end() && at->is_string()) holder.verb = at->get<std::string>();
  if (const auto at = json.find("started_micros"); at != json.end() && at->is_number_integer())
    holder.started_micros = at->get<std::int64_t>();
  if (const auto at = json.find("endpoints"); at != json.end() && at->is_object()) {
    for (const auto& [name, value] : at->items())
      if (value.is_string()) holder.endpoints[name] = value.get<std::string>();
  }
  return holder;
}

}  // namespace

struct FolderLock::State {
  std::string folder;
  int file = -1;
  FolderHolder self;
  std::size_t written = 0;  // length of the file
  std::mutex mutex;

  ~State() {
    if (file >= 0) ::close(file);  // lets the lock go
  }

  Status write() {
    const nlohmann::json json{{"format", 1},
                              {"pid", self.pid},
                              {"verb", self.verb},
                              {"started_micros", self.started_micros},
                              {"endpoints", self.endpoints}};
    const std::string text = json.dump() + "\n";
    // One write of a whole document padded with spaces: a reader never sees half of one.
    std::string padded = text;
    padded.resize(std::max(text.size(), written), ' ');
    if (::pwrite(file, padded.data(), padded.size(), 0) != static_cast<ssize_t>(padded.size()))
      return failed("cannot write", lock_path(folder));
    written = padded.size();
    return ok();
  }
};

FolderLock::FolderLock(std::unique_ptr<State> state) : state_(std::move(state)) {}
FolderLock::FolderLock(FolderLock&&) noexcept = default;
FolderLock& FolderLock::operator=(FolderLock&&) noexcept = default;
FolderLock::~FolderLock() = default;

Result<FolderLock> FolderLock::acquire(const std::string& folder, const std::string& verb, const base::Clock& clock,
                                       base::Deadline deadline) {
  TRY_STATUS(prepare_folder(folder));
  auto state = std::make_unique<State>();
  state->folder = folder;
  state->file = ::open(lock_path(folder).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (state->file < 0) return failed("cannot open", lock_path(folder));
  // flock has no timed form: it is asked again every kLockPollMillis.
  std::mutex unused;
  std::condition_variable pause;
  while (::flock(state->file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed("cannot lock", lock_path(folder));
    if (clock.is_past(deadline)) {
      TRY(const std::string text, read_all(state->file, lock_path(folder)));
      const auto holder = parse(text);
      const std::string who = holder && holder->pid != 0
                                  ? "process " + std::to_string(holder->pid) + " (flytt " + holder->verb + ")"
                                  : "another process";
      return Error(ErrorCode::kConflict,
                   "the warehouse folder " + folder + " is in use by " + who + "; stop it, or use another folder")
          .retry(base::Retry::kAfterOperator);
    }
    std::unique_lock lock(unused);
    pause.wait_for(lock, std::min(clock.left(deadline), std::chrono::milliseconds(kLockPollMillis)));
  }
  struct stat facts {};
  if (::fstat(state->file, &facts) == 0) state->written = static_cast<std::size_t>(facts.st_size);
  state->self = FolderHolder{::getpid(), verb, clock.wall_micros(), {}};
  TRY_STATUS(state->write());
  return FolderLock(std::move(state));
}

Status FolderLock::set_endpoints(const std::map<std::string, std::string>& endpoints) {
  std::lock_guard lock(state_->mutex);
  state_->self.endpoints = endpoints;
  return state_->write();
}

const std::string& FolderLock::folder() const { return state_->folder; }

Result<std::optional<FolderHolder>> read_holder(const std::string& folder) {
  const int file = ::open(lock_path(folder).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    if (errno == ENOENT) return std::optional<FolderHolder>();
    return failed("cannot open", lock_path(folder));
  }
  if (::flock(file, LOCK_SH | LOCK_NB) == 0) {
    ::close(file);
    return std::optional<FolderHolder>();
  }
  Result<std::string> text = read_all(file, lock_path(folder));
  ::close(file);
  if (!text) return std::move(text.error());
  // A holder that has only just locked has not told its name yet.
  return std::optional<FolderHolder>(parse(*text).value_or(FolderHolder{}));
}

}  // namespace flytt::warehouse
