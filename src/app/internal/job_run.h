#pragma once
// JobRun: one run of a scheduled command, under supervisors that outlive this process.
//
// The folder of a run is named after its run id. What is found there was started before: it is adopted, whether it lives or has
// left its record, and never started a second time. So an attempt runs its command once, whatever is killed; another attempt
// follows only when the end was bad, or is not known because the supervisor itself was killed.
//
// Success is exit code 0 of all completions; 78 (EX_CONFIG of sysexits.h) is not retried. A stop ends the command (SIGTERM,
// grace, SIGKILL), except when the program ends: then it goes on under its supervisor, unless it dies with its parent.
//
// Thread-safe: runs of several slots may be on at once.

#include <string>

#include "app/config.h"
#include "base/metrics.h"
#include "commands/run.h"
#include "scheduler/job.h"
#include "state/store.h"

namespace flytt::app {

// What the runs of all jobs share; outlives them.
struct JobParts {
  base::Metrics& metrics;
  state::Store& store;
  std::string folder;  // Config::runs_folder
  commands::Host host;
  // For a state that several processes share: whoever goes on with a slot elsewhere must not find its command running here.
  bool dies_with_parent = false;
  // Of such a state: a command ends with it, also while this process is frozen. Outlives the runs.
  const state::Lease* lease = nullptr;
};

class JobRun final : public scheduler::Job {
 public:
  JobRun(const JobConfig& job, const JobParts& parts) : job_(job), parts_(parts) {}
  Result<scheduler::RunOutcome> run(const scheduler::RunContext& context) override;
  bool has_outlived_program(const state::SlotKey& slot, int attempt) const override;

 private:
  Status remove_old_runs() const;

  const JobConfig& job_;
  const JobParts& parts_;
};

// "exit code 3 after 12 s; 4.1 KiB of output": how a command ended, for people.
std::string outcome_text(const commands::Outcome& outcome);

}  // namespace flytt::app
