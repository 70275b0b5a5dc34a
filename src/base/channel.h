#pragma once
// Channel<T>: one producer, one consumer, bounded by a weight (bytes), not by a count.
//
// A full channel makes `push` wait: that is back-pressure. One item heavier than the bound is let in when the
// channel is empty, so nothing can be too large to move. `close` ends it: pushes fail, pops drain what is left.
// Waits use real time (std::condition_variable); a Deadline that has passed makes both calls return at once.
// Latest<T>: a one-slot cell; a newer value replaces an older one that nobody took.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace flytt::base {

enum class PushOutcome { kTaken, kFull, kClosed };

template <typename T>
class Channel {
 public:
  explicit Channel(std::size_t weight_max) : weight_max_(weight_max) {}

  // Moves from `item` only when the outcome is kTaken.
  PushOutcome push(T& item, std::size_t weight, Deadline deadline) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return closed_ || items_.empty() || weight_ + weight <= weight_max_; };
    if (!wait(lock, not_full_, deadline, ready)) return PushOutcome::kFull;
    if (closed_) return PushOutcome::kClosed;
    items_.emplace_back(std::move(item), weight);
    weight_ += weight;
    lock.unlock();
    not_empty_.notify_one();
    return PushOutcome::kTaken;
  }

  // nullopt when the deadline passes, or when the channel is closed and empty.
  std::optional<T> pop(Deadline deadline) {
    std::unique_lock lock(mutex_);
    if (!wait(lock, not_empty_, deadline, [&] { return closed_ || !items_.empty(); }) || items_.empty())
      return std::nullopt;
    std::pair<T, std::size_t> front = std::move(items_.front());
    items_.pop_front();
    weight_ -= front.second;
    lock.unlock();
    not_full_.notify_one();
    return std::move(front.first);
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_full_.notify_all();
    not_empty_.notify_all();
  }

  bool drained() const {
    std::lock_guard lock(mutex_);
    return closed_ && items_.empty();
  }
  std::size_t weight() const {
    std::lock_guard lock(mutex_);
    return weight_;
  }

 private:
  template <typename Ready>
  static bool wait(std::unique_lock<std::mutex>& lock, std::condition_variable& condition, Deadline deadline,
                   Ready ready) {
    if (ready()) return true;
    if (deadline.is_never()) {
      condition.wait(lock, ready);
      return true;
    }
    return condition.wait_until(lock, deadline.at, ready);
  }

  const std::size_t weight_max_;
  mutable std::mutex mutex_;
  std::condition_variable not_full_, not_empty_;
  std::deque<std::pair<T, std::size_t>> items_;
  std::size_t weight_ = 0;
  bool closed_ = false;
};

template <typename T>
class Latest {
 public:
  void put(T value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }
  std::optional<T> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
};

}  // namespace flytt::base
