#include "warehouse/internal/writer.h"

#include <algorithm>
#include <limits>

#include "base/failpoint.h"
#include "base/log.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kAllRows = std::numeric_limits<std::int64_t>::max();
constexpr auto kGroup = static_cast<std::int64_t>(kRowGroupRows);

Error closing() {
  return Error(ErrorCode::kUnavailable, "the warehouse is closing: nothing of this was kept").cause("backendError");
}

Error table_gone(const RowBatch& batch) {
  return Error(ErrorCode::kNotFound, "Not found: Table " + batch.version->info.path.project + ":" +
                                         batch.version->info.path.dataset + "." + batch.version->info.path.table)
      .cause("notFound");
}

void answer(RowBatch& batch, const Status& status) {
  batch.chunks.clear();
  batch.owner.reset();
  AppendDone done = std::move(batch.done);
  const bool has_offset = status && batch.stream;
  done(AppendOutcome{status, {}, has_offset ? std::optional<std::int64_t>(batch.offset) : std::nullopt});
}

}  // namespace

Writer::Writer(Connection connection, const base::Clock& clock, base::Metrics& metrics,
               std::function<void()> after_commit)
    : connection_(std::move(connection)),
      clock_(clock),
      after_commit_(std::move(after_commit)),
      store_(connection_),
      rows_metric_(metrics.counter("flytt_warehouse_appended_rows_total")),
      commits_metric_(metrics.counter("flytt_warehouse_commits_total")),
      queue_metric_(metrics.gauge("flytt_warehouse_queue_bytes")),
      thread_([this] { loop(); }) {}

Writer::~Writer() { stop(); }

void Writer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  not_empty_.notify_all();
  not_full_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status Writer::enqueue(std::unique_ptr<RowBatch>& batch, base::Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto has_room = [&] {
    return stopping_ || queued_bytes_ == 0 || queued_bytes_ + batch->bytes <= kQueueBytesMax;
  };
  if (!has_room()) {
    if (deadline.is_never()) {
      not_full_.wait(lock, has_room);
    } else if (!not_full_.wait_until(lock, deadline.at, has_room)) {
      return Error(ErrorCode::kTimeout, "the warehouse's queue stayed full: nothing of this was kept")
          .cause("backendError");
    }
  }
  if (stopping_) return closing();
  queued_bytes_ += batch->bytes;
  queue_metric_.store(static_cast<std::int64_t>(queued_bytes_), std::memory_order_relaxed);
  queue_.push_back(Entry{std::move(batch), nullptr});
  lock.unlock();
  not_empty_.notify_one();
  return ok();
}

Status Writer::run(const std::vector<std::int64_t>& tables, std::function<Status(Connection&)> work) {
  auto task = std::make_unique<Task>();
  task->tables = tables;
  task->work = std::move(work);
  std::future<Status> done = task->done.get_future();
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return closing();
    queue_.push_back(Entry{nullptr, std::move(task)});
  }
  not_empty_.notify_one();
  return done.get();
}

bool Writer::take(std::deque<Entry>& entries) {
  std::unique_lock lock(mutex_);
  const auto has_work = [&] { return stopping_ || !queue_.empty(); };
  const base::Deadline ripe = next_ripe();
  if (ripe.is_never()) {
    not_empty_.wait(lock, has_work);
  } else {
    not_empty_.wait_until(lock, ripe.at, has_work);
  }
  entries.swap(queue_);
  return !(stopping_ && entries.empty());
}

void Writer::loop() {
  std::deque<Entry> entries;
  while (take(entries)) {
    for (Entry& entry : entries) {
      if (entry.batch) {
        accept(std::move(entry.batch));
        continue;
      }
      work_off(true);
      for (const std::int64_t table : entry.task->tables) store_.forget(table);
      entry.task->done.set_value(entry.task->work(connection_));
    }
    entries.clear();
    work_off(false);
  }
  work_off(true);
}

bool Writer::is_bulk(const RowBatch& batch, base::SteadyTime now) {
  const bool is_large = batch.rows >= static_cast<std::int64_t>(kBulkRowsMin);
  if (!batch.stream) return is_large;
  if (is_large) batch.stream->bulk_at = now;
  return batch.stream->bulk_at && now - *batch.stream->bulk_at < milliseconds(kBulkMillisMax);
}

void Writer::accept(std::unique_ptr<RowBatch> batch) {
  TableState& table = *batch->table;
  const ReadState state = table.read_state();
  const base::SteadyTime now = clock_.steady();
  const std::int64_t id = batch->is_staged() ? batch->stream->number : table.id;
  const bool bulk = is_bulk(*batch, now);
  bool direct = false;
  if (state.dropped) {
    Transaction nothing;
    nothing.finished.push_back(std::move(batch));
    settle(nothing, table_gone(*nothing.finished.front()));
    return;
  }
  if (batch->is_staged() || !batch->version->is_mirror()) {
    // Never in both lanes at once: the offsets of a stream rise from one batch to the next.
    direct = small_.count(id) == 0 && (bulk || direct_.count(id) != 0);
  } else {
    const bool uniform =
        batch->is_change && !batch->has_deletes && batch->least == batch->newest && !table.version()->wide;
    if (uniform && table.is_virgin()) table.start_load(batch->newest);
    const auto load = table.loading();
    direct = uniform && load == batch->newest;
    const bool meets = load && !(batch->newest < *load) && !(*load < batch->least);
    if (!direct && load && (!batch->is_change || meets)) {
      table.end_load();
      if (const auto waiting = direct_.find(id); waiting != direct_.end()) waiting->second.hurry = true;
    }
  }
  Lane& lane = direct ? direct_[id] : small_[id];
  if (lane.batches.empty()) lane.oldest = now;
  lane.table = batch->table;
  if (batch->is_staged()) lane.staged = batch->stream;
  lane.direct = direct;
  lane.newest = now;
  lane.rows += batch->rows;
  lane.bytes += batch->bytes;
  if (!bulk) lane.hurry = true;
  lane.batches.push_back(std::move(batch));
}

