#pragma once
// The body of tabledata.insertAll (REST v2) as rows of a table. Pure function.
//
// Values come as JSON writes them or as text, by type ("Streaming data into BigQuery", and the JSON forms of load jobs):
//   INT64 5, "5" · FLOAT64 1.5, "1.5", "NaN", "Infinity" · BOOL true, "true" · STRING text, numbers, true · BYTES base64
//   DATE "2024-02-29" · TIME "12:34:56.789" · DATETIME "2024-02-29T12:34:56" · NUMERIC, BIGNUMERIC "1.5", 1.5
//   TIMESTAMP "2024-02-29 12:34:56.789+01:00", seconds since 1970 as a number or text, "AUTO" (now)
//   JSON a text that is JSON, or an object or list · GEOGRAPHY text · INTERVAL "1-2 3 4:5:6" · RANGE {"start", "end"}
//   STRUCT an object · ARRAY a list without nulls; null and a missing member are an empty one
// A faulty row is left out and told with the place and the reason, never with the value.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/table_slice.h"

namespace flytt::gateway::internal {

struct InsertFault {
  std::int64_t row;  // of the request
  std::string reason;
  std::string location;  // "items[2].price"; empty = the whole row
  std::string message;
};

struct InsertRows {
  explicit InsertRows(std::shared_ptr<const data::SliceSchema> schema) : slice(std::move(schema)) {}

  bool skip_invalid_rows = false;
  std::int64_t row_count = 0;           // of the request
  data::TableSlice slice;               // the rows without a fault
  std::vector<std::int64_t> rows;       // by row of the slice: its place in the request
  std::vector<std::string> insert_ids;  // by row of the slice; empty = none
  std::vector<InsertFault> faults;      // rising rows
};

// kBadData and kUnsupported are about the request as a whole.
Result<InsertRows> parse_insert_rows(std::string_view body, std::shared_ptr<const data::SliceSchema> schema,
                                     std::int64_t now_micros);

// The answer's body. Unless faulty rows are skipped, one of them stops all others, and they are told, too.
std::string insert_response(std::vector<InsertFault> faults, std::int64_t row_count, bool skip_invalid_rows);

}  // namespace flytt::gateway::internal
