#include "postgres/internal/large_values.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include "postgres/internal/client.h"
#include "postgres/internal/copy_decoder.h"

namespace flytt::postgres {

namespace {

using data::Column;

template <typename T>
void append_raw(std::string& out, const T& value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof raw);
  out.append(raw, sizeof raw);
}

// The key cells of a row as bytes that are equal exactly when the keys are.
std::string key_bytes(const data::TableSlice& slice, std::size_t row) {
  std::string out;
  for (const std::uint32_t index : slice.schema->table.key) {
    const Column& column = slice.columns[index];
    switch (column.layout()) {
      case data::Layout::kInt64: append_raw(out, column.int64(row)); break;
      case data::Layout::kBool: out += column.boolean(row) ? '1' : '0'; break;
      case data::Layout::kInt128: append_raw(out, column.int128(row)); break;
      case data::Layout::kInt256: append_raw(out, column.int256(row).limb); break;
      default: append_raw(out, static_cast<std::uint32_t>(column.bytes(row).size())); out += column.bytes(row);
    }
  }
  return out;
}

// Where the value of a hole comes from.
struct Source {
  enum class Kind { kRow, kLookup } kind = Kind::kLookup;
  std::uint32_t index = 0;  // a row of the slice, or a key of the lookup
};

class Filler {
 public:
  explicit Filler(SliceInMaking& making) : making_(making), slice_(making.slice) {}

  Result<FillOutcome> run(const ValueLookup& lookup);

 private:
  void resolve();
  std::uint32_t lookup_key(const WaitingRow& waiting);
  Source resolve_hole(const WaitingRow& waiting, std::uint32_t column, std::optional<std::uint32_t> earlier);
  Status fetch(const ValueLookup& lookup);
  Status rebuild_column(std::uint32_t column);
  Result<std::optional<Verdict>> append_found(std::uint32_t column, const WaitingRow& waiting, std::uint32_t key,
                                              Column& out);
  void copy_rejection(std::uint32_t column, std::uint32_t from, const WaitingRow& waiting);
  void drop_gone_rows();

