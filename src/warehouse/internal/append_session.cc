#include "warehouse/internal/append_session.h"

#include <cstring>

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using wire::ChangeType;

bool is_change(ChangeType type) { return type == ChangeType::kUpsert || type == ChangeType::kDelete; }

void write_narrow(const wire::RowChanges& changes, const Chunk& chunk) {
  auto* cells = static_cast<duckdb_uhugeint*>(duckdb_vector_get_data(chunk.column(0)));
  for (std::size_t row = 0; row < changes.sequences.size(); ++row) {
    const unsigned __int128 bits = changes.sequences[row].bits;
    cells[row] = {static_cast<std::uint64_t>(bits), static_cast<std::uint64_t>(bits >> 64)};
  }
}

void write_wide(const wire::RowChanges& changes, const Chunk& chunk) {
  std::size_t next_long = 0;
  for (std::size_t row = 0; row < changes.sequences.size(); ++row) {
    std::string bytes;
    if (next_long < changes.long_sequences.size() && changes.long_sequences[next_long].row == row)
      bytes = wire::ordered_sequence_bytes(changes.long_sequences[next_long++].text).value_or(std::string());
    else if (changes.has_sequence[row])
      bytes = *wire::ordered_sequence_bytes(changes.sequences[row].sections());
    duckdb_vector_assign_string_element_len(chunk.column(0), row, bytes.data(), bytes.size());
  }
}

}  // namespace

Result<std::unique_ptr<AppendSession>> TableAppendSession::make(std::shared_ptr<TableState> table,
                                                                std::shared_ptr<StreamState> stream,
                                                                std::string descriptor, Writer& writer, Widen widen) {
  std::unique_ptr<TableAppendSession> session(
      new TableAppendSession(std::move(table), std::move(stream), std::move(descriptor), writer, std::move(widen)));
  TRY_STATUS(session->renew());
  return std::unique_ptr<AppendSession>(std::move(session));
}

Status TableAppendSession::renew() {
  std::shared_ptr<const TableVersion> version = table_->version();
  if (version == version_) return ok();
  TRY(wire::RowDecoder decoder, wire::RowDecoder::make(descriptor_, version->info.schema));
  if (stream_ && (decoder.has_change_type() || decoder.has_sequence()))
    return Error(ErrorCode::kBadData,
                 "Rows with _CHANGE_TYPE or _CHANGE_SEQUENCE_NUMBER can be written to the default stream only.");
  decoder_ = std::move(decoder);
  version_ = std::move(version);
  layout_ = version_->is_mirror() ? ChunkLayout::kLog : ChunkLayout::kPlain;
  types_.clear();
  return ok();
}

void TableAppendSession::append(std::string_view proto_rows, std::shared_ptr<const void> owner,
                                std::optional<std::int64_t> offset, AppendDone done, base::Deadline deadline) {
  std::vector<RefusedRow> refused;
  Result<std::unique_ptr<RowBatch>> batch = decode(proto_rows, refused);
  if (!batch) return done(AppendOutcome{Status(std::move(batch.error())), std::move(refused), {}});
  // A stream looks at the offset of a request without rows, too.
  if ((*batch)->rows == 0 && !stream_) return done(AppendOutcome{});
  (*batch)->stream = stream_;
  (*batch)->wanted_offset = offset;
  (*batch)->bytes += proto_rows.size();
  (*batch)->request_bytes = proto_rows.size();
  (*batch)->owner = std::move(owner);
  (*batch)->done = std::move(done);
  if (Status status = writer_.enqueue(*batch, deadline); !status) {
    AppendDone refuse = std::move((*batch)->done);
    refuse(AppendOutcome{status, {}, {}});
  }
}

Result<std::unique_ptr<RowBatch>> TableAppendSession::decode(std::string_view proto_rows,
                                                             std::vector<RefusedRow>& refused) {
  TRY_STATUS(renew());
  while (true) {
    TRY(wire::SerializedRows rows, wire::SerializedRows::make(proto_rows));
    auto batch = std::make_unique<RowBatch>();
    batch->table = table_;
    batch->version = version_;
    batch->arena = std::make_unique<wire::CellArena>();
    needs_wide_ = false;
    TRY_STATUS(decode_chunks(rows, *batch, refused));
    if (!refused.empty())
      return Error(ErrorCode::kBadData,
                   "Errors found while processing rows. Please refer to the row_errors field for details. The list may "
                   "not be "
                   "complete because of the size limitations.")
          .cause("ROW_ERRORS");
    if (!needs_wide_) return batch;
    TRY_STATUS(widen_(*table_));
    TRY_STATUS(renew());
  }
}

ChunkLayout TableAppendSession::next_layout() const {
  if (stream_ && stream_->is_staged()) return ChunkLayout::kStaged;
  if (!version_->is_mirror()) return ChunkLayout::kPlain;
  // Direct rows of a first load go without _kind; which layout fits is only a guess here, the writer decides.
  const bool guess_direct = !version_->wide && (table_->is_virgin() || table_->loading());
  return guess_direct ? ChunkLayout::kBase : ChunkLayout::kLog;
}

