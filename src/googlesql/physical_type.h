#pragma once
// How each BigQuery type lies in DuckDB. The warehouse stores columns in these forms and generated SQL works on them.
//
//   INT64 BIGINT · FLOAT64 DOUBLE · BOOL BOOLEAN · STRING VARCHAR · BYTES BLOB · DATE DATE · TIME TIME · DATETIME TIMESTAMP
//   TIMESTAMP TIMESTAMP (UTC) · NUMERIC DECIMAL(38,9) · BIGNUMERIC BLOB (data::to_ordered_bytes: 32 bytes whose memcmp order
//   is the numeric order) · JSON VARCHAR (normalised text) · INTERVAL INTERVAL · GEOGRAPHY VARCHAR (WKT) · ARRAY<T> T[]
//   STRUCT: STRUCT(f0 …, f1 …) by position, because names may be missing or repeated · RANGE<T> STRUCT(f0 T, f1 T), NULL = unbounded
//
// DuckDB connections always have TimeZone = 'UTC'. NUMERIC(P,S), STRING(L) and BYTES(L) lie like their plain types.

#include <string>
#include <string_view>

#include "data/type.h"

namespace flytt::googlesql {

// DuckDB's type name, ready for CREATE TABLE and CAST: "BIGINT", "STRUCT(f0 BIGINT, f1 VARCHAR[])".
std::string physical_type(const data::Type& type);

// A DuckDB identifier in double quotes, and a DuckDB string literal in single quotes.
std::string quote_name(std::string_view name);
std::string quote_text(std::string_view text);

}  // namespace flytt::googlesql
