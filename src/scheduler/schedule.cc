#include "scheduler/schedule.h"

#include <algorithm>
#include <limits>

#include "data/civil.h"
#include "scheduler/internal/bigquery_language.h"
#include "scheduler/internal/cron.h"
#include "scheduler/internal/quoted.h"
#include "scheduler/limits.h"

namespace flytt::scheduler {

namespace {

using data::kMicrosPerDay;
using internal::kMicrosPerMinute;

constexpr std::int64_t kLookBackMicrosMax = 41 * 366 * kMicrosPerDay;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// "10m" is a duration, "24 hours" and "hourly" are BigQuery's language.
bool is_duration(std::string_view text) {
  return !text.empty() && text[0] >= '0' && text[0] <= '9' && text.find_first_of(" \t\n\r,") == text.npos;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\n\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n\r") - begin + 1);
}

Result<std::int64_t> parse_bound(std::string_view key, const std::string& text, const data::TimeZone& zone) {
  const std::string_view bare = trimmed(text);
  if (const auto days = data::parse_date(bare)) return zone.instant_of(*days * kMicrosPerDay).first_micros;
  std::optional<std::int64_t> local = data::parse_datetime(bare);
  if (!local) local = data::parse_datetime(std::string(bare) + ":00");  // 2026-01-15 09:00
  if (local) return zone.instant_of(*local).first_micros;
  if (const auto instant = data::parse_timestamp(bare)) return *instant;
  return Error(ErrorCode::kConfig, std::string(key) + " '" + internal::printable(bare) +
                                       "': no time; write one like 2026-01-15 09:00, or 2026-01-15T08:00:00Z");
}

}  // namespace

Result<Schedule> Schedule::parse(const ScheduleText& text) {
  if (text.cron.empty() == text.every.empty())
    return Error(ErrorCode::kConfig, text.cron.empty()
                                         ? "the schedule is empty; write cron: \"15 5 * * *\" or every: \"24 hours\""
                                         : "the schedule has both cron and every; keep one of them");
  Schedule made;
  if (!text.timezone.empty()) {
    TRY(made.zone_, data::TimeZone::find(text.timezone));
  }
  TRY_STATUS(made.read_bounds(text));
  TRY_STATUS(text.cron.empty() ? made.read_every(text) : made.read_cron(text));
  if (made.end_ && !made.next_after(made.start_ ? *made.start_ - 1 : data::kTimestampMin))
    return Error(ErrorCode::kConfig, made.start_ ? "the schedule has no slot between its start and its end"
                                                 : "the schedule has no slot before its end");
  const std::string_view rule = trimmed(text.cron.empty() ? text.every : text.cron);
  const bool has_word = text.cron.empty() && rule.substr(0, 6) == "every ";
  made.definition_ = (has_word ? "" : text.cron.empty() ? "every " : "cron ") + std::string(rule);
  made.definition_ += " in " + std::string(made.zone_.name());
  if (made.start_) made.definition_ += " from " + data::format_datetime(*made.start_) + "Z";
  if (made.end_) made.definition_ += " until " + data::format_datetime(*made.end_) + "Z";
  return made;
}

Schedule Schedule::on_changes(const std::vector<std::string>& of) {
  Schedule made;
  made.rule_ = OnChanges{};
  made.definition_ = "on changes of ";
  for (const std::string& name : of) made.definition_ += (&name == &of.front() ? "" : ", ") + name;
  return made;
}

Status Schedule::read_bounds(const ScheduleText& text) {
  if (!text.start.empty()) {
    TRY(start_, parse_bound("start", text.start, zone_));
  }
  if (!text.end.empty()) {
    TRY(end_, parse_bound("end", text.end, zone_));
  }
  if (start_ && end_ && *start_ >= *end_) return Error(ErrorCode::kConfig, "the schedule's end is not after its start");
  return ok();
}

Status Schedule::read_cron(const ScheduleText& text) {
  TRY(const internal::CronSchedule parsed, internal::parse_cron(text.cron));
  if (const auto* step = std::get_if<std::int64_t>(&parsed))
    rule_ = Interval{start_.value_or(text.anchor_micros), *step};
  else
    rule_ = std::get<internal::Pattern>(parsed);
  return ok();
}

Status Schedule::read_every(const ScheduleText& text) {
  const std::int64_t anchor = start_.value_or(text.anchor_micros);
  if (is_duration(trimmed(text.every))) {
    TRY(const std::int64_t step, internal::parse_duration(trimmed(text.every), "every"));
    rule_ = Interval{anchor, step};
    return ok();
  }
  TRY(const internal::BigQuerySchedule parsed, internal::parse_bigquery_schedule(text.every));
  if (const auto* interval = std::get_if<internal::RealInterval>(&parsed))
    rule_ = Interval{floor_div(anchor, kMicrosPerMinute) * kMicrosPerMinute, interval->step_micros};
  else if (const auto* range = std::get_if<internal::RangeInterval>(&parsed))
    rule_ = DailyRange{range->start_micros, range->end_micros, range->step_micros};
  else
    rule_ = std::get<internal::Pattern>(parsed);
  return ok();
}

std::optional<std::int64_t> Schedule::next_after(std::int64_t instant) const {
  instant = std::max(instant, start_ ? *start_ - 1 : data::kTimestampMin);
  if (instant >= data::kTimestampMax) return std::nullopt;
  const auto found = unbounded_next(instant);
  if (!found || *found > data::kTimestampMax || (end_ && *found >= *end_)) return std::nullopt;
  return found;
}

std::optional<std::int64_t> Schedule::unbounded_next(std::int64_t instant) const {
  return std::visit([&](const auto& rule) { return next_of(rule, instant); }, rule_);
}

std::optional<std::int64_t> Schedule::next_of(const Interval& interval, std::int64_t instant) const {
  return interval.anchor + (floor_div(instant - interval.anchor, interval.step) + 1) * interval.step;
}

// One period of one offset after the other. In a period local time runs evenly, so a slot is a named minute less the
// offset; what is special happens where two periods meet.
std::optional<std::int64_t> Schedule::next_of(const internal::Pattern& pattern, std::int64_t instant) const {
  data::OffsetPeriod period = zone_.period_at(instant);
  std::int64_t from_local = instant + period.offset_micros + 1;
  while (true) {
    if (!pattern.runs_in_both_passes && period.begin_micros > data::kTimestampMin) {
      const data::OffsetPeriod before = zone_.period_at(period.begin_micros - 1);
      // What the clock showed already when it was put back is not counted again.
      from_local = std::max(from_local, period.begin_micros + before.offset_micros);
    }
    const bool is_last = period.end_micros >= data::kTimestampMax;
    const std::int64_t local_end =
        is_last ? data::kTimestampMax + kMicrosPerDay : period.end_micros + period.offset_micros;
    if (const auto found = pattern.first_minute(from_local, local_end)) return *found - period.offset_micros;
    if (is_last) return std::nullopt;
    const std::int64_t jump = period.end_micros;
    const data::OffsetPeriod next = zone_.period_at(jump);
    if (pattern.runs_at_jump && pattern.first_minute(local_end, jump + next.offset_micros)) return jump;
    period = next;
    from_local = jump + next.offset_micros;
  }
}

std::optional<std::int64_t> Schedule::next_of(const DailyRange& range, std::int64_t instant) const {
  const auto instant_at = [&](std::int64_t day, std::int64_t since_midnight) {
    return zone_.instant_of(day * kMicrosPerDay + since_midnight).first_micros;
  };
  // From two days before, so that a range over midnight, or over a day that was left out, is seen.
  for (std::int64_t day = floor_div(zone_.local_of(instant), kMicrosPerDay) - 2;; ++day) {
    const std::int64_t start = instant_at(day, range.start);
    if (start > instant) return start;
    const std::int64_t next = start + (floor_div(instant - start, range.step) + 1) * range.step;
    const std::int64_t end = instant_at(range.end < range.start ? day + 1 : day, range.end);
    if (next <= end && next < instant_at(day + 1, range.start)) return next;
  }
}

std::optional<std::int64_t> Schedule::last_until(std::int64_t instant) const {
  if (is_on_changes()) return std::nullopt;
  const Slots found = newest_slots(std::max(instant - kLookBackMicrosMax, data::kTimestampMin), instant, 1);
  return found.instants.empty() ? std::nullopt : std::optional(found.instants.back());
}

Slots Schedule::slots_between(std::int64_t after, std::int64_t until, std::size_t limit) const {
  Slots found;
  for (auto slot = next_after(after); slot && *slot <= until; slot = next_after(*slot)) {
    if (found.instants.size() == limit) {
      found.is_complete = false;
      return found;
    }
    found.instants.push_back(*slot);
  }
  return found;
}

// Looks back in spans that double, so that neither many slots nor few cost much.
Slots Schedule::newest_slots(std::int64_t after, std::int64_t until, std::size_t limit) const {
  Slots found;
  std::vector<std::int64_t> newest_first;
  std::int64_t window_end = until;
  for (std::int64_t width = kMicrosPerMinute; window_end > after; width *= 2) {
    const std::int64_t window_begin = window_end - after > width ? window_end - width : after;
    std::vector<std::int64_t> in_window;
    for (auto slot = next_after(window_begin); slot && *slot <= window_end; slot = next_after(*slot))
      in_window.push_back(*slot);
    while (!in_window.empty() && newest_first.size() < limit) {
      newest_first.push_back(in_window.back());
      in_window.pop_back();
    }
    if (!in_window.empty()) {
      found.is_complete = false;
      break;
    }
    window_end = window_begin;
  }
  found.instants.assign(newest_first.rbegin(), newest_first.rend());
  return found;
}

}  // namespace flytt::scheduler
