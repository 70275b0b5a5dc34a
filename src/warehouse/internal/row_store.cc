#include "warehouse/internal/row_store.h"

#include <algorithm>

#include "warehouse/internal/metadata.h"
#include "warehouse/internal/stream_store.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

ChunkLayout target_layout(const RowBatch& batch, bool log) {
  if (!batch.version->is_mirror()) return ChunkLayout::kPlain;
  return log ? ChunkLayout::kLog : ChunkLayout::kBase;
}

// For the proof that a load holds no key twice, when the key is one INT64 column.
void note_keys(const Chunk& chunk, const RowBatch& batch, TableState& table) {
  const data::TableSchema& schema = batch.version->info.schema;
  if (schema.key.size() != 1 || schema.fields[schema.key.front()].type.kind != data::TypeKind::kInt64)
    return table.note_direct_keys(nullptr, 0);
  const void* keys = duckdb_vector_get_data(chunk.column(hidden_columns(batch.layout) + schema.key.front()));
  table.note_direct_keys(static_cast<const std::int64_t*>(keys), chunk.size());
}

// The log rows of one lane in one commit, cut so that an apply need not take them all.
struct LogSegments {
  std::vector<LogSegment> all;
  void add(const RowBatch& batch, std::int64_t first_ing, std::int64_t rows);
};

}  // namespace

Result<TableAppender*> RowStore::appender(const RowBatch& batch, const TableVersion& now, bool log) {
  const std::string table = log ? now.changes_name() : now.base_name();
  const bool is_current = batch.version->physical.size() == now.physical.size();
  return appenders_.get(
      table, batch.version->physical.size(),
      is_current ? std::vector<std::string>() : chunk_columns(*batch.version, target_layout(batch, log)));
}

Status RowStore::store_batch(Lane& lane, bool log, std::int64_t rows_max, std::int64_t& stored) {
  RowBatch& batch = *lane.batches.front();
  const std::shared_ptr<const TableVersion> now = lane.table->version();
  const ChunkLayout layout = target_layout(batch, log);
  const bool is_mirror = layout != ChunkLayout::kPlain;
  TRY(TableAppender * appender, this->appender(batch, *now, log));
  if (lane.next_chunk == 0) lane.has_noted_keys = false;
  while (lane.next_chunk < batch.chunks.size() && (stored < rows_max || !is_mirror)) {
    Chunk& chunk = batch.chunks[lane.next_chunk];
    // Of a chunk that is split all keys are noted at once: its tail is no flat vector any more.
    if (lane.direct && is_mirror && !lane.has_noted_keys) note_keys(chunk, batch, *lane.table);
    lane.has_noted_keys = false;
    if (is_mirror && stored + static_cast<std::int64_t>(chunk.size()) > rows_max) {
      Chunk tail = split(chunk, *batch.version, batch.layout, static_cast<idx_t>(rows_max - stored));
      batch.chunks.insert(batch.chunks.begin() + static_cast<std::ptrdiff_t>(lane.next_chunk) + 1, std::move(tail));
      lane.has_noted_keys = true;
    }
    Chunk& whole = batch.chunks[lane.next_chunk];
    if (is_mirror) number_rows(whole, 1, lane.table->next_ing);
    const auto rows = static_cast<std::int64_t>(whole.size());
    lane.table->next_ing += rows;
    if (batch.layout != layout) whole = with_layout(whole, *batch.version, batch.layout, layout);
    if (is_mirror && now->wide && !batch.version->wide) whole = with_wide_sequences(whole, *batch.version, layout);
    TRY_STATUS(appender->append(whole));
    stored += rows;
    lane.rows -= rows;
    whole = Chunk();  // its memory goes back at once
    ++lane.next_chunk;
  }
  return ok();
}

void LogSegments::add(const RowBatch& batch, std::int64_t first_ing, std::int64_t rows) {
  if (rows == 0) return;
  if (all.empty() || all.back().bytes >= kLogSegmentBytes) {
    all.emplace_back();
    all.back().first_ing = first_ing;
    all.back().least = {batch.least, first_ing};
  }
  LogSegment& segment = all.back();
  if (batch.least < segment.least.sequence) segment.least.sequence = batch.least;
  if (segment.newest < batch.newest) segment.newest = batch.newest;
  segment.last_ing = first_ing + rows - 1;
  segment.rows += rows;
  segment.bytes += rows * (kLogRowBytes + static_cast<std::int64_t>(batch.request_bytes) / batch.rows);
}

bool RowStore::take_offset(Lane& lane, Transaction& transaction) {
  RowBatch& batch = *lane.batches.front();
  if (!batch.stream || lane.next_chunk != 0) return true;
  Result<std::int64_t> first = batch.stream->take(batch.wanted_offset, batch.rows);
  if (!first) {
    lane.rows -= batch.rows;
    lane.bytes -= batch.bytes;
    transaction.refused.emplace_back(std::move(lane.batches.front()), std::move(first.error()));
    lane.batches.pop_front();
    return false;
  }
  batch.offset = *first;
  auto& streams = transaction.streams;
  if (std::find(streams.begin(), streams.end(), batch.stream) == streams.end()) streams.push_back(batch.stream);
  return true;
}

