#pragma once
// Rows of a request as text, for people: what stood in a row that the destination refused.

#include <string>
#include <string_view>

#include "base/result.h"
#include "data/table_slice.h"

namespace flytt::bigquery {

// Reads rows of one descriptor back, also those with values that no table would take.
struct RowText {
  std::string key;       // "id=7"; several key columns joined with ", "
  std::string position;  // "topic/3/42", from the columns that say it; empty when there are none
  std::string json;      // all columns as a JSON object, at most kRefusedRawBytesMax bytes
  data::Sequence sequence;
};
Result<RowText> text_of_row(std::string_view descriptor, const data::TableSchema& table, std::string_view row);

}  // namespace flytt::bigquery
