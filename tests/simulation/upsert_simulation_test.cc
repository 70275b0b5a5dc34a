// Has each key its newest value while topics get more partitions, and a group's members die, freeze and read again?
//
// Two producers, each with keys of its own, find a key's partition by its number and the count of partitions that they
// know; they learn of a new count at some later time. Their clocks differ, so times in a partition go back and forth.

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/log.h"
#include "tests/simulation/topic_simulation.h"

namespace flytt::simulation {
namespace {

constexpr std::array<std::int64_t, 2> kClocksAheadMs{0, 30'000};
constexpr std::int64_t kMicrosByMistake = 1'000;
constexpr std::int64_t kKeys = 24;

class UpsertSimulation {
 public:
  UpsertSimulation(std::uint64_t seed, const std::string& folder, int processes) : sim(seed, folder, processes) {
    sim.topics.waits_for_record = false;
    sim.topics.is_upsert = true;
    sim.warehouse.wants_streams = false;
    sim.topics.on_commit = [this](const Place& place, std::int64_t from, std::int64_t to) {
      return check_durable(place, from, to);
    };
    for (std::size_t producer = 0; producer < kClocksAheadMs.size(); ++producer) learn_count(producer);
  }

  void produce_some() {
    for (std::uint64_t i = sim.random.below(12); i > 0; --i) {
      const std::string topic = sim.random.below(2) == 0 ? "a" : "b";
      const auto key = static_cast<std::int64_t>(sim.random.below(kKeys));
      if (sim.random.below(30) == 0) produce(topic, key, kMicrosByMistake);
      produce(topic, key, 1);
      sim.clock.advance(std::chrono::milliseconds(sim.random.below(30)));
    }
  }
  void grow() {
    const std::string topic = sim.random.below(2) == 0 ? "a" : "b";
    const std::int32_t count = sim.topics.partition_count(topic);
    if (count < 12) sim.topics.add_partitions(topic, count + 1 + static_cast<std::int32_t>(sim.random.below(3)));
  }
  // A producer asks for the count. What differs between clocks has passed when it writes into other partitions.
  void learn_count(std::size_t producer) {
    for (const char* topic : {"a", "b"}) known_count_[producer][topic] = sim.topics.partition_count(topic);
    sim.clock.advance(std::chrono::milliseconds(kClocksAheadMs[1] + 1));
  }

  std::string verdict() {
    sim.warehouse.land_everything();
    std::string all;
    for (const std::string& complaint : sim.topics.complaints()) all += complaint + "; ";
    for (const std::string& complaint : sim.warehouse.complaints()) all += complaint + "; ";
    if (!sim.is_settled()) return all + "not settled";
    for (const auto& [key, number] : newest_) {
      const Cell* cell = find(key);
      const bool is_delete = sim.topics.keyed()[static_cast<std::size_t>(number)].is_delete;
      if (!cell || cell->is_deleted != is_delete || number_of(*cell) != number)
        all += key.first + " key " + std::to_string(key.second) + " is not message " + std::to_string(number) + "; ";
    }
    return all;
  }

  TopicSimulation sim;

 private:
  using Key = std::pair<std::string, std::int64_t>;

  void produce(const std::string& topic, std::int64_t key, std::int64_t factor) {
    const std::size_t producer = static_cast<std::size_t>(key) % kClocksAheadMs.size();
    const Place place{topic, static_cast<std::int32_t>(key % known_count_[producer][topic])};
    const std::int64_t time = sim.clock.wall_micros() / 1'000 + kClocksAheadMs[producer];
    newest_[{topic, key}] = static_cast<std::int64_t>(sim.topics.keyed().size());
    sim.topics.produce(place, KeyedMessage{key, time * factor, sim.random.below(8) == 0});
  }

  // The tables outlive the pointer: the warehouse never takes a key out.
  const Cell* find(const Key& key) {
    tables_ = sim.warehouse.tables();
    const auto table = tables_.find({"project", "landing", key.first});
    if (table == tables_.end()) return nullptr;
    const auto row = table->second.rows.find(std::to_string(key.second) + "|");
    return row == table->second.rows.end() ? nullptr : &row->second;
  }
  static std::int64_t number_of(const Cell& cell) { return std::stoll(cell.values.front()); }

  // Every message that is committed is there, or a newer one of its key.
  std::string check_durable(const Place& place, std::int64_t from, std::int64_t to) {
    for (std::int64_t offset = from; offset < to; ++offset) {
      const auto number = sim.topics.logs().at(place)[static_cast<std::size_t>(offset)].value();
      const KeyedMessage& message = sim.topics.keyed()[static_cast<std::size_t>(number)];
      if (message.time_ms > sim.clock.wall_micros() / 100) continue;  // of a mistaken one only the next is sure to stay
      const Cell* cell = find({place.first, message.key});
      if (!cell || number_of(*cell) < number)
        return place.first + " has an older row than message " + std::to_string(number) + ", which is committed";
    }
    return "";
  }

  std::array<std::map<std::string, std::int32_t>, kClocksAheadMs.size()> known_count_;
  std::map<Key, std::int64_t> newest_;
  std::map<data::TablePath, WarehouseTable> tables_;
};

class UpsertSimulationTest : public testing::Test {
 protected:
  UpsertSimulationTest() {
    base::set_log(std::getenv("FLYTT_SIMULATION_LOG") != nullptr ? base::LogLevel::kDebug : base::LogLevel::kError,
                  base::LogFormat::kText);
    const bool has_memory = ::access("/dev/shm", W_OK) == 0;
    std::string pattern = (has_memory ? std::string("/dev/shm/") : testing::TempDir()) + "flytt-upsert-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~UpsertSimulationTest() override { std::filesystem::remove_all(folder_); }

  static bool settle(UpsertSimulation& one) {
    return one.sim.step_until([&] { return one.sim.is_settled(); });
  }

  std::string folder_;
};

TEST_F(UpsertSimulationTest, ATopicThatGrewWhileNobodyReadItShowsTheNewest) {
  UpsertSimulation one(1, folder_, 1);
  for (int i = 0; i < 30; ++i) one.produce_some();
  one.sim.start(0);
  ASSERT_TRUE(settle(one)) << one.verdict();
  for (int round = 0; round < 2; ++round) {
    one.sim.kill(0);
    for (int growths = 0; growths < 2; ++growths) {
      one.grow();
      for (std::size_t producer : {0, 1}) one.learn_count(producer);
      for (int i = 0; i < 10; ++i) one.produce_some();
    }
    one.sim.start(0);
    one.sim.topics.expire_silent();
    ASSERT_TRUE(settle(one)) << one.verdict();
    EXPECT_EQ(one.verdict(), "");
  }
}

TEST_F(UpsertSimulationTest, ATopicThatGrewBeforeItWasEverReadShowsTheNewest) {
  UpsertSimulation one(2, folder_, 2);
  for (int i = 0; i < 60; ++i) {
    one.produce_some();
    if (i % 20 == 10) one.grow();
    if (i % 20 == 15) one.learn_count(static_cast<std::size_t>(i / 20) % 2);
  }
  one.sim.start(0);
  one.sim.start(1);
  ASSERT_TRUE(settle(one)) << one.verdict();
  EXPECT_EQ(one.verdict(), "");
}

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* asked = std::getenv(name);
  return asked != nullptr ? std::stoull(asked) : otherwise;
}

void make_trouble(UpsertSimulation& one) {
  TopicSimulation& sim = one.sim;
  const int process = static_cast<int>(sim.random.below(static_cast<std::uint64_t>(sim.process_count())));
  switch (sim.random.below(14)) {
    case 0: one.grow(); break;
    case 1:
    case 2: one.learn_count(sim.random.below(2)); break;
    case 3: sim.topics.rebalance(); break;
    case 4:
    case 5:
      if (sim.is_running(process)) sim.kill(process);
      break;
    case 6:
    case 7:
      if (!sim.is_running(process)) sim.start(process);
      break;
    case 8:
      if (sim.is_running(process)) sim.topics.expire(sim.member(process));
      break;
    case 9: sim.freeze(process, sim.random.below(2) == 0); break;
    case 10: sim.warehouse.set_away(sim.random.below(2) == 0); break;
    case 11: sim.topics.expire_silent(); break;
    case 12: sim.topics.forget_commits(); break;  // what is read again comes from an earlier place
    case 13:
      if (!sim.is_running(process)) sim.forget_state(process);
      break;
  }
}

TEST_F(UpsertSimulationTest, EverythingGoesWrong) {
  const std::uint64_t first = number_of("FLYTT_SIMULATION_SEED", 1), count = number_of("FLYTT_SIMULATION_SEEDS", 60);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    UpsertSimulation one(seed, folder_, 1 + static_cast<int>(seed % 3));
    one.sim.topics.trouble = {3, 100, 50, 20};
    one.sim.warehouse.trouble.submit_fails = 3;
    one.sim.warehouse.trouble.collect_fails = 3;
    one.sim.warehouse.trouble.call_fails = 20;
    for (int i = 0; i < one.sim.process_count(); ++i) one.sim.start(i);
    for (int i = 0; i < 80; ++i) {
      one.sim.step(static_cast<int>(one.sim.random.below(120)));
      one.produce_some();
      make_trouble(one);
    }
    one.sim.heal();
    ASSERT_TRUE(settle(one)) << "seed " << seed << ": " << one.verdict();
    ASSERT_EQ(one.verdict(), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace flytt::simulation
