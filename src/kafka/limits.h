#pragma once
// Every bound of this module. Units are the last word of a name.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flytt::kafka {

using namespace std::chrono_literals;

// -- Groups
inline constexpr auto kSessionTimeoutDefault = 45'000ms;
inline constexpr auto kPollIntervalMaxDefault = 300'000ms;
inline constexpr auto kClosingTimeDefault = 10'000ms;
inline constexpr auto kIdlePollInterval = 3'000ms;  // confirm polls when next() was not called for so long
inline constexpr auto kTopicRefresh =
    30'000ms;  // new topics and partitions are seen within it, and topics that were made anew
inline constexpr auto kTopicPatience = 2'000ms;        // for the ids of topics that are being read
inline constexpr auto kCommitPatience = 10'000ms;      // for one answer of the group's coordinator
inline constexpr auto kLookupPatience = 15'000ms;      // for offsets and samples of newly assigned partitions
inline constexpr auto kRefusalPatience = 2'000ms;      // until a refused password or certificate is believed
inline constexpr int kCoordinatorPauseMs = 100;        // until a group's coordinator that is away is asked for again
inline constexpr int kWakePatienceMs = 200;            // for an answer that only wakes the client up
inline constexpr auto kClosePatience = 10'000ms;       // for leaving the group
inline constexpr std::size_t kRecordBytesMax = 3'000;  // of a lane's record: as base64 below the broker's 4,096

// -- Batches
// Fifteen of them are a row group of the embedded warehouse, and even at a few hundred thousand messages a second they
// follow each other closely enough for it to wait for a whole one.
inline constexpr std::size_t kBatchRowsMax = 8'192;
inline constexpr std::size_t kBatchBytesMax = 8u << 20;
inline constexpr auto kBatchAgeDefault = 100ms;
inline constexpr auto kIdlePositionInterval = 1'000ms;  // between batches that only move the position

// -- Fetching: what librdkafka may hold beside our batches
inline constexpr std::size_t kPrefetchBytesDefault = 16u << 20;
inline constexpr std::size_t kFetchBytesMax = 8u << 20;           // of one answer of a broker
inline constexpr std::size_t kPartitionFetchBytesMax = 2u << 20;  // of one partition in it
inline constexpr auto kFetchWait = 100ms;
inline constexpr auto kQueueBackoff = 5ms;  // until a partition is asked for again that met the limit of the queue

// -- Dead letters
inline constexpr auto kDeadLetterTopicPatience = 5'000ms;  // until the topic is there
inline constexpr auto kDeadLetterPatience = 15'000ms;      // until their topic has them
// Of those under way together, and so of one: as much as the client takes of a message, and headers.
inline constexpr std::size_t kDeadLetterBytesMax = 104u << 20;
inline constexpr std::size_t kDeadLettersMax = 10'000;  // under way together

// -- Messages and schemas
// A time that is further ahead of our clock is not believed; what brokers from 4.0 on take by default.
inline constexpr std::int64_t kClockDifferenceMaxMs = 3'600'000;
inline constexpr std::size_t kRejectedRawMax = 8u << 20;
inline constexpr std::size_t kRejectedKeyMax = 4u << 10;
inline constexpr std::size_t kStructDepthMax = 15;   // BigQuery: nested RECORD columns
inline constexpr std::size_t kColumnsMax = 2'000;    // of a table that grows; nested fields count
inline constexpr std::size_t kColumnNameMax = 300;   // BigQuery: characters of a column name
inline constexpr std::size_t kSampleMessages = 500;  // per topic, for an inferred schema
inline constexpr std::size_t kSampleBytesMax = 8u << 20;

}  // namespace flytt::kafka
