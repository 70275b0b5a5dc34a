#pragma once
// Lane: the way of one table's requests to its default stream.
//
//   push ──▶ waiting ──send──▶ in flight ──answer──▶ settled
//               ▲                  │
//               └── trouble: new connection after a pause, unanswered requests first
//
// Requests of another row shape wait until the ones before are answered; then a new connection with the new descriptor is
// opened. Used under the sink's lock, by the writer and by the sink's own thread.

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "bigquery/internal/append_call.h"
#include "bigquery/internal/append_request.h"
#include "bigquery/internal/errors.h"

namespace flytt::bigquery {

// The sink, as its lanes see it.
class LaneHost {
 public:
  virtual ~LaneHost() = default;
  virtual std::shared_ptr<grpc::Channel> take_channel() = 0;  // for one call
  virtual void return_channel(const std::shared_ptr<grpc::Channel>& channel) = 0;
  virtual grpc::CompletionQueue& queue() = 0;
  virtual const base::Clock& clock() = 0;
  virtual base::Random& random() = 0;
  virtual const StorageWriteOptions& options() = 0;
  virtual Result<std::string> token() = 0;      // empty when none is to be sent
  virtual base::SteadyTime last_success() = 0;  // of any lane
  virtual void acknowledged(const AppendRequest& request) = 0;
  virtual void settled(const AppendRequest& request) = 0;  // after acknowledged, refused or given up
  virtual void refused(RefusedRow row) = 0;
  virtual void resized(std::size_t from_bytes, std::size_t to_bytes) = 0;
  virtual void repeats() = 0;
  virtual void table_failed(const data::TablePath& table, Error error) = 0;
  virtual void sink_failed(Error error) = 0;
};

class Lane final : public CallOwner {
 public:
  Lane(LaneHost& host, data::TablePath table);

  void push(AppendRequest request);
  void drop();                      // gives up everything, now and later
  void tick(base::SteadyTime now);  // acts on what is due
  base::SteadyTime next_due() const;
  void cancel_calls();
  bool has_calls() const { return !calls_.empty(); }

  void on_message(AppendCall& call, const grpc::ByteBuffer& message) override;
  void on_finished(AppendCall& call, const grpc::Status& status) override;

 private:
  enum class State { kWorking, kFailed, kDropped };

  void pump();
  bool open_call(const AppendRequest& first);
  void send_next();
  void answer(const wire::AppendResponse& response);
  void refuse_rows(AppendRequest request, const wire::AppendResponse& response);
  void trouble(const wire::AppendFailure& failure);
  void pause(AppendVerdict verdict, base::SteadyTime now);
  bool is_out_of_patience(AppendVerdict verdict, base::SteadyTime now) const;
  void fail(Error error);
  std::string object() const { return "table " + table_.text(); }

  LaneHost& host_;
  const data::TablePath table_;
  const std::string write_stream_;
  State state_ = State::kWorking;
  std::deque<AppendRequest> waiting_, in_flight_;
  std::vector<std::unique_ptr<AppendCall>> calls_;    // until their last event
  AppendCall* call_ = nullptr;                        // the one that is written to
  std::shared_ptr<const TableEncoder> call_encoder_;  // whose descriptor that call knows
  bool is_first_on_call_ = true;
  base::SteadyTime answered_at_{};
  int failures_ = 0;  // in a row
  std::optional<AppendVerdict> trouble_;
  base::SteadyTime trouble_since_{}, retry_at_{};
};

}  // namespace flytt::bigquery
