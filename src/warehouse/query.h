#pragma once
// Questions in GoogleSQL and their answers.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/column.h"
#include "data/schema.h"
#include "googlesql/translator.h"
#include "warehouse/tables.h"

namespace flytt::warehouse {

// A table that takes the rows of the one SELECT asked for; the answer is then what the table holds.
struct Destination {
  data::TablePath table;
  enum class Write {
    kEmpty,         // only when the table has no rows, or is not there (kConflict, duplicate)
    kTruncate,      // in the place of the table's rows, columns and key
    kTruncateData,  // in the place of the table's rows; all else about the table stays
    kAppend,
  } write = Write::kEmpty;
  bool may_create = true;  // else kNotFound when it is not there
  // Of a partitioned table: the rows go into this one ("20260115"; kBadData when one does not belong there), and those of the
  // others stay. The table must be there, and keeps its schema, however its rows are written.
  std::string partition;
};

struct Job;  // jobs.h

struct QueryOptions {
  std::string project;                         // of names without one
  std::optional<DatasetPath> default_dataset;  // of table names without a dataset
  std::vector<googlesql::QueryParameter> parameters;
  std::optional<Destination> destination;
  std::optional<std::int64_t> bytes_billed_max;  // kBadData (bytesBilledLimitExceeded) beyond it
  // Kept in the file, as done, in the transaction that changes rows, so that after a restart its id is still taken; may
  // be null.
  std::shared_ptr<const Job> job;
  base::Deadline deadline;  // kTimeout when it passes, also while pages are taken
  // Set by anyone to stop the query (kCancelled); may be null. Looked at between pages and at least every 20 ms within.
  std::shared_ptr<std::atomic<bool>> cancel;
};

// Some rows of an answer, column by column, at most 2,048.
struct ResultPage {
  std::vector<data::Column> columns;
  std::size_t row_count() const { return columns.empty() ? 0 : columns.front().size(); }
};

// Rows that DML touched.
struct DmlCounts {
  std::int64_t inserted = 0, updated = 0, deleted = 0;
  std::int64_t all() const { return inserted + updated + deleted; }
};

// What a statement did, besides rows.
struct StatementSummary {
  std::string statement_type;                    // BigQuery's: "SELECT", "CREATE_TABLE", "INSERT", "SCRIPT", …
  std::string ddl_operation;                     // "CREATE", "SKIP", "REPLACE", "DROP", or empty
  std::string ddl_target;                        // "project.dataset.table" or "project.dataset"
  std::optional<std::int64_t> affected_rows;     // of DML, and of a table made from a query
  std::optional<DmlCounts> dml;                  // of DML
  std::vector<std::string> referenced_tables;    // full names
  std::int64_t bytes_processed = 0;              // an estimate from row counts and types
  std::int64_t bytes_billed = 0;                 // by BigQuery's rules, of that estimate
  std::optional<std::int64_t> written_rows;      // into a destination
  std::string destination_sql;                   // of an answer that is in a table: the SELECT that reads it there
  std::optional<std::int64_t> destination_rows;  // set once an answer is in its table: what fails later undoes nothing
};

// A running answer. Owned and used by one thread at a time; destroying it stops the query. All pages come from one snapshot.
class QueryResult {
 public:
  virtual ~QueryResult() = default;
  virtual const std::vector<googlesql::OutputColumn>& columns() const = 0;  // empty for DDL and DML
  virtual const StatementSummary& summary() const = 0;
  // nullopt after the last page. Blocks while DuckDB computes.
  virtual Result<std::optional<ResultPage>> next() = 0;
};

}  // namespace flytt::warehouse
