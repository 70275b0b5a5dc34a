#include "data/civil.h"

#include <cstdio>
#include <cstdlib>

namespace flytt::data {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

// Takes `digits_min`..`digits_max` decimal digits off the front.
bool take_number(std::string_view& text, int digits_min, int digits_max, std::int64_t& value) {
  int digits = 0;
  value = 0;
  while (digits < digits_max && !text.empty() && text.front() >= '0' && text.front() <= '9') {
    value = value * 10 + (text.front() - '0');
    text.remove_prefix(1);
    ++digits;
  }
  return digits >= digits_min;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool take_fraction(std::string_view& text, std::int64_t& micros) {
  micros = 0;
  if (!take(text, '.')) return true;
  const auto before = text.size();
  if (!take_number(text, 1, 6, micros)) return false;
  for (auto digits = before - text.size(); digits < 6; ++digits) micros *= 10;
  return true;
}

bool take_date(std::string_view& text, std::int64_t& days) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  std::int64_t year, month, day;
  if (!take_number(text, 4, 4, year) || !take(text, '-') || !take_number(text, 1, 2, month) || !take(text, '-') ||
      !take_number(text, 1, 2, day))
    return false;
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (day > kDays[month - 1] + (month == 2 && leap ? 1 : 0)) return false;
  days = days_from_civil(
      {static_cast<std::int32_t>(year), static_cast<std::int32_t>(month), static_cast<std::int32_t>(day)});
  return true;
}

bool take_time(std::string_view& text, std::int64_t& micros) {
  std::int64_t hour, minute, second, fraction;
  if (!take_number(text, 1, 2, hour) || !take(text, ':') || !take_number(text, 1, 2, minute) || !take(text, ':') ||
      !take_number(text, 1, 2, second))
    return false;
  if (hour > 23 || minute > 59 || second > 59 || !take_fraction(text, fraction)) return false;
  micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + fraction;
  return true;
}

bool take_datetime(std::string_view& text, std::int64_t& micros) {
  std::int64_t days, time = 0;
  if (!take_date(text, days)) return false;
  if (!text.empty() && (text.front() == 'T' || text.front() == 't' ||
                        (text.front() == ' ' && text.size() > 1 && text[1] >= '0' && text[1] <= '9'))) {
    text.remove_prefix(1);
    if (!take_time(text, time)) return false;
  }
  micros = days * kMicrosPerDay + time;
  return true;
}

std::string fraction_text(std::int64_t micros) {
  if (micros == 0) return {};
  char text[16];
  std::snprintf(text, sizeof text, ".%06d", static_cast<int>(micros));
  return text;
}

}  // namespace

