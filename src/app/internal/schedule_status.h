#pragma once
// What `status` and the admin endpoint tell about schedules.

#include <string>
#include <vector>

#include "app/config.h"
#include "scheduler/dispatcher.h"
#include "state/store.h"

namespace flytt::app {

// A JSON array with an object for each query and job of the configuration:
//   name ("query:orders", "job:story"), definition, target (of a query its table; of a job null)
//   state      "running", "due" (a slot waits; `waiting` says for what), "paused", or "idle"
//   waiting, next_slot, newest_success_slot                   null when there is none; instants as "2026-01-15T05:00:00Z"
//   last_run   {slot, state, trigger, attempt, finished, message} of the newest slot that is over, or null
// `store` may be null: nothing has run yet. `running`: what the scheduler of this process says; empty when none runs.
Result<std::string> schedules_json(state::Store* store, const Config& config,
                                   const std::vector<scheduler::ScheduleStatus>& running, std::int64_t now_micros);

}  // namespace flytt::app
