#pragma once
// Pattern: which local minutes a calendar schedule names. Cron's five fields and BigQuery's "1st,third monday of quarter
// 07:30" are both one. Pure calendar: no zone, no instants; local times are microseconds as data/time_zone.h has them.

#include <cstdint>
#include <optional>

namespace flytt::scheduler::internal {

inline constexpr std::int64_t kMicrosPerMinute = 60'000'000;
inline constexpr std::int64_t kMicrosPerHour = 60 * kMicrosPerMinute;

struct Pattern {
  // What a day has to be.
  enum class Days {
    kBoth,     // month day and weekday (cron, when one of the fields is *)
    kEither,   // month day or weekday (cron, when both are restricted)
    kOrdinal,  // the n-th such weekday of its month
  };

  std::uint64_t minutes = 0;     // bit m: 0..59
  std::uint32_t hours = 0;       // bit h: 0..23
  std::uint32_t month_days = 0;  // bit d: 1..31
  std::uint32_t months = 0;      // bit m: 1..12
  std::uint32_t weekdays = 0;    // bit w: 0 (Sunday)..6
  std::uint32_t ordinals = 0;    // bit n: 1..5
  Days days = Days::kBoth;
  // Where the clock is put forward, skipped minutes are taken at the jump; where it is put back, a minute counts in its
  // second pass, too. See schedule.h.
  bool runs_at_jump = true;
  bool runs_in_both_passes = false;

  // Whether any day of any year fits.
  bool ever_fires() const;
  std::uint32_t days_of(std::int32_t year, std::int32_t month) const;  // bit d: 1..31
  // The first named minute m with from ≤ m < before.
  std::optional<std::int64_t> first_minute(std::int64_t from_local, std::int64_t before_local) const;
};

inline constexpr std::uint32_t kEveryHour = (1U << 24) - 1;
inline constexpr std::uint32_t kEveryMonth = 0x1FFE;
inline constexpr std::uint32_t kEveryWeekday = 0x7F;
inline constexpr std::uint32_t kEveryMonthDay = 0xFFFFFFFE;

}  // namespace flytt::scheduler::internal
