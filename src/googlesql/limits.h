#pragma once
// Every bound of this module.

#include <cstddef>

namespace flytt::googlesql {

inline constexpr int kHelperStartMillisMax = 30'000;    // load the library, be ready
inline constexpr int kHelperConnectMillisMax = 10'000;  // one new connection
inline constexpr int kCallMillisMax = 120'000;  // one call of the analyzer, when the caller gives no nearer deadline
inline constexpr int kCallAttemptsMax = 2;      // a call is repeated once when the helper died under it
inline constexpr std::size_t kRegisteredCatalogsMax = 16;   // kept in the helper; a few MB each
inline constexpr std::size_t kStatementBytesMax = 4 << 20;  // of SQL text handed to the analyzer
inline constexpr int kMessageNestingMax = 3000;  // of messages in the analyzer's answer; several for each node
inline constexpr int kNestingMax = 400;          // of scans and expressions in one resolved tree
inline constexpr std::size_t kGeneratedBytesMax = 64 << 20;  // of generated SQL

inline constexpr std::size_t kExternalCallsMax = 99;  // of EXTERNAL_QUERY in one statement

}  // namespace flytt::googlesql
