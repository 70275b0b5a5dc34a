#pragma once
// Where the runs of a job lie: <root>/<job>/<run id>, or <run id>.<completion> for a job with several completions. Each is a
// folder of `commands`. Names are made from slots alone, so that whoever comes after a crash finds what was started.

#include <cstdint>
#include <string>
#include <vector>

#include "app/config.h"
#include "state/schedule_ledger.h"
#include "state/store.h"

namespace flytt::app {

inline constexpr std::size_t kSlotsMax = 100'000;  // of the ledger, that folders are compared with

struct KeptRun {
  int attempt = 0;
  int completion = 0;
  std::string folder;
};

class RunFolders {
 public:
  RunFolders(const std::string& root, const JobConfig& job) : RunFolders(root, job.name, job.completions > 1) {}
  RunFolders(const std::string& root, const std::string& job, bool has_completions)
      : folder_(root + "/" + job), has_completions_(has_completions) {}

  // "<run id>[.<completion>]", which is also the command's FLYTT_RUN.
  std::string name(const std::string& run_id, int completion) const;
  std::string path(const std::string& run_id, int completion) const { return folder_ + "/" + name(run_id, completion); }
  // Makes the folder that holds them, private. May be repeated.
  Status prepare() const;
  // By attempt, then completion.
  std::vector<KeptRun> of_slot(const state::SlotKey& slot) const;
  std::vector<std::string> names() const;
  // Removes those of `names` that are of no slot of `slots`, but what lives. Names are listed before slots are read: what
  // begins meanwhile is not among them.
  Status remove_old(const std::vector<std::string>& names, const std::vector<state::SlotRecord>& slots) const;

 private:
  const std::string folder_;
  const bool has_completions_;
};

// So long the runs of a job are kept that is no more in the configuration: no newer ones push them out.
inline constexpr std::int64_t kGoneRunsMicros = 30 * 86'400'000'000;
// Removes those that ended earlier, or that the ledger has forgotten, but what lives. Only of jobs that the ledger knows: what
// else lies in the folder may be another configuration's.
Status remove_gone_runs(const Config& config, state::Store& store, std::int64_t now_micros);

}  // namespace flytt::app
