#pragma once
// INTERVAL: text, bounds and arithmetic. Months, days and microseconds are independent.

#include <optional>
#include <string>
#include <string_view>

#include "googlesql/functions/native.h"

namespace flytt::googlesql::internal {

// Bounds of BigQuery: ±10000 years in each part.
inline constexpr std::int64_t kIntervalMonthsMax = 120'000, kIntervalDaysMax = 3'660'000;
inline constexpr std::int64_t kIntervalMicrosMax = 316'224'000'000'000'000;

// "Y-M", "Y-M D", "Y-M D H:M:S[.F]", "D H:M:S[.F]", "H:M:S[.F]" with a sign before each group, or ISO 8601 "P1Y2M3DT4H5M6.7S".
std::optional<Interval> parse_interval_text(std::string_view text);
std::string interval_text(const Interval& interval);  // "Y-M D H:M:S[.FFF[FFF]]"
// nullopt when a part is out of bounds.
std::optional<Interval> make_interval(std::int64_t months, std::int64_t days, Int128 micros);

}  // namespace flytt::googlesql::internal
