// JSON functions, and TO_JSON / TO_JSON_STRING as text put together by type.

#include "googlesql/functions/internal/json_value.h"
#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql::internal {
namespace {

using data::Type;
using data::TypeKind;

constexpr Rule kRules[] = {
    {"json_query", "ss", "gs_json_query_text$s($1, $2)"},
    {"json_query", "js", "gs_json_query$s($1, $2)"},
    {"json_query", "s", "gs_json_query_text$s($1, '$')"},
    {"json_query", "j", "gs_json_query$s($1, '$')"},
    {"json_value", "s", "gs_json_value_text($1, '$')"},
    {"json_value", "ss", "gs_json_value_text$s($1, $2)"},
    {"json_value", "j", "gs_json_value($1, '$')"},
    {"json_value", "js", "gs_json_value$s($1, $2)"},
    {"json_extract", "s", "gs_json_extract_text($1, '$')"},
    {"json_extract", "ss", "gs_json_extract_text$s($1, $2)"},
    {"json_extract", "j", "gs_json_extract($1, '$')"},
    {"json_extract", "js", "gs_json_extract$s($1, $2)"},
    {"json_extract_scalar", "s", "gs_json_extract_scalar_text($1, '$')"},
    {"json_extract_scalar", "ss", "gs_json_extract_scalar_text$s($1, $2)"},
    {"json_extract_scalar", "j", "gs_json_extract_scalar($1, '$')"},
    {"json_extract_scalar", "js", "gs_json_extract_scalar$s($1, $2)"},
    {"json_query_array", "s", "gs_json_query_array_text($1, '$')"},
    {"json_query_array", "ss", "gs_json_query_array_text$s($1, $2)"},
    {"json_query_array", "j", "gs_json_query_array($1, '$')"},
    {"json_query_array", "js", "gs_json_query_array$s($1, $2)"},
    {"json_value_array", "s", "gs_json_value_array_text($1, '$')"},
    {"json_value_array", "ss", "gs_json_value_array_text$s($1, $2)"},
    {"json_value_array", "j", "gs_json_value_array($1, '$')"},
    {"json_value_array", "js", "gs_json_value_array$s($1, $2)"},
    {"json_extract_array", "s", "gs_json_extract_array_text($1, '$')"},
    {"json_extract_array", "ss", "gs_json_extract_array_text$s($1, $2)"},
    {"json_extract_array", "j", "gs_json_extract_array($1, '$')"},
    {"json_extract_array", "js", "gs_json_extract_array$s($1, $2)"},
    {"json_extract_string_array", "s", "gs_json_extract_string_array_text($1, '$')"},
    {"json_extract_string_array", "ss", "gs_json_extract_string_array_text$s($1, $2)"},
    {"json_extract_string_array", "j", "gs_json_extract_string_array($1, '$')"},
    {"json_extract_string_array", "js", "gs_json_extract_string_array$s($1, $2)"},
    {"$subscript", "ji", "gs_json_element($1, $2)"},
    {"$subscript", "js", "gs_json_member($1, $2)"},
    {"parse_json", "s", "gs_parse_json$s($1, 'exact')"},
    {"parse_json", "ss", "gs_parse_json$s($1, $2)"},
    {"json_type", "j", "gs_json_type($1)"},
    {"int64", "j", "gs_json_to_int$s($1)"},
    {"float64", "j", "gs_json_to_float$s($1, 'round')"},
    {"float64", "js", "gs_json_to_float$s($1, $2)"},
    {"bool", "j", "gs_json_to_bool$s($1)"},
    {"string", "j", "gs_json_to_text$s($1)"},
    {"lax_int64", "j", "gs_json_lax_int($1)"},
    {"lax_float64", "j", "gs_json_lax_float($1)"},
    {"lax_bool", "j", "gs_json_lax_bool($1)"},
    {"lax_string", "j", "gs_json_lax_text($1)"},
    {"json_keys", "j", "gs_json_keys$s($1, NULL::BIGINT, 'strict')"},
    {"json_keys", "ji", "gs_json_keys$s($1, $2, 'strict')"},
    {"json_keys", "jis", "gs_json_keys$s($1, $2, $3)"},
    {"json_strip_nulls", "j", "gs_json_strip_nulls$s($1, '$', true, false)"},
    {"json_strip_nulls", "js", "gs_json_strip_nulls$s($1, $2, true, false)"},
    {"json_strip_nulls", "jsb", "gs_json_strip_nulls$s($1, $2, $3, false)"},
    {"json_strip_nulls", "jsbb", "gs_json_strip_nulls$s($1, $2, $3, $4)"},
};

Result<std::string> text(std::string sql) { return sql; }

enum class Mode { kText, kJson, kJsonWide };  // TO_JSON_STRING, TO_JSON, TO_JSON with stringify_wide_numbers

std::string scalar_function(const Type& type, Mode mode) {
  switch (type.kind) {
    case TypeKind::kInt64: return mode == Mode::kJson ? "gs_json_of_plain_int" : "gs_json_of_int";
    case TypeKind::kFloat64: return mode == Mode::kText ? "gs_json_of_float" : "gs_json_of_plain_float";
    case TypeKind::kBool: return "gs_json_of_bool";
    case TypeKind::kString: return "gs_json_of_string";
    case TypeKind::kDate: return "gs_json_of_date";
    case TypeKind::kTime: return "gs_json_of_time";
    case TypeKind::kDatetime: return "gs_json_of_datetime";
    case TypeKind::kTimestamp: return "gs_json_of_timestamp";
    case TypeKind::kJson: return "gs_json_of_json";
    case TypeKind::kInterval: return "gs_json_of_interval";
    default: return "";
  }
}

std::string name_text(const std::string& name) {
  std::string out;
  write_json_text(out, name, true);
  return out;
}

// The JSON text of a value; never NULL. nullopt: a type that JSON text cannot carry exactly here.
std::optional<std::string> json_text_of(const Type& type, const std::string& sql, Mode mode, int depth) {
  const std::string name = "gs_j" + std::to_string(depth);
  switch (type.kind) {
    case TypeKind::kBytes: return "gs_json_of_string(gs_to_base64(" + sql + "))";
    case TypeKind::kNumeric:
    case TypeKind::kBigNumeric: {
      const char* function = mode == Mode::kText   ? "gs_json_of_decimal"
                             : mode == Mode::kJson ? "gs_json_of_plain_decimal"
                                                   : "gs_json_of_wide_decimal";
      return std::string(function) +
             (type.is(TypeKind::kNumeric) ? "(gs_numeric_to_text(" : "(gs_bignumeric_to_text(") + sql + "))";
    }
    case TypeKind::kArray: {
      const auto element = json_text_of(type.element[0], name, mode, depth + 1);
      if (!element) return std::nullopt;
      return "coalesce(gs_json_array(list_transform(" + sql + ", lambda " + name + ": " + *element + ")), 'null')";
    }
    case TypeKind::kStruct: {
      std::string parts = "'{'";
      for (std::size_t i = 0; i < type.fields.size(); ++i) {
        const auto field = json_text_of(type.fields[i].type, "(" + name + ").f" + std::to_string(i), mode, depth + 1);
        if (!field) return std::nullopt;
        parts += " || " + quote_text((i > 0 ? "," : "") + name_text(type.fields[i].name) + ":") + " || " + *field;
      }
      return "list_transform([" + sql + "], lambda " + name + ": CASE WHEN " + name + " IS NULL THEN 'null' ELSE " +
             parts + " || '}' END)[1]";
    }
    case TypeKind::kRange: {
      const auto start = json_text_of(type.element[0], "(" + name + ").f0", mode, depth + 1);
      const auto end = json_text_of(type.element[0], "(" + name + ").f1", mode, depth + 1);
      if (!start || !end) return std::nullopt;
      return "list_transform([" + sql + "], lambda " + name + ": CASE WHEN " + name +
             " IS NULL THEN 'null' ELSE '{\"start\":' || " + *start + " || ',\"end\":' || " + *end + " || '}' END)[1]";
    }
    default: {
      const std::string function = scalar_function(type, mode);
      if (function.empty()) return std::nullopt;
      return function + "(" + sql + ")";
    }
  }
}

ShapeResult to_json_string(const FunctionCall& call) {
  const auto compact = json_text_of(call.arguments[0].type, call.arguments[0].sql, Mode::kText, 0);
  if (!compact) return Result<std::string>(unsupported_call(call));
  if (call.arguments.size() == 1) return text(*compact);
  return text(with_bound({*compact, call.arguments[1].sql}, [](const auto& v) {
    return "(CASE WHEN (" + v[1] + ") IS NULL THEN NULL WHEN (" + v[1] + ") THEN gs_json_pretty(" + v[0] + ") ELSE " +
           v[0] + " END)";
  }));
}

std::optional<std::string> json_of(const CallArgument& argument, Mode mode = Mode::kJson) {
  return json_text_of(argument.type, argument.sql, mode, 0);
}

ShapeResult to_json(const FunctionCall& call) {
  Mode mode = Mode::kJson;
  if (call.arguments.size() > 1) {
    const std::string& flag = call.arguments[1].sql;
    if (flag != "true" && flag != "false" && flag != "TRUE" && flag != "FALSE") {
      return Result<std::string>(unsupported_call(call, "with an option that is not a literal"));
    }
    if (flag == "true" || flag == "TRUE") mode = Mode::kJsonWide;
  }
  const auto value = json_of(call.arguments[0], mode);
  if (!value) return Result<std::string>(unsupported_call(call));
  return text("gs_json_normalize(" + *value + ")");
}

ShapeResult json_array(const FunctionCall& call) {
  std::string list;
  for (const CallArgument& argument : call.arguments) {
    const auto value = json_of(argument);
    if (!value) return Result<std::string>(unsupported_call(call));
    list += (list.empty() ? "" : ", ") + *value;
  }
  return text("gs_json_normalize(gs_json_array(CAST([" + list + "] AS VARCHAR[])))");
}

ShapeResult json_object(const FunctionCall& call) {
  const std::string function = "gs_json_object" + safe_suffix(call) + "(";
  if (call.arguments.size() == 2 && call.arguments[0].type.is(TypeKind::kArray)) {
    const auto value = json_text_of(call.arguments[1].type.element[0], "gs_j0", Mode::kJson, 1);
    if (!value) return Result<std::string>(unsupported_call(call));
    return text(function + call.arguments[0].sql + ", list_transform(" + call.arguments[1].sql +
                ", lambda gs_j0: " + *value + "))");
  }
  std::string names, values;
  for (std::size_t i = 0; i + 1 < call.arguments.size(); i += 2) {
    const auto value = json_of(call.arguments[i + 1]);
    if (!value) return Result<std::string>(unsupported_call(call));
    names += (i > 0 ? ", " : "") + call.arguments[i].sql;
    values += (i > 0 ? ", " : "") + *value;
  }
  return text(function + "CAST([" + names + "] AS VARCHAR[]), CAST([" + values + "] AS VARCHAR[]))");
}

ShapeResult json_remove(const FunctionCall& call) {
  std::string sql = call.arguments[0].sql;
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    sql = "gs_json_remove" + safe_suffix(call) + "(" + sql + ", " + call.arguments[i].sql + ")";
  }
  return text(sql);
}

