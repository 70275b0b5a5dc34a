#pragma once
// What lies between the shape that a table has at the destination and the one that arrives.

#include <string>
#include <vector>

#include "data/schema.h"

namespace flytt::pipeline::internal {

struct SchemaDiff {
  std::vector<data::Field> additions;  // nullable columns that can be added
  std::string refusal;                 // why the arriving shape cannot be followed; empty when it can
  bool is_refused() const { return !refusal.empty(); }
};

// Columns that only the destination has are fine: they stay NULL. Parameters of types (precision, length) are not
// compared; a value that is too large for them is refused by the destination, row by row.
SchemaDiff compare_schemas(const data::TableSchema& there, const data::TableSchema& arriving);

}  // namespace flytt::pipeline::internal
