#include "gateway/bigquery/internal/resources.h"

#include <algorithm>
#include <cctype>

#include "data/utf8.h"
#include "gateway/bigquery/internal/schema_json.h"

namespace flytt::gateway::internal {

namespace {

// Members that are kept and shown as they were sent. They describe; nothing here acts on them.
constexpr const char* kDatasetMembers[] = {"access",
                                           "defaultTableExpirationMs",
                                           "defaultPartitionExpirationMs",
                                           "defaultCollation",
                                           "defaultRoundingMode",
                                           "maxTimeTravelHours",
                                           "storageBillingModel",
                                           "resourceTags"};
constexpr const char* kTableMembers[] = {
    "timePartitioning",    "rangePartitioning", "clustering", "requirePartitionFilter", "defaultCollation",
    "defaultRoundingMode", "resourceTags",      "schema",     "tableConstraints"};
constexpr const char* kForeignTableKinds[] = {"view",
                                              "materializedView",
                                              "externalDataConfiguration",
                                              "snapshotDefinition",
                                              "cloneDefinition",
                                              "biglakeConfiguration"};

bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

void lay_text(const Json& body, const char* name, WriteMode mode, std::string& text, Status& status) {
  if (!status) return;
  auto value = optional_string(body, name);
  if (!value) {
    status = std::move(value).error();
    return;
  }
  const bool is_named = body.contains(name);
  if (is_named || mode != WriteMode::kPatch) text = value->value_or("");
}

Status lay_labels(const Json& body, WriteMode mode, std::map<std::string, std::string>& labels) {
  TRY(const Json* given, optional_object(body, "labels"));
  if (mode == WriteMode::kUpdate) labels.clear();
  if (given == nullptr) return ok();
  for (const auto& [key, value] : given->items()) {
    if (value.is_null())
      labels.erase(key);
    else if (value.is_string())
      labels[key] = value.get<std::string>();
    else
      return wrong_type("labels", "an object of strings");
  }
  return ok();
}

template <std::size_t N>
void lay_members(const Json& body, const char* const (&names)[N], WriteMode mode, Json& kept) {
  if (mode == WriteMode::kUpdate) kept = Json::object();
  for (const char* name : names) {
    if (!body.contains(name)) continue;
    if (body.at(name).is_null())
      kept.erase(name);
    else
      kept[name] = body.at(name);
  }
}

std::string kept_text(const Json& kept) { return kept.empty() ? std::string() : dump(kept); }

// A body may repeat the reference that the path already says; it must not say another one.
Status check_reference(const Json& body, const char* reference, const char* member_name, const std::string& expected) {
  TRY(const Json* given, optional_object(body, reference));
  if (given == nullptr || expected.empty()) return ok();
  TRY(const auto id, optional_string(*given, member_name));
  if (id && !id->empty() && *id != expected)
    return invalid(std::string(reference) + "." + member_name + " differs from the one in the URL.");
  return ok();
}

bool has_field(const std::vector<data::Field>& fields, const std::string& name) {
  data::TableSchema schema;
  schema.fields = fields;
  return schema.find(name).has_value();
}

Status check_partitioning(const Json& body, const std::vector<data::Field>& fields) {
  for (const char* kind : {"timePartitioning", "rangePartitioning"}) {
    TRY(const Json* partitioning, optional_object(body, kind));
    if (partitioning == nullptr) continue;
    TRY(const auto field, optional_string(*partitioning, "field"));
    if (field && !field->empty() && !has_field(fields, *field))
      return invalid("The field specified for partitioning cannot be found in the schema.");
  }
  TRY(const Json* clustering, optional_object(body, "clustering"));
  if (clustering == nullptr) return ok();
  TRY(const Json* names, optional_array(*clustering, "fields"));
  for (const Json& name : names == nullptr ? Json::array() : *names) {
    if (!name.is_string()) return wrong_type("clustering.fields", "a list of column names");
    if (!has_field(fields, name.get<std::string>()))
      return invalid("The field specified for clustering cannot be found in the schema. Invalid field: " +
                     name.get<std::string>());
  }
  return ok();
}

Status lay_schema(const Json& body, WriteMode mode, warehouse::TableInfo& table) {
  TRY(const Json* schema, optional_object(body, "schema"));
  const Json* fields = schema == nullptr ? nullptr : member(*schema, "fields");
  if (fields != nullptr) {
    const std::vector<data::Field> before = std::move(table.schema.fields);
    const std::vector<std::uint32_t> key_before = std::move(table.schema.key);
    TRY(table.schema.fields, parse_fields(*fields));
    table.schema.key.clear();
    for (const std::uint32_t index : key_before) {
      const auto at = table.schema.find(before[index].name);
      if (!at) return invalid("The primary key column " + before[index].name + " cannot be found in the schema.");
      table.schema.key.push_back(*at);
    }
  }
  const Json* constraints = member(body, "tableConstraints");
  const bool has_key_member = constraints != nullptr && constraints->is_object() && constraints->contains("primaryKey");
  if (has_key_member || mode == WriteMode::kInsert) {
    TRY(table.schema.key, parse_primary_key(body, table.schema.fields));
  }
  return ok();
}

OrderedJson reference_json(const data::TablePath& path) {
  return {{"projectId", path.project}, {"datasetId", path.dataset}, {"tableId", path.table}};
}

OrderedJson labels_json(const std::map<std::string, std::string>& labels) {
  OrderedJson out = OrderedJson::object();
  for (const auto& [key, value] : labels) out[key] = value;
  return out;
}

void show_text(OrderedJson& out, const char* name, const std::string& text) {
  if (!text.empty()) out[name] = text;
}

OrderedJson constraints_json(const data::TableSchema& schema, const Json& kept) {
  OrderedJson out = OrderedJson::object();
  if (!schema.key.empty()) {
    OrderedJson columns = OrderedJson::array();
    for (const std::uint32_t index : schema.key) columns.push_back(schema.fields[index].name);
    out["primaryKey"] = {{"columns", std::move(columns)}};
  }
  const Json* constraints = member(kept, "tableConstraints");
  const Json* foreign = constraints == nullptr ? nullptr : member(*constraints, "foreignKeys");
  if (foreign != nullptr) out["foreignKeys"] = *foreign;
  return out;
}

}  // namespace

std::string millis_text(std::int64_t micros) { return std::to_string(micros / 1000); }

Status check_dataset_id(const std::string& id) {
  const bool is_legal = !id.empty() && id.size() <= 1024 && std::all_of(id.begin(), id.end(), [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-';
  });
  if (is_legal) return ok();
  return invalid(
      "Invalid dataset ID \"" + id.substr(0, 1024) +
      "\". Dataset IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 characters long.");
}

Status check_table_id(const std::string& id) {
  const bool is_legal =
      !id.empty() && id.size() <= 1024 && data::is_valid_utf8(id) && std::none_of(id.begin(), id.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x80 && !is_letter_or_digit(c) && c != '_' && c != '-' && c != ' ';
      });
  if (is_legal) return ok();
  if (id.find('$') != id.npos)
    return Error(ErrorCode::kUnsupported, "Partition decorators (table$partition) are not in this version.")
        .cause("notImplemented");
  return invalid("Invalid table ID \"" + id.substr(0, 1024) +
                 "\". Table IDs must be letters, marks, digits, underscores, dashes or spaces and must be at most 1024 "
                 "bytes long.");
}

