#pragma once
// What the translator asks of whoever keeps the tables.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/type.h"

namespace flytt::googlesql {

struct CatalogColumn {
  std::string name;  // as the user sees it; compared without case
  data::Type type;
  std::string physical_name;  // the column's name in `relation`, unquoted
  bool is_pseudo = false;     // resolves by name, stays out of SELECT * (_PARTITIONTIME, …)
};

struct CatalogTable {
  std::string full_name;               // "project.dataset.table": two paths to one table have one full name
  std::vector<CatalogColumn> columns;  // pseudo columns last
  // DuckDB text to put after FROM, without an alias: a quoted table name or a parenthesised SELECT. It offers at least the
  // columns with the given indexes (into `columns`) under their physical names; the list may be empty (only rows count).
  std::function<std::string(const std::vector<int>& column_indexes)> relation;
  // DuckDB's name of the table whose rows UPDATE, DELETE and MERGE change, with a rowid; empty: there is none.
  std::string rewritten;
  std::vector<std::string> arguments;  // of EXTERNAL_QUERY; set by the translator
  std::vector<std::string> members;    // full names of the tables that it stands for; empty: only for itself
};

// A call of EXTERNAL_QUERY, as it is written.
struct ExternalCall {
  std::string connection, query, options;
  std::string place;  // of the call, for errors: "[1:15]"
};

// Called by the thread that translates, never by two threads for one translation at once.
class Catalog {
 public:
  virtual ~Catalog() = default;
  // `path` has the segments as the user wrote them: {"t"}, {"d", "t"}, {"p", "d", "t"}, {"p.d.t"} (one pair of backticks),
  // {"p.d", "t"}, {"d", "INFORMATION_SCHEMA", "TABLES"}. Defaults for project and dataset are the catalog's business.
  // nullopt: no such table; the analyzer then says so with the position. An Error ends the translation.
  virtual Result<std::optional<CatalogTable>> find(const std::vector<std::string>& path) = 0;
  // The rows that a database elsewhere answers with. Its `full_name` is not used.
  virtual Result<CatalogTable> external(const ExternalCall& call) {
    return Error(ErrorCode::kUnsupported, "EXTERNAL_QUERY is not supported here, at " + call.place);
  }
};

}  // namespace flytt::googlesql
