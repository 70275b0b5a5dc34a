#pragma once
// What is kept of a command's output, in bounded space: files `output.<offset>` in the run's folder, whose number is the offset of
// their first byte in all of the output. The first holds the beginning, at most half of the bound; of the rest the newest two
// quarters are kept, so that the older of them can be deleted when a new one begins. A gap between two files is what was left out.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "commands/internal/descriptor.h"
#include "commands/run.h"

namespace flytt::commands::internal {

class OutputFiles {
 public:
  OutputFiles(std::string folder, std::uint64_t bytes_max) : folder_(std::move(folder)), bytes_max_(bytes_max) {}

  // Files end with a whole line where lines are short enough.
  void append(std::string_view text);
  void sync() const;

  std::uint64_t seen() const { return seen_; }
  std::uint64_t kept() const { return kept_; }
  // Nothing is kept after an error (a full disk), but all is counted. Empty: no error.
  const std::string& failure() const { return failure_; }

 private:
  struct Part {
    std::uint64_t offset = 0, bytes = 0;
  };
  std::uint64_t room() const;
  void begin_part();
  void write(std::string_view text);
  std::string path(const Part& part) const { return folder_ + "/output." + std::to_string(part.offset); }

  const std::string folder_;
  const std::uint64_t bytes_max_;
  Descriptor file_;
  std::optional<Part> older_, newer_;  // newer_ is what file_ is
  std::uint64_t seen_ = 0, kept_ = 0;
  std::string failure_;
};

// Makes whole lines of what is read from one pipe; a line longer than kLineBytesMax is taken in parts.
class LineJoiner {
 public:
  void take(std::string_view bytes, OutputFiles& output);
  void flush(OutputFiles& output);  // at the end: a line that was not ended

 private:
  std::string pending_;
};

Result<std::string> read_output_files(const std::string& folder, std::size_t bytes_max);
Result<OutputPiece> read_output_from(const std::string& folder, std::uint64_t offset, std::size_t bytes_max);

}  // namespace flytt::commands::internal
