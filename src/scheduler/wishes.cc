#include "scheduler/wishes.h"

#include "scheduler/limits.h"

namespace flytt::scheduler {

Result<state::BackfillOutcome> backfill(state::ScheduleLedger& ledger, const Entry& entry, std::int64_t from_micros,
                                        std::int64_t to_micros, bool with_forgotten, std::int64_t now_micros) {
  if (from_micros >= to_micros) return Error(ErrorCode::kConfig, "the end of the range is not after its beginning");
  if (entry.schedule.is_on_changes())
    return Error(ErrorCode::kConfig,
                 entry.name + " runs on changes and has no slots to fill in; `flytt job run` runs it at once");
  const Slots slots = entry.schedule.slots_between(from_micros - 1, to_micros - 1, kBackfillMax);
  if (!slots.is_complete)
    return Error(ErrorCode::kConfig, "the range holds more than " + std::to_string(kBackfillMax) +
                                         " slots of schedule " + entry.name + "; ask for a shorter one");
  if (!slots.instants.empty() && slots.instants.back() > now_micros)
    return Error(ErrorCode::kConfig, "the range reaches into the future, where slots of schedule " + entry.name +
                                         " run by themselves; let it end now");
  return ledger.backfill(entry.name, slots.instants, with_forgotten, now_micros);
}

}  // namespace flytt::scheduler
