#include "commands/internal/record.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>

#include "commands/limits.h"

namespace flytt::commands::internal {

namespace {

constexpr EndReason kReasons[] = {EndReason::kEnded,         EndReason::kTimedOut,   EndReason::kStopped,
                                  EndReason::kLeaseLost,     EndReason::kOutOfSpace, EndReason::kCouldNotStart,
                                  EndReason::kSupervisorLost};

Error corrupt(const std::string& what) { return Error(ErrorCode::kCorrupt, what); }

// The lines of a file of this module.
class Lines {
 public:
  static Result<Lines> parse(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      const std::size_t equals = line.find('=');
      if (end == std::string_view::npos || equals == std::string_view::npos || equals == 0)
        return corrupt("a line is not key=value");
      if (!lines.values_.emplace(line.substr(0, equals), line.substr(equals + 1)).second)
        return corrupt("a key is there twice");
      text.remove_prefix(end + 1);
    }
    TRY(const auto format, lines.number<int>("format"));
    if (format != 1) return Error(ErrorCode::kUnsupported, "its format is newer than this program");
    return lines;
  }

  bool has(std::string_view key) const { return values_.count(key) != 0; }
  Result<std::string> text(std::string_view key) const {
    const auto at = values_.find(key);
    if (at == values_.end()) return corrupt("it has no key " + std::string(key));
    return std::string(at->second);
  }
  template <typename T>
  Result<T> number(std::string_view key) const {
    TRY(const std::string word, text(key));
    T value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || value < 0)
      return corrupt("the value of " + std::string(key) + " is no number of its range");
    return value;
  }

 private:
  std::map<std::string_view, std::string_view, std::less<>> values_;
};

Result<std::optional<std::string>> read_text(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::optional<std::string>();
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0) return system_error("cannot read", path);
  std::string text(kTextFileBytesMax + 1, '\0');
  const ssize_t count = S_ISREG(facts.st_mode) ? ::pread(file.get(), text.data(), text.size(), 0) : 0;
  if (count < 0) return system_error("cannot read", path);
  text.resize(static_cast<std::size_t>(count));
  if (text.empty() || text.size() > kTextFileBytesMax) return corrupt(path + " is not a file of a run");
  return std::optional<std::string>(std::move(text));
}

template <typename T>
Result<std::optional<T>> read_parsed(const std::string& path, Result<T> (*parse)(std::string_view)) {
  TRY(const auto text, read_text(path));
  if (!text) return std::optional<T>();
  Result<T> parsed = parse(*text);
  if (!parsed) return std::move(parsed.error()).within("while reading " + path);
  return std::optional<T>(std::move(parsed).value());
}

}  // namespace

Error system_error(const std::string& what, const std::string& path) {
  const int code = errno;
  const auto kind = code == EACCES || code == EPERM ? ErrorCode::kAuth
                    : code == EEXIST                ? ErrorCode::kConflict
                    : code == ENOENT                ? ErrorCode::kNotFound
                                                    : ErrorCode::kUnavailable;
  return Error(kind, what + " " + path).cause(std::strerror(code));
}

std::string one_line(std::string_view text) {
  std::string line(text.substr(0, kDetailBytesMax));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  return line;
}

