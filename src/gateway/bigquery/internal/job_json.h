#pragma once
// Job resources and pages of rows (REST v2). Pure functions.

#include <cstdint>
#include <optional>
#include <string>

#include "gateway/bigquery/internal/json.h"
#include "warehouse/jobs.h"
#include "warehouse/rest_json.h"

namespace flytt::gateway::internal {

OrderedJson job_reference_json(const warehouse::Job& job);
OrderedJson dml_stats_json(const warehouse::DmlCounts& counts);
OrderedJson job_json(const warehouse::Job& job, const std::string& base);
OrderedJson job_list_item_json(const warehouse::Job& job, bool is_full);
// The failure of a finished job as an error of the request that asks for its rows.
Error error_of_job(const warehouse::Job& job);

struct RowRange {
  std::int64_t offset = 0;
  std::optional<std::int64_t> rows_max;  // 0 is a page without rows
  warehouse::TimestampForm timestamps = warehouse::TimestampForm::kFloatSeconds;
};
struct RowsJson {
  std::string rows;  // {"f":…},{"f":…} without brackets
  std::int64_t row_count = 0;
  std::int64_t next_offset = 0;  // where the next page starts; the answer's row count when this is the last page
};
// At most kPageBytesMax bytes, but at least one row if one is asked for.
RowsJson rows_json(const warehouse::StoredResult& result, const RowRange& range);

// Puts `"rows":[…]` into the text of a JSON object that is not empty.
void add_rows(std::string& object_text, const std::string& rows);

}  // namespace flytt::gateway::internal
