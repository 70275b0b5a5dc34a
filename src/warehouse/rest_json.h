#pragma once
// Cells in the JSON form of BigQuery REST v2 (jobs.getQueryResults, tabledata.list): "v" of {"f":[{"v":…},…]}.
// Pure functions; text is appended to `out`.

#include <string>
#include <vector>

#include "data/column.h"
#include "data/type.h"

namespace flytt::warehouse {

enum class TimestampForm { kFloatSeconds, kInt64Micros, kIso8601 };

// The value after "v": a JSON string, null, an array of {"v":…}, or an object {"f":[…]}.
void append_cell_json(const data::Type& type, const data::Column& column, std::size_t row, TimestampForm form,
                      std::string& out);
// {"f":[{"v":…},…]}
void append_row_json(const std::vector<data::Type>& types, const std::vector<data::Column>& columns, std::size_t row,
                     TimestampForm form, std::string& out);

}  // namespace flytt::warehouse
