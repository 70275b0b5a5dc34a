#pragma once
// How long `flytt run` takes at most from the first signal to its end. Streams and schedules end at the same time, the rest
// one after the other; a second signal ends it at once.

#include <algorithm>
#include <chrono>

#include "pipeline/limits.h"

namespace flytt::app {

inline constexpr std::chrono::seconds kSchedulesDrainMax{20};  // then what waits for the destination is ended, too
inline constexpr std::chrono::seconds kSchedulesCancelMax{5};  // then the process ends as it is
inline constexpr std::chrono::seconds kAdminStopMax{5};
inline constexpr std::chrono::seconds kHealthStopMax{1};
inline constexpr std::chrono::seconds kCloseMax{30};  // of the embedded warehouse

inline constexpr std::chrono::seconds kStopMax =
    std::max(pipeline::kDrainMax, kSchedulesDrainMax + kSchedulesCancelMax) + kAdminStopMax + kHealthStopMax +
    kCloseMax;

}  // namespace flytt::app
