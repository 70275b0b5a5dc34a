#pragma once
// Time is a parameter. Only `app` makes a SystemClock; everything else is given a Clock&, so that a
// simulation can own time. Deadline is a point on the steady axis of its clock.

#include <chrono>
#include <cstdint>

namespace flytt::base {

using SteadyTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

struct Deadline {
  SteadyTime at = SteadyTime::max();
  static constexpr Deadline never() { return Deadline{SteadyTime::max()}; }
  static constexpr Deadline passed() { return Deadline{SteadyTime::min()}; }
  constexpr bool is_never() const { return at == SteadyTime::max(); }
  Deadline earlier(Deadline other) const { return at < other.at ? *this : other; }
};

// Thread-safe. `wall_micros` is microseconds since 1970-01-01 UTC.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime steady() const = 0;
  virtual std::int64_t wall_micros() const = 0;

  Deadline in(Duration span) const { return Deadline{steady() + span}; }
  bool is_past(Deadline deadline) const { return !deadline.is_never() && steady() >= deadline.at; }
  // Never negative; at most 24 hours, so it fits every poll call.
  std::chrono::milliseconds left(Deadline deadline) const;
};

class SystemClock final : public Clock {
 public:
  SteadyTime steady() const override;
  std::int64_t wall_micros() const override;
};

}  // namespace flytt::base
