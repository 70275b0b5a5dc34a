#include "bigquery/internal/lane.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"

namespace flytt::bigquery {
namespace {

constexpr base::SteadyTime kNever = base::SteadyTime::max();

wire::AppendFailure own_failure(grpc::StatusCode code, std::string message) {
  return {code, std::move(message), wire::StorageCode::kNone, ""};
}

bool passes_failpoint(const char* name) {
  return !base::failpoints_armed.load(std::memory_order_relaxed) || !base::pass_failpoint(name);
}

}  // namespace

Lane::Lane(LaneHost& host, data::TablePath table)
    : host_(host),
      table_(std::move(table)),
      write_stream_("projects/" + table_.project + "/datasets/" + table_.dataset + "/tables/" + table_.table +
                    "/streams/_default") {}

Lane::Lane(LaneHost& host, data::TablePath table, std::uint32_t number, std::string write_stream)
    : host_(host), table_(std::move(table)), number_(number), write_stream_(std::move(write_stream)) {}

void Lane::push(AppendRequest request) {
  if (state_ == State::kDropped) {
    host_.settled(request);
    return;
  }
  waiting_.push_back(std::move(request));
  pump();
}

void Lane::drop() {
  if (call_ != nullptr) call_->cancel();
  call_ = nullptr;
  state_ = State::kDropped;
  is_seeing_out_ = false;
  for (std::deque<AppendRequest>* requests : {&seen_out_, &in_flight_, &waiting_}) {
    for (const AppendRequest& request : std::exchange(*requests, {})) host_.settled(request);
  }
}

void Lane::cancel_calls() {
  call_ = nullptr;
  state_ = State::kDropped;
  for (const auto& call : calls_) call->cancel();
}

void Lane::pump() {
  while (state_ == State::kWorking && !is_seeing_out_ && !waiting_.empty() &&
         in_flight_.size() < kTableWindowRequests && host_.clock().steady() >= retry_at_) {
    const AppendRequest& next = waiting_.front();
    if (call_ != nullptr && call_encoder_ != next.encoder) {
      if (!in_flight_.empty()) return;  // their answers come first
      call_->half_close();
      call_ = nullptr;
    }
    if (call_ == nullptr && !open_call(next)) return;
    send_next();
  }
}

bool Lane::open_call(const AppendRequest& first) {
  auto headers = host_.sign_in();
  if (!headers) {
    Error error = std::move(headers).error().within("while connecting to the stream of " + object());
    if (error.retry() == base::Retry::kAfterBackoff)  // who gives tokens is away
      trouble(own_failure(grpc::StatusCode::UNAVAILABLE, error.text()));
    else
      host_.sink_failed(std::move(error));
    return false;
  }
  calls_.push_back(std::make_unique<AppendCall>(*this, host_.take_channel(), host_.queue(), write_stream_, *headers));
  call_ = calls_.back().get();
  call_encoder_ = first.encoder;
  is_first_on_call_ = true;
  return true;
}

void Lane::send_next() {
  in_flight_.push_back(std::move(waiting_.front()));
  waiting_.pop_front();
  AppendRequest& request = in_flight_.back();
  if (!passes_failpoint("bigquery.append.before_send"))
    return trouble(own_failure(grpc::StatusCode::UNAVAILABLE, "stopped by a failpoint"));
  request.sent_at = host_.clock().steady();
  wire::AppendRequestHead head;
  if (is_first_on_call_) {
    head.write_stream = write_stream_;
    head.trace_id = host_.options().trace_id;
    head.descriptor = request.encoder->encoder.descriptor();
  }
  is_first_on_call_ = false;
  if (number_) {
    head.offset = rows_sent_;
    rows_sent_ += static_cast<std::int64_t>(request.row_count);
  }
  call_->send(wire::frame_append_request(head, request.rows));
}

void Lane::on_message(AppendCall& call, const grpc::ByteBuffer& message) {
  if (&call != call_) return;  // given up
  const auto response = wire::parse_append_response(message);
  if (!response || in_flight_.empty()) {
    return trouble(
        own_failure(grpc::StatusCode::INTERNAL, response ? "an answer without a request" : response.error().text()));
  }
  answered_at_ = host_.clock().steady();
  answer(*response);
  pump();
}

void Lane::answer(const wire::AppendResponse& response) {
  if (is_seeing_out_) return see_out(response);
  const bool is_there_already = number_ && response.failure.storage_code == wire::StorageCode::kOffsetAlreadyExists;
  if ((response.failure.grpc_code == 0 || is_there_already) && response.row_faults.empty()) {
    if (!passes_failpoint("bigquery.append.after_ack"))
      return trouble(own_failure(grpc::StatusCode::UNAVAILABLE, "stopped by a failpoint"));
    return acknowledge();
  }
  if (response.row_faults.empty()) return trouble(response.failure);
  AppendRequest request = std::move(in_flight_.front());
  in_flight_.pop_front();
  refuse_rows(std::move(request), response);
}

void Lane::acknowledge() {
  const AppendRequest request = std::move(in_flight_.front());
  in_flight_.pop_front();
  rows_answered_ += static_cast<std::int64_t>(request.row_count);
  if (failures_ > 0) base::log_info("appends to bigquery go on", {{"table", table_.text()}, {"failures", failures_}});
  failures_ = 0;
  trouble_.reset();
  host_.acknowledged(request);
  host_.settled(request);
}

void Lane::refuse_rows(AppendRequest request, const wire::AppendResponse& response) {
  auto split = split_rows(request, response.row_faults);
  if (!split || split->refused.empty()) {
    waiting_.push_front(std::move(request));
    return fail(split ? error_of_append(response.failure, object()) : std::move(split).error());
  }
  if (number_ && may_have_ghosts()) {
    in_flight_.push_front(std::move(request));
    return host_.sink_failed(
        Error(ErrorCode::kUnavailable,
              "rows of " + object() + " were refused just after its connection was lost; a new stream is begun")
            .side(base::Side::kSink));
  }
  for (RefusedRow& row : split->refused) host_.refused(std::move(row));
  host_.resized(request.rows.bytes.size(), split->kept.bytes.size());
  request.rows = std::move(split->kept);
  request.row_count -= split->refused.size();
  if (!number_) {
    if (request.rows.bytes.empty()) return host_.settled(request);
    waiting_.push_front(std::move(request));
    return;
  }
  if (request.row_count == 0)
    host_.settled(request);
  else
    seen_out_.push_back(std::move(request));
  is_seeing_out_ = true;
  if (in_flight_.empty()) number_anew();
}

// Behind a request that was refused nothing can have been appended: its place is not the end of the stream.
void Lane::see_out(const wire::AppendResponse& response) {
  if (response.failure.grpc_code == 0 && response.row_faults.empty()) {
    return host_.sink_failed(
        Error(ErrorCode::kCorrupt, object() + " has taken rows at a place beyond its end").side(base::Side::kSink));
  }
  seen_out_.push_back(std::move(in_flight_.front()));
  in_flight_.pop_front();
  if (in_flight_.empty()) number_anew();
}

void Lane::number_anew() {
  is_seeing_out_ = false;
  rows_sent_ = rows_answered_;
  while (!seen_out_.empty()) {
    waiting_.push_front(std::move(seen_out_.back()));
    seen_out_.pop_back();
  }
}

void Lane::take_back() {
  while (!in_flight_.empty()) {
    waiting_.push_front(std::move(in_flight_.back()));
    in_flight_.pop_back();
  }
  ghosts_until_ = std::max(ghosts_until_, rows_sent_);
  rows_sent_ = rows_answered_;
}

void Lane::on_finished(AppendCall& call, const grpc::Status& status) {
  const wire::AppendFailure failure =
      wire::parse_failure_details(status.error_code(), status.error_message(), status.error_details());
  const bool is_current = &call == call_;
  host_.return_channel(call.channel());
  std::erase_if(calls_, [&](const auto& owned) { return owned.get() == &call; });
  if (!is_current) return;
  call_ = nullptr;
  // The server may close a connection at any time; with nothing under way that is no trouble.
  if (in_flight_.empty()) return pump();
  trouble(failure.grpc_code == 0 ? own_failure(grpc::StatusCode::UNAVAILABLE, "the server closed the connection")
                                 : failure);
}

// The connection is given up; what has no answer is sent again on the next one.
void Lane::trouble(const wire::AppendFailure& failure) {
  if (call_ != nullptr) call_->cancel();
  call_ = nullptr;
  const bool was_seeing_out = is_seeing_out_;
  take_back();
  AppendVerdict verdict = verdict_of(failure);
  if (verdict == AppendVerdict::kStreamEnded && !number_) verdict = AppendVerdict::kTableFailed;
  const base::SteadyTime now = host_.clock().steady();
  if (trouble_ != verdict) {
    trouble_ = verdict;
    trouble_since_ = now;
  }
  Error error = error_of_append(failure, object());
  if (verdict == AppendVerdict::kStreamEnded) return lose(std::move(error));
  if (was_seeing_out || failure.storage_code == wire::StorageCode::kOffsetOutOfRange)
    return host_.sink_failed(out_of_step(failure, was_seeing_out));
  switch (verdict) {
    case AppendVerdict::kStreamEnded:
    case AppendVerdict::kSinkFailed: return host_.sink_failed(std::move(error));
    case AppendVerdict::kTableFailed: return fail(std::move(error));
    case AppendVerdict::kMissingTable:
    case AppendVerdict::kSchemaLag:
      if (is_out_of_patience(verdict, now)) return fail(std::move(error));
      break;
    case AppendVerdict::kTransient:
    case AppendVerdict::kThrottled:
      if (!is_out_of_patience(verdict, now)) break;
      if (host_.last_success() > trouble_since_) return fail(std::move(error));
      return host_.sink_failed(std::move(error));
  }
  if (failures_ % 10 == 0)
    base::log_failure(base::LogLevel::kWarning, "appends to bigquery are repeated", error, {{"table", table_.text()}});
  host_.repeats();
  pause(verdict, now);
}

void Lane::lose(Error error) {
  drop();
  host_.lane_lost(*number_, std::move(error));
}

// Which rows the stream has is not known well enough to go on with it; a new one is begun.
Error Lane::out_of_step(const wire::AppendFailure& failure, bool was_seeing_out) const {
  if (was_seeing_out)
    return Error(ErrorCode::kUnavailable,
                 "the connection to " + object() + " was lost while refused rows were taken out; a new stream is begun")
        .side(base::Side::kSink)
        .cause(error_of_append(failure, object()).cause());
  return Error(ErrorCode::kCorrupt, object() + " ends before row " + std::to_string(rows_answered_) +
                                        ", which it has acknowledged; rows may be missing at the destination")
      .side(base::Side::kSink)
      .retry(base::Retry::kAfterBackoff)
      .cause(error_of_append(failure, object()).cause());
}

bool Lane::is_out_of_patience(AppendVerdict verdict, base::SteadyTime now) const {
  const StorageWriteOptions& options = host_.options();
  std::chrono::milliseconds patience = options.transient_patience;
  if (verdict == AppendVerdict::kMissingTable) patience = options.missing_table_patience;
  if (verdict == AppendVerdict::kSchemaLag) patience = options.schema_patience;
  // While other tables get through, this one is given up late, because that costs a new copy of it.
  if (verdict == AppendVerdict::kThrottled ||
      (verdict == AppendVerdict::kTransient && host_.last_success() > trouble_since_)) {
    patience = std::max(options.throttle_patience, options.transient_patience);
  }
  return now - trouble_since_ >= patience;
}

// Full jitter below a ceiling that doubles.
void Lane::pause(AppendVerdict verdict, base::SteadyTime now) {
  const bool throttled = verdict == AppendVerdict::kThrottled;
  std::chrono::milliseconds ceiling = throttled ? host_.options().throttle_backoff_min : host_.options().backoff_min;
  const std::chrono::milliseconds most = throttled ? host_.options().throttle_backoff_max : host_.options().backoff_max;
  for (int i = 0; i < failures_ && ceiling < most; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, most);
  ++failures_;
  retry_at_ = now + std::chrono::milliseconds(host_.random().below(static_cast<std::uint64_t>(ceiling.count()) + 1));
}

void Lane::fail(Error error) {
  if (call_ != nullptr) call_->cancel();
  call_ = nullptr;
  take_back();
  state_ = State::kFailed;
  host_.table_failed(table_, std::move(error));
}

void Lane::tick(base::SteadyTime now) {
  if (state_ != State::kWorking) return;
  if (!in_flight_.empty() &&
      now >= std::max(in_flight_.front().sent_at, answered_at_) + host_.options().answer_timeout) {
    trouble(own_failure(grpc::StatusCode::DEADLINE_EXCEEDED, "no answer came in time"));
  }
  if (now >= retry_at_) pump();
}

base::SteadyTime Lane::next_due() const {
  if (state_ != State::kWorking) return kNever;
  if (!in_flight_.empty()) return std::max(in_flight_.front().sent_at, answered_at_) + host_.options().answer_timeout;
  return waiting_.empty() ? kNever : retry_at_;
}

}  // namespace flytt::bigquery
