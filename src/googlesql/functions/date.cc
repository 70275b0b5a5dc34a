// DATE, DATETIME and TIME: construction, addition, difference, truncation, extraction, series. TIMESTAMP where no zone
// matters. Everything stays between 0001-01-01 and 9999-12-31 23:59:59.999999.

#include <string>

#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/time_parts.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

Part part_of(I number) { return static_cast<Part>(number); }
Failure bad_part(I number) { return {"Unsupported date part " + part_name(part_of(number))}; }

// ---- addition ----
std::optional<I> add_to_date(I days, I count, Part part) {
  I by = 0;
  switch (part) {
    case Part::kDay: by = 1; break;
    case Part::kWeek: by = 7; break;
    case Part::kMonth: return add_months(days, count);
    case Part::kQuarter: return count > 40'000 || count < -40'000 ? std::nullopt : add_months(days, count * 3);
    case Part::kYear: return count > 10'000 || count < -10'000 ? std::nullopt : add_months(days, count * 12);
    default: return std::nullopt;
  }
  I sum = 0;
  if (__builtin_mul_overflow(count, by, &sum) || __builtin_add_overflow(days, sum, &sum) || !is_date(sum))
    return std::nullopt;
  return sum;
}
std::optional<I> add_to_civil(I micros, I count, Part part) {
  I sum = 0;
  if (const I unit = micros_of(part)) {
    if (__builtin_mul_overflow(count, unit, &sum) || __builtin_add_overflow(micros, sum, &sum)) return std::nullopt;
  } else {
    const auto days = add_to_date(floor_divide(micros, kMicrosPerDay), count, part);
    if (!days) return std::nullopt;
    sum = *days * kMicrosPerDay + floor_modulo(micros, kMicrosPerDay);
  }
  if (!is_timestamp(sum)) return std::nullopt;
  return sum;
}
Failure adding(I count, I part, const std::string& what) {
  return {"Adding " + std::to_string(count) + " " + part_name(part_of(part)) + " to " + what + " causes overflow"};
}
Answer<Date> date_add(Date d, I count, I part) {
  const auto sum = add_to_date(d.days, count, part_of(part));
  if (!sum) return adding(count, part, "date " + data::format_date(d.days));
  return Date{static_cast<std::int32_t>(*sum)};
}
Answer<Timestamp> datetime_add(Timestamp t, I count, I part) {
  const auto sum = add_to_civil(t.micros, count, part_of(part));
  if (!sum) return adding(count, part, "datetime " + data::format_datetime(t.micros, ' '));
  return Timestamp{*sum};
}
Answer<Timestamp> timestamp_add(Timestamp t, I count, I part) {
  I sum = 0, unit = part_of(part) == Part::kDay ? kMicrosPerDay : micros_of(part_of(part));
  if (unit == 0) return bad_part(part);
  if (__builtin_mul_overflow(count, unit, &sum) || __builtin_add_overflow(t.micros, sum, &sum) || !is_timestamp(sum)) {
    return adding(count, part, "timestamp " + data::format_datetime(t.micros, ' ') + "+00");
  }
  return Timestamp{sum};
}
Answer<Time> time_add(Time t, I count, I part) {
  const I unit = micros_of(part_of(part));
  if (unit == 0) return bad_part(part);
  // Whole days make no difference, so the count is reduced before it is multiplied.
  return Time{floor_modulo(t.micros + count % (kMicrosPerDay / unit) * unit, kMicrosPerDay)};
}
// SUB is ADD of the negated count; the smallest count has no negation and is out of range for every part anyway.
I minus(I count) { return count == INT64_MIN ? INT64_MAX : -count; }
Answer<Date> date_sub(Date d, I count, I part) { return date_add(d, minus(count), part); }
Answer<Timestamp> datetime_sub(Timestamp t, I count, I part) { return datetime_add(t, minus(count), part); }
Answer<Timestamp> timestamp_sub(Timestamp t, I count, I part) { return timestamp_add(t, minus(count), part); }
Answer<Time> time_sub(Time t, I count, I part) { return time_add(t, -(count % kMicrosPerDay), part); }

