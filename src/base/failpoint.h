#pragma once
// Named places where a test can stop or fail the program. They stay in the shipped binary.
//
//   FAILPOINT("warehouse.commit.after");                 // may kill the process
//   FAILPOINT_ERROR("bigquery.append.before");           // may also return an Error from the caller
//
// Armed by FLYTT_FAILPOINTS, read once by `app`: "name=kill@3;other=error" means the third passage of `name` ends
// the process by SIGKILL, and every passage of `other` returns kUnavailable. Actions: kill, error, pause (waits
// until the file named in FLYTT_FAILPOINT_GATE exists). Unarmed cost: one relaxed atomic load.

#include <atomic>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace flytt::base {

extern std::atomic<bool> failpoints_armed;

// Parses the specification; an unknown action is an error. Call once, before threads start.
Status arm_failpoints(std::string_view specification, std::string_view gate_file);
// Takes the action of `name`, if any. Returns an error only for action `error`.
std::optional<Error> pass_failpoint(const char* name);

}  // namespace flytt::base

#define FAILPOINT(name)                                                  \
  do {                                                                   \
    if (::flytt::base::failpoints_armed.load(std::memory_order_relaxed)) \
      static_cast<void>(::flytt::base::pass_failpoint(name));            \
  } while (false)
#define FAILPOINT_ERROR(name)                                                                               \
  do {                                                                                                      \
    if (::flytt::base::failpoints_armed.load(std::memory_order_relaxed)) {                                  \
      if (auto failpoint_error_ = ::flytt::base::pass_failpoint(name)) return std::move(*failpoint_error_); \
    }                                                                                                       \
  } while (false)