// JSON_SET, JSON_ARRAY_APPEND, JSON_ARRAY_INSERT: pairs of path and value, then an optional flag.
ShapeResult edit(const FunctionCall& call, const char* function, bool array_is_list) {
  std::string sql = call.arguments[0].sql;
  const bool has_flag = call.arguments.size() % 2 == 0;
  const std::size_t pairs_end = call.arguments.size() - (has_flag ? 1 : 0);
  const std::string flag = has_flag ? call.arguments.back().sql : "true";
  for (std::size_t i = 1; i + 1 < pairs_end; i += 2) {
    const CallArgument& value = call.arguments[i + 1];
    const auto json = json_of(value);
    if (!json) return Result<std::string>(unsupported_call(call));
    // Only an SQL array is added element by element; a JSON array is one value.
    const std::string how = array_is_list && !value.type.is(TypeKind::kArray) ? "false" : flag;
    sql = std::string(function) + safe_suffix(call) + "(" + sql + ", " + call.arguments[i].sql +
          ", gs_json_normalize(" + *json + "), " + how + ")";
  }
  return text(sql);
}
ShapeResult json_set(const FunctionCall& call) { return edit(call, "gs_json_set", false); }
ShapeResult json_append(const FunctionCall& call) { return edit(call, "gs_json_array_append", true); }
ShapeResult json_insert(const FunctionCall& call) { return edit(call, "gs_json_array_insert", true); }

}  // namespace

void add_json_rules(std::vector<Rule>& rules) { rules.insert(rules.end(), std::begin(kRules), std::end(kRules)); }

void add_json_shapes(std::vector<Shape>& shapes) {
  const Shape all[] = {
      {"to_json_string", &to_json_string}, {"to_json", &to_json},
      {"json_array", &json_array},         {"json_object", &json_object},
      {"json_remove", &json_remove},       {"json_set", &json_set},
      {"json_array_append", &json_append}, {"json_array_insert", &json_insert},
  };
  shapes.insert(shapes.end(), std::begin(all), std::end(all));
}

}  // namespace flytt::googlesql::internal
