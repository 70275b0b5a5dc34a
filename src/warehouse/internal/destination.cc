#include "warehouse/internal/destination.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "warehouse/internal/definition_text.h"
#include "warehouse/internal/directory.h"

namespace flytt::warehouse::internal {

namespace {

using data::TypeKind;
using Json = nlohmann::json;

bool has_parameters(const data::Type& type) {
  return type.precision > 0 || type.max_length > 0 ||
         std::any_of(type.element.begin(), type.element.end(), has_parameters) ||
         std::any_of(type.fields.begin(), type.fields.end(),
                     [](const data::StructField& field) { return has_parameters(field.type); });
}

Error mismatch(const TableInfo& table, const std::string& what) {
  return Error(ErrorCode::kSchema, "Provided Schema does not match Table " + table.path.project + ":" +
                                       table.path.dataset + "." + table.path.table + ". " + what)
      .cause("invalid");
}

Result<DestinationPlan> plan_append(const std::vector<googlesql::OutputColumn>& answer, const TableInfo& table) {
  DestinationPlan plan;
  plan.appends = true;
  for (const googlesql::OutputColumn& column : answer) {
    const auto index = table.schema.find(column.name);
    if (!index) return mismatch(table, "Cannot add fields (field: " + column.name + ")");
    const data::Field& field = table.schema.fields[*index];
    if (field.required) return mismatch(table, "Field " + field.name + " has changed mode from REQUIRED to NULLABLE");
    if (has_parameters(field.type))
      return Error(ErrorCode::kUnsupported, "appending an answer to the column " + field.name + " of type " +
                                                field.type.sql_name() + " is not supported; use INSERT")
          .cause("notImplemented");
    if (!(field.type == column.type))
      return mismatch(table, "Field " + field.name + " has changed type from " + field.type.sql_name() + " to " +
                                 column.type.sql_name());
    plan.columns.push_back(*index);
  }
  for (std::uint32_t i = 0; i < table.schema.fields.size(); ++i)
    if (table.schema.fields[i].required && std::find(plan.columns.begin(), plan.columns.end(), i) == plan.columns.end())
      return mismatch(table, "Field " + table.schema.fields[i].name + " is missing in new schema");
  return plan;
}

// The new rows bring their own columns and no key; how the table is laid out and described stays.
Result<TableInfo> replacement(const TableInfo& before, data::TableSchema schema) {
  const auto missing = [&](const std::string& name) {
    return Error(ErrorCode::kUnsupported, "replacing the rows of " + before.path.text() + " by an answer without its " +
                                              "partitioning or clustering column " + name + " is not supported")
        .cause("notImplemented");
  };
  const std::string partitioned = partitioning_of(before).field;
  if (!partitioned.empty() && !schema.find(partitioned)) return missing(partitioned);
  for (const std::string& name : clustering_of(before))
    if (!schema.find(name)) return missing(name);
  TableInfo table;
  table.path = before.path;
  table.schema = std::move(schema);
  table.friendly_name = before.friendly_name;
  table.description = before.description;
  table.labels = before.labels;
  table.expiration_micros = before.expiration_micros;
  Json kept = before.properties.empty() ? Json::object() : Json::parse(before.properties, nullptr, false);
  if (!kept.is_object()) kept = Json::object();
  kept.erase("schema");
  kept.erase("tableConstraints");
  if (!kept.empty()) table.properties = kept.dump();
  return table;
}

}  // namespace

Result<DestinationPlan> plan_destination(const Destination& destination,
                                         const std::vector<googlesql::OutputColumn>& answer,
                                         const std::optional<TableInfo>& existing, bool has_rows,
                                         const std::string& location) {
  using Write = Destination::Write;
  const data::TablePath& path = destination.table;
  if (existing && destination.write == Write::kAppend) return plan_append(answer, *existing);
  if (existing && destination.write == Write::kTruncateData) {
    TRY(DestinationPlan plan, plan_append(answer, *existing));
    plan.appends = false;
    plan.replaces = true;
    return plan;
  }
  if (existing && destination.write == Write::kEmpty) {
    if (has_rows) return already_exists(path);
    return plan_append(answer, *existing);
  }
  data::TableSchema schema;
  for (const googlesql::OutputColumn& column : answer) schema.fields.push_back({column.name, column.type, false, ""});
  DestinationPlan plan;
  if (existing) {
    TRY(plan.table, replacement(*existing, std::move(schema)));
    return plan;
  }
  if (!destination.may_create)
    return Error(ErrorCode::kNotFound, "Not found: Table " + path.project + ":" + path.dataset + "." + path.table +
                                           " was not found in location " + location)
        .cause("notFound");
  plan.table.path = path;
  plan.table.schema = std::move(schema);
  return plan;
}

}  // namespace flytt::warehouse::internal
