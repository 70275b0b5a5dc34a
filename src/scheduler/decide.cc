#include "scheduler/decide.h"

#include <algorithm>

#include "data/civil.h"

namespace flytt::scheduler {

using state::SlotKey;
using state::SlotRecord;
using state::SlotState;

namespace {

constexpr std::string_view kSchedulePrefix = "schedule:";
constexpr const char* kChange = "change";  // the trigger of a slot of a schedule on changes

std::string time_text(std::int64_t micros) {
  return data::format_datetime(micros / 1'000'000 * 1'000'000, ' ') + " UTC";
}

const char* missed_word(Missed missed) {
  switch (missed) {
    case Missed::kNone: return "none";
    case Missed::kLast: return "last";
    case Missed::kAll: return "all";
  }
  return "";
}

// Wishes go first, then slots in their time, then what is filled in.
int rank(const SlotRecord& slot) { return slot.key.is_manual ? 0 : slot.trigger == "backfill" ? 2 : 1; }

class Decider {
 public:
  explicit Decider(const Question& question)
      : q_(question), view_(*question.view), entry_(*view_.entry), policy_(entry_.policy), now_(question.now_micros) {
    for (const SlotRecord& slot : view_.active) {
      // A run of this process is on until it is finished, whatever became of its row.
      const bool is_live =
          std::any_of(q_.live.begin(), q_.live.end(), [&](const LiveRun& run) { return run.key == slot.key; });
      (slot.state == SlotState::kDue && !is_live ? due_ : running_).push_back(slot);
    }
  }

  Decision decide() {
    const state::ScheduleRecord& record = view_.record;
    const bool has_clock = !entry_.schedule.is_on_changes();
    if (has_clock && now_ < record.decided_micros && record.decided_micros > record.forgotten_micros) {
      // The clock was put back: what is entered for later is decided anew when its time comes.
      out_.steps.push_back(state::RewindSlots{entry_.name, record.decided_micros, now_});
      out_.wake_micros = now_;
      return std::move(out_);
    }
    stop_what_takes_too_long();
    if (!record.is_paused && (has_clock ? enter_slots() : enter_change())) {
      // A slot may have a row already, from before the clock was put back: what is due then is seen in the ledger only.
      out_.wake_micros = now_;
      return std::move(out_);
    }
    if (!record.is_paused) supersede();
    drop_what_is_too_late();
    begin_runs();
    return std::move(out_);
  }

 private:
  bool is_regular(const SlotRecord& slot) const {
    return (slot.trigger == "schedule" || slot.trigger == kChange) && !slot.key.is_manual;
  }
  static bool has_begun(const SlotRecord& slot) { return slot.attempt > 0; }
  void wake_at(std::int64_t micros) { out_.wake_micros = std::min(out_.wake_micros, std::max(micros, now_)); }

  void stop_what_takes_too_long() {
    if (policy_.run_micros_max == 0) return;
    for (const LiveRun& run : q_.live) {
      if (run.is_stopping) continue;
      if (run.elapsed_micros >= policy_.run_micros_max)
        out_.stops.push_back({run.key, StopReason::kTimeout});
      else
        wake_at(now_ + (policy_.run_micros_max - run.elapsed_micros));
    }
  }

  // Whether new slots have to wait for those that are at hand.
  bool is_busy() const {
    if (policy_.concurrency != Concurrency::kForbid) return false;
    if (!running_.empty()) return true;
    return std::any_of(due_.begin(), due_.end(), [&](const SlotRecord& slot) {
      return is_regular(slot) && (has_begun(slot) || policy_.missed == Missed::kAll);
    });
  }

  bool enter_slots() {
    const auto next = entry_.schedule.next_after(view_.record.decided_micros);
    if (!next || is_busy()) return false;  // the end of a run is a reason to look again
    if (*next > now_) {
      wake_at(*next);
      return false;
    }
    const std::size_t due_max = policy_.missed == Missed::kAll ? static_cast<std::size_t>(policy_.missed_max) : 1;
    const Slots slots = entry_.schedule.newest_slots(view_.record.decided_micros, now_, due_max + kMissedRowsMax);
    const std::vector<std::int64_t>& all = slots.instants;
    state::EnterSlots step{entry_.name, view_.record.decided_micros, all.back(), {}};
    for (std::size_t i = 0; i < all.size(); ++i) {
      SlotRecord slot;
      slot.key = {entry_.name, all[i], false};
      slot.entered_micros = slot.next_attempt_micros = now_;
      if (!runs(all[i], all.size() - i, due_max)) {
        slot.state = SlotState::kMissed;
        slot.finished_micros = now_;
        slot.message =
            std::string("the program was not running, the schedule was paused or its last run was on; missed: ") +
            missed_word(policy_.missed);
        if (i == 0 && !slots.is_complete)
          slot.message += "; so were all before it since " + time_text(view_.record.decided_micros);
      }
      step.slots.push_back(std::move(slot));
    }
    out_.steps.push_back(std::move(step));
    return true;
  }

