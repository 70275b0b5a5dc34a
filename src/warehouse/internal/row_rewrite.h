#pragma once
// Rows that statements put into a base, or take out of it. On the writer thread, inside its transaction.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "warehouse/internal/duck.h"
#include "warehouse/internal/table_state.h"
#include "warehouse/query.h"

namespace flytt::warehouse::internal {

// The rows of a SELECT whose columns belong to `columns` (physical names); others become NULL. How many.
// kBadData (invalidQuery) when a REQUIRED column gets none.
Result<std::int64_t> insert_selected(Connection& connection, TableState& table, const std::vector<std::string>& columns,
                                     const std::string& sql);

// What googlesql::Rewrite asks for. kBadData (invalidQuery) when one row is changed twice.
Result<DmlCounts> rewrite_with(Connection& connection, TableState& table, const std::string& sql);

}  // namespace flytt::warehouse::internal
