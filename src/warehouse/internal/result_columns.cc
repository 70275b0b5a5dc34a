#include "warehouse/internal/result_columns.h"

#include <cstring>

namespace flytt::warehouse::internal {

namespace {

using data::Column;
using data::TypeKind;

std::string_view text_of(const duckdb_string_t& cell) {
  duckdb_string_t& mutable_cell = const_cast<duckdb_string_t&>(cell);
  return {duckdb_string_t_data(&mutable_cell), duckdb_string_t_length(cell)};
}

// Appends rows [from, from + count) of a vector to a column of `type`.
class CellReader {
 public:
  CellReader(duckdb_vector vector, const data::Type& type)
      : type_(type), cells_(duckdb_vector_get_data(vector)), validity_(duckdb_vector_get_validity(vector)) {
    switch (type.kind) {
      case TypeKind::kArray: below_.emplace_back(duckdb_list_vector_get_child(vector), type.element.front()); break;
      case TypeKind::kStruct:
        for (std::size_t i = 0; i < type.fields.size(); ++i)
          below_.emplace_back(duckdb_struct_vector_get_child(vector, i), type.fields[i].type);
        break;
      case TypeKind::kRange:
        for (idx_t i = 0; i < 2; ++i)
          below_.emplace_back(duckdb_struct_vector_get_child(vector, i), type.element.front());
        break;
      default: break;
    }
  }

  void append(std::size_t row, Column& out) const {
    if (validity_ != nullptr && !duckdb_validity_row_is_valid(validity_, row)) return out.append_null();
    switch (type_.kind) {
      case TypeKind::kInt64:
      case TypeKind::kTime:
      case TypeKind::kDatetime:
      case TypeKind::kTimestamp: return out.append_int64(at<std::int64_t>(row));
      case TypeKind::kDate: return out.append_int64(at<std::int32_t>(row));
      case TypeKind::kFloat64: return out.append_double(at<double>(row));
      case TypeKind::kBool: return out.append_bool(at<std::uint8_t>(row) != 0);
      case TypeKind::kNumeric: return out.append_int128(at<data::Int128>(row));
      case TypeKind::kBigNumeric: return append_bignumeric(text_of(at<duckdb_string_t>(row)), out);
      case TypeKind::kInterval: {
        const auto interval = at<duckdb_interval>(row);
        return out.append_interval({interval.months, interval.days, interval.micros});
      }
      case TypeKind::kArray: {
        const auto entry = at<duckdb_list_entry>(row);
        for (std::uint64_t i = 0; i < entry.length; ++i) below_.front().append(entry.offset + i, out.children()[0]);
        return out.close_list();
      }
      case TypeKind::kStruct:
      case TypeKind::kRange:
        for (std::size_t i = 0; i < below_.size(); ++i) below_[i].append(row, out.children()[i]);
        return out.close_struct();
      default: return out.append_bytes(text_of(at<duckdb_string_t>(row)));
    }
  }

 private:
  template <typename T>
  const T& at(std::size_t row) const {
    return static_cast<const T*>(cells_)[row];
  }
  static void append_bignumeric(std::string_view bytes, Column& out) {
    if (bytes.size() != 32) return out.append_null();
    out.append_int256(data::from_ordered_bytes(bytes.data()));
  }

  const data::Type& type_;
  const void* cells_;
  std::uint64_t* validity_;
  std::vector<CellReader> below_;
};

duckdb_type expected(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64: return DUCKDB_TYPE_BIGINT;
    case TypeKind::kFloat64: return DUCKDB_TYPE_DOUBLE;
    case TypeKind::kBool: return DUCKDB_TYPE_BOOLEAN;
    case TypeKind::kBytes:
    case TypeKind::kBigNumeric: return DUCKDB_TYPE_BLOB;
    case TypeKind::kDate: return DUCKDB_TYPE_DATE;
    case TypeKind::kTime: return DUCKDB_TYPE_TIME;
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return DUCKDB_TYPE_TIMESTAMP;
    case TypeKind::kNumeric: return DUCKDB_TYPE_DECIMAL;
    case TypeKind::kInterval: return DUCKDB_TYPE_INTERVAL;
    case TypeKind::kArray: return DUCKDB_TYPE_LIST;
    case TypeKind::kStruct:
    case TypeKind::kRange: return DUCKDB_TYPE_STRUCT;
    default: return DUCKDB_TYPE_VARCHAR;
  }
}

bool fits(const LogicalType& type, const data::Type& wanted) {
  if (duckdb_get_type_id(type.raw) != expected(wanted.kind)) return false;
  switch (wanted.kind) {
    case TypeKind::kNumeric: return duckdb_decimal_width(type.raw) == 38 && duckdb_decimal_scale(type.raw) == 9;
    case TypeKind::kArray: return fits(LogicalType(duckdb_list_type_child_type(type.raw)), wanted.element.front());
    case TypeKind::kStruct: {
      if (duckdb_struct_type_child_count(type.raw) != wanted.fields.size()) return false;
      for (std::size_t i = 0; i < wanted.fields.size(); ++i)
        if (!fits(LogicalType(duckdb_struct_type_child_type(type.raw, i)), wanted.fields[i].type)) return false;
      return true;
    }
    case TypeKind::kRange:
      return duckdb_struct_type_child_count(type.raw) == 2 &&
             fits(LogicalType(duckdb_struct_type_child_type(type.raw, 0)), wanted.element.front());
    default: return true;
  }
}

}  // namespace

Result<ResultPage> to_page(const Chunk& chunk, const std::vector<googlesql::OutputColumn>& columns) {
  ResultPage page;
  if (duckdb_data_chunk_get_column_count(chunk.raw) != columns.size())
    return Error(ErrorCode::kBug, "the translated statement has another number of columns than the question");
  const std::size_t rows = chunk.size();
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const duckdb_vector vector = chunk.column(c);
    if (!fits(LogicalType(duckdb_vector_get_column_type(vector)), columns[c].type))
      return Error(ErrorCode::kBug, "the translated statement gives column " + columns[c].name + " another type than " +
                                        columns[c].type.sql_name());
    const CellReader reader(vector, columns[c].type);
    Column& column = page.columns.emplace_back(columns[c].type);
    column.reserve(rows);
    for (std::size_t row = 0; row < rows; ++row) reader.append(row, column);
  }
  return page;
}

}  // namespace flytt::warehouse::internal
