// Does the pipeline lose, repeat or resurrect when everything goes wrong?

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
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
    base::set_log(std::getenv("FLYTT_SIMULATION_LOG") != nullptr ? base::LogLevel::kDebug : base::LogLevel::kError,
                  base::LogFormat::kText);
    // The process dies here, the machine does not: state may lie in memory, where saving costs nothing.
    const bool has_memory = ::access("/dev/shm", W_OK) == 0;
    std::string pattern = (has_memory ? std::string("/dev/shm/") : testing::TempDir()) + "flytt-simulation-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SimulationTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Simulation> begin(std::uint64_t seed) {
    return std::make_unique<Simulation>(
        seed, folder_ + "/state-" + std::to_string(seed) + "-" + std::to_string(count_++) + ".db");
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
  EXPECT_TRUE(simulation->step_until([&] { return simulation->database.confirmed() == simulation->database.end(); }))
      << "an idle slot releases its log";
}

const data::TablePath kTableA{"project", "landing", "a"};

Change upsert(const std::string& table, std::int64_t key, std::int64_t value) {
  return {Change::Kind::kUpsert, table, key, value, {}};
}
Change erase(const std::string& table, std::int64_t key) { return {Change::Kind::kDelete, table, key, 0, {}}; }
Change truncate(const std::string& table) { return {Change::Kind::kTruncate, table, 0, 0, {}}; }

// ---- everything goes wrong, by seed

std::uint64_t seeds() {
  const char* asked = std::getenv("FLYTT_SIMULATION_SEEDS");
  return asked != nullptr ? std::stoull(asked) : 60;
}
std::uint64_t first_seed() {
  const char* asked = std::getenv("FLYTT_SIMULATION_SEED");
  return asked != nullptr ? std::stoull(asked) : 1;
}

void make_trouble(Simulation& simulation) {
  const auto some = [&](std::uint64_t most) { return static_cast<unsigned>(simulation.random.below(most + 1)); };
  simulation.database.trouble = {some(20), some(200), some(40), some(100)};
  simulation.warehouse.trouble = {some(20), some(20), some(100), 100 + some(900), 1 + some(6)};
}

// What may happen to tables while the stream runs; the first kinds heal by themselves.
void happen_to_tables(Simulation& simulation, std::uint64_t kinds) {
  const std::string table = simulation.table_names()[simulation.random.below(3)];
  const data::TablePath path{"project", "landing", table.substr(7)};
  switch (simulation.random.below(kinds)) {
    case 0: simulation.database.rewrite(table); break;
    case 1: {
      Shape shape = simulation.database.tables().at(table).shape;
      shape.has_extra = true;
      simulation.database.alter(table, shape);
      break;
    }
    case 2: simulation.resync(table); break;
    case 3: simulation.database.publish(table, simulation.random.below(2) == 0); break;
    case 4: simulation.write({upsert(table, 3, 5), truncate(table), upsert(table, 4, 6)}); break;
    case 5: {
      Shape shape = simulation.database.tables().at(table).shape;
      shape.value_is_text = !shape.value_is_text;
      simulation.database.alter(table, shape);
      break;
    }
    case 6: simulation.warehouse.drop_table(path); break;
    case 7: simulation.warehouse.forbid(path, simulation.random.below(2) == 0); break;
    case 8: simulation.resync(""); break;
    case 9: simulation.database.refuse(table, simulation.random.below(2) == 0 ? "it has no key" : ""); break;
    case 10: simulation.database.make_anew(table); break;
    case 11: simulation.database.drop_slot(); break;
    case 12: simulation.database.become_another_system(); break;
  }
}

void live_through(Simulation& simulation, std::uint64_t kinds) {
  for (int i = 0; i < 15; ++i) simulation.write_some();
  simulation.start_process();
  for (int round = 0; round < 120; ++round) {
    simulation.step(static_cast<int>(simulation.random.below(60)));
    if (simulation.random.below(2) == 0) simulation.write_some();
    if (simulation.random.below(10) == 0) make_trouble(simulation);
    if (simulation.random.below(12) == 0) happen_to_tables(simulation, kinds);
    if (simulation.random.below(20) == 0) simulation.clock.advance(std::chrono::seconds(simulation.random.below(40)));
    if (simulation.random.below(15) == 0) {
      simulation.kill_process();
      simulation.write_some();
      simulation.start_process();
    }
  }
}

