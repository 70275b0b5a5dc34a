#include "app/internal/session.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "app/internal/destination.h"
#include "app/internal/leader.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "warehouse/folder_lock.h"

namespace flytt::app {

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

std::map<std::string, std::string> command_environment(const Config& config) {
  std::error_code failure;
  std::map<std::string, std::string> found = {
      {"FLYTT_PROGRAM", std::filesystem::read_symlink("/proc/self/exe", failure).string()},
      {"FLYTT_CONFIG", std::filesystem::absolute(config.path, failure).string()}};
  const Environment environment = process_environment();
  for (const std::string& name : commands::CommandSpec().inherited)
    if (const auto value = environment(name)) found.emplace(name, *value);
  return found;
}

std::string analyzer_library_path() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  return (program.parent_path() / "lib" / "liblocal_service_jni.so").string();
}

Status prepare_process() {
  base::set_log(base::LogLevel::kInfo, stderr_is_terminal() ? base::LogFormat::kText : base::LogFormat::kJson);
  const Environment environment = process_environment();
  if (const auto specification = environment("FLYTT_FAILPOINTS"); specification && !specification->empty())
    return base::arm_failpoints(*specification, environment("FLYTT_FAILPOINT_GATE").value_or(""));
  return ok();
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

Result<std::unique_ptr<Session>> open_session(const CommonOptions& common) {
  auto session = std::make_unique<Session>();
  TRY(session->config, load_config(common.config_path, process_environment()));
  return session;
}

Result<std::unique_ptr<Session>> open_session_with_project(const CommonOptions& common) {
  TRY(auto session, open_session(common));
  TRY_STATUS(find_project(session->config, session->clock));
  return session;
}

Result<std::optional<RunningProcess>> find_running(const std::string& lock_folder) {
  if (!std::filesystem::exists(lock_folder)) return std::optional<RunningProcess>();
  TRY(const auto holder, warehouse::read_holder(lock_folder));
  if (!holder) return std::optional<RunningProcess>();
  RunningProcess running{holder->pid, holder->verb, {}, {}, {}};
  if (const auto rest = holder->endpoints.find("rest"); rest != holder->endpoints.end())
    running.rest = "http://" + rest->second;
  if (const auto grpc = holder->endpoints.find("grpc"); grpc != holder->endpoints.end()) running.grpc = grpc->second;
  if (const auto admin = holder->endpoints.find("admin"); admin != holder->endpoints.end())
    running.admin = "http://" + admin->second;
  return std::optional(running);
}

Result<bool> is_engine_running(const Config& config) {
  if (config.has_shared_state()) {
    TRY(const state::LeaseRow leader, read_leader(config));
    return leader.is_held();
  }
  TRY(const auto running, find_running(config.lock_folder()));
  return running && running->verb == "run";
}

}  // namespace flytt::app
