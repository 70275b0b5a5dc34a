#include "app/internal/query_target.h"

#include <algorithm>
#include <utility>

#include "scheduler/name_template.h"

namespace flytt::app {

namespace {

constexpr int kAlterAttemptsMax = 10;         // of a table that others alter, too
constexpr std::size_t kNameBytesMax = 1'024;  // BigQuery: of a table

Error refused(ErrorCode code, const QueryConfig& query, const std::string& what) {
  return Error(code, "query " + query.name + ": " + what).side(base::Side::kSink).retry(base::Retry::kAfterOperator);
}

Status ensure_dataset(bigquery::Client& client, const data::TablePath& table, const std::string& location) {
  const auto found = client.get_dataset(table.project, table.dataset);
  if (found) return ok();
  if (found.error().code() != ErrorCode::kNotFound) return found.error();
  bigquery::DatasetInfo wanted;
  wanted.project = table.project;
  wanted.dataset = table.dataset;
  wanted.location = location;
  const auto made = client.insert_dataset(wanted);
  if (!made && made.error().code() != ErrorCode::kConflict) return made.error();
  return ok();
}

Result<bigquery::TableInfo> make_table(bigquery::Client& client, const data::TablePath& table,
                                       const std::vector<data::Field>& fields) {
  bigquery::TableInfo wanted;
  wanted.path = table;
  wanted.schema.fields = fields;
  auto made = client.insert_table(wanted);
  if (!made && made.error().code() == ErrorCode::kConflict) return client.get_table(table);
  return made;
}

// True: the table has them all.
bool add_missing(data::TableSchema& schema, const std::vector<data::Field>& fields) {
  bool is_complete = true;
  for (const data::Field& field : fields) {
    if (schema.find(field.name)) continue;
    schema.fields.push_back(field);
    is_complete = false;
  }
  return is_complete;
}

// Parameters are the table's business, and CAST is not asked to check them.
std::string cast_to(const data::Type& type, const std::string& expression) {
  return "CAST(" + expression + " AS " + plain_type(type).sql_name() + ")";
}

QueryTarget filled(const QueryConfig& query, const data::TablePath& table, const std::vector<data::Field>& fields,
                   const std::vector<ResultColumn>& result, std::int64_t slot_micros) {
  QueryTarget target{table, {}, false};
  for (const data::Field& field : fields) {
    const bool is_version = !query.version_column.empty() && same_name(field.name, query.version_column);
    const ResultColumn* source = find_column(result, field.name);
    std::string expression = "TIMESTAMP_MICROS(" + std::to_string(slot_micros) + ")";
    if (!is_version && source == nullptr) expression = cast_to(field.type, "NULL");
    if (!is_version && source != nullptr) {
      expression = "s." + quoted_name(field.name);
      if (source->field.type.kind != field.type.kind) expression = cast_to(field.type, expression);
    }
    target.columns.push_back({field.name, std::move(expression), is_version || source != nullptr});
    target.is_strict = target.is_strict || is_strict(field);
  }
  return target;
}

std::string join(const std::vector<std::string>& parts, const char* separator) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : separator) + part;
  return out;
}

}  // namespace

std::string quoted_table(const data::TablePath& table) { return quoted_name(table.text()); }

std::string as_rows(const std::string& sql) {
  const auto end = sql.find_last_not_of(" \t\r\n\f\v;");
  return "(\n" + sql.substr(0, end == sql.npos ? 0 : end + 1) + "\n)";
}

Result<data::TablePath> target_table(const QueryConfig& query, const std::string& project, std::int64_t slot_micros) {
  TRY(const auto name, scheduler::NameTemplate::parse(query.table));
  data::TablePath table{project, query.dataset, name.render(slot_micros)};
  if (table.table.empty() || table.table.size() > kNameBytesMax ||
      table.table.find_first_of("`/\\.:;,\"'\n\t") != table.table.npos)
    return refused(ErrorCode::kConfig, query, "'" + table.table + "' is no name of a table");
  return table;
}

Result<std::string> stream_that_writes(state::Store& store, const data::TablePath& table) {
  TRY(const auto streams, store.streams());
  for (const std::string& stream : streams) {
    TRY(const auto records, store.tables(stream));
    for (const state::TableRecord& record : records)
      if (data::TablePath{record.project, record.dataset, record.table} == table) return stream;
  }
  return std::string();
}

