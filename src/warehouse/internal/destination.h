#pragma once
// What becomes of the table that an answer is written into (Destination in query.h). Pure functions.

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "warehouse/query.h"

namespace flytt::warehouse::internal {

struct DestinationPlan {
  bool appends = false;                // to the table that is there,
  bool replaces = false;               // or in the place of its rows
  std::vector<std::uint32_t> columns;  // of both: the table's columns in the order of the answer's
  TableInfo table;                     // otherwise: the table to make, or to put in the place of the one that is there
};

// `existing`: the table that is there now, and whether it holds rows.
Result<DestinationPlan> plan_destination(const Destination& destination,
                                         const std::vector<googlesql::OutputColumn>& answer,
                                         const std::optional<TableInfo>& existing, bool has_rows,
                                         const std::string& location);

}  // namespace flytt::warehouse::internal
