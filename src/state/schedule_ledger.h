#pragma once
// ScheduleLedger: what became of each slot of each schedule; a part of the state file.
//
// A slot is an instant of a schedule, or of a wish (`is_manual`), and has one row: due → running → succeeded, failed, missed or skipped;
// from running back to due before another attempt. The transitions are guarded: a row begins only when it is due, and ends only under the
// attempt and the owner that began it, so a slot succeeds at most once, also over crashes and with a process that was taken for dead.
// An attempt whose end nobody saw goes on under its number (`is_resumed`): whoever does the work can look whether it was done.
//
// `decided_micros` says up to where slots have been entered; a slot that is not entered has no row. Old rows are pruned; `forgotten_micros` is
// the newest slot of which the row is gone. Rules of Store: thread-safe, each function is one transaction that survives a crash,
// nothing is changed by a function that fails. kConflict: a guard did not hold. kNotFound: no such schedule.
// Instants are microseconds since 1970-01-01 UTC.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "base/result.h"

namespace flytt::state {

class Store;

enum class SlotState { kDue, kRunning, kSucceeded, kFailed, kMissed, kSkipped };
std::string_view to_string(SlotState state);

struct SlotKey {
  std::string schedule;
  std::int64_t slot_micros = 0;
  bool is_manual = false;  // a run that somebody asked for; its slot is the instant of the wish
  friend bool operator==(const SlotKey&, const SlotKey&) = default;
  friend bool operator<(const SlotKey& a, const SlotKey& b) {
    return std::tie(a.schedule, a.slot_micros, a.is_manual) < std::tie(b.schedule, b.slot_micros, b.is_manual);
  }
};

struct SlotRecord {
  SlotKey key;
  SlotState state = SlotState::kDue;
  std::string trigger = "schedule";  // or "change", "backfill", "manual"
  int attempt = 0;                   // that is running, or was the last; 0: none has begun
  int attempts_before = 0;           // attempts that were over when it was entered, or entered again by a backfill
  bool is_resumed = false;           // the end of that attempt is not known: it goes on under its number
  int interruptions = 0;             // how often that happened to work that ended with its program
  std::int64_t entered_micros = 0;
  std::int64_t next_attempt_micros = 0;  // of kDue: not before
  std::int64_t started_micros = 0;       // of the last attempt
  std::int64_t finished_micros = 0;      // of the last attempt; or when it was decided that there is none
  std::string message;                   // a sentence: why it failed, was missed or skipped; what the run said
  friend bool operator==(const SlotRecord&, const SlotRecord&) = default;
};

struct ScheduleRecord {
  std::string name;
  std::string definition;
  std::int64_t first_seen_micros = 0;
  std::int64_t decided_micros = 0;  // slots up to here are entered
  std::int64_t forgotten_micros = INT64_MIN;
  std::int64_t newest_success_micros = INT64_MIN;  // slot of the newest success
  bool is_paused = false;
  std::int64_t successes = 0;  // so many slots have succeeded; not less than 1 when there was one
  friend bool operator==(const ScheduleRecord&, const ScheduleRecord&) = default;
};

// Slots up to `decided_after` are decided: some of them are entered, a slot that has a row already keeps it.
struct EnterSlots {
  std::string schedule;
  std::int64_t decided_before, decided_after;
  std::vector<SlotRecord> slots;  // kDue, kMissed
};
// The clock was put back to `now`: what was entered for later and never began is taken out, and is decided anew.
struct RewindSlots {
  std::string schedule;
  std::int64_t decided_before, now_micros;
};
struct BeginRun {
  SlotKey key;
  std::string owner;
  std::int64_t now_micros;
};
// `state`: kSucceeded, kFailed, kSkipped; or kDue before another attempt.
struct EndRun {
  SlotKey key;
  int attempt;
  std::string owner;
  SlotState state;
  std::int64_t now_micros;
  std::int64_t next_attempt_micros;
  std::string message;
};
// Of a row that is due. `state`: kMissed, kSkipped.
struct DropSlot {
  SlotKey key;
  SlotState state;
  std::int64_t now_micros;
  std::string message;
};
// What a slot that is entered in the same step covers: the state of a dependency, in words of whoever looks at it.
struct SeeChange {
  std::string schedule, dependency, mark;
};
using LedgerStep = std::variant<EnterSlots, RewindSlots, BeginRun, EndRun, DropSlot, SeeChange>;

struct BackfillOutcome {
  std::size_t entered = 0;
  std::size_t succeeded_before = 0;
  std::size_t active = 0;     // due or running already
  std::size_t forgotten = 0;  // their rows are gone, so whether they succeeded is not known
};

// Owned by nobody in particular: a view of the Store, which must outlive it.
class ScheduleLedger {
 public:
  explicit ScheduleLedger(Store& store) : store_(store) {}

  Result<std::vector<ScheduleRecord>> schedules();  // by name
  Result<std::optional<ScheduleRecord>> schedule(std::string_view name);
  Result<std::optional<SlotRecord>> slot(const SlotKey& key);
  // Due and running ones, oldest slot first.
  Result<std::vector<SlotRecord>> active(std::string_view name);
  // The newest `limit` of all, newest first.
  Result<std::vector<SlotRecord>> history(std::string_view name, std::size_t limit);

  // What was seen last of each dependency; by its name.
  Result<std::map<std::string, std::string>> seen(std::string_view name);

  // Makes a schedule known: it begins now, slots before are not entered. One that is known with another definition goes on from
  // now, or from where it was if that is later.
  Status enroll(std::string_view name, std::string_view definition, std::int64_t now_micros);
  // All steps, or none.
  Status apply(const std::vector<LedgerStep>& steps);
  // What runs under another owner was cut off: due again at once and to be resumed, or failed when that has happened
  // `interruptions_max` times. Of `going_on` the work was not cut off, only whoever looked after it: that does not count. For a
  // process that knows that it is the only one. Returns how many there were.
  Result<std::size_t> recover(std::string_view owner, int interruptions_max, std::int64_t now_micros,
                              const std::set<SlotKey>& going_on = {});

  Status set_paused(std::string_view name, bool is_paused);
  // Makes slots due that have not succeeded; `slots` are instants of the schedule.
  Result<BackfillOutcome> backfill(std::string_view name, const std::vector<std::int64_t>& slots, bool with_forgotten,
                                   std::int64_t now_micros);
  Result<SlotKey> run_now(std::string_view name, std::int64_t now_micros);

  // Keeps the newest `keep` finished rows, and all that are due or running.
  Status prune(std::string_view name, std::size_t keep);
  Status forget(std::string_view name);

  // Changes when another connection, of this process or of another, has changed the file.
  Result<std::int64_t> version();

 private:
  Store& store_;
};

}  // namespace flytt::state
