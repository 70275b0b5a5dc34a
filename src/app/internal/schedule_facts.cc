#include "app/internal/schedule_facts.h"

#include <algorithm>

#include "data/civil.h"

namespace flytt::app {

namespace {

using pipeline::Condition;
using scheduler::ChangeMark;
using scheduler::Readiness;

constexpr std::string_view kStream = "stream:";
constexpr std::string_view kTable = "table:";
constexpr std::chrono::seconds kForgotten{
    60};                                 // a table that nobody has waited for so long is not asked about any more
constexpr std::size_t kLogEndsMax = 16;  // those that a stream has still to reach

std::string time_text(std::int64_t micros) {
  return data::format_datetime(micros / 1'000'000 * 1'000'000, ' ') + " UTC";
}

std::int64_t micros_of(base::Duration span) {
  return std::chrono::duration_cast<std::chrono::microseconds>(span).count();
}

// Or is about to be.
bool is_copied(const pipeline::TableStatus& table) {
  return table.record.phase == state::TablePhase::kPlanned || table.record.phase == state::TablePhase::kReplacing ||
         table.record.phase == state::TablePhase::kCopying;
}

bool is_copying(const pipeline::PipelineStatus& stream) {
  return std::any_of(stream.tables.begin(), stream.tables.end(), is_copied);
}

std::string mark_of(const std::string& newest_change, std::int64_t copies) {
  return (newest_change.empty() ? "no change" : "change " + newest_change) + ", " + std::to_string(copies) + " copies";
}

bool all_tables_follow(const pipeline::PipelineStatus& stream) {
  return stream.copy_stage.empty() &&
         std::all_of(stream.tables.begin(), stream.tables.end(), [](const pipeline::TableStatus& table) {
           return table.record.phase == state::TablePhase::kStreaming ||
                  table.record.phase == state::TablePhase::kAbsent ||
                  table.record.phase == state::TablePhase::kDetached;
         });
}

// Nothing that was received is on its way.
bool is_drained(const pipeline::PipelineStatus& stream) {
  return stream.oldest_unsaved_ms == 0 && stream.channel_bytes == 0 &&
         std::all_of(stream.lanes.begin(), stream.lanes.end(), [](const pipeline::LaneStatus& lane) {
           return lane.is_held_back || (!lane.is_waiting && lane.saved >= lane.end);
         });
}

}  // namespace

Readiness ScheduleFacts::readiness(std::string_view dependency, std::int64_t slot_micros) {
  if (dependency.starts_with(kStream)) return stream(std::string(dependency.substr(kStream.size())), slot_micros);
  if (dependency.starts_with(kTable)) return table(std::string(dependency.substr(kTable.size())), slot_micros);
  return {false, "nobody knows what " + std::string(dependency) + " is"};
}

ChangeMark ScheduleFacts::change(std::string_view dependency) {
  const bool is_stream = dependency.starts_with(kStream);
  const std::string name(dependency.substr(is_stream ? kStream.size() : kTable.size()));
  bool is_any_starting = false;
  for (const pipeline::PipelineStatus& stream : parts_.streams()) {
    is_any_starting |= stream.condition == Condition::kStarting;
    if (is_stream && stream.stream == name) return change_of(stream, nullptr);
    if (is_stream) continue;
    for (const pipeline::TableStatus& table : stream.tables)
      if (table.record.dataset + "." + table.record.table == name) return change_of(stream, &table);
  }
  if (is_stream) return {"", "stream " + name + " does not run in this process"};
  return {"", is_any_starting ? "streams are starting" : ""};  // nobody has made the table yet
}

Result<std::optional<std::string>> ScheduleFacts::places(const std::string& stream) {
  std::lock_guard lock(mutex_);
  const base::SteadyTime now = parts_.clock.steady();
  auto known = places_.find(stream);
  if (known == places_.end() || now - known->second.asked_at >= kLogLook)
    known = places_.insert_or_assign(stream, Places{now, parts_.places(stream)}).first;
  return known->second.answer;
}

ChangeMark ScheduleFacts::change_of(const pipeline::PipelineStatus& stream, const pipeline::TableStatus* table) {
  if (stream.condition == Condition::kStarting) return {"", "stream " + stream.stream + " is starting"};
  const auto saved = places(stream.stream);
  if (!saved) return {"", saved.error().text()};
  if (*saved) return {**saved, ""};
  if (table != nullptr) {
    if (is_copied(*table)) return {"", "table " + table->record.source_table + " is copied"};
    return {mark_of(table->newest_change, table->record.generation), ""};
  }
  if (is_copying(stream)) return {"", "tables of stream " + stream.stream + " are copied"};
  std::int64_t copies = 0, tables = 0;
  data::Sequence newest;
  for (const pipeline::TableStatus& one : stream.tables) {
    copies += one.record.generation;
    tables += one.record.phase == state::TablePhase::kStreaming ? 1 : 0;
    newest = std::max(newest, pipeline::parse_sequence(one.newest_change));
  }
  const std::string mark = mark_of(newest == data::Sequence{} ? "" : newest.sections(), copies);
  if (tables == 0 && newest == data::Sequence{}) return {};
  return {mark + " of " + std::to_string(tables) + " tables", ""};
}

Readiness ScheduleFacts::stream(const std::string& name, std::int64_t slot_micros) {
  for (const pipeline::PipelineStatus& stream : parts_.streams()) {
    if (stream.stream != name) continue;
    const std::string until = "stream " + name + " is not complete up to " + time_text(slot_micros);
    if (is_copying(stream)) return {false, until + ": tables are copied"};
    if (stream.newest_commit_micros >= slot_micros) return {};
    // One that ended well has all that was there when it began; see `run --once`.
    if (stream.condition == Condition::kStopped && stream.error.empty()) return {};
    std::string problem = stream.error;
    if (!stream.slot.empty()) {
      if (has_all_of_log(stream, slot_micros, problem)) return {};
    } else if (stream.condition == Condition::kRunning && all_tables_follow(stream) && is_drained(stream) &&
               parts_.clock.wall_micros() - slot_micros >= micros_of(kQuiet)) {
      return {};
    }
    return {false, until + (problem.empty() ? "" : ": " + problem)};
  }
  return {false, "stream " + name + " does not run in this process"};
}

// Silence says nothing of a database: its server may be busy with changes of others, and send a commit from before the slot long after.
bool ScheduleFacts::has_all_of_log(const pipeline::PipelineStatus& stream, std::int64_t slot_micros,
                                   std::string& problem) {
  std::lock_guard lock(mutex_);
  Log& log = logs_[stream.stream];
  if (stream.condition != Condition::kRunning || !all_tables_follow(stream)) return false;
  if (log.running_since_micros != stream.since_micros) log.ahead.clear();
  log.running_since_micros = stream.since_micros;
  while (!log.ahead.empty() && stream.saved_number >= log.ahead.front().place) {
    log.complete_micros = std::max(log.complete_micros, log.ahead.front().asked_micros);
    log.ahead.pop_front();
  }
  const std::int64_t now = parts_.clock.wall_micros();
  if (std::max(log.complete_micros, log.ahead.empty() ? INT64_MIN : log.ahead.back().asked_micros) > now) {
    log.ahead.clear();  // the clock was put back since: those times are of changes that are still to come
    log.complete_micros = INT64_MIN;
  }
  if (log.complete_micros >= slot_micros) return true;
  const bool is_asked = !log.ahead.empty() && log.ahead.back().asked_micros >= slot_micros;
  if (!is_asked && log.ahead.size() < kLogEndsMax && now >= slot_micros) {
    log.is_wanted = true;
    ask();
  }
  if (problem.empty()) problem = log.problem;
  return false;
}

bool ScheduleFacts::is_complete_by_stream(const std::string& table, std::int64_t slot_micros) {
  for (const pipeline::PipelineStatus& stream : parts_.streams())
    for (const pipeline::TableStatus& entry : stream.tables)
      if (entry.record.dataset + "." + entry.record.table == table)
        return entry.record.phase == state::TablePhase::kStreaming && this->stream(stream.stream, slot_micros).is_ready;
  return false;
}

Readiness ScheduleFacts::table(const std::string& name, std::int64_t slot_micros) {
  if (is_complete_by_stream(name, slot_micros)) return {};
  std::lock_guard lock(mutex_);
  Table& entry = tables_[name];
  entry.wanted_at = parts_.clock.steady();
  ask();
  if (entry.changed_micros && *entry.changed_micros >= slot_micros) return {};
  const std::string until = "table " + name + " was not changed since " + time_text(slot_micros);
  if (!entry.was_asked) return {false, "the destination is asked about table " + name};
  return {false, until + (entry.problem.empty() ? "" : ": " + entry.problem)};
}

void ScheduleFacts::ask() {
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& token) { look(token); });
  wanted_.notify_all();
}

