#pragma once
// Pipeline: a stream of changes of a database, with copies of its tables beside it (Origin).
//
// It compares identity, slot and tables of the source with what state remembers, starts the stream where it can go on, and
// CopyRuns for tables that are not complete; it sees tables that come and go, and copies anew what a person asks for.

#include <memory>
#include <optional>
#include <vector>

#include "pipeline/copy_run.h"
#include "pipeline/supervisor.h"

namespace flytt::pipeline {

namespace internal {
struct StartDecision;
class TableLifecycle;
}  // namespace internal

class Pipeline final : public Supervisor {
 public:
  Pipeline(StreamConfig config, Origin& origin, Destination& destination, Parts parts);
  ~Pipeline() override;

 private:
  // -- starting
  Result<bool> start() override;
  Result<internal::StartDecision> look_at_source();
  Result<bool> apply(const internal::StartDecision& decision);
  Result<flow::Position> make_slot();
  Status settle_requests();
  Status open_run();
  Result<bool> has_watched_slot();
  Result<bool> wait_for_holder();

  // -- running
  bool is_caught_up() override;
  void look_beside(bool may_begin) override;
  bool end_beside() override;
  bool has_work_beside() const override { return copies_ != nullptr; }
  void describe(PipelineStatus& status) const override;
  void watch_tables();
  void watch_copies(bool may_begin);
  void begin_copies();
  bool join_copies();

  Origin& origin_;
  CheckpointLedger ledger_;
  Backoff copy_backoff_;
  std::unique_ptr<internal::TableLifecycle> lifecycle_;

  bool is_loaded_ = false;
  bool has_reconciled_ = false;  // the shapes of all destination tables are known
  base::SteadyTime copies_not_before_{}, tables_listed_at_{};
  std::optional<base::SteadyTime> held_since_, adopt_since_;
  std::optional<flow::Position> adopt_confirmed_, goal_;
  OriginTables tables_;
  std::optional<state::Checkpoint> checkpoint_;
  OriginIdentity identity_;
  std::vector<state::ResyncRequest> requests_;
  SlotFacts slot_;
  std::unique_ptr<CopyRun> copies_;
  std::vector<std::unique_ptr<Crew::Job>> copy_jobs_;  // joined before their run goes
  bool is_copy_renewal_ = false;
};

}  // namespace flytt::pipeline
