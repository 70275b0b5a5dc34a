#pragma once
// decide: from the time, what the ledger holds of one schedule, what runs and what the world says, to what is to be done. Pure:
// the same question has the same answer, nothing is changed and nothing is waited for.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/policy.h"
#include "state/schedule_ledger.h"

namespace flytt::scheduler {

// What the ledger holds of a schedule: its record, its slots that are due or running, oldest first, and, of one on changes,
// what its newest slot has seen of each dependency.
struct ScheduleView {
  const Entry* entry = nullptr;
  state::ScheduleRecord record;
  std::vector<state::SlotRecord> active;
  std::map<std::string, std::string> seen;
};

struct Readiness {
  bool is_ready = true;
  std::string reason;  // what is waited for, when it is not: "stream sak is complete up to 03:55"
};

// The state of some data, as it is compared: another mark than before means that it has changed. An empty mark: there is
// nothing yet. It must last over restarts, and be one of data that is complete.
struct ChangeMark {
  std::string mark;
  std::string unknown;  // why it cannot be told now; empty: it can
};

// What else a slot may wait for, such as a model or a stream that has to be fresh beyond the slot. Given by `app`; answered
// from memory, because it is asked every kFactsLookMicros for as long as something waits.
class Facts {
 public:
  virtual ~Facts() = default;
  virtual Readiness readiness(std::string_view dependency, std::int64_t slot_micros) = 0;
  virtual ChangeMark change(std::string_view dependency) = 0;
};

enum class StopReason { kTimeout, kReplaced };

// A run of this process.
struct LiveRun {
  state::SlotKey key;
  std::int64_t elapsed_micros = 0;  // on the steady clock
  bool is_stopping = false;
};

struct Question {
  std::int64_t now_micros = 0;
  const ScheduleView* view = nullptr;
  std::vector<LiveRun> live;  // of this schedule
  const std::map<std::string, ScheduleView, std::less<>>* others = nullptr;
  Facts* facts = nullptr;
  std::string owner;
  int runs_free = 0;  // how many more may begin, of all schedules
};

struct Stop {
  state::SlotKey key;
  StopReason reason;
};

struct Decision {
  std::vector<state::LedgerStep> steps;  // to be applied together; BeginRun means: then start it
  std::vector<Stop> stops;
  std::int64_t wake_micros = INT64_MAX;  // look again then, or when something changes
  bool waits_for_room = false;           // runs_free was too small
  std::string waiting;                   // for people: why the oldest due slot does not run; empty: nothing waits
  std::string unknown;                   // of a schedule on changes: why it cannot be told whether something changed
};

Decision decide(const Question& question);

}  // namespace flytt::scheduler