  // -- schedules on changes: see docs/decisions/0018

  ChangeMark mark_of(const std::string& dependency) {
    if (dependency.compare(0, kSchedulePrefix.size(), kSchedulePrefix) != 0) {
      wake_at(now_ + kFactsLookMicros);
      return q_.facts->change(dependency);
    }
    const auto other = q_.others->find(dependency.substr(kSchedulePrefix.size()));
    CHECK(other != q_.others->end());
    const std::int64_t successes = other->second.record.successes;  // of any slot, so that a backfill is seen, too
    return {successes == 0 ? "" : std::to_string(successes), ""};
  }

  // One slot for all that has changed since the last. What it covers is saved with it, so it is never lost and never twice.
  bool enter_change() {
    std::vector<state::SeeChange> changed;
    for (const std::string& dependency : policy_.after) {
      ChangeMark now = mark_of(dependency);
      if (!now.unknown.empty() && out_.unknown.empty()) out_.unknown = now.unknown;
      if (!now.unknown.empty() || now.mark.empty()) continue;
      const auto before = view_.seen.find(dependency);
      if (before == view_.seen.end() || before->second != now.mark)
        changed.push_back({entry_.name, dependency, std::move(now.mark)});
    }
    if (changed.empty() || is_busy()) return false;  // the end of a run is a reason to look again
    const std::int64_t decided = view_.record.decided_micros;
    const std::int64_t wait = decided + policy_.at_most_micros - now_;
    // A longer wait than that: the clock was put back since.
    if (!view_.seen.empty() && wait > 0 && wait <= policy_.at_most_micros) {
      wake_at(now_ + wait);
      return false;
    }
    SlotRecord slot;
    slot.key = {entry_.name, std::max(now_, decided + 1), false};
    slot.trigger = kChange;
    slot.entered_micros = slot.next_attempt_micros = now_;
    const std::int64_t instant = slot.key.slot_micros;
    out_.steps.push_back(state::EnterSlots{entry_.name, decided, instant, {std::move(slot)}});
    for (state::SeeChange& change : changed) out_.steps.push_back(std::move(change));
    return true;
  }

  // `from_newest`: 1 for the newest slot of all that are entered.
  bool runs(std::int64_t slot, std::size_t from_newest, std::size_t due_max) const {
    const bool is_on_time = now_ - slot <= kOnTimeMicros;
    if (policy_.missed == Missed::kAll) return from_newest <= due_max;
    if (policy_.concurrency == Concurrency::kAllow && is_on_time) return true;
    return from_newest == 1 && (is_on_time || policy_.missed == Missed::kLast);
  }

  // A slot takes the place of those that wait before it, once nothing keeps it waiting itself. Until then the oldest of them
  // stays: its data is complete first, and slots that follow each other faster than their data would never run otherwise.
  // Under kAllow and kAll each waits for its own; and one that was cut off may have done its work: it goes on, so that this
  // is found out.
  void supersede() {
    if (policy_.concurrency == Concurrency::kAllow || policy_.missed == Missed::kAll) return;
    const auto gives_way = [&](const SlotRecord& slot) { return is_regular(slot) && !slot.is_resumed; };
    const auto earlier = [](const SlotRecord& a, const SlotRecord& b) { return a.key.slot_micros < b.key.slot_micros; };
    std::sort(due_.begin(), due_.end(), earlier);
    const auto newest =
        std::find_if(due_.rbegin(), due_.rend(), [&](const SlotRecord& slot) { return is_regular(slot); });
    const auto oldest = std::find_if(due_.begin(), due_.end(), gives_way);
    if (newest == due_.rend() || oldest == due_.end()) return;
    const std::int64_t by = newest->key.slot_micros;
    const std::int64_t kept = readiness(*newest).is_ready ? by : oldest->key.slot_micros;
    const auto is_old = [&](const SlotRecord& slot) {
      return gives_way(slot) && slot.key.slot_micros < by && slot.key.slot_micros != kept;
    };
    for (const SlotRecord& slot : due_)
      if (is_old(slot))
        out_.steps.push_back(state::DropSlot{slot.key, has_begun(slot) ? SlotState::kSkipped : SlotState::kMissed, now_,
                                             "the slot of " + time_text(by) + " took its place" +
                                                 (slot.message.empty() ? "" : "; before: " + slot.message)});
    due_.erase(std::remove_if(due_.begin(), due_.end(), is_old), due_.end());
  }

  void drop_what_is_too_late() {
    if (policy_.start_micros_max == 0) return;
    std::vector<SlotRecord> kept;
    for (const SlotRecord& slot : due_) {
      const bool is_bound = is_regular(slot) && !has_begun(slot);
      if (is_bound && now_ - slot.key.slot_micros > policy_.start_micros_max) {
        const std::string reason = readiness(slot).reason;
        out_.steps.push_back(state::DropSlot{slot.key, SlotState::kSkipped, now_,
                                             "it could not start in its time" + (reason.empty() ? "" : ": " + reason)});
        continue;
      }
      if (is_bound) wake_at(slot.key.slot_micros + policy_.start_micros_max + 1);
      kept.push_back(slot);
    }
    due_ = std::move(kept);
  }

