#include "bigquery/internal/rest_schema.h"

#include <charconv>

#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using data::Type;
using data::TypeKind;
using nlohmann::json;

json field_to_json(const std::string& name, const Type& declared, bool required, const std::string& description,
                   bool is_top) {
  const bool repeated = declared.is(TypeKind::kArray);
  const Type& type = repeated ? declared.element.front() : declared;
  json out = {{"name", name},
              {"type", type.rest_name()},
              {"mode", repeated   ? "REPEATED"
                       : required ? "REQUIRED"
                                  : "NULLABLE"}};
  if (is_top && !description.empty()) out["description"] = description;
  if (type.precision != 0) out["precision"] = std::to_string(type.precision);
  if (type.scale != 0) out["scale"] = std::to_string(type.scale);
  if (type.max_length != 0) out["maxLength"] = std::to_string(type.max_length);
  if (type.is(TypeKind::kRange)) out["rangeElementType"] = {{"type", type.element.front().rest_name()}};
  if (type.is(TypeKind::kStruct)) {
    json fields = json::array();
    for (const data::StructField& field : type.fields)
      fields.push_back(field_to_json(field.name, field.type, false, "", false));
    out["fields"] = std::move(fields);
  }
  return out;
}

Error malformed(const std::string& what) {
  return Error(ErrorCode::kCorrupt, "BigQuery's answer cannot be read: " + what).side(base::Side::kSink);
}

Result<Type> type_from_json(const json& field, int depth_left) {
  if (!field.is_object() || depth_left == 0) return malformed("a field of a schema");
  TRY(const TypeKind kind, data::parse_type_kind(text_member(field, "type")));
  Type type(kind);
  type.precision = static_cast<std::int32_t>(int_member(field, "precision").value_or(0));
  type.scale = static_cast<std::int32_t>(int_member(field, "scale").value_or(0));
  type.max_length = int_member(field, "maxLength").value_or(0);
  if (kind == TypeKind::kArray) return malformed("a field of type ARRAY");
  if (kind == TypeKind::kRange) {
    const auto element = field.find("rangeElementType");
    if (element == field.end() || !element->is_object()) return malformed("a RANGE without an element type");
    TRY(const TypeKind element_kind, data::parse_type_kind(text_member(*element, "type")));
    type = Type::range(element_kind);
  }
  if (kind == TypeKind::kStruct) {
    const auto fields = field.find("fields");
    if (fields == field.end() || !fields->is_array()) return malformed("a RECORD without fields");
    for (const json& inner : *fields) {
      TRY(Type inner_type, type_from_json(inner, depth_left - 1));
      type.fields.push_back({text_member(inner, "name"), std::move(inner_type)});
    }
  }
  return text_member(field, "mode") == "REPEATED" ? Type::array(std::move(type)) : type;
}

std::map<std::string, std::string> labels_from_json(const json& object) {
  std::map<std::string, std::string> out;
  const auto labels = object.find("labels");
  if (labels == object.end() || !labels->is_object()) return out;
  for (const auto& [name, value] : labels->items()) {
    if (value.is_string()) out.emplace(name, value.get<std::string>());
  }
  return out;
}

// A member of an object; null when there is none.
const json& member(const json& object, const char* name) {
  static const json kNone;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? *found : kNone;
}

Result<json> object_of(std::string_view body) {
  json out = json::parse(body, nullptr, false);
  if (!out.is_object()) return malformed("it is not a JSON object");
  return out;
}

Result<Cell> cell_from_json(const json& value, int depth_left) {
  Cell cell;
  if (value.is_null()) return cell;
  if (depth_left == 0) return malformed("a value is nested too deeply");
  cell.is_null = false;
  if (value.is_string()) {
    cell.text = value.get<std::string>();
    return cell;
  }
  if (value.is_array()) {
    for (const json& element : value) {
      const auto inner = element.is_object() ? element.find("v") : element.end();
      if (!element.is_object() || inner == element.end()) return malformed("an element of an ARRAY");
      TRY(Cell child, cell_from_json(*inner, depth_left - 1));
      cell.children.push_back(std::move(child));
    }
    return cell;
  }
  if (value.is_object()) {
    const auto fields = value.find("f");
    if (fields == value.end() || !fields->is_array()) return malformed("a STRUCT");
    return cell_from_json(*fields, depth_left - 1);
  }
  cell.text = value.dump();  // a bare number or boolean
  return cell;
}

}  // namespace

