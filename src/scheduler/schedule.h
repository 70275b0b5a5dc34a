#pragma once
// Schedule: when something is due. A value made from the texts of the configuration; pure, no I/O but the time zone
// database, no clock. Its slots are instants (microseconds since 1970-01-01 UTC), strictly increasing.
//
// `cron`: minute, hour, day of month, month, day of week, as github.com/robfig/cron's standard parser takes them: *, ?, N,
//   N-M, /STEP (N/STEP runs to the end), lists, JAN..DEC, SUN..SAT in any case (Sunday is 0, not 7); @hourly, @daily,
//   @midnight, @weekly, @monthly, @yearly, @annually, @every 1h30m. When day of month and day of week are both restricted
//   either is enough; a field with * or ? (also */1) is not restricted, */2 is. Refused although robfig takes them: empty entries of
//   a list, "*-5", "+5", a TZ= prefix, and what never fires (30 February).
// `every`: a duration (10m, 1h30m, 90s, 1d), or BigQuery's language, which is App Engine's:
//     every N hours|minutes|mins [from HH:MM to HH:MM | synchronized]
//     every day|mon,tuesday,…  [of month|jan,feb,…|quarter|1st,2nd month of quarter] HH:MM
//     1st,third,… day|mon,…    [of …] HH:MM
//     1,15,31 of month|jan,…|quarter|… HH:MM           (a day that a month does not have is left out)
//   More than App Engine takes, and BigQuery's own pages use: hourly, daily [HH:MM], every hour, every minute, "24 hours", and a time that is
//   left out is 00:00. A range includes its end, steps from its start each day, and may go over midnight; synchronized is the range
//   00:00 to 23:59 and needs a step that divides 24 hours.
// Plain intervals (durations, @every, N hours without a range) count real time from `start`, else from `anchor_micros`, else
//   from 1970-01-01 00:00 UTC: `every: 24 hours` is midnight UTC. They do not depend on when a process was started.
// `start` (included) and `end` (not included) bound the slots: "2026-01-15 09:00" is local, "…T08:00:00Z" an instant.
//
// Where clocks change, a local time of cron or of BigQuery's language that is skipped runs at the jump, once for all that is skipped; a local
// time that is repeated runs in its first pass only. Two kinds of cron expressions follow real time instead:
//   * every hour (`*`, `*/1`, `0-23`): what is skipped is left out, because the hours before and after have their own;
//     what is repeated runs in both passes. So `*/10 * * * *` and `0 * * * *` run as evenly as on any other day.
//   * minutes that begin with * or ? in some hours (`*/15 8-16 * * *`): repeated minutes run in both passes, skipped ones
//     run once at the jump.
// robfig leaves out every skipped time, also of a daily schedule, and runs every repeated one twice.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "data/time_zone.h"
#include "scheduler/internal/pattern.h"

namespace flytt::scheduler {

// Exactly one of `cron` and `every`; what is empty is not given.
struct ScheduleText {
  std::string cron;
  std::string every;
  std::string timezone;  // IANA name; UTC
  std::string start, end;
  // Since when a plain interval without `start` counts, such as when it was made; whole minutes in BigQuery's language.
  std::int64_t anchor_micros = 0;
};

// Slots of a span, oldest first.
struct Slots {
  std::vector<std::int64_t> instants;
  bool is_complete = true;  // false: there are more than the limit
};

class Schedule {
 public:
  struct Interval {
    std::int64_t anchor, step;
  };
  struct DailyRange {
    std::int64_t start, end;  // since local midnight, end < start goes over it
    std::int64_t step;
  };
  struct OnChanges {};
  using Rule = std::variant<internal::Pattern, Interval, DailyRange, OnChanges>;

  // kConfig: what is wrong, where, and what to write instead.
  static Result<Schedule> parse(const ScheduleText& text);

  // A schedule without a clock, whose slots are the instants at which changes are seen: it has none of its own. `of` is what is
  // looked at, for the definition: "on changes of query:daily, stream:sak".
  static Schedule on_changes(const std::vector<std::string>& of);
  bool is_on_changes() const { return std::holds_alternative<OnChanges>(rule_); }

  // The first slot after `instant`; nothing after the end (or after the year 9999).
  std::optional<std::int64_t> next_after(std::int64_t instant) const;
  // The last slot at or before `instant`; nothing when there is none in the 41 years before it.
  std::optional<std::int64_t> last_until(std::int64_t instant) const;
  // Slots with after < slot ≤ until: the oldest `limit` of them, or the newest.
  Slots slots_between(std::int64_t after, std::int64_t until, std::size_t limit) const;
  Slots newest_slots(std::int64_t after, std::int64_t until, std::size_t limit) const;

  const data::TimeZone& time_zone() const { return zone_; }
  const Rule& rule() const { return rule_; }
  std::optional<std::int64_t> start() const { return start_; }  // included
  std::optional<std::int64_t> end() const { return end_; }      // not included
  // Equal for equal schedules; one line, also for people: "cron 15 5 * * * in Europe/Oslo".
  const std::string& definition() const { return definition_; }

 private:
  Schedule() = default;
  Status read_cron(const ScheduleText& text);
  Status read_every(const ScheduleText& text);
  Status read_bounds(const ScheduleText& text);
  std::optional<std::int64_t> unbounded_next(std::int64_t instant) const;
  std::optional<std::int64_t> next_of(const internal::Pattern& pattern, std::int64_t instant) const;
  std::optional<std::int64_t> next_of(const OnChanges&, std::int64_t) const { return std::nullopt; }
  std::optional<std::int64_t> next_of(const Interval& interval, std::int64_t instant) const;
  std::optional<std::int64_t> next_of(const DailyRange& range, std::int64_t instant) const;

  Rule rule_;
  data::TimeZone zone_;
  std::optional<std::int64_t> start_, end_;
  std::string definition_;
};

}  // namespace flytt::scheduler
