#pragma once
// Backoff: how long to wait before the next try. Doubles from kBackoffMin to kBackoffMax; the upper half is random, so
// that many pipelines that failed together do not come back together.

#include "base/clock.h"
#include "base/random.h"
#include "pipeline/limits.h"

namespace flytt::pipeline {

class Backoff {
 public:
  explicit Backoff(base::Random& random) : random_(random) {}

  // The wait before the next try, after the failures counted so far and this one.
  base::Duration next() { return wait_after(++failures_, random_); }
  void reset() { failures_ = 0; }
  int failures() const { return failures_; }

  static base::Duration wait_after(int failures, base::Random& random) {
    milliseconds full = kBackoffMin;
    for (int i = 1; i < failures && full < kBackoffMax; ++i) full *= 2;
    if (full > kBackoffMax) full = kBackoffMax;
    const auto half = static_cast<std::uint64_t>(full.count()) / 2;
    return milliseconds(half + random.below(half + 1));
  }

 private:
  base::Random& random_;
  int failures_ = 0;
};

}  // namespace flytt::pipeline
