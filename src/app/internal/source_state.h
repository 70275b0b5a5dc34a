#pragma once
// The state store for verbs beside `run`, and made objects in its words.

#include <memory>

#include "app/internal/session.h"
#include "postgres/setup.h"
#include "state/sql_port.h"
#include "state/store.h"

namespace flytt::app {

// To read. Nothing when nothing was remembered yet.
Result<std::unique_ptr<state::Store>> open_state_to_read(const Config& config);
// To wish something, beside a process that works or without one. Makes what is absent: the folder of the state file (mode
// 0700) and the file, or the shared schema.
Result<std::unique_ptr<state::Store>> open_source_state(Session& session);
// Of a shared state; `clock` outlives it. kConfig: its URL cannot be read.
Result<state::SqlDatabase> shared_state(const Config& config, const base::Clock& clock);

// The engine records the slot that it makes as {"slot", name}; everything else keeps its text as the name.
state::MadeObject to_state(const postgres::MadeObject& object, std::int64_t made_micros);
Result<postgres::MadeObject> from_state(const state::MadeObject& object);

}  // namespace flytt::app
