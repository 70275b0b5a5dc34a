#include "warehouse/internal/row_rewrite.h"

#include <algorithm>

#include "googlesql/physical_type.h"
#include "googlesql/translator.h"

namespace flytt::warehouse::internal {

namespace {

Error null_in_required(const std::string& name) {
  return Error(ErrorCode::kBadData, "Required field " + name + " cannot be null").cause("invalidQuery");
}

// The values of q0, q1, … for `columns`, where those of REQUIRED columns stop the statement when they are NULL.
Result<std::string> checked_values(const TableVersion& version, const std::vector<std::string>& columns) {
  std::string values;
  for (std::size_t i = 0; i < version.physical.size(); ++i) {
    const data::Field& field = version.info.schema.fields[i];
    if (field.required && std::find(columns.begin(), columns.end(), version.physical[i]) == columns.end())
      return null_in_required(field.name);
  }
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const auto at = std::find(version.physical.begin(), version.physical.end(), columns[k]) - version.physical.begin();
    const data::Field& field = version.info.schema.fields[static_cast<std::size_t>(at)];
    const std::string value = "q" + std::to_string(k);
    values += (k > 0 ? ", " : "") +
              (field.required ? "CASE WHEN " + value + " IS NULL THEN error(" +
                                    googlesql::quote_text("Required field " + field.name + " cannot be null") +
                                    ")::" + googlesql::physical_type(field.type) + " ELSE " + value + " END"
                              : value);
  }
  return values;
}

}  // namespace

Result<std::int64_t> insert_selected(Connection& connection, TableState& table, const std::vector<std::string>& columns,
                                     const std::string& sql) {
  const auto version = table.version();
  TRY(const std::string values, checked_values(*version, columns));
  std::string names = version->is_mirror() ? "_seq, _ing" : "", selected;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    names += (names.empty() ? "" : ", ") + columns[k];
    selected += (k > 0 ? ", q" : "q") + std::to_string(k);
  }
  const std::string zero = version->wide ? "''::BLOB" : "0::UHUGEINT";
  const std::string hidden =
      version->is_mirror() ? zero + ", " + std::to_string(table.next_ing - 1) + " + row_number() OVER (), " : "";
  TRY(const std::int64_t rows, connection.changed("INSERT INTO " + version->base() + " (" + names + ") SELECT " +
                                                  hidden + values + " FROM (" + sql + ") AS q(" + selected + ")"));
  if (!version->is_mirror()) return rows;
  table.end_load();
  table.next_ing += rows;
  table.before_plain_commit({data::Sequence{}, table.next_ing - 1});
  return rows;
}

Result<DmlCounts> rewrite_with(Connection& connection, TableState& table, const std::string& sql) {
  const auto version = table.version();
  const auto of_action = [](googlesql::RowAction action) { return "a = " + std::to_string(static_cast<int>(action)); };
  TRY_STATUS(connection.run("CREATE TEMP TABLE rewrite AS " + sql));
  TRY(const auto twice,
      connection.number("SELECT count(*) FROM (SELECT 1 FROM temp.rewrite WHERE r IS NOT NULL GROUP BY r "
                        "HAVING count(*) > 1)"));
  if (twice.value_or(0) > 0)
    return Error(ErrorCode::kBadData, "UPDATE/MERGE must match at most one source row for each target row")
        .cause("invalidQuery");
  DmlCounts done;
  const auto count = [&](googlesql::RowAction action) {
    return connection.number("SELECT count(*) FROM temp.rewrite WHERE " + of_action(action));
  };
  TRY(const auto inserted, count(googlesql::RowAction::kInsert));
  TRY(const auto updated, count(googlesql::RowAction::kUpdate));
  TRY(const auto deleted, count(googlesql::RowAction::kDelete));
  done = {inserted.value_or(0), updated.value_or(0), deleted.value_or(0)};
  TRY(const std::int64_t gone, connection.changed("DELETE FROM " + version->base() +
                                                  " WHERE rowid IN (SELECT r FROM temp.rewrite WHERE r IS NOT NULL)"));
  if (gone != done.updated + done.deleted)
    return Error(ErrorCode::kBug,
                 "a statement found other rows of " + version->info.path.text() + " than it has changed");
  std::string row;
  for (std::size_t i = 0; i < version->physical.size(); ++i) row += (i > 0 ? ", o" : "o") + std::to_string(i);
  TRY(const std::int64_t come,
      insert_selected(connection, table, version->physical,
                      "SELECT " + row + " FROM temp.rewrite WHERE NOT " + of_action(googlesql::RowAction::kDelete)));
  if (come != done.updated + done.inserted)
    return Error(ErrorCode::kBug, "a statement put other rows into " + version->info.path.text() + " than it has made");
  TRY_STATUS(connection.run("DROP TABLE temp.rewrite"));
  return done;
}

}  // namespace flytt::warehouse::internal
