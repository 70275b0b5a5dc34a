#include "app/internal/source_state.h"

#include <sys/stat.h>

#include <filesystem>

#include "app/state_database.h"

namespace flytt::app {

namespace {

constexpr const char* kSlot = "slot";
constexpr const char* kSetup = "setup";
constexpr std::chrono::milliseconds kStatePatience{5'000};

const base::SystemClock kClock;  // of stores that outlive no session

}  // namespace

Result<state::SqlDatabase> shared_state(const Config& config, const base::Clock& clock) {
  if (!config.state_url_problem.empty())
    return Error(ErrorCode::kConfig, "state.postgres: " + config.state_url_problem);
  return state_database(config.state_url, config.state_schema, clock, kStatePatience);
}

Result<std::unique_ptr<state::Store>> open_state_to_read(const Config& config) {
  constexpr auto kReadOnly = state::Store::Access::kReadOnly;
  const auto nothing = [] { return std::unique_ptr<state::Store>(); };
  Result<std::unique_ptr<state::Store>> store = nothing();
  if (config.has_shared_state()) {
    TRY(const state::SqlDatabase database, shared_state(config, kClock));
    store = state::Store::open(database, kReadOnly);
  } else if (std::filesystem::exists(config.state_file)) {
    store = state::Store::open(config.state_file, kReadOnly);
  }
  if (!store && store.error().code() == ErrorCode::kNotFound) return nothing();
  return store;
}

Result<std::unique_ptr<state::Store>> open_source_state(Session& session) {
  if (session.config.has_shared_state()) {
    TRY(const state::SqlDatabase database, shared_state(session.config, session.clock));
    return state::Store::open(database, state::Store::Access::kReadWrite);
  }
  const std::filesystem::path folder = std::filesystem::path(session.config.state_file).parent_path();
  std::error_code failure;
  if (std::filesystem::create_directories(folder, failure)) ::chmod(folder.c_str(), 0700);
  if (failure)
    return Error(ErrorCode::kConfig, "folder '" + folder.string() + "' cannot be made").cause(failure.message());
  return state::Store::open(session.config.state_file);
}

state::MadeObject to_state(const postgres::MadeObject& object, std::int64_t made_micros) {
  if (object.kind == postgres::MadeObject::Kind::kSlot) return {kSlot, object.name, made_micros};
  return {kSetup, object.text(), made_micros};
}

Result<postgres::MadeObject> from_state(const state::MadeObject& object) {
  if (object.kind == kSlot) return postgres::MadeObject{postgres::MadeObject::Kind::kSlot, object.name, {}, {}};
  return postgres::MadeObject::parse(object.name);
}

}  // namespace flytt::app
