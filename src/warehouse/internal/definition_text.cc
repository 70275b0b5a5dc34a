#include "warehouse/internal/definition_text.h"

#include <strings.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "data/civil.h"

namespace flytt::warehouse::internal {

namespace {

using data::Type;
using data::TypeKind;
using Json = nlohmann::json;

Json properties_of(const std::string& text) {
  Json kept = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
  return kept.is_object() ? kept : Json::object();
}

// Google's int64 members come as text or as a number.
std::int64_t number_of(const Json& value) {
  if (value.is_number_integer()) return value.get<std::int64_t>();
  return value.is_string() ? std::strtoll(value.get_ref<const std::string&>().c_str(), nullptr, 10) : 0;
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const Json* object_of(const Json& parent, const char* name) {
  const auto found = parent.find(name);
  return found != parent.end() && found->is_object() ? &*found : nullptr;
}

std::string text_literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else
      out += c;
  }
  return out + '"';
}

constexpr std::string_view kReserved[] = {
    "ALL",      "AND",     "ANY",      "ARRAY",     "AS",        "ASC",         "ASSERT_ROWS_MODIFIED",
    "AT",       "BETWEEN", "BY",       "CASE",      "CAST",      "COLLATE",     "CONTAINS",
    "CREATE",   "CROSS",   "CUBE",     "CURRENT",   "DEFAULT",   "DEFINE",      "DESC",
    "DISTINCT", "ELSE",    "END",      "ENUM",      "ESCAPE",    "EXCEPT",      "EXCLUDE",
    "EXISTS",   "EXTRACT", "FALSE",    "FETCH",     "FOLLOWING", "FOR",         "FROM",
    "FULL",     "GROUP",   "GROUPING", "GROUPS",    "HASH",      "HAVING",      "IF",
    "IGNORE",   "IN",      "INNER",    "INTERSECT", "INTERVAL",  "INTO",        "IS",
    "JOIN",     "LATERAL", "LEFT",     "LIKE",      "LIMIT",     "LOOKUP",      "MERGE",
    "NATURAL",  "NEW",     "NO",       "NOT",       "NULL",      "NULLS",       "OF",
    "ON",       "OR",      "ORDER",    "OUTER",     "OVER",      "PARTITION",   "PRECEDING",
    "PROTO",    "QUALIFY", "RANGE",    "RECURSIVE", "RESPECT",   "RIGHT",       "ROLLUP",
    "ROWS",     "SELECT",  "SET",      "SOME",      "STRUCT",    "TABLESAMPLE", "THEN",
    "TO",       "TREAT",   "TRUE",     "UNBOUNDED", "UNION",     "UNNEST",      "USING",
    "WHEN",     "WHERE",   "WINDOW",   "WITH",      "WITHIN"};

std::string identifier(const std::string& name) {
  const bool plain = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
                     std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return c < 0x80 && (std::isalnum(c) != 0 || c == '_'); });
  std::string upper = name;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const bool reserved = std::find(std::begin(kReserved), std::end(kReserved), upper) != std::end(kReserved);
  return plain && !reserved ? name : "`" + name + "`";
}

// What the REST form kept of the field `name` in its list `fields`; null when nothing.
const Json* kept_field(const Json* fields, const std::string& name) {
  if (fields == nullptr || !fields->is_array()) return nullptr;
  for (const Json& field : *fields)
    if (field.is_object() && strcasecmp(text_of(field, "name").c_str(), name.c_str()) == 0) return &field;
  return nullptr;
}

const Json* nested_fields(const Json* kept) {
  if (kept == nullptr) return nullptr;
  const auto found = kept->find("fields");
  return found == kept->end() ? nullptr : &*found;
}

FieldDetails details_of(const Json* kept) {
  FieldDetails out;
  if (kept == nullptr) return out;
  out.description = text_of(*kept, "description");
  out.default_value = text_of(*kept, "defaultValueExpression");
  out.rounding_mode = text_of(*kept, "roundingMode");
  out.required = strcasecmp(text_of(*kept, "mode").c_str(), "REQUIRED") == 0;
  if (const Json* tags = object_of(*kept, "policyTags"))
    for (const Json& name : tags->value("names", Json::array()))
      if (name.is_string()) out.policy_tags.push_back(name.get<std::string>());
  return out;
}

void add_paths(const std::string& path, const Type& type, FieldDetails details, const Json* kept,
               std::vector<FieldPath>& out) {
  out.push_back({path, type, std::move(details)});
  const Type& inner = type.is(TypeKind::kArray) ? type.element.front() : type;
  if (!inner.is(TypeKind::kStruct)) return;
  for (const data::StructField& field : inner.fields) {
    const Json* below = kept_field(nested_fields(kept), field.name);
    add_paths(path + "." + field.name, field.type, details_of(below), below, out);
  }
}

std::string type_text(const Type& type, const Json* kept);

