#include "scheduler/foreign.h"

#include <algorithm>
#include <map>
#include <utility>

#include "data/civil.h"
#include "scheduler/limits.h"

namespace flytt::scheduler {

namespace {

using data::kMicrosPerDay;

constexpr std::int64_t kSecondsPerDay = 86'400, kSecondsPerWeek = 7 * kSecondsPerDay;
constexpr std::uint64_t kEverySixtieth = (std::uint64_t{1} << 60) - 1;
constexpr std::size_t kCronLinesMax = 4;       // each is an object of its own
constexpr std::size_t kCalendarLinesMax = 48;  // all are in one timer
constexpr std::int64_t kLookMicros = 3 * 366 * kMicrosPerDay;
constexpr std::int64_t kAroundMicros = 25 * 3'600'000'000;

// Every second named here of every minute of every hour.
struct Times {
  std::uint64_t seconds, minutes;
  std::uint32_t hours;
};

// What both languages can say.
struct Calendar {
  std::vector<Times> times;
  std::uint32_t month_days = internal::kEveryMonthDay, months = internal::kEveryMonth;
  std::uint32_t weekdays = internal::kEveryWeekday;
  bool either = false;  // the month day or the weekday is enough
  std::string timezone = "UTC";
  std::string why_not;
};

std::int64_t floor_mod(std::int64_t a, std::int64_t b) { return ((a % b) + b) % b; }

// Seconds since midnight as few products of seconds, minutes and hours.
std::vector<Times> products(const std::vector<std::int64_t>& seconds_of_day) {
  std::map<std::int64_t, std::map<std::int64_t, std::uint64_t>> seconds_at;  // hour → minute → seconds
  for (const std::int64_t second : seconds_of_day)
    seconds_at[second / 3600][second / 60 % 60] |= std::uint64_t{1} << (second % 60);
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> hours_of;  // seconds, minutes → hours
  for (const auto& [hour, minutes] : seconds_at) {
    std::map<std::uint64_t, std::uint64_t> minutes_of;
    for (const auto& [minute, seconds] : minutes) minutes_of[seconds] |= std::uint64_t{1} << minute;
    for (const auto& [seconds, those] : minutes_of) hours_of[{seconds, those}] |= std::uint32_t{1} << hour;
  }
  std::vector<Times> out;
  for (const auto& [both, hours] : hours_of) out.push_back({both.first, both.second, hours});
  return out;
}

// -- the three kinds of rules

Calendar calendar_of(const Schedule& schedule, const internal::Pattern& pattern) {
  using Days = internal::Pattern::Days;
  Calendar out;
  out.timezone = schedule.time_zone().name();
  out.times = {{1, pattern.minutes, pattern.hours}};
  out.month_days = pattern.month_days;
  out.months = pattern.months;
  out.weekdays = pattern.weekdays;
  if (pattern.days == Days::kOrdinal) {
    out.month_days = 0;
    for (int day = 1; day <= 31; ++day)
      if ((pattern.ordinals >> ((day - 1) / 7 + 1) & 1) != 0) out.month_days |= std::uint32_t{1} << day;
  }
  out.either = pattern.days == Days::kEither;
  if (out.either && (out.month_days == internal::kEveryMonthDay || out.weekdays == internal::kEveryWeekday)) {
    out.month_days = internal::kEveryMonthDay;
    out.weekdays = internal::kEveryWeekday;
    out.either = false;
  }
  return out;
}

Calendar calendar_of(const Schedule&, const Schedule::OnChanges&) {
  Calendar out;
  out.why_not = "it does not run by the clock";
  return out;
}

Calendar calendar_of(const Schedule&, const Schedule::Interval& interval) {
  Calendar out;
  if (interval.anchor % kMicrosPerSecond != 0) {
    out.why_not = "it begins at a part of a second";
    return out;
  }
  const std::int64_t step = interval.step / kMicrosPerSecond;
  const std::int64_t anchor = interval.anchor / kMicrosPerSecond;
  std::vector<std::int64_t> seconds;
  if (kSecondsPerDay % step == 0) {
    for (std::int64_t at = floor_mod(anchor, step); at < kSecondsPerDay; at += step) seconds.push_back(at);
  } else if (step == kSecondsPerWeek) {
    seconds.push_back(floor_mod(anchor, kSecondsPerDay));
    const std::int64_t day = floor_mod(anchor, kSecondsPerWeek) / kSecondsPerDay;  // 0 is a Thursday, as 1970-01-01 was
    out.weekdays = std::uint32_t{1} << ((day + 4) % 7);
  } else {
    out.why_not = "its interval divides neither a day nor is it a week";
  }
  out.times = products(seconds);
  return out;
}

Calendar calendar_of(const Schedule& schedule, const Schedule::DailyRange& range) {
  Calendar out;
  out.timezone = schedule.time_zone().name();
  const std::int64_t end = range.end < range.start ? range.end + kMicrosPerDay : range.end;
  std::vector<std::int64_t> seconds;
  for (std::int64_t at = range.start; at <= end && at < range.start + kMicrosPerDay; at += range.step)
    seconds.push_back(at % kMicrosPerDay / kMicrosPerSecond);
  out.times = products(seconds);
  return out;
}

// -- texts

struct Words {
  const char* range;                   // between the first and the last
  bool has_steps;                      // */STEP
  const char* const* names = nullptr;  // by value
};

// Values from `low` to `high`: *, */STEP, or a list of values and ranges.
std::string field(std::uint64_t bits, int low, int high, const Words& words) {
  std::vector<int> values;
  for (int value = low; value <= high; ++value)
    if ((bits >> value & 1) != 0) values.push_back(value);
  if (static_cast<int>(values.size()) == high - low + 1) return "*";
  const auto name = [&](int value) { return words.names ? std::string(words.names[value]) : std::to_string(value); };
  if (words.has_steps && values.size() > 2 && values[0] == low) {
    const int step = values[1] - values[0];
    const auto count = static_cast<std::size_t>((high - low) / step + 1);
    bool is_even = values.size() == count;
    for (std::size_t i = 1; i < values.size(); ++i) is_even = is_even && values[i] - values[i - 1] == step;
    if (is_even) return "*/" + std::to_string(step);
  }
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t last = i;
    while (last + 1 < values.size() && values[last + 1] == values[last] + 1) ++last;
    if (last < i + 2) last = i;
    out += (out.empty() ? "" : ",") + name(values[i]) + (last > i ? words.range + name(values[last]) : "");
    i = last;
  }
  return out;
}

std::vector<std::string> cron_lines(const Calendar& calendar, std::string& why_not) {
  static constexpr Words kTimes{"-", true}, kDays{"-", false};
  const bool both = !calendar.either && calendar.month_days != internal::kEveryMonthDay &&
                    calendar.weekdays != internal::kEveryWeekday;
  std::vector<std::string> lines;
  if (both) why_not = "cron cannot say the n-th weekday of a month";
  for (const Times& times : calendar.times) {
    if (times.seconds != 1) why_not = "cron has no seconds";
    lines.push_back(field(times.minutes, 0, 59, kTimes) + " " + field(times.hours, 0, 23, kTimes) + " " +
                    field(calendar.month_days, 1, 31, kDays) + " " + field(calendar.months, 1, 12, kDays) + " " +
                    field(calendar.weekdays, 0, 6, kDays));
  }
  if (why_not.empty() && lines.size() > kCronLinesMax)
    why_not = "cron would need " + std::to_string(lines.size()) + " lines";
  return lines;
}

std::vector<std::string> calendar_lines(const Calendar& calendar, std::string& why_not) {
  // systemd's week begins on Monday.
  static constexpr const char* kDays[] = {"", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  // No steps: of "0/7" hours systemd 252 finds no slot after a change of the clock.
  static constexpr Words kNumbers{"..", false}, kNames{"..", false, kDays};
  const std::uint32_t from_monday = (calendar.weekdays & 0x7E) | (calendar.weekdays & 1) << 7;
  std::string weekdays = field(from_monday, 1, 7, kNames);
  weekdays = weekdays == "*" ? "" : weekdays + " ";
  const std::string months = "*-" + field(calendar.months, 1, 12, kNumbers) + "-";
  const std::string month_days = field(calendar.month_days, 1, 31, kNumbers);
  std::vector<std::string> lines;
  for (const Times& times : calendar.times) {
    const std::string time = " " + field(times.hours, 0, 23, kNumbers) + ":" + field(times.minutes, 0, 59, kNumbers) +
                             ":" + field(times.seconds, 0, 59, kNumbers) + " " + calendar.timezone;
    if (calendar.either) {
      lines.push_back(weekdays + months + "*" + time);
      lines.push_back(months + month_days + time);
    } else {
      lines.push_back(weekdays + months + month_days + time);
    }
  }
  if (lines.size() > kCalendarLinesMax) why_not = "it would need " + std::to_string(lines.size()) + " lines";
  return lines;
}

// -- changes of the clock

bool names_minute(const Calendar& calendar, std::int64_t local_micros) {
  const std::int64_t day = (local_micros - floor_mod(local_micros, kMicrosPerDay)) / kMicrosPerDay;
  const std::int64_t minute = floor_mod(local_micros, kMicrosPerDay) / internal::kMicrosPerMinute;
  const data::CivilDate date = data::civil_from_days(day);
  const bool month_day = (calendar.month_days >> date.day & 1) != 0;
  const bool weekday = (calendar.weekdays >> floor_mod(day + 4, 7) & 1) != 0;
  if ((calendar.months >> date.month & 1) == 0) return false;
  if (calendar.either ? !month_day && !weekday : !month_day || !weekday) return false;
  return std::any_of(calendar.times.begin(), calendar.times.end(), [&](const Times& times) {
    return (times.hours >> (minute / 60) & 1) != 0 && (times.minutes >> (minute % 60) & 1) != 0;
  });
}

// Minute by minute, as the other scheduler looks at it.
std::vector<std::int64_t> foreign_slots(const Schedule& schedule, const Calendar& calendar, ForeignLanguage language,
                                        std::int64_t after, std::int64_t until) {
  std::vector<std::int64_t> out;
  const data::TimeZone& zone = schedule.time_zone();
  for (std::int64_t at = after - floor_mod(after, internal::kMicrosPerMinute) + internal::kMicrosPerMinute; at <= until;
       at += internal::kMicrosPerMinute) {
    const std::int64_t local = zone.local_of(at);
    if (!names_minute(calendar, local)) continue;
    if (language == ForeignLanguage::kCalendar && zone.instant_of(local).first_micros != at) continue;
    out.push_back(at);
  }
  return out;
}

bool differs_at_changes(const Schedule& schedule, const Calendar& calendar, ForeignLanguage language,
                        std::int64_t now_micros) {
  if (std::holds_alternative<Schedule::Interval>(schedule.rule())) return false;  // said in UTC
  for (std::int64_t at = now_micros;;) {
    const data::OffsetPeriod period = schedule.time_zone().period_at(at);
    const std::int64_t change = period.end_micros;
    if (change >= now_micros + kLookMicros) return false;
    at = change;
    // robfig looks from hour to hour of real time, and loses its way where a clock changes by half an hour (Lord Howe).
    const std::int64_t by = schedule.time_zone().period_at(change).offset_micros - period.offset_micros;
    if (language == ForeignLanguage::kCron && by % internal::kMicrosPerHour != 0) return true;
    const std::int64_t after = change - kAroundMicros, until = change + kAroundMicros;
    if ((schedule.start() && *schedule.start() > after) || (schedule.end() && *schedule.end() <= until)) continue;
    if (schedule.slots_between(after, until, static_cast<std::size_t>(-1)).instants !=
        foreign_slots(schedule, calendar, language, after, until))
      return true;
  }
}

}  // namespace

ForeignSchedule foreign_schedule(const Schedule& schedule, ForeignLanguage language, std::int64_t now_micros) {
  const Calendar calendar = std::visit([&](const auto& rule) { return calendar_of(schedule, rule); }, schedule.rule());
  ForeignSchedule out;
  out.timezone = calendar.timezone;
  out.why_not = calendar.why_not;
  if (!out.why_not.empty()) return out;
  out.lines =
      language == ForeignLanguage::kCron ? cron_lines(calendar, out.why_not) : calendar_lines(calendar, out.why_not);
  if (!out.why_not.empty())
    out.lines.clear();
  else
    out.differs_at_changes = differs_at_changes(schedule, calendar, language, now_micros);
  return out;
}

}  // namespace flytt::scheduler
