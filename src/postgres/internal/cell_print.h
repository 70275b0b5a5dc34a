#pragma once
// Cells as text, for the expectations of tests.

#include <sstream>
#include <string>

#include "data/column.h"

namespace flytt::postgres {

inline std::string print_cell(const data::Column& column, std::size_t row) {
  if (column.is_null(row)) return "NULL";
  switch (column.kind()) {
    case data::TypeKind::kInt64: return std::to_string(column.int64(row));
    case data::TypeKind::kBool: return column.boolean(row) ? "true" : "false";
    case data::TypeKind::kFloat64: {
      std::ostringstream out;
      out.precision(17);
      out << column.float64(row);
      return out.str();
    }
    case data::TypeKind::kDate: return data::format_date(column.int64(row));
    case data::TypeKind::kTime: return data::format_time(column.int64(row));
    case data::TypeKind::kDatetime: return data::format_datetime(column.int64(row));
    case data::TypeKind::kTimestamp: return data::format_datetime(column.int64(row)) + "Z";
    case data::TypeKind::kNumeric: return data::format_numeric(column.int128(row));
    case data::TypeKind::kBigNumeric: return data::format_bignumeric(column.int256(row));
    case data::TypeKind::kInterval: return data::format_interval(column.interval(row));
    case data::TypeKind::kArray: {
      std::string out = "[";
      for (std::uint32_t i = column.list_begin(row); i < column.list_end(row); ++i)
        out += (i > column.list_begin(row) ? "|" : "") + print_cell(column.children().front(), i);
      return out + "]";
    }
    default: return std::string(column.bytes(row));
  }
}

}  // namespace flytt::postgres
