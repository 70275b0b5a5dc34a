#pragma once
// Cells of a query's answer as people and programs read them.

#include <string>

#include "bigquery/client.h"
#include "data/type.h"

namespace flytt::app {

// Plain text for tables and CSV: TIMESTAMP as "2024-02-29 12:34:56 UTC"; ARRAY and STRUCT as JSON. NULL is empty.
std::string cell_text(const data::Type& type, const bigquery::Cell& cell);

// GoogleSQL's TO_JSON_STRING forms: INT64 as a number up to 2^53 and as a string beyond it, NUMERIC and BIGNUMERIC as
// strings, FLOAT64 as a number unless it is NaN or infinite, TIMESTAMP "2024-02-29T12:34:56Z", JSON as it is.
std::string cell_json(const data::Type& type, const bigquery::Cell& cell);

}  // namespace flytt::app
