#pragma once
// Pipeline: carries one stream from its source to its destination, restart after restart.
//
// It is the supervisor: an actor that prepares the stream (identity, slot, tables), starts a StreamRun and CopyRuns with
// the help of a Crew, and looks after them: restarts from the checkpoint with backoff, resyncs, added and removed tables,
// orderly stop. Its step is called by one thread; the functions marked so may be called by any.
//
// An error that passes by itself is tried again for ever, one that a person must mend every kOperatorRetry (and at once
// after a resync is asked for), any other ends the pipeline: it stays in kFailed and harms nobody else.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/random.h"
#include "pipeline/actor.h"
#include "pipeline/backoff.h"
#include "pipeline/copy_run.h"
#include "pipeline/gauges.h"
#include "pipeline/status.h"
#include "pipeline/stream_run.h"

namespace flytt::pipeline {

namespace internal {
struct StartDecision;
class TableLifecycle;
}  // namespace internal

struct StreamConfig {
  std::string name;
  std::string source;                // under whose name objects made in the source are remembered
  bool may_adopt_slot = false;       // --adopt
  bool ends_when_caught_up = false;  // --once
  std::size_t channel_bytes = kChannelBytes;
  int copy_workers = kCopyWorkers;
  base::Duration drain_max = kDrainMax;
};

class Pipeline final : public Actor {
 public:
  // All outlive the pipeline.
  struct Parts {
    state::Store& store;
    const base::Clock& clock;
    base::Random& random;
    base::Metrics& metrics;
    Crew& crew;
  };

  Pipeline(StreamConfig config, Origin& origin, Destination& destination, Parts parts);
  ~Pipeline() override;

  Progress step(base::Duration wait) override;

  // -- any thread
  const std::string& name() const { return config_.name; }
  void request_stop();  // drains, for at most drain_max
  void stop_now();
  void wake();  // looks at requests and at everything else without delay
  // Failed or stopped: nothing is moved any more. A failed one still listens for a resync until it is stopped.
  bool has_ended() const { return has_ended_; }
  bool wait_for_end(base::Deadline deadline);  // false when the deadline passes first; waits in real time
  PipelineStatus status() const;
  std::optional<Error> error() const;

 private:
  enum class Phase { kStarting, kRunning, kRestarting, kWaiting, kFailed, kStopping, kStopped };
  // -- starting
  // False: not yet, for a reason that is shown or passes with the next steps.
  Result<bool> start();
  Result<internal::StartDecision> look_at_source();
  Result<bool> apply(const internal::StartDecision& decision);
  Result<flow::Position> make_slot();
  Status settle_requests();
  Status open_run();
  Result<bool> has_watched_slot();
  Result<bool> wait_for_holder();
  void wait_for(base::Duration wait, Error error);

  // -- running
  void work();
  void watch_stream();
  void watch_requests();
  void watch_tables();
  void watch_copies(bool may_begin);
  void begin_copies();
  void begin_restart();
  bool is_caught_up() const;
  void trouble(Error error);
  void enter(Phase phase, std::optional<Error> error = {});
  bool join_copies();
  void stop_step();
  void save_facts(bool is_due);

  const StreamConfig config_;
  Origin& origin_;
  Destination& destination_;
  const Parts parts_;
  TableBook book_;
  Quarantine quarantine_;
  Gauges gauges_;
  Backoff backoff_, copy_backoff_;
  std::unique_ptr<internal::TableLifecycle> lifecycle_;

  Phase phase_ = Phase::kStarting;
  bool is_loaded_ = false;
  bool has_reconciled_ = false;  // the shapes of all destination tables are known
  base::SteadyTime not_before_{}, copies_not_before_{}, requests_seen_at_{}, tables_listed_at_{}, facts_saved_at_{},
      run_started_at_{};
  base::Deadline drain_deadline_;
  std::optional<base::SteadyTime> held_since_, adopt_since_;
  std::optional<flow::Position> adopt_confirmed_, goal_;
  OriginTables tables_;
  std::optional<state::Checkpoint> checkpoint_;
  OriginIdentity identity_;
  std::vector<state::ResyncRequest> requests_;
  SlotFacts slot_;
  flow::Position run_start_;
  std::unique_ptr<StreamRun> stream_;
  std::unique_ptr<CopyRun> copies_;
  std::vector<std::unique_ptr<Crew::Job>> stream_jobs_, copy_jobs_;  // joined before their runs go
  bool is_copy_renewal_ = false;

  std::atomic<bool> is_stop_requested_{false}, is_stop_now_{false}, has_ended_{false};
  std::stop_source stopping_;  // interrupts what may wait long at the source
  std::mutex bell_mutex_;
  std::condition_variable bell_, ended_;
  bool has_rung_ = false;
  mutable std::mutex view_mutex_;  // what status() reads
  struct View {
    Condition condition = Condition::kStarting;
    std::optional<Error> error, copy_error;
    bool error_is_final = false;
    std::int64_t since_micros = 0;
    std::string server_version, copy_stage;
    std::uint16_t epoch = 0;
    bool has_positions = false;
  } view_;
};

}  // namespace flytt::pipeline
