#pragma once
// Bounds of this module.

#include <cstddef>
#include <cstdint>

namespace flytt::scheduler {

inline constexpr std::int64_t kMicrosPerSecond = 1'000'000;
inline constexpr std::int64_t kIntervalMicrosMin = kMicrosPerSecond;
inline constexpr std::int64_t kIntervalMicrosMax = 3653 * 86'400 * kMicrosPerSecond;  // ten years
inline constexpr std::size_t kScheduleBytesMax = 1024;                                // of a schedule's text
inline constexpr std::size_t kTemplateBytesMax = 65'536;  // of a name or parameter with {run_time}
inline constexpr std::size_t kQuotedBytesMax = 60;        // of what an error repeats from a text

}  // namespace flytt::scheduler
