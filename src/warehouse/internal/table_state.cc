#include "warehouse/internal/table_state.h"

#include <algorithm>
#include <utility>

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

std::shared_ptr<const TableVersion> TableState::version() const {
  std::lock_guard lock(mutex_);
  return version_;
}

void TableState::publish(std::shared_ptr<const TableVersion> version) {
  std::lock_guard lock(mutex_);
  version_ = std::move(version);
  ++epoch_;
}

void TableState::mark_dropped() {
  std::lock_guard lock(mutex_);
  dropped_ = true;
  ++epoch_;
}

ReadState TableState::read_state() const {
  std::lock_guard lock(mutex_);
  return ReadState{epoch_,     dropped_,    has_changes_,          log_wins_,     log_rows_,
                   log_bytes_, direct_ing_, direct_committed_ing_, verified_ing_, load_sequence_};
}

void TableState::refresh_locked() {
  bool wins = !segments_.empty() && !version_->wide;
  for (const LogSegment& segment : segments_) {
    if (!(base_newest_ < segment.least)) {
      wins = false;
      break;
    }
  }
  const bool has = !segments_.empty();
  if (wins != log_wins_ || has != has_changes_) ++epoch_;
  log_wins_ = wins;
  has_changes_ = has;
}

void TableState::start_load(data::Sequence sequence) {
  std::lock_guard lock(mutex_);
  load_sequence_ = sequence;
  loading_ = changed_ = true;
  load_to_save_ = true;
  used_ = true;
  direct_keys_.begin();
  ++epoch_;
}

void TableState::end_load() {
  std::lock_guard lock(mutex_);
  if (loading_) load_to_save_ = true;
  loading_ = false;
}

bool TableState::has_load_to_save() const {
  std::lock_guard lock(mutex_);
  return load_to_save_;
}

void TableState::load_saved() {
  std::lock_guard lock(mutex_);
  load_to_save_ = false;
}

std::optional<data::Sequence> TableState::loading() const {
  std::lock_guard lock(mutex_);
  return loading_ ? load_sequence_ : std::nullopt;
}

bool TableState::is_virgin() const {
  std::lock_guard lock(mutex_);
  return !used_;
}

bool TableState::takes_changes() const {
  std::lock_guard lock(mutex_);
  return changed_ || version_->wide || base_newest_.sequence.bits != 0;
}

void TableState::after_rewrite(std::int64_t gone, std::int64_t come, std::int64_t wall_micros) {
  std::lock_guard lock(mutex_);
  base_rows_ += come - gone;
  modified_micros_ = wall_micros;
}

void TableState::before_plain_commit(const Rank& newest) {
  std::lock_guard lock(mutex_);
  used_ = true;
  direct_keys_.give_up();
  if (base_newest_ < newest) base_newest_ = newest;
  if (!segments_.empty()) refresh_locked();
}

void TableState::note_direct_keys(const std::int64_t* keys, std::size_t count) {
  std::lock_guard lock(mutex_);
  keys == nullptr ? direct_keys_.give_up() : direct_keys_.add(keys, count);
}

bool TableState::has_distinct_keys() const {
  std::lock_guard lock(mutex_);
  return direct_keys_.are_distinct();
}

void TableState::before_direct_commit(const Rank& newest) {
  std::lock_guard lock(mutex_);
  used_ = true;
  direct_ing_ = std::max(direct_ing_, newest.ing);
  if (base_newest_ < newest) {
    base_newest_ = newest;
    refresh_locked();
  }
}

void TableState::after_direct_commit(bool kept) {
  std::lock_guard lock(mutex_);
  if (kept)
    direct_committed_ing_ = direct_ing_;
  else
    direct_ing_ = direct_committed_ing_;
}

void TableState::before_log_commit(const LogSegment& segment) {
  std::lock_guard lock(mutex_);
  used_ = changed_ = true;
  segments_.push_back(segment);
  log_rows_ += segment.rows;
  log_bytes_ += segment.bytes;
  const bool wins = !version_->wide && base_newest_ < segment.least && (segments_.size() == 1 || log_wins_);
  if (!has_changes_ || wins != log_wins_) ++epoch_;
  has_changes_ = true;
  log_wins_ = wins;
}

void TableState::after_log_commit(bool kept, base::SteadyTime now) {
  std::lock_guard lock(mutex_);
  if (kept) {
    for (auto segment = segments_.rbegin(); segment != segments_.rend() && !segment->committed; ++segment) {
      segment->committed = true;
      segment->committed_at = now;
    }
    return;
  }
  while (!segments_.empty() && !segments_.back().committed) {
    log_rows_ -= segments_.back().rows;
    log_bytes_ -= segments_.back().bytes;
    segments_.pop_back();
  }
  refresh_locked();
}

