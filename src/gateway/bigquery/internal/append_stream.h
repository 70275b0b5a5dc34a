#pragma once
// One AppendRows call: reads requests as bytes, has them decoded on a worker thread, and writes the answers in the order
// of the requests while later requests are on their way. Slow to include.
//
// Back-pressure: nothing is read while too many bytes (of this call, or of all calls) or too many requests are unanswered.
// The call ends when the other side has closed and everything is answered; when the server drains (UNAVAILABLE, after the
// answers); or at once after a failure of the connection, and then what was not answered yet stays so.
//
// Lives until gRPC says OnDone and no worker or append holds it.

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "gateway/bigquery/internal/append_budget.h"
#include "gateway/bigquery/internal/append_connection.h"

namespace flytt::gateway::internal {

class AppendStream;

// What all calls share: worker threads, the budget, and the list of calls.
class AppendCalls {
 public:
  AppendCalls(AppendConnection::Open open, const base::Clock& clock, base::Metrics& metrics);
  ~AppendCalls();  // after all calls have ended

  // The reactor of a new call; gRPC and the call itself own it.
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* start();
  // Ends every call after its answers, and every new one at once.
  void drain();

  void schedule(std::shared_ptr<AppendStream> stream);
  void left(AppendStream* stream);

  const AppendConnection::Open open;
  const base::Clock& clock;
  AppendBudget budget;
  base::Metric& requests_metric;
  base::Metric& failures_metric;
  base::Metric& bytes_metric;

 private:
  void work(std::stop_token stop);

  std::mutex mutex_;
  std::condition_variable_any work_came_;
  std::deque<std::shared_ptr<AppendStream>> scheduled_;
  std::set<AppendStream*> streams_;
  bool is_draining_ = false;
  base::Metric& streams_metric_;
  std::vector<std::jthread> workers_;
};

class AppendStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                           public std::enable_shared_from_this<AppendStream> {
 public:
  explicit AppendStream(AppendCalls& calls) : calls_(calls), connection_(calls.open, calls.clock) {}

  void begin(std::shared_ptr<AppendStream> self);
  void drain();
  // Decodes one request. Called by one worker at a time.
  void work();

  void OnReadDone(bool is_good) override;
  void OnWriteDone(bool is_good) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // A request that is not answered yet.
  struct Slot {
    std::size_t bytes = 0;
    std::optional<grpc::ByteBuffer> answer;
  };

  void on_answer(const std::shared_ptr<Slot>& slot, wire::AppendResponse response);
  // These need the mutex.
  void abort(grpc::Status status);
  void go_on();  // starts whatever can be started now
  void maybe_finish();

  AppendCalls& calls_;
  AppendConnection connection_;
  std::shared_ptr<AppendStream> self_;  // until OnDone

  std::mutex mutex_;
  grpc::ByteBuffer read_buffer_;
  std::deque<std::pair<std::shared_ptr<Slot>, grpc::ByteBuffer>> requests_;  // read, not decoded
  std::deque<std::shared_ptr<Slot>> slots_;                                  // in the order of the requests
  std::size_t bytes_ = 0;                                                    // of the slots
  std::size_t undecided_ = 0;  // decoded requests whose outcome is not known
  bool is_reading_ = false, is_writing_ = false, is_scheduled_ = false, is_waiting_for_budget_ = false;
  bool has_all_requests_ = false;  // the other side has closed its half
  bool is_draining_ = false, is_aborted_ = false, is_finished_ = false;
  grpc::Status status_;
};

}  // namespace flytt::gateway::internal
