#include "base/log.h"
#include "bigquery/internal/token_source.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {

// A clock that was set back makes a token one of the future, which is as little use.
bool TokenCache::is_valid(std::int64_t now) const { return !token_.empty() && now >= issued_ && now < expires_; }

Result<base::Secret> TokenCache::get() {
  std::unique_lock lock(mutex_);
  const std::uint64_t round = rounds_;
  for (;;) {
    const std::int64_t now = clock_.wall_micros() / 1'000'000;
    if (is_valid(now) && (now < expires_ - kTokenRenewal.count() || is_fetching_ || now < next_try_)) return token_;
    if (!is_fetching_) {
      // Who has waited for a fetch takes its failure, instead of failing once more after it.
      if (rounds_ != round && failure_) return *failure_;
      is_fetching_ = true;
      lock.unlock();
      auto made = source_.fetch();
      lock.lock();
      return take(std::move(made), now);
    }
    fetched_.wait(lock);
  }
}

Result<base::Secret> TokenCache::take(Result<AccessToken> made, std::int64_t asked) {
  is_fetching_ = false;
  ++rounds_;
  failure_.reset();
  fetched_.notify_all();
  const std::int64_t now = clock_.wall_micros() / 1'000'000;
  next_try_ = now + kTokenPause.count();
  if (made) {
    token_ = std::move(made->value);
    issued_ = std::min(asked, now);
    expires_ = made->expires;
    return token_;
  }
  if (is_valid(now)) {
    base::log_failure(base::LogLevel::kWarning, "a token could not be renewed; the old one serves on", made.error(),
                      {{"seconds_left", expires_ - now}});
    return token_;
  }
  failure_ = made.error();
  return std::move(made).error();
}

}  // namespace flytt::bigquery
