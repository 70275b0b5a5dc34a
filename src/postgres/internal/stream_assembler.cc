#include "postgres/internal/stream_assembler.h"

#include <utility>

#include "base/failpoint.h"

namespace flytt::postgres {

using data::ChangeKind;
using data::Sequence;

StreamAssembler::StreamAssembler(std::vector<StreamTable> tables, ValueRules rules, std::uint16_t epoch, Lsn start,
                                 bool binary, ColumnLookup lookup)
    : rules_(rules), epoch_(epoch), binary_(binary), lookup_(std::move(lookup)), restart_(start) {
  for (StreamTable& given : tables) {
    auto state = std::make_unique<TableState>();
    state->plan = make_row_plan(given.table, std::move(given.schema), rules_);
    state->covered_until = given.covered_until;
    state->columns_sent = given.table.columns.size();
    state->table = std::make_shared<const SourceTable>(std::move(given.table));
    by_name_.emplace(state->table->full_name(), state.get());
    tables_.push_back(std::move(state));
  }
}

Status StreamAssembler::apply(std::string_view bytes) {
  TRY_STATUS(parse_pgoutput(bytes, message_));
  switch (message_.kind) {
    case 'B':
      in_transaction_ = true;
      commit_lsn_ = message_.final_lsn;
      commit_micros_ = message_.commit_micros;
      row_index_ = 0;
      return ok();
    case 'C':
      in_transaction_ = false;
      restart_ = std::max(restart_, message_.end_lsn);
      return ok();
    case 'R': return apply_relation(message_);
    case 'I':
    case 'U':
    case 'D': bytes_ += bytes.size(); return apply_row(message_);
    case 'T': apply_truncate(message_); return ok();
    default: return ok();
  }
}

void StreamAssembler::advance(Lsn lsn) {
  if (!in_transaction_) restart_ = std::max(restart_, lsn);
}

Sequence StreamAssembler::next_sequence() { return Sequence::of(epoch_, commit_lsn_.value, 1 + 2 * row_index_++); }

Status StreamAssembler::apply_row(const PgOutputMessage& message) {
  const Sequence sequence = next_sequence();
  const auto found = by_oid_.find(message.relation);
  if (found == by_oid_.end()) {
    return Error(ErrorCode::kCorrupt, "the change stream has a row of a table that it did not describe")
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterBackoff);
  }
  TableState* state = found->second;
  if (state == nullptr || state->stopped || state->skipped) {
    ++ignored_rows_;
    return ok();
  }
  FAILPOINT_ERROR("postgres.stream.mid_transaction");
  newest_commit_micros_ = std::max(newest_commit_micros_, commit_micros_);
  if (message.kind == 'D') return apply_delete(*state, message, sequence);
  TRY_STATUS(check_width(*state, message.new_cells));
  cells_.assign(message.new_cells.begin(), message.new_cells.end());
  cells_.resize(state->plan->codecs.size());  // columns that the log does not know yet are NULL
  if (message.kind == 'I') return apply_insert(*state, sequence);
  return apply_update(*state, message, sequence, Sequence{sequence.bits + 1});
}

Status StreamAssembler::check_width(const TableState& state, const std::vector<Cell>& cells) const {
  if (cells.size() == state.columns_sent) return ok();
  return Error(ErrorCode::kCorrupt, "a row of " + state.table->full_name() +
                                        " in the change stream has another number of columns than was announced")
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterBackoff);
}

Status StreamAssembler::apply_insert(TableState& state, Sequence sequence) {
  return append_upsert(state, cells_, sequence, std::nullopt);
}

Status StreamAssembler::apply_update(TableState& state, const PgOutputMessage& message, Sequence sequence,
                                     Sequence next) {
  const auto& key = state.plan->schema->table.key;
  bool key_changed = false;
  if (message.old_form != 0) {
    TRY_STATUS(check_width(state, message.old_cells));
    const auto& old_cells = message.old_cells;
    for (const std::uint32_t index : key) {
      if (index >= old_cells.size()) continue;
      Cell& cell = cells_[index];
      if (cell.form == 'u')
        cell = old_cells[index];
      else
        key_changed = key_changed || cell.form != old_cells[index].form || cell.bytes != old_cells[index].bytes;
    }
    for (std::size_t i = 0; i < old_cells.size() && message.old_form == 'O'; ++i)
      if (cells_[i].form == 'u') cells_[i] = old_cells[i];
  }
  for (const std::uint32_t index : key) {
    if (cells_[index].form != 'u') continue;
    refuse(state, "an update of it did not carry the key column " + state.table->columns[index].name);
    return ok();
  }
  if (!key_changed) return append_upsert(state, cells_, sequence, std::nullopt);
  key_cells_.assign(message.old_cells.begin(), message.old_cells.end());
  key_cells_.resize(cells_.size());
  TRY(const bool deleted, append_delete(state, key_cells_, sequence));
  std::optional<std::uint32_t> moved_from;
  if (deleted) moved_from = static_cast<std::uint32_t>(state.builder->rows() - 1);
  return append_upsert(state, cells_, next, moved_from);
}