// "name TYPE NOT NULL OPTIONS(…)"
std::string field_text(const std::string& name, const Type& type, const FieldDetails& details, const Json* kept) {
  std::string out = name.empty() ? "" : identifier(name) + " ";
  out += type_text(type, kept);
  if (!details.default_value.empty()) out += " DEFAULT " + details.default_value;
  if (details.required && !type.is(TypeKind::kArray)) out += " NOT NULL";
  std::string options;
  if (!details.description.empty()) options += "description=" + text_literal(details.description);
  if (!details.rounding_mode.empty())
    options += (options.empty() ? "" : ", ") + std::string("rounding_mode=") + text_literal(details.rounding_mode);
  return options.empty() ? out : out + " OPTIONS(" + options + ")";
}

std::string type_text(const Type& type, const Json* kept) {
  if (type.is(TypeKind::kArray)) return "ARRAY<" + type_text(type.element.front(), kept) + ">";
  if (!type.is(TypeKind::kStruct)) return type.sql_name();
  std::string out = "STRUCT<";
  for (const data::StructField& field : type.fields) {
    const Json* below = kept_field(nested_fields(kept), field.name);
    if (&field != &type.fields.front()) out += ", ";
    out += field_text(field.name, field.type, details_of(below), below);
  }
  return out + ">";
}

std::string labels_text(const std::map<std::string, std::string>& labels) {
  std::string out;
  for (const auto& [key, value] : labels)
    out += (out.empty() ? "" : ", ") + std::string("STRUCT(") + text_literal(key) + ", " + text_literal(value) + ")";
  return "[" + out + "]";
}

std::string days_text(const Json& milliseconds) {
  return Json(static_cast<double>(number_of(milliseconds)) / 86'400'000.0).dump();
}

std::string options_text(const std::vector<ShownOption>& options) {
  std::string out;
  for (const ShownOption& option : options)
    out += (out.empty() ? "" : ",") + ("\n  " + option.name + "=" + option.value);
  return out.empty() ? out : "\nOPTIONS(" + out + "\n)";
}

std::string partition_text(const TableInfo& table) {
  const Partitioning by = partitioning_of(table);
  const std::string field = identifier(by.field);
  if (by.kind == Partitioning::Kind::kRange)
    return "RANGE_BUCKET(" + field + ", GENERATE_ARRAY(" + std::to_string(by.start) + ", " + std::to_string(by.end) +
           ", " + std::to_string(by.step) + "))";
  const bool by_day = by.unit == "DAY";
  if (by.field.empty()) return by_day ? "_PARTITIONDATE" : "TIMESTAMP_TRUNC(_PARTITIONTIME, " + by.unit + ")";
  const auto index = table.schema.find(by.field);
  const TypeKind kind = index ? table.schema.fields[*index].type.kind : TypeKind::kDate;
  if (kind == TypeKind::kDate) return by_day ? field : "DATE_TRUNC(" + field + ", " + by.unit + ")";
  if (by_day) return "DATE(" + field + ")";
  return std::string(kind == TypeKind::kDatetime ? "DATETIME" : "TIMESTAMP") + "_TRUNC(" + field + ", " + by.unit + ")";
}

}  // namespace

std::vector<FieldPath> field_paths(const TableInfo& table, std::size_t column) {
  const Json properties = properties_of(table.properties);
  const data::Field& field = table.schema.fields[column];
  const Json* schema = object_of(properties, "schema");
  const Json* kept = kept_field(nested_fields(schema), field.name);
  FieldDetails details = details_of(kept);
  details.description = field.description;
  details.required = field.required;
  std::vector<FieldPath> out;
  add_paths(field.name, field.type, std::move(details), kept, out);
  return out;
}

