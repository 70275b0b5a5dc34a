#include "scheduler/internal/pattern.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "data/civil.h"

namespace flytt::scheduler::internal {

namespace {

using data::kMicrosPerDay;

// A fifth Monday of February comes every 28 years, or every 40 over a century that is no leap year.
constexpr int kMonthsMax = 12 * 41;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

int length_of(std::int32_t year, std::int32_t month) {
  static constexpr int kLengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return kLengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

int weekday_of(std::int64_t days) { return static_cast<int>(((days + 4) % 7 + 7) % 7); }  // 1970-01-01 was a Thursday

// The lowest set bit at or above `from`; -1 without one.
int bit_at_or_above(std::uint64_t bits, int from) {
  if (from > 63) return -1;
  const std::uint64_t rest = bits & (~std::uint64_t{0} << from);
  return rest == 0 ? -1 : std::countr_zero(rest);
}

}  // namespace

std::uint32_t Pattern::days_of(std::int32_t year, std::int32_t month) const {
  if ((months >> month & 1) == 0) return 0;
  const int length = length_of(year, month);
  const int first_weekday = weekday_of(data::days_from_civil({year, month, 1}));
  std::uint32_t by_weekday = 0;
  for (int day = 1; day <= length; ++day) {
    const bool fits = (weekdays >> ((first_weekday + day - 1) % 7) & 1) != 0;
    const bool in_order = days != Days::kOrdinal || (ordinals >> ((day - 1) / 7 + 1) & 1) != 0;
    if (fits && in_order) by_weekday |= std::uint32_t{1} << day;
  }
  const auto whole_month = static_cast<std::uint32_t>((std::uint64_t{2} << length) - 2);
  const std::uint32_t by_month_day = month_days & whole_month;
  switch (days) {
    case Days::kBoth: return by_weekday & by_month_day;
    case Days::kEither: return by_weekday | by_month_day;
    case Days::kOrdinal: return by_weekday;
  }
  return 0;
}

bool Pattern::ever_fires() const {
  if (minutes == 0 || hours == 0) return false;
  // The calendar repeats itself after 400 years; all kinds of years are in any 41 without a year like 1900.
  for (std::int32_t year = 2000; year <= 2040; ++year)
    for (std::int32_t month = 1; month <= 12; ++month)
      if (days_of(year, month) != 0) return true;
  return false;
}

std::optional<std::int64_t> Pattern::first_minute(std::int64_t from_local, std::int64_t before_local) const {
  if (from_local >= before_local || from_local > data::kTimestampMax) return std::nullopt;
  from_local = std::max(from_local, data::kTimestampMin);
  std::int64_t minute = floor_div(from_local + kMicrosPerMinute - 1, kMicrosPerMinute);
  std::int64_t day = floor_div(minute, 24 * 60);
  data::CivilDate date = data::civil_from_days(day);
  int from_minute = static_cast<int>(minute - day * 24 * 60);
  for (int i = 0; i < kMonthsMax; ++i) {
    const std::int64_t month_start = data::days_from_civil({date.year, date.month, 1});
    if (month_start * kMicrosPerDay >= before_local) return std::nullopt;
    const std::uint32_t fitting = days_of(date.year, date.month);
    for (int d = bit_at_or_above(fitting, date.day); d >= 0; d = bit_at_or_above(fitting, d + 1)) {
      int hour = d == date.day ? from_minute / 60 : 0;
      int in_hour = d == date.day ? from_minute % 60 : 0;
      for (hour = bit_at_or_above(hours, hour); hour >= 0; hour = bit_at_or_above(hours, hour + 1)) {
        const bool is_first_hour = d == date.day && hour == from_minute / 60;
        const int found = bit_at_or_above(minutes, is_first_hour ? in_hour : 0);
        if (found < 0) continue;
        const std::int64_t local =
            (month_start + d - 1) * kMicrosPerDay + hour * kMicrosPerHour + found * kMicrosPerMinute;
        return local < before_local ? std::optional(local) : std::nullopt;
      }
    }
    date = date.month == 12 ? data::CivilDate{date.year + 1, 1, 1} : data::CivilDate{date.year, date.month + 1, 1};
    from_minute = 0;
    if (date.year > 9999) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace flytt::scheduler::internal
