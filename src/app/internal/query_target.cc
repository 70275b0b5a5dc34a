#include "app/internal/query_target.h"

#include <strings.h>

#include <algorithm>
#include <utility>

#include "scheduler/name_template.h"

namespace flytt::app {

namespace {

constexpr int kAlterAttemptsMax = 10;         // of a table that others alter, too
constexpr std::size_t kNameBytesMax = 1'024;  // BigQuery: of a table
constexpr std::size_t kColumnBytesMax = 300;
constexpr std::string_view kIllegalInColumn = "!\"$()*,./;?@[\\]^`{}~";  // BigQuery: flexible column names

Error refused(ErrorCode code, const QueryConfig& query, const std::string& what) {
  return Error(code, "query " + query.name + ": " + what).side(base::Side::kSink).retry(base::Retry::kAfterOperator);
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

const ResultColumn* find(const std::vector<ResultColumn>& result, std::string_view name) {
  const auto found = std::find_if(result.begin(), result.end(),
                                  [&](const ResultColumn& column) { return same_name(column.field.name, name); });
  return found == result.end() ? nullptr : &*found;
}

std::string type_text(const ResultColumn& column) {
  return column.field.type.sql_name() + (column.origin.empty() ? "" : " (" + column.origin + ")");
}

Status check_result(const QueryConfig& query, const std::vector<ResultColumn>& result) {
  for (const ResultColumn& column : result) {
    const std::string& name = column.field.name;
    if (name.empty() || name.size() > kColumnBytesMax || name.find_first_of(kIllegalInColumn) != name.npos)
      return refused(ErrorCode::kConfig, query,
                     "BigQuery takes no column named \"" + name + "\"; give it another name with AS");
  }
  if (find(result, query.version_column) != nullptr)
    return refused(ErrorCode::kConfig, query,
                   "the result has a column \"" + query.version_column +
                       "\" already; choose another name for the key version, or leave it out");
  for (const std::string& key : query.key)
    if (find(result, key) == nullptr)
      return refused(ErrorCode::kConfig, query, "the key column \"" + key + "\" is not in the result");
  return ok();
}

// A table that a stream writes has its rows from there alone.
Status check_no_stream(state::Store& store, const QueryConfig& query, const data::TablePath& table) {
  TRY(const auto streams, store.streams());
  for (const std::string& stream : streams) {
    TRY(const auto records, store.tables(stream));
    for (const state::TableRecord& record : records)
      if (data::TablePath{record.project, record.dataset, record.table} == table)
        return refused(ErrorCode::kConflict, query,
                       "table " + table.text() + " is written by stream " + stream +
                           " (change data capture), so a result cannot be put into it; choose another table for 'to'");
  }
  return ok();
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

Result<bigquery::TableInfo> get_or_make(bigquery::Client& client, const data::TablePath& table,
                                        const std::vector<data::Field>& fields) {
  auto found = client.get_table(table);
  if (found || found.error().code() != ErrorCode::kNotFound) return found;
  bigquery::TableInfo wanted;
  wanted.path = table;
  wanted.schema.fields = fields;
  auto made = client.insert_table(wanted);
  if (!made && made.error().code() == ErrorCode::kConflict) return client.get_table(table);
  return made;
}

Status check_table(const QueryConfig& query, const bigquery::TableInfo& table,
                   const std::vector<ResultColumn>& result) {
  if (!table.type.empty() && table.type != "TABLE")
    return refused(ErrorCode::kConflict, query,
                   table.path.text() + " is a " + table.type + ", not a table; choose another name for 'to'");
  for (const ResultColumn& column : result) {
    const auto index = table.schema.find(column.field.name);
    if (!index || table.schema.fields[*index].type == column.field.type) continue;
    return refused(ErrorCode::kSchema, query,
                   "column \"" + column.field.name + "\" is " + table.schema.fields[*index].type.sql_name() +
                       " in table " + table.path.text() + " and " + type_text(column) +
                       " in the result; cast it in the query, or change or drop the table. Its rows stay as they are");
  }
  for (const data::Field& field : table.schema.fields)
    if (field.required && find(result, field.name) == nullptr)
      return refused(ErrorCode::kSchema, query,
                     "the result has no column \"" + field.name + "\", which is REQUIRED in table " +
                         table.path.text() + "; add it to the query, or make it NULLABLE. Its rows stay as they are");
  return ok();
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

// Parameters do not stand in a NULL's way, and CAST is not asked to check them.
std::string null_of(const data::Type& type) {
  data::Type plain = type;
  plain.precision = plain.scale = 0;
  plain.max_length = 0;
  return "CAST(NULL AS " + plain.sql_name() + ")";
}

std::string join(const std::vector<std::string>& parts, const char* separator) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : separator) + part;
  return out;
}

}  // namespace

std::string quoted_name(std::string_view name) {
  std::string out = "`";
  for (const char c : name) {
    if (c == '`' || c == '\\') out += '\\';
    out += c;
  }
  return out + "`";
}

std::string quoted_table(const data::TablePath& table) { return quoted_name(table.text()); }

std::string as_rows(const std::string& sql) {
  const auto end = sql.find_last_not_of(" \t\r\n\f\v;");
  return "(\n" + sql.substr(0, end == sql.npos ? 0 : end + 1) + "\n)";
}

Result<data::TablePath> target_table(const QueryConfig& query, const std::string& project, std::int64_t slot_micros) {
  TRY(const auto name, scheduler::NameTemplate::parse(query.table));
  data::TablePath table{project, query.dataset, name.render(slot_micros)};
  if (table.table.find('$') != table.table.npos)
    return refused(ErrorCode::kConfig, query,
                   "a single partition ('" + table.table + "') cannot be written; name the table without '$'");
  if (table.table.empty() || table.table.size() > kNameBytesMax ||
      table.table.find_first_of("`/\\.:;,\"'\n\t") != table.table.npos)
    return refused(ErrorCode::kConfig, query, "'" + table.table + "' is no name of a table");
  return table;
}

Result<QueryTarget> prepare_target(bigquery::Client& client, state::Store& store, const std::string& location,
                                   const QueryConfig& query, const data::TablePath& table,
                                   const std::vector<ResultColumn>& result, std::int64_t slot_micros) {
  TRY_STATUS(check_result(query, result));
  TRY_STATUS(check_no_stream(store, query, table));
  std::vector<ResultColumn> all = result;
  if (!query.version_column.empty())
    all.push_back({{query.version_column, data::Type(data::TypeKind::kTimestamp), false, ""}, ""});
  std::vector<data::Field> fields;
  for (const ResultColumn& column : all)
    fields.push_back({column.field.name, column.field.type, false, column.field.description});
  TRY_STATUS(ensure_dataset(client, table, location));
  for (int attempt = 1;; ++attempt) {
    TRY(bigquery::TableInfo info, get_or_make(client, table, fields));
    TRY_STATUS(check_table(query, info, all));
    const bool is_complete = add_missing(info.schema, fields);
    if (!is_complete) {
      bigquery::TableInfo wanted;
      wanted.path = info.path;
      wanted.schema = info.schema;
      wanted.etag = info.etag;
      if (const auto patched = client.patch_table(wanted); !patched) {
        if (patched.error().code() != ErrorCode::kConflict || attempt == kAlterAttemptsMax) return patched.error();
        continue;
      }
    }
    QueryTarget target{table, {}};
    for (const data::Field& field : info.schema.fields) {
      const bool is_version = !query.version_column.empty() && same_name(field.name, query.version_column);
      const bool is_filled = is_version || find(result, field.name) != nullptr;
      const std::string expression = is_version  ? "TIMESTAMP_MICROS(" + std::to_string(slot_micros) + ")"
                                     : is_filled ? "s." + quoted_name(field.name)
                                                 : null_of(field.type);
      target.columns.push_back({field.name, expression, is_filled});
    }
    return target;
  }
}

std::string write_statement(const QueryTarget& target, const QueryConfig& query, const std::string& rows) {
  if (query.write != QueryWrite::kUpsert) {
    std::vector<std::string> selected;
    for (const TargetColumn& column : target.columns)
      selected.push_back(column.expression + " AS " + quoted_name(column.name));
    return "SELECT " + join(selected, ", ") + "\nFROM " + rows + " AS s";
  }
  std::vector<std::string> on, set, names, values;
  for (const std::string& key : query.key) on.push_back("t." + quoted_name(key) + " = s." + quoted_name(key));
  for (const TargetColumn& column : target.columns) {
    if (!column.is_filled) continue;  // an update leaves it as it is
    names.push_back(quoted_name(column.name));
    values.push_back(column.expression);
    const bool is_key = std::any_of(query.key.begin(), query.key.end(),
                                    [&](const std::string& key) { return same_name(key, column.name); });
    if (!is_key) set.push_back(quoted_name(column.name) + " = " + column.expression);
  }
  std::string sql =
      "MERGE " + quoted_table(target.table) + " AS t\nUSING " + rows + " AS s\nON " + join(on, " AND ") + "\n";
  if (!set.empty()) sql += "WHEN MATCHED THEN UPDATE SET " + join(set, ", ") + "\n";
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