Result<warehouse::DatasetInfo> parse_dataset(const Json& body, const warehouse::DatasetInfo& before, WriteMode mode) {
  warehouse::DatasetInfo out = before;
  if (mode == WriteMode::kInsert) {
    TRY(const Json* reference, optional_object(body, "datasetReference"));
    if (reference == nullptr)
      return Error(ErrorCode::kBadData, "Required parameter is missing: datasetReference").cause("required");
    TRY(out.path.dataset, required_string(*reference, "datasetId"));
    TRY_STATUS(check_reference(body, "datasetReference", "projectId", out.path.project));
    TRY_STATUS(check_dataset_id(out.path.dataset));
    TRY(const auto location, optional_string(body, "location"));
    out.location = location.value_or("");
  } else {
    TRY_STATUS(check_reference(body, "datasetReference", "datasetId", before.path.dataset));
  }
  for (const char* name : {"externalDatasetReference", "linkedDatasetSource", "defaultEncryptionConfiguration"})
    if (member(body, name) != nullptr)
      return Error(ErrorCode::kUnsupported, std::string(name) + " is not in this version.").cause("notImplemented");
  TRY(const auto ignores_case, optional_bool(body, "isCaseInsensitive"));
  if (ignores_case.value_or(false))
    return Error(ErrorCode::kUnsupported, "isCaseInsensitive is not in this version.").cause("notImplemented");
  Status status;
  lay_text(body, "friendlyName", mode, out.friendly_name, status);
  lay_text(body, "description", mode, out.description, status);
  TRY_STATUS(std::move(status));
  TRY_STATUS(lay_labels(body, mode, out.labels));
  Json kept = parse_kept(before.properties);
  lay_members(body, kDatasetMembers, mode, kept);
  out.properties = kept_text(kept);
  return out;
}

