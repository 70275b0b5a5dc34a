#include "gateway/bigquery/internal/schema_json.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "data/utf8.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

// BigQuery, "Specifying a schema": column names, flexible ones included.
Status check_name(const std::string& name) {
  constexpr std::string_view kIllegal = "!\"$()*,./;?@[\\]^`{}~";
  static constexpr std::string_view kReserved[] = {"_TABLE_",
                                                   "_FILE_",
                                                   "_PARTITION",
                                                   "_ROW_TIMESTAMP",
                                                   "__ROOT__",
                                                   "_COLIDENTIFIER",
                                                   "_CHANGE_SEQUENCE_NUMBER",
                                                   "_CHANGE_TYPE",
                                                   "_CHANGE_TIMESTAMP"};
  const bool is_plain = std::none_of(name.begin(), name.end(), [&](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || kIllegal.find(c) != kIllegal.npos;
  });
  if (name.empty() || name.size() > 4 * kFieldNameCharsMax || !is_plain)
    return invalid("Invalid field name \"" + name.substr(0, kFieldNameCharsMax) +
                   "\". Fields must contain the allowed characters, and be at most 300 characters long.");
  const std::string shouted = upper(name);
  for (const std::string_view prefix : kReserved)
    if (shouted.compare(0, prefix.size(), prefix) == 0)
      return invalid("Invalid field name \"" + name +
                     "\". Field names are not allowed to start with the (case-insensitive) prefix " +
                     std::string(prefix) + ".");
  return ok();
}

Result<std::vector<data::StructField>> parse_record(const Json& field, int depth) {
  TRY(const Json* fields, optional_array(field, "fields"));
  if (fields == nullptr || fields->empty())
    return invalid("Field " + field.value("name", std::string()) + " is type RECORD but has no schema");
  if (depth >= kRecordDepthMax) return invalid("Too many nested RECORD fields: at most 15 levels are allowed.");
  std::vector<data::StructField> out;
  std::set<std::string> names;
  for (const Json& child : *fields) {
    if (!child.is_object()) return wrong_type("fields", "a list of objects");
    TRY(std::string name, required_string(child, "name"));
    TRY_STATUS(check_name(name));
    if (!names.insert(lower(name)).second) return invalid("Duplicate field name: " + name);
    TRY(data::Type type, parse_field_type(child, depth + 1));
    out.push_back({std::move(name), std::move(type)});
  }
  return out;
}

Result<data::Type> parse_plain_type(const Json& field, const std::string& name, int depth) {
  const std::string kind = upper(name);
  if (kind == "RECORD" || kind == "STRUCT") {
    TRY(auto fields, parse_record(field, depth));
    return data::Type::structure(std::move(fields));
  }
  if (kind == "RANGE") {
    TRY(const Json* element, optional_object(field, "rangeElementType"));
    if (element == nullptr) return invalid("The type RANGE needs rangeElementType.");
    TRY(const std::string of, required_string(*element, "type"));
    const auto parsed = data::parse_type_kind(of);
    const bool is_legal = parsed && (*parsed == data::TypeKind::kDate || *parsed == data::TypeKind::kDatetime ||
                                     *parsed == data::TypeKind::kTimestamp);
    if (!is_legal) return invalid("The element type of RANGE must be DATE, DATETIME or TIMESTAMP.");
    return data::Type::range(*parsed);
  }
  const auto parsed = data::parse_type_kind(name);
  if (!parsed) return invalid("Invalid value for type: " + name.substr(0, 100) + " is not a valid value");
  data::Type type(*parsed);
  TRY(const auto precision, optional_int64(field, "precision"));
  TRY(const auto scale, optional_int64(field, "scale"));
  TRY(const auto max_length, optional_int64(field, "maxLength"));
  const bool is_decimal = type.is(data::TypeKind::kNumeric) || type.is(data::TypeKind::kBigNumeric);
  if ((precision || scale) && !is_decimal)
    return invalid("precision and scale are only allowed for NUMERIC and BIGNUMERIC.");
  if (scale && !precision) return invalid("scale is not allowed without precision.");
  if (precision.value_or(1) < 1 || precision.value_or(1) > 76 || scale.value_or(0) < 0 || scale.value_or(0) > 38)
    return invalid("precision or scale is out of range.");
  if (max_length && !type.is(data::TypeKind::kString) && !type.is(data::TypeKind::kBytes))
    return invalid("maxLength is only allowed for STRING and BYTES.");
  if (max_length.value_or(1) < 1) return invalid("maxLength must be positive.");
  type.precision = static_cast<std::int32_t>(precision.value_or(0));
  type.scale = static_cast<std::int32_t>(scale.value_or(0));
  type.max_length = max_length.value_or(0);
  return type;
}

