#pragma once
// Watermark: turns receipts that arrive in any order into one position below which nothing is missing.
//
// Owned and used by the writer's thread. Batches are submitted in their order; a batch without anything to write is
// submitted and receipted at once. The position is that of the last batch of the longest prefix that has all receipts.

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "flow/batch.h"

namespace flytt::pipeline {

// Source table → the newest of its changes among some that are settled.
using TableChanges = std::map<std::string, data::Sequence>;
void add_changes(TableChanges& older, const TableChanges& newer);

class Watermark {
 public:
  // What is known of a batch while its receipt is out, and handed back when the prefix passes it.
  struct Passed {
    flow::Position end;
    std::int64_t newest_commit_micros = 0;
    TableChanges changes;
  };

  // The next sequence to give to a batch.
  flow::BatchSequence next() const { return flow::BatchSequence(first_ + open_.size()); }
  // `passed.end` is the restart place behind the batch; `read_at` is when the source returned it.
  void submitted(flow::BatchSequence sequence, Passed passed, base::SteadyTime read_at);
  // kBug for a batch that was never submitted or has its receipt already: a sink must not invent receipts.
  Status receipted(flow::BatchSequence sequence);
  // The end of the longest complete prefix since the last call; nullopt when it has not grown.
  std::optional<Passed> advance();

  std::size_t outstanding() const { return open_count_; }
  // When the oldest batch without a receipt, or behind one without, was read; nullopt when there is none.
  std::optional<base::SteadyTime> oldest_read_at() const;

 private:
  struct Open {
    Passed passed;
    base::SteadyTime read_at;
    bool has_receipt = false;
  };
  std::uint64_t first_ = 0;     // sequence of open_.front()
  std::size_t open_count_ = 0;  // without receipt
  std::deque<Open> open_;
};

}  // namespace flytt::pipeline
