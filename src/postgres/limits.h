#pragma once
// Every bound of this module. Units are the last word of a name.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flytt::postgres {

using namespace std::chrono_literals;

// -- Servers
inline constexpr int kServerVersionMin = 130000;             // 13.0, as server_version_num writes it
inline constexpr int kBinaryStreamVersionMin = 140000;       // pgoutput's `binary` option
inline constexpr int kTidRangeScanVersionMin = 140000;       // before it, a ctid range reads the whole table
inline constexpr int kFilterVersionMin = 150000;             // row filters and column lists of publications
inline constexpr int kSchemaPublicationVersionMin = 150000;  // FOR TABLES IN SCHEMA

// -- Connections
inline constexpr int kKeepaliveIdle_s = 30;
inline constexpr int kKeepaliveInterval_s = 10;
inline constexpr int kKeepaliveCount = 3;
inline constexpr int kUnacknowledgedData_ms = 60'000;  // tcp_user_timeout
inline constexpr auto kEndBackendPatience = 5s;
inline constexpr std::size_t kErrorTextBytesMax = 1'000;  // of PostgreSQL's own sentence inside ours

// -- Batches of the change stream
inline constexpr std::size_t kStreamBatchRowsMax = 20'000;
inline constexpr std::size_t kStreamBatchBytesMax = 8u << 20;
inline constexpr auto kStreamBatchAgeDefault = 100ms;
inline constexpr auto kIdlePositionInterval = 1s;            // between batches that only move the position
inline constexpr auto kStatusInterval = 5s;                  // standby status at least this often
inline constexpr std::size_t kLookupBytesGuess = 64u << 10;  // of one unchanged large value, before one was seen
inline constexpr auto kLookupPatience = 30s;                 // for one question beside the stream
inline constexpr std::size_t kLookupRowsMax = 2'000;         // rows of one batch that wait for their large values

// -- Batches of a copy. 40,960 rows are a third of DuckDB's row group.
inline constexpr std::size_t kCopyBatchRowsMax = 40'960;
inline constexpr std::size_t kCopyBatchBytesMax = 8u << 20;
inline constexpr auto kCopyBatchAgeMax = 1s;
inline constexpr std::size_t kCopyChunkBytes = 256u << 10;      // of one read from the socket
inline constexpr std::size_t kCopyBlockRows = 512;              // decoded column by column
inline constexpr std::uint64_t kRangeBytesTarget = 256u << 20;  // of one ctid range
inline constexpr std::size_t kRangesPerTableMax = 1'024;
inline constexpr auto kSlotWaitNotice = 5s;  // creating a slot waits longer: say for whom

// -- Values
inline constexpr std::size_t kColumnsMax = 1'600;         // MaxHeapAttributeNumber is 1,600
inline constexpr std::size_t kRejectedRawMax = 8u << 20;  // of a rejected value's text
inline constexpr std::size_t kRejectedKeyMax = 4u << 10;
inline constexpr std::size_t kTypeDepthMax = 32;   // domains over domains
inline constexpr std::size_t kKeyColumnsMax = 16;  // BigQuery: primary key columns

}  // namespace flytt::postgres
