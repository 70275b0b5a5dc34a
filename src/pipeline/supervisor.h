#pragma once
// Supervisor: carries one stream from its source to its destination, restart after restart; what is common to all kinds of
// sources. It is an actor that prepares the stream, starts a StreamRun with the help of a Crew, and looks after it: restarts
// with backoff, requests of people, orderly stop. Its step is called by one thread; the functions marked so may be called
// by any.
//
// An error that passes by itself is tried again for ever, one that a person must mend every kOperatorRetry (and at once
// after a resync is asked for), any other ends the pipeline: it stays in kFailed and harms nobody else.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/random.h"
#include "pipeline/actor.h"
#include "pipeline/backoff.h"
#include "pipeline/gauges.h"
#include "pipeline/status.h"
#include "pipeline/stream_run.h"

namespace flytt::pipeline {

struct StreamConfig {
  std::string name;
  std::string source;                // under whose name objects made in the source are remembered
  bool may_adopt_slot = false;       // --adopt
  bool ends_when_caught_up = false;  // --once
  std::size_t channel_bytes = kChannelBytes;
  int copy_workers = kCopyWorkers;  // of a source with copies
  base::Duration drain_max = kDrainMax;
};

class Supervisor : public Actor {
 public:
  // All outlive the pipeline.
  struct Parts {
    state::Store& store;
    const base::Clock& clock;
    base::Random& random;
    base::Metrics& metrics;
    Crew& crew;
  };
  ~Supervisor() override;

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

 protected:
  enum class Phase { kStarting, kRunning, kRestarting, kWaiting, kFailed, kStopping, kStopped };

  Supervisor(StreamConfig config, Destination& destination, const PositionWords& words, Parts parts);

  // -- what a kind of source adds
  // Brings the stream to the point where begin_run was called. False: not yet, for a reason that is shown or passes with
  // the next steps.
  virtual Result<bool> start() = 0;
  virtual bool is_caught_up() = 0;
  // Called at each step but while it stops: what goes on beside the stream. It may begin something new if `may_begin`.
  virtual void look_beside(bool may_begin) = 0;
  // What goes on beside the stream is to end; true when it has.
  virtual bool end_beside() { return true; }
  virtual bool has_work_beside() const { return false; }
  // The run is over; its helpers end, too. True when they have.
  virtual bool end_helpers() { return true; }
  virtual void describe(PipelineStatus& status) const = 0;

  void begin_run(flow::Position start, Ledger& ledger, std::unique_ptr<flow::Source> source,
                 std::unique_ptr<Delivery> delivery);
  void end_run();  // at once; by the destructor of the derived class
  void begin_restart();
  void wait_for(base::Duration wait, Error error);
  void enter(Phase phase, std::optional<Error> error = {});
  static bool are_done(const std::vector<std::unique_ptr<Crew::Job>>& jobs);

  const StreamConfig config_;
  Destination& destination_;
  const Parts parts_;
  const PositionWords& words_;
  TableBook book_;
  Quarantine quarantine_;
  Gauges gauges_;
  Backoff backoff_;
  Phase phase_ = Phase::kStarting;
  std::unique_ptr<StreamRun> stream_;
  std::vector<std::unique_ptr<Crew::Job>> stream_jobs_;  // joined before the run goes
  std::stop_source stopping_;                            // interrupts what may wait long at the source
  mutable std::mutex view_mutex_;                        // what status() reads
  struct View {
    Condition condition = Condition::kStarting;
    std::optional<Error> error, copy_error;
    bool error_is_final = false;
    std::int64_t since_micros = 0;
    std::string server_version, copy_stage;
    std::uint16_t epoch = 0;
    bool has_positions = false;
  } view_;

 private:
  void work();
  void watch_stream();
  void watch_requests();
  void trouble(Error error);
  void stop_step();
  void save_facts(bool is_due);
  Status remember_facts();

  bool has_remembered_ = false;
  base::SteadyTime not_before_{}, requests_seen_at_{}, facts_saved_at_{}, run_started_at_{};
  base::Deadline drain_deadline_;
  flow::Position run_start_;
  std::atomic<bool> is_stop_requested_{false}, is_stop_now_{false}, has_ended_{false};
  std::mutex bell_mutex_;
  std::condition_variable bell_, ended_;
  bool has_rung_ = false;
};

}  // namespace flytt::pipeline
