#pragma once
// Bounds of this module.

#include <cstddef>
#include <cstdint>

namespace flytt::state {

inline constexpr int kFormatVersion = 4;       // of the file; older ones are brought here, a newer one is refused
inline constexpr int kBusyTimeoutMs = 10'000;  // another process (`status`, `resync`) may hold the write lock
inline constexpr std::int64_t kWalBytesMax = 8 << 20;  // the -wal file is cut back to this after a checkpoint
inline constexpr std::size_t kMessageBytesMax = 4096;  // of a slot's message; the rest is cut off

}  // namespace flytt::state
