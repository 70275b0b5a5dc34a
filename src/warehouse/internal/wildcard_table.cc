#include "warehouse/internal/wildcard_table.h"

#include "googlesql/physical_type.h"

namespace flytt::warehouse::internal {

namespace {

using data::Type;

// The description that the columns come from.
const TableVersion& newest(const TableVersions& versions) {
  const TableVersion* found = versions.front().get();
  for (const auto& version : versions)
    if (std::pair(version->info.created_micros, version->info.id) >
        std::pair(found->info.created_micros, found->info.id))
      found = version.get();
  return *found;
}

// STRING(10) and STRING hold the same values.
Type without_parameters(Type type) {
  type.precision = type.scale = 0;
  type.max_length = 0;
  for (Type& element : type.element) element = without_parameters(element);
  for (data::StructField& field : type.fields) field.type = without_parameters(field.type);
  return type;
}

}  // namespace

bool is_wildcard(const std::string& table) { return !table.empty() && table.back() == '*'; }

std::vector<googlesql::CatalogColumn> wildcard_columns(const TableVersions& versions) {
  std::vector<googlesql::CatalogColumn> out;
  for (const data::Field& field : newest(versions).info.schema.fields)
    out.push_back({field.name, without_parameters(field.type), "w" + std::to_string(out.size()), false});
  out.push_back({"_TABLE_SUFFIX", data::TypeKind::kString, "suffix", true});
  return out;
}

Result<std::string> wildcard_sql(
    const std::string& name, const TableVersions& versions, const std::vector<int>& columns,
    const std::function<std::string(std::size_t table, const std::vector<std::string>& physical)>& relation) {
  const std::vector<data::Field>& fields = newest(versions).info.schema.fields;
  const std::size_t prefix = name.size() - 1;
  std::string out;
  for (std::size_t t = 0; t < versions.size(); ++t) {
    const TableInfo& table = versions[t]->info;
    std::string items;
    std::vector<std::string> physical;
    for (const int index : columns) {
      const auto column = static_cast<std::size_t>(index);
      if (!items.empty()) items += ", ";
      if (column == fields.size()) {
        items += googlesql::quote_text(table.path.table.substr(prefix)) + " AS suffix";
        continue;
      }
      const data::Field& field = fields[column];
      const auto found = table.schema.find(field.name);
      const std::string alias = " AS w" + std::to_string(column);
      if (!found) {
        items += "NULL::" + googlesql::physical_type(field.type) + alias;
        continue;
      }
      const Type& type = table.schema.fields[*found].type;
      if (!(without_parameters(type) == without_parameters(field.type)))
        return Error(ErrorCode::kUnsupported,
                     "a wildcard table over tables with different types of one column is not supported: column " +
                         field.name + " of " + table.path.text() + " has type " + type.sql_name() + ", that of " +
                         newest(versions).info.path.text() + " has type " + field.type.sql_name())
            .cause("notImplemented");
      physical.push_back(versions[t]->physical[*found]);
      items += physical.back() + alias;
    }
    out += (t > 0 ? " UNION ALL " : "") + ("SELECT " + (items.empty() ? "1 AS one" : items) + " FROM ") +
           relation(t, physical) + " AS t";
  }
  return "(" + out + ")";
}

}  // namespace flytt::warehouse::internal
