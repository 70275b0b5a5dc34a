#pragma once
// The tables behind function_table.h.
//
// A Rule says how a function with one list of argument kinds runs. `signature` has one letter per argument:
//   i INT64  d FLOAT64  b BOOL  s STRING  y BYTES  D DATE  t TIME  c DATETIME  T TIMESTAMP  n NUMERIC  N BIGNUMERIC
//   j JSON  v INTERVAL  g GEOGRAPHY  a ARRAY  S STRUCT  R RANGE  p enum  _ anything but an enum; a final + repeats the
//   letter before it one or more times.
// `sql` is the DuckDB text: $1…$9 are the arguments (the number of an enum), $* all of them with commas, $s is "_safe" in
// SAFE mode and empty otherwise, $t the result's DuckDB type, $d "DISTINCT " for aggregates with DISTINCT, $w what
// follows an aggregate's parenthesis: FILTER and OVER, $o " ORDER BY …" inside it.
//
// A Shape is a function of code for what a text cannot say. It answers std::nullopt when the call is not for it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "googlesql/functions/function_table.h"

namespace flytt::googlesql::internal {

struct Rule {
  std::string_view name;  // without "ZetaSQL:"
  std::string_view signature;
  std::string_view sql;
  FunctionKind kind = FunctionKind::kScalar;
  bool plain = false;         // aggregates: DISTINCT changes nothing and is left out
  bool grouped_only = false;  // aggregates: not over windows
};

using ShapeResult = std::optional<Result<std::string>>;
struct Shape {
  std::string_view name;
  ShapeResult (*render)(const FunctionCall& call);
  FunctionKind kind = FunctionKind::kScalar;
};

void add_operator_rules(std::vector<Rule>& rules);
void add_number_rules(std::vector<Rule>& rules);
void add_text_rules(std::vector<Rule>& rules);
void add_time_rules(std::vector<Rule>& rules);
void add_json_rules(std::vector<Rule>& rules);
void add_aggregate_rules(std::vector<Rule>& rules);
void add_operator_shapes(std::vector<Shape>& shapes);
void add_array_shapes(std::vector<Shape>& shapes);
void add_time_shapes(std::vector<Shape>& shapes);
void add_json_shapes(std::vector<Shape>& shapes);
void add_aggregate_shapes(std::vector<Shape>& shapes);
void add_range_shapes(std::vector<Shape>& shapes);
void add_number_shapes(std::vector<Shape>& shapes);
void add_format_shapes(std::vector<Shape>& shapes);

char letter_of(const data::Type& type);
bool matches(std::string_view signature, const std::vector<CallArgument>& arguments);
std::string expand(std::string_view sql, const FunctionCall& call);
std::string safe_suffix(const FunctionCall& call);

Error unsupported_call(const FunctionCall& call, std::string_view why = {});

// Whether a text may stand several times: a column, a literal, a field of them.
bool is_simple(std::string_view sql);
// Evaluates each text once and hands short names for them to `body`, whose text may use nothing else.
template <typename Body>
std::string with_bound(const std::vector<std::string>& texts, Body body) {
  bool all_simple = true;
  for (const std::string& text : texts) all_simple = all_simple && is_simple(text);
  if (all_simple) return body(texts);
  std::string fields;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string field = "a" + std::to_string(i);
    fields += (i > 0 ? ", '" : "'") + field + "': " + texts[i];
    names.push_back("gs_v." + field);
  }
  return "list_transform([{" + fields + "}], lambda gs_v: " + body(names) + ")[1]";
}

// a = b with GoogleSQL's three values, both texts simple. nullopt: these types have no equality.
std::optional<std::string> equality(const data::Type& type, const std::string& a, const std::string& b);
// FLOAT64, or a struct or array that holds one.
bool holds_float(const data::Type& type);

}  // namespace flytt::googlesql::internal
