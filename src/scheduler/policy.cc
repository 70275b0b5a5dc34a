#include "scheduler/policy.h"

#include <algorithm>
#include <map>
#include <set>

namespace flytt::scheduler {

namespace {

constexpr std::string_view kSchedulePrefix = "schedule:";

Status check_policy(const Entry& entry) {
  const Policy& policy = entry.policy;
  const auto refuse = [&](const std::string& reason) {
    return Error(ErrorCode::kConfig, "schedule " + entry.name + ": " + reason);
  };
  if (policy.missed == Missed::kAll && policy.concurrency == Concurrency::kReplace)
    return refuse("missed: all and concurrency: replace contradict each other; use missed: last");
  if (policy.missed_max < 1 || policy.missed_max > kMissedMax)
    return refuse("missed max must be 1 to " + std::to_string(kMissedMax));
  if (policy.parallel_max < 1) return refuse("at least one run must be allowed at a time");
  if (policy.retries.max < 0 || policy.retries.max > kRetriesMax)
    return refuse("retries must be 0 to " + std::to_string(kRetriesMax));
  if (policy.retries.delay_micros < 0 || policy.retries.delay_micros_max < policy.retries.delay_micros)
    return refuse("the longest delay of retries must not be shorter than the first");
  if (!(policy.retries.factor >= 1 && policy.retries.factor <= 100))
    return refuse("the factor of retries must be 1 to 100");
  if (entry.schedule.is_on_changes() && policy.missed != Missed::kLast)
    return refuse("what changes while nothing can run is one slot; missed belongs to a schedule with a clock");
  if (policy.at_most_micros < 0 || policy.run_micros_max < 0 || policy.start_micros_max < 0)
    return refuse("a limit of time must not be negative");
  if (policy.history_max < 1) return refuse("at least one finished run must be remembered");
  return ok();
}

// Depth first; `path` is what is being visited.
Status check_circle(const std::map<std::string, const Entry*>& known, const Entry& entry,
                    std::vector<std::string>& path, std::set<std::string>& done) {
  if (done.count(entry.name) != 0) return ok();
  const auto begin = std::find(path.begin(), path.end(), entry.name);
  if (begin != path.end()) {
    std::string circle;
    for (auto at = begin; at != path.end(); ++at) circle += *at + " → ";
    return Error(ErrorCode::kConfig,
                 "schedules wait for each other: " + circle + entry.name + "; take one `after` out");
  }
  path.push_back(entry.name);
  for (const std::string& dependency : entry.policy.after) {
    if (dependency.compare(0, kSchedulePrefix.size(), kSchedulePrefix) != 0) continue;
    const std::string name = dependency.substr(kSchedulePrefix.size());
    const auto found = known.find(name);
    if (found == known.end())
      return Error(ErrorCode::kConfig,
                   "schedule " + entry.name + ": after names schedule " + name + ", which does not exist");
    TRY_STATUS(check_circle(known, *found->second, path, done));
  }
  path.pop_back();
  done.insert(entry.name);
  return ok();
}

}  // namespace

Status check_entries(const std::vector<Entry>& entries) {
  std::map<std::string, const Entry*> known;
  for (const Entry& entry : entries) {
    if (entry.name.empty()) return Error(ErrorCode::kConfig, "a schedule has no name");
    if (!known.emplace(entry.name, &entry).second)
      return Error(ErrorCode::kConfig, "there are two schedules called " + entry.name);
    TRY_STATUS(check_policy(entry));
  }
  std::set<std::string> done;
  std::vector<std::string> path;
  for (const Entry& entry : entries) TRY_STATUS(check_circle(known, entry, path, done));
  return ok();
}

std::int64_t retry_delay(const Retries& retries, int failures, base::Random& random) {
  double delay = static_cast<double>(retries.delay_micros);
  const auto longest = static_cast<double>(retries.delay_micros_max);
  for (int i = 1; i < failures && delay < longest; ++i) delay *= retries.factor;
  const auto half = static_cast<std::uint64_t>(std::min(delay, longest)) / 2;
  return static_cast<std::int64_t>(half + random.below(half + 1));
}

}  // namespace flytt::scheduler
