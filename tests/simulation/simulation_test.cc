// Does the pipeline lose, repeat or resurrect when everything goes wrong?

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/log.h"
#include "tests/simulation/simulation.h"

namespace flytt::simulation {
namespace {

using state::TablePhase;

class SimulationTest : public testing::Test {
 protected:
  SimulationTest() {
    base::set_log(std::getenv("FLYTT_SIMULATION_LOG") != nullptr ? base::LogLevel::kDebug : base::LogLevel::kError, base::LogFormat::kText);
    std::string pattern = testing::TempDir() + "flytt-simulation-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SimulationTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Simulation> begin(std::uint64_t seed) {
    return std::make_unique<Simulation>(seed, folder_ + "/state-" + std::to_string(seed) + "-" + std::to_string(count_++) + ".db");
  }
  // One simulation that is copied and settled, with some rows.
  std::unique_ptr<Simulation> settled(std::uint64_t seed) {
    auto made = begin(seed);
    for (int i = 0; i < 20; ++i) made->write_some();
    made->start_process();
    EXPECT_TRUE(made->step_until([&] { return made->is_settled(); })) << made->verdict();
    return made;
  }

  std::string folder_;
  int count_ = 0;
};

TEST_F(SimulationTest, CopiesAndStreamsWithoutTrouble) {
  auto simulation = begin(1);
  for (int i = 0; i < 30; ++i) simulation->write_some();
  simulation->start_process();
  for (int i = 0; i < 200; ++i) {
    simulation->step(10);
    simulation->write_some();
  }
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
  EXPECT_TRUE(simulation->step_until([&] { return simulation->database.confirmed() == simulation->database.end(); })) << "an idle slot releases its log";
}

}  // namespace
}  // namespace flytt::simulation
