#include "warehouse/internal/table_version.h"

#include <nlohmann/json.hpp>

namespace flytt::warehouse::internal {

namespace {

using Json = nlohmann::json;

Json type_to_json(const data::Type& type) {
  Json json{{"kind", data::to_string(type.kind)}};
  if (type.precision != 0) json["precision"] = type.precision;
  if (type.scale != 0) json["scale"] = type.scale;
  if (type.max_length != 0) json["max_length"] = type.max_length;
  if (!type.element.empty()) json["element"] = type_to_json(type.element.front());
  if (type.is(data::TypeKind::kStruct)) {
    json["fields"] = Json::array();
    for (const data::StructField& field : type.fields)
      json["fields"].push_back({{"name", field.name}, {"type", type_to_json(field.type)}});
  }
  return json;
}

// Throws as nlohmann does; called inside guard.
data::TypeKind kind_of(const std::string& name) {
  for (int k = 0; k <= static_cast<int>(data::TypeKind::kRange); ++k) {
    const auto kind = static_cast<data::TypeKind>(k);
    if (data::to_string(kind) == name) return kind;
  }
  throw std::runtime_error("unknown type kind");
}

data::Type type_from_json(const Json& json) {
  data::Type type(kind_of(json.at("kind").get<std::string>()));
  type.precision = json.value("precision", 0);
  type.scale = json.value("scale", 0);
  type.max_length = json.value("max_length", std::int64_t{0});
  if (json.contains("element")) type.element.push_back(type_from_json(json.at("element")));
  if (json.contains("fields"))
    for (const Json& field : json.at("fields"))
      type.fields.push_back({field.at("name").get<std::string>(), type_from_json(field.at("type"))});
  return type;
}

Json schema_to_json(const TableVersion& version) {
  Json fields = Json::array();
  for (std::size_t i = 0; i < version.info.schema.fields.size(); ++i) {
    const data::Field& field = version.info.schema.fields[i];
    Json json{{"name", field.name}, {"type", type_to_json(field.type)}, {"column", version.physical[i]}};
    if (field.required) json["required"] = true;
    if (!field.description.empty()) json["description"] = field.description;
    fields.push_back(std::move(json));
  }
  return fields;
}

TableVersion table_from_json(const Json& json) {
  TableVersion version;
  TableInfo& info = version.info;
  info.id = json.at("id").get<std::int64_t>();
  info.path = {json.at("project").get<std::string>(), json.at("dataset").get<std::string>(),
               json.at("table").get<std::string>()};
  info.created_micros = json.at("created_micros").get<std::int64_t>();
  info.modified_micros = json.at("modified_micros").get<std::int64_t>();
  info.etag = json.at("etag").get<std::string>();
  info.friendly_name = json.value("friendly_name", "");
  info.description = json.value("description", "");
  info.max_staleness = json.value("max_staleness", "");
  info.properties = json.value("properties", "");
  info.labels = json.value("labels", std::map<std::string, std::string>{});
  if (json.contains("expiration_micros")) info.expiration_micros = json.at("expiration_micros").get<std::int64_t>();
  for (const Json& field : json.at("fields")) {
    data::Field parsed;
    parsed.name = field.at("name").get<std::string>();
    parsed.type = type_from_json(field.at("type"));
    parsed.required = field.value("required", false);
    parsed.description = field.value("description", "");
    info.schema.fields.push_back(std::move(parsed));
    version.physical.push_back(field.at("column").get<std::string>());
  }
  info.schema.key = json.at("key").get<std::vector<std::uint32_t>>();
  version.next_column = json.at("next_column").get<std::uint32_t>();
  version.wide = json.at("wide").get<bool>();
  return version;
}

DatasetInfo dataset_from_json(const Json& json) {
  DatasetInfo info;
  info.path = {json.at("project").get<std::string>(), json.at("dataset").get<std::string>()};
  info.created_micros = json.at("created_micros").get<std::int64_t>();
  info.modified_micros = json.at("modified_micros").get<std::int64_t>();
  info.etag = json.at("etag").get<std::string>();
  info.location = json.at("location").get<std::string>();
  info.friendly_name = json.value("friendly_name", "");
  info.description = json.value("description", "");
  info.labels = json.value("labels", std::map<std::string, std::string>{});
  info.properties = json.value("properties", "");
  return info;
}

template <typename T, typename Read>
Result<T> parse_document(const std::string& text, const char* what, Read read) {
  try {
    return read(Json::parse(text));
  } catch (const std::exception& e) {
    return Error(ErrorCode::kCorrupt, std::string("the warehouse's description of a ") + what + " is damaged")
        .cause(e.what());
  }
}

}  // namespace

std::vector<std::string> TableVersion::key_columns() const {
  std::vector<std::string> names;
  for (const std::uint32_t index : info.schema.key) names.push_back(physical[index]);
  return names;
}

std::string to_document(const TableVersion& version) {
  const TableInfo& info = version.info;
  Json json{{"id", info.id},
            {"project", info.path.project},
            {"dataset", info.path.dataset},
            {"table", info.path.table},
            {"created_micros", info.created_micros},
            {"modified_micros", info.modified_micros},
            {"etag", info.etag},
            {"fields", schema_to_json(version)},
            {"key", info.schema.key},
            {"next_column", version.next_column},
            {"wide", version.wide}};
  if (!info.friendly_name.empty()) json["friendly_name"] = info.friendly_name;
  if (!info.description.empty()) json["description"] = info.description;
  if (!info.labels.empty()) json["labels"] = info.labels;
  if (!info.max_staleness.empty()) json["max_staleness"] = info.max_staleness;
  if (!info.properties.empty()) json["properties"] = info.properties;
  if (info.expiration_micros) json["expiration_micros"] = *info.expiration_micros;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<TableVersion> parse_table_document(const std::string& text) {
  return parse_document<TableVersion>(text, "table", table_from_json);
}

std::string to_document(const DatasetInfo& info) {
  Json json{{"project", info.path.project},
            {"dataset", info.path.dataset},
            {"created_micros", info.created_micros},
            {"modified_micros", info.modified_micros},
            {"etag", info.etag},
            {"location", info.location}};
  if (!info.friendly_name.empty()) json["friendly_name"] = info.friendly_name;
  if (!info.description.empty()) json["description"] = info.description;
  if (!info.labels.empty()) json["labels"] = info.labels;
  if (!info.properties.empty()) json["properties"] = info.properties;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<DatasetInfo> parse_dataset_document(const std::string& text) {
  return parse_document<DatasetInfo>(text, "dataset", dataset_from_json);
}

}  // namespace flytt::warehouse::internal
