#include "warehouse/internal/external_scan.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "warehouse/internal/row_chunks.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using data::Column;
using data::TypeKind;

// Writes rows of a column into a vector of its type, from the vector's first row on.
class CellWriter {
 public:
  CellWriter(duckdb_vector vector, const Column& from) : vector_(vector), from_(from) {
    if (from.kind() == TypeKind::kArray)
      below_.emplace_back(duckdb_list_vector_get_child(vector), from.children()[0]);
    else
      for (idx_t i = 0; i < from.children().size(); ++i)
        below_.emplace_back(duckdb_struct_vector_get_child(vector, i), from.children()[i]);
    renew();
  }

  void write(std::size_t row, idx_t to) {
    if (from_.is_null(row)) return write_null(to);
    switch (from_.kind()) {
      case TypeKind::kInt64:
      case TypeKind::kTime:
      case TypeKind::kDatetime:
      case TypeKind::kTimestamp: return put(to, from_.int64(row));
      case TypeKind::kDate: return put(to, static_cast<std::int32_t>(from_.int64(row)));
      case TypeKind::kFloat64: return put(to, from_.float64(row));
      case TypeKind::kBool: return put(to, from_.boolean(row));
      case TypeKind::kNumeric: return put(to, from_.int128(row));
      case TypeKind::kBigNumeric: {
        char bytes[32];
        data::to_ordered_bytes(from_.int256(row), bytes);
        return put_text(to, {bytes, sizeof bytes});
      }
      case TypeKind::kInterval: {
        const data::Interval& interval = from_.interval(row);
        return put(to, duckdb_interval{interval.months, interval.days, interval.micros});
      }
      case TypeKind::kArray: return write_list(row, to);
      case TypeKind::kStruct:
      case TypeKind::kRange:
        for (CellWriter& field : below_) field.write(row, to);
        return;
      default: return put_text(to, from_.bytes(row));
    }
  }

 private:
  void renew() {
    cells_ = duckdb_vector_get_data(vector_);
    validity_ = nullptr;
  }
  template <typename T>
  void put(idx_t to, T value) {
    static_cast<T*>(cells_)[to] = value;
  }
  void put_text(idx_t to, std::string_view text) {
    duckdb_unsafe_vector_assign_string_element_len(vector_, to, text.data(), text.size());
  }
  void write_null(idx_t to) {
    if (validity_ == nullptr) {
      duckdb_vector_ensure_validity_writable(vector_);
      validity_ = duckdb_vector_get_validity(vector_);
    }
    duckdb_validity_set_row_invalid(validity_, to);
    if (from_.kind() != TypeKind::kArray)
      for (CellWriter& field : below_) field.write_null(to);
    else
      put(to, duckdb_list_entry{elements_, 0});
  }
  void write_list(std::size_t row, idx_t to) {
    const std::uint32_t begin = from_.list_begin(row), end = from_.list_end(row);
    put(to, duckdb_list_entry{elements_, end - begin});
    duckdb_list_vector_reserve(vector_, elements_ + (end - begin));
    below_.front().renew();
    for (std::uint32_t i = begin; i < end; ++i) below_.front().write(i, elements_++);
    duckdb_list_vector_set_size(vector_, elements_);
  }

  duckdb_vector vector_;
  const Column& from_;
  void* cells_ = nullptr;
  std::uint64_t* validity_ = nullptr;
  idx_t elements_ = 0;  // of a list, so far
  std::deque<CellWriter> below_;
};

// One reading of a scan.
class Reading {
 public:
  Reading(std::shared_ptr<ExternalScan> scan, std::unique_ptr<flow::Source> source, const base::Clock& clock)
      : scan_(std::move(scan)), source_(std::move(source)), clock_(clock) {}

  // Fills `out` with up to 2,048 rows; none at the end.
  Status fill(duckdb_data_chunk out) {
    while (!slice_ || row_ == slice_->row_count()) {
      TRY(const bool there, take_slice());
      if (!there) {
        duckdb_data_chunk_set_size(out, 0);
        return ok();
      }
    }
    const std::size_t rows = std::min<std::size_t>(slice_->row_count() - row_, duckdb_vector_size());
    for (idx_t c = 0; c < slice_->columns.size(); ++c) {
      CellWriter writer(duckdb_data_chunk_get_vector(out, c), slice_->columns[c]);
      for (std::size_t i = 0; i < rows; ++i) writer.write(row_ + i, i);
    }
    row_ += rows;
    duckdb_data_chunk_set_size(out, rows);
    return ok();
  }

