#include "gateway/bigquery/internal/append_stream.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

grpc::Status status_of(const wire::AppendFailure& failure) {
  return {static_cast<grpc::StatusCode>(failure.grpc_code), failure.message, wire::frame_failure_details(failure)};
}

// The answer of a durable append gets lost on its way, and the connection with it.
bool loses_answer() {
  return base::failpoints_armed.load(std::memory_order_relaxed) &&
         base::pass_failpoint("gateway.append.drop_answer").has_value();
}

// A call that ends before it began.
class RefusedCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedCall(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

AppendCalls::AppendCalls(AppendConnection::Open open_table, const base::Clock& its_clock, base::Metrics& metrics)
    : open(std::move(open_table)),
      clock(its_clock),
      budget(kAppendBytesMax),
      requests_metric(metrics.counter("flytt_append_requests_total")),
      failures_metric(metrics.counter("flytt_append_failures_total")),
      bytes_metric(metrics.gauge("flytt_append_bytes_unanswered")),
      streams_metric_(metrics.gauge("flytt_append_streams")) {
  for (int i = 0; i < kAppendWorkersMax; ++i) workers_.emplace_back([this](std::stop_token stop) { work(stop); });
}

AppendCalls::~AppendCalls() {
  for (std::jthread& worker : workers_) worker.request_stop();
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* AppendCalls::start() {
  auto stream = std::make_shared<AppendStream>(*this);
  {
    std::lock_guard lock(mutex_);
    if (is_draining_) return new RefusedCall({grpc::StatusCode::UNAVAILABLE, "the server is shutting down"});
    if (streams_.size() >= kAppendStreamsMax)
      return new RefusedCall(
          {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many AppendRows connections: at most 256 are allowed"});
    streams_.insert(stream.get());
    streams_metric_.store(static_cast<std::int64_t>(streams_.size()));
  }
  AppendStream* const raw = stream.get();
  raw->begin(std::move(stream));
  return raw;
}

void AppendCalls::drain() {
  std::vector<std::shared_ptr<AppendStream>> streams;
  {
    std::lock_guard lock(mutex_);
    is_draining_ = true;
    for (AppendStream* stream : streams_)
      if (auto alive = stream->weak_from_this().lock()) streams.push_back(std::move(alive));
  }
  for (const auto& stream : streams) stream->drain();
}

void AppendCalls::left(AppendStream* stream) {
  std::lock_guard lock(mutex_);
  streams_.erase(stream);
  streams_metric_.store(static_cast<std::int64_t>(streams_.size()));
}

void AppendCalls::schedule(std::shared_ptr<AppendStream> stream) {
  {
    std::lock_guard lock(mutex_);
    scheduled_.push_back(std::move(stream));
  }
  work_came_.notify_one();
}

void AppendCalls::work(std::stop_token stop) {
  while (true) {
    std::shared_ptr<AppendStream> stream;
    {
      std::unique_lock lock(mutex_);
      if (!work_came_.wait(lock, stop, [this] { return !scheduled_.empty(); })) return;
      stream = std::move(scheduled_.front());
      scheduled_.pop_front();
    }
    stream->work();
  }
}

void AppendStream::begin(std::shared_ptr<AppendStream> self) {
  std::lock_guard lock(mutex_);
  self_ = std::move(self);
  go_on();
}

void AppendStream::drain() {
  std::lock_guard lock(mutex_);
  is_draining_ = true;
  maybe_finish();
}

void AppendStream::abort(grpc::Status status) {
  if (is_aborted_) return;
  is_aborted_ = true;
  status_ = std::move(status);
  requests_.clear();
}

void AppendStream::OnReadDone(bool is_good) {
  const auto alive = shared_from_this();
  std::lock_guard lock(mutex_);
  is_reading_ = false;
  if (!is_good) {
    has_all_requests_ = true;
  } else if (!is_aborted_) {
    auto slot = std::make_shared<Slot>();
    slot->bytes = read_buffer_.Length();
    bytes_ += slot->bytes;
    calls_.budget.take(slot->bytes);
    calls_.bytes_metric.fetch_add(static_cast<std::int64_t>(slot->bytes), std::memory_order_relaxed);
    calls_.requests_metric.fetch_add(1, std::memory_order_relaxed);
    slots_.push_back(slot);
    requests_.emplace_back(std::move(slot), std::move(read_buffer_));
    read_buffer_ = grpc::ByteBuffer();
    if (!is_scheduled_) {
      is_scheduled_ = true;
      calls_.schedule(alive);
    }
  }
  go_on();
}

void AppendStream::work() {
  std::shared_ptr<Slot> slot;
  grpc::ByteBuffer bytes;
  {
    std::lock_guard lock(mutex_);
    if (requests_.empty()) {
      is_scheduled_ = false;
      go_on();
      return;
    }
    slot = std::move(requests_.front().first);
    bytes = std::move(requests_.front().second);
    requests_.pop_front();
    ++undecided_;
  }
  std::optional<wire::AppendFailure> failure;
  const auto request = wire::parse_append_request(bytes);
  bytes.Clear();
  if (!request) {
    failure = wire::AppendFailure{
        grpc::StatusCode::INVALID_ARGUMENT, request.error().sentence(), wire::StorageCode::kNone, {}};
  } else {
    failure = connection_.handle(*request, [alive = shared_from_this(), slot](wire::AppendResponse response) {
      alive->on_answer(slot, std::move(response));
    });
  }
  std::lock_guard lock(mutex_);
  if (failure) {
    --undecided_;
    abort(status_of(*failure));
  }
  is_scheduled_ = !requests_.empty();
  if (is_scheduled_) calls_.schedule(shared_from_this());
  go_on();
}

void AppendStream::on_answer(const std::shared_ptr<Slot>& slot, wire::AppendResponse response) {
  const bool is_good = response.failure.grpc_code == 0;
  const bool is_lost = is_good && loses_answer();
  if (!is_good) calls_.failures_metric.fetch_add(1, std::memory_order_relaxed);
  grpc::ByteBuffer bytes = wire::frame_append_response(response);
  std::lock_guard lock(mutex_);
  --undecided_;
  slot->answer = std::move(bytes);
  if (is_lost) abort({grpc::StatusCode::UNAVAILABLE, "the connection was lost"});
  go_on();
}

void AppendStream::OnWriteDone(bool is_good) {
  const auto alive = shared_from_this();
  std::size_t given;
  {
    std::lock_guard lock(mutex_);
    given = slots_.front()->bytes;
    bytes_ -= given;
    slots_.pop_front();
  }
  // Given back before the call can end: whoever sees its end finds the budget settled.
  calls_.bytes_metric.fetch_sub(static_cast<std::int64_t>(given), std::memory_order_relaxed);
  calls_.budget.give(given);
  std::lock_guard lock(mutex_);
  is_writing_ = false;
  if (!is_good) abort(grpc::Status::CANCELLED);
  go_on();
}

void AppendStream::OnCancel() {
  const auto alive = shared_from_this();
  std::lock_guard lock(mutex_);
  abort(grpc::Status::CANCELLED);
  go_on();
}

void AppendStream::go_on() {
  if (is_finished_) return;
  if (!is_writing_ && !is_aborted_ && !slots_.empty() && slots_.front()->answer) {
    is_writing_ = true;
    StartWrite(&*slots_.front()->answer);
  }
  const bool wants_more = !is_reading_ && !has_all_requests_ && !is_draining_ && !is_aborted_ &&
                          !is_waiting_for_budget_ && bytes_ < kAppendStreamBytesMax &&
                          slots_.size() < kAppendStreamRequestsMax;
  if (wants_more) {
    const auto wake = [weak = weak_from_this()] {
      const auto alive = weak.lock();
      if (alive == nullptr) return;
      std::lock_guard lock(alive->mutex_);
      alive->is_waiting_for_budget_ = false;
      alive->go_on();
    };
    is_waiting_for_budget_ = !calls_.budget.may_read(wake);
    if (!is_waiting_for_budget_) {
      is_reading_ = true;
      StartRead(&read_buffer_);
    }
  }
  maybe_finish();
}

void AppendStream::maybe_finish() {
  if (is_finished_ || is_writing_ || is_scheduled_ || undecided_ > 0) return;
  const bool is_settled = slots_.empty() && requests_.empty();
  if (!is_aborted_ && !(is_settled && (has_all_requests_ || is_draining_))) return;
  is_finished_ = true;
  if (!is_aborted_ && !has_all_requests_)
    status_ = {grpc::StatusCode::UNAVAILABLE, "the server is shutting down; connect again"};
  Finish(status_);
}

void AppendStream::OnDone() {
  std::size_t given;
  std::shared_ptr<AppendStream> self;
  {
    std::lock_guard lock(mutex_);
    given = bytes_;
    slots_.clear();
    self = std::move(self_);
  }
  calls_.bytes_metric.fetch_sub(static_cast<std::int64_t>(given), std::memory_order_relaxed);
  calls_.budget.give(given);
  calls_.left(this);
}

}  // namespace flytt::gateway::internal