bool is_run_id(std::string_view text) {
  constexpr std::size_t kLongest = 200;
  return !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

std::string boot_id() {
  const Descriptor file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char text[36];
  return file && ::read(file.get(), text, sizeof text) == sizeof text ? std::string(text, sizeof text) : "unknown";
}

std::string encode(const SupervisorState& state) {
  return "format=1\npid=" + std::to_string(state.process.pid) +
         "\nstart_ticks=" + std::to_string(state.process.start_ticks) + "\nboot=" + state.boot + "\nrun=" + state.run +
         "\nfolder=" + state.folder + "\n";
}

std::string encode(const Outcome& outcome) {
  std::string text = "format=1\nreason=" + std::string(to_string(outcome.reason)) + "\n";
  const auto add = [&](const char* key, auto value) { text += std::string(key) + "=" + std::to_string(value) + "\n"; };
  if (outcome.exit_code) add("exit_code", *outcome.exit_code);
  if (outcome.signal) add("signal", *outcome.signal);
  add("started_micros", outcome.started_micros);
  add("ended_micros", outcome.ended_micros);
  add("peak_rss_bytes", outcome.peak_rss_bytes);
  add("output_bytes_seen", outcome.output_bytes_seen);
  add("output_bytes_kept", outcome.output_bytes_kept);
  add("processes_left", outcome.processes_left);
  return text + "detail=" + one_line(outcome.detail) + "\n";
}

Result<SupervisorState> parse_supervisor(std::string_view text) {
  TRY(const Lines lines, Lines::parse(text));
  SupervisorState state;
  TRY(state.process.pid, lines.number<pid_t>("pid"));
  TRY(state.process.start_ticks, lines.number<std::uint64_t>("start_ticks"));
  TRY(state.boot, lines.text("boot"));
  TRY(state.run, lines.text("run"));
  TRY(state.folder, lines.text("folder"));
  if (!is_run_id(state.run) || state.process.pid == 0) return corrupt("its run or pid cannot be");
  return state;
}

Result<Outcome> parse_outcome(std::string_view text) {
  TRY(const Lines lines, Lines::parse(text));
  TRY(const std::string reason, lines.text("reason"));
  const auto* named =
      std::find_if(std::begin(kReasons), std::end(kReasons), [&](EndReason each) { return to_string(each) == reason; });
  if (named == std::end(kReasons)) return corrupt("its reason is not known");
  Outcome outcome;
  outcome.reason = *named;
  if (lines.has("exit_code")) {
    TRY(outcome.exit_code, lines.number<int>("exit_code"));
  }
  if (lines.has("signal")) {
    TRY(outcome.signal, lines.number<int>("signal"));
  }
  TRY(outcome.started_micros, lines.number<std::int64_t>("started_micros"));
  TRY(outcome.ended_micros, lines.number<std::int64_t>("ended_micros"));
  TRY(outcome.peak_rss_bytes, lines.number<std::uint64_t>("peak_rss_bytes"));
  TRY(outcome.output_bytes_seen, lines.number<std::uint64_t>("output_bytes_seen"));
  TRY(outcome.output_bytes_kept, lines.number<std::uint64_t>("output_bytes_kept"));
  TRY(outcome.processes_left, lines.number<std::uint64_t>("processes_left"));
  TRY(outcome.detail, lines.text("detail"));
  return outcome;
}

Result<std::optional<SupervisorState>> read_supervisor(const std::string& folder) {
  return read_parsed<SupervisorState>(folder + "/" + kSupervisorFile, &parse_supervisor);
}

Result<std::optional<Outcome>> read_outcome(const std::string& folder) {
  return read_parsed<Outcome>(folder + "/" + kRecordFile, &parse_outcome);
}

Result<DurableFile> DurableFile::reserve(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name + ".new";
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  const std::string blank(kRecordBytesReserved, '\n');
  if (!file || ::pwrite(file.get(), blank.data(), blank.size(), 0) != static_cast<ssize_t>(blank.size()) ||
      ::fsync(file.get()) != 0)
    return system_error("cannot write", path);
  return DurableFile(folder, name, std::move(file));
}

Status DurableFile::publish(std::string_view text) {
  const std::string path = folder_ + "/" + name_;
  CHECK(text.size() <= kRecordBytesReserved);
  if (::pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ::ftruncate(file_.get(), static_cast<off_t>(text.size())) != 0 || ::fsync(file_.get()) != 0)
    return system_error("cannot write", path);
  const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::rename((path + ".new").c_str(), path.c_str()) != 0 || ::fsync(folder.get()) != 0)
    return system_error("cannot make durable", path);
  return ok();
}

Status write_durably(const std::string& folder, const std::string& name, std::string_view text) {
  TRY(DurableFile file, DurableFile::reserve(folder, name));
  return file.publish(text);
}

}  // namespace flytt::commands::internal

namespace flytt::commands {

std::string_view to_string(EndReason reason) {
  switch (reason) {
    case EndReason::kEnded: return "ended";
    case EndReason::kTimedOut: return "timed_out";
    case EndReason::kStopped: return "stopped";
    case EndReason::kLeaseLost: return "lease_lost";
    case EndReason::kOutOfSpace: return "out_of_space";
    case EndReason::kCouldNotStart: return "could_not_start";
    case EndReason::kSupervisorLost: return "supervisor_lost";
  }
  return "supervisor_lost";
}

}  // namespace flytt::commands