Result<QueryTarget> prepare_target(bigquery::Client& client, state::Store& store, const std::string& location,
                                   const QueryConfig& query, const data::TablePath& target,
                                   const std::vector<ResultColumn>& result, std::int64_t slot_micros) {
  const data::TablePath table = whole_table(target);
  if (const auto problems = result_problems(query, result); !problems.empty()) return error_of(query, problems.front());
  TRY(const std::string stream, stream_that_writes(store, table));
  if (!stream.empty())
    return refused(ErrorCode::kConflict, query,
                   "table " + table.text() + " is written by stream " + stream +
                       " (change data capture), so a result cannot be put into it; choose another table for 'to'");
  std::vector<ResultColumn> all = result;
  if (!query.version_column.empty())
    all.push_back({{query.version_column, data::Type(data::TypeKind::kTimestamp), false, ""}, ""});
  std::vector<data::Field> fields;
  for (const ResultColumn& column : all)
    fields.push_back({column.field.name, plain_type(column.field.type), false, column.field.description});
  TRY_STATUS(ensure_dataset(client, table, location));
  for (int attempt = 1;; ++attempt) {
    auto found = client.get_table(table);
    if (!found && found.error().code() == ErrorCode::kNotFound) {
      if (const auto problems = missing_target_problems(query, target, all); !problems.empty())
        return error_of(query, problems.front());
      found = make_table(client, table, fields);
    }
    TRY(bigquery::TableInfo info, std::move(found));
    if (const auto problems = target_problems(query, info, partition_of(target), all); !problems.empty())
      return error_of(query, problems.front());
    if (!add_missing(info.schema, fields)) {
      bigquery::TableInfo wanted;
      wanted.path = info.path;
      wanted.schema = info.schema;
      wanted.etag = info.etag;
      if (const auto patched = client.patch_table(wanted); !patched) {
        if (patched.error().code() != ErrorCode::kConflict || attempt == kAlterAttemptsMax) return patched.error();
        continue;
      }
    }
    return filled(query, target, info.schema.fields, result, slot_micros);
  }
}

bool is_written_by_job(const QueryTarget& target, const QueryConfig& query) {
  return query.write != QueryWrite::kUpsert && !target.is_strict;
}

std::string write_statement(const QueryTarget& target, const QueryConfig& query, const std::string& rows) {
  std::vector<std::string> selected, names, values, set, on;
  for (const TargetColumn& column : target.columns) {
    selected.push_back(column.expression + " AS " + quoted_name(column.name));
    if (!column.is_filled) continue;  // a statement leaves it as it is
    names.push_back(quoted_name(column.name));
    values.push_back(column.expression);
    const bool is_key = std::any_of(query.key.begin(), query.key.end(),
                                    [&](const std::string& key) { return same_name(key, column.name); });
    if (!is_key) set.push_back(quoted_name(column.name) + " = " + column.expression);
  }
  if (is_written_by_job(target, query)) return "SELECT " + join(selected, ", ") + "\nFROM " + rows + " AS s";
  if (query.write == QueryWrite::kAppend)
    return "INSERT INTO " + quoted_table(target.table) + " (" + join(names, ", ") + ")\nSELECT " + join(values, ", ") +
           "\nFROM " + rows + " AS s";
  const bool is_upsert = query.write == QueryWrite::kUpsert;
  if (is_upsert)
    for (const std::string& key : query.key) on.push_back("t." + quoted_name(key) + " = s." + quoted_name(key));
  // One that matches nothing replaces all rows, in one step.
  std::string sql = "MERGE " + quoted_table(target.table) + " AS t\nUSING " + rows + " AS s\nON " +
                    (is_upsert ? join(on, " AND ") : "FALSE") + "\n";
  if (!is_upsert) sql += "WHEN NOT MATCHED BY SOURCE THEN DELETE\n";
  if (is_upsert && !set.empty()) sql += "WHEN MATCHED THEN UPDATE SET " + join(set, ", ") + "\n";
  return sql + "WHEN NOT MATCHED THEN INSERT (" + join(names, ", ") + ") VALUES (" + join(values, ", ") + ")";
}

std::string key_check_statement(const QueryConfig& query, const std::string& rows) {
  std::vector<std::string> is_null, names;
  for (const std::string& key : query.key) {
    names.push_back(quoted_name(key));
    is_null.push_back(quoted_name(key) + " IS NULL");
  }
  const std::string keys = join(names, ", ");
  return "SELECT (SELECT COUNT(*) FROM " + rows + " AS s WHERE " + join(is_null, " OR ") +
         "), (SELECT COUNT(*) FROM (SELECT " + keys + " FROM " + rows + " AS s GROUP BY " + keys +
         " HAVING COUNT(*) > 1))";
}

}  // namespace flytt::app
