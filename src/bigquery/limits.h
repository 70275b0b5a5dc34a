#pragma once
// Every bound of this module.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flytt::bigquery {

using std::chrono::milliseconds;
using std::chrono::seconds;

// -- REST
inline constexpr seconds kRequestTimeout{60};  // of one HTTP exchange
inline constexpr seconds kConnectTimeout{10};
inline constexpr seconds kCallTimeout{180};  // of one call with its retries and waits
inline constexpr int kTriesMax = 6;
inline constexpr milliseconds kBackoffMin{250};
inline constexpr milliseconds kBackoffMax{32'000};
inline constexpr std::size_t kResponseBytesMax = 128 << 20;
inline constexpr int kIdleConnectionsMax = 8;
inline constexpr milliseconds kQueryPoll{10'000};  // how long the server may hold one answer back
inline constexpr milliseconds kJobPollMin{100};    // between two looks at a job, growing
inline constexpr milliseconds kJobPollMax{10'000};
inline constexpr seconds kMissingJobPatience{30};     // a job that was just accepted may not be found yet
inline constexpr seconds kJobCancelPatience{60};      // until a job that is to stop has ended
inline constexpr std::size_t kJobIdMax = 1'024;       // BigQuery
inline constexpr std::int64_t kPageRowsMax = 20'000;  // rows of one page of a query's result
inline constexpr int kCellDepthMax = 32;              // of nested values in a result
inline constexpr std::size_t kErrorTextMax = 2'000;   // of a foreign message that is passed on

// -- credentials
inline constexpr const char* kScope = "https://www.googleapis.com/auth/cloud-platform";
inline constexpr seconds kTokenLife{3'600};
inline constexpr seconds kTokenRenewal{240};  // a token is replaced so long before it expires; metadata servers keep
                                              // theirs until 300 s before
inline constexpr seconds kTokenPause{15};     // between two tries to replace a token that is still valid
inline constexpr seconds kTokenTimeout{10};   // of one exchange with who gives tokens
inline constexpr int kTokenTriesMax = 3;
inline constexpr seconds kMetadataTimeout{3};
inline constexpr int kMetadataTriesMax = 5;
inline constexpr int kMetadataLooksMax = 2;      // for a server that may be there
inline constexpr seconds kMetadataPatience{30};  // for one that must be: a pod is older than its metadata server
inline constexpr milliseconds kMetadataPause{1'000};
inline constexpr std::size_t kKeyFileBytesMax = 64 << 10;

// -- appends
inline constexpr std::size_t kRequestBytesTarget = 2 << 20;  // rows of one request
inline constexpr std::size_t kRowSlackBytes = 64 << 10;      // room behind the target, so that a buffer rarely moves
inline constexpr std::size_t kRowBytesMax = 9 << 20;   // a larger row is refused here: a request must stay below 10 MB
inline constexpr std::size_t kWindowBytes = 32 << 20;  // in flight, of one sink
inline constexpr std::size_t kWindowRequests = 512;
inline constexpr std::size_t kTableWindowRequests = 256;  // in flight, of one connection
inline constexpr int kCallsPerConnectionMax = 90;         // Google's servers take 100
inline constexpr seconds kAnswerTimeout{120};             // an unanswered request ends its connection
inline constexpr milliseconds kAppendBackoffMin{100};
inline constexpr milliseconds kAppendBackoffMax{10'000};
inline constexpr milliseconds kThrottleBackoffMin{1'000};
inline constexpr milliseconds kThrottleBackoffMax{60'000};
inline constexpr seconds kTransientPatience{120};  // without one success, then the sink fails
inline constexpr seconds kThrottlePatience{900};
inline constexpr seconds kMissingTablePatience{15};  // NOT_FOUND after a table was made anew
inline constexpr seconds kSchemaPatience{600};       // a new column takes minutes to be seen by the Write API
inline constexpr int kKeepaliveTimeMs = 60'000;
inline constexpr int kKeepaliveTimeoutMs = 20'000;
inline constexpr std::size_t kShapesPerTable = 8;  // whose encoders are kept
inline constexpr std::size_t kRefusedRawBytesMax = 8 << 20;

}  // namespace flytt::bigquery
