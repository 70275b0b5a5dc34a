#include "bigquery/storage_write_sink.h"

// Two threads meet here under one lock: the writer, which encodes rows (outside the lock) and hands over whole requests of
// about 2 MB, and the sink's own thread, which waits for gRPC's events and for what is due. The lock is taken a few times
// per request, never per row.

#include <grpcpp/support/time.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "bigquery/internal/flight_book.h"
#include "bigquery/internal/lane.h"
#include "bigquery/internal/row_text.h"
#include "wire/grpc_channel_native.h"
#include "wire/row_decoder.h"

namespace flytt::bigquery {

using base::Deadline;
using base::SteadyTime;

class StorageWriteSink::Impl final : public LaneHost {
 public:
  Impl(Parts parts, StorageWriteOptions options);
  ~Impl() override;

  Status submit(flow::Batch& batch, Deadline deadline);
  Result<std::vector<flow::Receipt>> collect(Deadline deadline);
  std::vector<RefusedRow> take_refused();
  std::vector<TableFailure> take_failures();
  std::vector<LostLane> take_lost();
  void open_lane(std::uint32_t number, const data::TablePath& table, const std::string& write_stream);
  void close_lane(std::uint32_t number);
  void resolve(flow::BatchSequence batch);
  void drop_table(const data::TablePath& table);

 private:
  // Of the writer thread.
  Status send_slice(const data::TableSlice& slice, flow::BatchSequence batch);
  Result<std::shared_ptr<const TableEncoder>> encoder_of(const data::TableSlice& slice);
  void refuse_huge_row(const AppendRequest& request);

  // Of the own thread.
  void run();
  std::chrono::milliseconds until_due();

  // LaneHost, under the lock.
  std::shared_ptr<grpc::Channel> take_channel() override;
  void return_channel(const std::shared_ptr<grpc::Channel>& channel) override;
  grpc::CompletionQueue& queue() override { return queue_; }
  const base::Clock& clock() override { return parts_.clock; }
  base::Random& random() override { return parts_.random; }
  const StorageWriteOptions& options() override { return options_; }
  Result<HttpHeaders> sign_in() override;
  SteadyTime last_success() override { return last_success_; }
  void acknowledged(const AppendRequest& request) override;
  void settled(const AppendRequest& request) override;
  void refused(RefusedRow row) override;
  void resized(std::size_t from_bytes, std::size_t to_bytes) override;
  void repeats() override { ++repeats_; }
  void table_failed(const data::TablePath& table, Error error) override;
  void lane_lost(std::uint32_t number, Error error) override;
  void sink_failed(Error error) override;

  Lane& lane(const data::TableSlice& slice);
  Lane& default_lane(const data::TablePath& table);
  bool is_of_closed_lane(const data::TableSlice& slice) const;
  template <typename Visit>
  void for_all_lanes(Visit visit);
  bool has_room() const { return bytes_in_flight_ < options_.window_bytes && requests_in_flight_ < kWindowRequests; }
  bool has_news() const {
    return failure_ || flights_.has_receipts() || flights_.has_refused() || !table_failures_.empty() || !lost_.empty();
  }

  const Parts parts_;
  const StorageWriteOptions options_;
  base::Metric& requests_;
  base::Metric& bytes_;
  base::Metric& repeats_;
  base::Metric& refused_rows_;
  // Of the writer thread: of each table, the newest last. Lanes that fill one table may know different shapes of it.
  std::map<data::TablePath, std::vector<std::shared_ptr<const TableEncoder>>> encoders_;
  std::map<std::uint32_t, data::TablePath>
      closed_numbers_;  // of lanes that were opened; with the table that they filled

