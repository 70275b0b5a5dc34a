#pragma once
// What people ask of a schedule, from the process that runs it or from any other that has its state file open. The running
// process notices within kLookMicros.

#include <string_view>

#include "scheduler/policy.h"
#include "state/schedule_ledger.h"

namespace flytt::scheduler {

// Makes the slots in from ≤ slot < to due that have not succeeded; they run after those whose time it is, oldest first.
// kConfig: there are more than kBackfillMax; or the range reaches beyond `now_micros`. kNotFound: the schedule was never run.
Result<state::BackfillOutcome> backfill(state::ScheduleLedger& ledger, const Entry& entry, std::int64_t from_micros,
                                        std::int64_t to_micros, bool with_forgotten, std::int64_t now_micros);

// pause, resume and a run at once are ScheduleLedger::set_paused and run_now.

}  // namespace flytt::scheduler
