#pragma once
// Bytes that all connections together have read and not answered. A connection that finds the budget used up is told
// when there is room again. Thread-safe.

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace flytt::gateway::internal {

class AppendBudget {
 public:
  explicit AppendBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // True when there is room to read. Else `wake` is called once, by whoever makes room.
  bool may_read(const std::function<void()>& wake) {
    std::lock_guard lock(mutex_);
    if (bytes_ < bytes_max_) return true;
    waiting_.push_back(wake);
    return false;
  }
  void take(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    bytes_ += bytes;
  }
  // Calls those who wait: not to be called under a lock that they need.
  void give(std::size_t bytes) {
    std::vector<std::function<void()>> woken;
    {
      std::lock_guard lock(mutex_);
      bytes_ -= bytes;
      if (bytes_ < bytes_max_) woken.swap(waiting_);
    }
    for (const auto& wake : woken) wake();
  }
  std::size_t bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace flytt::gateway::internal
