#pragma once
// Bounds of this module.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flytt::state {

inline constexpr int kFormatVersion = 6;       // of a store; older ones are brought here, a newer one is refused
inline constexpr int kBusyTimeoutMs = 10'000;  // another process (`status`, `resync`) may hold the write lock
inline constexpr std::int64_t kWalBytesMax = 8 << 20;  // the -wal file is cut back to this after a checkpoint
inline constexpr std::size_t kMessageBytesMax = 4096;  // of a slot's message; the rest is cut off

// -- a schema that replicas share
inline constexpr std::chrono::milliseconds kLockWaitMax{5'000};
inline constexpr std::chrono::milliseconds kStatementMax{10'000};
inline constexpr std::chrono::milliseconds kIdleTransactionMax{
    5'000};                                  // a writer that is frozen holds up others so long
inline constexpr int kSettleTries = 3;       // connections that ask what became of a commit, when nobody waits for it
inline constexpr int kLeaseMarginShare = 5;  // work ends 1/5 of a lease before others may take it

}  // namespace flytt::state