// ---- difference: boundaries crossed; for TIMESTAMP whole units elapsed ----
Answer<I> days_between(I a, I b, Part part) {
  const data::CivilDate first = data::civil_from_days(a), second = data::civil_from_days(b);
  switch (part) {
    case Part::kDay: return a - b;
    case Part::kYear: return I{first.year} - second.year;
    case Part::kQuarter:
      return (I{first.year} * 4 + (first.month - 1) / 3) - (I{second.year} * 4 + (second.month - 1) / 3);
    case Part::kMonth: return (I{first.year} * 12 + first.month) - (I{second.year} * 12 + second.month);
    case Part::kIsoYear: return iso_year_of(a) - iso_year_of(b);
    default: break;
  }
  if (is_week(part)) return (week_start(a, part) - week_start(b, part)) / 7;
  return Failure{"Unsupported date part " + part_name(part)};
}
Answer<I> date_diff(Date a, Date b, I part) { return days_between(a.days, b.days, part_of(part)); }
Answer<I> datetime_diff(Timestamp a, Timestamp b, I part) {
  if (const I unit = micros_of(part_of(part))) return floor_divide(a.micros, unit) - floor_divide(b.micros, unit);
  return days_between(floor_divide(a.micros, kMicrosPerDay), floor_divide(b.micros, kMicrosPerDay), part_of(part));
}
Answer<I> timestamp_diff(Timestamp a, Timestamp b, I part) {
  const I unit = part_of(part) == Part::kDay ? kMicrosPerDay : micros_of(part_of(part));
  if (unit == 0) return bad_part(part);
  return (a.micros - b.micros) / unit;
}
Answer<I> time_diff(Time a, Time b, I part) {
  const I unit = micros_of(part_of(part));
  if (unit == 0) return bad_part(part);
  return a.micros / unit - b.micros / unit;
}

// ---- truncation ----
Answer<Date> date_trunc(Date d, I part) {
  const auto days = truncate_date(d.days, part_of(part));
  if (!days) return bad_part(part);
  if (!is_date(*days)) {
    return Failure{"Truncating date " + data::format_date(d.days) + " to " + part_name(part_of(part)) +
                   " resulted in an out of range date value: " + std::to_string(*days)};
  }
  return Date{static_cast<std::int32_t>(*days)};
}
Answer<Timestamp> datetime_trunc(Timestamp t, I part) {
  const auto micros = truncate_civil(t.micros, part_of(part));
  if (!micros) return bad_part(part);
  if (!is_timestamp(*micros)) {
    return Failure{"Truncating datetime " + data::format_datetime(t.micros, ' ') + " to " + part_name(part_of(part)) +
                   " causes overflow"};
  }
  return Timestamp{*micros};
}
Answer<Time> time_trunc(Time t, I part) {
  const I unit = micros_of(part_of(part));
  if (unit == 0) return bad_part(part);
  return Time{t.micros / unit * unit};
}
Answer<Date> last_day(Date d, I number) {
  const Part part = part_of(number);
  const auto start = truncate_date(d.days, part);
  if (!start) return bad_part(number);
  I next = 0;
  if (part == Part::kDay)
    next = *start + 1;
  else if (is_week(part))
    next = *start + 7;
  else if (part == Part::kIsoYear)
    next = iso_year_start(iso_year_of(d.days) + 1);
  else {
    const data::CivilDate date = data::civil_from_days(*start);
    const I months = I{date.year} * 12 + date.month - 1 + (part == Part::kYear ? 12 : part == Part::kQuarter ? 3 : 1);
    next =
        data::days_from_civil({static_cast<std::int32_t>(months / 12), static_cast<std::int32_t>(months % 12) + 1, 1});
  }
  if (!is_date(next - 1)) {
    return Failure{"Last day of date " + data::format_date(d.days) + " to " + part_name(part) +
                   " resulted in an out of range date value: " + std::to_string(next - 1)};
  }
  return Date{static_cast<std::int32_t>(next - 1)};
}

// ---- extraction ----
Answer<I> date_extract(Date d, I part) {
  const auto value = extract_date_part(d.days, part_of(part));
  return value ? Answer<I>(*value) : Answer<I>(bad_part(part));
}
Answer<I> datetime_extract(Timestamp t, I part) {
  const auto value = micros_of(part_of(part)) != 0
                         ? extract_time_part(floor_modulo(t.micros, kMicrosPerDay), part_of(part))
                         : extract_date_part(floor_divide(t.micros, kMicrosPerDay), part_of(part));
  return value ? Answer<I>(*value) : Answer<I>(bad_part(part));
}
Answer<I> time_extract(Time t, I part) {
  const auto value = extract_time_part(t.micros, part_of(part));
  return value ? Answer<I>(*value) : Answer<I>(bad_part(part));
}
Date date_of(Timestamp t) { return {static_cast<std::int32_t>(floor_divide(t.micros, kMicrosPerDay))}; }
Time time_of(Timestamp t) { return {floor_modulo(t.micros, kMicrosPerDay)}; }
Timestamp midnight_of(Date d) { return {d.days * kMicrosPerDay}; }
Timestamp at_time(Date d, Time t) { return {d.days * kMicrosPerDay + t.micros}; }

