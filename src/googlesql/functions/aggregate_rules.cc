// Aggregate and analytic functions.

#include <cctype>

#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql::internal {
namespace {

using data::TypeKind;
using enum FunctionKind;

constexpr Rule kAggregates[] = {
    {"$count_star", "", "count(*)$w", kAggregate, true},
    {"count", "_", "count($d$1)$w", kAggregate},
    {"countif", "b", "count(CASE WHEN $1 THEN 1 END)$w", kAggregate},
    {"sum", "i", "gs_check_int_sum$s(sum($d$1)$w)", kAggregate},
    {"sum", "d", "gs_sum_float($d$1)$w", kAggregate, false, true},
    {"sum", "n", "gs_sum_numeric($d$1)$w", kAggregate, false, true},
    {"sum", "N", "gs_sum_bignumeric($d$1)$w", kAggregate, false, true},
    {"avg", "i", "gs_avg_int($d$1)$w", kAggregate, false, true},
    {"avg", "d", "gs_avg_float($d$1)$w", kAggregate, false, true},
    {"avg", "n", "gs_avg_numeric($d$1)$w", kAggregate, false, true},
    {"avg", "N", "gs_avg_bignumeric($d$1)$w", kAggregate, false, true},
    {"logical_and", "b", "bool_and($1)$w", kAggregate, true},
    {"logical_or", "b", "bool_or($1)$w", kAggregate, true},
    {"bit_and", "i", "bit_and($1)$w", kAggregate, true},
    {"bit_or", "i", "bit_or($1)$w", kAggregate, true},
    {"bit_xor", "i", "bit_xor($d$1)$w", kAggregate},
    {"stddev_pop", "d", "gs_stddev_pop_float($d$1)$w", kAggregate, false, true},
    {"stddev_samp", "d", "gs_stddev_samp_float($d$1)$w", kAggregate, false, true},
    {"var_pop", "d", "gs_var_pop_float($d$1)$w", kAggregate, false, true},
    {"var_samp", "d", "gs_var_samp_float($d$1)$w", kAggregate, false, true},
    {"stddev_pop", "n", "gs_stddev_pop_numeric($d$1)$w", kAggregate, false, true},
    {"stddev_samp", "n", "gs_stddev_samp_numeric($d$1)$w", kAggregate, false, true},
    {"var_pop", "n", "gs_var_pop_numeric($d$1)$w", kAggregate, false, true},
    {"var_samp", "n", "gs_var_samp_numeric($d$1)$w", kAggregate, false, true},
    {"covar_pop", "dd", "gs_covar_pop($1, $2)$w", kAggregate, false, true},
    {"covar_samp", "dd", "gs_covar_samp($1, $2)$w", kAggregate, false, true},
    {"corr", "dd", "gs_corr($1, $2)$w", kAggregate, false, true},
    // DuckDB gives aggregates of its C interface one state for many rows of a constant window frame, which they cannot
    // see (1.5.6): over windows only DuckDB's own are used.
    {"sum", "d", "gs_window_sum$s(sum($d$1)$w, fsum($d$1)$w, bool_or(isinf($1))$w)", kAggregate},
    {"sum", "n", "gs_check_numeric_sum$s(sum($d$1)$w)", kAggregate},
    {"avg", "i", "gs_window_avg_int(sum($d$1)$w, count($d$1)$w)", kAggregate},
    {"avg", "d", "gs_window_avg(sum($d$1)$w, fsum($d$1)$w, count($d$1)$w)", kAggregate},
    {"avg", "n", "gs_window_avg_numeric(sum($d$1)$w, count($d$1)$w)", kAggregate},
    {"stddev_pop", "d", "stddev_pop($d$1)$w", kAggregate},
    {"stddev_samp", "d", "stddev_samp($d$1)$w", kAggregate},
    {"var_pop", "d", "var_pop($d$1)$w", kAggregate},
    {"var_samp", "d", "var_samp($d$1)$w", kAggregate},
    {"approx_count_distinct", "_", "count(DISTINCT $1)$w", kAggregate, true},
};

constexpr Rule kAnalytics[] = {
    {"row_number", "", "row_number()$w", kAnalytic}, {"rank", "", "rank()$w", kAnalytic},
    {"dense_rank", "", "dense_rank()$w", kAnalytic}, {"percent_rank", "", "percent_rank()$w", kAnalytic},
    {"cume_dist", "", "cume_dist()$w", kAnalytic},   {"ntile", "i", "ntile($1)$w", kAnalytic},
};

Result<std::string> text(std::string sql) { return sql; }

// FILTER and OVER after an aggregate, with one more condition.
std::string after(const AggregateParts& parts, const std::string& condition = "") {
  std::string filter = parts.filter;
  if (!condition.empty()) filter = filter.empty() ? condition : "(" + filter + ") AND " + condition;
  std::string out;
  if (!filter.empty()) out += " FILTER (WHERE " + filter + ")";
  if (!parts.over.empty()) out += " " + parts.over;
  return out;
}
std::string order_of(const AggregateParts& parts) {
  return parts.order_by.empty() ? "" : " ORDER BY " + parts.order_by;
}
bool has_having(const FunctionCall& call) { return call.parts.having != AggregateParts::Having::kNone; }
std::string not_null(const std::string& sql) { return "((" + sql + ") IS NOT NULL)"; }
ShapeResult refuse(const FunctionCall& call, std::string_view why) {
  return Result<std::string>(unsupported_call(call, why));
}

ShapeResult extreme(const FunctionCall& call, const char* native, const char* for_floats) {
  if (has_having(call) || !call.parts.order_by.empty() || !call.parts.limit.empty())
    return refuse(call, "with these modifiers");
  const data::Type& type = call.arguments[0].type;
  switch (type.kind) {
    case TypeKind::kArray:
    case TypeKind::kStruct:
    case TypeKind::kJson:
    case TypeKind::kGeography:
    case TypeKind::kRange: return refuse(call, "");
    default: break;
  }
  const std::string& value = call.arguments[0].sql;
  const std::string tail = after(call.parts), of_window = std::string(native) + "(" + value + ")" + tail;
  if (!type.is(TypeKind::kFloat64)) return text(of_window);
  if (call.parts.over.empty()) return text(std::string(for_floats) + "(" + value + ")" + tail);
  return text("(CASE WHEN bool_or(isnan(" + value + "))" + tail + " THEN 'nan'::DOUBLE ELSE " + of_window + " END)");
}
ShapeResult greatest(const FunctionCall& call) { return extreme(call, "max", "gs_max_float"); }
ShapeResult least(const FunctionCall& call) { return extreme(call, "min", "gs_min_float"); }

// The value of `sql` in the row where `key` is greatest (or least); rows whose key is NULL do not count.
ShapeResult value_at(const FunctionCall& call, const std::string& sql, const data::Type& key_type,
                     const std::string& key, bool greatest) {
  if (call.parts.distinct || !call.parts.order_by.empty() || !call.parts.limit.empty())
    return refuse(call, "with these modifiers");
  switch (key_type.kind) {
    case TypeKind::kArray:
    case TypeKind::kStruct:
    case TypeKind::kJson:
    case TypeKind::kGeography:
    case TypeKind::kRange:
    case TypeKind::kFloat64: return refuse(call, "with a key of this type");
    default: break;
  }
  // The value is wrapped, so that a NULL value may win.
  return text("(" + std::string(greatest ? "arg_max" : "arg_min") + "({'v': " + sql + "}, " + key + ")" +
              after(call.parts) + ").v");
}
ShapeResult max_by(const FunctionCall& call) {
  return value_at(call, call.arguments[0].sql, call.arguments[1].type, call.arguments[1].sql, true);
}
ShapeResult min_by(const FunctionCall& call) {
  return value_at(call, call.arguments[0].sql, call.arguments[1].type, call.arguments[1].sql, false);
}
ShapeResult any_value(const FunctionCall& call) {
  if (has_having(call)) {
    return value_at(call, call.arguments[0].sql, call.parts.having_type, call.parts.having_sql,
                    call.parts.having == AggregateParts::Having::kMax);
  }
  if (!call.parts.order_by.empty() || !call.parts.limit.empty()) return refuse(call, "with these modifiers");
  return text("any_value(" + call.arguments[0].sql + ")" + after(call.parts));
}

std::string limited(const std::string& list, const AggregateParts& parts) {
  return parts.limit.empty() ? list : "(" + list + ")[1:" + parts.limit + "]";
}

ShapeResult array_agg(const FunctionCall& call) {
  if (has_having(call)) return refuse(call, "with HAVING MAX or MIN");
  const std::string& value = call.arguments[0].sql;
  const std::string condition = call.parts.nulls == NullHandling::kIgnore ? not_null(value) : "";
  const std::string list = "list(" + std::string(call.parts.distinct ? "DISTINCT " : "") + value +
                           order_of(call.parts) + ")" + after(call.parts, condition);
  return text(limited(list, call.parts));
}

ShapeResult array_concat_agg(const FunctionCall& call) {
  if (has_having(call) || call.parts.distinct) return refuse(call, "with these modifiers");
  const std::string& value = call.arguments[0].sql;
  const std::string list = "list(" + value + order_of(call.parts) + ")" + after(call.parts, not_null(value));
  return text("flatten(" + limited(list, call.parts) + ")");
}

ShapeResult string_agg(const FunctionCall& call) {
  if (has_having(call)) return refuse(call, "with HAVING MAX or MIN");
  const std::string& value = call.arguments[0].sql;
  const bool is_text = call.result.is(TypeKind::kString);
  const std::string delimiter = call.arguments.size() > 1 ? call.arguments[1].sql : (is_text ? "','" : "','::BLOB");
  const std::string list = "list(" + std::string(call.parts.distinct ? "DISTINCT " : "") + value +
                           order_of(call.parts) + ")" + after(call.parts, not_null(value));
  return text(std::string(is_text ? "gs_array_to_text(" : "gs_array_to_bytes(") + limited(list, call.parts) + ", " +
              delimiter + ")");
}

bool is_small_count(const std::string& sql) {  // a literal such as 1 or 12::BIGINT
  std::size_t at = 0;
  while (at < sql.size() && std::isdigit(static_cast<unsigned char>(sql[at]))) ++at;
  return at > 0 && at < 18 && (at == sql.size() || sql.substr(at) == "::BIGINT");
}

// The exact quantiles, which BigQuery's approximation also gives for few rows.
ShapeResult approx_quantiles(const FunctionCall& call) {
  if (call.parts.nulls == NullHandling::kRespect || has_having(call) || !call.parts.order_by.empty() ||
      !call.parts.limit.empty()) {
    return refuse(call, "with these modifiers");
  }
  const std::string& count = call.arguments[1].sql;
  const std::size_t digits = std::min(count.find_first_not_of("0123456789"), count.size());
  const data::Type& type = call.arguments[0].type;
  const bool is_known = type.is(TypeKind::kInt64) || type.is(TypeKind::kDate) || type.is(TypeKind::kDatetime) ||
                        type.is(TypeKind::kTimestamp) || type.is(TypeKind::kNumeric) || type.is(TypeKind::kString);
  if (digits == 0 || digits > 4 || (digits < count.size() && count.substr(digits) != "::BIGINT") || !is_known)
    return refuse(call, "");
  const int parts = std::stoi(count.substr(0, digits));
  if (parts < 1) return refuse(call, "");
  std::string fractions;
  for (int i = 0; i <= parts; ++i)
    fractions += (i > 0 ? ", " : "") + std::to_string(i) + "::DOUBLE / " + std::to_string(parts);
  return text("quantile_disc(" + std::string(call.parts.distinct ? "DISTINCT " : "") + call.arguments[0].sql + ", [" +
              fractions + "])" + after(call.parts));
}

// The most frequent values. Of equally frequent ones BigQuery shows any; NULL is one of its values, which is not handled.
ShapeResult approx_top_count(const FunctionCall& call) {
  const data::Type& type = call.arguments[0].type;
  if (!is_small_count(call.arguments[1].sql) || has_having(call) || !call.parts.over.empty() || call.parts.distinct ||
      holds_float(type)) {
    return refuse(call, "with these modifiers");
  }
  const std::string& value = call.arguments[0].sql;
  const std::string tail = after(call.parts);
  const std::string entries = "list_transform(map_entries(histogram(" + value + ")" + tail +
                              "), lambda gs_e: {'c': gs_e.value, 'v': gs_e.key})";
  return text("(CASE WHEN count(*)" + tail + " > count(" + value + ")" + tail + " THEN " +
              raise_expression(
                  call.result,
                  "APPROX_TOP_COUNT of values with NULL is not supported in this version of the embedded warehouse.") +
              " ELSE list_transform(list_slice(list_reverse_sort(" + entries + "), 1, " + call.arguments[1].sql +
              "), lambda gs_e: {'f0': gs_e.v, 'f1': CAST(gs_e.c AS BIGINT)}) END)");
}

// ---- analytic functions ----
std::string nulls_of(const FunctionCall& call) {
  return call.parts.nulls == NullHandling::kIgnore ? " IGNORE NULLS" : "";
}

ShapeResult neighbour(const FunctionCall& call, const char* name) {
  if (call.arguments.size() > 1 && !is_small_count(call.arguments[1].sql))
    return refuse(call, "with an offset that is not a literal");
  return text(std::string(name) + "(" + expand("$*", call) + nulls_of(call) + ")" + after(call.parts));
}
ShapeResult lag(const FunctionCall& call) { return neighbour(call, "lag"); }
ShapeResult lead(const FunctionCall& call) { return neighbour(call, "lead"); }
ShapeResult first_value(const FunctionCall& call) {
  return text("first_value(" + call.arguments[0].sql + nulls_of(call) + ")" + after(call.parts));
}
ShapeResult last_value(const FunctionCall& call) {
  return text("last_value(" + call.arguments[0].sql + nulls_of(call) + ")" + after(call.parts));
}
ShapeResult nth_value(const FunctionCall& call) {
  if (!is_small_count(call.arguments[1].sql)) return refuse(call, "with a position that is not a literal");
  return text("nth_value(" + expand("$1, $2", call) + nulls_of(call) + ")" + after(call.parts));
}

ShapeResult percentile(const FunctionCall& call, const char* name) {
  const data::Type& type = call.arguments[0].type;
  if (call.parts.nulls == NullHandling::kRespect) return refuse(call, "with RESPECT NULLS");
  const bool is_continuous = name[9] == 'c';
  if (is_continuous && !type.is(TypeKind::kFloat64)) return refuse(call, "");
  switch (type.kind) {
    case TypeKind::kInt64:
    case TypeKind::kFloat64:
    case TypeKind::kString:
    case TypeKind::kDate:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp:
    case TypeKind::kNumeric: break;
    default: return refuse(call, "");
  }
  const std::string value = call.arguments[0].sql, tail = after(call.parts);
  const std::string quantile =
      std::string(name) + "(" + value + ", CAST(" + call.arguments[1].sql + " AS DOUBLE))" + tail;
  if (!type.is(TypeKind::kFloat64)) return text(quantile);
  // NaN is the least value in GoogleSQL and the greatest in DuckDB.
  return text(
      "(CASE WHEN bool_or(isnan(" + value + "))" + tail + " THEN " +
      raise_expression(TypeKind::kFloat64,
                       "A percentile of values with NaN is not supported in this version of the embedded warehouse.") +
      " ELSE " + quantile + " END)");
}
ShapeResult percentile_cont(const FunctionCall& call) { return percentile(call, "quantile_cont"); }
ShapeResult percentile_disc(const FunctionCall& call) { return percentile(call, "quantile_disc"); }

}  // namespace