  SliceInMaking& making_;
  data::TableSlice& slice_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Source> sources_;  // (row, column)
  std::vector<std::uint32_t> columns_;                                 // with holes, ascending
  std::unordered_map<std::string, std::uint32_t> lookup_of_;
  std::vector<const std::vector<std::string>*> lookup_keys_;
  FoundValues found_;
  std::vector<bool> gone_;
  FillOutcome outcome_;
};

std::uint32_t Filler::lookup_key(const WaitingRow& waiting) {
  const auto [place, fresh] =
      lookup_of_.emplace(key_bytes(slice_, waiting.row), static_cast<std::uint32_t>(lookup_keys_.size()));
  if (fresh) lookup_keys_.push_back(&waiting.key);
  return place->second;
}

Source Filler::resolve_hole(const WaitingRow& waiting, std::uint32_t column, std::optional<std::uint32_t> earlier) {
  if (!earlier || slice_.kind(*earlier) == data::ChangeKind::kDelete)
    return {Source::Kind::kLookup, lookup_key(waiting)};
  const auto own_hole = sources_.find({*earlier, column});
  if (own_hole == sources_.end()) return {Source::Kind::kRow, *earlier};
  if (own_hole->second.kind == Source::Kind::kRow) return own_hole->second;
  return {Source::Kind::kLookup, lookup_key(waiting)};
}

void Filler::resolve() {
  std::unordered_map<std::string, std::uint32_t> latest;
  std::vector<std::optional<std::uint32_t>> before(slice_.row_count());  // per row: the row of its key before it
  auto waiting = making_.waiting.begin();
  for (std::uint32_t row = 0; row < slice_.row_count(); ++row) {
    const auto [place, fresh] = latest.try_emplace(key_bytes(slice_, row), row);
    if (!fresh) before[row] = std::exchange(place->second, row);
    if (waiting == making_.waiting.end() || waiting->row != row) continue;
    const auto earlier = waiting->moved_from ? before[*waiting->moved_from] : before[row];
    for (const std::uint32_t column : waiting->columns) {
      sources_[{row, column}] = resolve_hole(*waiting, column, earlier);
      if (std::find(columns_.begin(), columns_.end(), column) == columns_.end()) columns_.push_back(column);
    }
    ++waiting;
  }
  std::sort(columns_.begin(), columns_.end());
}

Status Filler::fetch(const ValueLookup& lookup) {
  if (lookup_keys_.empty()) return ok();
  TRY(found_, lookup(*making_.table, *making_.plan, columns_, lookup_keys_));
  CHECK(found_.cells.size() == lookup_keys_.size());
  outcome_.looked_up_keys = lookup_keys_.size();
  outcome_.looked_up_bytes = found_.bytes;
  return ok();
}

// The verdict when the value was found and cannot be represented; nullopt when it was appended.
Result<std::optional<Verdict>> Filler::append_found(std::uint32_t column, const WaitingRow& waiting, std::uint32_t key,
                                                    Column& out) {
  const auto position =
      static_cast<std::size_t>(std::find(columns_.begin(), columns_.end(), column) - columns_.begin());
  const Cell& cell = found_.cells[key][position];
  const Codec& codec = making_.plan->codecs[column];
  Verdict verdict = Verdict::kOk;
  if (cell.form == 'b')
    verdict = decode_binary(codec, cell.bytes, out);
  else if (cell.form == 't')
    verdict = decode_text(codec, cell.bytes, out);
  else if (out.layout() == data::Layout::kList)
    out.close_list();
  else
    out.append_null();
  if (verdict == Verdict::kOk) return std::optional<Verdict>();
  if (verdict == Verdict::kMalformed) {
    return Error(ErrorCode::kCorrupt, "a value of " + making_.table->full_name() + "." +
                                          making_.table->columns[column].name +
                                          " does not have the form of its type; was the column altered just now?")
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterBackoff);
  }
  data::Rejection rejection;
  for (std::size_t i = 0; i < waiting.key.size(); ++i)
    rejection.key +=
        (i == 0 ? "" : ", ") + making_.table->columns[slice_.schema->table.key[i]].name + "=" + waiting.key[i];
  rejection.column = making_.table->columns[column].name;
  rejection.reason = sentence(verdict);
  rejection.raw = cell_text(codec, cell);
  rejection.sequence = slice_.sequence(waiting.row);
  slice_.rejections.push_back(std::move(rejection));
  return std::optional<Verdict>(verdict);
}

// A value that was refused in the row that it is taken from is refused again with the later sequence.
void Filler::copy_rejection(std::uint32_t column, std::uint32_t from, const WaitingRow& waiting) {
  const std::string& name = making_.table->columns[column].name;
  const data::Sequence sequence = slice_.sequence(from);
  const auto refused = std::find_if(slice_.rejections.begin(), slice_.rejections.end(), [&](const data::Rejection& r) {
    return r.sequence == sequence && r.column == name;
  });
  if (refused == slice_.rejections.end()) return;
  data::Rejection again = *refused;
  again.sequence = slice_.sequence(waiting.row);
  slice_.rejections.push_back(std::move(again));
}

Status Filler::rebuild_column(std::uint32_t index) {
  Column rebuilt(slice_.schema->table.fields[index].type);
  const Column& old = slice_.columns[index];
  rebuilt.reserve(old.size());
  auto waiting = making_.waiting.begin();
  for (std::uint32_t row = 0; row < old.size(); ++row) {
    while (waiting != making_.waiting.end() && waiting->row < row) ++waiting;
    const auto hole =
        waiting != making_.waiting.end() && waiting->row == row ? sources_.find({row, index}) : sources_.end();
    if (hole == sources_.end()) {
      rebuilt.append_from(old, row);
    } else if (hole->second.kind == Source::Kind::kRow) {
      rebuilt.append_from(old, hole->second.index);
      copy_rejection(index, hole->second.index, *waiting);
    } else if (found_.cells[hole->second.index].empty()) {
      rebuilt.append_null();
      gone_[row] = true;
    } else {
      TRY(const auto refused, append_found(index, *waiting, hole->second.index, rebuilt));
      if (!refused) continue;
      if (rebuilt.layout() == data::Layout::kList)
        rebuilt.close_list();
      else
        rebuilt.append_null();
    }
  }
  slice_.columns[index] = std::move(rebuilt);
  return ok();
}

