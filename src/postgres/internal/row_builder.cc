#include "postgres/internal/row_builder.h"

#include "postgres/limits.h"

namespace flytt::postgres {

std::shared_ptr<const RowPlan> make_row_plan(const SourceTable& table, std::shared_ptr<const data::SliceSchema> schema,
                                             const ValueRules& rules) {
  auto plan = std::make_shared<RowPlan>();
  plan->schema = std::move(schema);
  for (const SourceColumn& column : table.columns) plan->codecs.push_back(make_codec(column.type, rules));
  CHECK(plan->codecs.size() == plan->schema->table.fields.size());
  return plan;
}

std::string cell_text(const Codec& codec, const Cell& cell) {
  if (cell.form == 'b') return render_text(codec, cell.bytes);
  return cell.form == 't' ? std::string(cell.bytes) : std::string();
}

data::TableSlice RowBuilder::take() {
  data::TableSlice out = std::move(slice_);
  slice_ = data::TableSlice(plan_->schema);
  return out;
}

void RowBuilder::append_missing(std::size_t column) {
  data::Column& out = slice_.columns[column];
  if (out.layout() == data::Layout::kList)
    out.close_list();
  else
    out.append_null();
}

std::string RowBuilder::key_text(const std::vector<Cell>& cells) const {
  std::string out;
  for (const std::uint32_t index : plan_->schema->table.key) {
    if (!out.empty()) out += ", ";
    out += plan_->schema->table.fields[index].name + "=" + cell_text(plan_->codecs[index], cells[index]);
  }
  if (out.size() > kRejectedKeyMax) out.resize(kRejectedKeyMax);
  return out;
}

Result<bool> RowBuilder::refuse(std::size_t column, Verdict verdict, const std::vector<Cell>& cells,
                                data::Sequence sequence) {
  const data::Field& field = plan_->schema->table.fields[column];
  if (verdict == Verdict::kMalformed) {
    return Error(ErrorCode::kCorrupt, "a value of " + plan_->schema->source_table + "." + field.name +
                                          " does not have the form of its type; was the column altered just now?")
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterBackoff);
  }
  data::Rejection rejection;
  rejection.key = key_text(cells);
  rejection.raw = cell_text(plan_->codecs[column], cells[column]);
  if (rejection.raw.size() > kRejectedRawMax) rejection.raw.resize(kRejectedRawMax);
  rejection.sequence = sequence;
  const bool whole_row = plan_->schema->table.is_key(static_cast<std::uint32_t>(column));
  if (!whole_row) {
    rejection.column = field.name;
    rejection.reason = sentence(verdict);
    append_missing(column);
  } else {
    rejection.reason = "key column " + field.name + ": " + std::string(sentence(verdict));
    for (std::size_t i = 0; i < column; ++i) slice_.columns[i].pop_back();
  }
  slice_.rejections.push_back(std::move(rejection));
  return !whole_row;
}

Result<bool> RowBuilder::append(const std::vector<Cell>& cells, data::Sequence sequence) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Verdict verdict = append_cell(i, cells[i]);
    if (verdict == Verdict::kOk) continue;
    TRY(const bool kept, refuse(i, verdict, cells, sequence));
    if (!kept) return false;
  }
  return true;
}

Result<bool> RowBuilder::append_key(const std::vector<Cell>& cells, data::Sequence sequence) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!plan_->schema->table.is_key(static_cast<std::uint32_t>(i))) {
      append_missing(i);
      continue;
    }
    const Verdict verdict = append_cell(i, cells[i]);
    if (verdict == Verdict::kOk) continue;
    TRY(const bool kept, refuse(i, verdict, cells, sequence));
    if (!kept) return false;
  }
  return true;
}

}  // namespace flytt::postgres
