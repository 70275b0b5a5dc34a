// Write streams of the warehouse: each change is one transaction on the writer thread, where rows and offsets are, too.

#include "warehouse/write_streams.h"

#include <algorithm>
#include <set>

#include "base/failpoint.h"
#include "base/log.h"
#include "warehouse/internal/append_session.h"
#include "warehouse/internal/stream_store.h"
#include "warehouse/internal/warehouse_impl.h"
#include "warehouse/limits.h"

namespace flytt::warehouse {

using namespace internal;

namespace {

Error not_finalized() {
  return Error(ErrorCode::kBadData, "Stream must be finalized before it is committed.").cause("INVALID_STREAM_STATE");
}

Error already_committed() {
  return Error(ErrorCode::kConflict, "Stream is already committed.").cause("STREAM_ALREADY_COMMITTED");
}

// What stands in the way of committing the stream.
std::optional<Error> commit_obstacle(const StreamState* stream, const std::string& id, const data::TablePath& table) {
  if (stream == nullptr || stream->is_gone() || !(stream->table->version()->info.path == table))
    return stream_not_found(id);
  if (stream->kind != StreamKind::kPending) return wrong_stream_kind("pending", stream->kind);
  const StreamFacts facts = stream->facts();
  if (facts.committed_micros != 0) return already_committed();
  if (!facts.finalized) return not_finalized();
  return std::nullopt;
}

}  // namespace

Status WarehouseImpl::open_streams(Connection& connection) {
  TRY_STATUS(prepare_streams(connection));
  TRY(const std::vector<SavedStream> saved, load_streams(connection));
  const auto tables = directory_.all_tables();
  for (const SavedStream& stream : saved) {
    const auto table =
        std::find_if(tables.begin(), tables.end(), [&](const auto& each) { return each->id == stream.table_id; });
    if (table == tables.end())
      return Error(ErrorCode::kCorrupt,
                   "write stream " + std::to_string(stream.number) + " belongs to a table that is not in the file");
    streams_.put(
        std::make_shared<StreamState>(stream.number, stream.kind, *table, stream.created_micros, stream.facts));
  }
  return ok();
}

Result<std::shared_ptr<StreamState>> WarehouseImpl::find_stream(const StreamPath& path) const {
  TRY(const std::shared_ptr<TableState> table, find_table(path.table));
  std::shared_ptr<StreamState> stream = streams_.find(path.id);
  if (!stream || stream->table->id != table->id || stream->is_expired(clock_.wall_micros()))
    return stream_not_found(path.id);
  return stream;
}

Result<WriteStream> WarehouseImpl::create_stream(const data::TablePath& path, StreamKind kind) {
  std::lock_guard lock(definitions_);
  TRY(std::shared_ptr<TableState> table, find_table(path));
  if (streams_.size() >= kWriteStreamsMax)
    return Error(ErrorCode::kThrottled, "there are " + std::to_string(kWriteStreamsMax) +
                                            " write streams: use those that exist, or wait until idle ones expire")
        .cause("rateLimitExceeded");
  const std::int64_t now = clock_.wall_micros();
  StreamFacts facts;
  facts.used_micros = now;
  const auto stream = std::make_shared<StreamState>(next_id_, kind, std::move(table), now, facts);
  TRY_STATUS(transact(
      {}, [&](Connection& connection) { return insert_stream(connection, *stream); }, [&] { streams_.put(stream); }));
  ++next_id_;
  return stream->describe();
}

// `change` looks at what is committed and says what shall be, inside the transaction that saves it.
Status WarehouseImpl::change_stream(const std::shared_ptr<StreamState>& stream,
                                    const std::function<Status(Connection&, StreamFacts&)>& change) {
  StreamFacts facts;
  return transact(
      {stream->number},
      [&](Connection& connection) -> Status {
        if (stream->is_gone()) return stream_not_found(stream->id);
        facts = stream->facts();
        facts.used_micros = clock_.wall_micros();
        TRY_STATUS(change(connection, facts));
        return save_stream(connection, *stream, facts);
      },
      [&] { stream->publish(facts); });
}

Result<std::int64_t> WarehouseImpl::finalize_stream(const StreamPath& path) {
  TRY(const std::shared_ptr<StreamState> stream, find_stream(path));
  std::int64_t rows = 0;
  TRY_STATUS(change_stream(stream, [&](Connection&, StreamFacts& facts) {
    facts.finalized = true;
    rows = facts.rows;
    return ok();
  }));
  return rows;
}

Result<std::int64_t> WarehouseImpl::flush_stream(const StreamPath& path, std::int64_t offset) {
  TRY(const std::shared_ptr<StreamState> stream, find_stream(path));
  if (stream->kind != StreamKind::kBuffered) return wrong_stream_kind("buffered", stream->kind);
  std::int64_t shown = 0;
  TRY_STATUS(change_stream(stream, [&](Connection& connection, StreamFacts& facts) -> Status {
    if (offset < 0 || offset >= facts.rows)
      return Error(ErrorCode::kBadData, "Offset " + std::to_string(offset) + " is beyond the end of the stream")
          .cause("OFFSET_OUT_OF_RANGE");
    if (offset < facts.flushed) return ok();
    TRY_STATUS(show_rows(connection, *stream, facts.flushed, offset + 1));
    TRY_STATUS(remove_shown_rows(connection, *stream, offset + 1));
    FAILPOINT_ERROR("warehouse.stream_flush.before");
    shown = offset + 1 - facts.flushed;
    facts.flushed = offset + 1;
    return ok();
  }));
  if (shown > 0) stream->table->after_append(shown, clock_.wall_micros());
  return offset;
}

Result<StreamCommit> WarehouseImpl::commit_streams(const data::TablePath& path, const std::vector<std::string>& ids) {
  TRY(const std::shared_ptr<TableState> table, find_table(path));
  if (ids.empty() || ids.size() > kCommittedTogetherMax)
    return Error(ErrorCode::kBadData, "Between 1 and " + std::to_string(kCommittedTogetherMax) +
                                          " streams can be committed together, not " + std::to_string(ids.size()) +
                                          ".");
  std::vector<std::shared_ptr<StreamState>> streams;
  std::vector<std::int64_t> numbers;
  std::set<std::string> named;
  for (const std::string& id : ids) {
    if (!named.insert(id).second) return Error(ErrorCode::kBadData, "Stream " + id + " is named twice.");
    streams.push_back(streams_.find(id));
    if (streams.back()) numbers.push_back(streams.back()->number);
  }
  StreamCommit commit;
  const std::int64_t now = clock_.wall_micros();
  const auto committed_facts = [now](const StreamState& stream) {
    StreamFacts facts = stream.facts();
    facts.committed_micros = facts.used_micros = now;
    return facts;
  };
  std::int64_t rows = 0;
  TRY_STATUS(transact(
      numbers,
      [&](Connection& connection) -> Status {
        for (std::size_t i = 0; i < ids.size(); ++i)
          if (auto obstacle = commit_obstacle(streams[i].get(), ids[i], path))
            commit.refused.emplace_back(ids[i], std::move(*obstacle));
        if (!commit.refused.empty()) return ok();
        for (const auto& stream : streams) {
          const StreamFacts facts = committed_facts(*stream);
          TRY_STATUS(show_rows(connection, *stream, 0, facts.rows));
          TRY_STATUS(drop_staging(connection, *stream));
          TRY_STATUS(save_stream(connection, *stream, facts));
          rows += facts.rows;
        }
        FAILPOINT_ERROR("warehouse.stream_commit.before");
        return ok();
      },
      [&] {
        if (!commit.refused.empty()) return;
        for (const auto& stream : streams) stream->publish(committed_facts(*stream));
        FAILPOINT("warehouse.stream_commit.after");
      }));
  if (!commit.refused.empty()) return commit;
  table->after_append(rows, now);
  commit.committed_micros = now;
  return commit;
}

Status WarehouseImpl::expire_streams() {
  for (const auto& stream : streams_.expired(clock_.wall_micros())) {
    bool was_idle = false;
    TRY_STATUS(transact(
        {stream->number},
        [&](Connection& connection) -> Status {
          was_idle = !stream->is_gone() && stream->is_expired(clock_.wall_micros());
          return was_idle ? remove_stream(connection, *stream) : ok();
        },
        [&] {
          if (!was_idle) return;
          stream->mark_gone();
          streams_.remove(*stream);
        }));
    if (was_idle)
      base::log_info("an idle write stream expired", {{"table", stream->table->version()->info.path.text()},
                                                      {"stream", stream->id},
                                                      {"rows_never_shown", stream->facts().rows_hidden(stream->kind)}});
  }
  return ok();
}

void WarehouseImpl::watch_expiry(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any tick;
  while (!stop.stop_requested()) {
    if (const Status status = expire_streams(); !status)
      base::log_failure(base::LogLevel::kWarning, "idle write streams could not be removed", status.error());
    if (const Status status = drop_expired_tables(); !status)
      base::log_failure(base::LogLevel::kWarning, "expired tables could not be removed", status.error());
    std::unique_lock lock(mutex);
    tick.wait_for(lock, stop, std::chrono::milliseconds(kStreamExpiryMillis), [] { return false; });
  }
}

Result<std::unique_ptr<AppendSession>> WarehouseImpl::open_stream_append(const StreamPath& path,
                                                                         const std::string& descriptor) {
  TRY(std::shared_ptr<StreamState> stream, find_stream(path));
  std::shared_ptr<TableState> table = stream->table;
  return TableAppendSession::make(std::move(table), std::move(stream), descriptor, *writer_,
                                  [this](TableState& state) { return widen(state); });
}

}  // namespace flytt::warehouse
