// flytt job logs: what became of slots, and the output of commands. The output is read from the folders of the runs, so it is the
// same beside a running flytt and without one.

#include <algorithm>
#include <cstdio>
#include <map>

#include "app/commands.h"
#include "app/internal/job_view.h"
#include "app/internal/run_folders.h"
#include "app/internal/session.h"
#include "app/internal/signals.h"
#include "app/internal/source_state.h"
#include "app/output.h"
#include "base/log.h"
#include "commands/run.h"

namespace flytt::app {

namespace {

using state::SlotRecord;
using state::SlotState;

constexpr std::size_t kTailBytes = 8 << 10;        // of the newest run, below the table
constexpr std::size_t kOutputBytesMax = 64 << 20;  // of one slot that is asked for
constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kSlotsLook = 100'000;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::chrono::milliseconds kLook{200};

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// A schedule whose runs are looked at.
struct Desk {
  Session& session;
  const JobOptions& options;
  const scheduler::Entry& entry;
  const JobConfig* job;  // null for a query, which has no output
  std::unique_ptr<state::Store> store;

  state::ScheduleLedger ledger() const { return state::ScheduleLedger(*store); }
  RunFolders folders() const { return RunFolders(session.config.runs_folder(), *job); }
};

// Those of one second, as people are shown them ("2026-01-15 05:15:00 CET"), or as `backfill` takes times.
Result<std::vector<SlotRecord>> chosen_slots(const Desk& desk) {
  if (!desk.store) return std::vector<SlotRecord>();
  if (desk.options.slot.empty())
    return desk.ledger().history(desk.entry.name, static_cast<std::size_t>(desk.options.limit));
  const data::TimeZone& zone = desk.entry.schedule.time_zone();
  TRY(std::vector<SlotRecord> slots, desk.ledger().history(desk.entry.name, kSlotsLook));
  const auto as_shown = std::find_if(slots.begin(), slots.end(), [&](const SlotRecord& slot) {
    return local_time_text(zone, slot.key.slot_micros) == desk.options.slot;
  });
  std::int64_t wanted = 0;
  if (as_shown != slots.end()) {
    wanted = as_shown->key.slot_micros;
  } else {
    TRY(wanted, parse_instant("--slot", desk.options.slot, zone));
  }
  std::erase_if(slots, [&](const SlotRecord& slot) {
    return slot.key.slot_micros / kMicrosPerSecond != wanted / kMicrosPerSecond;
  });
  if (!slots.empty()) return slots;
  return Error(ErrorCode::kNotFound, desk.entry.name + " has no record of a slot at " + desk.options.slot +
                                         "; `flytt job logs " + desk.options.name + "` shows those that it has");
}

// "attempt 2, completion 0"
std::string words(const Desk& desk, const KeptRun& run) {
  return "attempt " + std::to_string(run.attempt) +
         (desk.job->completions > 1 ? ", completion " + std::to_string(run.completion) : std::string());
}

// Of the newest attempt of the newest slot of `slots` that has run; empty when nothing is kept.
std::vector<KeptRun> newest_runs(const Desk& desk, const std::vector<SlotRecord>& slots) {
  if (desk.job == nullptr) return {};
  for (const SlotRecord& slot : slots) {
    std::vector<KeptRun> runs = desk.folders().of_slot(slot.key);
    if (runs.empty()) continue;
    const int newest = runs.back().attempt;
    std::erase_if(runs, [&](const KeptRun& run) { return run.attempt != newest; });
    return runs;
  }
  return {};
}

Result<std::string> output_text(const Desk& desk, const std::vector<KeptRun>& runs, std::size_t bytes_max) {
  std::string text;
  for (const KeptRun& run : runs) {
    TRY(const std::string output, commands::read_output(run.folder, bytes_max));
    if (runs.size() > 1) text += "[" + words(desk, run) + "]\n";
    text += output;
    if (!output.empty() && output.back() != '\n') text += '\n';
  }
  return text;
}

std::string table_text(const Desk& desk, const std::vector<SlotRecord>& slots) {
  const data::TimeZone& zone = desk.entry.schedule.time_zone();
  TextTable table({"slot", "trigger", "state", "attempt", "started", "took", "message"},
                  {false, false, false, true, false, true, false});
  for (const SlotRecord& slot : slots) {
    const bool has_begun = slot.attempt > 0 && slot.started_micros > 0;
    const bool has_ended = has_begun && slot.finished_micros >= slot.started_micros;
    table.add({local_time_text(zone, slot.key.slot_micros), slot.trigger, std::string(state::to_string(slot.state)),
               slot.attempt == 0 ? "" : std::to_string(slot.attempt),
               has_begun ? local_time_text(zone, slot.started_micros) : "",
               has_ended ? human_duration((slot.finished_micros - slot.started_micros) / 1000) : "", slot.message});
  }
  return table.size() == 0 ? desk.entry.name + " has not run yet.\n" : table.text();
}

Result<int> show(const Desk& desk, bool as_json) {
  TRY(const std::vector<SlotRecord> slots, chosen_slots(desk));
  const std::vector<KeptRun> runs = newest_runs(desk, slots);
  const bool is_one_slot = !desk.options.slot.empty();
  TRY(const std::string output, output_text(desk, runs, is_one_slot ? kOutputBytesMax : kTailBytes));
  if (!as_json) {
    print(table_text(desk, slots));
    if (!runs.empty())
      print("\nOutput of attempt " + std::to_string(runs.back().attempt) +
            (is_one_slot ? ":\n" : " of the newest run, its end:\n") + output);
    return kExitDone;
  }
  std::string json;
  for (const SlotRecord& slot : slots) json += (json.empty() ? "" : ",\n") + slot_json(desk.entry, slot);
  print("{\"name\":" + base::json_quote(desk.entry.name) + ",\"runs\":[" + json +
        "],\"output\":" + (runs.empty() ? "null" : base::json_quote(output)) + "}\n");
  return kExitDone;
}

// Prints what comes; each run goes on where it was left.
class Follower {
 public:
  explicit Follower(const Desk& desk) : desk_(desk) {}

