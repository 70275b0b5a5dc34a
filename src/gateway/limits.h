#pragma once
// Every bound of this module.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flytt::gateway {

// -- HTTP
inline constexpr std::size_t kHttpHeaderBytesMax = 64 << 10;       // request line and headers
inline constexpr std::size_t kHttpTargetBytesMax = 16 << 10;       // path and query string (BigQuery's own bound)
inline constexpr std::size_t kHttpBodyBytesMax = 32 << 20;         // of one request, before and after gzip
inline constexpr std::size_t kHttpBodiesInFlightMax = 4;           // largest bodies held at the same time by one server
inline constexpr int kHttpConnectionsMax = 256;
inline constexpr int kHttpHandlersMax = 32;                        // requests being answered at the same time
inline constexpr std::chrono::milliseconds kHttpHeaderTimeout{60'000};   // also how long an idle connection is kept
inline constexpr std::chrono::milliseconds kHttpBodyTimeout{120'000};
inline constexpr std::chrono::milliseconds kHttpWriteTimeout{120'000};
inline constexpr std::chrono::milliseconds kHttpLingerTimeout{2'000};    // reading on after an early refusal
inline constexpr std::chrono::milliseconds kHttpAcceptPause{100};        // after accept failed
inline constexpr std::size_t kHttpLingerBytesMax = 64 << 20;

}  // namespace flytt::gateway