std::int64_t days_from_civil(CivilDate date) {
  const std::int64_t y = date.year - (date.month <= 2);
  const std::int64_t era = floor_div(y, 400);
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

CivilDate civil_from_days(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = floor_div(days, 146'097);
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  const auto month = static_cast<std::int32_t>(shifted + (shifted < 10 ? 3 : -9));
  return {static_cast<std::int32_t>(year_of_era + era * 400 + (month <= 2)), month,
          static_cast<std::int32_t>(day_of_year - (153 * shifted + 2) / 5 + 1)};
}

std::int64_t pack_time(std::int64_t micros_of_day) {
  const std::int64_t seconds = micros_of_day / kMicrosPerSecond;
  return (seconds / 3600) << 32 | (seconds / 60 % 60) << 26 | (seconds % 60) << 20 | micros_of_day % kMicrosPerSecond;
}

std::int64_t pack_datetime(std::int64_t micros) {
  const std::int64_t days = floor_div(micros, kMicrosPerDay);
  const CivilDate date = civil_from_days(days);
  return static_cast<std::int64_t>(date.year) << 46 | static_cast<std::int64_t>(date.month) << 42 |
         static_cast<std::int64_t>(date.day) << 37 | pack_time(micros - days * kMicrosPerDay);
}

std::optional<std::int64_t> unpack_time(std::int64_t packed) {
  const std::int64_t hour = packed >> 32, minute = packed >> 26 & 63, second = packed >> 20 & 63,
                     micros = packed & 0xFFFFF;
  if (packed < 0 || hour > 23 || minute > 59 || second > 59 || micros >= kMicrosPerSecond) return std::nullopt;
  return ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + micros;
}

std::optional<std::int64_t> unpack_datetime(std::int64_t packed) {
  if (packed < 0) return std::nullopt;
  const CivilDate date{static_cast<std::int32_t>(packed >> 46), static_cast<std::int32_t>(packed >> 42 & 15),
                       static_cast<std::int32_t>(packed >> 37 & 31)};
  if (date.year < 1 || date.year > 9999 || date.month < 1 || date.month > 12 || date.day < 1) return std::nullopt;
  const std::int64_t days = days_from_civil(date);
  if (const CivilDate back = civil_from_days(days); back.day != date.day) return std::nullopt;
  const auto time = unpack_time(packed & ((std::int64_t{1} << 37) - 1));
  if (!time) return std::nullopt;
  return days * kMicrosPerDay + *time;
}

std::string format_date(std::int64_t days) {
  const CivilDate date = civil_from_days(days);
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d", date.year, date.month, date.day);
  return text;
}

std::string format_time(std::int64_t micros_of_day) {
  const auto seconds = static_cast<int>(micros_of_day / kMicrosPerSecond);
  char text[24];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return text + fraction_text(micros_of_day % kMicrosPerSecond);
}

std::string format_datetime(std::int64_t micros, char separator) {
  const std::int64_t days = floor_div(micros, kMicrosPerDay);
  return format_date(days) + separator + format_time(micros - days * kMicrosPerDay);
}

std::optional<std::int64_t> parse_date(std::string_view text) {
  std::int64_t days;
  if (!take_date(text, days) || !text.empty()) return std::nullopt;
  return days;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  std::int64_t micros;
  if (!take_time(text, micros) || !text.empty()) return std::nullopt;
  return micros;
}

std::optional<std::int64_t> parse_datetime(std::string_view text) {
  std::int64_t micros;
  if (!take_datetime(text, micros) || !text.empty()) return std::nullopt;
  return micros;
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  std::int64_t micros;
  if (!take_datetime(text, micros)) return std::nullopt;
  take(text, ' ');
  if (text == "Z" || text == "z" || text == "UTC") text = {};
  if (!text.empty()) {
    const bool west = text.front() == '-';
    std::int64_t hours, minutes = 0;
    if ((!west && text.front() != '+')) return std::nullopt;
    text.remove_prefix(1);
    if (!take_number(text, 1, 2, hours) || hours > 14) return std::nullopt;
    if (take(text, ':') && (!take_number(text, 2, 2, minutes) || minutes > 59)) return std::nullopt;
    const std::int64_t offset = (hours * 60 + minutes) * 60 * kMicrosPerSecond;
    micros += west ? offset : -offset;
  }
  if (!text.empty() || micros < kTimestampMin || micros > kTimestampMax) return std::nullopt;
  return micros;
}

std::string format_interval(const Interval& interval) {
  const std::int64_t months = std::abs(static_cast<std::int64_t>(interval.months));
  const std::uint64_t micros = interval.micros < 0 ? 0 - static_cast<std::uint64_t>(interval.micros)
                                                   : static_cast<std::uint64_t>(interval.micros);
  const std::uint64_t seconds = micros / kMicrosPerSecond;
  char text[96];
  std::snprintf(text, sizeof text, "%s%lld-%lld %d %s%llu:%llu:%llu", interval.months < 0 ? "-" : "",
                static_cast<long long>(months / 12), static_cast<long long>(months % 12), interval.days,
                interval.micros < 0 ? "-" : "", static_cast<unsigned long long>(seconds / 3600),
                static_cast<unsigned long long>(seconds / 60 % 60), static_cast<unsigned long long>(seconds % 60));
  return text + fraction_text(static_cast<std::int64_t>(micros % kMicrosPerSecond));
}

std::optional<Interval> parse_interval(std::string_view text) {
  Interval out;
  std::int64_t years, months, days, hours, minutes, seconds, fraction;
  bool negative = take(text, '-');
  if (!take_number(text, 1, 5, years) || !take(text, '-') || !take_number(text, 1, 6, months) || !take(text, ' '))
    return std::nullopt;
  if (years > 10'000 || months > 120'000) return std::nullopt;
  out.months = static_cast<std::int32_t>(years * 12 + months) * (negative ? -1 : 1);
  negative = take(text, '-');
  if (!take_number(text, 1, 7, days) || !take(text, ' ')) return std::nullopt;
  out.days = static_cast<std::int32_t>(days) * (negative ? -1 : 1);
  negative = take(text, '-');
  if (!take_number(text, 1, 8, hours) || !take(text, ':') || !take_number(text, 1, 2, minutes) || !take(text, ':') ||
      !take_number(text, 1, 2, seconds))
    return std::nullopt;
  if (minutes > 59 || seconds > 59 || !take_fraction(text, fraction) || !text.empty()) return std::nullopt;
  out.micros = (((hours * 60 + minutes) * 60 + seconds) * kMicrosPerSecond + fraction) * (negative ? -1 : 1);
  return out;
}

}  // namespace flytt::data