  Readiness readiness(const SlotRecord& slot) {
    if (slot.key.is_manual || slot.trigger == kChange) return {};  // a change was complete when it was seen
    for (const std::string& dependency : policy_.after) {
      Readiness answer;
      if (dependency.compare(0, kSchedulePrefix.size(), kSchedulePrefix) == 0) {
        answer = succeeded(dependency.substr(kSchedulePrefix.size()), slot.key.slot_micros);
      } else {
        answer = q_.facts->readiness(dependency, slot.key.slot_micros);
        if (!answer.is_ready) wake_at(now_ + kFactsLookMicros);
      }
      if (!answer.is_ready) return answer;
    }
    return {};
  }

  Readiness succeeded(const std::string& name, std::int64_t slot) const {
    const auto other = q_.others->find(name);
    CHECK(other != q_.others->end());
    if (other->second.entry->schedule.is_on_changes()) return has_run(other->second, slot);
    const auto wanted = other->second.entry->schedule.last_until(slot);
    if (wanted && other->second.record.newest_success_micros >= *wanted) return {};
    if (!wanted) return {false, "schedule " + name + " has no slot before " + time_text(slot)};
    return {false, "schedule " + name + " has not succeeded for its slot of " + time_text(*wanted)};
  }

  // Of a schedule on changes: nothing that it has seen up to `slot` is still to be done.
  Readiness has_run(const ScheduleView& other, std::int64_t slot) const {
    const std::string& name = other.entry->name;
    if (other.record.successes == 0) return {false, "schedule " + name + " has not succeeded yet"};
    for (const SlotRecord& active : other.active)
      if (is_regular(active) && active.key.slot_micros <= slot)
        return {false, "schedule " + name + " has not succeeded for its slot of " + time_text(active.key.slot_micros)};
    return {};
  }

  bool is_time_for(const SlotRecord& slot) {
    // Further away than any delay: the clock was put back since.
    const std::int64_t wait = slot.next_attempt_micros - now_;
    if (wait <= 0 || wait > policy_.retries.delay_micros_max) return true;
    wake_at(slot.next_attempt_micros);
    return false;
  }

  void begin_runs() {
    std::stable_sort(due_.begin(), due_.end(), [](const SlotRecord& a, const SlotRecord& b) {
      return std::pair(rank(a), a.key.slot_micros) < std::pair(rank(b), b.key.slot_micros);
    });
    if (policy_.concurrency == Concurrency::kReplace) replace_older();
    const int runs_max = policy_.concurrency == Concurrency::kAllow ? policy_.parallel_max : 1;
    int room = runs_max - static_cast<int>(running_.size());
    int free = q_.runs_free;
    bool regular_waits = false;  // one slot after the other, unless they may run at the same time
    for (const SlotRecord& slot : due_) {
      if (view_.record.is_paused && !slot.key.is_manual) {
        wait_because("the schedule is paused");
        continue;
      }
      if (is_regular(slot) && regular_waits) continue;
      const bool is_time = is_time_for(slot);
      const Readiness ready = is_time ? readiness(slot) : Readiness{false, slot.message};
      if (!ready.is_ready) {
        wait_because(ready.reason);
        if (policy_.concurrency != Concurrency::kAllow && is_regular(slot)) regular_waits = true;
        continue;
      }
      if (room <= 0) return wait_because("another run of the schedule is on");
      if (free <= 0) {
        out_.waits_for_room = true;
        return wait_because("too many other runs are on");
      }
      out_.steps.push_back(state::BeginRun{slot.key, q_.owner, now_});
      --room;
      --free;
      if (policy_.run_micros_max > 0) wake_at(now_ + policy_.run_micros_max);
    }
  }

  void wait_because(const std::string& reason) {
    if (out_.waiting.empty()) out_.waiting = reason;
  }

  // The newest slot in its time stops an older run, once it could start itself.
  void replace_older() {
    const SlotRecord* newest = nullptr;
    for (const SlotRecord& slot : due_)
      if (is_regular(slot)) newest = &slot;
    if (newest == nullptr || view_.record.is_paused || !readiness(*newest).is_ready) return;
    for (const LiveRun& run : q_.live) {
      const auto row =
          std::find_if(running_.begin(), running_.end(), [&](const SlotRecord& r) { return r.key == run.key; });
      if (row == running_.end() || !is_regular(*row) || run.is_stopping ||
          !(run.key.slot_micros < newest->key.slot_micros))
        continue;
      out_.stops.push_back({run.key, StopReason::kReplaced});
    }
  }

  const Question& q_;
  const ScheduleView& view_;
  const Entry& entry_;
  const Policy& policy_;
  const std::int64_t now_;
  std::vector<SlotRecord> due_, running_;
  Decision out_;
};

}  // namespace

Decision decide(const Question& question) { return Decider(question).decide(); }

}  // namespace flytt::scheduler
