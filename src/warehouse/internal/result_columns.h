#pragma once
// DuckDB's result chunks as data::Columns.

#include <vector>

#include "data/column.h"
#include "googlesql/translator.h"
#include "warehouse/internal/duck.h"
#include "warehouse/query.h"

namespace flytt::warehouse::internal {

// The chunk's vectors are flat and have the physical types of `columns`. kBug when they have not.
Result<ResultPage> to_page(const Chunk& chunk, const std::vector<googlesql::OutputColumn>& columns);

}  // namespace flytt::warehouse::internal
