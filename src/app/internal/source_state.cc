#include "app/internal/source_state.h"

#include <sys/stat.h>

#include <filesystem>

namespace flytt::app {

namespace {

constexpr const char* kSlot = "slot";
constexpr const char* kSetup = "setup";

}  // namespace

Result<std::unique_ptr<state::Store>> open_source_state(Session& session) {
  const std::filesystem::path folder = std::filesystem::path(session.config.state_file).parent_path();
  std::error_code failure;
  if (std::filesystem::create_directories(folder, failure)) ::chmod(folder.c_str(), 0700);
  if (failure)
    return Error(ErrorCode::kConfig, "folder '" + folder.string() + "' cannot be made").cause(failure.message());
  return state::Store::open(session.config.state_file);
}

Result<std::unique_ptr<state::Store>> open_state_to_read(const Config& config) {
  if (!std::filesystem::exists(config.state_file)) return std::unique_ptr<state::Store>();
  auto store = state::Store::open(config.state_file, state::Store::Access::kReadOnly);
  if (!store && store.error().code() == ErrorCode::kNotFound) return std::unique_ptr<state::Store>();
  return store;
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