TEST_F(SimulationTest, ConvergesThroughFailuresAndCrashes) {
  for (std::uint64_t seed = first_seed(); seed < first_seed() + seeds(); ++seed) {
    auto simulation = begin(seed);
    live_through(*simulation, 3);
    for (const std::string& name : simulation->table_names())
      EXPECT_NE(simulation->phase(name), TablePhase::kDetached) << "seed " << seed << ": " << simulation->reason(name);
    simulation->heal();
    ASSERT_EQ(simulation->verdict(), "") << "seed " << seed << ": FLYTT_SIMULATION_SEED=" << seed
                                         << " FLYTT_SIMULATION_SEEDS=1";
  }
}

TEST_F(SimulationTest, ConvergesAfterWhatDetachesTablesIsMended) {
  for (std::uint64_t seed = first_seed(); seed < first_seed() + seeds(); ++seed) {
    auto simulation = begin(seed);
    live_through(*simulation, 11);
    simulation->heal();
    ASSERT_EQ(simulation->verdict(), "") << "seed " << seed << ": FLYTT_SIMULATION_SEED=" << seed
                                         << " FLYTT_SIMULATION_SEEDS=1";
  }
}

TEST_F(SimulationTest, ConvergesAfterLostSlotsAndOtherSystems) {
  for (std::uint64_t seed = first_seed(); seed < first_seed() + seeds(); ++seed) {
    auto simulation = begin(seed);
    live_through(*simulation, 13);
    simulation->heal();
    if (simulation->pipeline().status().error.find("slot") != std::string::npos) {
      simulation->resync("");
      simulation->heal();
    }
    ASSERT_EQ(simulation->verdict(), "") << "seed " << seed << ": FLYTT_SIMULATION_SEED=" << seed
                                         << " FLYTT_SIMULATION_SEEDS=1";
  }
}

// ---- one thing at a time

