// Slots against tables that others computed: tests/golden/schedule/README.md.

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <map>
#include <sstream>

#include "data/civil.h"
#include "scheduler/foreign.h"
#include "scheduler/schedule.h"

namespace flytt::scheduler {
namespace {

std::vector<std::vector<std::string>> table(const std::string& name, std::size_t columns) {
  std::ifstream file(std::string(FLYTT_GOLDEN_FOLDER) + "/" + name);
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> row(1);
    for (const char c : line) {
      if (c == '\t')
        row.emplace_back();
      else
        row.back() += c;
    }
    EXPECT_EQ(row.size(), columns) << line;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::int64_t instant(const std::string& text) { return *data::parse_datetime(text); }

// The text of as many slots after `after` as `like` has.
std::string slots_like(const Schedule& schedule, std::int64_t after, const std::string& like) {
  std::istringstream words(like);
  std::string text, word;
  auto slot = schedule.next_after(after);
  for (; words >> word && slot; slot = schedule.next_after(*slot))
    text += (text.empty() ? "" : " ") + data::format_datetime(*slot);
  return text;
}

TEST(Golden, CronAsRobfigHasIt) {
  const auto rows = table("robfig_cron.tsv", 4);
  ASSERT_GT(rows.size(), 1400U);
  for (const auto& row : rows) {
    auto schedule = Schedule::parse({.cron = row[0], .timezone = row[1]});
    if (row[3] == "refused" || row[3] == "never") {
      EXPECT_FALSE(schedule) << row[0];
      continue;
    }
    ASSERT_TRUE(schedule) << row[0] << ": " << schedule.error().text();
    EXPECT_EQ(slots_like(*schedule, instant(row[2]), row[3]), row[3])
        << row[0] << " in " << row[1] << " after " << row[2];
  }
}

// What is taken here and refused by App Engine: capital letters, a missing time, a missing `every`. See schedule.h.
bool is_more_than_app_engine(const std::string& text) {
  return std::isupper(static_cast<unsigned char>(text[0])) != 0 || text.find(':') == text.npos;
}

TEST(Golden, BigQueryAsAppEngineHasIt) {
  const auto rows = table("groc.tsv", 3);
  ASSERT_GT(rows.size(), 700U);
  int more = 0;
  for (const auto& row : rows) {
    // Plain intervals count from the previous run there.
    auto schedule = Schedule::parse({.every = row[0], .anchor_micros = instant(row[1])});
    if (row[2] == "refused") {
      if (schedule && is_more_than_app_engine(row[0])) ++more;
      EXPECT_TRUE(!schedule || is_more_than_app_engine(row[0])) << row[0];
      continue;
    }
    ASSERT_TRUE(schedule) << row[0] << ": " << schedule.error().text();
    EXPECT_EQ(slots_like(*schedule, instant(row[1]), row[2]), row[2]) << row[0] << " after " << row[1];
  }
  EXPECT_EQ(more, 11);
}

TEST(Golden, ChangesOfTheClockMinuteByMinute) {
  const auto rows = table("zones.tsv", 6);
  ASSERT_GT(rows.size(), 700U);
  for (const auto& row : rows) {
    ScheduleText text{.timezone = row[2]};
    (row[0] == "cron" ? text.cron : text.every) = row[1];
    auto schedule = Schedule::parse(text);
    ASSERT_TRUE(schedule) << row[1] << ": " << schedule.error().text();
    const Slots slots = schedule->slots_between(instant(row[3]), instant(row[4]), 10'000);
    std::string found;
    for (const std::int64_t slot : slots.instants) found += (found.empty() ? "" : " ") + data::format_datetime(slot);
    EXPECT_EQ(found, row[5]) << row[1] << " in " << row[2] << " after " << row[3];
    EXPECT_EQ(schedule->newest_slots(instant(row[3]), instant(row[4]), 10'000).instants, slots.instants) << row[1];
  }
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += (out.empty() ? "" : " | ") + line;
  return out;
}

// Whether the other program, with our lines, has the slots that we have.
bool has_our_slots(const Schedule& schedule, std::int64_t after_micros, const std::string& steps) {
  std::istringstream words(steps);
  constexpr std::int64_t kZonesKnown = 2'114'380'800'000'000;  // 2037-01-01, see data/time_zone.h
  std::int64_t theirs = after_micros, step = 0;
  auto ours = schedule.next_after(after_micros);
  for (; words >> step; ours = schedule.next_after(*ours)) {
    theirs += step * 1'000'000;
    if (theirs > kZonesKnown) break;
    if (!ours || *ours != theirs) return false;
  }
  return true;
}

// What was rendered means the same to who runs it, or the difference at changes of the clock is known.
TEST(Golden, OtherSchedulersHaveTheSameSlots) {
  constexpr std::int64_t kNow = 1'767'225'600'000'000;  // 2026-01-01
  struct Difference {
    bool is_said = false, is_there = false;
  };
  std::map<std::string, Difference> seen;
  for (const auto& row : table("foreign.tsv", 7)) {
    ScheduleText text{.timezone = row[3]};
    (row[1] == "cron" ? text.cron : text.every) = row[2];
    const auto schedule = Schedule::parse(text);
    ASSERT_TRUE(schedule) << row[2];
    const auto language = row[0] == "cron" ? ForeignLanguage::kCron : ForeignLanguage::kCalendar;
    const ForeignSchedule said = foreign_schedule(*schedule, language, kNow);
    EXPECT_EQ(joined(said.lines), row[5]) << row[0] << " " << row[2] << " in " << row[3];
    if (said.lines.empty()) continue;
    Difference& difference = seen[row[0] + " " + row[2] + " in " + row[3]];
    difference.is_said = said.differs_at_changes;
    // Its clock changes by half an hour: what robfig does then is not foretold, and every schedule is said to differ.
    const bool is_unforeseen = language == ForeignLanguage::kCron && said.timezone == "Australia/Lord_Howe";
    difference.is_there =
        difference.is_there || is_unforeseen || !has_our_slots(*schedule, std::stoll(row[4]) * 1'000'000, row[6]);
  }
  ASSERT_GT(seen.size(), 250U);
  for (const auto& [name, difference] : seen) EXPECT_EQ(difference.is_said, difference.is_there) << name;
}

}  // namespace
}  // namespace flytt::scheduler
