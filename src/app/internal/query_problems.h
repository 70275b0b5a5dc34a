#pragma once
// What keeps a query's result from being written: one rule for `check`, `plan` and the run itself. Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/error.h"
#include "bigquery/client.h"
#include "data/schema.h"

namespace flytt::app {

// A column of a query's result. `origin` is its type in the words of the place that it comes from ("uuid").
struct ResultColumn {
  data::Field field;
  std::string origin;
};

struct QueryProblem {
  ErrorCode code = ErrorCode::kConfig;
  std::string rule, object;  // in the words of `flytt check`: "column", "team.mart.orders.id"
  std::string sentence, fix;
};

// What the destination, or the source, says of a query's own statement when it is asked about that alone. `rule` is "sql", or
// "connection" when the statement is not to blame.
QueryProblem statement_problem(const QueryConfig& query, const Error& error);

// The statement would read more than `max_bytes`.
std::optional<QueryProblem> cost_problem(const QueryConfig& query, std::int64_t bytes_read);

// The result's own columns, without the version column.
std::vector<QueryProblem> result_problems(const QueryConfig& query, const std::vector<ResultColumn>& result);

// Of a table that is there; `result` with the version column.
std::vector<QueryProblem> target_problems(const QueryConfig& query, const bigquery::TableInfo& table,
                                          const std::string& partition, const std::vector<ResultColumn>& result);

// Of one that is not: a partition has a table that somebody else has made, because only they know what it is divided by.
std::vector<QueryProblem> missing_target_problems(const QueryConfig& query, const data::TablePath& target,
                                                  const std::vector<ResultColumn>& result);

// As a run says it: the first of them.
Error error_of(const QueryConfig& query, const QueryProblem& problem);

// `orders$20260115` is the partition 20260115 of table `orders`. Of a whole table the id is empty.
data::TablePath whole_table(data::TablePath table);
std::string partition_of(const data::TablePath& table);

// A column that a job's answer is not put into by BigQuery: REQUIRED, or with parameters like the 10 of STRING(10).
bool is_strict(const data::Field& column);
// A type as values have it: parameters belong to the columns of tables.
data::Type plain_type(data::Type type);

bool same_name(std::string_view a, std::string_view b);  // of columns, in whatever case
const ResultColumn* find_column(const std::vector<ResultColumn>& result, std::string_view name);
// `name` in backticks, with what it holds escaped.
std::string quoted_name(std::string_view name);

}  // namespace flytt::app
