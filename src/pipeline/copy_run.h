#pragma once
// CopyRun: one copy session's life: tables are copied under one snapshot by a pool of workers (delivery.md §3).
//
// The coordinator opens the session, cuts the tables into ranges and keeps the session until the last worker is done.
// Each worker has its own sink and, for the range that it copies, its own source. A range is saved as finished once all
// its rows are settled; when the last range of a table is, the table is streaming. What is left when a run ends (it was
// stopped, the snapshot was lost, it grew too old) is copied by the next run under a new snapshot.
//
// A range that fails for a passing reason is tried again after a while. A table whose rows cannot be read, or cannot be
// written, is detached and the others go on. An error that concerns all tables ends the run.
//
// Owned by the supervisor, outlives the jobs of its actors.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "base/random.h"
#include "pipeline/actor.h"
#include "pipeline/delivery.h"
#include "pipeline/origin.h"

namespace flytt::pipeline {

class CopyRun {
 public:
  struct Parts {
    Origin& origin;
    Delivery::Parts delivery;
    base::Random& random;
    std::uint16_t epoch = 1;
    int workers = 2;
    bool is_renewal = false;  // the run before ended by age: what it finished is kept
  };

  // `tables` are those that are to be copied, as the origin lists them now; their records are in kCopying.
  CopyRun(Parts parts, OriginTables tables);

  std::vector<Actor*> actors();
  void finish_soon();  // ranges under way are completed, no new ones begun
  void abort();        // ranges under way are given up
  bool is_finished() const { return coordinator_is_done_; }
  bool is_over_age() const { return is_over_age_; }  // ended because its snapshot grew too old; begin the next one
  // What ended the run before its tables were done; nullopt when nothing did.
  std::optional<Error> error() const;
  // "waiting for a snapshot", "copying"; for people.
  std::string stage() const;

 private:
  struct Task {
    OriginTable table;
    std::int64_t generation = 0;
    std::string plan;
    state::CopyRange range;
    int failures = 0;
    base::SteadyTime not_before{};
  };

  class Coordinator final : public Actor {
   public:
    explicit Coordinator(CopyRun& run) : run_(run) {}
    Progress step(base::Duration wait) override;

   private:
    Result<Progress> work(base::Duration wait);
    Status open();
    Status plan(const OriginTable& table, bool is_anew);
    Result<Progress> watch(base::Duration wait);
    void end();

    CopyRun& run_;
    bool is_open_ = false;
    std::deque<OriginTable> unplanned_;
    base::SteadyTime opened_at_{};
    std::int64_t opened_micros_ = 0;
  };

  class Worker final : public Actor {
   public:
    explicit Worker(CopyRun& run) : run_(run) {}
    ~Worker() override { give_up(); }
    Progress step(base::Duration wait) override;

   private:
    Result<Progress> work(base::Duration wait);
    Status begin();
    Status move_rows(base::Duration wait);
    Status finish();
    std::optional<Task> let_go();  // drops source, claim and rows under way; the task is still taken
    void give_up();                // lets go and puts the task down
    void failed(Error error);
    bool is_void() const;

    CopyRun& run_;
    std::optional<Task> task_;
    bool is_claimed_ = false;
    bool failed_at_source_ = false;
    std::unique_ptr<Delivery> delivery_;
    std::unique_ptr<flow::Source> source_;
    bool source_is_done_ = false;
    std::int64_t rows_ = 0;
  };

  // What coordinator and workers share.
  std::optional<Task> take(base::Duration wait);
  void put_back(Task task);
  void put_down();  // the taken task is finished or void
  void ask_for_new_plan(const Task& task);
  void close(std::optional<Error> error);
  bool is_last_range(const std::string& source_table, std::int64_t generation);

  const Parts parts_;
  const OriginTables tables_;
  std::unique_ptr<CopySession> session_;  // set before the first task, reset after the last
  std::stop_source stop_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::deque<OriginTable> replans_;
  std::map<std::pair<std::string, std::int64_t>, std::size_t> ranges_left_;  // by table and generation
  std::size_t taken_ = 0;
  bool is_closed_ = false;
  std::optional<Error> error_;
  std::string stage_ = "waiting for a snapshot";
  std::atomic<bool> is_aborted_{false}, is_over_age_{false}, coordinator_is_done_{false};
  Coordinator coordinator_;
  std::deque<Worker> workers_;
};

}  // namespace flytt::pipeline
