#pragma once
// Retrier: repeats a call that failed for a passing reason, with full jitter, for at most kCallTimeout, and can be told
// to give up at once. Thread-safe; one object for all calls of a client.

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {

class Retrier {
 public:
  Retrier(const base::Clock& clock, base::Random& random, int tries_max = kTriesMax)
      : clock_(clock), random_(random), tries_max_(tries_max) {}

  // `attempt(deadline)` returns a Result. It is repeated while its error says kAfterBackoff and `is_repeatable`;
  // `before_repeat(error)` is told first. `what` is for the log.
  template <typename Attempt, typename BeforeRepeat>
  auto run(bool is_repeatable, std::string_view what, Attempt attempt, BeforeRepeat before_repeat)
      -> decltype(attempt(base::Deadline())) {
    const base::Deadline end = clock_.in(kCallTimeout);
    std::chrono::milliseconds ceiling = kBackoffMin;
    for (int tries = 1;; ++tries) {
      TRY_STATUS(wait(base::Duration::zero()));
      auto outcome = attempt(end.earlier(clock_.in(kRequestTimeout)));
      if (outcome) return outcome;
      const Error& error = outcome.error();
      const bool again =
          error.retry() == base::Retry::kAfterBackoff && is_repeatable && tries < tries_max_ && !clock_.is_past(end);
      if (!again) return outcome;
      before_repeat(error);
      base::log_failure(base::LogLevel::kWarning, "a request is repeated", error,
                        {{"what", std::string(what)}, {"try", tries}});
      // Full jitter: anything between nothing and a ceiling that doubles.
      TRY_STATUS(wait(std::chrono::milliseconds(random_.below(static_cast<std::uint64_t>(ceiling.count()) + 1))));
      ceiling = std::min(ceiling * 2, kBackoffMax);
    }
  }

  // All waits end, and later calls fail with kCancelled.
  void cancel() {
    {
      std::lock_guard lock(mutex_);
      is_cancelled_ = true;
    }
    cancelled_.notify_all();
  }

  // Waits for that long: kCancelled after `cancel`, ok as soon as `stop` is asked to stop.
  Status pause(base::Duration span, std::stop_token stop) {
    const std::stop_callback wake(stop, [this] {
      { std::lock_guard lock(mutex_); }
      cancelled_.notify_all();
    });
    return wait(span, stop);
  }

 private:
  Status wait(base::Duration span, std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    const base::Deadline until = clock_.in(span);
    while (!is_cancelled_ && !stop.stop_requested() && !clock_.is_past(until)) cancelled_.wait_until(lock, until.at);
    if (is_cancelled_)
      return Error(ErrorCode::kCancelled, "the request to BigQuery was cancelled").side(base::Side::kSink);
    return ok();
  }

  const base::Clock& clock_;
  base::Random& random_;
  const int tries_max_;
  std::mutex mutex_;
  std::condition_variable cancelled_;
  bool is_cancelled_ = false;
};

}  // namespace flytt::bigquery
