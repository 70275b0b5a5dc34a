#pragma once
// Lane: the way of requests to one write stream: the default stream of a table, or the COMMITTED stream of a lane of the
// source.
//
//   push ──▶ waiting ──send──▶ in flight ──answer──▶ settled
//               ▲                  │
//               └── trouble: new connection after a pause, unanswered requests first
//
// Requests of another row shape wait until the ones before are answered; then a new connection with the new descriptor is
// opened. Used under the sink's lock, by the writer and by the sink's own thread.
//
// In a COMMITTED stream a request says at which row it stands. Repeating one is harmless: what is there already is
// answered with ALREADY_EXISTS. When rows are refused the ones behind them move up: what is in flight is seen out first (it
// fails, because its place lies beyond the end), then all of it gets new numbers. A request that a lost connection may
// still carry somewhere has an old number; while such ghosts could land, nothing is numbered anew, and the sink ends so
// that a new stream is begun.

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "bigquery/internal/append_call.h"
#include "bigquery/http_transport.h"
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
  virtual Result<HttpHeaders> sign_in() = 0;    // empty when nothing is to be sent
  virtual base::SteadyTime last_success() = 0;  // of any lane
  virtual void acknowledged(const AppendRequest& request) = 0;
  virtual void settled(const AppendRequest& request) = 0;  // after acknowledged, refused or given up
  virtual void refused(RefusedRow row) = 0;
  virtual void resized(std::size_t from_bytes, std::size_t to_bytes) = 0;
  virtual void repeats() = 0;
  virtual void table_failed(const data::TablePath& table, Error error) = 0;
  virtual void lane_lost(std::uint32_t lane, Error error) = 0;
  virtual void sink_failed(Error error) = 0;
};

class Lane final : public CallOwner {
 public:
  Lane(LaneHost& host, data::TablePath table);  // the default stream
  Lane(LaneHost& host, data::TablePath table, std::uint32_t number, std::string write_stream);

  const data::TablePath& table() const { return table_; }
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
  void acknowledge();
  void see_out(const wire::AppendResponse& response);
  void number_anew();
  void take_back();  // what is in flight waits again
  bool may_have_ghosts() const { return rows_answered_ < ghosts_until_; }
  void trouble(const wire::AppendFailure& failure);
  void pause(AppendVerdict verdict, base::SteadyTime now);
  bool is_out_of_patience(AppendVerdict verdict, base::SteadyTime now) const;
  void fail(Error error);
  void lose(Error error);
  Error out_of_step(const wire::AppendFailure& failure, bool was_seeing_out) const;
  std::string object() const { return number_ ? "write stream " + write_stream_ : "table " + table_.text(); }

  LaneHost& host_;
  const data::TablePath table_;
  const std::optional<std::uint32_t>
      number_;  // of the source's lane; without: the default stream, which has no offsets
  const std::string write_stream_;
  State state_ = State::kWorking;
  std::deque<AppendRequest> waiting_, in_flight_;
  std::vector<std::unique_ptr<AppendCall>> calls_;    // until their last event
  AppendCall* call_ = nullptr;                        // the one that is written to
  std::shared_ptr<const TableEncoder> call_encoder_;  // whose descriptor that call knows
  bool is_first_on_call_ = true;
  base::SteadyTime answered_at_{};
  int failures_ = 0;  // in a row
  // Of a COMMITTED stream.
  std::int64_t rows_answered_ = 0;  // the stream's end, as far as it is known
  std::int64_t rows_sent_ = 0;      // with what is in flight
  std::int64_t ghosts_until_ = 0;   // the end of what a lost connection may still carry
  bool is_seeing_out_ = false;      // rows were refused, and answers to what was behind them are awaited
  std::deque<AppendRequest> seen_out_;
  std::optional<AppendVerdict> trouble_;
  base::SteadyTime trouble_since_{}, retry_at_{};
};

}  // namespace flytt::bigquery
