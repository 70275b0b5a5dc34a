#pragma once
// Dispatcher: asks decide() about each schedule when there is a reason to, and keeps the ledger. It has no thread and starts nothing:
// `step` says what to start and to stop, `finish` takes the ends of runs. A simulation drives it with a clock of its own; Scheduler
// with threads.
//
// Called by one thread at a time. A call blocks for a transaction of the ledger. After an error nothing is lost: ends of runs that could not be
// saved are kept and saved by the next step; what was to begin has not begun.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "scheduler/decide.h"
#include "scheduler/job.h"
#include "scheduler/policy.h"
#include "state/schedule_ledger.h"

namespace flytt::scheduler {

struct RunOrder {
  state::SlotKey key;
  RunContext context;  // without its stop tokens
};

struct Round {
  std::vector<RunOrder> starts;
  std::vector<Stop> stops;               // runs that are to be asked to end; they are finished as any other
  std::int64_t wake_micros = INT64_MAX;  // wall time of the next reason to step, unless something happens before
};

struct ScheduleStatus {
  std::string name;
  std::string definition;
  bool is_paused = false;
  std::vector<state::SlotRecord> active;         // due and running
  std::optional<std::int64_t> next_slot_micros;  // after now
  std::string waiting;                           // why the oldest due slot does not run
  std::string unknown;                           // of one on changes: why it is not known whether something changed
};

class Dispatcher {
 public:
  // All outlive the dispatcher.
  struct Parts {
    state::ScheduleLedger ledger;
    base::Clock& clock;
    base::Random& random;
    Facts& facts;
  };

  // Makes the schedules known and takes over what a process that ended left running; this one must be the only one. `owner` is unlike
  // that of any process before. `going_on`: whose work did not end with that process. kConfig: see check_entries.
  static Result<std::unique_ptr<Dispatcher>> make(std::vector<Entry> entries, Parts parts, std::string owner,
                                                  int runs_max = kRunsMax,
                                                  const std::set<state::SlotKey>& going_on = {});

  Result<Round> step();
  // The end of a run that `step` ordered. Nothing is saved before the next step. One that was cut short because the program ends
  // is not finished: its slot goes on, under the same attempt, when the program is there again.
  void finish(const state::SlotKey& key, Result<RunOutcome> result);
  // Saves them without deciding anything: before the program ends.
  Status save_ends();

  // Somebody changed this schedule's rows in the ledger through the same store. Changes by others are noticed.
  void touch(std::string_view name) { stale_.insert(std::string(name)); }
  std::vector<ScheduleStatus> status() const;
  const Entry* entry(std::string_view name) const;

 private:
  struct Live {
    int attempt = 1;
    base::SteadyTime started;
    std::optional<StopReason> stopping;
  };
  struct Watch {
    std::int64_t wake_micros = INT64_MIN;  // decided again from then on
    bool waits_for_room = false;
    std::string waiting;
    std::string unknown = "it was not looked at yet";
    int finished = 0;  // since rows were pruned
  };
  struct Ended {
    state::SlotKey key;
    Result<RunOutcome> result;
  };

  Dispatcher(std::vector<Entry> entries, Parts parts, std::string owner, int runs_max);
  Status load(const std::string& name);
  Status load_stale();
  Status save_end(const Ended& ended);
  state::EndRun end_of(const Ended& ended, const Live& live, const state::SlotRecord* row);
  void note_end(const Ended& ended, state::SlotState state);
  Status prune(const std::string& name);
  Result<bool> decide_due(std::int64_t now);
  Question question(const std::string& name, std::int64_t now, int runs_free) const;
  Status take(const std::vector<state::LedgerStep>& steps);
  std::vector<RunOrder> orders();
  void decide_again(std::string_view name) { watches_.at(std::string(name)).wake_micros = INT64_MIN; }

  const std::vector<Entry> entries_;
  Parts parts_;
  const std::string owner_;
  const int runs_max_;
  std::map<std::string, ScheduleView, std::less<>> views_;
  std::map<std::string, Watch, std::less<>> watches_;
  std::map<std::string, std::vector<std::string>, std::less<>> dependents_;  // who waits for a schedule
  std::map<state::SlotKey, Live> live_;
  std::vector<Ended> ended_;
  // What the caller has not been told yet; an error of a later part of the same step does not lose it.
  std::vector<state::SlotKey> begun_;
  std::vector<Stop> stops_;
  std::set<std::string> stale_;  // of which the view is older than the ledger
  std::int64_t version_ = -1;
  std::int64_t now_ = INT64_MIN;
};

// "story-20260115T050000Z-1": see RunContext.
std::string run_id(const state::SlotKey& key, int attempt);

}  // namespace flytt::scheduler
