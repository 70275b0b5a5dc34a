#pragma once
// BigQuery's schedule language: App Engine's cron language ("Groc"), with the additions that schedule.h names.

#include <string_view>
#include <variant>

#include "base/result.h"
#include "scheduler/internal/pattern.h"

namespace flytt::scheduler::internal {

struct RealInterval {
  std::int64_t step_micros;
};
struct RangeInterval {
  std::int64_t step_micros;
  std::int64_t start_micros, end_micros;  // since midnight
};
using BigQuerySchedule = std::variant<Pattern, RealInterval, RangeInterval>;

// kConfig, with the word, its column (from 1) and what may stand there.
Result<BigQuerySchedule> parse_bigquery_schedule(std::string_view text);

}  // namespace flytt::scheduler::internal
