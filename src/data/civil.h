#pragma once
// Civil time: days, microseconds and their texts, in the proleptic Gregorian calendar.
//
// DATE is days since 1970-01-01, DATETIME and TIMESTAMP microseconds since 1970-01-01 00:00:00 (civil, or UTC), TIME
// microseconds since midnight. Day arithmetic after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
// Packed forms are those of the Storage Write API ("DATETIME and TIME as packed int64").

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flytt::data {

struct CivilDate {
  std::int32_t year;  // 1..9999 in BigQuery
  std::int32_t month, day;
};

inline constexpr std::int64_t kMicrosPerDay = 86'400'000'000;
inline constexpr std::int64_t kDateMin = -719'162;   // 0001-01-01
inline constexpr std::int64_t kDateMax = 2'932'896;  // 9999-12-31
inline constexpr std::int64_t kTimestampMin = kDateMin * kMicrosPerDay;
inline constexpr std::int64_t kTimestampMax = (kDateMax + 1) * kMicrosPerDay - 1;

std::int64_t days_from_civil(CivilDate date);
CivilDate civil_from_days(std::int64_t days);

std::int64_t pack_time(std::int64_t micros_of_day);  // hour<<32 | minute<<26 | second<<20 | micros
std::int64_t pack_datetime(std::int64_t micros);     // year<<46 | month<<42 | day<<37 | time
std::optional<std::int64_t> unpack_time(std::int64_t packed);
std::optional<std::int64_t> unpack_datetime(std::int64_t packed);

std::string format_date(std::int64_t days);           // 2024-02-29
std::string format_time(std::int64_t micros_of_day);  // 12:34:56 or 12:34:56.123456 (always 6 digits when present)
std::string format_datetime(std::int64_t micros, char separator = 'T');  // 2024-02-29T12:34:56[.123456]

// Strict inverses; nullopt for anything else. parse_datetime takes 'T' or ' ' and up to 6 fraction digits;
// parse_timestamp also takes a zone: Z, UTC, ±HH[:MM]; without one it is UTC.
std::optional<std::int64_t> parse_date(std::string_view text);
std::optional<std::int64_t> parse_time(std::string_view text);
std::optional<std::int64_t> parse_datetime(std::string_view text);
std::optional<std::int64_t> parse_timestamp(std::string_view text);

// INTERVAL: months, days and microseconds are independent. Text is BigQuery's canonical "Y-M D H:M:S[.F]".
struct Interval {
  std::int32_t months = 0, days = 0;
  std::int64_t micros = 0;
  friend bool operator==(const Interval& a, const Interval& b) {
    return a.months == b.months && a.days == b.days && a.micros == b.micros;
  }
};
std::string format_interval(const Interval& interval);
std::optional<Interval> parse_interval(std::string_view text);

}  // namespace flytt::data