// ---- construction ----
std::optional<I> civil_days(I year, I month, I day) {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
  const data::CivilDate date{static_cast<std::int32_t>(year), static_cast<std::int32_t>(month),
                             static_cast<std::int32_t>(day)};
  const I days = data::days_from_civil(date);
  if (data::civil_from_days(days).day != date.day) return std::nullopt;
  return days;
}
std::string padded(const char* format, I a, I b, I c) {
  char text[80];
  std::snprintf(text, sizeof text, format, static_cast<long>(a), static_cast<long>(b), static_cast<long>(c));
  return text;
}
Answer<Date> make_date(I year, I month, I day) {
  const auto days = civil_days(year, month, day);
  if (!days) return Failure{"Input calculates to invalid date: " + padded("%04ld-%02ld-%02ld", year, month, day)};
  return Date{static_cast<std::int32_t>(*days)};
}
bool is_clock(I hour, I minute, I second) {  // second 60 is the next minute
  return hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second <= 60;
}
Answer<Time> make_time(I hour, I minute, I second) {
  if (!is_clock(hour, minute, second)) {
    return Failure{"Input calculates to invalid time: " + padded("%02ld:%02ld:%02ld", hour, minute, second)};
  }
  return Time{(hour * kHourMicros + minute * kMinuteMicros + second * kSecondMicros) % kMicrosPerDay};
}
Answer<Timestamp> make_datetime(I year, I month, I day, I hour, I minute, I second) {
  const auto days = civil_days(year, month, day);
  const bool is_valid = days && is_clock(hour, minute, second);
  const I micros =
      is_valid ? *days * kMicrosPerDay + hour * kHourMicros + minute * kMinuteMicros + second * kSecondMicros : 0;
  if (!is_valid || !is_timestamp(micros)) {
    return Failure{"Input calculates to invalid datetime: " + padded("%04ld-%02ld-%02ld ", year, month, day) +
                   padded("%02ld:%02ld:%02ld", hour, minute, second)};
  }
  return Timestamp{micros};
}

// ---- Unix time ----
I unix_seconds(Timestamp t) { return floor_divide(t.micros, kSecondMicros); }
I unix_millis(Timestamp t) { return floor_divide(t.micros, 1000); }
I unix_micros(Timestamp t) { return t.micros; }
I unix_date(Date d) { return d.days; }
Answer<Timestamp> from_unix(I value, I unit) {
  I micros = 0;
  if (__builtin_mul_overflow(value, unit, &micros) || !is_timestamp(micros)) {
    return Failure{"Input value " + std::to_string(value) +
                   " cannot be converted into a TIMESTAMP, because it would be out of the allowed range between " +
                   std::to_string(data::kTimestampMin) + " to " + std::to_string(data::kTimestampMax) +
                   " (microseconds)"};
  }
  return Timestamp{micros};
}
Answer<Timestamp> from_unix_seconds(I value) { return from_unix(value, kSecondMicros); }
Answer<Timestamp> from_unix_millis(I value) { return from_unix(value, 1000); }
Answer<Timestamp> from_unix_micros(I value) { return from_unix(value, 1); }
Answer<Date> from_unix_date(I value) {
  if (!is_date(value)) {
    return Failure{"DATE_FROM_UNIX_DATE range is " + std::to_string(data::kDateMin) + " to " +
                   std::to_string(data::kDateMax) + " but saw " + std::to_string(value)};
  }
  return Date{static_cast<std::int32_t>(value)};
}

