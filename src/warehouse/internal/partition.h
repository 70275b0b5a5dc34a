#pragma once
// One partition of a table, as a decorator names it: orders$20260115. Pure functions.
//
// Of a table partitioned by a DATE, DATETIME or TIMESTAMP column the id is the time in UTC: YYYY, YYYYMM, YYYYMMDD or
// YYYYMMDDHH, as the table's unit is; by a range of integers it is the lowest number of the partition.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "warehouse/tables.h"

namespace flytt::warehouse::internal {

struct Partition {
  std::uint32_t column = 0;      // that decides, in the table's schema
  std::string first, last;       // values of that column, inclusive, in DuckDB's SQL
  std::string google_condition;  // the same as a condition in GoogleSQL
};

// kBadData (invalid): the table is not partitioned, or not so. kUnsupported: by ingestion time.
Result<Partition> find_partition(const TableInfo& table, std::string_view id);

// In DuckDB's SQL; NULL where the column is.
std::string is_within(const Partition& partition, const std::string& column);

}  // namespace flytt::warehouse::internal
