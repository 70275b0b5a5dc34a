// Is each message there exactly once when a group's members die, freeze, come back and lose what they knew?

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/log.h"
#include "tests/simulation/topic_simulation.h"

namespace flytt::simulation {
namespace {

using pipeline::Condition;

class TopicSimulationTest : public testing::Test {
 protected:
  TopicSimulationTest() {
    base::set_log(std::getenv("FLYTT_SIMULATION_LOG") != nullptr ? base::LogLevel::kDebug : base::LogLevel::kError,
                  base::LogFormat::kText);
    const bool has_memory = ::access("/dev/shm", W_OK) == 0;
    std::string pattern = (has_memory ? std::string("/dev/shm/") : testing::TempDir()) + "flytt-topics-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~TopicSimulationTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<TopicSimulation> begin(std::uint64_t seed, int processes = 1) {
    auto made = std::make_unique<TopicSimulation>(seed, folder_, processes);
    for (int i = 0; i < 20; ++i) made->produce_some();
    for (int i = 0; i < processes; ++i) made->start(i);
    return made;
  }
  static bool settle(TopicSimulation& simulation) {
    return simulation.step_until([&] { return simulation.is_settled(); });
  }

  std::string folder_;
};

TEST_F(TopicSimulationTest, EachMessageIsThereOnceWithoutTrouble) {
  auto simulation = begin(1);
  for (int i = 0; i < 100; ++i) {
    simulation->step(20);
    simulation->produce_some();
  }
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, AtLeastOnceNeedsNoRecord) {
  auto simulation = std::make_unique<TopicSimulation>(2, folder_, 2);
  simulation->topics.waits_for_record = false;
  simulation->warehouse.wants_streams = false;
  for (int i = 0; i < 20; ++i) simulation->produce_some();
  simulation->start(0);
  simulation->start(1);
  for (int i = 0; i < 40; ++i) {
    simulation->step(50);
    simulation->produce_some();
    if (i % 10 == 5) simulation->topics.rebalance();
    if (i % 10 == 9) {
      simulation->kill(1);
      simulation->start(1);
    }
  }
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, AKilledProcessGoesOnWhereItWas) {
  auto simulation = begin(3);
  for (int i = 0; i < 60; ++i) {
    simulation->step(40);
    simulation->produce_some();
    simulation->kill(0);
    simulation->topics.expire_silent();
    simulation->topics.expire_silent();
    simulation->start(0);
  }
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, AMemberThatWasTakenForDeadWritesNothingTwice) {
  auto simulation = begin(4, 2);
  for (int i = 0; i < 60; ++i) {
    simulation->step(60);
    simulation->produce_some();
    simulation->freeze(0, true);  // with rows on their way
    simulation->topics.expire(simulation->member(0));
    simulation->step(120);
    simulation->freeze(0, false);
  }
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, LostCommitsAreMadeUpForByState) {
  auto simulation = begin(5);
  ASSERT_TRUE(settle(*simulation));
  simulation->kill(0);
  simulation->topics.expire_silent();
  simulation->topics.expire_silent();
  simulation->topics.forget_commits();
  simulation->produce_some();
  simulation->start(0);
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, WithCommitsAndStateLostTheTableItselfIsAsked) {
  auto simulation = begin(6);
  ASSERT_TRUE(settle(*simulation));
  simulation->kill(0);
  simulation->topics.expire_silent();
  simulation->topics.expire_silent();
  simulation->topics.forget_commits();
  simulation->forget_state(0);
  simulation->produce_some();
  simulation->start(0);
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, AMemberThatTheGroupHasForgottenWritesNothingTwice) {
  auto simulation = begin(14, 2);
  for (int i = 0; i < 60; ++i) {
    simulation->step(60);
    simulation->produce_some();
    simulation->freeze(i % 2, true);  // with rows on their way
    simulation->topics.expire(simulation->member(i % 2));
    simulation->topics.forget_commits();
    simulation->step(120);
    simulation->freeze(i % 2, false);
  }
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, AStreamThatSomebodyEndedIsReplaced) {
  auto simulation = begin(7);
  ASSERT_TRUE(settle(*simulation));
  simulation->warehouse.end_streams();
  simulation->produce_some();
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, PartitionsThatWereGivenAwayAreForgotten) {
  auto simulation = begin(13, 2);
  ASSERT_TRUE(settle(*simulation));
  for (int i = 0; i < 10; ++i) {
    simulation->topics.rebalance();
    simulation->step(500);
  }
  // Quiet partitions, too: nobody says that they are gone.
  const auto shown = [&] {
    return simulation->pipeline(0).status().lanes.size() + simulation->pipeline(1).status().lanes.size();
  };
  EXPECT_TRUE(simulation->step_until([&] { return shown() == simulation->topics.logs().size(); })) << shown();
  simulation->produce_some();
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, StreamsOfQuietPartitionsAreRenewedBeforeTheyExpire) {
  auto simulation = begin(12);
  ASSERT_TRUE(settle(*simulation));
  const std::size_t before = simulation->warehouse.stream_count();
  simulation->clock.advance(pipeline::kLaneRenewal);
  ASSERT_TRUE(simulation->step_until([&] { return simulation->warehouse.stream_count() >= 2 * before; }));
  simulation->produce_some();
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, ATableThatCannotBeWrittenHoldsOnlyItsOwnPartitionsBack) {
  auto simulation = begin(8);
  ASSERT_TRUE(settle(*simulation));
  simulation->warehouse.forbid({"project", "landing", "a"}, true);
  for (int i = 0; i < 10; ++i) simulation->produce_some();
  const auto others_are_committed = [&] {
    for (const auto& [place, log] : simulation->topics.logs()) {
      if (place.first != "b") continue;
      if (simulation->topics.committed().at(place).offset < static_cast<std::int64_t>(log.size())) return false;
    }
    return true;
  };
  const auto is_detached = [&] {
    for (const auto& table : simulation->pipeline(0).status().tables)
      if (table.record.source_table == "a") return table.record.phase == state::TablePhase::kDetached;
    return false;
  };
  ASSERT_TRUE(simulation->step_until([&] { return others_are_committed() && is_detached(); })) << simulation->verdict();
  EXPECT_FALSE(simulation->is_settled());
  for (const auto& table : simulation->pipeline(0).status().tables) {
    if (table.record.source_table != "a") continue;
    EXPECT_NE(table.record.reason.find("reading goes on where it stopped"), std::string::npos) << table.record.reason;
  }
  simulation->warehouse.forbid({"project", "landing", "a"}, false);
  simulation->resync(0, "a");
  ASSERT_TRUE(settle(*simulation)) << simulation->verdict();
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(TopicSimulationTest, ATopicThatWasMadeAnewIsNamed) {
  auto simulation = begin(9);
  ASSERT_TRUE(settle(*simulation));
  simulation->kill(0);
  simulation->topics.expire_silent();
  simulation->topics.expire_silent();
  simulation->topics.make_anew("a");
  simulation->start(0);
  ASSERT_TRUE(
      simulation->step_until([&] { return simulation->pipeline(0).status().condition == Condition::kWaiting; }));
  EXPECT_NE(simulation->pipeline(0).status().error.find("topic a was made anew"), std::string::npos)
      << simulation->pipeline(0).status().error;
}

TEST_F(TopicSimulationTest, ItEndsWhenItIsAskedToAndWhenItIsCaughtUp) {
  auto simulation = begin(10);
  simulation->step(500);
  simulation->pipeline(0).request_stop();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->pipeline(0).has_ended(); }));
  EXPECT_FALSE(simulation->pipeline(0).error());
  simulation->kill(0);
  simulation->config.ends_when_caught_up = true;
  auto again = std::make_unique<TopicSimulation>(11, folder_, 1);
  again->config.ends_when_caught_up = true;
  for (int i = 0; i < 20; ++i) again->produce_some();
  again->start(0);
  ASSERT_TRUE(again->step_until([&] { return again->pipeline(0).has_ended(); })) << again->verdict();
  EXPECT_EQ(again->verdict(), "");
}

