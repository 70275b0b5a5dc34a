#include "warehouse/internal/information_rows.h"

#include <strings.h>

#include <algorithm>

#include "warehouse/internal/definition_text.h"

namespace flytt::warehouse::internal {

namespace {

using data::TypeKind;
using Json = nlohmann::json;

const char* yes(bool condition) { return condition ? "YES" : "NO"; }

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

// The REST API shows milliseconds, and so do the views.
std::int64_t shown_time(std::int64_t micros) { return micros / 1000 * 1000; }

InformationRow place(const TableInfo& table) { return {table.path.project, table.path.dataset, table.path.table}; }

void add(InformationRows& rows, InformationRow row, std::initializer_list<Json> more) {
  row.insert(row.end(), more.begin(), more.end());
  rows.push_back(std::move(row));
}

void schemata(const DatasetInfo& dataset, InformationRows& rows) {
  rows.push_back({dataset.path.project, dataset.path.dataset, Json(), shown_time(dataset.created_micros),
                  shown_time(dataset.modified_micros), dataset.location, create_text(dataset), Json(), Json()});
}

void schemata_options(const DatasetInfo& dataset, InformationRows& rows) {
  for (const ShownOption& option : shown_options(dataset))
    rows.push_back({dataset.path.project, dataset.path.dataset, option.name, option.type, option.value});
}

void tables(const TableInfo& table, const Described&, InformationRows& rows) {
  add(rows, place(table),
      {"BASE TABLE",
       "NATIVE",
       "YES",
       "NO",
       "NO",
       "NO",
       shown_time(table.created_micros),
       Json(),
       Json(),
       Json(),
       Json(),
       Json(),
       Json(),
       Json(),
       Json(),
       Json(),
       create_text(table),
       Json(),
       Json(),
       Json()});
}

void table_options(const TableInfo& table, const Described&, InformationRows& rows) {
  for (const ShownOption& option : shown_options(table))
    add(rows, place(table), {option.name, option.type, option.value});
}

void columns(const TableInfo& table, const Described&, InformationRows& rows) {
  const Partitioning partitioning = partitioning_of(table);
  const std::vector<std::string> clustering = clustering_of(table);
  for (std::size_t i = 0; i < table.schema.fields.size(); ++i) {
    const data::Field& field = table.schema.fields[i];
    const FieldDetails details = field_paths(table, i).front().details;
    const auto same = [&](const std::string& name) { return strcasecmp(name.c_str(), field.name.c_str()) == 0; };
    const auto clustered = std::find_if(clustering.begin(), clustering.end(), same);
    add(rows, place(table),
        {field.name, i + 1, yes(!field.required), field.type.sql_name(), "NEVER", Json(), Json(), "NO", Json(), "NO",
         yes(same(partitioning.field)),
         clustered == clustering.end() ? Json() : Json(clustered - clustering.begin() + 1), Json(),
         or_null(details.default_value), or_null(details.rounding_mode), details.policy_tags});
  }
}

void column_field_paths(const TableInfo& table, const Described&, InformationRows& rows) {
  for (std::size_t i = 0; i < table.schema.fields.size(); ++i) {
    for (const FieldPath& path : field_paths(table, i))
      add(rows, place(table),
          {table.schema.fields[i].name, path.path, path.type.sql_name(), or_null(path.details.description), Json(),
           or_null(path.details.rounding_mode), path.details.policy_tags});
  }
}

std::string primary_key_name(const TableInfo& table) { return table.path.table + ".pk$"; }

void table_constraints(const TableInfo& table, const Described&, InformationRows& rows) {
  const auto constraint = [&](const std::string& name, const char* type) {
    InformationRow row{table.path.project, table.path.dataset, name};
    for (Json& part : place(table)) row.push_back(std::move(part));
    add(rows, std::move(row), {type, "NO", "NO", "NO"});
  };
  if (!table.schema.key.empty()) constraint(primary_key_name(table), "PRIMARY KEY");
  for (const ForeignKey& key : foreign_keys_of(table)) constraint(key.name, "FOREIGN KEY");
}

// The place of a column in the primary key of another table, from 1; null when it is not known.
Json position_in_key(const data::TablePath& path, const std::string& column, const Described& all) {
  for (const auto& version : all.versions) {
    if (!(version->info.path == path)) continue;
    const data::TableSchema& schema = version->info.schema;
    for (std::size_t i = 0; i < schema.key.size(); ++i)
      if (strcasecmp(schema.fields[schema.key[i]].name.c_str(), column.c_str()) == 0) return i + 1;
  }
  return {};
}

void key_column_usage(const TableInfo& table, const Described& all, InformationRows& rows) {
  const auto column = [&](const std::string& constraint, const std::string& name, std::size_t position, Json unique) {
    InformationRow row{table.path.project, table.path.dataset, constraint};
    for (Json& part : place(table)) row.push_back(std::move(part));
    add(rows, std::move(row), {name, position, std::move(unique)});
  };
  for (std::size_t i = 0; i < table.schema.key.size(); ++i)
    column(primary_key_name(table), table.schema.fields[table.schema.key[i]].name, i + 1, Json());
  for (const ForeignKey& key : foreign_keys_of(table))
    for (std::size_t i = 0; i < key.columns.size(); ++i)
      column(key.name, key.columns[i].first, i + 1, position_in_key(key.referenced, key.columns[i].second, all));
}

void constraint_column_usage(const TableInfo& table, const Described&, InformationRows& rows) {
  const auto column = [&](const data::TablePath& of, const std::string& name, const std::string& constraint) {
    rows.push_back({of.project, of.dataset, of.table, name, table.path.project, table.path.dataset, constraint});
  };
  for (const std::uint32_t index : table.schema.key)
    column(table.path, table.schema.fields[index].name, primary_key_name(table));
  for (const ForeignKey& key : foreign_keys_of(table))
    for (const auto& [own, other] : key.columns) column(key.referenced, other, key.name);
}

std::vector<InformationView> make_views() {
  constexpr auto kInt64 = InformationColumn::Type::kInt64;
  constexpr auto kTimestamp = InformationColumn::Type::kTimestamp;
  constexpr auto kStrings = InformationColumn::Type::kStrings;
  constexpr auto kJson = InformationColumn::Type::kJson;
  std::vector<InformationView> views;
  // clang-format off
  views.push_back({"SCHEMATA", {{"catalog_name"}, {"schema_name"}, {"schema_owner"}, {"creation_time", kTimestamp},
      {"last_modified_time", kTimestamp}, {"location"}, {"ddl"}, {"default_collation_name"}, {"sync_status", kJson}},
      schemata, nullptr, true});
  views.push_back({"SCHEMATA_OPTIONS", {{"catalog_name"}, {"schema_name"}, {"option_name"}, {"option_type"},
      {"option_value"}}, schemata_options, nullptr, true});
  views.push_back({"TABLES", {{"table_catalog"}, {"table_schema"}, {"table_name"}, {"table_type"},
      {"managed_table_type"}, {"is_insertable_into"}, {"is_fine_grained_mutations_enabled"}, {"is_typed"},
      {"is_change_history_enabled"}, {"creation_time", kTimestamp}, {"base_table_catalog"}, {"base_table_schema"},
      {"base_table_name"}, {"snapshot_time_ms", kTimestamp}, {"replica_source_catalog"}, {"replica_source_schema"},
      {"replica_source_name"}, {"replication_status"}, {"replication_error"}, {"ddl"}, {"default_collation_name"},
      {"sync_status", kJson}, {"upsert_stream_apply_watermark", kTimestamp}}, nullptr, tables});
  views.push_back({"TABLE_OPTIONS", {{"table_catalog"}, {"table_schema"}, {"table_name"}, {"option_name"},
      {"option_type"}, {"option_value"}}, nullptr, table_options});
  views.push_back({"COLUMNS", {{"table_catalog"}, {"table_schema"}, {"table_name"}, {"column_name"},
      {"ordinal_position", kInt64}, {"is_nullable"}, {"data_type"}, {"is_generated"}, {"generation_expression"},
      {"is_stored"}, {"is_hidden"}, {"is_updatable"}, {"is_system_defined"}, {"is_partitioning_column"},
      {"clustering_ordinal_position", kInt64}, {"collation_name"}, {"column_default"}, {"rounding_mode"},
      {"policy_tags", kStrings}}, nullptr, columns});
  views.push_back({"COLUMN_FIELD_PATHS", {{"table_catalog"}, {"table_schema"}, {"table_name"}, {"column_name"},
      {"field_path"}, {"data_type"}, {"description"}, {"collation_name"}, {"rounding_mode"}, {"policy_tags", kStrings}},
      nullptr, column_field_paths});
  views.push_back({"TABLE_CONSTRAINTS", {{"constraint_catalog"}, {"constraint_schema"}, {"constraint_name"},
      {"table_catalog"}, {"table_schema"}, {"table_name"}, {"constraint_type"}, {"is_deferrable"},
      {"initially_deferred"}, {"enforced"}}, nullptr, table_constraints});
  views.push_back({"KEY_COLUMN_USAGE", {{"constraint_catalog"}, {"constraint_schema"}, {"constraint_name"},
      {"table_catalog"}, {"table_schema"}, {"table_name"}, {"column_name"}, {"ordinal_position", kInt64},
      {"position_in_unique_constraint", kInt64}}, nullptr, key_column_usage});
  views.push_back({"CONSTRAINT_COLUMN_USAGE", {{"table_catalog"}, {"table_schema"}, {"table_name"}, {"column_name"},
      {"constraint_catalog"}, {"constraint_schema"}, {"constraint_name"}}, nullptr, constraint_column_usage});
  views.push_back({"VIEWS", {{"table_catalog"}, {"table_schema"}, {"table_name"}, {"view_definition"},
      {"check_option"}, {"use_standard_sql"}}});
  views.push_back({"PARTITIONS", {{"table_catalog"}, {"table_schema"}, {"table_name"}, {"partition_id"},
      {"total_rows", kInt64}, {"total_logical_bytes", kInt64}, {"total_billable_bytes", kInt64},
      {"last_modified_time", kTimestamp}, {"storage_tier"}}});
  // clang-format on
  return views;
}

}  // namespace

const InformationView* find_view(std::string_view name) {
  static const auto* const views = new std::vector<InformationView>(make_views());
  for (const InformationView& view : *views)
    if (view.name == name) return &view;
  return nullptr;
}

}  // namespace flytt::warehouse::internal
