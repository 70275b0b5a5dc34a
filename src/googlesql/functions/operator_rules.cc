// Operators, conditions, CASE, comparisons.

#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql::internal {

using data::TypeKind;

void add_operator_rules(std::vector<Rule>& rules) {
  static constexpr Rule kRules[] = {
      {"$not", "b", "(NOT ($1))"},
      {"$is_null", "_", "(($1) IS NULL)"},
      {"$is_true", "b", "(($1) IS TRUE)"},
      {"$is_false", "b", "(($1) IS FALSE)"},
      {"if", "b__", "(CASE WHEN $1 THEN $2 ELSE $3 END)"},
      {"ifnull", "__", "coalesce($1, $2)"},
      {"coalesce", "_+", "coalesce($*)"},
      {"nullif", "dd", "gs_nullif_float($1, $2)"},
      {"$between", "ddd", "gs_between_float($1, $2, $3)"},
      {"zeroifnull", "i", "coalesce($1, 0::BIGINT)"},
      {"zeroifnull", "d", "coalesce($1, 0::DOUBLE)"},
      {"zeroifnull", "n", "coalesce($1, 0::DECIMAL(38,9))"},
      {"zeroifnull", "N", "coalesce($1, gs_int_to_bignumeric(0::BIGINT))"},
      {"nullifzero", "i", "nullif($1, 0::BIGINT)"},
      {"nullifzero", "d", "gs_nullif_float($1, 0::DOUBLE)"},
      {"nullifzero", "n", "nullif($1, 0::DECIMAL(38,9))"},
      {"nullifzero", "N", "nullif($1, gs_int_to_bignumeric(0::BIGINT))"},
      {"generate_uuid", "", "CAST(uuid() AS VARCHAR)"},
      {"rand", "", "random()"},
      {"$is_distinct_from", "__", "(($1) IS DISTINCT FROM ($2))"},
      {"$is_not_distinct_from", "__", "(($1) IS NOT DISTINCT FROM ($2))"},
  };
  rules.insert(rules.end(), std::begin(kRules), std::end(kRules));
}

namespace {

std::string joined(const FunctionCall& call, std::string_view word) {
  std::string text = "(";
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    if (i > 0) text += " " + std::string(word) + " ";
    text += "(" + call.arguments[i].sql + ")";
  }
  return text + ")";
}
ShapeResult all_of(const FunctionCall& call) { return Result<std::string>(joined(call, "AND")); }
ShapeResult any_of(const FunctionCall& call) { return Result<std::string>(joined(call, "OR")); }

bool has_native_order(const data::Type& type) {
  switch (type.kind) {
    case TypeKind::kInt64:
    case TypeKind::kBool:
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp:
    case TypeKind::kNumeric:
    case TypeKind::kBigNumeric:
    case TypeKind::kInterval: return true;
    default: return false;
  }
}

ShapeResult compare(const FunctionCall& call, std::string_view sign, std::string_view float_function, bool swap) {
  const CallArgument &a = call.arguments[0], &b = call.arguments[1];
  if (a.type.is(TypeKind::kFloat64)) {
    const auto& first = swap ? b.sql : a.sql;
    const auto& second = swap ? a.sql : b.sql;
    return Result<std::string>(std::string(float_function) + "(" + first + ", " + second + ")");
  }
  if (!has_native_order(a.type)) return Result<std::string>(unsupported_call(call));
  return Result<std::string>("((" + a.sql + ") " + std::string(sign) + " (" + b.sql + "))");
}
ShapeResult less(const FunctionCall& call) { return compare(call, "<", "gs_less_float", false); }
ShapeResult less_or_equal(const FunctionCall& call) { return compare(call, "<=", "gs_less_or_equal_float", false); }
ShapeResult greater(const FunctionCall& call) { return compare(call, ">", "gs_less_float", true); }
ShapeResult greater_or_equal(const FunctionCall& call) { return compare(call, ">=", "gs_less_or_equal_float", true); }

ShapeResult equal_or_not(const FunctionCall& call, bool is_equal) {
  const data::Type& type = call.arguments[0].type;
  const std::string &a = call.arguments[0].sql, &b = call.arguments[1].sql;
  if (type.is(TypeKind::kStruct)) {
    if (!equality(type, "a", "b")) return Result<std::string>(unsupported_call(call));
    const std::string text = with_bound({a, b}, [&](const auto& v) { return *equality(type, v[0], v[1]); });
    return Result<std::string>(is_equal ? text : "(NOT " + text + ")");
  }
  if (type.is(TypeKind::kRange)) return Result<std::string>("((" + a + (is_equal ? ") = (" : ") <> (") + b + "))");
  return compare(call, is_equal ? "=" : "<>", is_equal ? "gs_equal_float" : "gs_not_equal_float", false);
}
ShapeResult equal(const FunctionCall& call) { return equal_or_not(call, true); }
ShapeResult not_equal(const FunctionCall& call) { return equal_or_not(call, false); }