TEST_F(SimulationTest, AKilledCopyGoesOnWhereItWas) {
  auto simulation = begin(7);
  simulation->database.ranges_min = simulation->database.ranges_max = 12;
  for (int i = 0; i < 200; ++i) simulation->write({upsert("public.a", i, i * 100 + 1)});
  simulation->start_process();
  const auto done = [&] {
    const auto ranges = simulation->store().ranges("scripted", "public.a").value();
    return std::count_if(ranges.begin(), ranges.end(), [](const state::CopyRange& range) { return range.done; });
  };
  const auto planned = [&] {
    return static_cast<std::int64_t>(simulation->store().ranges("scripted", "public.a").value().size());
  };
  ASSERT_TRUE(simulation->step_until([&] { return done() >= 2 && done() < planned() - 1; }));
  simulation->kill_process();
  simulation->start_process();
  const auto done_before = done();
  std::int64_t fewest = 1000;
  ASSERT_TRUE(simulation->step_until([&] {
    if (planned() != 0) fewest = std::min(fewest, static_cast<std::int64_t>(done()));
    return simulation->is_settled();
  }));
  EXPECT_GE(fewest, done_before) << "what was finished stays finished";
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, ACopyOlderThanTombstonesStartsAgain) {
  auto simulation = begin(8);
  simulation->database.ranges_min = simulation->database.ranges_max = 12;
  for (int i = 0; i < 200; ++i) simulation->write({upsert("public.a", i, i)});
  simulation->start_process();
  const auto done = [&] {
    const auto ranges = simulation->store().ranges("scripted", "public.a").value();
    return std::count_if(ranges.begin(), ranges.end(), [](const state::CopyRange& range) { return range.done; });
  };
  ASSERT_TRUE(simulation->step_until([&] { return done() >= 2; }));
  simulation->kill_process();
  simulation->clock.advance(std::chrono::hours(37));
  simulation->start_process();
  EXPECT_TRUE(simulation->step_until([&] { return done() == 0; }));
  EXPECT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, AResyncRemovesWhatTheSourceDoesNotHave) {
  auto simulation = settled(9);
  simulation->write({upsert("public.a", 1, 1), upsert("public.a", 2, 2), upsert("public.b", 1, 1)});
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  simulation->write({truncate("public.a"), upsert("public.a", 2, 20)});
  ASSERT_TRUE(simulation->step_until([&] { return simulation->phase("public.a") == TablePhase::kDetached; }));
  EXPECT_NE(simulation->reason("public.a").find("flytt resync scripted.public.a"), std::string::npos)
      << simulation->reason("public.a");
  simulation->write({erase("public.a", 2), upsert("public.a", 3, 30), upsert("public.b", 1, 11)});
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->phase("public.b"), TablePhase::kStreaming) << "others go on";
  simulation->resync("public.a");
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->phase("public.a") == TablePhase::kStreaming && simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, ATruncateIsNotMetAgainAfterItsResync) {
  auto simulation = settled(10);
  simulation->write({truncate("public.a"), upsert("public.a", 1, 1)});
  ASSERT_TRUE(simulation->step_until([&] { return simulation->phase("public.a") == TablePhase::kDetached; }));
  // The saved position may still lie before the truncate: it is read again after the crash.
  simulation->kill_process();
  simulation->start_process();
  simulation->resync("public.a");
  ASSERT_TRUE(simulation->step_until([&] {
    return simulation->phase("public.a") == TablePhase::kStreaming && simulation->is_settled();
  })) << simulation->reason("public.a");
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, ARetypedColumnDetachesItsTableAndResyncHeals) {
  auto simulation = settled(11);
  simulation->database.alter("public.b", {false, true});
  simulation->write({upsert("public.b", 1, 5)});
  ASSERT_TRUE(simulation->step_until([&] { return simulation->phase("public.b") == TablePhase::kDetached; }));
  simulation->write({upsert("public.b", 2, 6), upsert("public.a", 1, 7)});
  simulation->resync("public.b");
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->phase("public.b") == TablePhase::kStreaming && simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, AnAddedColumnIsFollowed) {
  auto simulation = settled(12);
  simulation->database.alter("public.c", {true, false});
  simulation->write({upsert("public.c", 1, 5)});
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  const auto tables = simulation->warehouse.tables();
  const WarehouseTable& table = tables.at({"project", "landing", "c"});
  ASSERT_EQ(table.schema.fields.size(), 3u);
  EXPECT_EQ(table.rows.at("1|").values, (std::vector<std::string>{"1", "5", "10"}));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, AnUnwritableTableIsDetachedAndOthersGoOn) {
  auto simulation = settled(13);
  simulation->warehouse.forbid(kTableA, true);
  simulation->write({upsert("public.a", 1, 1), upsert("public.b", 1, 1)});
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->phase("public.a") == TablePhase::kDetached && simulation->is_settled(); }));
  EXPECT_TRUE(simulation->step_until([&] { return simulation->database.confirmed() == simulation->database.end(); }))
      << "a detached table holds nothing back";
  simulation->warehouse.forbid(kTableA, false);
  simulation->resync("public.a");
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->phase("public.a") == TablePhase::kStreaming && simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, ADestinationThatIsAwayDetachesNothing) {
  auto simulation = settled(14);
  simulation->warehouse.set_away(true);
  for (int i = 0; i < 100; ++i) {
    simulation->write_some();
    simulation->step(50);
    simulation->clock.advance(std::chrono::seconds(40));
  }
  EXPECT_EQ(simulation->pipeline().status().condition, pipeline::Condition::kWaiting);
  EXPECT_NE(simulation->pipeline().status().error, "");
  simulation->warehouse.set_away(false);
  simulation->clock.advance(std::chrono::seconds(40));
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, AMissingOrRecreatedDestinationTableIsCopiedAgain) {
  auto simulation = settled(15);
  simulation->kill_process();
  simulation->warehouse.drop_table(kTableA);
  simulation->start_process();
  simulation->step(1000);
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, ATableThatWasAwayWhileTheProcessWasDownIsCopiedAgain) {
  auto simulation = settled(24);
  simulation->write({upsert("public.a", 1, 1), upsert("public.a", 2, 1)});
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  simulation->kill_process();
  simulation->database.publish("public.a", false);
  simulation->write({upsert("public.a", 1, 2), erase("public.a", 2)});  // nobody is told
  simulation->database.publish("public.a", true);
  simulation->start_process();
  simulation->step(1000);
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, AnIdentityWithoutMembershipIsTakenOnceAndReplaced) {
  auto simulation = settled(25);
  const auto records = [&] { return simulation->store().tables(simulation->config.name).value(); };
  const auto before = records();
  for (state::TableRecord record : before) {
    record.source_identity = record.source_identity.substr(0, record.source_identity.find('/'));
    ASSERT_TRUE(simulation->store().save_table(record));
  }
  simulation->kill_process();
  simulation->start_process();
  const auto is_rewritten = [&] {
    const auto now = records();
    return std::all_of(now.begin(), now.end(),
                       [](const auto& record) { return record.source_identity.find('/') != std::string::npos; });
  };
  ASSERT_TRUE(simulation->step_until([&] { return is_rewritten() && simulation->is_settled(); }));
  for (const state::TableRecord& record : records())
    EXPECT_EQ(record.generation, 1) << record.source_table << " was copied again without need";
  // From now on a membership that is another one counts.
  simulation->kill_process();
  simulation->database.publish("public.a", false);
  simulation->write({upsert("public.a", 77, 7)});
  simulation->database.publish("public.a", true);
  simulation->start_process();
  simulation->step(1000);
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, AForeignDestinationTableIsLeftAlone) {
  auto simulation = begin(16);
  ScriptedDestination theirs(simulation->warehouse);
  ASSERT_TRUE(theirs.create_table(*slice_schema("landing", "public.a", {}, 1)));
  auto sink = theirs.open_sink().value();
  flow::Batch batch;
  batch.tables.emplace_back(slice_schema("landing", "public.a", {}, 1));
  batch.tables.back().columns[0].append_int64(999);
  batch.tables.back().columns[1].append_int64(1);
  batch.tables.back().sequences.push_back({});
  ASSERT_TRUE(sink->submit(batch, base::Deadline::never()));
  while (simulation->warehouse.tables().at(kTableA).rows.empty()) ASSERT_TRUE(sink->collect(base::Deadline::passed()));
  simulation->write({upsert("public.a", 1, 1), upsert("public.b", 1, 1)});
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->phase("public.a"), TablePhase::kDetached);
  EXPECT_NE(simulation->reason("public.a").find("exists already"), std::string::npos);
  EXPECT_EQ(simulation->warehouse.tables().at(kTableA).rows.size(), 1u);
  simulation->resync("public.a");
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->phase("public.a") == TablePhase::kStreaming && simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "") << "replaced, because a person said so";
}

