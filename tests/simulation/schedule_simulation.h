#pragma once
// ScheduleSimulation: the real dispatcher and ledger with a clock, jobs and crashes that the simulation owns. What a job did is
// kept here under the id of its run, as a destination would that refuses a job id that it knows; so each effect is counted. The seed decides
// what breaks, and is the reproduction.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "scheduler/dispatcher.h"
#include "state/store.h"

namespace flytt::simulation {

inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kHour = 60 * kMinute;
inline constexpr std::int64_t kDay = 24 * kHour;

// The wall can jump; the steady axis cannot.
class JumpingClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return base::SteadyTime(std::chrono::microseconds(steady_micros)); }
  std::int64_t wall_micros() const override { return wall; }
  void pass(std::int64_t micros) {
    wall += micros;
    steady_micros += micros;
  }
  std::int64_t wall = 1'767'225'600'000'000;  // 2026-01-01
  std::int64_t steady_micros = kHour;
};

// A stream that is sometimes late, and brings something every few hours of real time, until it is told to be quiet.
class LateStream final : public scheduler::Facts {
 public:
  explicit LateStream(const base::Clock& clock) : clock_(clock) {}
  scheduler::Readiness readiness(std::string_view, std::int64_t slot) override {
    return {clock_.wall_micros() >= slot + late_micros, "the stream is late"};
  }
  scheduler::ChangeMark change(std::string_view) override {
    if (!quiet_at && clock_.steady().time_since_epoch() / std::chrono::minutes(1) % 13 == 0)
      return {"", "the stream is starting"};
    return {std::to_string(changes()), ""};
  }
  std::int64_t changes() const {
    return quiet_at ? *quiet_at : clock_.steady().time_since_epoch() / std::chrono::minutes(37);
  }
  void be_quiet() { quiet_at = changes(); }
  std::optional<std::int64_t> quiet_at;
  std::int64_t late_micros = 2 * kMinute;

 private:
  const base::Clock& clock_;
};

class ScheduleSimulation {
 public:
  ScheduleSimulation(std::uint64_t seed, std::string state_path, std::vector<scheduler::Entry> entries);

  // `crashes` and `jumps` of the clock happen within `span` of real time, evenly by chance.
  void run(std::int64_t span, int crashes, int jumps);
  // No more trouble: until nothing is due and nothing runs.
  void settle();

  // Empty when all is well. Each slot since the beginning has taken effect exactly once (is_complete), or at most once, and has
  // a finished row that says the same.
  std::string verdict(bool is_complete);
  std::int64_t slots_run() const { return static_cast<std::int64_t>(effects_.size()); }

  JumpingClock clock;
  base::SeededRandom random;
  LateStream stream{clock};
  int failures_percent = 10;

 private:
  struct Flight {
    scheduler::RunOrder order;
    std::int64_t ends_micros;  // steady
    bool is_stopping = false;
  };

  void start();
  void crash();
  void jump();
  void step();
  void land(std::size_t index);
  void take_effect(const Flight& flight);
  std::string verdict_on_changes(const scheduler::Entry& entry) const;
  std::int64_t next_event() const;
  void advance(std::int64_t steady_until);
  std::int64_t chance(std::int64_t below) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(below)));
  }
  void complain(const std::string& what);

  const std::string path_;
  const std::vector<scheduler::Entry> entries_;
  std::unique_ptr<state::Store> store_, zombie_store_;
  std::unique_ptr<scheduler::Dispatcher> dispatcher_, zombie_;  // the zombie was taken for dead and comes back
  std::vector<Flight> flights_;
  std::vector<state::SlotKey> zombie_flights_;
  std::set<std::string> done_;  // ids of runs that took effect
  // Of what is run on changes: what there was when the run with this id began, and of a schedule the newest that it has seen.
  struct Seen {
    std::int64_t changes = 0;
    std::int64_t step = 0;  // counts all begins and effects
  };
  std::map<std::string, Seen> began_, seen_;
  std::map<std::string, std::int64_t> newest_effect_;  // by schedule, as Seen::step
  std::int64_t steps_ = 0;
  std::map<state::SlotKey, int> effects_;
  std::int64_t began_micros_ = 0, oldest_wall_ = 0, newest_wall_ = 0;
  std::int64_t wake_micros_ = INT64_MIN;
  int processes_ = 0;
  std::string complaint_;
};

}  // namespace flytt::simulation
