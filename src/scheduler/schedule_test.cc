#include "scheduler/schedule.h"

#include <gtest/gtest.h>

#include "data/civil.h"

namespace flytt::scheduler {
namespace {

std::int64_t at(const char* text) { return *data::parse_timestamp(text); }

Schedule parse(const ScheduleText& text) {
  auto made = Schedule::parse(text);
  EXPECT_TRUE(made) << made.error().text();
  return std::move(made).value();
}
std::string error(const ScheduleText& text) {
  auto made = Schedule::parse(text);
  EXPECT_FALSE(made) << text.cron << text.every << " is " << made->definition();
  if (made) return "";
  EXPECT_EQ(made.error().code(), ErrorCode::kConfig);
  return made.error().sentence();
}
std::string cron_error(const char* cron) { return error({.cron = cron}); }
std::string every_error(const char* every) { return error({.every = every}); }

std::string next(const Schedule& schedule, const char* after, int count = 3) {
  std::string text;
  auto slot = schedule.next_after(at(after));
  for (int i = 0; i < count && slot; ++i, slot = schedule.next_after(*slot))
    text += (text.empty() ? "" : ", ") + data::format_datetime(*slot, ' ');
  return text;
}

TEST(Schedule, AFixedTimeRunsOnceOnTheDaysWhenClocksChange) {
  const Schedule schedule = parse({.cron = "30 2 * * *", .timezone = "Europe/Oslo"});
  EXPECT_EQ(next(schedule, "2026-03-27T12:00:00Z"), "2026-03-28 01:30:00, 2026-03-29 01:00:00, 2026-03-30 00:30:00");
  EXPECT_EQ(next(schedule, "2026-10-24T12:00:00Z", 2), "2026-10-25 00:30:00, 2026-10-26 01:30:00");
  // Also when it is asked for in the second pass.
  EXPECT_EQ(next(schedule, "2026-10-25T00:30:00Z", 1), "2026-10-26 01:30:00");
  EXPECT_EQ(next(schedule, "2026-10-25T01:10:00Z", 1), "2026-10-26 01:30:00");
}

TEST(Schedule, EveryHourFollowsRealTime) {
  const Schedule schedule = parse({.cron = "7 * * * *", .timezone = "Europe/Oslo"});
  EXPECT_EQ(next(schedule, "2026-03-29T00:00:00Z"), "2026-03-29 00:07:00, 2026-03-29 01:07:00, 2026-03-29 02:07:00");
  EXPECT_EQ(next(schedule, "2026-10-25T00:00:00Z"), "2026-10-25 00:07:00, 2026-10-25 01:07:00, 2026-10-25 02:07:00");
}

TEST(Schedule, IntervalsCountFromTheEpochOrTheStart) {
  EXPECT_EQ(next(parse({.every = "10m"}), "2026-01-15T09:07:31Z", 2), "2026-01-15 09:10:00, 2026-01-15 09:20:00");
  EXPECT_EQ(next(parse({.every = "24 hours"}), "2026-01-15T09:07:31Z", 2), "2026-01-16 00:00:00, 2026-01-17 00:00:00");
  EXPECT_EQ(next(parse({.cron = "@every 1h30m"}), "2026-01-15T00:00:00Z", 2),
            "2026-01-15 01:30:00, 2026-01-15 03:00:00");
  EXPECT_EQ(next(parse({.every = "1d", .start = "2026-01-15T09:07:31Z"}), "2020-01-01", 2),
            "2026-01-15 09:07:31, 2026-01-16 09:07:31");
  // In BigQuery's language in whole minutes, so that the first run comes after the start.
  EXPECT_EQ(next(parse({.every = "every 24 hours", .start = "2026-01-15T09:07:31Z"}), "2020-01-01", 2),
            "2026-01-16 09:07:00, 2026-01-17 09:07:00");
  EXPECT_EQ(next(parse({.every = "every 24 hours", .anchor_micros = at("2026-01-15T09:07:31Z")}), "2026-02-01", 1),
            "2026-02-01 09:07:00");
  EXPECT_EQ(next(parse({.every = "hourly"}), "1969-12-31T22:30:00Z", 2), "1969-12-31 23:00:00, 1970-01-01 00:00:00");
}

TEST(Schedule, StartIsIncludedAndEndIsNot) {
  const Schedule schedule = parse(
      {.cron = "0 9 * * *", .timezone = "Europe/Oslo", .start = "2026-01-15 09:00", .end = "2026-01-17T08:00:00Z"});
  EXPECT_EQ(next(schedule, "2020-01-01"), "2026-01-15 08:00:00, 2026-01-16 08:00:00");
  EXPECT_EQ(schedule.definition(),
            "cron 0 9 * * * in Europe/Oslo from 2026-01-15T08:00:00Z until 2026-01-17T08:00:00Z");
  EXPECT_EQ(schedule.last_until(at("2030-01-01")), at("2026-01-16T08:00:00Z"));
  EXPECT_EQ(schedule.last_until(at("2026-01-15T08:00:00Z")), at("2026-01-15T08:00:00Z"));
  EXPECT_EQ(schedule.last_until(at("2026-01-15T07:59:59Z")), std::nullopt);
  EXPECT_EQ(next(parse({.every = "1d", .timezone = "Europe/Oslo", .start = "2026-01-15"}), "2020-01-01", 1),
            "2026-01-14 23:00:00");
}

TEST(Schedule, NothingIsDueAfterTheYear9999) {
  EXPECT_EQ(next(parse({.cron = "0 0 1 1 *"}), "9998-06-01", 5), "9999-01-01 00:00:00");
  EXPECT_EQ(next(parse({.every = "1d"}), "9999-12-30", 5), "9999-12-31 00:00:00");
  EXPECT_EQ(next(parse({.every = "every day 01:00"}), "9999-12-30", 5), "9999-12-30 01:00:00, 9999-12-31 01:00:00");
  EXPECT_EQ(parse({.cron = "* * * * *"}).next_after(INT64_MAX), std::nullopt);
  EXPECT_EQ(parse({.cron = "* * * * *"}).next_after(INT64_MIN), data::kTimestampMin + 60'000'000);
}

TEST(Schedule, RareDaysAreFound) {
  EXPECT_EQ(next(parse({.cron = "0 0 29 2 *"}), "2096-03-01", 1), "2104-02-29 00:00:00");
  EXPECT_EQ(next(parse({.every = "fifth monday of feb 00:00"}), "2072-03-01", 1), "2112-02-29 00:00:00");
  EXPECT_EQ(parse({.cron = "0 0 29 2 *"}).last_until(at("2104-02-28")), at("2096-02-29"));
}

TEST(Schedule, SpansAreBoundedFromEitherSide) {
  const Schedule schedule = parse({.cron = "0 * * * *"});
  const std::int64_t after = at("2026-01-01T00:00:00Z"), until = at("2026-01-01T05:00:00Z");
  EXPECT_EQ(schedule.slots_between(after, until, 5).instants.size(), 5U);
  EXPECT_TRUE(schedule.slots_between(after, until, 5).is_complete);
  const Slots oldest = schedule.slots_between(after, until, 2), newest = schedule.newest_slots(after, until, 2);
  EXPECT_FALSE(oldest.is_complete);
  EXPECT_FALSE(newest.is_complete);
  EXPECT_EQ(oldest.instants, (std::vector<std::int64_t>{at("2026-01-01T01:00:00Z"), at("2026-01-01T02:00:00Z")}));
  EXPECT_EQ(newest.instants, (std::vector<std::int64_t>{at("2026-01-01T04:00:00Z"), at("2026-01-01T05:00:00Z")}));
  EXPECT_TRUE(schedule.newest_slots(after, until, 5).is_complete);
  EXPECT_EQ(schedule.newest_slots(after, until, 5).instants, schedule.slots_between(after, until, 5).instants);
  EXPECT_TRUE(schedule.newest_slots(until, after, 5).instants.empty());
}

TEST(Schedule, CronErrorsNameFieldReasonAndColumn) {
  EXPECT_EQ(cron_error("61 5 * * *"), "cron: minute '61' at column 1: out of range; use 0 to 59");
  EXPECT_EQ(cron_error("0 5 * * 1-7"), "cron: day of week '7' at column 11: out of range; Sunday is 0");
  EXPECT_EQ(cron_error("0 5 * JANUARY *"), "cron: month 'JANUARY' at column 7: no number; use 1 to 12, or JAN to DEC");
  EXPECT_EQ(cron_error("0  5,x * * *"), "cron: hour 'x' at column 6: no number; use 0 to 23");
  EXPECT_EQ(cron_error("0 5, * * *"), "cron: hour '' at column 5: a value is missing; use 0 to 23");
  EXPECT_EQ(cron_error("0 8-5 * * *"), "cron: hour '8-5' at column 3: the range ends before it begins");
  EXPECT_EQ(cron_error("*/0 * * * *"), "cron: minute '0' at column 3: the step after / must be 1 or more");
  EXPECT_EQ(cron_error("*-5 * * * *"), "cron: minute '*' at column 1: no number; use 0 to 59");
  EXPECT_EQ(cron_error("0 0 30 2 *"),
            "cron: day of month '30' at column 5: month '2' never has such a day, so the schedule never fires");
  EXPECT_EQ(cron_error("5 *"), "cron: 2 fields; write 5: minute, hour, day of month, month and day of week");
  EXPECT_NE(cron_error("0 0 5 * * *").find("seconds"), std::string::npos);
  EXPECT_NE(cron_error("TZ=Europe/Oslo 0 5 * * *").find("`timezone`"), std::string::npos);
  EXPECT_NE(cron_error("@reboot").find("use @hourly"), std::string::npos);
  EXPECT_EQ(cron_error("@every 5"), "cron: @every '5': no duration; write one like 10m, 1h30m, 90s or 1d");
  EXPECT_EQ(cron_error("+5 * * * *").find("cron: minute '+5' at column 1"), 0U);
  EXPECT_EQ(cron_error("\xC3\xA5 * * * *"),
            "cron: minute '?"
            "?' at column 1: no number; use 0 to 59");
}

TEST(Schedule, ErrorsOfBigQuerysLanguageNameWordAndColumn) {
  EXPECT_EQ(every_error("every 0 hours"), "every: '0' at column 7: the number must be 1 or more");
  EXPECT_EQ(every_error("every 5 days"), "every: 'days' at column 9: write hours, minutes or mins");
  EXPECT_EQ(every_error("every 7 hours synchronized"),
            "every: 'synchronized' at column 15: a synchronized interval must divide 24 hours evenly");
  EXPECT_EQ(every_error("every 2 hours from 8 to 20"), "every: '8' at column 20: write a time like 08:00");
  EXPECT_EQ(every_error("every 2 hours from 08:00"),
            "every: the text ends at column 25: write to and a time like 20:00");
  EXPECT_EQ(every_error("1,32 of month 09:00"), "every: '32' at column 3: write days from 1 to 31");
  EXPECT_EQ(every_error("4th month of quarter 09:00"), "every: 'month' at column 5: write mon to sun, or day");
  EXPECT_EQ(every_error("1 of 4th month of quarter 09:00"), "every: '4th' at column 6: a quarter has three months");
  EXPECT_EQ(every_error("every mon 25:00"), "every: '25:00' at column 11: write a time like 09:00, or of and months");
  EXPECT_EQ(every_error("every mon 09:00 x"), "every: 'x' at column 17: nothing may follow here");
  EXPECT_EQ(every_error("31 of apr,jun 00:00"),
            "every: no such day is in any of these months, so the schedule never fires");
  EXPECT_EQ(every_error("10x"), "every '10x': no duration; write one like 10m, 1h30m, 90s or 1d");
  EXPECT_EQ(every_error("500ms"), "every '500ms': shorter than one second");
  EXPECT_EQ(every_error("1.5s"), "every '1.5s': must be whole seconds");
  EXPECT_EQ(every_error("99999h"), "every '99999h': longer than ten years");
  EXPECT_EQ(every_error("808888888d"), "every '808888888d': longer than ten years") << "no overflow";
  EXPECT_EQ(every_error("99999999999h"), "every '99999999999h': no duration; write one like 10m, 1h30m, 90s or 1d");
}

TEST(Schedule, DurationsAddUp) {
  EXPECT_EQ(next(parse({.every = "1h30m"}), "1970-01-01", 1), "1970-01-01 01:30:00");
  EXPECT_EQ(next(parse({.every = "1.5h"}), "1970-01-01", 1), "1970-01-01 01:30:00");
  EXPECT_EQ(next(parse({.every = "1m30s"}), "1970-01-01", 1), "1970-01-01 00:01:30");
  EXPECT_EQ(next(parse({.every = "1500ms500ms"}), "1970-01-01", 1), "1970-01-01 00:00:02");
}

TEST(Schedule, WhatMakesNoScheduleIsRefused) {
  EXPECT_NE(error({}).find("the schedule is empty"), std::string::npos);
  EXPECT_NE(error({.cron = "0 5 * * *", .every = "10m"}).find("both"), std::string::npos);
  EXPECT_EQ(error({.cron = "0 5 * * *", .timezone = "Europe/Olso"}),
            "there is no time zone called 'Europe/Olso'; the nearest is Europe/Oslo");
  EXPECT_EQ(error({.cron = "0 5 * * *", .start = "tomorrow"}),
            "start 'tomorrow': no time; write one like 2026-01-15 09:00, or 2026-01-15T08:00:00Z");
  EXPECT_EQ(error({.cron = "0 5 * * *", .start = "2026-02-01", .end = "2026-02-01"}),
            "the schedule's end is not after its start");
  EXPECT_EQ(error({.cron = "0 5 * * *", .start = "2026-02-01 06:00", .end = "2026-02-02 05:00"}),
            "the schedule has no slot between its start and its end");
  EXPECT_EQ(error({.every = std::string(10'000, 'h')}), "every: the text is too long to be a schedule");
}

}  // namespace
}  // namespace flytt::scheduler
