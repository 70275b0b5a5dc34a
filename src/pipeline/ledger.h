#pragma once
// Ledger: what is remembered of a stream's progress, in state first and then at the source (docs/guarantees.md, 1). How
// that is done depends on the source: one position for all of it, or one for each of its lanes.
//
// Owned by the pipeline, outlives the StreamRun that uses it; called by that run's writer.

#include <optional>

#include "base/result.h"
#include "flow/batch.h"
#include "pipeline/destination.h"
#include "pipeline/table_book.h"
#include "pipeline/watermark.h"

namespace flytt::pipeline {

class Ledger {
 public:
  virtual ~Ledger() = default;

  // A batch of the source, before it is delivered.
  virtual Status note(const flow::Batch&) { return ok(); }
  // Between two looks at the sink: what is due beside moving rows.
  virtual Status look(TableSink&) { return ok(); }
  // There is something to save although no new place was settled.
  virtual bool has_news() const { return false; }
  // Everything up to `end` is settled, if it is given, and `changes` since the last call. Saves that and returns what the source
  // may be told; nullopt when it knows that already.
  virtual Result<std::optional<flow::Position>> save(const std::optional<flow::Position>& end,
                                                     const TableChanges& changes) = 0;
};

// One position, in the stream's checkpoint, and with it which tables have changed before it.
class CheckpointLedger final : public Ledger {
 public:
  explicit CheckpointLedger(TableBook& book) : book_(book) {}

  // Where the next run starts.
  void begin(flow::Position saved) {
    saved_ = std::move(saved);
    unsaved_.clear();
  }

  Result<std::optional<flow::Position>> save(const std::optional<flow::Position>& end,
                                             const TableChanges& changes) override {
    add_changes(unsaved_, changes);
    // Nothing but entries for quarantine, a part of a large transaction, or a source that stands still.
    if (!end || *end == saved_) return std::optional<flow::Position>();
    TRY_STATUS(book_.save_position(end->bytes, unsaved_));
    unsaved_.clear();
    saved_ = *end;
    return end;
  }

 private:
  TableBook& book_;
  TableChanges unsaved_;
  flow::Position saved_;
};

}  // namespace flytt::pipeline