  std::mutex mutex_;
  std::condition_variable room_, news_;
  FlightBook flights_;
  std::map<data::TablePath, std::unique_ptr<Lane>> default_lanes_;
  std::map<std::uint32_t, std::unique_ptr<Lane>> numbered_lanes_;  // of the source's lanes that were opened
  std::vector<std::unique_ptr<Lane>> closed_lanes_;                // until their last event
  std::set<data::TablePath> failed_tables_, dropped_tables_;
  std::vector<TableFailure> table_failures_;
  std::vector<LostLane> lost_;
  std::optional<Error> failure_;
  std::size_t bytes_in_flight_ = 0, requests_in_flight_ = 0;
  SteadyTime last_success_ = SteadyTime::min();
  bool is_closing_ = false;
  std::vector<std::pair<std::shared_ptr<grpc::Channel>, int>> channels_;  // with the number of their calls
  grpc::CompletionQueue queue_;
  std::jthread thread_;
};

StorageWriteSink::Impl::Impl(Parts parts, StorageWriteOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      requests_(parts_.metrics.counter("flytt_bigquery_append_requests_total")),
      bytes_(parts_.metrics.counter("flytt_bigquery_append_bytes_total")),
      repeats_(parts_.metrics.counter("flytt_bigquery_append_repeats_total")),
      refused_rows_(parts_.metrics.counter("flytt_bigquery_refused_rows_total")),
      channels_{{wire::native_channel(parts_.channel), 0}},
      thread_([this] { run(); }) {}

StorageWriteSink::Impl::~Impl() {
  {
    std::lock_guard lock(mutex_);
    is_closing_ = true;
    bool has_calls = false;
    for_all_lanes([&](Lane& one) {
      one.cancel_calls();
      has_calls |= one.has_calls();
    });
    if (!has_calls) queue_.Shutdown();  // else after the last of them
  }
  thread_.join();
}

template <typename Visit>
void StorageWriteSink::Impl::for_all_lanes(Visit visit) {
  for (const auto& [path, one] : default_lanes_) visit(*one);
  for (const auto& [number, one] : numbered_lanes_) visit(*one);
  for (const auto& one : closed_lanes_) visit(*one);
}

std::chrono::milliseconds StorageWriteSink::Impl::until_due() {
  constexpr std::chrono::milliseconds kLongest{1'000};
  SteadyTime due = SteadyTime::max();
  for_all_lanes([&](Lane& one) { due = std::min(due, one.next_due()); });
  if (due == SteadyTime::max()) return kLongest;
  return std::min(kLongest, parts_.clock.left(Deadline{due}));
}

void StorageWriteSink::Impl::run() {
  for (;;) {
    std::chrono::milliseconds wait;
    {
      std::lock_guard lock(mutex_);
      wait = until_due();
    }
    void* tag = nullptr;
    bool is_good = false;
    // One more millisecond, because the remaining time was cut to whole ones.
    const auto status = queue_.AsyncNext(&tag, &is_good, gpr_time_from_millis(wait.count() + 1, GPR_TIMESPAN));
    if (status == grpc::CompletionQueue::SHUTDOWN) return;
    std::lock_guard lock(mutex_);
    if (status == grpc::CompletionQueue::GOT_EVENT) static_cast<AppendEvent*>(tag)->done(is_good);
    bool has_calls = false;
    const SteadyTime now = parts_.clock.steady();
    for_all_lanes([&](Lane& one) {
      if (!is_closing_) one.tick(now);
      has_calls |= one.has_calls();
    });
    std::erase_if(closed_lanes_, [](const auto& one) { return !one->has_calls(); });
    if (is_closing_ && !has_calls && status == grpc::CompletionQueue::GOT_EVENT) queue_.Shutdown();
  }
}

// Lanes are spread over connections by their numbers, which are given out one after the other.
Lane& StorageWriteSink::Impl::default_lane(const data::TablePath& table) {
  std::unique_ptr<Lane>& slot = default_lanes_[table];
  if (!slot) slot = std::make_unique<Lane>(*this, table);
  return *slot;
}

// Entries for quarantine and the like carry no lane, which looks like lane 0; the table tells them apart.
Lane& StorageWriteSink::Impl::lane(const data::TableSlice& slice) {
  const auto found = numbered_lanes_.find(slice.lane);
  if (found != numbered_lanes_.end() && found->second->table() == slice.schema->destination) return *found->second;
  return default_lane(slice.schema->destination);
}

void StorageWriteSink::Impl::open_lane(std::uint32_t number, const data::TablePath& table,
                                       const std::string& write_stream) {
  close_lane(number);
  closed_numbers_.erase(number);
  std::lock_guard lock(mutex_);
  auto made = std::make_unique<Lane>(*this, table, number, write_stream);
  if (dropped_tables_.contains(table)) made->drop();
  numbered_lanes_[number] = std::move(made);
}

void StorageWriteSink::Impl::close_lane(std::uint32_t number) {
  std::lock_guard lock(mutex_);
  const auto found = numbered_lanes_.find(number);
  if (found == numbered_lanes_.end()) return;
  found->second->drop();
  closed_numbers_[number] = found->second->table();
  if (found->second->has_calls()) closed_lanes_.push_back(std::move(found->second));
  numbered_lanes_.erase(found);
}

Result<std::shared_ptr<const TableEncoder>> StorageWriteSink::Impl::encoder_of(const data::TableSlice& slice) {
  auto& known = encoders_[slice.schema->destination];
  for (const auto& one : known) {
    if (one->schema == slice.schema || one->schema->table == slice.schema->table) return one;
  }
  const auto changes =
      slice.schema->table.key.empty() ? wire::ChangeColumns::kNone : wire::ChangeColumns::kTypeAndSequence;
  TRY(wire::RowEncoder encoder, wire::RowEncoder::make(slice.schema->table, changes));
  if (known.size() == kShapesPerTable) known.erase(known.begin());
  known.push_back(std::make_shared<const TableEncoder>(TableEncoder{slice.schema, std::move(encoder)}));
  return known.back();
}

Status StorageWriteSink::Impl::submit(flow::Batch& batch, Deadline deadline) {
  {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return failure_ || has_room(); };
    if (deadline.is_never())
      room_.wait(lock, ready);
    else
      room_.wait_until(lock, deadline.at, ready);
    if (failure_) return *failure_;
    if (!has_room()) return Error(ErrorCode::kTimeout, "the window of rows in flight is full").side(base::Side::kSink);
    flights_.open(batch.sequence);
  }
  const flow::Batch taken = std::move(batch);
  for (const data::TableSlice& slice : taken.tables) {
    TRY_STATUS(send_slice(slice, taken.sequence));
  }
  std::lock_guard lock(mutex_);
  flights_.seal(taken.sequence);
  return ok();
}

// A batch may have been prepared before its lane was taken away. The default stream would take these rows from anybody, so
// they must not fall back to it.
bool StorageWriteSink::Impl::is_of_closed_lane(const data::TableSlice& slice) const {
  const auto found = closed_numbers_.find(slice.lane);
  return found != closed_numbers_.end() && found->second == slice.schema->destination;
}

Status StorageWriteSink::Impl::send_slice(const data::TableSlice& slice, flow::BatchSequence batch) {
  if (is_of_closed_lane(slice)) return ok();
  TRY(const std::shared_ptr<const TableEncoder> encoder, encoder_of(slice));
  const std::size_t rows = slice.row_count();
  for (std::size_t at = 0; at < rows;) {
    const std::size_t from = at;
    wire::RowBuffer buffer;
    // The last row may reach beyond the limit before it is taken back.
    buffer.reserve_more(std::min(options_.request_bytes, slice.byte_size() + 64 * rows) + kRowSlackBytes);
    TRY(at, encoder->encoder.encode(slice, at, rows, options_.request_bytes, buffer));
    const bool is_huge = buffer.size() > kRowBytesMax;
    AppendRequest request{batch, slice.schema, encoder, wire::share(std::move(buffer)), at - from, {}};
    if (is_huge) {
      refuse_huge_row(request);
      continue;
    }
    std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    flights_.add_request(batch);
    bytes_in_flight_ += request.rows.bytes.size();
    ++requests_in_flight_;
    ++requests_;
    bytes_ += static_cast<std::int64_t>(request.rows.bytes.size());
    lane(slice).push(std::move(request));
  }
  return ok();
}

// A request must stay below 10 MB, and this row alone does not fit.
void StorageWriteSink::Impl::refuse_huge_row(const AppendRequest& request) {
  auto split = split_rows(request, {{0, "it has " + std::to_string(request.rows.bytes.size()) +
                                            " bytes, and BigQuery takes at most 10 MB"}});
  RefusedRow row{request.batch, request.schema, {"", "", "the row is too large for BigQuery", "", {}}};
  if (split && !split->refused.empty()) row = std::move(split->refused.front());
  std::lock_guard lock(mutex_);
  refused(std::move(row));
}

Result<std::vector<flow::Receipt>> StorageWriteSink::Impl::collect(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return has_news(); };
  if (deadline.is_never())
    news_.wait(lock, ready);
  else
    news_.wait_until(lock, deadline.at, ready);
  if (!flights_.has_receipts() && failure_) return *failure_;
  return flights_.take_receipts();
}

std::vector<RefusedRow> StorageWriteSink::Impl::take_refused() {
  std::lock_guard lock(mutex_);
  return flights_.take_refused();
}

std::vector<TableFailure> StorageWriteSink::Impl::take_failures() {
  std::lock_guard lock(mutex_);
  return std::exchange(table_failures_, {});
}

std::vector<LostLane> StorageWriteSink::Impl::take_lost() {
  std::lock_guard lock(mutex_);
  return std::exchange(lost_, {});
}

void StorageWriteSink::Impl::resolve(flow::BatchSequence batch) {
  std::lock_guard lock(mutex_);
  flights_.resolve(batch);
}

void StorageWriteSink::Impl::drop_table(const data::TablePath& table) {
  std::lock_guard lock(mutex_);
  dropped_tables_.insert(table);
  default_lane(table).drop();
  for (const auto& [number, one] : numbered_lanes_) {
    if (one->table() == table) one->drop();
  }
}

std::shared_ptr<grpc::Channel> StorageWriteSink::Impl::take_channel() {
  const auto& open_another = parts_.channel.native()->open_another;
  for (auto& [channel, calls] : channels_) {
    if (open_another && calls >= kCallsPerConnectionMax) continue;
    ++calls;
    return channel;
  }
  return channels_.emplace_back(open_another(), 1).first;
}

void StorageWriteSink::Impl::return_channel(const std::shared_ptr<grpc::Channel>& channel) {
  for (auto& [known, calls] : channels_) {
    if (known == channel) --calls;
  }
}

Result<HttpHeaders> StorageWriteSink::Impl::sign_in() {
  if (!parts_.channel.native()->has_tls) return HttpHeaders();
  return bigquery::sign_in(parts_.credentials);
}

void StorageWriteSink::Impl::acknowledged(const AppendRequest&) { last_success_ = parts_.clock.steady(); }

void StorageWriteSink::Impl::settled(const AppendRequest& request) {
  bytes_in_flight_ -= request.rows.bytes.size();
  --requests_in_flight_;
  flights_.settle_request(request.batch);
  room_.notify_one();
  if (flights_.has_receipts()) news_.notify_one();
}

void StorageWriteSink::Impl::refused(RefusedRow row) {
  ++refused_rows_;
  flights_.refuse(std::move(row));
  news_.notify_one();
}

void StorageWriteSink::Impl::resized(std::size_t from_bytes, std::size_t to_bytes) {
  bytes_in_flight_ -= from_bytes - to_bytes;
  room_.notify_one();
}

void StorageWriteSink::Impl::table_failed(const data::TablePath& table, Error error) {
  // Several ways to one table fail one after the other.
  if (failed_tables_.insert(table).second) table_failures_.push_back({table, std::move(error)});
  news_.notify_one();
}

void StorageWriteSink::Impl::lane_lost(std::uint32_t number, Error error) {
  base::log_failure(base::LogLevel::kWarning, "the write stream of a lane was ended by somebody else", error,
                    {{"lane", static_cast<std::uint64_t>(number)}});
  lost_.push_back({number, std::move(error)});
  news_.notify_one();
}

void StorageWriteSink::Impl::sink_failed(Error error) {
  if (!failure_) failure_ = std::move(error);
  for_all_lanes([](Lane& one) { one.cancel_calls(); });
  room_.notify_all();
  news_.notify_all();
}

StorageWriteSink::StorageWriteSink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StorageWriteSink::~StorageWriteSink() = default;

std::unique_ptr<StorageWriteSink> StorageWriteSink::make(Parts parts, StorageWriteOptions options) {
  return std::unique_ptr<StorageWriteSink>(
      new StorageWriteSink(std::make_unique<Impl>(std::move(parts), std::move(options))));
}

Status StorageWriteSink::submit(flow::Batch& batch, Deadline deadline) { return impl_->submit(batch, deadline); }
Result<std::vector<flow::Receipt>> StorageWriteSink::collect(Deadline deadline) { return impl_->collect(deadline); }
std::vector<RefusedRow> StorageWriteSink::take_refused() { return impl_->take_refused(); }
std::vector<TableFailure> StorageWriteSink::take_failures() { return impl_->take_failures(); }
std::vector<LostLane> StorageWriteSink::take_lost() { return impl_->take_lost(); }
void StorageWriteSink::open_lane(std::uint32_t lane, const data::TablePath& table, const std::string& write_stream) {
  impl_->open_lane(lane, table, write_stream);
}
void StorageWriteSink::close_lane(std::uint32_t lane) { impl_->close_lane(lane); }
void StorageWriteSink::resolve(flow::BatchSequence batch) { impl_->resolve(batch); }
void StorageWriteSink::drop_table(const data::TablePath& table) { impl_->drop_table(table); }

}  // namespace flytt::bigquery
