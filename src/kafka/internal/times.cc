#include "kafka/internal/times.h"

#include "data/civil.h"

namespace flytt::kafka {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr int kDaysOfMonth[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

// Takes `digits_min`..`digits_max` decimal digits off the front.
bool take_number(std::string_view& text, std::size_t digits_min, std::size_t digits_max, std::int64_t& value) {
  std::size_t digits = 0;
  value = 0;
  while (digits < digits_max && digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
    value = value * 10 + (text[digits++] - '0');
  text.remove_prefix(digits);
  return digits >= digits_min;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool is_date(std::int64_t year, std::int64_t month, std::int64_t day) {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDaysOfMonth[month - 1] + (month == 2 && leap ? 1 : 0);
}

std::int64_t days(std::int64_t year, std::int64_t month, std::int64_t day) {
  return data::days_from_civil(
      {static_cast<std::int32_t>(year), static_cast<std::int32_t>(month), static_cast<std::int32_t>(day)});
}

bool take_date(std::string_view& text, bool strict, std::int64_t& out) {
  std::int64_t year, month, day;
  const std::size_t least = strict ? 2 : 1;
  if (!take_number(text, 4, 4, year) || !take(text, '-') || !take_number(text, least, 2, month) || !take(text, '-') ||
      !take_number(text, least, 2, day) || !is_date(year, month, day))
    return false;
  out = days(year, month, day);
  return true;
}

// Microseconds of the fraction; up to nine digits, of which six count.
bool take_fraction(std::string_view& text, bool strict, std::int64_t& micros) {
  micros = 0;
  if (!take(text, '.') && (strict || !take(text, ','))) return true;
  const std::size_t before = text.size();
  if (!take_number(text, 1, 6, micros)) return false;
  for (std::size_t digits = before - text.size(); digits < 6; ++digits) micros *= 10;
  std::int64_t beyond;
  return take_number(text, 0, 3, beyond);
}

bool take_time(std::string_view& text, bool strict, std::int64_t& micros) {
  std::int64_t hour, minute, second = 0, fraction = 0;
  const std::size_t least = strict ? 2 : 1;
  if (!take_number(text, least, 2, hour) || !take(text, ':') || !take_number(text, 2, 2, minute)) return false;
  if (take(text, ':')) {
    if (!take_number(text, 2, 2, second) || !take_fraction(text, strict, fraction)) return false;
  } else if (strict) {
    return false;
  }
  if (hour > 23 || minute > 59 || second > 59) return false;
  micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + fraction;
  return true;
}

bool take_datetime(std::string_view& text, bool strict, std::int64_t& micros) {
  std::int64_t date, time = 0;
  if (!take_date(text, strict, date)) return false;
  const bool has_time =
      take(text, 'T') || take(text, 't') ||
      (!strict && text.size() > 1 && text[0] == ' ' && text[1] >= '0' && text[1] <= '9' && take(text, ' '));
  if (has_time ? !take_time(text, strict, time) : strict) return false;
  micros = date * data::kMicrosPerDay + time;
  return true;
}

// Seconds east of Greenwich; the rest of `text` must be the zone.
bool read_zone(std::string_view text, bool strict, std::int64_t& seconds) {
  seconds = 0;
  if (!strict) {
    while (take(text, ' ')) {}
    if (text.size() > 2 && text.back() == ']' && text.find('[') != text.npos) text = text.substr(0, text.find('['));
    if (text.empty() || text == "UTC") return true;
  }
  if (text == "Z" || text == "z") return true;
  const bool west = !text.empty() && text.front() == '-';
  if (!west && (text.empty() || text.front() != '+')) return false;
  text.remove_prefix(1);
  std::int64_t hours, minutes = 0;
  if (!take_number(text, 2, 2, hours)) return false;
  const bool has_colon = take(text, ':');
  if (strict && !has_colon) return false;
  if ((has_colon || !text.empty()) && !take_number(text, 2, 2, minutes)) return false;
  if (!text.empty() || hours > 18 || minutes > 59) return false;
  seconds = (hours * 60 + minutes) * (west ? -60 : 60);
  return true;
}

std::optional<std::int64_t> in_range(std::int64_t micros) {
  if (micros < data::kTimestampMin || micros > data::kTimestampMax) return std::nullopt;
  return micros;
}

}  // namespace

std::optional<std::int64_t> read_date(std::string_view text, bool strict) {
  std::int64_t date;
  if (!take_date(text, strict, date) || !text.empty()) return std::nullopt;
  return date;
}

std::optional<std::int64_t> read_time(std::string_view text, bool strict) {
  std::int64_t micros;
  if (!take_time(text, strict, micros) || !text.empty()) return std::nullopt;
  return micros;
}

std::optional<std::int64_t> read_datetime(std::string_view text, bool strict) {
  std::int64_t micros;
  if (!take_datetime(text, strict, micros) || !text.empty()) return std::nullopt;
  return micros;
}

std::optional<std::int64_t> read_timestamp(std::string_view text, bool strict) {
  std::int64_t micros, east;
  if (!take_datetime(text, strict, micros) || !read_zone(text, strict, east)) return std::nullopt;
  return in_range(micros - east * kMicrosPerSecond);
}

std::optional<std::int64_t> instant_of(data::Int128 scaled, EpochUnit unit) {
  // value × 10^9 × (microseconds per unit, as a fraction) / 10^9
  data::Int128 factor = 1, divisor = 1'000'000'000;
  switch (unit) {
    case EpochUnit::kRefused: return std::nullopt;
    case EpochUnit::kSeconds: factor = kMicrosPerSecond; break;
    case EpochUnit::kMillis: factor = 1'000; break;
    case EpochUnit::kMicros: break;
    case EpochUnit::kNanos: divisor *= 1'000; break;
  }
  constexpr data::Int128 kLimit = static_cast<data::Int128>(1'000'000'000'000'000) * 1'000'000'000'000'000;
  if (scaled > kLimit || scaled < -kLimit) return std::nullopt;
  const data::Int128 product = scaled * factor;
  const data::Int128 micros = product / divisor - (product % divisor < 0 ? 1 : 0);
  if (micros < data::kTimestampMin || micros > data::kTimestampMax) return std::nullopt;
  return static_cast<std::int64_t>(micros);
}

std::optional<std::int64_t> time_of_parts(const std::int64_t* parts, std::size_t count) {
  static constexpr std::int64_t kLimits[] = {24, 60, 60, 1'000'000'000};
  std::int64_t all[4] = {};
  if (count < 2 || count > 4) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    if (parts[i] < 0 || parts[i] >= kLimits[i]) return std::nullopt;
    all[i] = parts[i];
  }
  return ((all[0] * 60 + all[1]) * 60 + all[2]) * kMicrosPerSecond + all[3] / 1'000;
}

std::optional<std::int64_t> datetime_of_parts(const std::int64_t* parts, std::size_t count) {
  if (count < 3 || count > 7 || count == 4 || !is_date(parts[0], parts[1], parts[2])) return std::nullopt;
  std::int64_t micros = days(parts[0], parts[1], parts[2]) * data::kMicrosPerDay;
  if (count > 3) {
    const auto time = time_of_parts(parts + 3, count - 3);
    if (!time) return std::nullopt;
    micros += *time;
  }
  return micros;
}

}  // namespace flytt::kafka
