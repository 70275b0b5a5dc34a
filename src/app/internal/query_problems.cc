#include "app/internal/query_problems.h"

#include <strings.h>

#include <algorithm>

#include "app/config_keys.h"
#include "app/output.h"

namespace flytt::app {

namespace {

constexpr std::size_t kColumnBytesMax = 300;
constexpr std::string_view kIllegalInColumn = "!\"$()*,./;?@[\\]^`{}~";  // BigQuery: flexible column names

std::string type_text(const ResultColumn& column) {
  return column.field.type.sql_name() + (column.origin.empty() ? "" : " (" + column.origin + ")");
}

// A type that takes every value of another one: what BigQuery itself coerces, on the way into a table too.
bool widens(data::TypeKind from, data::TypeKind into) {
  using data::TypeKind;
  switch (into) {
    case TypeKind::kNumeric: return from == TypeKind::kInt64;
    case TypeKind::kBigNumeric: return from == TypeKind::kInt64 || from == TypeKind::kNumeric;
    case TypeKind::kFloat64:
      return from == TypeKind::kInt64 || from == TypeKind::kNumeric || from == TypeKind::kBigNumeric;
    case TypeKind::kDatetime: return from == TypeKind::kDate;
    default: return false;
  }
}

bool fits(const data::Type& result, const data::Type& column) {
  return plain_type(result) == plain_type(column) || widens(result.kind, column.kind);
}

std::string alter_to_nullable(const data::TablePath& table, const std::string& column) {
  return "ALTER TABLE `" + table.dataset + "." + table.table + "` ALTER COLUMN " + quoted_name(column) +
         " DROP NOT NULL";
}

struct PartitionUnit {
  std::string_view name;
  std::size_t digits;
  std::string_view words;  // of a template
};
constexpr PartitionUnit kPartitionUnits[] = {{"YEAR", 4, "{run_time|\"%Y\"}"},
                                             {"MONTH", 6, "{run_time|\"%Y%m\"}"},
                                             {"DAY", 8, "{run_date}"},
                                             {"HOUR", 10, "{run_time|\"%Y%m%d%H\"}"}};

std::vector<QueryProblem> partition_problems(const QueryConfig& query, const bigquery::TableInfo& table,
                                             const std::string& id) {
  const std::string name = table.path.text(), to = "'queries." + query.name + ".to'";
  if (table.partition_unit.empty())
    return {{ErrorCode::kConflict, "to", name, "table " + name + " is not partitioned, so it has no partition $" + id,
             "name it without '$' in " + to + ", or make it anew with PARTITION BY"}};
  std::vector<QueryProblem> found;
  for (const PartitionUnit& unit : kPartitionUnits)
    if (table.partition_unit == unit.name && id.size() != unit.digits)
      found.push_back(
          {ErrorCode::kConfig, "to", name,
           "table " + name + " is partitioned by " + table.partition_unit + ", and $" + id + " is no such partition",
           "end " + to + " with $" + std::string(unit.words)});
  for (const data::Field& field : table.schema.fields)
    if (is_strict(field))
      found.push_back({ErrorCode::kSchema, "column", name + "." + field.name,
                       "column \"" + field.name + "\" of table " + name + " is " +
                           (field.required ? "REQUIRED" : field.type.sql_name()) +
                           ", and BigQuery puts an answer into a single partition only where columns are NULLABLE and "
                           "without parameters",
                       (field.required ? alter_to_nullable(table.path, field.name)
                                       : "make it " + plain_type(field.type).sql_name()) +
                           ", or name the table without '$' in " + to});
  return found;
}

// What stands behind PARTITION BY.
std::string partition_by(const data::Field& field) {
  const std::string name = quoted_name(field.name);
  if (field.type.is(data::TypeKind::kDate)) return name;
  return (field.type.is(data::TypeKind::kTimestamp) ? "TIMESTAMP_TRUNC(" : "DATETIME_TRUNC(") + name + ", DAY)";
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

const ResultColumn* find_column(const std::vector<ResultColumn>& result, std::string_view name) {
  const auto found = std::find_if(result.begin(), result.end(),
                                  [&](const ResultColumn& column) { return same_name(column.field.name, name); });
  return found == result.end() ? nullptr : &*found;
}

std::string quoted_name(std::string_view name) {
  std::string out = "`";
  for (const char c : name) {
    if (c == '`' || c == '\\') out += '\\';
    out += c;
  }
  return out + "`";
}

data::TablePath whole_table(data::TablePath table) {
  table.table.resize(std::min(table.table.size(), table.table.find('$')));
  return table;
}

std::string partition_of(const data::TablePath& table) {
  const auto dollar = table.table.find('$');
  return dollar == table.table.npos ? "" : table.table.substr(dollar + 1);
}

data::Type plain_type(data::Type type) {
  type.precision = type.scale = 0;
  type.max_length = 0;
  for (data::Type& element : type.element) element = plain_type(std::move(element));
  for (data::StructField& field : type.fields) field.type = plain_type(std::move(field.type));
  return type;
}

bool is_strict(const data::Field& column) { return column.required || !(plain_type(column.type) == column.type); }

QueryProblem statement_problem(const QueryConfig& query, const Error& error) {
  const std::string sql = "'queries." + query.name + ".sql'";
  const bool is_bad =
      error.code() == ErrorCode::kConfig || error.code() == ErrorCode::kBadData || error.code() == ErrorCode::kSchema;
  if (!query.from.empty() && is_bad) return {error.code(), "sql", query.name, error.text(), "correct " + sql};
  if (!query.from.empty()) return {error.code(), "connection", query.from, error.text(), ""};
  const std::string said = error.cause().empty() ? error.text() : error.cause();
  switch (error.code()) {
    case ErrorCode::kNotFound:
      return {error.code(), "sql", query.name, "the statement reads what is not there (" + said + ")",
              "correct " + sql + ", or make that first"};
    case ErrorCode::kAuth:
      return {
          error.code(), "sql", query.name, "the account may not run the statement (" + said + ")",
          "grant it roles/bigquery.jobUser in its project and roles/bigquery.dataViewer on what is read, or correct " +
              sql};
    default:
      if (is_bad) return {error.code(), "sql", query.name, "the statement is refused (" + said + ")", "correct " + sql};
      return {error.code(), "connection", query.name, error.text(), ""};
  }
}

std::optional<QueryProblem> cost_problem(const QueryConfig& query, std::int64_t bytes_read) {
  if (!query.bytes_max || bytes_read <= *query.bytes_max) return std::nullopt;
  return QueryProblem{ErrorCode::kConfig, "max_bytes", query.name,
                      "it would read " + human_bytes(bytes_read) + " (" + std::to_string(bytes_read) +
                          " bytes), more than its limit of " + human_bytes(*query.bytes_max),
                      "let it read less, or raise 'queries." + query.name + ".max_bytes'"};
}

std::vector<QueryProblem> result_problems(const QueryConfig& query, const std::vector<ResultColumn>& result) {
  const std::string sql = "'queries." + query.name + ".sql'";
  std::vector<QueryProblem> found;
  std::vector<std::string> names;
  for (const ResultColumn& column : result) {
    const std::string& name = column.field.name;
    if (name.empty() || name.size() > kColumnBytesMax || name.find_first_of(kIllegalInColumn) != name.npos)
      found.push_back({ErrorCode::kConfig, "name", name, "BigQuery takes no column named \"" + name + "\"",
                       "give it another name with AS in " + sql});
    if (std::any_of(names.begin(), names.end(), [&](const std::string& other) { return same_name(other, name); }))
      found.push_back({ErrorCode::kConfig, "name", name, "the result has two columns \"" + name + "\"",
                       "give one of them another name with AS in " + sql});
    names.push_back(name);
  }
  if (!query.version_column.empty() && find_column(result, query.version_column) != nullptr)
    found.push_back({ErrorCode::kConfig, "version", query.version_column,
                     "the result has a column \"" + query.version_column + "\" itself, and 'version' would add another",
                     "give 'queries." + query.name + ".version' another name, or take the column out of the result"});
  for (const std::string& key : query.key) {
    if (find_column(result, key) != nullptr) continue;
    const std::string nearest = nearest_name(key, names);
    found.push_back({ErrorCode::kConfig, "key", key, "the result has no column \"" + key + "\", which 'key' names",
                     (nearest.empty() ? "return it, or name others" : "name '" + nearest + "'") +
                         std::string(" in 'queries.") + query.name + ".key'"});
  }
  return found;
}

std::vector<QueryProblem> target_problems(const QueryConfig& query, const bigquery::TableInfo& table,
                                          const std::string& partition, const std::vector<ResultColumn>& result) {
  const std::string name = table.path.text();
  if (!table.type.empty() && table.type != "TABLE")
    return {{ErrorCode::kConflict, "to", name, name + " is a " + table.type + ", not a table",
             "name a table in 'queries." + query.name + ".to'"}};
  std::vector<QueryProblem> found;
  if (!partition.empty()) found = partition_problems(query, table, partition);
  for (const data::Field& field : table.schema.fields) {
    const ResultColumn* column = find_column(result, field.name);
    const std::string object = name + "." + field.name;
    if (column == nullptr && field.required)
      found.push_back({ErrorCode::kSchema, "column", object,
                       "the result has no column \"" + field.name + "\", which is REQUIRED in table " + name,
                       "return it, or: " + alter_to_nullable(table.path, field.name)});
    if (column != nullptr && !fits(column->field.type, field.type))
      found.push_back({ErrorCode::kSchema, "column", object,
                       "column \"" + field.name + "\" is " + field.type.sql_name() + " in table " + name + " and " +
                           type_text(*column) + " in the result",
                       "cast it in 'queries." + query.name + ".sql', or write into another table"});
  }
  return found;
}

std::vector<QueryProblem> missing_target_problems(const QueryConfig& query, const data::TablePath& target,
                                                  const std::vector<ResultColumn>& result) {
  if (partition_of(target).empty()) return {};
  const data::TablePath table = whole_table(target);
  std::string columns, divides;
  for (const data::TypeKind kind : {data::TypeKind::kDate, data::TypeKind::kTimestamp, data::TypeKind::kDatetime})
    for (const ResultColumn& column : result)
      if (divides.empty() && column.field.type.is(kind)) divides = partition_by(column.field);
  for (const ResultColumn& column : result)
    columns +=
        (columns.empty() ? "" : ", ") + quoted_name(column.field.name) + " " + plain_type(column.field.type).sql_name();
  return {{ErrorCode::kNotFound, "to", table.text(),
           "table " + table.text() + " is not there, and a single partition goes only into a table that is",
           divides.empty() ? "return a column of type DATE, and make the table with PARTITION BY that column"
                           : "make it: CREATE TABLE `" + table.dataset + "." + table.table + "` (" + columns +
                                 ") PARTITION BY " + divides}};
}

Error error_of(const QueryConfig& query, const QueryProblem& problem) {
  return Error(problem.code,
               "query " + query.name + ": " + problem.sentence + (problem.fix.empty() ? "" : "; " + problem.fix))
      .side(base::Side::kSink)
      .retry(base::Retry::kAfterOperator);
}

}  // namespace flytt::app
