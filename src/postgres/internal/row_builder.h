#pragma once
// RowBuilder: the cells of one row after the other into the columns of a slice, with what cannot be represented noted.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/table_slice.h"
#include "postgres/catalog.h"
#include "postgres/internal/codec.h"

namespace flytt::postgres {

// A value as it stands in a tuple: 'b' binary, 't' text, 'n' NULL, 'u' an unchanged large value that was not sent.
struct Cell {
  char form = 'n';
  std::string_view bytes;
};

// How the columns of one table are read. Immutable; shared by all builders of a schema version.
struct RowPlan {
  std::shared_ptr<const data::SliceSchema> schema;
  std::vector<Codec> codecs;  // one per field
};
std::shared_ptr<const RowPlan> make_row_plan(const SourceTable& table, std::shared_ptr<const data::SliceSchema> schema,
                                             const ValueRules& rules);

class RowBuilder {
 public:
  explicit RowBuilder(std::shared_ptr<const RowPlan> plan) : plan_(std::move(plan)), slice_(plan_->schema) {}

  const RowPlan& plan() const { return *plan_; }
  data::TableSlice& slice() { return slice_; }
  std::size_t rows() const { return slice_.row_count(); }
  // Gives the slice away and starts a new one.
  data::TableSlice take();

  // Appends one row; `cells` has one entry per field. False when the row cannot be represented (a key value is to
  // blame): then it is a rejection and no row. A cell of form 'u' appends NULL. kCorrupt when bytes contradict the type.
  Result<bool> append(const std::vector<Cell>& cells, data::Sequence sequence);
  // A row with its key only.
  Result<bool> append_key(const std::vector<Cell>& cells, data::Sequence sequence);

  // Steps of `append` for those who find the cells themselves: the column's cell was or was not appended.
  Verdict append_cell(std::size_t column, const Cell& cell) {
    data::Column& out = slice_.columns[column];
    if (cell.form == 'b') return decode_binary(plan_->codecs[column], cell.bytes, out);
    if (cell.form == 't') return decode_text(plan_->codecs[column], cell.bytes, out);
    append_missing(column);
    return Verdict::kOk;
  }
  // NULL, or the empty array that stands for it.
  void append_missing(std::size_t column);
  // What to do about a cell that was not appended; the outcome is as of `append`.
  Result<bool> refuse(std::size_t column, Verdict verdict, const std::vector<Cell>& cells, data::Sequence sequence);

  // "id=7, part=2"
  std::string key_text(const std::vector<Cell>& cells) const;

 private:
  std::shared_ptr<const RowPlan> plan_;
  data::TableSlice slice_;
};

std::string cell_text(const Codec& codec, const Cell& cell);

}  // namespace flytt::postgres
