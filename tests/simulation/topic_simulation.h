#pragma once
// TopicSimulation: several processes of one consumer group, each the real pipeline with state of its own, between scripted
// brokers and one scripted warehouse. One thread steps one actor of one process at a time, as Simulation does.

#include <memory>
#include <string>
#include <vector>

#include "pipeline/topic_pipeline.h"
#include "tests/simulation/scripted_topics.h"
#include "tests/simulation/scripted_warehouse.h"
#include "tests/simulation/simulation.h"

namespace flytt::simulation {

class TopicSimulation {
 public:
  TopicSimulation(std::uint64_t seed, std::string folder, int processes);
  ~TopicSimulation();

  void produce_some();
  void start(int process);
  void kill(int process);  // whatever is in memory is gone; the group learns it later
  void forget_state(int process);
  bool is_running(int process) const { return processes_[static_cast<std::size_t>(process)].pipeline != nullptr; }
  int process_count() const { return static_cast<int>(processes_.size()); }
  int member(int process) const { return processes_[static_cast<std::size_t>(process)].origin->member; }
  void freeze(int process, bool is_frozen) { processes_[static_cast<std::size_t>(process)].is_frozen = is_frozen; }
  pipeline::TopicPipeline& pipeline(int process) { return *processes_[static_cast<std::size_t>(process)].pipeline; }
  void resync(int process, const std::string& topic);
  void step(int times);
  template <typename Holds>
  bool step_until(Holds holds, int steps_max = 80'000) {
    for (int i = 0; i < steps_max; ++i) {
      if (holds()) return true;
      step(1);
      if (i % 500 == 499) topics.expire_silent();
    }
    return false;
  }
  bool is_settled() const { return topics.is_all_committed(); }
  void heal();
  // What is wrong with the tables; empty when every message is there as often as it should be.
  std::string verdict();

  base::SeededRandom random;
  VirtualClock clock;
  ScriptedTopics topics;
  ScriptedWarehouse warehouse;
  pipeline::StreamConfig config;

 private:
  struct Process {
    std::string state_path;
    bool is_frozen = false;
    std::unique_ptr<ScriptedTopicOrigin> origin;
    std::unique_ptr<SteppedCrew> crew;
    std::unique_ptr<state::Store> store;
    std::unique_ptr<pipeline::TopicPipeline> pipeline;
    std::unique_ptr<pipeline::Crew::Job> job;
  };
  std::string check_durable(const Place& place, std::int64_t from, std::int64_t to);
  // "" when the message is where it should be.
  std::string look_for(const Place& place, std::int64_t offset, bool is_late);

  ScriptedDestination destination_;
  base::Metrics metrics_;
  std::vector<Process> processes_;
};

}  // namespace flytt::simulation
