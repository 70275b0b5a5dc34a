// What another scheduler does otherwise with a schedule. Whatever is started asks the ledger first (`run --once`), so a
// slot still succeeds once; these are the differences that remain.

#include "app/internal/render_plan.h"
#include "scheduler/limits.h"

namespace flytt::app {

namespace {

using scheduler::Concurrency;
using scheduler::Missed;

constexpr std::int64_t kDeadlineSecondsMin = 10;  // CronJobs are looked at every ten seconds

std::string changes_sentence(const RenderRequest& request, const std::string& zone) {
  const bool is_systemd = request.place == Place::kSystemd;
  return "where clocks change in " + zone +
         " its slots differ: what is skipped runs at the jump in flytt and is left out " +
         (is_systemd ? "by systemd, and of what is repeated systemd runs the first pass only"
                     : "by Kubernetes, and of what is repeated Kubernetes runs both passes");
}

std::string missed_sentence(const RenderRequest& request, const scheduler::Policy& policy) {
  if (policy.missed == Missed::kAll)
    return "'missed: all' is done when the next slot is due, not before: nothing runs that could catch up earlier";
  if (policy.missed != Missed::kNone) return "";
  if (request.place == Place::kNais)
    return "'missed: none': a Naisjob has no startingDeadlineSeconds, so the newest slot may still run when it is late";
  if (request.place == Place::kKubernetes)
    return "'missed: none' is startingDeadlineSeconds: 60; a slot that begins within it runs";
  return "";
}

std::string start_sentence(const RenderRequest& request, const scheduler::Policy& policy) {
  if (policy.start_micros_max == 0) return "";
  if (request.place == Place::kNais)
    return "'start_within': a Naisjob has no startingDeadlineSeconds; a late start runs the newest slot all the same";
  if (request.place == Place::kSystemd)
    return "'start_within': a timer has no such limit; a late start runs the newest slot";
  if (policy.start_micros_max < kDeadlineSecondsMin * scheduler::kMicrosPerSecond)
    return "'start_within' is raised to 10s: CronJobs are looked at every ten seconds, and a shorter limit may start "
           "nothing";
  return "";
}

std::string concurrency_sentence(const RenderRequest& request, const Workload& workload) {
  const bool is_systemd = request.place == Place::kSystemd, has_file = !workload.state_volume.empty();
  switch (workload.entry->policy.concurrency) {
    case Concurrency::kForbid:
      return is_systemd ? "a slot that comes while the unit runs is not started after it: the next slot looks for it"
                        : "";
    case Concurrency::kReplace:
      if (is_systemd)
        return "'concurrency: replace': a timer does not stop a unit that runs; the slot is left to the next one";
      return has_file
                 ? "'concurrency: replace': Kubernetes starts the new pod while the old one may still be stopping; "
                   "flytt waits until a run has ended"
                 : "'concurrency: replace': with state in PostgreSQL a pod does not wait for one that is stopping, so "
                   "a slot that comes while a pod runs is started after it";
    case Concurrency::kAllow:
      return is_systemd
                 ? "'concurrency: allow': a unit runs once at a time"
                 : "'concurrency: allow': one process at a time holds its state, so a slot that comes while a pod "
                   "runs is started after it";
  }
  return "";
}

}  // namespace

void add_schedule_warnings(const RenderRequest& request, const Workload& workload, std::vector<RenderWarning>& out) {
  const scheduler::Entry& entry = *workload.entry;
  const auto warn = [&](const std::string& sentence) {
    if (!sentence.empty()) out.push_back({entry.name, sentence});
  };
  const std::size_t lines = workload.schedule.lines.size();
  if (lines > 1 && request.place != Place::kSystemd)
    warn("'" + entry.schedule.definition() + "' needs " + std::to_string(lines) + " lines of cron, so there are " +
         std::to_string(lines) + " objects");
  if (workload.schedule.differs_at_changes) warn(changes_sentence(request, workload.schedule.timezone));
  if (entry.schedule.start() || entry.schedule.end())
    warn("'start' and 'end' cannot be said there: it is started outside of them, too, and then finds nothing to do");
  warn(missed_sentence(request, entry.policy));
  warn(start_sentence(request, entry.policy));
  warn(concurrency_sentence(request, workload));
  if (request.place == Place::kNais)
    warn(
        "a pod that is evicted is not started again before the next slot: a Naisjob cannot tell an eviction from a "
        "failure, "
        "and retries are flytt's own");
}

}  // namespace flytt::app
