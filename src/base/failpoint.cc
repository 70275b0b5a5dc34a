#include "base/failpoint.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <mutex>
#include <string>

namespace flytt::base {

std::atomic<bool> failpoints_armed{false};

namespace {

enum class Action { kKill, kError, kPause };
struct Armed {
  Action action;
  std::uint64_t at = 0;  // 0 = every passage, n = only the n-th
  std::uint64_t passed = 0;
};

std::mutex failpoints_mutex;
std::map<std::string, Armed, std::less<>> failpoints;
std::string gate_path;

Result<Armed> parse_action(std::string_view text) {
  Armed armed{Action::kKill};
  if (const auto at = text.find('@'); at != text.npos) {
    const std::string_view number = text.substr(at + 1);
    const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), armed.at);
    if (failure != std::errc() || end != number.data() + number.size() || armed.at == 0)
      return Error(ErrorCode::kConfig, "FLYTT_FAILPOINTS: the number after @ must be 1 or more");
    text = text.substr(0, at);
  }
  if (text == "kill")
    armed.action = Action::kKill;
  else if (text == "error")
    armed.action = Action::kError;
  else if (text == "pause")
    armed.action = Action::kPause;
  else
    return Error(ErrorCode::kConfig,
                 "FLYTT_FAILPOINTS: unknown action '" + std::string(text) + "'; use kill, error or pause");
  return armed;
}

}  // namespace

Status arm_failpoints(std::string_view specification, std::string_view gate_file) {
  std::lock_guard lock(failpoints_mutex);
  gate_path = gate_file;
  while (!specification.empty()) {
    const auto semicolon = specification.find(';');
    const std::string_view item = specification.substr(0, semicolon);
    specification = semicolon == specification.npos ? std::string_view{} : specification.substr(semicolon + 1);
    const auto equals = item.find('=');
    if (equals == item.npos) return Error(ErrorCode::kConfig, "FLYTT_FAILPOINTS: expected name=action");
    TRY(Armed armed, parse_action(item.substr(equals + 1)));
    failpoints.insert_or_assign(std::string(item.substr(0, equals)), armed);
  }
  failpoints_armed.store(!failpoints.empty(), std::memory_order_relaxed);
  return ok();
}

std::optional<Error> pass_failpoint(const char* name) {
  Action action;
  {
    std::lock_guard lock(failpoints_mutex);
    const auto found = failpoints.find(std::string_view(name));
    if (found == failpoints.end()) return std::nullopt;
    Armed& armed = found->second;
    ++armed.passed;
    if (armed.at != 0 && armed.passed != armed.at) return std::nullopt;
    action = armed.action;
  }
  switch (action) {
    case Action::kKill: ::kill(::getpid(), SIGKILL); break;
    case Action::kPause:
      while (::access(gate_path.c_str(), F_OK) != 0) ::poll(nullptr, 0, 5);
      break;
    case Action::kError: return Error(ErrorCode::kUnavailable, "failpoint " + std::string(name));
  }
  return std::nullopt;
}

}  // namespace flytt::base