bool Writer::is_ripe(const Lane& lane, base::SteadyTime now) const {
  return lane.hurry || lane.bytes >= kBulkBytesMax || now >= lane.newest + milliseconds(kBulkGapMillis) ||
         now >= lane.oldest + milliseconds(kBulkMillisMax);
}

base::Deadline Writer::next_ripe() const {
  base::Deadline next;
  for (const auto& [id, lane] : direct_)
    next = next.earlier(
        {std::min(lane.newest + milliseconds(kBulkGapMillis), lane.oldest + milliseconds(kBulkMillisMax))});
  return next;
}

void Writer::work_off(bool everything) {
  // Whole row groups wait until the small rows are answered; both are done before new rows are looked at.
  const base::SteadyTime now = clock_.steady();
  std::vector<Lane*> group;
  for (auto& [id, lane] : direct_)
    if (lane.hurry || (lane.rows < kGroup && (everything || is_ripe(lane, now)))) group.push_back(&lane);
  for (auto& [id, lane] : small_) group.push_back(&lane);
  if (!group.empty()) commit(group, kAllRows);
  for (auto& [id, lane] : direct_) {
    if (lane.rows >= kGroup) commit({&lane}, std::min<std::int64_t>(lane.rows / kGroup * kGroup, kCommitRowsMax));
    while (everything && lane.rows > 0) commit({&lane}, kAllRows);
    if (!lane.batches.empty()) lane.oldest = now;
  }
  small_.clear();
  for (auto at = direct_.begin(); at != direct_.end();)
    at = at->second.batches.empty() ? direct_.erase(at) : std::next(at);
}

Status Writer::transact(const std::vector<Lane*>& lanes, std::int64_t rows_max, Transaction& transaction) {
  const bool commits_itself = RowStore::is_one_append(lanes, rows_max);
  if (!commits_itself) TRY_STATUS(connection_.run("BEGIN"));
  for (Lane* lane : lanes) TRY_STATUS(store_.store(*lane, rows_max, transaction));
  if (!commits_itself) TRY_STATUS(store_.finish(transaction, clock_.wall_micros()));
  FAILPOINT_ERROR("warehouse.commit.before");
  TRY_STATUS(commits_itself ? store_.finish(transaction, clock_.wall_micros()) : connection_.run("COMMIT"));
  FAILPOINT("warehouse.commit.after");
  return ok();
}

void Writer::commit(const std::vector<Lane*>& lanes, std::int64_t rows_max) {
  Transaction transaction;
  const Status status = transact(lanes, rows_max, transaction);
  if (!status) {
    store_.abandon();
    connection_.roll_back();
    base::log_failure(base::LogLevel::kError, "rows could not be stored", status.error());
    // Nothing of this transaction is kept: every batch that it touched is answered with the error.
    for (Lane* lane : lanes) {
      while (!lane->batches.empty()) {
        transaction.finished.push_back(std::move(lane->batches.front()));
        lane->batches.pop_front();
      }
      lane->rows = 0;
      lane->bytes = 0;
      lane->next_chunk = 0;
    }
  }
  settle(transaction, status);
}

void Writer::settle(Transaction& transaction, const Status& status) {
  const base::SteadyTime now = clock_.steady();
  const std::int64_t wall = clock_.wall_micros();
  for (const Transaction::Part& part : transaction.parts) {
    if (part.has_log) part.table->after_log_commit(status.has_value(), now);
    if (part.has_direct) part.table->after_direct_commit(status.has_value());
    if (!status) continue;
    if (part.saved_load) part.table->load_saved();
    part.table->after_append(part.base_rows, wall);
  }
  for (const auto& stream : transaction.streams) status ? stream->keep_taken(wall) : stream->give_back();
  if (status) {
    rows_metric_ += transaction.rows;
    ++commits_metric_;
  }
  std::size_t bytes = 0;
  for (const auto& batch : transaction.finished) bytes += batch->bytes;
  for (const auto& [batch, error] : transaction.refused) bytes += batch->bytes;
  {
    std::lock_guard lock(mutex_);
    queued_bytes_ -= bytes;
    queue_metric_.store(static_cast<std::int64_t>(queued_bytes_), std::memory_order_relaxed);
  }
  not_full_.notify_all();
  for (const auto& batch : transaction.finished) answer(*batch, status);
  // What refused a batch may have been rows of this very transaction.
  for (auto& [batch, error] : transaction.refused) answer(*batch, status ? Status(std::move(error)) : status);
  if (after_commit_ && !transaction.parts.empty()) after_commit_();
}

}  // namespace flytt::warehouse::internal
