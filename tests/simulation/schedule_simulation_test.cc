// Does each slot of each schedule run, and only once, when processes die and clocks jump?

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/log.h"
#include "tests/simulation/schedule_simulation.h"

namespace flytt::simulation {
namespace {

using scheduler::Concurrency;
using scheduler::Entry;
using scheduler::Missed;
using scheduler::Schedule;
using scheduler::ScheduleText;

constexpr const char* kZones[] = {"UTC",          "Europe/Oslo",       "America/New_York",    "Asia/Kolkata",
                                  "Africa/Cairo", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Auckland"};

class ScheduleSimulationTest : public testing::Test {
 protected:
  ScheduleSimulationTest() {
    base::set_log(std::getenv("FLYTT_SIMULATION_LOG") != nullptr ? base::LogLevel::kDebug : base::LogLevel::kError,
                  base::LogFormat::kText);
    const bool has_memory = ::access("/dev/shm", W_OK) == 0;
    std::string pattern = (has_memory ? std::string("/dev/shm/") : testing::TempDir()) + "flytt-schedules-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ScheduleSimulationTest() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ + "/state.db"; }

  // Mostly daily, some weekly and monthly, a few several times a day; of all kinds of texts.
  static std::vector<Entry> schedules(int count, std::uint64_t seed) {
    base::SeededRandom random(seed);
    const auto number = [&](std::uint64_t below) { return std::to_string(random.below(below)); };
    std::vector<Entry> entries;
    for (int i = 0; i < count; ++i) {
      ScheduleText text;
      text.timezone = kZones[i % std::size(kZones)];
      const std::string time = number(60) + " " + number(24);
      switch (i % 20) {
        case 0: text.cron = number(60) + " */8 * * *"; break;
        case 1: text.every = "12h"; break;
        case 2: text.cron = time + " * * " + number(7); break;
        case 3: text.cron = time + " 1,15 * *"; break;
        case 4: text.every = "1st,third mon,thu of month 02:30"; break;
        case 5: text.every = "every 6 hours from 08:00 to 20:00"; break;
        case 6: text.cron = "30 2 * * *"; break;
        case 7: text.every = "every 24 hours"; break;
        case 8: text.every = "every mon,tue,wed,thu,fri 02:15"; break;
        case 9: text.cron = time + " 31 * 1"; break;
        case 10: i == 10 ? text.cron = "7 * * * *" : text.every = "every 12 hours synchronized"; break;
        default: text.cron = time + " * * *";
      }
      Entry entry{"s" + std::to_string(i), std::move(Schedule::parse(text)).value(), {}};
      entry.policy.missed = Missed::kAll;
      entry.policy.missed_max = 10'000;
      entry.policy.retries.max = 1000;
      if (i % 3 == 0) entry.policy.concurrency = Concurrency::kAllow;
      if (i % 4 == 0) entry.policy.run_micros_max = 2 * kHour;
      if (i % 5 == 0) entry.policy.after.push_back("stream:sak");
      if (i % 7 == 3) entry.policy.after.push_back("schedule:s" + std::to_string(i - 2));
      entries.push_back(std::move(entry));
    }
    return entries;
  }

  std::string folder_;
};

TEST_F(ScheduleSimulationTest, AYearOfCrashesAndJumpsRunsEachSlotOnce) {
  ScheduleSimulation simulation(1, path(), schedules(200, 11));
  simulation.run(365 * kDay, 500, 100);
  simulation.settle();
  EXPECT_EQ(simulation.verdict(true), "");
  EXPECT_GT(simulation.slots_run(), 40'000);
}

TEST_F(ScheduleSimulationTest, UnderEveryPolicyASlotRunsAtMostOnceAndIsAccountedFor) {
  for (std::uint64_t seed = 2; seed < 6; ++seed) {
    std::vector<Entry> entries = schedules(60, seed);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      scheduler::Policy& policy = entries[i].policy;
      policy.missed = static_cast<Missed>(i % 3);
      policy.concurrency = i % 3 == 2 ? Concurrency::kForbid : static_cast<Concurrency>(i / 3 % 3);
      policy.missed_max = 5;
      policy.retries.max = 1;
      policy.history_max = 100'000;
      if (i % 11 == 0) policy.start_micros_max = kHour;
    }
    std::filesystem::remove(path());
    ScheduleSimulation simulation(seed, path(), std::move(entries));
    simulation.failures_percent = 30;
    simulation.run(20 * kDay, 60, 60);
    simulation.settle();
    EXPECT_EQ(simulation.verdict(false), "") << seed;
    EXPECT_GT(simulation.slots_run(), 400);
  }
}

TEST_F(ScheduleSimulationTest, ChangesAreNeitherMissedNorRunTwice) {
  for (std::uint64_t seed = 7; seed < 11; ++seed) {
    std::vector<Entry> entries;
    const auto add = [&](const std::string& name, const std::string& of, Concurrency concurrency,
                         std::int64_t at_most) {
      Entry entry{name, Schedule::on_changes({of}), {}};
      entry.policy.after = {of};
      entry.policy.concurrency = concurrency;
      entry.policy.at_most_micros = at_most;
      entry.policy.retries.max = 1000;
      entries.push_back(std::move(entry));
    };
    add("often", "stream:sak", Concurrency::kForbid, kSecond);
    add("seldom", "stream:sak", Concurrency::kForbid, 3 * kHour);
    add("replaced", "stream:sak", Concurrency::kReplace, kMinute);
    add("after", "schedule:often", Concurrency::kForbid, kMinute);
    std::filesystem::remove(path());
    ScheduleSimulation simulation(seed, path(), std::move(entries));
    simulation.failures_percent = 20;
    simulation.run(2 * kDay, 40, 20);
    simulation.settle();
    EXPECT_EQ(simulation.verdict(true), "") << seed;
    EXPECT_GT(simulation.slots_run(), 60);
  }
}

}  // namespace
}  // namespace flytt::simulation