ShapeResult between(const FunctionCall& call) {
  if (!has_native_order(call.arguments[0].type)) return std::nullopt;
  return Result<std::string>(expand("(($1) BETWEEN ($2) AND ($3))", call));
}

ShapeResult null_if(const FunctionCall& call) {
  if (!has_native_order(call.arguments[0].type)) return std::nullopt;
  return Result<std::string>(expand("nullif($1, $2)", call));
}

ShapeResult is_in(const FunctionCall& call) {
  const data::Type& type = call.arguments[0].type;
  std::string list;
  std::vector<std::string> texts;
  for (const CallArgument& argument : call.arguments) {
    texts.push_back(argument.sql);
    if (texts.size() > 1) list += (texts.size() > 2 ? ", " : "") + argument.sql;
  }
  if (type.is(TypeKind::kFloat64))
    return Result<std::string>("gs_in_float(" + texts[0] + ", CAST([" + list + "] AS DOUBLE[]))");
  if (has_native_order(type) || type.is(TypeKind::kRange))
    return Result<std::string>("((" + texts[0] + ") IN (" + list + "))");
  if (!type.is(TypeKind::kStruct) || !equality(type, "a", "b")) return Result<std::string>(unsupported_call(call));
  return Result<std::string>(with_bound(texts, [&](const auto& v) {
    std::string text = "(";
    for (std::size_t i = 1; i < v.size(); ++i) text += (i > 1 ? " OR " : "") + *equality(type, v[0], v[i]);
    return text + ")";
  }));
}

// x IN UNNEST(list): false for a NULL or empty list, NULL when x or an unequal list holds a NULL.
ShapeResult is_in_array(const FunctionCall& call) {
  const data::Type& type = call.arguments[0].type;
  if (type.is(TypeKind::kFloat64)) return Result<std::string>(expand("gs_in_float($1, $2)", call));
  if (!has_native_order(type) && !type.is(TypeKind::kRange)) return Result<std::string>(unsupported_call(call));
  return Result<std::string>(with_bound({call.arguments[0].sql, call.arguments[1].sql}, [](const auto& v) {
    return "(CASE WHEN coalesce(len(" + v[1] + "), 0) = 0 THEN false WHEN (" + v[0] +
           ") IS NULL THEN NULL WHEN list_contains(" + v[1] + ", " + v[0] + ") THEN true WHEN list_count(" + v[1] +
           ") < len(" + v[1] + ") THEN NULL ELSE false END)";
  }));
}

ShapeResult case_of_conditions(const FunctionCall& call) {
  std::string text = "(CASE";
  std::size_t i = 0;
  for (; i + 1 < call.arguments.size(); i += 2) {
    text += " WHEN " + call.arguments[i].sql + " THEN " + call.arguments[i + 1].sql;
  }
  if (i < call.arguments.size()) text += " ELSE " + call.arguments[i].sql;
  return Result<std::string>(text + " END)");
}

ShapeResult case_of_value(const FunctionCall& call) {
  const data::Type& type = call.arguments[0].type;
  if (!has_native_order(type) && !type.is(TypeKind::kFloat64)) return Result<std::string>(unsupported_call(call));
  // NaN equals nothing, and neither does NULL.
  const std::string& value = call.arguments[0].sql;
  std::string text = "(CASE " + (type.is(TypeKind::kFloat64) ? "gs_nan_as_null(" + value + ")" : "(" + value + ")");
  std::size_t i = 1;
  for (; i + 1 < call.arguments.size(); i += 2) {
    text += " WHEN " + call.arguments[i].sql + " THEN " + call.arguments[i + 1].sql;
  }
  if (i < call.arguments.size()) text += " ELSE " + call.arguments[i].sql;
  return Result<std::string>(text + " END)");
}