  // All that is there now.
  Status print_news(const state::SlotKey& slot) {
    for (const KeptRun& run : desk_.folders().of_slot(slot)) {
      std::uint64_t& next = next_[run.folder];
      while (true) {
        TRY(const commands::OutputPiece piece, commands::read_output_from(run.folder, next, kPieceBytes));
        if (piece.next == next) break;
        next = piece.next;
        announce(run);
        print(piece.text);
      }
    }
    return ok();
  }

 private:
  // Who speaks, when that is another one.
  void announce(const KeptRun& run) {
    if (speaker_ == run.folder) return;
    if (!speaker_.empty() || run.attempt > 1 || desk_.job->completions > 1)
      std::fprintf(stderr, "[%s]\n", words(desk_, run).c_str());
    speaker_ = run.folder;
  }

  const Desk& desk_;
  std::map<std::string, std::uint64_t> next_;
  std::string speaker_;
};

Result<int> follow(const Desk& desk) {
  if (desk.job == nullptr)
    return Error(ErrorCode::kConfig, desk.entry.name + " is a query and has no output; `flytt job ls` shows its runs");
  TRY(const SignalWatch signals, SignalWatch::start());
  TRY(const std::vector<SlotRecord> slots, chosen_slots(desk));
  const auto begun = std::find_if(slots.begin(), slots.end(), [](const SlotRecord& slot) {
    return slot.attempt > 0 || slot.state == SlotState::kDue;
  });
  if (begun == slots.end()) return Error(ErrorCode::kNotFound, desk.entry.name + " has not run yet");
  const state::SlotKey key = begun->key;
  Follower follower(desk);
  while (true) {
    TRY(const auto slot, desk.ledger().slot(key));
    TRY_STATUS(follower.print_news(key));
    if (!slot) return Error(ErrorCode::kNotFound, "the record of this run was taken away");
    if (slot->state != SlotState::kDue && slot->state != SlotState::kRunning) {
      std::fprintf(stderr, "%s: %s\n", std::string(state::to_string(slot->state)).c_str(), slot->message.c_str());
      return slot->state == SlotState::kSucceeded ? kExitDone : kExitFailed;
    }
    if (signals.wait(desk.session.clock, desk.session.clock.in(kLook)))
      return Error(ErrorCode::kCancelled, desk.entry.name + " is not followed any more; the run itself goes on");
  }
}

Result<int> logs(const CommonOptions& common, const JobOptions& options) {
  TRY(const auto session, open_session(common));
  TRY(const scheduler::Entry* entry, find_job(session->config, options.name));
  TRY(auto store, open_state_to_read(session->config));
  const JobConfig* job = nullptr;
  for (const JobConfig& one : session->config.jobs)
    if (&*one.entry == entry) job = &one;
  const Desk desk{*session, options, *entry, job, std::move(store)};
  return options.follow ? follow(desk) : show(desk, common.json);
}

}  // namespace

int run_job_logs(const CommonOptions& common, const JobOptions& options) {
  base::set_log(base::LogLevel::kError, base::LogFormat::kText);
  const auto done = logs(common, options);
  return done ? *done : report(done.error());
}

}  // namespace flytt::app
