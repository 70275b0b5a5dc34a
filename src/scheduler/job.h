#pragma once
// Job: what a schedule starts. The scheduler knows nothing else about it.

#include <cstdint>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "state/schedule_ledger.h"

namespace flytt::scheduler {

struct RunContext {
  std::string schedule;
  // The intended time, @run_time; of a run on a change the instant at which it was seen, of a manual one that of the wish.
  std::int64_t slot_micros = 0;
  std::string trigger;  // "schedule", "change", "backfill", "manual"
  int attempt = 1;
  // The attempt began before, in a process that ended while it ran: it may be half done, or done. Its run_id is the same.
  bool is_resumed = false;
  // Equal for the same attempt of the same slot, and for nothing else; letters, digits, _ and -. A job that names its
  // work after it (a BigQuery job id) finds out whether the attempt was done, and then does nothing and succeeds.
  std::string run_id;
  std::stop_token stop;  // asked to end: the run took too long, is replaced, or the program ends
  // Of these reasons, the last. Work that goes on without the program may be left to itself then: kCancelled keeps its
  // slot, and the same attempt is resumed when the program is there again.
  std::stop_token program_ends;
};

struct RunOutcome {
  std::string message;  // for people, "12 rows"; never a row's value
};

class Job {
 public:
  virtual ~Job() = default;
  // Called from a thread of its own; by several at once under `concurrency: allow`. Returns soon after a stop is asked for:
  // kCancelled when the work is not done, and success when it is all the same. An error's retry directive decides whether
  // another attempt follows; after an error nothing of this attempt may take effect any more.
  virtual Result<RunOutcome> run(const RunContext& context) = 0;
  // Of an attempt that was cut off by the end of a program: its work goes on without one, or has come to an end that `run` will
  // find. Then the cut is not held against the slot. Asked before anything runs; does not wait.
  virtual bool has_outlived_program(const state::SlotKey& /*slot*/, int /*attempt*/) const { return false; }
};

}  // namespace flytt::scheduler
