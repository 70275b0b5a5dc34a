#pragma once
// Every bound of this module.

#include <cstddef>
#include <cstdint>

namespace flytt::warehouse {

// -- Appends
inline constexpr std::size_t kQueueBytesMax =
    96u << 20;  // decoded rows between callers and the writer, ≥ 16 × 2 MB twice over
inline constexpr std::size_t kRowGroupRows = 122'880;    // DuckDB's; bulk commits hold a multiple of it
inline constexpr std::size_t kBulkRowsMin = 2'048;       // an append of at least so many rows may wait for a row group
inline constexpr std::size_t kBulkBytesMax = 24u << 20;  // bytes that may wait for a row group
inline constexpr std::int64_t kBulkMillisMax = 400;      // and how long at most,
inline constexpr std::int64_t kBulkGapMillis = 25;       // or until so long after the last of them
inline constexpr std::size_t kCommitRowsMax = 8 * kRowGroupRows;  // in one transaction
inline constexpr std::size_t kAppendersMax = 256;                 // kept open by the writer
inline constexpr std::size_t kKeyColumnsMax = 16;                 // BigQuery
inline constexpr std::size_t kColumnsMax = 10'000;                // BigQuery
inline constexpr std::size_t kCdcColumnsMax = 2'000;              // BigQuery, of a table with a key

// -- Write streams
inline constexpr std::size_t kWriteStreamsMax = 20'000;       // that exist at the same time
inline constexpr std::size_t kCommittedTogetherMax = 10'000;  // BigQuery: of one BatchCommitWriteStreams
inline constexpr std::int64_t kCommittedStreamIdleMicros = 3ll * 24 * 3600 * 1'000'000;  // BigQuery
inline constexpr std::int64_t kStagedStreamIdleMicros = 7ll * 24 * 3600 * 1'000'000;     // BigQuery
inline constexpr std::size_t kStreamEndsMax = 8'192;          // appended beside rows until they are folded
inline constexpr std::int64_t kStreamExpiryMillis = 600'000;  // how often they are looked at

// -- Apply and checkpoint
inline constexpr std::int64_t kApplyRowsMin = 20'000;       // log rows that start an apply …
inline constexpr std::int64_t kApplyBaseShare = 50;         // … plus one for so many base rows
inline constexpr std::int64_t kApplyAgeMillis = 10'000;     // the oldest log row waits no longer
inline constexpr std::int64_t kApplySlowReadRows = 5'000;   // a read over so many log rows asks for an apply
inline constexpr std::int64_t kApplyChunkRows = 2'000'000;  // log rows taken by one apply
inline constexpr std::int64_t kTombstoneMicros =
    2ll * 24 * 3600 * 1'000'000;  // BigQuery remembers a DELETE for two days
inline constexpr std::int64_t kMaintenanceTickMillis = 500;
inline constexpr std::int64_t kCheckpointWalBytes = 64ll << 20;     // write-ahead log that starts a checkpoint …
inline constexpr std::int64_t kCheckpointIdleWalBytes = 1ll << 20;  // … when nothing was written for
inline constexpr std::int64_t kCheckpointIdleMillis = 3'000;
inline constexpr std::int64_t kCheckpointHardWalBytes = 1ll << 30;  // DuckDB's own, inside a commit

// -- Questions
inline constexpr std::size_t kIdleConnectionsMax = 8;
inline constexpr std::size_t kRunningQueriesMax = 100;
inline constexpr int kSnapshotAttemptsMax = 5;    // a table verified or dropped under the query
inline constexpr std::int64_t kWatchMillis = 20;  // how often running queries are looked at
inline constexpr std::size_t kJobsMax = 10'000;
inline constexpr std::size_t kResultBytesMax = 256u << 20;  // answers kept for getQueryResults, all together
inline constexpr std::int64_t kResultSecondsMax = 3'600;

// -- Names (BigQuery)
inline constexpr std::size_t kDatasetIdMax = 1'024;
inline constexpr std::size_t kTableIdMax = 1'024;
inline constexpr std::size_t kColumnNameMax = 300;

// -- Files
inline constexpr int kFormatVersion = 1;
inline constexpr std::int64_t kLockPollMillis = 50;
inline constexpr std::size_t kLockFileBytesMax = 64u << 10;

}  // namespace flytt::warehouse
