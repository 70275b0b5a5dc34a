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
inline constexpr int kMissedMax = 10'000;                 // slots that `missed: all` may run
inline constexpr std::size_t kMissedRowsMax =
    100;  // rows of missed slots from one decision; the oldest speaks for more
inline constexpr int kRetriesMax = 1000;
// What comes no later than this was not missed: the program looked a little late.
inline constexpr std::int64_t kOnTimeMicros = 60 * kMicrosPerSecond;
inline constexpr std::int64_t kFactsLookMicros = 1 * kMicrosPerSecond;
inline constexpr std::int64_t kLookMicros = kMicrosPerSecond;  // for changes by other processes and jumps of the clock
inline constexpr int kRunsMax = 16;                            // of all schedules at a time
// Ends of the program that cut off the work of one slot, then it has failed: what ends the program each time does not do so for ever.
inline constexpr int kInterruptionsMax = 20;
inline constexpr int kPruneEvery = 32;  // finished slots
inline constexpr std::size_t kBackfillMax = 100'000;

}  // namespace flytt::scheduler