TEST_F(SimulationTest, ATableIsAddedWhileTheStreamRuns) {
  auto simulation = settled(17);
  simulation->database.publish("public.c", false);
  simulation->write({upsert("public.c", 1, 1)});
  simulation->clock.advance(std::chrono::seconds(40));
  ASSERT_TRUE(simulation->step_until([&] { return simulation->phase("public.c") == TablePhase::kAbsent; }));
  simulation->write({upsert("public.c", 2, 2), erase("public.c", 1)});
  simulation->database.publish("public.c", true);
  simulation->clock.advance(std::chrono::seconds(40));
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->phase("public.c") == TablePhase::kStreaming && simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, ALostSlotIsNamedAndAResyncOfTheStreamHeals) {
  auto simulation = settled(18);
  simulation->kill_process();
  simulation->database.drop_slot();
  simulation->write({upsert("public.a", 1, 1), erase("public.b", 2)});
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->pipeline().status().condition == pipeline::Condition::kWaiting; }));
  EXPECT_NE(simulation->pipeline().status().error.find("run `flytt resync scripted`"), std::string::npos)
      << simulation->pipeline().status().error;
  simulation->resync("");
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, ASlotThatWasMovedOnIsNamed) {
  auto simulation = settled(19);
  simulation->kill_process();
  simulation->write({upsert("public.a", 1, 1)});
  simulation->database.move_slot(simulation->database.end());
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->pipeline().status().condition == pipeline::Condition::kWaiting; }));
  EXPECT_NE(simulation->pipeline().status().error.find("are lost"), std::string::npos);
  simulation->resync("");
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, AnotherSystemRaisesTheEpochAndIsCopiedAgain) {
  auto simulation = settled(20);
  simulation->kill_process();
  simulation->database.become_another_system();
  simulation->write({upsert("public.a", 1, 1), erase("public.a", 2), upsert("public.b", 7, 9)});
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->pipeline().status().epoch, 2);
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, ASlotThatSomebodyElseMadeIsNotTaken) {
  auto simulation = begin(21);
  {
    ScriptedOrigin theirs(simulation->database, "landing");
    ASSERT_TRUE(theirs.create_slot({}));
  }
  simulation->write_some();
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->pipeline().has_ended(); }));
  EXPECT_NE(simulation->pipeline().status().error.find("--adopt"), std::string::npos);
  simulation->kill_process();
  simulation->config.may_adopt_slot = true;
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
  EXPECT_TRUE(simulation->store().made("scripted").value().empty()) << "teardown must not drop it";
}

