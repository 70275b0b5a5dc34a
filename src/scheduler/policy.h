#pragma once
// What is to happen around the slots of a schedule.

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "scheduler/limits.h"
#include "scheduler/schedule.h"

namespace flytt::scheduler {

// Of slots that passed while the program was not running, the schedule was paused, its data was not complete, or (kForbid) its last
// run was still on. Of those that wait for data under kNone and kLast the oldest keeps its place until a newer one can run.
enum class Missed {
  kNone,  // they are recorded as missed
  kLast,  // only the newest runs
  kAll,   // the newest `missed_max` run, oldest first; the rest is missed
};

// When a slot is due while a run of the same schedule is on.
enum class Concurrency {
  kForbid,   // it waits; once the run has ended `missed` decides about all that waited
  kReplace,  // the run is stopped, and the slot starts when it has ended
  kAllow,    // both run
};

struct Retries {
  int max = 3;  // attempts after the first
  std::int64_t delay_micros = 10 * kMicrosPerSecond;
  double factor = 2;
  std::int64_t delay_micros_max = 360 * kMicrosPerSecond;
};

struct Policy {
  Missed missed = Missed::kLast;
  int missed_max = 24;
  Concurrency concurrency = Concurrency::kForbid;
  int parallel_max = 8;  // runs of kAllow
  Retries retries;
  std::int64_t run_micros_max = 0;    // a longer run is stopped and counts as failed; 0: no limit
  std::int64_t start_micros_max = 0;  // a slot that cannot start within this is skipped; 0: no limit
  // Of a schedule on changes: the least time between two of its slots. What changes meanwhile is seen by the next.
  std::int64_t at_most_micros = 60 * kMicrosPerSecond;
  // What a slot waits for; of a schedule on changes, what is looked at. "schedule:NAME": its newest slot at or before ours, or any later one, has succeeded. Anything else is asked of Facts.
  std::vector<std::string> after;
  std::size_t history_max = 200;  // finished slots that are remembered
};

// A schedule with its name (unique; it is the key of the ledger) and policy.
struct Entry {
  std::string name;
  Schedule schedule;
  Policy policy;
};

// kConfig: a name twice, an unknown or circular dependency, a number out of range, missed: all with concurrency: replace.
Status check_entries(const std::vector<Entry>& entries);

// The wait after the n-th failure (n ≥ 1) in a row: exponential up to the maximum, of which the upper half is chance.
std::int64_t retry_delay(const Retries& retries, int failures, base::Random& random);

}  // namespace flytt::scheduler