void add_aggregate_rules(std::vector<Rule>& rules) {
  rules.insert(rules.end(), std::begin(kAggregates), std::end(kAggregates));
  rules.insert(rules.end(), std::begin(kAnalytics), std::end(kAnalytics));
}

void add_aggregate_shapes(std::vector<Shape>& shapes) {
  const Shape all[] = {
      {"max", &greatest, kAggregate},
      {"min", &least, kAggregate},
      {"max_by", &max_by, kAggregate},
      {"min_by", &min_by, kAggregate},
      {"any_value", &any_value, kAggregate},
      {"approx_quantiles", &approx_quantiles, kAggregate},
      {"approx_top_count", &approx_top_count, kAggregate},
      {"array_agg", &array_agg, kAggregate},
      {"array_concat_agg", &array_concat_agg, kAggregate},
      {"string_agg", &string_agg, kAggregate},
      {"lag", &lag, kAnalytic},
      {"lead", &lead, kAnalytic},
      {"first_value", &first_value, kAnalytic},
      {"last_value", &last_value, kAnalytic},
      {"nth_value", &nth_value, kAnalytic},
      {"percentile_cont", &percentile_cont, kAnalytic},
      {"percentile_disc", &percentile_disc, kAnalytic},
  };
  shapes.insert(shapes.end(), std::begin(all), std::end(all));
}

}  // namespace flytt::googlesql::internal
