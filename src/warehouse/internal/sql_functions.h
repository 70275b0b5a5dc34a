#pragma once
// Registers googlesql's C++ functions and aggregates (googlesql/functions/native.h) with DuckDB.

#include <duckdb.h>

#include "base/result.h"

namespace flytt::warehouse {

// Once per database, on any connection, before the first query; functions are then known on all connections and are not
// written to the database file. kBug when DuckDB refuses one, which it names.
base::Status register_sql_functions(duckdb_connection connection);

}  // namespace flytt::warehouse
