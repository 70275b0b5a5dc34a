#include "scheduler/foreign.h"

#include <gtest/gtest.h>

#include "data/civil.h"

namespace flytt::scheduler {
namespace {

constexpr std::int64_t kNow = 1'768'453'200'000'000;  // 2026-01-15 05:00 UTC

ForeignSchedule said(const ScheduleText& text, ForeignLanguage language) {
  const auto schedule = Schedule::parse(text);
  EXPECT_TRUE(schedule) << schedule.error().text();
  return foreign_schedule(*schedule, language, kNow);
}

std::string joined(const ForeignSchedule& foreign) {
  std::string out;
  for (const std::string& line : foreign.lines) out += (out.empty() ? "" : " | ") + line;
  return out.empty() ? foreign.why_not : out;
}

struct Case {
  const char *cron, *every, *said_in_cron, *said_in_calendar;
};

class Foreign : public testing::TestWithParam<Case> {};

TEST_P(Foreign, SaysTheSame) {
  const Case& c = GetParam();
  const ScheduleText text{.cron = c.cron, .every = c.every, .timezone = "Europe/Oslo"};
  EXPECT_EQ(joined(said(text, ForeignLanguage::kCron)), c.said_in_cron);
  EXPECT_EQ(joined(said(text, ForeignLanguage::kCalendar)), c.said_in_calendar);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Foreign,
    testing::Values(
        Case{"15 5 * * *", "", "15 5 * * *", "*-*-* 5:15:0 Europe/Oslo"},
        Case{"*/15 8-16 * * 1-5", "", "*/15 8-16 * * 1-5", "Mon..Fri *-*-* 8..16:0,15,30,45:0 Europe/Oslo"},
        Case{"0 4 1,15 * SUN", "", "0 4 1,15 * 0", "Sun *-*-* 4:0:0 Europe/Oslo | *-*-1,15 4:0:0 Europe/Oslo"},
        Case{"0 4 1,15 * 0-6", "", "0 4 * * *", "*-*-* 4:0:0 Europe/Oslo"},
        Case{"@weekly", "", "0 0 * * 0", "Sun *-*-* 0:0:0 Europe/Oslo"},
        Case{"", "every monday,friday 09:30", "30 9 * * 1,5", "Mon,Fri *-*-* 9:30:0 Europe/Oslo"},
        Case{"", "1,15 of jan,jul 07:00", "0 7 1,15 1,7 *", "*-1,7-1,15 7:0:0 Europe/Oslo"},
        Case{"", "first,third monday of quarter 07:30", "cron cannot say the n-th weekday of a month",
             "Mon *-1,4,7,10-1..7,15..21 7:30:0 Europe/Oslo"},
        Case{"", "every 2 hours from 08:00 to 17:00", "0 8,10,12,14,16 * * *", "*-*-* 8,10,12,14,16:0:0 Europe/Oslo"},
        Case{"", "every 6 hours from 20:30 to 09:00", "30 2,8,20 * * *", "*-*-* 2,8,20:30:0 Europe/Oslo"},
        Case{"", "90m", "0 */3 * * * | 30 1,4,7,10,13,16,19,22 * * *",
             "*-*-* 0,3,6,9,12,15,18,21:0:0 UTC | *-*-* 1,4,7,10,13,16,19,22:30:0 UTC"},
        Case{"", "24 hours", "0 0 * * *", "*-*-* 0:0:0 UTC"},
        Case{"@every 10m", "", "*/10 * * * *", "*-*-* *:0,10,20,30,40,50:0 UTC"},
        Case{"", "7d", "0 0 * * 4", "Thu *-*-* 0:0:0 UTC"},
        Case{"", "48 hours", "its interval divides neither a day nor is it a week",
             "its interval divides neither a day nor is it a week"},
        Case{"", "30s", "cron has no seconds", "*-*-* *:*:0,30 UTC"},
        Case{"", "50m", "its interval divides neither a day nor is it a week",
             "its interval divides neither a day nor is it a week"},
        Case{"", "every 35 minutes from 00:00 to 23:00", "cron would need 7 lines",
             "*-*-* 6,13,20:25:0 Europe/Oslo | *-*-* 3,10,17:30:0 Europe/Oslo | *-*-* 0,7,14,21:0,35:0 Europe/Oslo | "
             "*-*-* 4,11,18:5,40:0 Europe/Oslo | *-*-* 1,8,15,22:10,45:0 Europe/Oslo | *-*-* 5,12,19:15,50:0 "
             "Europe/Oslo | *-*-* 2,9,16:20,55:0 Europe/Oslo"}));

TEST(Foreign, AnIntervalCountsFromItsStart) {
  EXPECT_EQ(joined(said({.every = "12 hours", .timezone = "Europe/Oslo", .start = "2026-07-01 09:30"},
                        ForeignLanguage::kCron)),
            "30 7,19 * * *");
  EXPECT_EQ(said({.every = "12 hours", .timezone = "Europe/Oslo"}, ForeignLanguage::kCron).timezone, "UTC");
}

TEST(Foreign, ADifferenceAtAChangeOfTheClockIsSeen) {
  const auto differs = [](const char* cron, const char* zone, ForeignLanguage language) {
    return said({.cron = cron, .timezone = zone}, language).differs_at_changes;
  };
  EXPECT_FALSE(differs("15 5 * * *", "Europe/Oslo", ForeignLanguage::kCron));
  EXPECT_TRUE(differs("30 2 * * *", "Europe/Oslo", ForeignLanguage::kCron));
  EXPECT_TRUE(differs("30 2 * * *", "Europe/Oslo", ForeignLanguage::kCalendar));
  EXPECT_FALSE(differs("30 2 * * *", "Asia/Tokyo", ForeignLanguage::kCron));
  EXPECT_FALSE(differs("30 2 * * *", "", ForeignLanguage::kCron));
  EXPECT_FALSE(differs("*/10 * * * *", "Europe/Oslo", ForeignLanguage::kCron));
  EXPECT_TRUE(differs("*/10 * * * *", "Europe/Oslo", ForeignLanguage::kCalendar));
  EXPECT_FALSE(differs("30 2 1 1 *", "Europe/Oslo", ForeignLanguage::kCron));
}

}  // namespace
}  // namespace flytt::scheduler