void Filler::drop_gone_rows() {
  outcome_.rows_gone = static_cast<std::size_t>(std::count(gone_.begin(), gone_.end(), true));
  if (outcome_.rows_gone == 0) return;
  data::TableSlice kept(slice_.schema);
  kept.lane = slice_.lane;
  std::vector<data::Sequence> gone_sequences;
  for (std::uint32_t row = 0; row < gone_.size(); ++row) {
    if (gone_[row]) {
      gone_sequences.push_back(slice_.sequence(row));
      continue;
    }
    for (std::size_t i = 0; i < kept.columns.size(); ++i) kept.columns[i].append_from(slice_.columns[i], row);
    kept.kinds.push_back(slice_.kind(row));
    kept.sequences.push_back(slice_.sequence(row));
  }
  for (data::Rejection& rejection : slice_.rejections) {
    const bool of_gone_row = std::any_of(gone_sequences.begin(), gone_sequences.end(),
                                         [&](data::Sequence s) { return s == rejection.sequence; });
    if (!of_gone_row) kept.rejections.push_back(std::move(rejection));
  }
  slice_ = std::move(kept);
}

Result<FillOutcome> Filler::run(const ValueLookup& lookup) {
  resolve();
  TRY_STATUS(fetch(lookup));
  gone_.assign(slice_.row_count(), false);
  for (const std::uint32_t column : columns_) TRY_STATUS(rebuild_column(column));
  drop_gone_rows();
  making_.waiting.clear();
  return outcome_;
}

std::string array_literal(const std::vector<const std::vector<std::string>*>& keys, std::size_t column) {
  std::string out = "{";
  for (const auto* key : keys) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (const char c : (*key)[column]) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

}  // namespace

Result<FillOutcome> fill_large_values(SliceInMaking& making, const ValueLookup& lookup) {
  if (making.waiting.empty()) return FillOutcome{};
  return Filler(making).run(lookup);
}

std::string lookup_sql(const SourceTable& table, const RowPlan& plan, const std::vector<std::uint32_t>& columns) {
  std::string arrays, names, where, values;
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    const SourceColumn& column = table.columns[table.key[i]];
    const std::string key = "key_" + std::to_string(i);
    // With an empty search_path only pg_catalog's operators are found by name alone.
    const bool own_operator = column.type.base.kind == 'b' && column.type.base.schema != "pg_catalog";
    arrays += (i == 0 ? "$" : ", $") + std::to_string(i + 1) + "::" + column.type.declared + "[]";
    names += key + ", ";
    where += (i == 0 ? "" : " AND ") + quote_identifier(column.name) +
             (own_operator ? " OPERATOR(" + quote_identifier(column.type.base.schema) + ".=) " : " = ") + "keys." + key;
  }
  for (const std::uint32_t index : columns)
    values += (values.empty() ? "" : ", ") + copy_expression(table.columns[index].name, plan.codecs[index]);
  // Only the bare name unnest takes several arrays side by side.
  return "SELECT keys.place, found.* FROM unnest(" + arrays + ") WITH ORDINALITY AS keys(" + names +
         "place) CROSS JOIN LATERAL (SELECT " + values + " FROM " + (table.partitioned ? "" : "ONLY ") +
         quote_table(table.schema, table.name) + " AS source_row WHERE " + where + ") AS found";
}

std::vector<std::optional<std::string>> lookup_parameters(const SourceTable& table,
                                                          const std::vector<const std::vector<std::string>*>& keys) {
  std::vector<std::optional<std::string>> out;
  for (std::size_t i = 0; i < table.key.size(); ++i) out.emplace_back(array_literal(keys, i));
  return out;
}

}  // namespace flytt::postgres
