#pragma once
// One JSON value as one cell of a column. Slow to include.

#include <string>
#include <vector>

#include "data/column.h"
#include "gateway/bigquery/internal/json.h"

namespace flytt::gateway::internal {

struct ValueFault {
  std::string location, message;
};

struct ValueRules {
  bool ignore_unknown_values = false;
  std::int64_t now_micros = 0;  // "AUTO" of a TIMESTAMP
};

// Appends exactly one cell, whatever happens; after a fault it is to be taken back. `location` is the value's place.
void append_value(const data::Type& type, const Json& value, const ValueRules& rules, const std::string& location,
                  data::Column& column, std::vector<ValueFault>& faults);

}  // namespace flytt::gateway::internal