 private:
  Result<bool> take_slice() {
    row_ = 0;
    slice_.reset();
    while (waiting_.empty()) {
      if (source_->is_done()) return false;
      const bool is_unwanted = scan_->is_over || (scan_->cancel && *scan_->cancel);
      if (is_unwanted || clock_.is_past(scan_->deadline))
        return Error(ErrorCode::kCancelled, "the query was stopped while it read EXTERNAL_QUERY");
      TRY(std::optional<flow::Batch> batch,
          source_->next(clock_.in(std::chrono::milliseconds(kExternalPatienceMillis))));
      if (!batch) continue;
      for (data::TableSlice& slice : batch->tables) waiting_.push_back(std::move(slice));
    }
    slice_ = std::move(waiting_.front());
    waiting_.pop_front();
    if (slice_->rejections.empty()) return true;
    const data::Rejection& first = slice_->rejections.front();
    return Error(ErrorCode::kBadData, "a value of column " + first.column + " cannot be represented: " + first.reason);
  }

  std::shared_ptr<ExternalScan> scan_;
  std::unique_ptr<flow::Source> source_;
  const base::Clock& clock_;
  std::deque<data::TableSlice> waiting_;
  std::optional<data::TableSlice> slice_;
  std::size_t row_ = 0;  // of it, that comes next
};

std::string text_of(const Error& error) {
  return "Invalid table-valued function EXTERNAL_QUERY " + error.sentence() +
         (error.cause().empty() ? "" : ": " + error.cause());
}

void bind(duckdb_bind_info info) {
  auto& scans = *static_cast<ExternalScans*>(duckdb_bind_get_extra_info(info));
  duckdb_value value = duckdb_bind_get_parameter(info, 0);
  const std::int64_t id = duckdb_get_int64(value);
  duckdb_destroy_value(&value);
  std::shared_ptr<ExternalScan> scan = scans.find(id);
  if (!scan) return duckdb_bind_set_error(info, "rows of EXTERNAL_QUERY are asked for after their statement");
  for (const int column : scan->columns) {
    const LogicalType type = logical_type(scan->rows->columns()[static_cast<std::size_t>(column)].type);
    duckdb_bind_add_result_column(info, external_column(column).c_str(), type.raw);
  }
  duckdb_bind_set_bind_data(info, new std::shared_ptr<ExternalScan>(std::move(scan)),
                            [](void* data) { delete static_cast<std::shared_ptr<ExternalScan>*>(data); });
}

void init(duckdb_init_info info) {
  auto& scans = *static_cast<ExternalScans*>(duckdb_init_get_extra_info(info));
  const auto& scan = *static_cast<std::shared_ptr<ExternalScan>*>(duckdb_init_get_bind_data(info));
  auto source = scan->rows->open(scan->columns, scan->deadline);
  if (!source) return duckdb_init_set_error(info, text_of(source.error()).c_str());
  duckdb_init_set_max_threads(info, 1);
  duckdb_init_set_init_data(info, new Reading(scan, std::move(*source), scans.clock()),
                            [](void* data) { delete static_cast<Reading*>(data); });
}

void fill(duckdb_function_info info, duckdb_data_chunk out) {
  const Status filled = static_cast<Reading*>(duckdb_function_get_init_data(info))->fill(out);
  if (!filled) duckdb_function_set_error(info, text_of(filled.error()).c_str());
}

}  // namespace

std::string external_column(int index) { return "e" + std::to_string(index); }

Status ExternalScans::register_function(const Connection& connection) {
  duckdb_table_function function = duckdb_create_table_function();
  duckdb_table_function_set_name(function, "flytt_external");
  const LogicalType id(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  duckdb_table_function_add_parameter(function, id.raw);
  duckdb_table_function_set_extra_info(function, this, nullptr);
  duckdb_table_function_set_bind(function, bind);
  duckdb_table_function_set_init(function, init);
  duckdb_table_function_set_function(function, fill);
  const bool is_known = duckdb_register_table_function(connection.raw(), function) == DuckDBSuccess;
  duckdb_destroy_table_function(&function);
  if (!is_known) return Error(ErrorCode::kBug, "DuckDB does not take the function flytt_external");
  return ok();
}

ExternalScans::Use ExternalScans::begin(std::shared_ptr<ExternalScan> scan) {
  std::lock_guard lock(mutex_);
  scan->is_over = is_closed_;
  scans_.emplace(next_id_, std::move(scan));
  return {*this, next_id_++};
}

void ExternalScans::end(std::int64_t id) {
  std::lock_guard lock(mutex_);
  const auto found = scans_.find(id);
  found->second->is_over = true;
  scans_.erase(found);
}

void ExternalScans::end_all() {
  std::lock_guard lock(mutex_);
  is_closed_ = true;
  for (const auto& [id, scan] : scans_) scan->is_over = true;
}

std::shared_ptr<ExternalScan> ExternalScans::find(std::int64_t id) {
  std::lock_guard lock(mutex_);
  const auto found = scans_.find(id);
  return found == scans_.end() ? nullptr : found->second;
}

}  // namespace flytt::warehouse::internal