std::optional<std::string> ScheduleFacts::next_log() const {
  const base::SteadyTime now = parts_.clock.steady();
  for (const auto& [stream, log] : logs_)
    if (log.is_wanted && (!log.asked_at || now - *log.asked_at >= kLogLook)) return stream;
  return std::nullopt;
}

std::optional<std::string> ScheduleFacts::next_table() {
  const base::SteadyTime now = parts_.clock.steady();
  std::erase_if(tables_, [&](const auto& item) { return now - item.second.wanted_at > kForgotten; });
  for (const auto& [name, table] : tables_)
    if (!table.was_asked || now - table.asked_at >= kTableLook) return name;
  return std::nullopt;
}

void ScheduleFacts::look(const std::stop_token& token) {
  std::unique_lock lock(mutex_);
  while (!token.stop_requested()) {
    if (const auto stream = next_log())
      ask_log(*stream, lock);
    else if (const auto name = next_table())
      ask_table(*name, lock);
    else
      wanted_.wait_for(lock, token, kLogLook, [&] { return next_log() || next_table(); });
  }
}

void ScheduleFacts::ask_log(const std::string& stream, std::unique_lock<std::mutex>& lock) {
  Log& log = logs_.at(stream);
  log.is_wanted = false;
  log.asked_at = parts_.clock.steady();
  lock.unlock();
  const std::int64_t asked_micros = parts_.clock.wall_micros();
  const auto place = parts_.log_end(stream);
  lock.lock();
  log.problem = place ? "" : place.error().text();
  if (place) log.ahead.push_back({asked_micros, *place});
}

void ScheduleFacts::ask_table(const std::string& name, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const auto dot = name.find('.');
  const auto changed = parts_.changed({parts_.project, name.substr(0, dot), name.substr(dot + 1)});
  lock.lock();
  const auto entry = tables_.find(name);
  if (entry == tables_.end()) return;
  entry->second.was_asked = true;
  entry->second.asked_at = parts_.clock.steady();
  entry->second.problem = !changed ? changed.error().text() : !*changed ? "there is no such table" : "";
  if (changed) entry->second.changed_micros = *changed;
}

}  // namespace flytt::app
