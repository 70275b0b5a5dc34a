#include "data/time_zone.h"

#include <gtest/gtest.h>

#include "data/civil.h"

namespace flytt::data {
namespace {

std::int64_t at(const char* text) { return *parse_timestamp(text); }
std::int64_t local(const char* text) { return *parse_datetime(text); }
TimeZone zone(const char* name) {
  auto found = TimeZone::find(name);
  EXPECT_TRUE(found) << found.error().text();
  return std::move(found).value();
}

TEST(TimeZone, AnInstantHasOneLocalTime) {
  const TimeZone oslo = zone("Europe/Oslo");
  EXPECT_EQ(oslo.name(), "Europe/Oslo");
  EXPECT_EQ(oslo.local_of(at("2026-01-15 12:00:00Z")), local("2026-01-15 13:00:00"));
  EXPECT_EQ(oslo.local_of(at("2026-07-15 12:00:00.000001Z")), local("2026-07-15 14:00:00.000001"));
  EXPECT_EQ(oslo.local_of(at("2026-03-29 00:59:59.999999Z")), local("2026-03-29 01:59:59.999999"));
  EXPECT_EQ(oslo.local_of(at("2026-03-29 01:00:00Z")), local("2026-03-29 03:00:00"));
  // Before 1970, where division must round down.
  EXPECT_EQ(oslo.local_of(at("1969-12-31 23:59:59.5Z")), local("1970-01-01 00:59:59.5"));
}

TEST(TimeZone, ALocalTimeHasOneTwoOrNoInstant) {
  const TimeZone oslo = zone("Europe/Oslo");
  LocalTime found = oslo.instant_of(local("2026-06-01 09:00:00"));
  EXPECT_EQ(found.kind, LocalTime::Kind::kUnique);
  EXPECT_EQ(found.first_micros, at("2026-06-01 07:00:00Z"));
  found = oslo.instant_of(local("2026-03-29 02:30:00"));
  EXPECT_EQ(found.kind, LocalTime::Kind::kSkipped);
  EXPECT_EQ(found.first_micros, at("2026-03-29 01:00:00Z"));
  found = oslo.instant_of(local("2026-10-25 02:30:00"));
  EXPECT_EQ(found.kind, LocalTime::Kind::kRepeated);
  EXPECT_EQ(found.first_micros, at("2026-10-25 00:30:00Z"));
  EXPECT_EQ(found.second_micros, at("2026-10-25 01:30:00Z"));
}

TEST(TimeZone, PeriodsMeet) {
  const TimeZone oslo = zone("Europe/Oslo");
  const OffsetPeriod summer = oslo.period_at(at("2026-07-01 00:00:00Z"));
  EXPECT_EQ(summer.begin_micros, at("2026-03-29 01:00:00Z"));
  EXPECT_EQ(summer.end_micros, at("2026-10-25 01:00:00Z"));
  EXPECT_EQ(summer.offset_micros, 7'200'000'000);
  EXPECT_EQ(summer.abbreviation, "CEST");
  EXPECT_EQ(oslo.period_at(summer.end_micros).begin_micros, summer.end_micros);
  // Before 1970 too, to the microsecond.
  const OffsetPeriod old = oslo.period_at(at("1950-01-01 00:00:00Z"));
  EXPECT_LT(old.begin_micros, 0);
  EXPECT_EQ(oslo.period_at(old.begin_micros - 1).end_micros, old.begin_micros);
  // Half an hour of daylight saving, a day that was left out, and a zone without any change to come.
  EXPECT_EQ(zone("Australia/Lord_Howe").instant_of(local("2026-10-04 02:10:00")).kind, LocalTime::Kind::kSkipped);
  EXPECT_EQ(zone("Pacific/Apia").instant_of(local("2011-12-30 12:00:00")).kind, LocalTime::Kind::kSkipped);
  EXPECT_GT(zone("Asia/Kolkata").period_at(at("2030-01-01")).end_micros, kTimestampMax);
}

TEST(TimeZone, UtcNeedsNoDatabase) {
  EXPECT_EQ(zone("UTC"), TimeZone());
  EXPECT_EQ(zone("Etc/UTC").name(), "UTC");
  EXPECT_EQ(TimeZone().local_of(at("2026-03-29 01:30:00Z")), local("2026-03-29 01:30:00"));
  EXPECT_EQ(TimeZone().instant_of(local("2026-03-29 01:30:00")).first_micros, at("2026-03-29 01:30:00Z"));
}

TEST(TimeZone, AnUnknownNameIsToldWithTheNearest) {
  const auto sentence = [](const std::string& name) { return TimeZone::find(name).error().sentence(); };
  EXPECT_EQ(sentence("Europe/Olso"), "there is no time zone called 'Europe/Olso'; the nearest is Europe/Oslo");
  EXPECT_EQ(sentence("oslo"), "there is no time zone called 'oslo'; the nearest is Europe/Oslo");
  EXPECT_EQ(sentence("europe/oslo"), "there is no time zone called 'europe/oslo'; the nearest is Europe/Oslo");
  EXPECT_EQ(TimeZone::find("").error().code(), ErrorCode::kConfig);
  EXPECT_EQ(TimeZone::find("../../etc/passwd").error().code(), ErrorCode::kConfig);
  EXPECT_EQ(TimeZone::find(std::string(100'000, 'x')).error().code(), ErrorCode::kConfig);
}

TEST(TimeZone, OldNamesAreKnown) {
  EXPECT_EQ(zone("Asia/Calcutta").local_of(at("2026-01-01 00:00:00Z")), local("2026-01-01 05:30:00"));
}

}  // namespace
}  // namespace flytt::data
