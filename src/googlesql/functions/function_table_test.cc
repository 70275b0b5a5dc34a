// The table: every text names functions that exist with that number of arguments, and calls become what they should.

#include "googlesql/functions/function_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "googlesql/functions/internal/rules.h"
#include "googlesql/functions/native.h"

namespace flytt::googlesql {
namespace {

using data::Type;
using data::TypeKind;

CallArgument argument(Type type, std::string sql) {
  CallArgument out;
  out.type = std::move(type);
  out.sql = std::move(sql);
  return out;
}
CallArgument part(int number) {
  CallArgument out;
  out.enum_value = number;
  return out;
}
FunctionCall call_of(std::string_view name, std::vector<CallArgument> arguments, Type result, bool safe = false) {
  FunctionCall call;
  call.name = name;
  call.arguments = std::move(arguments);
  call.result = std::move(result);
  call.safe = safe;
  return call;
}
std::string rendered(const FunctionCall& call) {
  auto text = render_call(call);
  return text ? *text : "refused: " + text.error().sentence();
}

std::vector<internal::Rule> all_rules() {
  std::vector<internal::Rule> rules;
  internal::add_operator_rules(rules);
  internal::add_number_rules(rules);
  internal::add_text_rules(rules);
  internal::add_time_rules(rules);
  internal::add_json_rules(rules);
  internal::add_aggregate_rules(rules);
  return rules;
}

TEST(FunctionTable, NamesOnlyNativeFunctionsThatExist) {
  std::map<std::string, bool> known;  // name → can fail
  for (const NativeFunction& function : native_functions()) known[function.name] = function.can_fail;
  for (const NativeAggregate& aggregate : native_aggregates()) known[aggregate.name] = false;
  for (const internal::Rule& rule : all_rules()) {
    const std::string sql(rule.sql);
    for (std::size_t at = sql.find("gs_"); at != std::string::npos; at = sql.find("gs_", at + 3)) {
      const std::size_t end = sql.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_", at);
      std::string name = sql.substr(at, end - at);
      const bool has_safe_form = sql.compare(end, 2, "$s") == 0;
      bool is_safe = false;
      if (name.size() > 5 && name.substr(name.size() - 5) == "_safe") {
        name.resize(name.size() - 5);
        is_safe = true;
      }
      ASSERT_TRUE(known.count(name)) << name << " in " << rule.name << "(" << rule.signature << ")";
      if (has_safe_form || is_safe) {
        EXPECT_TRUE(known[name]) << name << " cannot fail: " << rule.name;
      }
    }
  }
}

TEST(FunctionTable, HasNoSignatureTwice) {
  std::set<std::pair<std::string_view, std::string>> seen;
  for (const internal::Rule& rule : all_rules()) {
    const std::string key = std::string(rule.signature) + (rule.grouped_only ? "/grouped" : "");
    EXPECT_TRUE(seen.insert({rule.name, key}).second) << rule.name << "(" << rule.signature << ")";
  }
}

TEST(FunctionTable, RendersCallsByTheirTypes) {
  EXPECT_EQ(rendered(call_of("ZetaSQL:$add", {argument(TypeKind::kInt64, "a"), argument(TypeKind::kInt64, "b")},
                             TypeKind::kInt64)),
            "gs_add_int(a, b)");
  EXPECT_EQ(rendered(call_of("ZetaSQL:$add", {argument(TypeKind::kInt64, "a"), argument(TypeKind::kInt64, "b")},
                             TypeKind::kInt64, true)),
            "gs_add_int_safe(a, b)");
  EXPECT_EQ(
      rendered(call_of("ZetaSQL:date_add", {argument(TypeKind::kDate, "d"), argument(TypeKind::kInt64, "n"), part(2)},
                       TypeKind::kDate)),
      "gs_date_add(d, n, 2::BIGINT)");
  EXPECT_EQ(rendered(call_of("ZetaSQL:$equal", {argument(TypeKind::kFloat64, "x"), argument(TypeKind::kFloat64, "y")},
                             TypeKind::kBool)),
            "gs_equal_float(x, y)");
  EXPECT_EQ(rendered(call_of("ZetaSQL:$equal", {argument(TypeKind::kString, "x"), argument(TypeKind::kString, "y")},
                             TypeKind::kBool)),
            "((x) = (y))");
}

TEST(FunctionTable, EvaluatesEachArgumentOnce) {
  const Type list = Type::array(TypeKind::kInt64);
  const std::string text =
      rendered(call_of("ZetaSQL:$array_at_offset", {argument(list, "f(g(x))"), argument(TypeKind::kInt64, "1::BIGINT")},
                       TypeKind::kInt64));
  EXPECT_EQ(text.find("f(g(x))"), text.rfind("f(g(x))")) << text;
}

TEST(FunctionTable, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(rendered(call_of("ZetaSQL:st_area", {argument(TypeKind::kGeography, "g")}, TypeKind::kFloat64)),
            "refused: The function ST_AREA(GEOGRAPHY) is not supported in this version of the embedded warehouse.");
  EXPECT_FALSE(function_kind("ZetaSQL:hll_count.init").has_value());
  const Type list = Type::array(TypeKind::kInt64);
  EXPECT_FALSE(render_call(call_of("ZetaSQL:$equal", {argument(list, "a"), argument(list, "b")}, TypeKind::kBool)));
  FunctionCall sum = call_of("ZetaSQL:sum", {argument(TypeKind::kBigNumeric, "x")}, TypeKind::kBigNumeric);
  EXPECT_EQ(rendered(sum), "gs_sum_bignumeric(x)");
  sum.parts.over = "OVER ()";
  EXPECT_FALSE(render_call(sum));
}

TEST(FunctionTable, CarriesThePartsOfAggregates) {
  FunctionCall list = call_of("ZetaSQL:array_agg", {argument(TypeKind::kInt64, "x")}, Type::array(TypeKind::kInt64));
  list.parts.nulls = NullHandling::kIgnore;
  list.parts.order_by = "y ASC NULLS FIRST";
  list.parts.limit = "2::BIGINT";
  EXPECT_EQ(rendered(list), "(list(x ORDER BY y ASC NULLS FIRST) FILTER (WHERE ((x) IS NOT NULL)))[1:2::BIGINT]");
  FunctionCall count = call_of("ZetaSQL:count", {argument(TypeKind::kInt64, "x")}, TypeKind::kInt64);
  count.parts.distinct = true;
  EXPECT_EQ(rendered(count), "count(DISTINCT x)");
  EXPECT_EQ(function_kind("ZetaSQL:count"), FunctionKind::kAggregate);
  EXPECT_EQ(function_kind("ZetaSQL:row_number"), FunctionKind::kAnalytic);
  EXPECT_EQ(function_kind("flytt:max_by"), FunctionKind::kAggregate);
}

TEST(CastTable, CastsElementByElement) {
  CastCall cast;
  cast.from = TypeKind::kString;
  cast.to = TypeKind::kInt64;
  cast.sql = "s";
  EXPECT_EQ(*render_cast(cast), "gs_text_to_int(s)");
  cast.safe = true;
  EXPECT_EQ(*render_cast(cast), "gs_text_to_int_safe(s)");
  cast.safe = false;
  cast.from = Type::array(TypeKind::kInt64);
  cast.to = Type::array(TypeKind::kFloat64);
  EXPECT_EQ(*render_cast(cast), "list_transform(s, lambda gs_e0: gs_int_to_float(gs_e0))");
  cast.from = TypeKind::kJson;
  cast.to = TypeKind::kInt64;
  EXPECT_FALSE(render_cast(cast));
}

TEST(OrderItems, PutNanBelowAllNumbers) {
  EXPECT_EQ(*order_items(TypeKind::kFloat64, "x", false, true), "gs_is_nan(x) DESC NULLS FIRST, x ASC NULLS FIRST");
  EXPECT_EQ(*order_items(TypeKind::kFloat64, "x", true, false), "gs_is_nan(x) ASC NULLS LAST, x DESC NULLS LAST");
  EXPECT_EQ(*order_items(TypeKind::kInt64, "x", false, true), "x ASC NULLS FIRST");
  EXPECT_FALSE(order_items(TypeKind::kJson, "x", false, true));
}

}  // namespace
}  // namespace flytt::googlesql
