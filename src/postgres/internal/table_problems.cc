#include "postgres/internal/table_problems.h"

#include <algorithm>
#include <array>

#include "postgres/internal/client.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

// BigQuery refuses column names that begin so, in any case.
constexpr std::array<std::string_view, 7> kReservedPrefixes = {
    "_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier", "_change_"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 32);
  return out;
}

void set_problem(SourceTable& table, std::string problem, std::string remedy) {
  if (!table.problem.empty()) return;
  table.problem = std::move(problem);
  table.remedy = std::move(remedy);
}

void judge_missing_key(SourceTable& table, const TableTraits& traits, const std::string& alter) {
  if (table.identity == ReplicaIdentity::kNothing) {
    set_problem(table, "its replica identity is NOTHING, so updates and deletes carry no key",
                alter + " REPLICA IDENTITY DEFAULT;");
  } else if (!traits.unique_index.empty()) {
    set_problem(table, "it has no primary key",
                alter + " REPLICA IDENTITY USING INDEX " + quote_identifier(traits.unique_index) + ";");
  } else {
    set_problem(table, "it has no primary key", alter + " ADD PRIMARY KEY (…);");
  }
}

void judge_key(SourceTable& table, const TableTraits& traits, const std::string& alter) {
  if (traits.key_columns.empty() || table.identity == ReplicaIdentity::kNothing)
    return judge_missing_key(table, traits, alter);
  if (traits.partition_without_identity) {
    set_problem(table, "a partition of it has the replica identity NOTHING, so updates and deletes there carry no key",
                "ALTER TABLE <partition> REPLICA IDENTITY DEFAULT;");
  }
  if (traits.key_columns.size() > kKeyColumnsMax) {
    set_problem(table,
                "its key has " + std::to_string(traits.key_columns.size()) + " columns; BigQuery allows " +
                    std::to_string(kKeyColumnsMax),
                "");
  }
  for (const std::string& name : traits.key_columns) {
    const auto column =
        std::find_if(table.columns.begin(), table.columns.end(), [&](const SourceColumn& c) { return c.name == name; });
    if (column == table.columns.end()) {
      set_problem(
          table,
          "its key column " + name + " is not published (it is generated, or missing in the publication's column list)",
          "");
      continue;
    }
    if (!column->mapping.key_allowed) {
      set_problem(table,
                  "its key column " + name + " has the type " + column->type.declared +
                      ", and BigQuery allows no key of type " + column->mapping.type.sql_name(),
                  "");
    }
    table.key.push_back(static_cast<std::uint32_t>(column - table.columns.begin()));
  }
  if (table.key.size() != traits.key_columns.size()) table.key.clear();
}

}  // namespace

std::string name_problem(const SourceTable& table) {
  std::vector<std::string> names;
  for (const SourceColumn& column : table.columns) {
    const std::string name = lower(column.name);
    const auto prefix = std::find_if(kReservedPrefixes.begin(), kReservedPrefixes.end(),
                                     [&](std::string_view p) { return name.starts_with(p); });
    if (prefix != kReservedPrefixes.end()) return "BigQuery reserves the name of its column " + column.name;
    if (std::find(names.begin(), names.end(), name) != names.end())
      return "two of its columns are called " + column.name +
             " but for upper and lower case, which BigQuery does not tell apart";
    names.push_back(name);
  }
  return {};
}

void judge_table(SourceTable& table, const TableTraits& traits) {
  const std::string alter = "ALTER TABLE " + quote_table(table.schema, table.name);
  if (table.columns.empty()) set_problem(table, "it has no column that is published", "");
  if (traits.unlogged)
    set_problem(table, "it is unlogged, so its changes are not in the write-ahead log", alter + " SET LOGGED;");
  judge_key(table, traits, alter);
  if (std::string problem = name_problem(table); !problem.empty()) set_problem(table, std::move(problem), "");
}

}  // namespace flytt::postgres
