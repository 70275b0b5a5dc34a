// Arrays, and RANGE values (a STRUCT of two ends, NULL = unbounded).

#include <cctype>

#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql::internal {
namespace {

using data::TypeKind;

Result<std::string> text(std::string sql) { return sql; }

ShapeResult make_array(const FunctionCall& call) {
  return text("CAST([" + expand("$*", call) + "] AS " + physical_type(call.result) + ")");
}

ShapeResult element_at(const FunctionCall& call, int base, bool safe) {
  const std::string suffix = safe || call.safe ? "_safe" : "";
  return text(with_bound({call.arguments[0].sql, call.arguments[1].sql}, [&](const auto& v) {
    return "(" + v[0] + ")[gs_place" + suffix + "(" + v[1] + ", len(" + v[0] + "), " + std::to_string(base) +
           "::BIGINT)]";
  }));
}
ShapeResult at_offset(const FunctionCall& call) { return element_at(call, 0, false); }
ShapeResult at_ordinal(const FunctionCall& call) { return element_at(call, 1, false); }
ShapeResult safe_at_offset(const FunctionCall& call) { return element_at(call, 0, true); }
ShapeResult safe_at_ordinal(const FunctionCall& call) { return element_at(call, 1, true); }

ShapeResult at_end(const FunctionCall& call, const char* function) {
  return text(with_bound({call.arguments[0].sql}, [&](const auto& v) {
    return "(" + v[0] + ")[" + function + safe_suffix(call) + "(len(" + v[0] + "))]";
  }));
}
ShapeResult first(const FunctionCall& call) { return at_end(call, "gs_first_place"); }
ShapeResult last(const FunctionCall& call) { return at_end(call, "gs_last_place"); }

// Offsets from `start` to `end`, both included; negative ones count from the end.
ShapeResult slice(const FunctionCall& call) {
  std::vector<std::string> texts;
  for (const CallArgument& argument : call.arguments) texts.push_back(argument.sql);
  return text(with_bound(texts, [](const auto& v) {
    const std::string length = "len(" + v[0] + ")";
    const auto place = [&](const std::string& offset) {
      return "(CASE WHEN (" + offset + ") < 0 THEN greatest((" + offset + ") + " + length + ", -1) ELSE least(" +
             offset + ", " + length + ") END)";
    };
    return "(CASE WHEN (" + v[0] + ") IS NULL OR (" + v[1] + ") IS NULL OR (" + v[2] +
           ") IS NULL THEN NULL ELSE list_slice(" + v[0] + ", greatest(" + place(v[1]) + ", 0) + 1, greatest(" +
           place(v[2]) + " + 1, 0)) END)";
  }));
}

bool is_plain_column(const data::Type& type) {
  switch (type.kind) {
    case TypeKind::kArray:
    case TypeKind::kStruct:
    case TypeKind::kJson:
    case TypeKind::kGeography:
    case TypeKind::kRange:
    case TypeKind::kFloat64: return false;
    default: return true;
  }
}

ShapeResult with_elements(const FunctionCall& call, const char* sql) {
  if (!call.arguments.back().lambda_names.empty()) return std::nullopt;
  if (!is_plain_column(call.arguments[0].type.element[0])) return Result<std::string>(unsupported_call(call));
  return text(expand(sql, call));
}
ShapeResult includes(const FunctionCall& call) { return with_elements(call, "list_contains($1, $2)"); }
ShapeResult includes_any(const FunctionCall& call) { return with_elements(call, "list_has_any($1, $2)"); }
ShapeResult includes_all(const FunctionCall& call) { return with_elements(call, "list_has_all($1, $2)"); }
ShapeResult greatest_of(const FunctionCall& call) {
  if (call.arguments[0].type.element[0].is(TypeKind::kFloat64)) return text(expand("gs_array_max_float($1)", call));
  return with_elements(call, "list_max($1)");
}
ShapeResult least_of(const FunctionCall& call) {
  if (call.arguments[0].type.element[0].is(TypeKind::kFloat64)) return text(expand("gs_array_min_float($1)", call));
  return with_elements(call, "list_min($1)");
}
ShapeResult sum_of(const FunctionCall& call) {
  const data::Type& element = call.arguments[0].type.element[0];
  if (element.is(TypeKind::kInt64)) return text(expand("gs_array_sum_int$s($1)", call));
  if (element.is(TypeKind::kFloat64)) return text(expand("gs_array_sum_float$s($1)", call));
  return std::nullopt;
}
ShapeResult average_of(const FunctionCall& call) {
  const data::Type& element = call.arguments[0].type.element[0];
  if (element.is(TypeKind::kInt64)) return text(expand("gs_array_avg_float$s(CAST($1 AS DOUBLE[]))", call));
  if (element.is(TypeKind::kFloat64)) return text(expand("gs_array_avg_float$s($1)", call));
  return std::nullopt;
}
ShapeResult is_distinct(const FunctionCall& call) {
  if (!is_plain_column(call.arguments[0].type.element[0])) return std::nullopt;
  return text(with_bound({call.arguments[0].sql}, [](const auto& v) {
    return "(len(list_distinct(" + v[0] + ")) = list_count(" + v[0] + ") AND len(" + v[0] + ") - list_count(" + v[0] +
           ") <= 1)";
  }));
}

// Replaces the whole word `name` outside of quotes.
std::string replace_word(const std::string& sql, const std::string& name, const std::string& with) {
  std::string out;
  char quote = 0;
  for (std::size_t i = 0; i < sql.size();) {
    const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    if (quote != 0) {
      if (sql[i] == quote) quote = 0;
      out.push_back(sql[i++]);
    } else if (sql[i] == '\'' || sql[i] == '"') {
      quote = sql[i];
      out.push_back(sql[i++]);
    } else if (is_word(sql[i])) {
      std::size_t end = i;
      while (end < sql.size() && is_word(sql[end])) ++end;
      const std::string word = sql.substr(i, end - i);
      out += word == name ? with : word;
      i = end;
    } else {
      out.push_back(sql[i++]);
    }
  }
  return out;
}
ShapeResult with_lambda(const FunctionCall& call, const char* function) {
  if (call.arguments.size() != 2 || call.arguments[1].lambda_names.empty()) return std::nullopt;
  const CallArgument& lambda = call.arguments[1];
  std::string names = lambda.lambda_names[0], body = lambda.sql;
  if (lambda.lambda_names.size() > 1) {  // DuckDB counts from one, GoogleSQL from zero
    names += ", gs_at_" + lambda.lambda_names[1];
    body = replace_word(body, lambda.lambda_names[1], "(gs_at_" + lambda.lambda_names[1] + " - 1)");
  }
  return text(std::string(function) + "(" + call.arguments[0].sql + ", lambda " + names + ": " + body + ")");
}
ShapeResult transform(const FunctionCall& call) { return with_lambda(call, "list_transform"); }
ShapeResult filter(const FunctionCall& call) { return with_lambda(call, "list_filter"); }
ShapeResult includes_lambda(const FunctionCall& call) {
  ShapeResult found = with_lambda(call, "list_filter");
  if (!found) return std::nullopt;
  return text("(len(" + found->value() + ") > 0)");
}

// The number of elements of a sorted array that are not greater than a point.
ShapeResult range_bucket(const FunctionCall& call) {
  if (!is_plain_column(call.arguments[0].type)) return std::nullopt;
  return text(with_bound({call.arguments[0].sql, call.arguments[1].sql}, [&](const auto& v) {
    const std::string fail = raise_expression(
        TypeKind::kInt64, "Elements in input array to RANGE_BUCKET must be in ascending order and not NULL");
    return "(CASE WHEN (" + v[0] + ") IS NULL OR (" + v[1] + ") IS NULL THEN NULL WHEN list_count(" + v[1] +
           ") < len(" + v[1] + ") OR list_sort(" + v[1] + ") <> (" + v[1] + ") THEN " + (call.safe ? "NULL" : fail) +
           " ELSE len(list_filter(" + v[1] + ", lambda gs_x: gs_x <= (" + v[0] + "))) END)";
  }));
}

ShapeResult generate(const FunctionCall& call) {
  static const struct {
    TypeKind kind;
    const char* function;
    const char* one;
  } kSeries[] = {
      {TypeKind::kInt64, "gs_int_series", "1::BIGINT"},
      {TypeKind::kFloat64, "gs_float_series", "1::DOUBLE"},
      {TypeKind::kNumeric, "gs_numeric_series", "1::DECIMAL(38,9)"},
      {TypeKind::kBigNumeric, "gs_bignumeric_series", "gs_int_to_bignumeric(1::BIGINT)"},
  };
  for (const auto& series : kSeries) {
    if (!call.arguments[0].type.is(series.kind)) continue;
    return text(std::string(series.function) + safe_suffix(call) + "(" + expand("$*", call) +
                (call.arguments.size() == 2 ? std::string(", ") + series.one : "") + ")");
  }
  return std::nullopt;
}

ShapeResult distance(const FunctionCall& call, const char* function) {
  for (const CallArgument& argument : call.arguments) {
    if (!argument.type.is(TypeKind::kArray) || argument.type.element[0].is(TypeKind::kStruct)) return std::nullopt;
  }
  return text(std::string(function) + safe_suffix(call) + expand("(CAST($1 AS DOUBLE[]), CAST($2 AS DOUBLE[]))", call));
}
ShapeResult cosine(const FunctionCall& call) { return distance(call, "gs_cosine_distance"); }
ShapeResult euclidean(const FunctionCall& call) { return distance(call, "gs_euclidean_distance"); }
ShapeResult dot(const FunctionCall& call) { return distance(call, "gs_dot_product"); }

ShapeResult array_length(const FunctionCall& call) { return text("len(" + call.arguments[0].sql + ")"); }
ShapeResult array_reverse(const FunctionCall& call) { return text("list_reverse(" + call.arguments[0].sql + ")"); }

// ---- RANGE ----
ShapeResult range_start(const FunctionCall& call) { return text("(" + call.arguments[0].sql + ").f0"); }
ShapeResult range_end(const FunctionCall& call) { return text("(" + call.arguments[0].sql + ").f1"); }
ShapeResult is_open(const FunctionCall& call, const char* field) {
  return text(with_bound({call.arguments[0].sql}, [&](const auto& v) {
    return "(CASE WHEN (" + v[0] + ") IS NOT NULL THEN (" + v[0] + ")." + field + " IS NULL END)";
  }));
}
ShapeResult starts_open(const FunctionCall& call) { return is_open(call, "f0"); }
ShapeResult ends_open(const FunctionCall& call) { return is_open(call, "f1"); }

ShapeResult make_range(const FunctionCall& call) {
  return text(with_bound({call.arguments[0].sql, call.arguments[1].sql}, [&](const auto& v) {
    const std::string fail =
        call.safe ? "NULL"
                  : raise_expression(call.result, "Range start element must be smaller than range end element");
    return "(CASE WHEN (" + v[0] + ") >= (" + v[1] + ") THEN " + fail + " ELSE CAST({'f0': " + v[0] +
           ", 'f1': " + v[1] + "} AS " + physical_type(call.result) + ") END)";
  }));
}
// Half-open ranges meet when each starts before the other ends.
std::string overlap(const std::string& a, const std::string& b) {
  return "(coalesce((" + a + ").f0 < (" + b + ").f1, true) AND coalesce((" + b + ").f0 < (" + a + ").f1, true))";
}
std::string both(const std::vector<std::string>& v, const std::string& body) {
  return "(CASE WHEN (" + v[0] + ") IS NOT NULL AND (" + v[1] + ") IS NOT NULL THEN " + body + " END)";
}
ShapeResult range_overlaps(const FunctionCall& call) {
  return text(with_bound({call.arguments[0].sql, call.arguments[1].sql},
                         [](const auto& v) { return both(v, overlap(v[0], v[1])); }));
}
ShapeResult range_contains(const FunctionCall& call) {
  const bool is_range = call.arguments[1].type.is(TypeKind::kRange);
  return text(with_bound({call.arguments[0].sql, call.arguments[1].sql}, [&](const auto& v) {
    const std::string start = "(" + v[0] + ").f0", end = "(" + v[0] + ").f1";
    const std::string low = is_range ? "(" + v[1] + ").f0" : "(" + v[1] + ")",
                      high = is_range ? "(" + v[1] + ").f1" : low;
    if (!is_range)
      return both(v, "(coalesce(" + start + " <= " + low + ", true) AND coalesce(" + low + " < " + end + ", true))");
    return both(v, "((" + start + " IS NULL OR coalesce(" + start + " <= " + low + ", false)) AND (" + end +
                       " IS NULL OR coalesce(" + high + " <= " + end + ", false)))");
  }));
}
ShapeResult range_intersect(const FunctionCall& call) {
  return text(with_bound({call.arguments[0].sql, call.arguments[1].sql}, [&](const auto& v) {
    const std::string fail = call.safe ? "NULL" : raise_expression(call.result, "Provided RANGE inputs do not overlap");
    // greatest and least pass over NULL, which is what an open end needs.
    const std::string meet = "CAST({'f0': greatest((" + v[0] + ").f0, (" + v[1] + ").f0), 'f1': least((" + v[0] +
                             ").f1, (" + v[1] + ").f1)} AS " + physical_type(call.result) + ")";
    return both(v, "CASE WHEN " + overlap(v[0], v[1]) + " THEN " + meet + " ELSE " + fail + " END");
  }));
}

ShapeResult generate_ranges(const FunctionCall& call) {
  if (call.arguments.size() != 3) return std::nullopt;
  const data::Type& element = call.arguments[0].type.element[0];
  const bool is_date = element.is(TypeKind::kDate);
  const std::string cast = is_date ? "CAST(" : "(", end = is_date ? " AS DATE)" : ")";
  return text(with_bound({call.arguments[0].sql, call.arguments[1].sql, call.arguments[2].sql}, [&](const auto& v) {
    const auto bound = [&](const char* field) {
      return is_date ? "gs_midnight_of((" + v[0] + ")." + field + ")" : "(" + v[0] + ")." + field;
    };
    const std::string bounds = "gs_range_bounds" + safe_suffix(call) + "(" + bound("f0") + ", " + bound("f1") + ", " +
                               v[1] + ", " + v[2] + ")";
    return "list_transform([{'b': " + bounds +
           "}], lambda gs_r: list_transform(list_slice(gs_r.b, 1, len(gs_r.b) - 1), lambda gs_x, gs_i: {'f0': " + cast +
           "gs_x" + end + ", 'f1': " + cast + "gs_r.b[gs_i + 1]" + end + "}))[1]";
  }));
}

}  // namespace

