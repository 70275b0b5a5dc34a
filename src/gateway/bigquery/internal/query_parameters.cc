#include "gateway/bigquery/internal/query_parameters.h"

#include <cctype>

#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

using googlesql::ParameterValue;

Result<data::Type> parse_type(const Json& type, int depth) {
  if (!type.is_object()) return wrong_type("parameterType", "an object");
  if (depth > kRecordDepthMax) return invalid("A query parameter's type is nested deeper than 15 levels.");
  TRY(const std::string name, required_string(type, "type"));
  std::string kind = name;
  for (char& c : kind) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (kind == "ARRAY") {
    TRY(const Json* of, optional_object(type, "arrayType"));
    if (of == nullptr) return invalid("A query parameter of type ARRAY needs arrayType.");
    TRY(data::Type element, parse_type(*of, depth + 1));
    if (element.is(data::TypeKind::kArray)) return invalid("A query parameter cannot be an array of arrays.");
    return data::Type::array(std::move(element));
  }
  if (kind == "STRUCT" || kind == "RECORD") {
    TRY(const Json* members, optional_array(type, "structTypes"));
    std::vector<data::StructField> fields;
    for (const Json& item : members == nullptr ? Json::array() : *members) {
      TRY(const auto field_name, optional_string(item, "name"));
      TRY(const Json* field_type, optional_object(item, "type"));
      if (field_type == nullptr) return invalid("A field of a STRUCT parameter needs a type.");
      TRY(data::Type parsed, parse_type(*field_type, depth + 1));
      fields.push_back({field_name.value_or(""), std::move(parsed)});
    }
    return data::Type::structure(std::move(fields));
  }
  if (kind == "RANGE") {
    TRY(const Json* of, optional_object(type, "rangeElementType"));
    if (of == nullptr) return invalid("A query parameter of type RANGE needs rangeElementType.");
    TRY(data::Type element, parse_type(*of, depth + 1));
    return data::Type::range(std::move(element));
  }
  const auto parsed = data::parse_type_kind(name);
  if (!parsed) return invalid("Invalid type of a query parameter: " + name.substr(0, 100));
  return data::Type(*parsed);
}

Result<std::string> scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number()) return dump(value);
  return wrong_type("parameterValue.value", "a string");
}

Result<ParameterValue> parse_value(const data::Type& type, const Json* value, int depth);

Result<ParameterValue> parse_array(const data::Type& type, const Json& value, int depth) {
  ParameterValue out;
  TRY(const Json* items, optional_array(value, "arrayValues"));
  for (const Json& item : items == nullptr ? Json::array() : *items) {
    TRY(ParameterValue element, parse_value(type.element.front(), &item, depth + 1));
    out.elements.push_back(std::move(element));
  }
  return out;
}

Result<ParameterValue> parse_struct(const data::Type& type, const Json& value, int depth) {
  ParameterValue out;
  TRY(const Json* items, optional_object(value, "structValues"));
  for (const data::StructField& field : type.fields) {
    const Json* item = items == nullptr ? nullptr : member(*items, field.name.c_str());
    TRY(ParameterValue element, parse_value(field.type, item, depth + 1));
    out.elements.push_back(std::move(element));
  }
  return out;
}

Result<ParameterValue> parse_range(const data::Type& type, const Json& value, int depth) {
  ParameterValue out;
  TRY(const Json* bounds, optional_object(value, "rangeValue"));
  for (const char* name : {"start", "end"}) {
    const Json* bound = bounds == nullptr ? nullptr : member(*bounds, name);
    TRY(ParameterValue element, parse_value(type.element.front(), bound, depth + 1));
    out.elements.push_back(std::move(element));
  }
  return out;
}

// `value` is a QueryParameterValue; null or without content = NULL.
Result<ParameterValue> parse_value(const data::Type& type, const Json* value, int depth) {
  ParameterValue null;
  null.is_null = true;
  if (value == nullptr || value->is_null()) return null;
  if (!value->is_object()) return wrong_type("parameterValue", "an object");
  if (depth > kRecordDepthMax) return invalid("A query parameter is nested deeper than 15 levels.");
  switch (type.kind) {
    case data::TypeKind::kArray: return parse_array(type, *value, depth);
    case data::TypeKind::kStruct:
      if (member(*value, "structValues") == nullptr) return null;
      return parse_struct(type, *value, depth);
    case data::TypeKind::kRange:
      if (member(*value, "rangeValue") == nullptr) return null;
      return parse_range(type, *value, depth);
    default: break;
  }
  const Json* scalar = member(*value, "value");
  if (scalar == nullptr) return null;
  ParameterValue out;
  TRY(out.text, scalar_text(*scalar));
  return out;
}

Result<bool> is_named_mode(const Json& request, bool& is_given) {
  TRY(auto mode, optional_string(request, "parameterMode"));
  is_given = mode && !mode->empty();
  if (!is_given) return false;
  for (char& c : *mode) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (*mode != "NAMED" && *mode != "POSITIONAL") return invalid("parameterMode must be NAMED or POSITIONAL.");
  return *mode == "NAMED";
}

}  // namespace

Result<std::vector<googlesql::QueryParameter>> parse_query_parameters(const Json& request) {
  std::vector<googlesql::QueryParameter> out;
  bool is_mode_given = false;
  TRY(const bool is_named, is_named_mode(request, is_mode_given));
  TRY(const Json* parameters, optional_array(request, "queryParameters"));
  if (parameters == nullptr) return out;
  if (parameters->size() > kQueryParametersMax)
    return invalid("Too many query parameters: at most 10,000 are allowed.");
  for (const Json& item : *parameters) {
    if (!item.is_object()) return wrong_type("queryParameters", "a list of objects");
    googlesql::QueryParameter parameter;
    TRY(const auto name, optional_string(item, "name"));
    parameter.name = name.value_or("");
    if (is_mode_given && parameter.name.empty() == is_named)
      return invalid(is_named ? "A query parameter has no name, but parameterMode is NAMED."
                              : "A query parameter has a name, but parameterMode is POSITIONAL.");
    if (!out.empty() && out.front().name.empty() != parameter.name.empty())
      return invalid("Query parameters must be all named or all positional.");
    TRY(const Json* type, optional_object(item, "parameterType"));
    if (type == nullptr) return invalid("A query parameter has no parameterType.");
    TRY(parameter.type, parse_type(*type, 1));
    TRY(const Json* value, optional_object(item, "parameterValue"));
    TRY(parameter.value, parse_value(parameter.type, value, 1));
    out.push_back(std::move(parameter));
  }
  return out;
}

}  // namespace flytt::gateway::internal