ShapeResult extreme(const FunctionCall& call, const char* float_function, const char* list_function) {
  const data::Type& type = call.arguments[0].type;
  if (type.is(TypeKind::kFloat64)) {
    std::string text = call.arguments[0].sql;
    for (std::size_t i = 1; i < call.arguments.size(); ++i) {
      text = std::string(float_function) + "(" + text + ", " + call.arguments[i].sql + ")";
    }
    return Result<std::string>(text);
  }
  if (!has_native_order(type)) return Result<std::string>(unsupported_call(call));
  const std::string list = "CAST([" + expand("$*", call) + "] AS " + physical_type(type) + "[])";
  return Result<std::string>(with_bound({list}, [&](const auto& v) {
    return "(CASE WHEN list_count(" + v[0] + ") < len(" + v[0] + ") THEN NULL ELSE " + list_function + "(" + v[0] +
           ") END)";
  }));
}
ShapeResult greatest(const FunctionCall& call) { return extreme(call, "gs_greatest_float", "list_max"); }
ShapeResult least(const FunctionCall& call) { return extreme(call, "gs_least_float", "list_min"); }

ShapeResult raise(const FunctionCall& call) {
  return Result<std::string>("(CASE WHEN gs_raise" + safe_suffix(call) + "(" + call.arguments[0].sql +
                             ") THEN NULL::" + physical_type(call.result) + " END)");
}

// LIKE: DuckDB's own for a literal pattern without backslash (it becomes a prefix or substring search), else ours.
std::string like_text(const FunctionCall& call, const CallArgument& pattern) {
  const CallArgument& value = call.arguments[0];
  if (value.type.is(TypeKind::kBytes))
    return "gs_like_bytes" + safe_suffix(call) + "(" + value.sql + ", " + pattern.sql + ")";
  if (pattern.literal && pattern.literal->find('\\') == std::string::npos)
    return "((" + value.sql + ") LIKE " + pattern.sql + ")";
  return "gs_like" + safe_suffix(call) + "(" + value.sql + ", " + pattern.sql + ")";
}
ShapeResult like(const FunctionCall& call) { return Result<std::string>(like_text(call, call.arguments[1])); }
ShapeResult like_many(const FunctionCall& call, const char* word, bool negated) {
  if (!is_simple(call.arguments[0].sql)) {
    std::vector<std::string> texts;
    for (const CallArgument& argument : call.arguments) texts.push_back(argument.sql);
    return Result<std::string>(with_bound(texts, [&](const auto& v) {
      FunctionCall inner = call;
      for (std::size_t i = 0; i < v.size(); ++i) inner.arguments[i].sql = v[i];
      return like_many(inner, word, negated)->value();
    }));
  }
  std::string text = "(";
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    text += (i > 1 ? std::string(" ") + word + " " : "") + (negated ? "NOT " : "") + like_text(call, call.arguments[i]);
  }
  return Result<std::string>(text + ")");
}
ShapeResult like_any(const FunctionCall& call) { return like_many(call, "OR", false); }
ShapeResult like_all(const FunctionCall& call) { return like_many(call, "AND", false); }
ShapeResult not_like_any(const FunctionCall& call) { return like_many(call, "OR", true); }
ShapeResult not_like_all(const FunctionCall& call) { return like_many(call, "AND", true); }

ShapeResult concat(const FunctionCall& call) {
  if (call.result.is(TypeKind::kBytes)) {
    std::string text = call.arguments[0].sql;
    for (std::size_t i = 1; i < call.arguments.size(); ++i)
      text = "gs_concat_bytes(" + text + ", " + call.arguments[i].sql + ")";
    return Result<std::string>(text);
  }
  return Result<std::string>(joined(call, "||"));
}

}  // namespace

void add_operator_shapes(std::vector<Shape>& shapes) {
  const Shape all[] = {
      {"$and", &all_of},
      {"$or", &any_of},
      {"$equal", &equal},
      {"$not_equal", &not_equal},
      {"$less", &less},
      {"$less_or_equal", &less_or_equal},
      {"$greater", &greater},
      {"$greater_or_equal", &greater_or_equal},
      {"$between", &between},
      {"nullif", &null_if},
      {"$in", &is_in},
      {"$in_array", &is_in_array},
      {"$case_no_value", &case_of_conditions},
      {"$case_with_value", &case_of_value},
      {"greatest", &greatest},
      {"least", &least},
      {"error", &raise},
      {"$like", &like},
      {"$like_any", &like_any},
      {"$like_all", &like_all},
      {"$not_like_any", &not_like_any},
      {"$not_like_all", &not_like_all},
      {"concat", &concat},
      {"$concat_op", &concat},
      {"array_concat", &concat},
  };
  shapes.insert(shapes.end(), std::begin(all), std::end(all));
}

}  // namespace flytt::googlesql::internal
