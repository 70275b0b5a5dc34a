#include "app/internal/run_folders.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <tuple>

#include "commands/run.h"
#include "scheduler/dispatcher.h"

namespace flytt::app {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kJobPrefix = "job:";

// The run ids of a slot, without the number of the attempt.
std::string prefix_of(const state::SlotKey& slot) {
  std::string id = scheduler::run_id(slot, 1);
  id.pop_back();
  return id;
}

std::optional<int> whole_number(std::string_view text) {
  int number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "2" or "2.7" behind the prefix.
std::optional<KeptRun> parse_rest(std::string_view rest) {
  const auto dot = rest.find('.');
  const auto attempt = whole_number(rest.substr(0, dot));
  const auto completion = dot == rest.npos ? std::optional(0) : whole_number(rest.substr(dot + 1));
  if (!attempt || !completion) return std::nullopt;
  return KeptRun{*attempt, *completion, {}};
}

}  // namespace

std::string RunFolders::name(const std::string& run_id, int completion) const {
  return has_completions_ ? run_id + "." + std::to_string(completion) : run_id;
}

Status RunFolders::prepare() const {
  std::error_code error;
  for (const fs::path& path : {fs::path(folder_).parent_path(), fs::path(folder_)}) {
    if (fs::create_directory(path, error)) fs::permissions(path, fs::perms::owner_all, error);
    if (error)
      return Error(ErrorCode::kUnavailable,
                   "cannot make the folder " + path.string() + "; 'state: {runs: FOLDER}' names another place for runs")
          .cause(error.message());
  }
  return ok();
}

std::vector<KeptRun> RunFolders::of_slot(const state::SlotKey& slot) const {
  const std::string prefix = prefix_of(slot);
  std::vector<KeptRun> found;
  for (const std::string& name : names()) {
    if (!name.starts_with(prefix)) continue;
    auto run = parse_rest(std::string_view(name).substr(prefix.size()));
    if (!run) continue;
    run->folder = folder_ + "/" + name;
    found.push_back(std::move(*run));
  }
  std::sort(found.begin(), found.end(), [](const KeptRun& a, const KeptRun& b) {
    return std::tie(a.attempt, a.completion) < std::tie(b.attempt, b.completion);
  });
  return found;
}

std::vector<std::string> RunFolders::names() const {
  std::vector<std::string> found;
  std::error_code error;
  fs::directory_iterator at(folder_, error), end;
  for (; !error && at != end; at.increment(error)) found.push_back(at->path().filename().string());
  return found;
}

Status RunFolders::remove_old(const std::vector<std::string>& names,
                              const std::vector<state::SlotRecord>& slots) const {
  std::set<std::string> kept;
  for (const state::SlotRecord& slot : slots) kept.insert(prefix_of(slot.key));
  for (const std::string& name : names) {
    if (kept.count(name.substr(0, name.rfind('-') + 1)) != 0) continue;
    const Status removed = commands::remove(folder_ + "/" + name);
    if (!removed && removed.error().code() != ErrorCode::kConflict) return removed;
  }
  return ok();
}

Status remove_gone_runs(const Config& config, state::Store& store, std::int64_t now_micros) {
  state::ScheduleLedger ledger(store);
  TRY(const auto schedules, ledger.schedules());
  for (const state::ScheduleRecord& schedule : schedules) {
    if (!schedule.name.starts_with(kJobPrefix)) continue;
    const std::string job = schedule.name.substr(kJobPrefix.size());
    if (config.find_job(job) != nullptr) continue;
    const RunFolders folders(config.runs_folder(), job, false);
    const std::vector<std::string> names = folders.names();
    if (names.empty()) continue;
    TRY(auto slots, ledger.history(schedule.name, kSlotsMax));
    std::erase_if(slots, [&](const state::SlotRecord& slot) {
      return std::max(slot.started_micros, slot.finished_micros) < now_micros - kGoneRunsMicros;
    });
    TRY_STATUS(folders.remove_old(names, slots));
    std::error_code not_empty;
    fs::remove(fs::path(config.runs_folder()) / job, not_empty);
  }
  return ok();
}

}  // namespace flytt::app
