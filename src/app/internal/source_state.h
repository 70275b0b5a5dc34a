#pragma once
// The state store for verbs beside `run`, and made objects in its words.

#include <memory>

#include "app/internal/session.h"
#include "postgres/setup.h"
#include "state/store.h"

namespace flytt::app {

// Makes the folder of the configured state file (mode 0700) and the file when they are absent.
Result<std::unique_ptr<state::Store>> open_source_state(Session& session);
// The file as it is; nothing when there is none yet.
Result<std::unique_ptr<state::Store>> open_state_to_read(const Config& config);

// The engine records the slot that it makes as {"slot", name}; everything else keeps its text as the name.
state::MadeObject to_state(const postgres::MadeObject& object, std::int64_t made_micros);
Result<postgres::MadeObject> from_state(const state::MadeObject& object);

}  // namespace flytt::app
