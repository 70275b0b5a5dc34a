#include "warehouse/internal/row_store.h"

#include "warehouse/internal/metadata.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

ChunkLayout target_layout(const RowBatch& batch, bool log) {
  if (!batch.version->is_mirror()) return ChunkLayout::kPlain;
  return log ? ChunkLayout::kLog : ChunkLayout::kBase;
}

// Where the key is in chunks of a layout; nullopt when it is not one INT64 column.
std::optional<idx_t> integer_key(const TableVersion& version, ChunkLayout layout) {
  const data::TableSchema& schema = version.info.schema;
  if (schema.key.size() != 1 || schema.fields[schema.key.front()].type.kind != data::TypeKind::kInt64)
    return std::nullopt;
  return hidden_columns(layout) + schema.key.front();
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
  const std::optional<idx_t> key = lane.direct ? integer_key(*batch.version, layout) : std::nullopt;
  while (lane.next_chunk < batch.chunks.size() && (stored < rows_max || !is_mirror)) {
    Chunk& chunk = batch.chunks[lane.next_chunk];
    if (is_mirror && stored + static_cast<std::int64_t>(chunk.size()) > rows_max) {
      Chunk tail = split(chunk, *batch.version, batch.layout, static_cast<idx_t>(rows_max - stored));
      batch.chunks.insert(batch.chunks.begin() + static_cast<std::ptrdiff_t>(lane.next_chunk) + 1, std::move(tail));
    }
    Chunk& whole = batch.chunks[lane.next_chunk];
    if (is_mirror) number_rows(whole, lane.table->next_ing);
    const auto rows = static_cast<std::int64_t>(whole.size());
    lane.table->next_ing += rows;
    if (batch.layout != layout) whole = with_layout(whole, *batch.version, batch.layout, layout);
    if (is_mirror && now->wide && !batch.version->wide) whole = with_wide_sequences(whole, *batch.version, layout);
    if (lane.direct && is_mirror) {
      const void* keys = key ? duckdb_vector_get_data(duckdb_data_chunk_get_vector(whole.raw, *key)) : nullptr;
      lane.table->note_direct_keys(static_cast<const std::int64_t*>(keys), whole.size());
    }
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

Status RowStore::store(Lane& lane, std::int64_t rows_max, Transaction& transaction) {
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
    lane.next_chunk = 0;
    lane.bytes -= batch.bytes;
    transaction.finished.push_back(std::move(lane.batches.front()));
    lane.batches.pop_front();
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
