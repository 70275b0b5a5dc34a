#pragma once
// Bounds of BigQuery's messages (Storage Write API, "Quotas and limits") and of what this module accepts.

#include <cstddef>
#include <cstdint>

namespace flytt::wire {

inline constexpr std::size_t kAppendRequestBytesMax = 20 * 1024 * 1024;  // what a server takes; older ones take 10 MB
inline constexpr std::size_t kDescriptorBytesMax = 4 * 1024 * 1024;
inline constexpr int kStructDepthMax = 15;         // BigQuery: nested levels of a table
inline constexpr std::size_t kRowErrorsMax = 500;  // rows reported for one request
inline constexpr int kJsonDepthMax = 500;          // BigQuery: nesting of a JSON value
inline constexpr std::size_t kSequenceSectionsMax = 4;
inline constexpr std::size_t kSequenceTextMax = 4 * 16 + 3;
inline constexpr std::size_t kDecodedCellsMax = 32 * 1024 * 1024;  // cells of arrays in one call of decode
inline constexpr int kMergedMessagesMax = 16;                      // one STRUCT sent in several parts, in one row
inline constexpr std::uint32_t kDenseFieldNumberMax = 65'536;      // field numbers found by index, not by search
inline constexpr std::size_t kArenaBlockBytes = 64 * 1024;

}  // namespace flytt::wire
