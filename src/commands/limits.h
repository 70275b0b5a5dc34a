#pragma once
// Bounds of this module; what may be chosen for each command is in command.h.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flytt::commands {

inline constexpr std::size_t kOrderBytesMax = 4 << 20;      // what the owner tells its supervisor
inline constexpr std::size_t kTextFileBytesMax = 16 << 10;  // of `supervisor` and `record`
inline constexpr std::size_t kRecordBytesReserved = 4096;   // so that a full disk cannot keep a run from being recorded
inline constexpr std::size_t kDetailBytesMax = 500;         // of Outcome::detail
inline constexpr std::size_t kLineBytesMax = 64 << 10;      // a longer line of output is taken in parts
inline constexpr std::uint64_t kOutputBytesLeast = 4096;    // the smallest output_bytes_max
inline constexpr std::chrono::seconds kStartMax{30};        // until the supervisor has said that it is there
inline constexpr std::chrono::seconds kTreeEndMax{
    20};  // SIGKILL is repeated so long; then the record says what is left
inline constexpr std::chrono::milliseconds kKillRound{10};  // between two looks for what was forked meanwhile
inline constexpr int kLastReadsMax = 64;  // of 64 KiB; a pipe holds at most 1 MiB (/proc/sys/fs/pipe-max-size)
inline constexpr int kWalkShare = 20;  // at most 1/20 of the supervisor's time goes into measuring the working folder

}  // namespace flytt::commands
