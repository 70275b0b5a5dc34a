#include "scheduler/policy.h"

#include <gtest/gtest.h>

namespace flytt::scheduler {
namespace {

TEST(Policy, EntriesThatContradictThemselvesAreRefused) {
  const auto error = [&](const std::vector<Entry>& entries) {
    const Status checked = check_entries(entries);
    return checked ? std::string() : checked.error().sentence();
  };
  const auto entry = [&](const std::string& name, std::vector<std::string> after = {}) {
    Entry made{name, std::move(Schedule::parse({.every = "1h"})).value(), {}};
    made.policy.after = std::move(after);
    return made;
  };
  EXPECT_EQ(error({entry("a"), entry("a")}), "there are two schedules called a");
  EXPECT_EQ(error({entry("a", {"schedule:b"})}), "schedule a: after names schedule b, which does not exist");
  EXPECT_EQ(error({entry("x"), entry("a", {"schedule:b"}), entry("b", {"stream:s", "schedule:c"}),
                   entry("c", {"schedule:a"})}),
            "schedules wait for each other: a → b → c → a; take one `after` out");
  EXPECT_EQ(error({entry("a", {"schedule:b", "schedule:c"}), entry("b", {"schedule:c"}), entry("c")}), "");
  Entry contradiction = entry("a");
  contradiction.policy.missed = Missed::kAll;
  contradiction.policy.concurrency = Concurrency::kReplace;
  EXPECT_NE(error({contradiction}).find("contradict each other"), std::string::npos);
  for (auto* change : {+[](Policy& p) { p.missed_max = 0; }, +[](Policy& p) { p.retries.max = -1; },
                       +[](Policy& p) { p.parallel_max = 0; }, +[](Policy& p) { p.retries.factor = 0.5; },
                       +[](Policy& p) { p.run_micros_max = -1; }, +[](Policy& p) { p.retries.delay_micros_max = 1; },
                       +[](Policy& p) { p.history_max = 0; }}) {
    Entry wrong = entry("a");
    change(wrong.policy);
    EXPECT_NE(error({wrong}), "");
  }
}

TEST(Policy, RetriesWaitLongerAndLongerUpToALimit) {
  base::SeededRandom random(1);
  const Retries retries{5, 100, 3, 1000};
  for (const auto& [failures, full] :
       {std::pair(1, 100), std::pair(2, 300), std::pair(3, 900), std::pair(4, 1000), std::pair(900, 1000)}) {
    std::int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 3000; ++i) {
      const std::int64_t delay = retry_delay(retries, failures, random);
      least = std::min(least, delay);
      most = std::max(most, delay);
    }
    EXPECT_GE(least, full / 2);
    EXPECT_LE(least, full / 2 + 20);
    EXPECT_LE(most, full);
    EXPECT_GE(most, full - 20);
  }
}

}  // namespace
}  // namespace flytt::scheduler