Result<warehouse::TableInfo> parse_table(const Json& body, const warehouse::TableInfo& before, WriteMode mode) {
  warehouse::TableInfo out = before;
  if (mode == WriteMode::kInsert) {
    TRY(const Json* reference, optional_object(body, "tableReference"));
    if (reference == nullptr)
      return Error(ErrorCode::kBadData, "Required parameter is missing: tableReference").cause("required");
    TRY(out.path.table, required_string(*reference, "tableId"));
    TRY_STATUS(check_table_id(out.path.table));
    TRY_STATUS(check_reference(body, "tableReference", "datasetId", out.path.dataset));
    TRY_STATUS(check_reference(body, "tableReference", "projectId", out.path.project));
  } else {
    TRY_STATUS(check_reference(body, "tableReference", "tableId", before.path.table));
  }
  for (const char* name : kForeignTableKinds)
    if (member(body, name) != nullptr)
      return Error(ErrorCode::kUnsupported, std::string("A table with ") + name + " is not in this version.")
          .cause("notImplemented");
  if (member(body, "encryptionConfiguration") != nullptr)
    return Error(ErrorCode::kUnsupported, "encryptionConfiguration is not in this version.").cause("notImplemented");
  Status status;
  lay_text(body, "friendlyName", mode, out.friendly_name, status);
  lay_text(body, "description", mode, out.description, status);
  lay_text(body, "maxStaleness", mode, out.max_staleness, status);
  TRY_STATUS(std::move(status));
  TRY_STATUS(lay_labels(body, mode, out.labels));
  TRY_STATUS(lay_schema(body, mode, out));
  TRY_STATUS(check_partitioning(body, out.schema.fields));
  TRY(const auto expiration_ms, optional_int64(body, "expirationTime"));
  if (expiration_ms && (*expiration_ms < 0 || *expiration_ms > INT64_MAX / 1000))
    return wrong_type("expirationTime", "milliseconds since 1970");
  if (expiration_ms)
    out.expiration_micros = *expiration_ms * 1000;
  else if (mode == WriteMode::kUpdate || body.contains("expirationTime"))
    out.expiration_micros.reset();
  Json kept = parse_kept(before.properties);
  const Json schema_before = kept.contains("schema") ? kept["schema"] : Json();
  lay_members(body, kTableMembers, mode, kept);
  if (member(body, "schema") == nullptr && !schema_before.is_null())
    kept["schema"] = schema_before;  // null never erases a schema
  out.properties = kept_text(kept);
  return out;
}

OrderedJson dataset_json(const warehouse::DatasetInfo& dataset, const std::string& base) {
  OrderedJson out;
  out["kind"] = "bigquery#dataset";
  out["etag"] = dataset.etag;
  out["id"] = dataset.path.project + ":" + dataset.path.dataset;
  out["selfLink"] = base + "projects/" + dataset.path.project + "/datasets/" + dataset.path.dataset;
  out["datasetReference"] = {{"datasetId", dataset.path.dataset}, {"projectId", dataset.path.project}};
  show_text(out, "friendlyName", dataset.friendly_name);
  show_text(out, "description", dataset.description);
  if (!dataset.labels.empty()) out["labels"] = labels_json(dataset.labels);
  out["creationTime"] = millis_text(dataset.created_micros);
  out["lastModifiedTime"] = millis_text(dataset.modified_micros);
  out["location"] = dataset.location;
  out["type"] = "DEFAULT";
  out["maxTimeTravelHours"] = "168";
  const Json kept = parse_kept(dataset.properties);
  for (const char* name : kDatasetMembers)
    if (const Json* value = member(kept, name)) out[name] = *value;
  return out;
}

