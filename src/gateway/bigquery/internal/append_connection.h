#pragma once
// The protocol of one AppendRows connection: which table and schema a request is for, and what the
// warehouse's outcome is in BigQuery's words. Knows nothing of gRPC's calls.
//
// `handle` is called by one thread at a time, in the order of the requests. `respond` of every request is called exactly
// once, in any order, on the calling thread or on the warehouse's writer thread, unless `handle` returns a failure.
//
// Rules (storage.proto, AppendRowsRequest): the first request names the stream and brings the schema; later ones may leave
// both out; a request for another table brings its schema; once the table has changed, every request names its stream. An
// error of one request ends nothing: later ones are taken as they come. Default streams of several tables share a
// connection; a stream that the application made has its connection for itself, and answers with offsets.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/bigquery/internal/stream_name.h"
#include "warehouse/append.h"
#include "wire/append_frames.h"

namespace flytt::gateway::internal {

// BigQuery's failure for a flytt error about `entity`.
wire::AppendFailure append_failure_of(const Error& error, const std::string& entity);

class AppendConnection {
 public:
  using Open = std::function<Result<std::unique_ptr<warehouse::AppendSession>>(const StreamName&,
                                                                               const std::string& descriptor)>;
  using Respond = std::function<void(wire::AppendResponse)>;

  AppendConnection(Open open, const base::Clock& clock) : open_(std::move(open)), clock_(clock) {}

  // A failure ends the connection; `respond` is then not called.
  std::optional<wire::AppendFailure> handle(const wire::AppendRequest& request, Respond respond);

 private:
  struct Table {
    StreamName stream;
    std::string descriptor;
    std::unique_ptr<warehouse::AppendSession> session;
    std::string etag;                   // of the columns that the other side knows
    std::atomic<bool> is_stale{false};  // the table is gone: open it again
    std::uint64_t used_at = 0;
  };
  struct Answer;

  std::optional<wire::AppendFailure> open_table(const StreamName& stream, const std::string& name,
                                                const std::string& descriptor, std::shared_ptr<Table>& table);
  void append(const wire::AppendRequest& request, const std::shared_ptr<Table>& table, Respond respond);

  Open open_;
  const base::Clock& clock_;
  std::unordered_map<std::string, std::shared_ptr<Table>> tables_;  // by write_stream as sent
  std::string current_;                                             // the last request's write_stream
  bool is_default_ = true;                                          // current_ is a default stream
  bool is_switched_ = false;                                        // the table has changed once
  std::uint64_t uses_ = 0;
};

}  // namespace flytt::gateway::internal
