#pragma once
// Simulation: the real pipeline between a scripted source and a scripted destination, with a clock that the simulation
// owns. One thread steps one actor at a time; which one, what breaks and when the process dies is decided by the seed,
// and the seed is the reproduction.

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/pipeline.h"
#include "tests/simulation/scripted_database.h"
#include "tests/simulation/scripted_warehouse.h"

namespace flytt::simulation {

class VirtualClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return now_; }
  std::int64_t wall_micros() const override {
    return 1'700'000'000'000'000 +
           std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count();
  }
  void advance(base::Duration span) { now_ += span; }

 private:
  base::SteadyTime now_{std::chrono::hours(1)};
};

class SteppedCrew final : public pipeline::Crew {
 public:
  std::unique_ptr<Job> start(pipeline::Actor& actor) override;
  std::size_t size() const { return members_.size(); }
  void step(std::size_t index);  // of any member that is not done

 private:
  struct Member {
    pipeline::Actor* actor;
    bool is_done = false;
  };
  class SteppedJob;
  std::list<Member> members_;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, std::string state_path);
  ~Simulation();

  // -- the world
  void write_some();  // a transaction with a few changes of random rows
  void write(std::vector<Change> changes);
  const std::vector<std::string>& table_names() const { return names_; }

  // -- the process
  void start_process();
  void kill_process();   // whatever is in memory is gone
  void step(int times);  // random actors, time moves a little
  // Steps until `holds` or, after too many steps, a failure of the test.
  template <typename Holds>
  bool step_until(Holds holds, int steps_max = 60'000) {
    for (int i = 0; i < steps_max; ++i) {
      if (holds()) return true;
      step(1);
    }
    return false;
  }
  bool is_settled() const;  // saved position = the source's end, no table is copying
  void resync(const std::string& table);
  void heal();  // no more trouble; detached tables are copied again until all is settled
  pipeline::Pipeline& pipeline() { return *pipeline_; }
  state::Store& store() { return *store_; }
  state::TablePhase phase(const std::string& table);
  std::string reason(const std::string& table);

  // Differences between source and destination, and complaints of either; empty when all is well.
  std::string verdict();

  base::SeededRandom random;
  VirtualClock clock;
  ScriptedDatabase database;
  ScriptedWarehouse warehouse;
  pipeline::StreamConfig config;

 private:
  std::string check_durable(std::uint64_t from, std::uint64_t to);
  std::string compare(const std::string& name);
  bool is_in_quarantine(const std::string& table, const std::string& key, const std::string& column,
                        data::Sequence sequence) const;

  const std::string state_path_;
  std::vector<std::string> names_;
  ScriptedOrigin origin_;
  ScriptedDestination destination_;
  base::Metrics metrics_;
  std::unique_ptr<SteppedCrew> crew_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<pipeline::Pipeline> pipeline_;
  std::unique_ptr<pipeline::Crew::Job> job_;
};

}  // namespace flytt::simulation
