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
inline constexpr std::size_t kBulkBytesMax = 72u << 20;  // bytes that may wait for a row group
inline constexpr std::int64_t kBulkMillisMax = 400;      // and how long at most,
inline constexpr std::int64_t kBulkGapMillis = 25;       // or until so long after the last of them
inline constexpr std::size_t kCommitRowsMax = 8 * kRowGroupRows;  // in one transaction
inline constexpr std::size_t kOneAppendBytesMax = 1 << 20;        // of an append that is a transaction by itself
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
inline constexpr std::int64_t kApplyRowsMin = 20'000;         // log rows that start an apply …
inline constexpr std::int64_t kApplyBaseShare = 50;           // … plus one for so many base rows
inline constexpr std::int64_t kApplyBytesMin = 64ll << 20;    // … or so many bytes of them, whatever the base holds
inline constexpr std::int64_t kApplyAgeMillis = 10'000;       // the oldest log row waits no longer
inline constexpr std::int64_t kApplySlowReadRows = 5'000;     // a read over so many log rows asks for an apply
inline constexpr std::int64_t kApplyChunkRows = 2'000'000;    // log rows taken by one apply,
inline constexpr std::int64_t kApplyChunkBytes = 32ll << 20;  // and bytes of them, give or take a segment
inline constexpr std::int64_t kLogSegmentBytes = 8ll << 20;   // a longer commit is split into such, or single appends
inline constexpr std::int64_t kLogRowBytes = 32;              // of hidden columns
inline constexpr std::int64_t kLogLargeBytes = 32ll << 20;    // a log of so many bytes …
inline constexpr std::int64_t kLogLargeRowBytes = 1'024;      // … in rows of so many is ranked without its values
// DuckDB keeps dead rows until whole row groups are dead, and writes and reads 2,048 rows at once, dead ones too: of large
// rows that is more than its memory. Tables with so many bytes of dead rows, and not more of living ones, are made anew.
inline constexpr std::int64_t kRenewBytes = 32ll << 20;
inline constexpr std::int64_t kTombstoneMicros =
    2ll * 24 * 3600 * 1'000'000;  // BigQuery remembers a DELETE for two days
inline constexpr std::int64_t kMaintenanceTickMillis = 500;
inline constexpr std::int64_t kCheckpointWalBytes = 64ll << 20;     // write-ahead log that starts a checkpoint …
inline constexpr std::int64_t kCheckpointIdleWalBytes = 1ll << 20;  // … when nothing was written for
inline constexpr std::int64_t kCheckpointIdleMillis = 3'000;
// Opening and a checkpoint may take so many times the configured memory: DuckDB invalidates a database whose checkpoint
// fails, for all tables, and large rows are what needs it.
inline constexpr std::int64_t kCheckpointMemoryFactor = 4;
inline constexpr std::int64_t kCheckpointHardWalBytes = 1ll << 30;  // DuckDB's own, inside a commit

// -- Questions
inline constexpr std::int64_t kExternalPatienceMillis =
    100;  // until a scan of rows elsewhere looks whether it is still wanted
inline constexpr std::size_t kIdleConnectionsMax = 8;
inline constexpr std::size_t kRunningQueriesMax = 100;
inline constexpr int kSnapshotAttemptsMax = 20;             // a table altered or dropped under the query
inline constexpr int kMemoryAttemptsMax = 3;                // of a question that ran out of memory before
inline constexpr std::int64_t kWatchMillis = 20;            // how often running queries are looked at
inline constexpr std::size_t kPartitionsTablesMax = 1'000;  // BigQuery, of INFORMATION_SCHEMA.PARTITIONS
inline constexpr std::size_t kJobsMax = 10'000;
inline constexpr std::int64_t kSavedJobMicros = 7ll * 24 * 3600 * 1'000'000;  // jobs in the file
inline constexpr std::int64_t kMebibyte = 1ll << 20;
inline constexpr std::int64_t kBytesBilledMin = 10 * kMebibyte;  // BigQuery, of a table that is read
inline constexpr std::int64_t kTextBytesGuess = 16;              // of a text, in estimates
inline constexpr std::size_t kResultBytesMax = 256u << 20;       // answers kept for getQueryResults, all together
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
