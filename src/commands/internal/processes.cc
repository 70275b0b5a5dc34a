#include "commands/internal/processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "commands/limits.h"

namespace flytt::commands::internal {

namespace {

template <typename T>
bool read_number(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string read_proc(pid_t pid, const char* name, std::size_t bytes_max) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char part[4096];
  while (file && text.size() < bytes_max) {
    const ssize_t count = ::read(file.get(), part, sizeof part);
    if (count <= 0) break;
    text.append(part, static_cast<std::size_t>(count));
  }
  return text;
}

bool is_marked(pid_t pid, const std::vector<std::string>& entries) {
  constexpr std::size_t kLongest = 8 << 20;  // the kernel allows a quarter of the stack for arguments and environment
  const std::string text = '\0' + read_proc(pid, "environ", kLongest);
  return std::all_of(entries.begin(), entries.end(),
                     [&](const std::string& entry) { return text.find('\0' + entry + '\0') != std::string::npos; });
}

}  // namespace

std::optional<Process> parse_stat(std::string_view text) {
  Process process;
  if (!read_number(text.substr(0, text.find(' ')), process.id.pid)) return std::nullopt;
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(std::min(text.size(), name_end + 2));
  constexpr int kState = 3, kParent = 4, kThreads = 20, kStart = 22;  // numbers of fields in proc(5)
  bool is_zombie = false;
  int threads = 0;
  for (int field = kState; field <= kStart; ++field) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (word.empty()) return std::nullopt;
    if (field == kState) is_zombie = word == "Z" || word == "X";
    if (field == kParent && !read_number(word, process.parent)) return std::nullopt;
    if (field == kThreads && !read_number(word, threads)) return std::nullopt;
    if (field == kStart && !read_number(word, process.id.start_ticks)) return std::nullopt;
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  // A process whose first thread has ended looks like a zombie while its other threads go on.
  process.is_alive = !is_zombie || threads > 1;
  return process;
}

std::optional<Process> look_up(pid_t pid) { return parse_stat(read_proc(pid, "stat", 4096)); }

std::vector<Process> all_processes() {
  std::vector<Process> all;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    pid_t pid = 0;
    if (!read_number(std::string_view(at->path().filename().native()), pid)) continue;
    if (const auto process = look_up(pid)) all.push_back(*process);
  }
  return all;
}

Descriptor open_process(pid_t pid) { return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool signal_process(const Descriptor& process, int signal) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

std::vector<ProcessId> descendants_of(const std::set<pid_t>& roots, const std::vector<Process>& all) {
  std::multimap<pid_t, const Process*> children;
  for (const Process& process : all) children.emplace(process.parent, &process);
  std::vector<ProcessId> found;
  std::set<pid_t> seen = roots;
  std::vector<pid_t> open(roots.begin(), roots.end());
  while (!open.empty()) {
    const auto [first, last] = children.equal_range(open.back());
    open.pop_back();
    for (auto at = first; at != last; ++at) {
      const Process& child = *at->second;
      if (!seen.insert(child.id.pid).second) continue;
      open.push_back(child.id.pid);
      if (child.is_alive) found.push_back(child.id);
    }
  }
  return found;
}

bool send_signal(ProcessId process, int signal) {
  const Descriptor handle = open_process(process.pid);
  if (!handle) return false;
  const auto now = look_up(process.pid);  // after the handle: what it holds cannot change any more
  return now && now->id == process && signal_process(handle, signal);
}

Result<int> kill_marked(const std::vector<std::string>& entries, const base::Clock& clock) {
  const base::Deadline deadline = clock.in(kTreeEndMax);
  std::set<ProcessId> killed;
  for (;;) {
    const std::vector<Process> all = all_processes();
    std::set<ProcessId> tree;
    std::set<pid_t> roots;
    for (const Process& process : all) {
      const bool was_killed = killed.count(process.id) != 0;
      if (!process.is_alive || (!was_killed && !is_marked(process.id.pid, entries))) continue;
      tree.insert(process.id);
      roots.insert(process.id.pid);
    }
    for (const ProcessId& below : descendants_of(roots, all)) tree.insert(below);
    std::erase_if(tree, [](const ProcessId& process) { return process.pid == ::getpid(); });
    if (tree.empty()) return static_cast<int>(killed.size());
    if (clock.is_past(deadline))
      return Error(ErrorCode::kTimeout, std::to_string(tree.size()) + " processes do not end after SIGKILL");
    for (const ProcessId& process : tree) {
      const Descriptor handle = open_process(process.pid);
      if (!send_signal(process, SIGKILL)) continue;
      killed.insert(process);
      pollfd ended{handle.get(), POLLIN, 0};
      ::poll(&ended, 1, static_cast<int>(kKillRound.count()));
    }
  }
}

}  // namespace flytt::commands::internal
