#pragma once
// Whether a table can be mirrored, and what to do if not.

#include <string>
#include <vector>

#include "postgres/catalog.h"

namespace flytt::postgres {

// What the catalog says of a table besides what is kept of it.
struct TableTraits {
  bool unlogged = false;
  bool partition_without_identity = false;
  std::vector<std::string> key_columns;  // of the primary key, or of the replica identity's index
  std::string unique_index;              // another index that could be the replica identity
};

// Fills key, problem and remedy.
void judge_table(SourceTable& table, const TableTraits& traits);

// Column names that BigQuery refuses; empty when there is none.
std::string name_problem(const SourceTable& table);

}  // namespace flytt::postgres
