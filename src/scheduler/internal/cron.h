#pragma once
// Cron's five fields, as github.com/robfig/cron's standard parser takes them (see schedule.h for what differs).

#include <string_view>
#include <variant>

#include "base/result.h"
#include "scheduler/internal/pattern.h"

namespace flytt::scheduler::internal {

// "@every 1h30m" is a plain duration, in microseconds.
using CronSchedule = std::variant<Pattern, std::int64_t>;

// kConfig, with field, reason and the column, counted from 1.
Result<CronSchedule> parse_cron(std::string_view text);

// "1h30m", "90s", "1.5h", "2d": units d, h, m, s and ms, in any order, as Go's durations and days. At least one second, in whole
// seconds, and at most ten years. `what` begins the error: "every".
Result<std::int64_t> parse_duration(std::string_view text, std::string_view what);

}  // namespace flytt::scheduler::internal