Status StreamAssembler::apply_delete(TableState& state, const PgOutputMessage& message, Sequence sequence) {
  TRY_STATUS(check_width(state, message.old_cells));
  key_cells_.assign(message.old_cells.begin(), message.old_cells.end());
  key_cells_.resize(state.plan->codecs.size());
  TRY(const bool ignored, append_delete(state, key_cells_, sequence));
  static_cast<void>(ignored);
  return ok();
}

RowBuilder& StreamAssembler::open(TableState& state) {
  if (!state.builder) state.builder = std::make_unique<RowBuilder>(state.plan);
  if (!state.is_open) {
    state.is_open = true;
    open_.push_back(&state);
  }
  return *state.builder;
}

Status StreamAssembler::append_upsert(TableState& state, const std::vector<Cell>& cells, Sequence sequence,
                                      std::optional<std::uint32_t> moved_from) {
  RowBuilder& builder = open(state);
  TRY(const bool kept, builder.append(cells, sequence));
  if (!kept) return ok();
  data::TableSlice& slice = builder.slice();
  slice.kinds.push_back(ChangeKind::kUpsert);
  slice.sequences.push_back(sequence);
  ++rows_;
  WaitingRow waiting;
  for (std::uint32_t i = 0; i < cells.size(); ++i)
    if (cells[i].form == 'u') waiting.columns.push_back(i);
  if (waiting.columns.empty()) return ok();
  waiting.row = static_cast<std::uint32_t>(builder.rows() - 1);
  waiting.moved_from = moved_from;
  for (const std::uint32_t index : state.plan->schema->table.key)
    waiting.key.push_back(cell_text(state.plan->codecs[index], cells[index]));
  state.waiting.push_back(std::move(waiting));
  ++waiting_rows_;
  return ok();
}

Result<bool> StreamAssembler::append_delete(TableState& state, const std::vector<Cell>& cells, Sequence sequence) {
  RowBuilder& builder = open(state);
  data::TableSlice& slice = builder.slice();
  const std::size_t rejections = slice.rejections.size();
  TRY(const bool kept, builder.append_key(cells, sequence));
  if (!kept) {
    // A row whose key cannot be represented never reached the destination; there is nothing to delete.
    slice.rejections.resize(rejections);
    return false;
  }
  slice.kinds.push_back(ChangeKind::kDelete);
  slice.sequences.push_back(sequence);
  ++rows_;
  return true;
}

void StreamAssembler::apply_truncate(const PgOutputMessage& message) {
  const Sequence sequence = next_sequence();
  for (const std::uint32_t oid : message.relations) {
    const auto found = by_oid_.find(oid);
    if (found == by_oid_.end() || found->second == nullptr || found->second->stopped || found->second->skipped)
      continue;
    const TableState& state = *found->second;
    newest_commit_micros_ = std::max(newest_commit_micros_, commit_micros_);
    events_.push_back({flow::TableEvent::Kind::kTruncated, state.table->full_name(), sequence,
                       "the table was truncated at the source; resync it"});
  }
}

void StreamAssembler::finish(TableState& state) {
  if (!state.is_open) return;
  state.is_open = false;
  std::erase(open_, &state);
  SliceInMaking making{state.builder->take(), state.table, state.plan, std::exchange(state.waiting, {})};
  if (making.slice.row_count() > 0 || !making.slice.rejections.empty()) finished_.push_back(std::move(making));
}

void StreamAssembler::stop(const std::string& table) {
  if (const auto found = by_name_.find(table); found != by_name_.end()) found->second->stopped = true;
}

StreamAssembler::Output StreamAssembler::take() {
  while (!open_.empty()) finish(*open_.front());
  rows_ = bytes_ = waiting_rows_ = 0;
  return Output{std::exchange(finished_, {}), std::exchange(events_, {}), std::exchange(newest_commit_micros_, 0)};
}

}  // namespace flytt::postgres
