#pragma once
// What people are shown of a schedule: from the configuration and the state file alone, so it is the same beside a running
// flytt and without one.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "state/schedule_ledger.h"

namespace flytt::app {

struct JobView {
  const scheduler::Entry* entry = nullptr;
  std::optional<state::ScheduleRecord> record;  // nothing: no run has made it known yet
  std::optional<std::int64_t> next_slot_micros;
  std::optional<state::SlotRecord> last;  // the attempt that ended last, whatever came of it
  std::vector<state::SlotRecord> active;  // due and running, oldest slot first
  std::string waiting;                    // why the oldest due slot does not run; empty: nothing waits
  bool is_looked_after = false;           // a flytt runs; without one nothing is running, whatever the rows say
  bool waits_elsewhere = false;           // only the running process knows the reason better

  bool is_paused() const { return record && record->is_paused; }
  const state::SlotRecord* running() const;
  // One word: "running", "paused", "waiting", "due", "new" or "idle".
  std::string_view state() const;
};

// Everything that the configuration schedules, in its order. `ledger` may be null: there is no state file yet.
// `is_running`: a flytt that starts what is due works with this state now. What a slot waits for beyond schedules (a
// stream) is known to that process alone; here it is only named.
Result<std::vector<JobView>> view_jobs(const Config& config, state::ScheduleLedger* ledger, bool is_running,
                                       std::int64_t now_micros);

// The entry that `name` means, "NAME", "query:NAME" or "job:NAME". kConfig with the nearest name there is.
Result<const scheduler::Entry*> find_job(const Config& config, const std::string& name);

// "2026-01-15 05:15:00 CET"; whole seconds.
std::string local_time_text(const data::TimeZone& zone, std::int64_t micros);
std::string utc_time_text(std::int64_t micros);  // "2026-01-15 04:15:00 UTC"
std::string json_time(std::int64_t micros);      // "2026-01-15T04:15:00.123456Z", quoted
// {"slot":…,"local":…,"trigger":…,"state":…,…}; times that are not there yet are null.
std::string slot_json(const scheduler::Entry& entry, const state::SlotRecord& slot);

// A date (midnight), a local time of `zone`, or an instant with its own zone. kConfig names `option`.
Result<std::int64_t> parse_instant(std::string_view option, const std::string& text, const data::TimeZone& zone);

}  // namespace flytt::app
