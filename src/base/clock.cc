#include "base/clock.h"

#include <algorithm>

namespace flytt::base {

std::chrono::milliseconds Clock::left(Deadline deadline) const {
  constexpr auto kLongest = std::chrono::milliseconds(24 * 3600 * 1000);
  if (deadline.is_never()) return kLongest;
  const SteadyTime now = steady();
  if (deadline.at <= now) return std::chrono::milliseconds(0);
  return std::min(kLongest, std::chrono::ceil<std::chrono::milliseconds>(deadline.at - now));
}

SteadyTime SystemClock::steady() const { return std::chrono::steady_clock::now(); }

std::int64_t SystemClock::wall_micros() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace flytt::base