Partitioning partitioning_of(const TableInfo& table) {
  const Json properties = properties_of(table.properties);
  Partitioning out;
  if (const Json* time = object_of(properties, "timePartitioning")) {
    out.kind = Partitioning::Kind::kTime;
    out.field = text_of(*time, "field");
    out.unit = text_of(*time, "type");
    for (char& c : out.unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  } else if (const Json* range = object_of(properties, "rangePartitioning")) {
    out.kind = Partitioning::Kind::kRange;
    out.field = text_of(*range, "field");
    if (const Json* bounds = object_of(*range, "range")) {
      out.start = number_of(bounds->value("start", Json()));
      out.end = number_of(bounds->value("end", Json()));
      out.step = number_of(bounds->value("interval", Json()));
    }
  }
  return out;
}

std::vector<std::string> clustering_of(const TableInfo& table) {
  const Json properties = properties_of(table.properties);
  std::vector<std::string> out;
  if (const Json* clustering = object_of(properties, "clustering"))
    for (const Json& name : clustering->value("fields", Json::array()))
      if (name.is_string()) out.push_back(name.get<std::string>());
  return out;
}

std::vector<ForeignKey> foreign_keys_of(const TableInfo& table) {
  const Json properties = properties_of(table.properties);
  const Json* constraints = object_of(properties, "tableConstraints");
  std::vector<ForeignKey> out;
  if (constraints == nullptr) return out;
  for (const Json& given : constraints->value("foreignKeys", Json::array())) {
    const Json* referenced = given.is_object() ? object_of(given, "referencedTable") : nullptr;
    if (referenced == nullptr) continue;
    const std::string name = text_of(given, "name");
    ForeignKey key;
    key.name = name.empty() ? table.path.table + ".fk$" + std::to_string(out.size() + 1) : name;
    key.referenced = {text_of(*referenced, "projectId"), text_of(*referenced, "datasetId"),
                      text_of(*referenced, "tableId")};
    for (const Json& pair : given.value("columnReferences", Json::array()))
      if (pair.is_object())
        key.columns.emplace_back(text_of(pair, "referencingColumn"), text_of(pair, "referencedColumn"));
    out.push_back(std::move(key));
  }
  return out;
}

std::vector<ShownOption> shown_options(const TableInfo& table) {
  const Json properties = properties_of(table.properties);
  std::vector<ShownOption> out;
  if (!table.description.empty()) out.push_back({"description", "STRING", text_literal(table.description)});
  if (table.expiration_micros) {
    const std::int64_t millis = *table.expiration_micros / 1000;
    const std::string fraction = std::to_string(1000 + millis % 1000).substr(1);
    out.push_back({"expiration_timestamp", "TIMESTAMP",
                   "TIMESTAMP \"" + data::format_datetime(millis / 1000 * 1'000'000) + "." + fraction + "Z\""});
  }
  if (!table.friendly_name.empty()) out.push_back({"friendly_name", "STRING", text_literal(table.friendly_name)});
  if (!table.labels.empty()) out.push_back({"labels", "ARRAY<STRUCT<STRING, STRING>>", labels_text(table.labels)});
  if (!table.max_staleness.empty())
    out.push_back({"max_staleness", "INTERVAL", "INTERVAL " + text_literal(table.max_staleness) + " YEAR TO SECOND"});
  if (const Json* time = object_of(properties, "timePartitioning"))
    if (const auto found = time->find("expirationMs"); found != time->end() && number_of(*found) != 0)
      out.push_back({"partition_expiration_days", "FLOAT64", days_text(*found)});
  if (const auto found = properties.find("requirePartitionFilter"); found != properties.end() && *found == true)
    out.push_back({"require_partition_filter", "BOOL", "true"});
  return out;
}

std::vector<ShownOption> shown_options(const DatasetInfo& dataset) {
  const Json properties = properties_of(dataset.properties);
  std::vector<ShownOption> out;
  for (const auto& [member, option] : {std::pair{"defaultPartitionExpirationMs", "default_partition_expiration_days"},
                                       std::pair{"defaultTableExpirationMs", "default_table_expiration_days"}})
    if (const auto found = properties.find(member); found != properties.end() && number_of(*found) != 0)
      out.push_back({option, "FLOAT64", days_text(*found)});
  if (!dataset.description.empty()) out.push_back({"description", "STRING", text_literal(dataset.description)});
  if (!dataset.friendly_name.empty()) out.push_back({"friendly_name", "STRING", text_literal(dataset.friendly_name)});
  if (!dataset.labels.empty()) out.push_back({"labels", "ARRAY<STRUCT<STRING, STRING>>", labels_text(dataset.labels)});
  return out;
}

std::string create_text(const TableInfo& table) {
  const Json properties = properties_of(table.properties);
  const Json* fields = nested_fields(object_of(properties, "schema"));
  std::string out = "CREATE TABLE `" + table.path.text() + "`\n(";
  for (std::size_t i = 0; i < table.schema.fields.size(); ++i) {
    const data::Field& field = table.schema.fields[i];
    const Json* kept = kept_field(fields, field.name);
    FieldDetails details = details_of(kept);
    details.description = field.description;
    details.required = field.required;
    out += (i > 0 ? ",\n  " : "\n  ") + field_text(field.name, field.type, details, kept);
  }
  if (!table.schema.key.empty()) {
    out += ",\n  PRIMARY KEY (";
    for (const std::uint32_t index : table.schema.key)
      out += (index == table.schema.key.front() ? "" : ", ") + identifier(table.schema.fields[index].name);
    out += ") NOT ENFORCED";
  }
  out += "\n)";
  if (partitioning_of(table).kind != Partitioning::Kind::kNone) out += "\nPARTITION BY " + partition_text(table);
  std::string clustered;
  for (const std::string& name : clustering_of(table)) clustered += (clustered.empty() ? "" : ", ") + identifier(name);
  if (!clustered.empty()) out += "\nCLUSTER BY " + clustered;
  return out + options_text(shown_options(table)) + ";";
}

std::string create_text(const DatasetInfo& dataset) {
  std::vector<ShownOption> options = shown_options(dataset);
  std::string location = dataset.location;
  for (char& c : location) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  options.push_back({"location", "STRING", text_literal(location)});
  return "CREATE SCHEMA `" + dataset.path.project + "." + dataset.path.dataset + "`" + options_text(options) + ";";
}

}  // namespace flytt::warehouse::internal
