#pragma once
// The two text files of a run's folder: who supervises it, and how it ended. Lines of key=value, the first is format=1. The
// command may write into the folder, so what is read is checked.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "commands/command.h"
#include "commands/internal/descriptor.h"
#include "commands/internal/processes.h"

namespace flytt::commands::internal {

inline constexpr const char* kSupervisorFile = "supervisor";
inline constexpr const char* kRecordFile = "record";

struct SupervisorState {
  ProcessId process;
  std::string boot;    // boot_id of the kernel: pids and ticks mean something within one boot only
  std::string run;     // FLYTT_RUN
  std::string folder;  // FLYTT_RUN_FOLDER: the run's folder as its owner spelled it
};

std::string encode(const SupervisorState& state);
std::string encode(const Outcome& outcome);
// kCorrupt, with a sentence that holds nothing of the text.
Result<SupervisorState> parse_supervisor(std::string_view text);
Result<Outcome> parse_outcome(std::string_view text);

// nullopt when the folder has no such file.
Result<std::optional<SupervisorState>> read_supervisor(const std::string& folder);
Result<std::optional<Outcome>> read_outcome(const std::string& folder);

// Makes a file that others see whole or not at all, and that survives a crash of the machine once `publish` returned ok.
// `reserve` takes kRecordBytesReserved bytes of disk, so that `publish` of a shorter text needs none.
class DurableFile {
 public:
  static Result<DurableFile> reserve(const std::string& folder, const std::string& name);
  Status publish(std::string_view text);

 private:
  DurableFile(std::string folder, std::string name, Descriptor file)
      : folder_(std::move(folder)), name_(std::move(name)), file_(std::move(file)) {}
  std::string folder_, name_;
  Descriptor file_;
};
Status write_durably(const std::string& folder, const std::string& name, std::string_view text);

bool is_run_id(std::string_view text);  // [A-Za-z0-9_.-]{1,200}
std::string boot_id();
// One line that a record can hold.
std::string one_line(std::string_view text);
// kAuth, kConflict, kNotFound or kUnavailable, by errno.
Error system_error(const std::string& what, const std::string& path);

}  // namespace flytt::commands::internal
