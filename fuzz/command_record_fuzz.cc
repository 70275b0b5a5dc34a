// The files in a run's folder, which its command can write into, and /proc's line of a process, whose name anybody chooses.
// What is taken is written again the same; what is refused says so without the text.
//
// Input: a byte that chooses the parser; the text.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "commands/internal/processes.h"
#include "commands/internal/record.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

template <typename T>
void same_again(const flytt::Result<T>& parsed, flytt::Result<T> (*parse)(std::string_view)) {
  if (!parsed) {
    require(!parsed.error().sentence().empty() && parsed.error().sentence().size() < 100);
    return;
  }
  const std::string text = flytt::commands::internal::encode(*parsed);
  const auto again = parse(text);
  require(again.has_value() && flytt::commands::internal::encode(*again) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flytt::commands::internal;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 3 == 0) same_again(parse_outcome(text), &parse_outcome);
  if (data[0] % 3 == 1) same_again(parse_supervisor(text), &parse_supervisor);
  if (data[0] % 3 == 2) parse_stat(text);
  return 0;
}
