#pragma once
// What every verb starts with: configuration, clock, metrics, randomness, and where the program lies.

#include <map>
#include <memory>
#include <string>

#include "app/config.h"
#include "app/commands.h"
#include "base/clock.h"
#include "base/metrics.h"

namespace flytt::app {

struct Session {
  Config config;
  base::SystemClock clock;
  base::Metrics metrics;
};

// Loads the configuration named by `common`. Errors are kConfig.
Result<std::unique_ptr<Session>> open_session(const CommonOptions& common);
// For verbs that speak of tables of the destination: where the configuration names no project, it is found now (find_project
// in destination.h), and errors may also be those of the credentials.
Result<std::unique_ptr<Session>> open_session_with_project(const CommonOptions& common);

Environment process_environment();
// What commands of jobs take over from this process: those of CommandSpec::inherited that it has; and FLYTT_PROGRAM and
// FLYTT_CONFIG, so that they can ask: "$FLYTT_PROGRAM" query --config "$FLYTT_CONFIG" 'SELECT …'.
std::map<std::string, std::string> command_environment(const Config& config);
// lib/liblocal_service_jni.so beside the running program.
std::string analyzer_library_path();
// Sets up logging and failpoints from the environment; called once, before threads start.
Status prepare_process();
bool stdout_is_terminal();
bool stderr_is_terminal();

// The process that works in the configured folder now, and how to talk to it.
struct RunningProcess {
  std::int64_t pid = 0;
  std::string verb;
  std::string rest;   // "http://127.0.0.1:9050"; empty when it has none
  std::string grpc;   // "127.0.0.1:9060"; empty when it has none
  std::string admin;  // "http://127.0.0.1:41234"; empty when it has none
};
Result<std::optional<RunningProcess>> find_running(const std::string& lock_folder);
// `flytt run` works with this configuration's state now, so schedules are looked after.
Result<bool> is_engine_running(const Config& config);

}  // namespace flytt::app
