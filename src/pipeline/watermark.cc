#include "pipeline/watermark.h"

#include <algorithm>

namespace flytt::pipeline {

void add_changes(TableChanges& older, const TableChanges& newer) {
  for (const auto& [source_table, newest] : newer) older.insert_or_assign(source_table, newest);
}

void Watermark::submitted(flow::BatchSequence sequence, Passed passed, base::SteadyTime read_at) {
  CHECK(sequence == next());
  open_.push_back(Open{std::move(passed), read_at});
  ++open_count_;
}

Status Watermark::receipted(flow::BatchSequence sequence) {
  if (sequence.value < first_ || sequence.value - first_ >= open_.size() || open_[sequence.value - first_].has_receipt)
    return Error(ErrorCode::kBug,
                 "the sink returned a receipt for batch " + std::to_string(sequence.value) + ", which it does not hold")
        .side(base::Side::kSink);
  open_[sequence.value - first_].has_receipt = true;
  --open_count_;
  return ok();
}

std::optional<Watermark::Passed> Watermark::advance() {
  std::optional<Passed> passed;
  while (!open_.empty() && open_.front().has_receipt) {
    const std::int64_t newest =
        std::max(passed ? passed->newest_commit_micros : 0, open_.front().passed.newest_commit_micros);
    TableChanges changes = passed ? std::move(passed->changes) : TableChanges();
    add_changes(changes, open_.front().passed.changes);
    passed = std::move(open_.front().passed);
    passed->newest_commit_micros = newest;
    passed->changes = std::move(changes);
    open_.pop_front();
    ++first_;
  }
  return passed;
}

std::optional<base::SteadyTime> Watermark::oldest_read_at() const {
  if (open_.empty()) return std::nullopt;
  return open_.front().read_at;
}

}  // namespace flytt::pipeline