std::string text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::int64_t> int_member(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  if (found->is_number_integer()) return found->get<std::int64_t>();
  if (!found->is_string()) return std::nullopt;
  const auto& text = found->get_ref<const std::string&>();
  std::int64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

json fields_to_json(const data::TableSchema& schema) {
  json out = json::array();
  for (const data::Field& field : schema.fields)
    out.push_back(field_to_json(field.name, field.type, field.required, field.description, true));
  return out;
}

Result<data::TableSchema> fields_from_json(const json& fields) {
  data::TableSchema out;
  if (!fields.is_array()) return malformed("a schema without fields");
  for (const json& field : fields) {
    TRY(Type type, type_from_json(field, kCellDepthMax));
    out.fields.push_back({text_member(field, "name"), std::move(type), text_member(field, "mode") == "REQUIRED",
                          text_member(field, "description")});
  }
  return out;
}

json dataset_to_json(const DatasetInfo& dataset) {
  json out = {{"datasetReference", {{"projectId", dataset.project}, {"datasetId", dataset.dataset}}}};
  if (!dataset.location.empty()) out["location"] = dataset.location;
  if (!dataset.description.empty()) out["description"] = dataset.description;
  if (!dataset.labels.empty()) out["labels"] = dataset.labels;
  return out;
}

Result<DatasetInfo> dataset_from_json(std::string_view body) {
  TRY(const json object, object_of(body));
  DatasetInfo out;
  const auto reference = object.find("datasetReference");
  if (reference == object.end() || !reference->is_object()) return malformed("a dataset without its reference");
  out.project = text_member(*reference, "projectId");
  out.dataset = text_member(*reference, "datasetId");
  out.location = text_member(object, "location");
  out.description = text_member(object, "description");
  out.labels = labels_from_json(object);
  out.etag = text_member(object, "etag");
  out.created_ms = int_member(object, "creationTime").value_or(0);
  return out;
}

json table_to_json(const TableInfo& table, bool is_patch) {
  json out = json::object();
  if (!is_patch)
    out["tableReference"] = {
        {"projectId", table.path.project}, {"datasetId", table.path.dataset}, {"tableId", table.path.table}};
  if (!is_patch || !table.schema.fields.empty()) out["schema"] = {{"fields", fields_to_json(table.schema)}};
  if (!table.schema.key.empty()) {
    json columns = json::array();
    for (const std::uint32_t index : table.schema.key) columns.push_back(table.schema.fields[index].name);
    out["tableConstraints"] = {{"primaryKey", {{"columns", std::move(columns)}}}};
  }
  if (!table.description.empty()) out["description"] = table.description;
  if (!table.labels.empty()) out["labels"] = table.labels;
  if (!table.max_staleness.empty()) out["maxStaleness"] = table.max_staleness;
  if (!is_patch && table.expires_ms != 0) out["expirationTime"] = std::to_string(table.expires_ms);
  return out;
}

Result<TableInfo> table_from_json(std::string_view body) {
  TRY(const json object, object_of(body));
  TableInfo out;
  const auto reference = object.find("tableReference");
  if (reference == object.end() || !reference->is_object()) return malformed("a table without its reference");
  out.path = {text_member(*reference, "projectId"), text_member(*reference, "datasetId"),
              text_member(*reference, "tableId")};
  if (const auto schema = object.find("schema");
      schema != object.end() && schema->is_object() && schema->contains("fields")) {
    TRY(out.schema, fields_from_json((*schema)["fields"]));
  }
  for (const json& column : member(member(member(object, "tableConstraints"), "primaryKey"), "columns")) {
    const auto index = column.is_string() ? out.schema.find(column.get<std::string>()) : std::nullopt;
    if (!index) return malformed("a primary key of unknown columns");
    out.schema.key.push_back(*index);
  }
  out.description = text_member(object, "description");
  out.labels = labels_from_json(object);
  out.max_staleness = text_member(object, "maxStaleness");
  out.type = text_member(object, "type");
  if (const json& time = member(object, "timePartitioning"); time.is_object())
    out.partition_unit = time.contains("type") ? text_member(time, "type") : "DAY";
  if (member(object, "rangePartitioning").is_object()) out.partition_unit = "RANGE";
  out.etag = text_member(object, "etag");
  out.created_ms = int_member(object, "creationTime").value_or(0);
  out.modified_ms = int_member(object, "lastModifiedTime").value_or(0);
  out.expires_ms = int_member(object, "expirationTime").value_or(0);
  out.row_count = int_member(object, "numRows");
  out.has_streaming_buffer = object.contains("streamingBuffer");
  return out;
}

Result<std::vector<ResultRow>> rows_from_json(const json& rows) {
  std::vector<ResultRow> out;
  if (rows.is_null()) return out;
  if (!rows.is_array()) return malformed("rows that are not a list");
  out.reserve(rows.size());
  for (const json& row : rows) {
    TRY(Cell cells, cell_from_json(row, kCellDepthMax));
    out.push_back(std::move(cells.children));
  }
  return out;
}

}  // namespace flytt::bigquery
