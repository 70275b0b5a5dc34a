#pragma once
// GoogleSQL → DuckDB.
//
// `translate` analyzes one statement with Google's analyzer and generates the DuckDB SQL that gives the same answer, or
// structured data for statements that the warehouse carries out itself. What cannot be translated exactly is kUnsupported
// and names the construct; the answer is never an approximation. SQL that GoogleSQL refuses is kBadData with the
// analyzer's sentence, unchanged: `Unrecognized name: nam; Did you mean name? [at 1:8]`.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/schema.h"
#include "data/type.h"
#include "googlesql/analyzer.h"
#include "googlesql/catalog.h"

namespace flytt::googlesql {

// A value as text: "12", "2024-02-29 12:00:00+00", "true"; BYTES as base64. Arrays and structs have elements instead.
struct ParameterValue {
  bool is_null = false;
  std::string text;
  std::vector<ParameterValue> elements;  // of ARRAY in order, of STRUCT by position of the type's fields
};

struct QueryParameter {
  std::string name;  // empty for all parameters = positional (?), else named (@name), compared without case
  data::Type type;
  ParameterValue value;
};

struct TranslateOptions {
  std::vector<QueryParameter> parameters;
  // Values of functions that depend on the moment, such as CURRENT_TIMESTAMP: one for the whole statement.
  std::int64_t now_micros = 0;
  bool is_for_table = false;  // the columns of a query become those of a table: none may have the name of another
  base::Deadline deadline;
};

struct OutputColumn {
  std::string name;  // BigQuery's names for anonymous columns: f0_, f1_, …
  data::Type type;
};

struct Query {
  std::string sql;                    // one DuckDB SELECT; its columns are named o0, o1, … and have physical types
  std::vector<OutputColumn> columns;  // of the same count
  bool is_ordered = false;            // an outermost ORDER BY
};

enum class CreateMode { kError, kReplace, kIfNotExists };

struct TableOption {
  std::string name;  // lower case: "description", "max_staleness", "expiration_timestamp", "labels"
  std::string text;  // the value's GoogleSQL source text
};

struct CreateTable {
  std::vector<std::string> path;  // as written
  CreateMode mode = CreateMode::kError;
  bool is_temporary = false;
  data::TableSchema schema;  // columns of the query when none are given
  std::vector<TableOption> options;
  std::vector<std::string> clustering;  // column names
  std::string partition_column;         // empty = not partitioned; "_PARTITIONDATE" and "_PARTITIONTIME" are possible
  std::string partition_unit;           // DAY, HOUR, MONTH, YEAR, or RANGE
  std::int64_t range_start = 0, range_end = 0, range_step = 0;  // of RANGE
  std::optional<Query> query;  // CREATE TABLE … AS; columns in the schema's order, already of its types
};

struct DropTable {
  std::vector<std::string> path;
  bool if_exists = false;
};

struct CreateSchema {
  std::vector<std::string> path;
  CreateMode mode = CreateMode::kError;
  std::vector<TableOption> options;
};

struct DropSchema {
  std::vector<std::string> path;
  bool if_exists = false;
  bool cascade = false;
};

struct Insert {
  std::string table;                   // CatalogTable::full_name
  std::vector<std::uint32_t> columns;  // indexes into CatalogTable::columns; others become NULL
  Query query;                         // one column for each of `columns`, already of its type
};

enum class RowAction { kInsert, kUpdate, kDelete };

// UPDATE, DELETE and MERGE. `sql` is a DuckDB SELECT with the columns
//   r   the rowid of a row of CatalogTable::rewritten that goes; NULL: none. Twice the same is an error of the statement.
//   a   RowAction as a number
//   o0, o1, …   the row that comes (kInsert, kUpdate): all columns of the table, already of their types
struct Rewrite {
  std::string table;  // CatalogTable::full_name
  std::string sql;
};

enum class StatementKind {
  kQuery,
  kCreateTable,
  kDropTable,
  kCreateSchema,
  kDropSchema,
  kInsert,
  kUpdate,
  kDelete,
  kMerge
};
// BigQuery's statementType: "SELECT", "CREATE_TABLE", "CREATE_TABLE_AS_SELECT", "INSERT", …
std::string_view statement_type(StatementKind kind, bool has_query);

struct Translation {
  StatementKind kind = StatementKind::kQuery;
  // The member of `kind` is set.
  Query query;
  CreateTable create_table;
  DropTable drop_table;
  CreateSchema create_schema;
  DropSchema drop_schema;
  Insert insert;
  Rewrite rewrite;  // of kUpdate, kDelete and kMerge

  std::vector<std::string> referenced_tables;  // full names, each once, in order of appearance
  std::size_t begin = 0, end = 0;  // bytes of this statement in the text; `end` is where the next one starts
  bool is_last = true;             // only spaces and comments follow
};

// Translates the statement that starts at byte `begin` of `sql` (statements are separated by semicolons). The caller
// carries it out before it asks for the next one, so that DDL is seen by later statements. Blocks on the helper.
Result<Translation> translate(Analyzer& analyzer, std::string_view sql, std::size_t begin, Catalog& catalog,
                              const TranslateOptions& options);
// The only statement of `sql`; kUnsupported when there are more.
Result<Translation> translate(Analyzer& analyzer, std::string_view sql, Catalog& catalog,
                              const TranslateOptions& options);

}  // namespace flytt::googlesql
