#pragma once
// Source: produces batches in restart order. Owned and called by one thread.

#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "flow/batch.h"

namespace flytt::flow {

class Source {
 public:
  virtual ~Source() = default;

  // The next batch; nullopt when `deadline` passes first. A bounded source (a copy) ends with a batch after which
  // is_done() is true. Blocks at most until the deadline plus one read of the outside system.
  // After an error the source is of no further use: it is rebuilt from the saved checkpoint.
  virtual Result<std::optional<Batch>> next(base::Deadline deadline) = 0;

  // Everything up to `durable` is saved downstream; history may be released. Never goes backwards, may repeat.
  // Called at least once per heartbeat, also while nobody calls next(), so it keeps the connection alive.
  virtual Status confirm(const Position& durable) = 0;

  // True for a bounded source that has returned its last batch.
  virtual bool is_done() const { return false; }
};

}  // namespace flytt::flow