Result<std::string> parse_mode(const Json& field) {
  TRY(const auto mode, optional_string(field, "mode"));
  const std::string shouted = upper(mode.value_or("NULLABLE"));
  if (shouted.empty()) return std::string("NULLABLE");
  if (shouted != "NULLABLE" && shouted != "REQUIRED" && shouted != "REPEATED")
    return invalid("Invalid value for mode: it must be NULLABLE, REQUIRED or REPEATED.");
  return shouted;
}

void show_type(OrderedJson& out, const data::Type& type, const std::string& mode, bool with_parameters) {
  const data::Type& plain = type.is(data::TypeKind::kArray) ? type.element.front() : type;
  out["type"] = std::string(plain.rest_name());
  if (!mode.empty()) out["mode"] = mode;
  if (plain.is(data::TypeKind::kRange))
    out["rangeElementType"] = {{"type", std::string(plain.element.front().rest_name())}};
  if (!with_parameters) return;
  if (plain.precision != 0) out["precision"] = std::to_string(plain.precision);
  if (plain.scale != 0) out["scale"] = std::to_string(plain.scale);
  if (plain.max_length != 0) out["maxLength"] = std::to_string(plain.max_length);
}

const Json* kept_field(const Json* kept, const std::string& name) {
  if (kept == nullptr || !kept->is_array()) return nullptr;
  const std::string wanted = lower(name);
  for (const Json& field : *kept) {
    const Json* its_name = member(field, "name");
    if (its_name != nullptr && its_name->is_string() && lower(its_name->get<std::string>()) == wanted) return &field;
  }
  return nullptr;
}

OrderedJson field_json(const std::string& name, const data::Type& type, bool is_required,
                       const std::string& description, const Json* kept) {
  static constexpr const char* kAsSent[] = {"policyTags", "collation", "roundingMode", "timestampPrecision",
                                            "dataPolicies"};
  const bool is_array = type.is(data::TypeKind::kArray);
  OrderedJson out;
  out["name"] = name;
  const Json* kept_mode = kept == nullptr ? nullptr : member(*kept, "mode");
  std::string mode = is_array ? "REPEATED" : is_required ? "REQUIRED" : "";
  const bool kept_mode_is_text = kept_mode != nullptr && kept_mode->is_string();
  if (mode.empty() && (kept == nullptr || (kept_mode_is_text && upper(kept_mode->get<std::string>()) == "NULLABLE")))
    mode = "NULLABLE";
  show_type(out, type, mode, true);
  const Json* kept_description = kept == nullptr ? nullptr : member(*kept, "description");
  if (!description.empty())
    out["description"] = description;
  else if (kept_description != nullptr && kept_description->is_string())
    out["description"] = kept_description->get<std::string>();
  if (kept != nullptr)
    for (const char* key : kAsSent)
      if (const Json* value = member(*kept, key)) out[key] = *value;
  const data::Type& plain = is_array ? type.element.front() : type;
  if (!plain.is(data::TypeKind::kStruct)) return out;
  const Json* kept_children = kept == nullptr ? nullptr : member(*kept, "fields");
  OrderedJson children = OrderedJson::array();
  for (const data::StructField& child : plain.fields) {
    const Json* kept_child = kept_field(kept_children, child.name);
    const Json* child_mode = kept_child == nullptr ? nullptr : member(*kept_child, "mode");
    const bool child_is_required =
        child_mode != nullptr && child_mode->is_string() && upper(child_mode->get<std::string>()) == "REQUIRED";
    children.push_back(field_json(child.name, child.type, child_is_required, {}, kept_child));
  }
  out["fields"] = std::move(children);
  return out;
}