Status TableAppendSession::decode_chunks(wire::SerializedRows& rows, RowBatch& batch,
                                         std::vector<RefusedRow>& refused) {
  const ChunkLayout layout = next_layout();
  if (layout != layout_ || types_.empty()) {
    layout_ = layout;
    types_ = chunk_types(*version_, layout);
  }
  batch.layout = layout_;
  std::vector<wire::RowError> errors;
  while (rows.taken() < rows.count()) {
    const std::size_t first_row = rows.taken();
    Chunk chunk = make_chunk(types_);
    std::vector<std::unique_ptr<VectorTarget>> owned;
    std::vector<wire::ColumnTarget*> targets;
    for (std::size_t c = 0; c < version_->physical.size(); ++c) {
      owned.push_back(std::make_unique<VectorTarget>(chunk.column(hidden_columns(layout_) + c),
                                                     version_->info.schema.fields[c].type));
      targets.push_back(owned.back().get());
    }
    changes_.clear();
    const std::size_t decoded =
        decoder_->decode(rows, duckdb_vector_size(), targets, 0, changes_, *batch.arena, errors);
    for (const auto& target : owned) target->finish();
    duckdb_data_chunk_set_size(chunk.raw, decoded);
    batch.rows += static_cast<std::int64_t>(decoded);
    batch.chunks.push_back(std::move(chunk));
    for (const wire::RowError& error : errors)
      refused.push_back({static_cast<std::int64_t>(error.index), error.message});
    errors.clear();
    if (!refused.empty()) continue;
    TRY_STATUS(check_changes(batch, first_row, refused));
    fill_hidden(batch);
  }
  batch.bytes = batch.arena->byte_size() + static_cast<std::size_t>(batch.rows) * 16 * types_.size();
  return ok();
}

Status TableAppendSession::check_changes(RowBatch& batch, std::size_t first_row, std::vector<RefusedRow>& refused) {
  for (std::size_t row = 0; row < changes_.types.size(); ++row) {
    const ChangeType type = changes_.types[row];
    const Mode mode = is_change(type) ? Mode::kChange : Mode::kPlain;
    if (mode == Mode::kChange && !version_->is_mirror())
      return Error(ErrorCode::kBadData,
                   "UPSERT stream is not supported for primary key disabled table: " + version_->info.path.project +
                       ":" + version_->info.path.dataset + "." + version_->info.path.table);
    if (mode_ == Mode::kUnknown) mode_ = mode;
    if (mode != mode_)
      refused.push_back({static_cast<std::int64_t>(first_row + row), "The given value is not a valid CHANGE_TYPE"});
    batch.has_deletes = batch.has_deletes || type == ChangeType::kDelete;
  }
  batch.is_change = mode_ == Mode::kChange;
  if (!batch.is_change) return ok();
  check_keys(batch, first_row, refused);
  needs_wide_ = needs_wide_ || (!changes_.long_sequences.empty() && !version_->wide);
  return ok();
}

void TableAppendSession::check_keys(const RowBatch& batch, std::size_t first_row,
                                    std::vector<RefusedRow>& refused) const {
  const Chunk& chunk = batch.chunks.back();
  const std::size_t rows = chunk.size();
  for (const std::uint32_t key : version_->info.schema.key) {
    const std::uint64_t* validity = duckdb_vector_get_validity(chunk.column(hidden_columns(batch.layout) + key));
    for (std::size_t row = 0; row < rows; ++row) {
      if (row % 64 == 0 && row + 64 <= rows && validity[row / 64] == ~std::uint64_t{0}) {
        row += 63;
        continue;
      }
      if ((validity[row / 64] >> (row % 64) & 1) == 0)
        refused.push_back({static_cast<std::int64_t>(first_row + row),
                           "Primary key column " + version_->info.schema.fields[key].name + " must have a value"});
    }
  }
}

void TableAppendSession::fill_hidden(RowBatch& batch) {
  if (!has_rank(batch.layout)) return;
  if (batch.layout == ChunkLayout::kBase && batch.has_deletes) {
    // The guess was wrong: this chunk and those before it become log rows.
    for (Chunk& each : batch.chunks) each = with_layout(each, *batch.version, ChunkLayout::kBase, ChunkLayout::kLog);
    batch.layout = layout_ = ChunkLayout::kLog;
    types_ = chunk_types(*version_, layout_);
  }
  const Chunk& chunk = batch.chunks.back();
  version_->wide ? write_wide(changes_, chunk) : write_narrow(changes_, chunk);
  if (batch.chunks.size() == 1 && !changes_.sequences.empty()) batch.least = batch.newest = changes_.sequences.front();
  for (const data::Sequence& sequence : changes_.sequences) {
    if (sequence < batch.least) batch.least = sequence;
    if (batch.newest < sequence) batch.newest = sequence;
  }
  if (batch.layout != ChunkLayout::kLog) return;
  auto* kinds = static_cast<std::uint8_t*>(duckdb_vector_get_data(chunk.column(2)));
  for (std::size_t row = 0; row < changes_.types.size(); ++row)
    kinds[row] = changes_.types[row] == ChangeType::kDelete ? 1 : 0;
}

}  // namespace flytt::warehouse::internal
