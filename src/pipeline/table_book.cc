#include "pipeline/table_book.h"

#include <algorithm>

#include "base/log.h"
#include "pipeline/limits.h"

namespace flytt::pipeline {

using state::TablePhase;
using state::TableRecord;

namespace {

std::string labels(std::string_view stream, std::string_view source_table) {
  return "stream=" + base::json_quote(stream) + ",table=" + base::json_quote(source_table);
}

Error unknown_table(std::string_view source_table) {
  return Error(ErrorCode::kBug, "table " + std::string(source_table) + " is not known to its pipeline");
}

}  // namespace

data::Sequence parse_sequence(std::string_view text) {
  return data::Sequence::parse_sections(text).value_or(data::Sequence{});
}

TableBook::TableBook(std::string stream, state::Store& store, const base::Clock& clock, base::Metrics& metrics)
    : stream_(std::move(stream)), store_(store), clock_(clock), metrics_(metrics) {}

TableBook::Entry* TableBook::entry(std::string_view source_table) {
  const auto found = entries_.find(source_table);
  return found == entries_.end() ? nullptr : &found->second;
}

const TableBook::Entry* TableBook::entry(std::string_view source_table) const {
  const auto found = entries_.find(source_table);
  return found == entries_.end() ? nullptr : &found->second;
}

void TableBook::stamp(TableRecord& record) const {
  const Entry* known = entry(record.source_table);
  record.stream = stream_;
  if (known == nullptr || known->record.phase != record.phase) record.since_micros = clock_.wall_micros();
}

void TableBook::keep(TableRecord record) {
  Entry& kept = entries_[record.source_table];
  kept.valid_after = parse_sequence(record.valid_after);
  if (record.phase != TablePhase::kCopying) kept.trouble.clear();
  metrics_.gauge("flytt_table_detached", labels(stream_, record.source_table)) =
      record.phase == TablePhase::kDetached ? 1 : 0;
  kept.record = std::move(record);
}

Status TableBook::load() {
  std::lock_guard lock(mutex_);
  TRY(std::vector<TableRecord> records, store_.tables(stream_));
  TRY(const auto changes, store_.table_changes(stream_));
  for (TableRecord& record : records) keep(std::move(record));
  for (auto& [name, known] : entries_)
    if (const auto newest = changes.find(name); newest != changes.end()) known.newest_change = newest->second;
  return ok();
}

std::optional<TableRecord> TableBook::find(std::string_view source_table) const {
  std::lock_guard lock(mutex_);
  const Entry* known = entry(source_table);
  return known == nullptr ? std::nullopt : std::optional(known->record);
}

std::vector<TableRecord> TableBook::records() const {
  std::lock_guard lock(mutex_);
  std::vector<TableRecord> all;
  for (const auto& [name, known] : entries_) all.push_back(known.record);
  return all;
}

CopyProgress TableBook::progress(const Entry& known) const {
  CopyProgress made;
  made.rows_done = known.rows_copied;
  made.rows_estimated = std::max(known.record.rows_estimated, known.rows_copied);
  made.ranges_done = known.ranges_done;
  made.ranges = known.ranges;
  made.trouble = known.trouble;
  const double elapsed = std::chrono::duration<double>(clock_.steady() - known.copy_started).count();
  const auto rows = static_cast<double>(known.rows_copied - known.rows_at_start);
  if (known.ranges == 0 || elapsed <= 0 || rows <= 0) return made;
  made.rows_per_second = rows / elapsed;
  made.seconds_left =
      static_cast<std::int64_t>(static_cast<double>(made.rows_estimated - made.rows_done) / made.rows_per_second);
  return made;
}

std::vector<TableStatus> TableBook::status() const {
  std::lock_guard lock(mutex_);
  std::vector<TableStatus> all;
  for (const auto& [name, known] : entries_) {
    TableStatus one{known.record, known.rows_streamed, std::nullopt, known.newest_change};
    if (known.record.phase == TablePhase::kCopying) one.copy = progress(known);
    all.push_back(std::move(one));
  }
  return all;
}

Status TableBook::save(TableRecord record) {
  std::lock_guard lock(mutex_);
  stamp(record);
  TRY_STATUS(store_.save_table(record));
  keep(std::move(record));
  return ok();
}

Status TableBook::save_all(const state::Checkpoint& checkpoint, std::vector<TableRecord> records) {
  std::lock_guard lock(mutex_);
  for (TableRecord& record : records) stamp(record);
  TRY_STATUS(store_.save(checkpoint, records));
  for (TableRecord& record : records) keep(std::move(record));
  return ok();
}

Status TableBook::settle_resync(const state::ResyncRequest& request, std::vector<TableRecord> records) {
  std::lock_guard lock(mutex_);
  for (TableRecord& record : records) stamp(record);
  TRY_STATUS(store_.settle_resync(request, records));
  for (TableRecord& record : records) keep(std::move(record));
  return ok();
}

TableBook::Verdict TableBook::verdict(std::string_view source_table) const {
  std::lock_guard lock(mutex_);
  const Entry* known = entry(source_table);
  if (known == nullptr) return {};
  const TablePhase phase = known->record.phase;
  return {true, phase == TablePhase::kCopying || phase == TablePhase::kStreaming, known->valid_after,
          known->record.generation};
}

void TableBook::count_streamed(std::string_view source_table, std::int64_t rows) {
  std::lock_guard lock(mutex_);
  if (Entry* known = entry(source_table)) known->rows_streamed += rows;
}

// Nobody waits for the disk meanwhile: only the writer calls it.
Status TableBook::save_position(std::string_view position, const TableChanges& changes) {
  state::Store::TableChanges saved;
  for (const auto& [source_table, newest] : changes) saved.emplace(source_table, newest.sections());
  TRY_STATUS(store_.save_position(stream_, position, clock_.wall_micros(), saved));
  std::lock_guard lock(mutex_);
  for (auto& [source_table, newest] : saved)
    if (Entry* known = entry(source_table)) known->newest_change = std::move(newest);
  return ok();
}

void TableBook::saw(data::Sequence sequence) {
  std::lock_guard lock(mutex_);
  if (seen_ < sequence) seen_ = sequence;
}

data::Sequence TableBook::seen() const {
  std::lock_guard lock(mutex_);
  return seen_;
}

Status TableBook::detach(std::string_view source_table, data::Sequence at, std::string reason,
                         std::optional<std::int64_t> generation) {
  std::lock_guard lock(mutex_);
  Entry* known = entry(source_table);
  if (known == nullptr) return unknown_table(source_table);
  TableRecord record = known->record;
  if (generation && *generation != record.generation) return ok();
  const bool is_news = record.phase == TablePhase::kCopying || record.phase == TablePhase::kStreaming;
  if (!is_news && record.phase != TablePhase::kDetached) return ok();
  const bool is_later = parse_sequence(record.detached_at) < at;
  if (!is_news && !is_later) return ok();
  if (is_later) record.detached_at = at.sections();
  if (is_news) {
    record.phase = TablePhase::kDetached;
    record.reason = std::move(reason);
    stamp(record);
  }
  TRY_STATUS(store_.save_table(record));
  if (is_news)
    base::log_error("table detached", {{"stream", stream_}, {"table", record.source_table}, {"reason", record.reason}});
  keep(std::move(record));
  return ok();
}

std::optional<data::TableSchema> TableBook::shape(std::string_view source_table) const {
  std::lock_guard lock(mutex_);
  const Entry* known = entry(source_table);
  return known == nullptr ? std::nullopt : known->shape;
}

bool TableBook::has_shape(std::string_view source_table) const {
  std::lock_guard lock(mutex_);
  const Entry* known = entry(source_table);
  return known != nullptr && known->shape.has_value();
}

void TableBook::forget_shape(std::string_view source_table) {
  std::lock_guard lock(mutex_);
  if (Entry* known = entry(source_table)) known->shape.reset();
}

void TableBook::set_shape(std::string_view source_table, data::TableSchema shape) {
  std::lock_guard lock(mutex_);
  if (Entry* known = entry(source_table)) {
    known->shape = std::move(shape);
    known->attempts = 0;
  }
}

bool TableBook::spend_attempt(std::string_view source_table) {
  std::lock_guard lock(mutex_);
  Entry* known = entry(source_table);
  return known == nullptr || ++known->attempts >= kTableAttemptsMax;
}

bool TableBook::is_current(std::string_view source_table, std::int64_t generation) const {
  std::lock_guard lock(mutex_);
  const Entry* known = entry(source_table);
  return known != nullptr && known->record.phase == TablePhase::kCopying && known->record.generation == generation;
}

Status TableBook::begin_copy(const TableRecord& record, const std::vector<state::CopyRange>& ranges) {
  std::lock_guard lock(mutex_);
  TRY_STATUS(store_.save_copy(record, ranges));
  keep(record);
  Entry& known = *entry(record.source_table);
  known.ranges = static_cast<std::uint32_t>(ranges.size());
  known.ranges_done = 0;
  known.rows_copied = 0;
  for (const state::CopyRange& range : ranges) {
    if (!range.done) continue;
    ++known.ranges_done;
    known.rows_copied += range.rows;
  }
  known.rows_at_start = known.rows_copied;
  known.copy_started = clock_.steady();
  return ok();
}

bool TableBook::claim_range(std::string_view source_table, std::int64_t generation) {
  std::lock_guard lock(mutex_);
  Entry* known = entry(source_table);
  if (known == nullptr || known->record.phase != TablePhase::kCopying || known->record.generation != generation)
    return false;
  ++known->claims;
  return true;
}

void TableBook::release_range(std::string_view source_table) {
  std::lock_guard lock(mutex_);
  Entry* known = entry(source_table);
  CHECK(known != nullptr && known->claims > 0);
  --known->claims;
}

bool TableBook::is_claimed(std::string_view source_table) const {
  std::lock_guard lock(mutex_);
  const Entry* known = entry(source_table);
  return known != nullptr && known->claims > 0;
}

void TableBook::count_copied(std::string_view source_table, std::int64_t rows) {
  std::lock_guard lock(mutex_);
  if (Entry* known = entry(source_table)) known->rows_copied += rows;
}

Status TableBook::finish_range(std::string_view source_table, std::int64_t generation, std::uint32_t index,
                               std::int64_t rows) {
  std::lock_guard lock(mutex_);
  Entry* known = entry(source_table);
  if (known == nullptr) return unknown_table(source_table);
  TRY_STATUS(store_.finish_range(stream_, source_table, generation, index, rows));
  ++known->ranges_done;
  known->attempts = 0;
  known->trouble.clear();
  return ok();
}

Status TableBook::finish_copy(std::string_view source_table, std::int64_t generation) {
  std::lock_guard lock(mutex_);
  Entry* known = entry(source_table);
  if (known == nullptr) return unknown_table(source_table);
  if (known->record.phase != TablePhase::kCopying || known->record.generation != generation) return ok();
  TableRecord record = known->record;
  record.phase = TablePhase::kStreaming;
  record.copy_plan.clear();
  stamp(record);
  TRY_STATUS(store_.save_table(record));
  base::log_info("table copied", {{"stream", stream_}, {"table", record.source_table}, {"rows", known->rows_copied}});
  keep(std::move(record));
  return ok();
}

void TableBook::set_copy_trouble(std::string_view source_table, std::string trouble) {
  std::lock_guard lock(mutex_);
  if (Entry* known = entry(source_table)) known->trouble = std::move(trouble);
}

}  // namespace flytt::pipeline