// ---- series ----
constexpr std::size_t kSeriesMax = 10'000'000;
Failure too_long() { return {"Cannot generate arrays with more than 10000000 elements."}; }
Failure zero_step() { return {"Sequence step cannot be 0."}; }
Answer<List<Date>> date_series(Date first, Date last, I step, I part) {
  if (step == 0) return zero_step();
  List<Date> list;
  for (std::optional<I> at = first.days; at && (step > 0 ? *at <= last.days : *at >= last.days);) {
    if (list.size() == kSeriesMax) return too_long();
    list.emplace_back(Date{static_cast<std::int32_t>(*at)});
    at = add_to_date(*at, step, part_of(part));
  }
  return list;
}
Answer<List<Timestamp>> timestamp_series(Timestamp first, Timestamp last, I step, I part) {
  if (step == 0) return zero_step();
  List<Timestamp> list;
  for (Timestamp at = first; step > 0 ? at.micros <= last.micros : at.micros >= last.micros;) {
    if (list.size() == kSeriesMax) return too_long();
    list.emplace_back(at);
    const Answer<Timestamp> next = timestamp_add(at, step, part);
    if (next.is_failure()) break;
    at = next.value();
  }
  return list;
}

// The ends of the pieces of GENERATE_RANGE_ARRAY: first, first + step, first + 2 steps, …, and last when a piece may be short.
Answer<List<Timestamp>> range_bounds(Timestamp first, Timestamp last, Interval step, bool include_last) {
  List<Timestamp> list;
  list.emplace_back(first);
  for (I count = 1;; ++count) {
    if (list.size() == kSeriesMax) return too_long();
    const auto days = add_months(floor_divide(first.micros, kMicrosPerDay), step.months * count);
    const I next = days ? (*days + step.days * count) * kMicrosPerDay + floor_modulo(first.micros, kMicrosPerDay) +
                              step.micros * count
                        : last.micros;
    if (next <= list.back()->micros) return Failure{"The step of GENERATE_RANGE_ARRAY must be positive"};
    if (next >= last.micros) {
      if (next == last.micros || include_last) list.emplace_back(last);
      return list;
    }
    list.emplace_back(Timestamp{next});
  }
}

void add_arithmetic(Functions& list) {
  list.push_back(native<&date_add>("gs_date_add"));
  list.push_back(native<&date_sub>("gs_date_sub"));
  list.push_back(native<&datetime_add>("gs_datetime_add"));
  list.push_back(native<&datetime_sub>("gs_datetime_sub"));
  list.push_back(native<&timestamp_add>("gs_timestamp_add"));
  list.push_back(native<&timestamp_sub>("gs_timestamp_sub"));
  list.push_back(native<&time_add>("gs_time_add"));
  list.push_back(native<&time_sub>("gs_time_sub"));
  list.push_back(native<&date_diff>("gs_date_diff"));
  list.push_back(native<&datetime_diff>("gs_datetime_diff"));
  list.push_back(native<&timestamp_diff>("gs_timestamp_diff"));
  list.push_back(native<&time_diff>("gs_time_diff"));
  list.push_back(native<&date_trunc>("gs_date_trunc"));
  list.push_back(native<&datetime_trunc>("gs_datetime_trunc"));
  list.push_back(native<&time_trunc>("gs_time_trunc"));
  list.push_back(native<&last_day>("gs_last_day"));
}

}  // namespace

void add_date_functions(Functions& list) {
  add_arithmetic(list);
  list.push_back(native<&date_extract>("gs_date_extract"));
  list.push_back(native<&datetime_extract>("gs_datetime_extract"));
  list.push_back(native<&time_extract>("gs_time_extract"));
  list.push_back(native<&date_of>("gs_date_of"));
  list.push_back(native<&time_of>("gs_time_of"));
  list.push_back(native<&midnight_of>("gs_midnight_of"));
  list.push_back(native<&at_time>("gs_at_time"));
  list.push_back(native<&make_date>("gs_make_date"));
  list.push_back(native<&make_time>("gs_make_time"));
  list.push_back(native<&make_datetime>("gs_make_datetime"));
  list.push_back(native<&unix_seconds>("gs_unix_seconds"));
  list.push_back(native<&unix_millis>("gs_unix_millis"));
  list.push_back(native<&unix_micros>("gs_unix_micros"));
  list.push_back(native<&unix_date>("gs_unix_date"));
  list.push_back(native<&from_unix_seconds>("gs_timestamp_seconds"));
  list.push_back(native<&from_unix_millis>("gs_timestamp_millis"));
  list.push_back(native<&from_unix_micros>("gs_timestamp_micros"));
  list.push_back(native<&from_unix_date>("gs_date_from_unix_date"));
  list.push_back(native<&date_series>("gs_date_series"));
  list.push_back(native<&timestamp_series>("gs_timestamp_series"));
  list.push_back(native<&range_bounds>("gs_range_bounds"));
}

}  // namespace flytt::googlesql::internal
