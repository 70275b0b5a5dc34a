#pragma once
// What an error repeats from a text of the configuration.

#include <string>
#include <string_view>

#include "scheduler/limits.h"

namespace flytt::scheduler::internal {

// At most kQuotedBytesMax bytes; what is no printable ASCII is shown as '?'.
inline std::string printable(std::string_view text) {
  std::string shown(text.substr(0, kQuotedBytesMax));
  for (char& c : shown)
    if (c < 0x20 || c > 0x7E) c = '?';
  return text.size() > kQuotedBytesMax ? shown + "…" : shown;
}

}  // namespace flytt::scheduler::internal