OrderedJson dataset_list_item_json(const warehouse::DatasetInfo& dataset) {
  OrderedJson out;
  out["kind"] = "bigquery#dataset";
  out["id"] = dataset.path.project + ":" + dataset.path.dataset;
  out["datasetReference"] = {{"datasetId", dataset.path.dataset}, {"projectId", dataset.path.project}};
  if (!dataset.labels.empty()) out["labels"] = labels_json(dataset.labels);
  show_text(out, "friendlyName", dataset.friendly_name);
  out["location"] = dataset.location;
  out["type"] = "DEFAULT";
  return out;
}

OrderedJson table_json(const warehouse::TableInfo& table, const warehouse::TableUsage& usage,
                       const std::string& location, const std::string& base) {
  const Json kept = parse_kept(table.properties);
  const data::TablePath& path = table.path;
  OrderedJson out;
  out["kind"] = "bigquery#table";
  out["etag"] = table.etag;
  out["id"] = path.project + ":" + path.dataset + "." + path.table;
  out["selfLink"] = base + "projects/" + path.project + "/datasets/" + path.dataset + "/tables/" + path.table;
  out["tableReference"] = reference_json(path);
  show_text(out, "friendlyName", table.friendly_name);
  show_text(out, "description", table.description);
  if (!table.labels.empty()) out["labels"] = labels_json(table.labels);
  if (!table.schema.fields.empty()) {
    const Json* kept_schema = member(kept, "schema");
    out["schema"] = {{"fields", fields_json(table.schema.fields,
                                            kept_schema == nullptr ? nullptr : member(*kept_schema, "fields"))}};
  }
  out["numBytes"] = std::to_string(usage.byte_count);
  out["numLongTermBytes"] = "0";
  out["numRows"] = std::to_string(usage.row_count);
  out["creationTime"] = millis_text(table.created_micros);
  if (table.expiration_micros) out["expirationTime"] = millis_text(*table.expiration_micros);
  out["lastModifiedTime"] = millis_text(std::max(table.modified_micros, usage.modified_micros));
  out["type"] = "TABLE";
  out["location"] = location;
  for (const char* name : kTableMembers) {
    const std::string_view key = name;
    if (key == "schema" || key == "tableConstraints") continue;
    if (const Json* value = member(kept, name)) out[name] = *value;
  }
  show_text(out, "maxStaleness", table.max_staleness);
  if (OrderedJson constraints = constraints_json(table.schema, kept); !constraints.empty())
    out["tableConstraints"] = std::move(constraints);
  out["numTotalLogicalBytes"] = std::to_string(usage.byte_count);
  out["numActiveLogicalBytes"] = std::to_string(usage.byte_count);
  out["numLongTermLogicalBytes"] = "0";
  return out;
}

OrderedJson table_list_item_json(const warehouse::TableInfo& table) {
  const Json kept = parse_kept(table.properties);
  OrderedJson out;
  out["kind"] = "bigquery#table";
  out["id"] = table.path.project + ":" + table.path.dataset + "." + table.path.table;
  out["tableReference"] = reference_json(table.path);
  show_text(out, "friendlyName", table.friendly_name);
  out["type"] = "TABLE";
  if (!table.labels.empty()) out["labels"] = labels_json(table.labels);
  for (const char* name : {"timePartitioning", "rangePartitioning", "clustering"})
    if (const Json* value = member(kept, name)) out[name] = *value;
  out["creationTime"] = millis_text(table.created_micros);
  if (table.expiration_micros) out["expirationTime"] = millis_text(*table.expiration_micros);
  return out;
}

}  // namespace flytt::gateway::internal