void RowStore::finish_front(Lane& lane, Transaction& transaction) {
  lane.next_chunk = 0;
  lane.bytes -= lane.batches.front()->bytes;
  transaction.finished.push_back(std::move(lane.batches.front()));
  lane.batches.pop_front();
}

Status RowStore::finish(const Transaction& transaction, std::int64_t now_micros) {
  const auto& streams = transaction.streams;
  for (std::size_t from = 0; from < streams.size(); from += duckdb_vector_size()) {
    std::vector<LogicalType> types;
    for (int i = 0; i < 3; ++i) types.emplace_back(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
    const Chunk chunk = make_chunk(types);
    const std::size_t count = std::min<std::size_t>(duckdb_vector_size(), streams.size() - from);
    std::int64_t* cells[3];
    for (idx_t i = 0; i < 3; ++i) cells[i] = static_cast<std::int64_t*>(duckdb_vector_get_data(chunk.column(i)));
    for (std::size_t i = 0; i < count; ++i) {
      cells[0][i] = streams[from + i]->number;
      cells[1][i] = streams[from + i]->taken();
      cells[2][i] = now_micros;
    }
    duckdb_data_chunk_set_size(chunk.raw, count);
    TRY(TableAppender * appender, appenders_.get("write_stream_ends", 0, {}));
    TRY_STATUS(appender->append(chunk));
  }
  TRY_STATUS(appenders_.flush());  // an error that only COMMIT met would be reported as success
  ends_appended_ += streams.size();
  if (ends_appended_ < kStreamEndsMax) return ok();
  ends_appended_ = 0;
  return fold_stream_ends(connection_);
}

Status RowStore::store_staged(Lane& lane, std::int64_t rows_max, Transaction& transaction) {
  const std::shared_ptr<const TableVersion> now = lane.table->version();
  std::int64_t stored = 0;
  while (!lane.batches.empty() && stored < rows_max) {
    if (!take_offset(lane, transaction)) continue;
    RowBatch& batch = *lane.batches.front();
    const bool is_current = batch.version->physical.size() == now->physical.size();
    TRY(TableAppender * appender,
        appenders_.get(lane.staged->staging_name(), batch.version->physical.size(),
                       is_current ? std::vector<std::string>() : chunk_columns(*batch.version, ChunkLayout::kStaged)));
    std::int64_t offset = batch.offset;
    for (Chunk& chunk : batch.chunks) {
      number_rows(chunk, 0, offset);
      offset += static_cast<std::int64_t>(chunk.size());
      TRY_STATUS(appender->append(chunk));
      chunk = Chunk();
    }
    stored += batch.rows;
    lane.rows -= batch.rows;
    finish_front(lane, transaction);
  }
  transaction.rows += stored;
  return ok();
}

bool RowStore::is_one_append(const std::vector<Lane*>& lanes, std::int64_t rows_max) {
  if (lanes.size() != 1) return false;
  const Lane& lane = *lanes.front();
  if (lane.staged || lane.next_chunk != 0 || lane.batches.empty()) return false;
  // Far below what makes an appender flush by itself.
  if (lane.rows > std::min<std::int64_t>(rows_max, kBulkRowsMin) || lane.bytes > kOneAppendBytesMax) return false;
  if (lane.table->version()->is_mirror() && lane.table->has_load_to_save()) return false;
  const RowBatch& first = *lane.batches.front();
  return std::all_of(lane.batches.begin(), lane.batches.end(), [&](const auto& batch) {
    return !batch->stream && batch->version == first.version && batch->is_change == first.is_change;
  });
}

Status RowStore::store(Lane& lane, std::int64_t rows_max, Transaction& transaction) {
  if (lane.staged) return store_staged(lane, rows_max, transaction);
  TableState& table = *lane.table;
  Transaction::Part part;
  part.table = lane.table;
  LogSegments segments;
  std::int64_t stored = 0;
  data::Sequence newest;
  const bool is_mirror = table.version()->is_mirror();
  if (is_mirror && table.has_load_to_save()) {
    TRY_STATUS(save_load(connection_, table.id, *table.read_state().load_sequence, table.loading().has_value()));
    part.saved_load = true;
  }
  while (!lane.batches.empty() && stored < rows_max) {
    if (!take_offset(lane, transaction)) continue;
    RowBatch& batch = *lane.batches.front();
    const bool log = !lane.direct && batch.is_change;
    const std::int64_t before = stored, first_ing = table.next_ing;
    TRY_STATUS(store_batch(lane, log, rows_max, stored));
    if (newest < batch.newest) newest = batch.newest;
    if (log)
      segments.add(batch, first_ing, stored - before);
    else
      part.base_rows += stored - before;
    if (lane.next_chunk < batch.chunks.size()) break;
    finish_front(lane, transaction);
  }
  if (lane.next_chunk != 0) transaction.torn.push_back(&lane);
  for (const LogSegment& segment : segments.all) table.before_log_commit(segment);
  part.has_log = !segments.all.empty();
  if (is_mirror && part.base_rows > 0) {
    const Rank bound{newest, table.next_ing - 1};
    part.has_direct = lane.direct;
    lane.direct ? table.before_direct_commit(bound) : table.before_plain_commit(bound);
  }
  transaction.rows += stored;
  transaction.parts.push_back(std::move(part));
  return ok();
}

}  // namespace flytt::warehouse::internal