void add_array_shapes(std::vector<Shape>& shapes) {
  const Shape all[] = {
      {"$make_array", &make_array},
      {"$array_at_offset", &at_offset},
      {"$array_at_ordinal", &at_ordinal},
      {"$safe_array_at_offset", &safe_at_offset},
      {"$safe_array_at_ordinal", &safe_at_ordinal},
      {"array_first", &first},
      {"array_last", &last},
      {"array_slice", &slice},
      {"array_includes", &includes},
      {"array_includes", &includes_lambda},
      {"array_includes_any", &includes_any},
      {"array_includes_all", &includes_all},
      {"array_max", &greatest_of},
      {"array_min", &least_of},
      {"array_sum", &sum_of},
      {"array_avg", &average_of},
      {"array_is_distinct", &is_distinct},
      {"array_transform", &transform},
      {"array_filter", &filter},
      {"range_bucket", &range_bucket},
      {"generate_array", &generate},
      {"cosine_distance", &cosine},
      {"euclidean_distance", &euclidean},
      {"dot_product", &dot},
      {"array_length", &array_length},
      {"array_reverse", &array_reverse},
  };
  shapes.insert(shapes.end(), std::begin(all), std::end(all));
}

void add_range_shapes(std::vector<Shape>& shapes) {
  const Shape all[] = {
      {"range_start", &range_start},
      {"range_end", &range_end},
      {"range_is_start_unbounded", &starts_open},
      {"range_is_end_unbounded", &ends_open},
      {"range", &make_range},
      {"range_overlaps", &range_overlaps},
      {"range_contains", &range_contains},
      {"generate_range_array", &generate_ranges},
      {"range_intersect", &range_intersect},
  };
  shapes.insert(shapes.end(), std::begin(all), std::end(all));
}

}  // namespace flytt::googlesql::internal
