#pragma once
// Where a query's rows go: the target table, made or widened to take them, and the statement that puts them there.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "app/internal/query_problems.h"
#include "base/clock.h"
#include "bigquery/client.h"
#include "data/schema.h"
#include "state/store.h"

namespace flytt::app {

// A column of the target and the expression over `s`, the result, that fills it.
struct TargetColumn {
  std::string name;
  std::string expression;
  bool is_filled = true;  // false: the result does not have it
};

struct QueryTarget {
  data::TablePath table;
  std::vector<TargetColumn> columns;  // of the whole table, in its order
  // Columns of a job's answer are NULLABLE and without parameters, and BigQuery does not put them into others: true when the
  // table has such, so that a statement must write the rows by itself, which looks at each value.
  bool is_strict = false;
};

// The table of one slot, or the partition. kConfig when the template gives a name that BigQuery does not take.
Result<data::TablePath> target_table(const QueryConfig& query, const std::string& project, std::int64_t slot_micros);

// The stream whose rows the table holds, and nobody else's; empty: none. It is known once the stream ran.
Result<std::string> stream_that_writes(state::Store& store, const data::TablePath& table);

// Makes dataset and table when they are missing (a partition's table must be there), and adds columns that the table lacks, nullable. Nothing else about a table
// that is there is changed, and nothing at all when it cannot take the result. kSchema: a column of another type, or a
// required one that the result lacks. kConflict: a stream of ours writes the table, or it is a view. kConfig: the result's
// own columns are wrong. Blocks for a few requests; may be repeated.
Result<QueryTarget> prepare_target(bigquery::Client& client, state::Store& store, const std::string& location,
                                   const QueryConfig& query, const data::TablePath& target,
                                   const std::vector<ResultColumn>& result, std::int64_t slot_micros);

// Whether write_statement gives a SELECT whose rows a job is to put into the target; else it gives INSERT or MERGE.
bool is_written_by_job(const QueryTarget& target, const QueryConfig& query);

// GoogleSQL that writes `rows` (a table in backticks, or a statement in parentheses) as `query` says. Equal arguments give
// equal text.
std::string write_statement(const QueryTarget& target, const QueryConfig& query, const std::string& rows);

// Counts what a MERGE would not tell or tell badly: rows with NULL in a key column, and keys that are there more than once.
std::string key_check_statement(const QueryConfig& query, const std::string& rows);

std::string quoted_table(const data::TablePath& table);

// A SELECT as a FROM item. Its own semicolon and a comment at its end do no harm.
std::string as_rows(const std::string& sql);

}  // namespace flytt::app
