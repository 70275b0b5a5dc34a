#pragma once
// A schedule in the languages of other schedulers, or why it cannot be said there. Pure.
//
// A language has times of a day, days and a zone, and nothing else: neither the start and the end of a schedule nor its own
// rules for changes of the clock. What its scheduler does there instead:
//   Kubernetes  a skipped local time is left out, a repeated one runs twice (github.com/robfig/cron);
//   systemd     a skipped one is left out, a repeated one runs in its first pass only.

#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/schedule.h"

namespace flytt::scheduler {

enum class ForeignLanguage {
  kCron,      // of a CronJob: five fields, as robfig's standard parser takes them; the zone has a field of its own
  kCalendar,  // OnCalendar= of systemd.time(7), with seconds, and the zone at the end
};

struct ForeignSchedule {
  std::vector<std::string> lines;   // all of them together have the slots; empty: it cannot be said
  std::string timezone;             // IANA name
  std::string why_not;              // a part of a sentence, when there are no lines
  bool differs_at_changes = false;  // the slots are others around a change of the clock within the next years
};

// `now_micros`: whose next three years of changes are looked at; UTC.
ForeignSchedule foreign_schedule(const Schedule& schedule, ForeignLanguage language, std::int64_t now_micros);

}  // namespace flytt::scheduler