void TableState::after_append(std::int64_t rows, std::int64_t wall_micros) {
  std::lock_guard lock(mutex_);
  base_rows_ += rows;
  modified_micros_ = wall_micros;
}

std::optional<TableState::Applicable> TableState::applicable(std::int64_t rows_max, std::int64_t bytes_max) const {
  std::lock_guard lock(mutex_);
  std::optional<Applicable> taken;
  for (const LogSegment& segment : segments_) {
    if (!segment.committed) break;
    if (taken && (taken->rows + segment.rows > rows_max || taken->bytes + segment.bytes > bytes_max)) break;
    if (!taken) taken.emplace();
    taken->bytes += segment.bytes;
    taken->last_ing = segment.last_ing;
    taken->rows += segment.rows;
    if (taken->newest < segment.newest) taken->newest = segment.newest;
  }
  return taken;
}

void TableState::before_apply_commit(const Applicable& taken) {
  std::lock_guard lock(mutex_);
  const Rank newest{taken.newest, taken.last_ing};
  if (base_newest_ < newest) base_newest_ = newest;
  direct_keys_.give_up();
  log_wins_ = false;  // the rows being moved are in the log and in this bound at once
  ++epoch_;
}

void TableState::after_apply_commit(const Applicable& taken, std::int64_t base_rows_gone, std::int64_t base_rows_come) {
  std::lock_guard lock(mutex_);
  while (!segments_.empty() && segments_.front().last_ing <= taken.last_ing) {
    log_rows_ -= segments_.front().rows;
    log_bytes_ -= segments_.front().bytes;
    segments_.pop_front();
  }
  base_rows_ += base_rows_come - base_rows_gone;
  log_dead_bytes_ += taken.bytes;
  base_row_bytes_ = taken.bytes / std::max<std::int64_t>(taken.rows, 1);
  base_dead_bytes_ += taken.bytes * base_rows_gone / std::max<std::int64_t>(taken.rows, 1);
  ++epoch_;
  refresh_locked();
}

TableState::Worn TableState::worn() const {
  std::lock_guard lock(mutex_);
  return {log_dead_bytes_ >= kRenewBytes && log_bytes_ <= kRenewBytes,
          base_dead_bytes_ >= kRenewBytes && base_rows_ * base_row_bytes_ <= kRenewBytes};
}

void TableState::after_renewal(Worn renewed) {
  std::lock_guard lock(mutex_);
  if (renewed.log) log_dead_bytes_ = 0;
  if (renewed.base) base_dead_bytes_ = 0;
}

void TableState::after_verification(std::int64_t verified_ing, std::int64_t removed_rows) {
  std::lock_guard lock(mutex_);
  verified_ing_ = std::max(verified_ing_, verified_ing);
  base_rows_ -= removed_rows;
  ++epoch_;
}

void TableState::forget_load() {
  std::lock_guard lock(mutex_);
  loading_ = load_to_save_ = false;
  load_sequence_.reset();
  direct_ing_ = direct_committed_ing_ = verified_ing_ = 0;
  ++epoch_;
}

bool TableState::is_apply_due(base::SteadyTime now, bool has_slow_read) const {
  std::lock_guard lock(mutex_);
  if (dropped_ || segments_.empty() || !segments_.front().committed) return false;
  if (log_rows_ >= kApplyRowsMin + base_rows_ / kApplyBaseShare || log_bytes_ >= kApplyBytesMin) return true;
  if (has_slow_read && log_rows_ >= kApplySlowReadRows) return true;
  return now - segments_.front().committed_at >= std::chrono::milliseconds(kApplyAgeMillis);
}

void TableState::recover(const Recovered& recovered) {
  std::lock_guard lock(mutex_);
  next_ing = recovered.next_ing;
  base_rows_ = recovered.base_rows;
  base_newest_ = recovered.base_newest;
  load_sequence_ = recovered.load_sequence;
  loading_ = recovered.loading;
  direct_ing_ = direct_committed_ing_ = recovered.direct_ing;
  verified_ing_ = recovered.verified_ing;
  used_ = recovered.next_ing > 1 || recovered.base_rows > 0;
  changed_ = recovered.load_sequence.has_value() || recovered.has_tombstones || !recovered.log.empty();
  for (const LogSegment& segment : recovered.log) {
    segments_.push_back(segment);
    log_rows_ += segment.rows;
    log_bytes_ += segment.bytes;
  }
  refresh_locked();
}

std::int64_t TableState::base_rows() const {
  std::lock_guard lock(mutex_);
  return base_rows_;
}

std::int64_t TableState::modified_micros() const {
  std::lock_guard lock(mutex_);
  return modified_micros_;
}

}  // namespace flytt::warehouse::internal
