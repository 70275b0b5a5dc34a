#include "googlesql/functions/internal/interval_text.h"

#include <cstdio>

#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/time_parts.h"

namespace flytt::googlesql::internal {

using I = std::int64_t;

std::optional<Interval> make_interval(I months, I days, Int128 micros) {
  if (months < -kIntervalMonthsMax || months > kIntervalMonthsMax || days < -kIntervalDaysMax ||
      days > kIntervalDaysMax || micros < -Int128{kIntervalMicrosMax} || micros > Int128{kIntervalMicrosMax}) {
    return std::nullopt;
  }
  return Interval{static_cast<std::int32_t>(months), static_cast<std::int32_t>(days), static_cast<I>(micros)};
}

std::string interval_text(const Interval& v) {
  const I months = v.months < 0 ? -I{v.months} : v.months;
  const I micros = v.micros < 0 ? -v.micros : v.micros;
  char text[96];
  std::snprintf(text, sizeof text, "%s%ld-%ld %d %s%ld:%ld:%ld", v.months < 0 ? "-" : "",
                static_cast<long>(months / 12), static_cast<long>(months % 12), v.days, v.micros < 0 ? "-" : "",
                static_cast<long>(micros / kHourMicros), static_cast<long>(micros / kMinuteMicros % 60),
                static_cast<long>(micros / kSecondMicros % 60));
  std::string out = text;
  if (const I fraction = micros % kSecondMicros) {
    std::snprintf(text, sizeof text, fraction % 1000 == 0 ? ".%03ld" : ".%06ld",
                  static_cast<long>(fraction % 1000 == 0 ? fraction / 1000 : fraction));
    out += text;
  }
  return out;
}

namespace {

class IntervalReader {
 public:
  explicit IntervalReader(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool sign() {  // true for minus
    if (take('-')) return true;
    take('+');
    return false;
  }
  std::optional<I> number() {
    I value = 0;
    std::size_t count = 0;
    while (count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      if (count == 18) return std::nullopt;
      value = value * 10 + (rest_[count++] - '0');
    }
    if (count == 0) return std::nullopt;
    rest_.remove_prefix(count);
    return value;
  }
  std::optional<I> fraction() {  // after '.', at most six digits
    I value = 0, unit = 100'000;
    std::size_t count = 0;
    while (count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      if (count == 6) return std::nullopt;
      value += (rest_[count++] - '0') * unit;
      unit /= 10;
    }
    if (count == 0) return std::nullopt;
    rest_.remove_prefix(count);
    return value;
  }
  std::optional<I> months() {
    const bool minus = sign();
    const auto years = number();
    if (!years || !take('-')) return std::nullopt;
    const auto months = number();
    if (!months || *years > 20'000 || *months > 400'000) return std::nullopt;
    const I value = *years * 12 + *months;
    return minus ? -value : value;
  }
  std::optional<I> days() {
    const bool minus = sign();
    const auto value = number();
    if (!value) return std::nullopt;
    return minus ? -*value : *value;
  }
  std::optional<Int128> clock() {
    const bool minus = sign();
    const auto hours = number();
    if (!hours || !take(':')) return std::nullopt;
    const auto minutes = number();
    if (!minutes || !take(':')) return std::nullopt;
    const auto seconds = number();
    if (!seconds) return std::nullopt;
    I part = 0;
    if (take('.')) {
      const auto value = fraction();
      if (!value) return std::nullopt;
      part = *value;
    }
    const Int128 micros =
        Int128{*hours} * kHourMicros + Int128{*minutes} * kMinuteMicros + Int128{*seconds} * kSecondMicros + part;
    return minus ? -micros : micros;
  }

 private:
  std::string_view rest_;
};

std::optional<Interval> parse_iso(std::string_view text) {
  IntervalReader reader(text);
  reader.take('P');
  I months = 0, days = 0;
  Int128 micros = 0;
  bool in_time = false, any = false;
  while (!reader.at_end()) {
    if (!in_time && reader.take('T')) {
      in_time = true;
      if (reader.at_end()) return std::nullopt;
      continue;
    }
    const bool minus = reader.sign();
    const auto number = reader.number();
    if (!number || *number > 1'000'000'000'000) return std::nullopt;
    const I value = minus ? -*number : *number;
    any = true;
    if (!in_time && reader.take('Y'))
      months += value * 12;
    else if (!in_time && reader.take('M'))
      months += value;
    else if (!in_time && reader.take('W'))
      days += value * 7;
    else if (!in_time && reader.take('D'))
      days += value;
    else if (in_time && reader.take('H'))
      micros += Int128{value} * kHourMicros;
    else if (in_time && reader.take('M'))
      micros += Int128{value} * kMinuteMicros;
    else if (in_time && reader.take('S'))
      micros += Int128{value} * kSecondMicros;
    else if (in_time && reader.take('.')) {
      const auto fraction = reader.fraction();
      if (!fraction || !reader.take('S')) return std::nullopt;
      micros += Int128{value} * kSecondMicros + (minus ? -*fraction : *fraction);
    } else {
      return std::nullopt;
    }
  }
  if (!any) return std::nullopt;
  return make_interval(months, days, micros);
}

}  // namespace

std::optional<Interval> parse_interval_text(std::string_view text) {
  if (text.substr(0, 1) == "P") return parse_iso(text);
  std::vector<std::string_view> groups;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    groups.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (groups.empty() || groups.size() > 3) return std::nullopt;
  std::optional<I> months = 0, days = 0;
  std::optional<Int128> micros = 0;
  // A group with a dash inside holds months, one with colons a clock, and days stand between.
  const bool first_months = groups[0].find('-', 1) != std::string_view::npos;
  const bool last_clock = groups.back().find(':') != std::string_view::npos;
  if (!first_months && !last_clock) return std::nullopt;
  if (groups.size() == 2 && first_months == last_clock) return std::nullopt;
  if (groups.size() == 3 && (!first_months || !last_clock)) return std::nullopt;
  const auto whole = [](std::string_view group, auto read) {
    IntervalReader reader(group);
    auto value = read(reader);
    if (!reader.at_end()) value.reset();
    return value;
  };
  if (first_months) months = whole(groups[0], [](IntervalReader& r) { return r.months(); });
  if (groups.size() > 1) days = whole(groups[first_months ? 1 : 0], [](IntervalReader& r) { return r.days(); });
  if (last_clock) micros = whole(groups.back(), [](IntervalReader& r) { return r.clock(); });
  if (!months || !days || !micros) return std::nullopt;
  return make_interval(*months, *days, *micros);
}

namespace {

Failure out_of_range() { return {"Interval value is out of range"}; }
Answer<Interval> bounded(I months, I days, Int128 micros) {
  if (const auto value = make_interval(months, days, micros)) return *value;
  return out_of_range();
}

Answer<Interval> from_part(I count, I part) {
  if (count > 1'000'000'000'000'000'000 || count < -1'000'000'000'000'000'000) return out_of_range();
  const Int128 wide = count;
  if (const I unit = micros_of(static_cast<Part>(part))) return bounded(0, 0, wide * unit);
  if (count > 100'000'000 || count < -100'000'000) return out_of_range();
  switch (static_cast<Part>(part)) {
    case Part::kYear: return bounded(count * 12, 0, 0);
    case Part::kQuarter: return bounded(count * 3, 0, 0);
    case Part::kMonth: return bounded(count, 0, 0);
    case Part::kWeek: return bounded(0, count * 7, 0);
    case Part::kDay: return bounded(0, count, 0);
    default: return Failure{"Unsupported interval part " + part_name(static_cast<Part>(part))};
  }
}
Answer<Interval> from_fields(I years, I months, I days, I hours, I minutes, I seconds) {
  for (const I each : {years, months, days, hours, minutes, seconds}) {
    if (each > 1'000'000'000'000 || each < -1'000'000'000'000) return out_of_range();
  }
  return bounded(years * 12 + months, days,
                 Int128{hours} * kHourMicros + Int128{minutes} * kMinuteMicros + Int128{seconds} * kSecondMicros);
}
Answer<Interval> add(Interval a, Interval b) {
  return bounded(I{a.months} + b.months, I{a.days} + b.days, Int128{a.micros} + b.micros);
}
Answer<Interval> subtract(Interval a, Interval b) {
  return bounded(I{a.months} - b.months, I{a.days} - b.days, Int128{a.micros} - b.micros);
}
Interval negate(Interval a) { return {-a.months, -a.days, -a.micros}; }
Answer<Interval> multiply(Interval a, I factor) {
  if (factor > 400'000'000'000'000'000 || factor < -400'000'000'000'000'000) return out_of_range();
  const Int128 months = Int128{a.months} * factor, days = Int128{a.days} * factor;
  if (months > kIntervalMonthsMax || months < -kIntervalMonthsMax || days > kIntervalDaysMax ||
      days < -kIntervalDaysMax) {
    return out_of_range();
  }
  return bounded(static_cast<I>(months), static_cast<I>(days), Int128{a.micros} * factor);
}
// Rests go down: a month is 30 days, a day 24 hours.
Answer<Interval> divide(Interval a, I divisor) {
  if (divisor == 0) return Failure{"Interval division by zero"};
  const I months = a.months / divisor;
  const Int128 day_count = Int128{a.days} + Int128{a.months % divisor} * 30;
  const Int128 days = day_count / divisor;
  const Int128 micros = Int128{a.micros} + (day_count % divisor) * kMicrosPerDay;
  return bounded(months, static_cast<I>(days), micros / divisor);
}

I sign_of(I value) { return (value > 0) - (value < 0); }
// Each pair ends with equal signs.
void carry(I& high, I& low, I unit) {
  high += low / unit;
  low %= unit;
  if (sign_of(high) * sign_of(low) < 0) {
    const I step = sign_of(high);
    high -= step;
    low += step * unit;
  }
}
Answer<Interval> justify_days(Interval a) {
  I months = a.months, days = a.days;
  carry(months, days, 30);
  return bounded(months, days, a.micros);
}
Answer<Interval> justify_hours(Interval a) {
  I days = a.days, micros = a.micros;
  carry(days, micros, kMicrosPerDay);
  return bounded(a.months, days, micros);
}
Answer<Interval> justify_interval(Interval a) {
  I months = a.months, days = a.days, micros = a.micros;
  carry(days, micros, kMicrosPerDay);
  carry(months, days, 30);
  carry(days, micros, kMicrosPerDay);
  carry(months, days, 30);
  return bounded(months, days, micros);
}

Answer<Timestamp> add_to_datetime(Timestamp t, Interval v) {
  const Failure overflow{"Adding interval to datetime causes overflow"};
  const auto days = add_months(floor_divide(t.micros, kMicrosPerDay), v.months);
  if (!days) return overflow;
  const Int128 micros = (Int128{*days} + v.days) * kMicrosPerDay + floor_modulo(t.micros, kMicrosPerDay) + v.micros;
  if (micros < data::kTimestampMin || micros > data::kTimestampMax) return overflow;
  return Timestamp{static_cast<I>(micros)};
}
Answer<Timestamp> subtract_from_datetime(Timestamp t, Interval v) { return add_to_datetime(t, negate(v)); }
Answer<Timestamp> add_to_timestamp(Timestamp t, Interval v) {
  if (v.months != 0)
    return Failure{"TIMESTAMP +/- INTERVAL is not supported for intervals with non-zero MONTH or YEAR part."};
  const Int128 micros = Int128{t.micros} + Int128{v.days} * kMicrosPerDay + v.micros;
  if (micros < data::kTimestampMin || micros > data::kTimestampMax)
    return Failure{"Adding interval to timestamp causes overflow"};
  return Timestamp{static_cast<I>(micros)};
}
Answer<Timestamp> subtract_from_timestamp(Timestamp t, Interval v) { return add_to_timestamp(t, negate(v)); }
Answer<Interval> between_dates(Date a, Date b) { return bounded(0, I{a.days} - b.days, 0); }
Answer<Interval> between_timestamps(Timestamp a, Timestamp b) { return bounded(0, 0, Int128{a.micros} - b.micros); }
Answer<Interval> between_times(Time a, Time b) { return bounded(0, 0, Int128{a.micros} - b.micros); }
Answer<Interval> between_datetimes(Timestamp a, Timestamp b) {
  const I micros = a.micros - b.micros;
  return bounded(0, micros / kMicrosPerDay, micros % kMicrosPerDay);
}

Answer<I> extract(Interval v, I part) {
  switch (static_cast<Part>(part)) {
    case Part::kYear: return v.months / 12;
    case Part::kMonth: return v.months % 12;
    case Part::kDay: return v.days;
    case Part::kHour: return v.micros / kHourMicros;
    case Part::kMinute: return v.micros / kMinuteMicros % 60;
    case Part::kSecond: return v.micros / kSecondMicros % 60;
    case Part::kMillisecond: return v.micros % kSecondMicros / 1000;
    case Part::kMicrosecond: return v.micros % kSecondMicros;
    default: return Failure{"Unsupported interval part " + part_name(static_cast<Part>(part))};
  }
}

}  // namespace

void add_interval_functions(Functions& list) {
  list.push_back(native<&from_part>("gs_interval"));
  list.push_back(native<&from_fields>("gs_make_interval"));
  list.push_back(native<&add>("gs_add_interval"));
  list.push_back(native<&subtract>("gs_subtract_interval"));
  list.push_back(native<&negate>("gs_negate_interval"));
  list.push_back(native<&multiply>("gs_multiply_interval"));
  list.push_back(native<&divide>("gs_divide_interval"));
  list.push_back(native<&justify_days>("gs_justify_days"));
  list.push_back(native<&justify_hours>("gs_justify_hours"));
  list.push_back(native<&justify_interval>("gs_justify_interval"));
  list.push_back(native<&add_to_datetime>("gs_datetime_plus"));
  list.push_back(native<&subtract_from_datetime>("gs_datetime_minus"));
  list.push_back(native<&add_to_timestamp>("gs_timestamp_plus"));
  list.push_back(native<&subtract_from_timestamp>("gs_timestamp_minus"));
  list.push_back(native<&between_dates>("gs_dates_between"));
  list.push_back(native<&between_timestamps>("gs_timestamps_between"));
  list.push_back(native<&between_times>("gs_times_between"));
  list.push_back(native<&between_datetimes>("gs_datetimes_between"));
  list.push_back(native<&extract>("gs_interval_extract"));
}

}  // namespace flytt::googlesql::internal