// ---- everything goes wrong, by seed

std::uint64_t seeds() {
  const char* asked = std::getenv("FLYTT_SIMULATION_SEEDS");
  return asked != nullptr ? std::stoull(asked) : 60;
}
std::uint64_t first_seed() {
  const char* asked = std::getenv("FLYTT_SIMULATION_SEED");
  return asked != nullptr ? std::stoull(asked) : 1;
}

void make_trouble(TopicSimulation& simulation) {
  const int process = static_cast<int>(simulation.random.below(static_cast<std::uint64_t>(simulation.process_count())));
  switch (simulation.random.below(10)) {
    case 0: simulation.topics.rebalance(); break;
    case 1:
      if (simulation.is_running(process)) simulation.kill(process);
      break;
    case 2:
    case 3:
      if (!simulation.is_running(process)) simulation.start(process);
      break;
    case 4:
      if (simulation.is_running(process)) simulation.topics.expire(simulation.member(process));
      break;
    case 5: simulation.freeze(process, true); break;
    case 6: simulation.freeze(process, false); break;
    case 7: simulation.warehouse.set_away(true); break;
    case 8: simulation.warehouse.set_away(false); break;
    case 9: simulation.topics.expire_silent(); break;
  }
}

TEST_F(TopicSimulationTest, EverythingGoesWrong) {
  for (std::uint64_t seed = first_seed(); seed < first_seed() + seeds(); ++seed) {
    auto simulation = begin(seed, 1 + static_cast<int>(seed % 3));
    simulation->topics.trouble = {3, 100, 50, 20};
    simulation->warehouse.trouble.submit_fails = 3;
    simulation->warehouse.trouble.collect_fails = 3;
    simulation->warehouse.trouble.call_fails = 20;
    for (int i = 0; i < 60; ++i) {
      simulation->step(static_cast<int>(simulation->random.below(120)));
      simulation->produce_some();
      make_trouble(*simulation);
    }
    simulation->heal();
    ASSERT_TRUE(settle(*simulation)) << "seed " << seed << ": " << simulation->verdict();
    ASSERT_EQ(simulation->verdict(), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace flytt::simulation
