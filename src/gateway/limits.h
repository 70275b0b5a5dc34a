#pragma once
// Every bound of this module.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flytt::gateway {

// -- HTTP
inline constexpr std::size_t kHttpHeaderBytesMax = 64 << 10;  // request line and headers
inline constexpr std::size_t kHttpTargetBytesMax = 16 << 10;  // path and query string (BigQuery's own bound)
inline constexpr std::size_t kHttpBodyBytesMax = 32 << 20;    // of one request, before and after gzip
inline constexpr std::size_t kHttpBodiesInFlightMax = 4;      // largest bodies held at the same time by one server
inline constexpr int kHttpConnectionsMax = 256;
inline constexpr int kHttpHandlersMax = 32;                             // requests being answered at the same time
inline constexpr std::chrono::milliseconds kHttpHeaderTimeout{60'000};  // also how long an idle connection is kept
inline constexpr std::chrono::milliseconds kHttpBodyTimeout{120'000};
inline constexpr std::chrono::milliseconds kHttpWriteTimeout{120'000};
inline constexpr std::chrono::milliseconds kHttpLingerTimeout{2'000};  // reading on after an early refusal
inline constexpr std::chrono::milliseconds kHttpAcceptPause{100};      // after accept failed
inline constexpr std::size_t kHttpLingerBytesMax = 64 << 20;

// -- BigQuery REST
inline constexpr int kJsonDepthMax = 64;                    // of a request's body
inline constexpr int kRecordDepthMax = 15;                  // BigQuery: nested RECORDs
inline constexpr std::size_t kColumnsMax = 10'000;          // BigQuery: of one table
inline constexpr std::size_t kFieldNameCharsMax = 300;      // BigQuery
inline constexpr std::size_t kQueryParametersMax = 10'000;  // BigQuery
inline constexpr std::size_t kQueryTextBytesMax = 1 << 20;  // BigQuery: unresolved query text
inline constexpr std::size_t kPageBytesMax = 10 << 20;      // rows of one response; one larger row is let through
inline constexpr std::int64_t kPageRowsMax = 100'000;       // BigQuery: of tabledata.list
inline constexpr std::int64_t kListItemsMax = 1'000;        // datasets, tables, jobs of one response
inline constexpr std::chrono::milliseconds kQueryWaitDefault{10'000};  // BigQuery: timeoutMs
inline constexpr std::chrono::milliseconds kQueryWaitMax{
    60'000};                                                    // a longer timeoutMs is cut to this; clients ask again
inline constexpr int kQueryThreadsMax = 4;                      // queries running at the same time
inline constexpr std::size_t kQueriesWaitingMax = 1'000;        // behind them
inline constexpr std::size_t kQueryResultBytesMax = 128 << 20;  // one kept answer
inline constexpr std::size_t kTableAnswerBytesMax = 1 << 20;  // … of one that is in a table, until more is asked for
inline constexpr std::chrono::minutes kRequestIdTime{15};     // BigQuery: how long a requestId is remembered
inline constexpr std::size_t kRequestIdsMax = 10'000;
inline constexpr std::size_t kListingsMax = 16;             // tabledata.list in progress, each with a snapshot
inline constexpr std::chrono::seconds kListingIdleMax{60};  // then its page tokens are no longer good
inline constexpr std::chrono::seconds kListingTick{10};     // how often idle ones are looked for
inline constexpr int kUpdateAttemptsMax = 5;                // read-modify-write of a description
inline constexpr std::size_t kInsertBytesMax = 10 << 20;    // BigQuery: of one insertAll
inline constexpr std::size_t kInsertRowsMax = 50'000;       // BigQuery
inline constexpr std::size_t kInsertIdBytesMax = 128;       // BigQuery
inline constexpr std::size_t kInsertIdsMax = 200'000;       // remembered
inline constexpr std::chrono::seconds kInsertIdTime{60};    // BigQuery: for at least this long
inline constexpr std::size_t kInsertTargetsMax = 256;       // tables whose encoders are kept
inline constexpr std::size_t kInsertSessionsMax = 8;        // kept for one of them

// -- BigQuery Storage Write
inline constexpr std::size_t kAppendStreamBytesMax = 64 << 20;  // read and not answered, of one connection …
inline constexpr std::size_t kAppendStreamRequestsMax = 1'000;
inline constexpr std::size_t kAppendBytesMax = 128 << 20;  // … and of all together; each may exceed it by one request
inline constexpr std::size_t kAppendStreamsMax = 256;      // connections
inline constexpr std::size_t kAppendTablesMax = 256;       // compiled schemas kept for one connection
inline constexpr int kAppendWorkersMax = 4;                // threads that decode requests
inline constexpr std::chrono::seconds kAppendWaitMax{60};  // for room in the warehouse's queue
inline constexpr std::chrono::milliseconds kGrpcPingIntervalMin{
    10'000};  // clients that ping more often are told to calm down

}  // namespace flytt::gateway