TEST_F(SimulationTest, OnceEndsWhenEverythingIsThere) {
  auto simulation = begin(22);
  simulation->config.ends_when_caught_up = true;
  for (int i = 0; i < 50; ++i) simulation->write_some();
  simulation->start_process();
  const std::uint64_t goal = simulation->database.end();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->pipeline().has_ended(); }));
  EXPECT_EQ(simulation->pipeline().status().condition, pipeline::Condition::kStopped);
  EXPECT_EQ(simulation->pipeline().status().error, "");
  EXPECT_GE(simulation->database.confirmed(), goal);
  simulation->kill_process();
  simulation->config.ends_when_caught_up = false;
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, OnceGivesUpWhenTheSourceStaysAway) {
  auto simulation = begin(23);
  simulation->config.ends_when_caught_up = true;
  simulation->database.trouble.open_fails = 1000;
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until([&] {
    simulation->clock.advance(std::chrono::seconds(1));
    return simulation->pipeline().has_ended();
  }));
  EXPECT_EQ(simulation->pipeline().status().condition, pipeline::Condition::kFailed);
}

TEST_F(SimulationTest, AnOrderlyStopSavesAndConfirmsWhatWasRead) {
  auto simulation = settled(24);
  simulation->warehouse.trouble.lands = 50;
  for (int i = 0; i < 20; ++i) simulation->write_some();
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->pipeline().status().received_number > simulation->pipeline().status().saved_number; }));
  simulation->pipeline().request_stop();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->pipeline().has_ended(); }));
  const pipeline::PipelineStatus status = simulation->pipeline().status();
  EXPECT_EQ(status.saved_number, status.received_number);
  EXPECT_EQ(simulation->database.confirmed(), status.saved_number);
}

TEST_F(SimulationTest, AStopEndsInTimeWhenTheDestinationHangs) {
  auto simulation = settled(25);
  simulation->warehouse.trouble.lands = 0;  // nothing is ever durable
  simulation->write_some();
  ASSERT_TRUE(simulation->step_until(
      [&] { return simulation->pipeline().status().received_number > simulation->pipeline().status().saved_number; }));
  simulation->pipeline().request_stop();
  const base::SteadyTime asked = simulation->clock.steady();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->pipeline().has_ended(); }));
  EXPECT_GE(simulation->clock.steady() - asked, pipeline::kDrainMax);
  EXPECT_LE(simulation->clock.steady() - asked, pipeline::kDrainMax + std::chrono::seconds(5));
  simulation->warehouse.trouble.lands = 600;
  simulation->kill_process();
  simulation->start_process();
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

TEST_F(SimulationTest, AFullWindowDoesNotSilenceTheReader) {
  auto simulation = settled(26);
  simulation->warehouse.trouble.lands = 0;
  for (int i = 0; i < 200; ++i) simulation->write_some();
  simulation->step(3000);
  const pipeline::PipelineStatus status = simulation->pipeline().status();
  EXPECT_GT(status.channel_bytes, 0u);
  EXPECT_LE(status.channel_bytes, 4'000u) << "bounded";
  EXPECT_EQ(status.condition, pipeline::Condition::kRunning);
  EXPECT_GT(status.oldest_unsaved_ms, 0);
  const std::uint64_t heartbeats = simulation->database.heartbeats();
  simulation->step(3000);
  EXPECT_GT(simulation->database.heartbeats(), heartbeats);
  simulation->warehouse.trouble.lands = 600;
  ASSERT_TRUE(simulation->step_until([&] { return simulation->is_settled(); }));
  EXPECT_EQ(simulation->verdict(), "");
}

}  // namespace
}  // namespace flytt::simulation
