#pragma once
// Calendar arithmetic shared by the date and time functions. Instants are microseconds, dates days since 1970-01-01.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "data/civil.h"

namespace flytt::googlesql::internal {

// The analyzer's enum zetasql.functions.DateTimestampPart.
enum class Part : std::int64_t {
  kYear = 1,
  kMonth,
  kDay,
  kDayOfWeek,
  kDayOfYear,
  kQuarter,
  kHour,
  kMinute,
  kSecond,
  kMillisecond,
  kMicrosecond,
  kNanosecond,
  kDate,
  kWeek,
  kDatetime,
  kTime,
  kIsoYear,
  kIsoWeek,
  kWeekMonday,
  kWeekTuesday,
  kWeekWednesday,
  kWeekThursday,
  kWeekFriday,
  kWeekSaturday,
};
std::string part_name(Part part);  // "WEEK(MONDAY)"

constexpr std::int64_t kSecondMicros = 1'000'000, kMinuteMicros = 60 * kSecondMicros, kHourMicros = 60 * kMinuteMicros;
using data::kMicrosPerDay;

constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}
constexpr std::int64_t floor_modulo(std::int64_t a, std::int64_t b) { return a - floor_divide(a, b) * b; }

inline bool is_date(std::int64_t days) { return days >= data::kDateMin && days <= data::kDateMax; }
inline bool is_timestamp(std::int64_t micros) { return micros >= data::kTimestampMin && micros <= data::kTimestampMax; }

int weekday(std::int64_t days);  // 0 = Sunday
bool is_week(Part part);         // WEEK, WEEK(…), ISOWEEK
std::int64_t week_start(std::int64_t days, Part part);
std::int64_t iso_year_of(std::int64_t days);
std::int64_t iso_year_start(std::int64_t year);  // days of the Monday on which ISO year `year` begins
std::int64_t week_of_year(std::int64_t days, Part part);
// Months added, the day of month clamped; nullopt when the year leaves 1…9999.
std::optional<std::int64_t> add_months(std::int64_t days, std::int64_t months);
std::int64_t micros_of(Part part);  // of HOUR and smaller; 0 for others

// Dates truncated to a part; nullopt for parts that dates do not have.
std::optional<std::int64_t> truncate_date(std::int64_t days, Part part);
// A civil instant truncated; the result may lie before the year 1.
std::optional<std::int64_t> truncate_civil(std::int64_t micros, Part part);
std::optional<std::int64_t> extract_date_part(std::int64_t days, Part part);
std::optional<std::int64_t> extract_time_part(std::int64_t micros_of_day, Part part);

}  // namespace flytt::googlesql::internal