OrderedJson result_field_json(const std::string& name, const data::Type& type) {
  OrderedJson out;
  out["name"] = name;
  show_type(out, type, type.is(data::TypeKind::kArray) ? "REPEATED" : "NULLABLE", false);
  const data::Type& plain = type.is(data::TypeKind::kArray) ? type.element.front() : type;
  if (!plain.is(data::TypeKind::kStruct)) return out;
  OrderedJson children = OrderedJson::array();
  int unnamed = 0;
  for (const data::StructField& child : plain.fields) {
    ++unnamed;
    children.push_back(
        result_field_json(child.name.empty() ? "_field_" + std::to_string(unnamed) : child.name, child.type));
  }
  out["fields"] = std::move(children);
  return out;
}

}  // namespace

Result<data::Type> parse_field_type(const Json& field, int depth) {
  TRY(const std::string name, required_string(field, "type"));
  if (const Json* value = member(field, "defaultValueExpression"); value != nullptr && *value != "")
    return Error(ErrorCode::kUnsupported,
                 "defaultValueExpression is not in this version: create the column without it.")
        .cause("notImplemented");
  TRY(const std::string mode, parse_mode(field));
  TRY(data::Type type, parse_plain_type(field, name, depth));
  return mode == "REPEATED" ? data::Type::array(std::move(type)) : type;
}

Result<std::vector<data::Field>> parse_fields(const Json& fields) {
  if (!fields.is_array()) return wrong_type("schema.fields", "a list");
  if (fields.size() > kColumnsMax) return invalid("Too many columns: a table has at most 10,000.");
  std::vector<data::Field> out;
  std::set<std::string> names;
  for (const Json& item : fields) {
    if (!item.is_object()) return wrong_type("schema.fields", "a list of objects");
    data::Field field;
    TRY(field.name, required_string(item, "name"));
    TRY_STATUS(check_name(field.name));
    if (!names.insert(lower(field.name)).second) return invalid("Duplicate field name: " + field.name);
    TRY(field.type, parse_field_type(item, 1));
    TRY(const std::string mode, parse_mode(item));
    field.required = mode == "REQUIRED";
    TRY(const auto description, optional_string(item, "description"));
    field.description = description.value_or("");
    out.push_back(std::move(field));
  }
  return out;
}

Result<std::vector<std::uint32_t>> parse_primary_key(const Json& table, const std::vector<data::Field>& fields) {
  std::vector<std::uint32_t> out;
  TRY(const Json* constraints, optional_object(table, "tableConstraints"));
  if (constraints == nullptr) return out;
  TRY(const Json* key, optional_object(*constraints, "primaryKey"));
  if (key == nullptr) return out;
  TRY(const Json* columns, optional_array(*key, "columns"));
  if (columns == nullptr) return out;
  for (const Json& column : *columns) {
    if (!column.is_string()) return wrong_type("tableConstraints.primaryKey.columns", "a list of column names");
    const std::string name = column.get<std::string>();
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const data::Field& field) { return lower(field.name) == lower(name); });
    if (found == fields.end())
      return invalid("The primary key column " + name.substr(0, kFieldNameCharsMax) +
                     " cannot be found in the schema.");
    const auto index = static_cast<std::uint32_t>(found - fields.begin());
    if (std::find(out.begin(), out.end(), index) != out.end())
      return invalid("The primary key names the column " + name + " twice.");
    out.push_back(index);
  }
  return out;
}

OrderedJson fields_json(const std::vector<data::Field>& fields, const Json* kept) {
  OrderedJson out = OrderedJson::array();
  for (const data::Field& field : fields)
    out.push_back(field_json(field.name, field.type, field.required, field.description, kept_field(kept, field.name)));
  return out;
}

OrderedJson result_schema_json(const std::vector<NamedType>& columns) {
  OrderedJson fields = OrderedJson::array();
  for (const NamedType& column : columns) fields.push_back(result_field_json(column.name, column.type));
  return {{"fields", std::move(fields)}};
}

}  // namespace flytt::gateway::internal
