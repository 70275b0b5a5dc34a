#include "googlesql/functions/internal/time_parts.h"

#include <algorithm>

namespace flytt::googlesql::internal {

using data::civil_from_days;
using data::CivilDate;
using data::days_from_civil;

std::string part_name(Part part) {
  static const char* const kNames[] = {"",
                                       "YEAR",
                                       "MONTH",
                                       "DAY",
                                       "DAYOFWEEK",
                                       "DAYOFYEAR",
                                       "QUARTER",
                                       "HOUR",
                                       "MINUTE",
                                       "SECOND",
                                       "MILLISECOND",
                                       "MICROSECOND",
                                       "NANOSECOND",
                                       "DATE",
                                       "WEEK",
                                       "DATETIME",
                                       "TIME",
                                       "ISOYEAR",
                                       "ISOWEEK",
                                       "WEEK(MONDAY)",
                                       "WEEK(TUESDAY)",
                                       "WEEK(WEDNESDAY)",
                                       "WEEK(THURSDAY)",
                                       "WEEK(FRIDAY)",
                                       "WEEK(SATURDAY)"};
  const auto index = static_cast<std::size_t>(part);
  return index < std::size(kNames) ? kNames[index] : "";
}

int weekday(std::int64_t days) { return static_cast<int>(floor_modulo(days + 4, 7)); }

bool is_week(Part part) { return part == Part::kWeek || (part >= Part::kIsoWeek && part <= Part::kWeekSaturday); }

namespace {
int first_weekday(Part part) {
  if (part == Part::kWeek) return 0;
  if (part == Part::kIsoWeek) return 1;
  return static_cast<int>(part) - static_cast<int>(Part::kWeekMonday) + 1;
}
}  // namespace

std::int64_t week_start(std::int64_t days, Part part) {
  return days - floor_modulo(weekday(days) - first_weekday(part), 7);
}

std::int64_t iso_year_start(std::int64_t year) {
  return week_start(days_from_civil({static_cast<std::int32_t>(year), 1, 4}), Part::kIsoWeek);
}
std::int64_t iso_year_of(std::int64_t days) {
  // The year of the Thursday of the week.
  return civil_from_days(week_start(days, Part::kIsoWeek) + 3).year;
}

std::int64_t week_of_year(std::int64_t days, Part part) {
  if (part == Part::kIsoWeek) return (days - iso_year_start(iso_year_of(days))) / 7 + 1;
  const std::int64_t first = days_from_civil({civil_from_days(days).year, 1, 1});
  // Days before the year's first week day are week 0.
  const std::int64_t first_week = first + floor_modulo(first_weekday(part) - weekday(first), 7);
  return days < first_week ? 0 : (days - first_week) / 7 + 1;
}

std::optional<std::int64_t> add_months(std::int64_t days, std::int64_t months) {
  if (months > 120'000 || months < -120'000) return std::nullopt;
  const CivilDate date = civil_from_days(days);
  const std::int64_t count = std::int64_t{date.year} * 12 + date.month - 1 + months;
  const std::int64_t year = floor_divide(count, 12);
  if (year < 1 || year > 9999) return std::nullopt;
  const auto month = static_cast<std::int32_t>(floor_modulo(count, 12)) + 1;
  const std::int64_t start = days_from_civil({static_cast<std::int32_t>(year), month, 1});
  const std::int64_t next = month == 12 ? days_from_civil({static_cast<std::int32_t>(year) + 1, 1, 1})
                                        : days_from_civil({static_cast<std::int32_t>(year), month + 1, 1});
  return start + std::min<std::int64_t>(date.day, next - start) - 1;
}

std::int64_t micros_of(Part part) {
  switch (part) {
    case Part::kHour: return kHourMicros;
    case Part::kMinute: return kMinuteMicros;
    case Part::kSecond: return kSecondMicros;
    case Part::kMillisecond: return 1000;
    case Part::kMicrosecond: return 1;
    default: return 0;
  }
}

std::optional<std::int64_t> truncate_date(std::int64_t days, Part part) {
  const CivilDate date = civil_from_days(days);
  switch (part) {
    case Part::kDay: return days;
    case Part::kYear: return days_from_civil({date.year, 1, 1});
    case Part::kQuarter: return days_from_civil({date.year, (date.month - 1) / 3 * 3 + 1, 1});
    case Part::kMonth: return days_from_civil({date.year, date.month, 1});
    case Part::kIsoYear: return iso_year_start(iso_year_of(days));
    default: break;
  }
  if (is_week(part)) return week_start(days, part);
  return std::nullopt;
}

std::optional<std::int64_t> truncate_civil(std::int64_t micros, Part part) {
  if (const std::int64_t unit = micros_of(part)) return floor_divide(micros, unit) * unit;
  const auto days = truncate_date(floor_divide(micros, kMicrosPerDay), part);
  if (!days) return std::nullopt;
  return *days * kMicrosPerDay;
}

std::optional<std::int64_t> extract_date_part(std::int64_t days, Part part) {
  const CivilDate date = civil_from_days(days);
  switch (part) {
    case Part::kYear: return date.year;
    case Part::kMonth: return date.month;
    case Part::kDay: return date.day;
    case Part::kDayOfWeek: return weekday(days) + 1;
    case Part::kDayOfYear: return days - days_from_civil({date.year, 1, 1}) + 1;
    case Part::kQuarter: return (date.month - 1) / 3 + 1;
    case Part::kIsoYear: return iso_year_of(days);
    default: break;
  }
  if (is_week(part)) return week_of_year(days, part);
  return std::nullopt;
}

std::optional<std::int64_t> extract_time_part(std::int64_t micros, Part part) {
  switch (part) {
    case Part::kHour: return micros / kHourMicros;
    case Part::kMinute: return micros / kMinuteMicros % 60;
    case Part::kSecond: return micros / kSecondMicros % 60;
    case Part::kMillisecond: return micros % kSecondMicros / 1000;
    case Part::kMicrosecond: return micros % kSecondMicros;
    default: return std::nullopt;
  }
}

}  // namespace flytt::googlesql::internal
