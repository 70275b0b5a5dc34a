#pragma once
// PostgreSQL types and the BigQuery types that they become: one table for copy, stream and documentation.
//
// A domain counts as its base type. A type that the table does not name arrives as STRING in PostgreSQL's text form, so
// no type is an error. A value that its BigQuery type cannot hold becomes NULL and a data::Rejection.

#include <cstdint>
#include <string>

#include "data/type.h"

namespace flytt::postgres {

// One entry of pg_type, domains resolved.
struct NamedType {
  std::uint32_t oid = 0;
  std::string schema, name;  // "pg_catalog", "int4"
  char kind = 'b';           // pg_type.typtype: b base, c composite, e enum, r range, m multirange, p pseudo
  char delimiter = ',';      // pg_type.typdelim, of this type's arrays
};

// The type of a column.
struct SourceType {
  std::uint32_t declared_oid = 0;  // as the column names it (of the domain)
  std::string declared;            // as people write it: "numeric(10,2)", "app.email"
  std::int32_t modifier = -1;      // atttypmod, of the base type
  NamedType base;                  // of an array: the array type
  bool is_array = false;
  NamedType element;  // only of an array
};

struct TypeMapping {
  data::Type type;
  bool binary = false;       // we read its binary form; otherwise its text form is asked for
  bool key_allowed = false;  // may be a primary key column in BigQuery
};
TypeMapping map_type(const SourceType& type);

// The rows of the reference page: "| PostgreSQL | BigQuery | notes |" with a header, in Markdown.
std::string type_table_markdown();

}  // namespace flytt::postgres
