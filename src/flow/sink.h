#pragma once
// Sink: keeps batches. Owned and called by one thread.

#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "flow/batch.h"

namespace flytt::flow {

class Sink {
 public:
  virtual ~Sink() = default;

  // Takes the batch (moves from it), or leaves it untouched with the caller and returns kTimeout when the deadline
  // passes while the window in flight is full. After any other error the sink is rebuilt.
  virtual Status submit(Batch& batch, base::Deadline deadline) = 0;

  // Receipts that arrived, in any order; waits for at least one until the deadline, then returns an empty list.
  virtual Result<std::vector<Receipt>> collect(base::Deadline deadline) = 0;
};

}  // namespace flytt::flow
