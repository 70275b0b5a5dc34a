#include <utility>

#include "googlesql/internal/generator.h"
#include "googlesql/internal/types.h"

namespace flytt::googlesql::internal {

using data::Type;
using data::TypeKind;

namespace {

bool has_collation(const google::protobuf::RepeatedPtrField<zetasql::ResolvedCollationProto>& list) {
  for (const zetasql::ResolvedCollationProto& collation : list)
    if (!collation.collation_name().empty() || has_collation(collation.child_list())) return true;
  return false;
}

bool is_offset(const zetasql::ResolvedWindowFrameExprProto& bound) {
  return bound.boundary_type() == zetasql::ResolvedWindowFrameExprEnums::OFFSET_PRECEDING ||
         bound.boundary_type() == zetasql::ResolvedWindowFrameExprEnums::OFFSET_FOLLOWING;
}

std::string key_list(const google::protobuf::RepeatedPtrField<zetasql::ResolvedColumnRefProto>& columns,
                     const std::map<std::int64_t, std::string>& keys) {
  std::string out = "(";
  for (const zetasql::ResolvedColumnRefProto& column : columns) {
    const auto found = keys.find(column.column().column_id());
    out += (out.size() > 1 ? ", " : "") + (found == keys.end() ? column_alias(column.column()) : found->second);
  }
  return out + ")";
}

bool keeps_order(std::string_view function) {
  return function == "ZetaSQL:array_agg" || function == "ZetaSQL:string_agg" || function == "ZetaSQL:array_concat_agg";
}

bool keeps_order(const google::protobuf::RepeatedPtrField<zetasql::AnyResolvedComputedColumnBaseProto>& list) {
  for (const zetasql::AnyResolvedComputedColumnBaseProto& any : list) {
    const auto* column = as<zetasql::ResolvedComputedColumnProto>(unwrap(any));
    if (column == nullptr) continue;
    if (keeps_order(base<zetasql::ResolvedFunctionCallBaseProto>(column->expr()).function().name())) return true;
  }
  return false;
}

}  // namespace

Result<Select> Generator::aggregate_scan(const zetasql::ResolvedAggregateScanBaseProto& node) {
  if (has_collation(node.collation_list())) return unsupported("GROUP BY with collation");
  // A list made without ORDER BY keeps the order of the array that it reads, as BigQuery does though it does not promise it.
  const bool outer_natural = std::exchange(wants_natural_order_, keeps_order(node.aggregate_list()));
  Result<Select> scanned = scan(node.input_scan());
  wants_natural_order_ = outer_natural;
  TRY(Select input, std::move(scanned));
  Select made;
  std::map<std::int64_t, std::string> keys;  // output column id → column of the input
  std::vector<Item> computed;
  for (const zetasql::ResolvedComputedColumnProto& key : node.group_by_list()) {
    const Message& key_node = unwrap(key.expr());
    std::string name;
    if (const auto* column = as<zetasql::ResolvedColumnRefProto>(key_node);
        column != nullptr && !column->is_correlated()) {
      name = column_alias(column->column());
    } else {
      // A constant after GROUP BY would be taken for a position: every other key becomes a column first.
      TRY(std::string text, expr(key.expr()));
      name = "k" + std::to_string(key.column().column_id());
      computed.push_back({std::move(text), name});
    }
    keys[key.column().column_id()] = name;
    made.items.push_back({name, column_alias(key.column())});
  }
  if (!computed.empty()) TRY_STATUS(compute(input, std::move(computed)));
  for (const zetasql::AnyResolvedComputedColumnBaseProto& any : node.aggregate_list()) {
    const auto* column = as<zetasql::ResolvedComputedColumnProto>(unwrap(any));
    if (column == nullptr) return unsupported("an aggregate function under conditional evaluation");
    const auto* call = as<zetasql::ResolvedAggregateFunctionCallProto>(unwrap(column->expr()));
    if (call == nullptr) return unsupported("the aggregate " + node_name(unwrap(column->expr())));
    TRY(std::string text, aggregate_call(*call, input.natural_order));
    made.items.push_back({std::move(text), column_alias(column->column())});
  }
  for (const zetasql::ResolvedGroupingCallProto& call : node.grouping_call_list()) {
    const auto found = keys.find(call.group_by_column().column().column_id());
    if (found == keys.end()) return Error(ErrorCode::kBug, "GROUPING of a column that is no key");
    made.items.push_back({"grouping(" + found->second + ")::BIGINT", column_alias(call.output_column())});
  }
  TRY(made.group_by, group_keys(node, keys));
  made.from = relation(input, names_, true);
  made.is_aggregate = true;
  return made;
}

Result<std::string> Generator::group_keys(const zetasql::ResolvedAggregateScanBaseProto& node,
                                          const std::map<std::int64_t, std::string>& keys) {
  if (node.grouping_set_list_size() == 0) {
    std::string out;
    for (const zetasql::ResolvedComputedColumnProto& key : node.group_by_list())
      out += (out.empty() ? "" : ", ") + keys.at(key.column().column_id());
    return out;
  }
  std::string sets;
  for (const zetasql::AnyResolvedGroupingSetBaseProto& any : node.grouping_set_list()) {
    TRY(const std::string text, grouping_set(unwrap(any), keys));
    sets += (sets.empty() ? "" : ", ") + text;
  }
  return "GROUPING SETS (" + sets + ")";
}

Result<std::string> Generator::grouping_set(const Message& set, const std::map<std::int64_t, std::string>& keys) {
  if (const auto* plain = as<zetasql::ResolvedGroupingSetProto>(set))
    return key_list(plain->group_by_column_list(), keys);
  const google::protobuf::RepeatedPtrField<zetasql::ResolvedGroupingSetMultiColumnProto>* groups = nullptr;
  std::string out;
  if (const auto* rollup = as<zetasql::ResolvedRollupProto>(set)) {
    groups = &rollup->rollup_column_list();
    out = "ROLLUP (";
  } else if (const auto* cube = as<zetasql::ResolvedCubeProto>(set)) {
    groups = &cube->cube_column_list();
    out = "CUBE (";
  } else {
    return unsupported("GROUP BY " + node_name(set));
  }
  for (const zetasql::ResolvedGroupingSetMultiColumnProto& group : *groups)
    out += (&group == &*groups->begin() ? "" : ", ") + key_list(group.column_list(), keys);
  return out + ")";
}

// What aggregate and analytic calls have in common.
Result<FunctionCall> Generator::non_scalar_call(const zetasql::ResolvedNonScalarFunctionCallBaseProto& node) {
  TRY(FunctionCall call, call_of(node.parent()));
  call.parts.distinct = node.distinct();
  using zetasql::ResolvedNonScalarFunctionCallBaseEnums;
  if (node.null_handling_modifier() == ResolvedNonScalarFunctionCallBaseEnums::IGNORE_NULLS)
    call.parts.nulls = NullHandling::kIgnore;
  if (node.null_handling_modifier() == ResolvedNonScalarFunctionCallBaseEnums::RESPECT_NULLS)
    call.parts.nulls = NullHandling::kRespect;
  if (node.has_where_expr()) {
    TRY(call.parts.filter, expr(node.where_expr()));
  }
  return call;
}

Result<std::string> Generator::aggregate_call(const zetasql::ResolvedAggregateFunctionCallProto& node,
                                              const std::string& natural_order) {
  if (node.group_by_list_size() > 0 || node.group_by_aggregate_list_size() > 0 || node.has_having_expr())
    return unsupported("an aggregate with a GROUP BY of its own");
  TRY(FunctionCall call, non_scalar_call(node.parent()));
  TRY(call.parts.order_by, order_text(node.order_by_item_list()));
  if (keeps_order(call.name) && call.parts.order_by.empty() && !call.parts.distinct)
    call.parts.order_by = natural_order;
  if (node.has_limit()) {
    TRY(call.parts.limit, row_count(node.limit(), "LIMIT"));
  }
  if (node.has_having_modifier()) {
    const zetasql::ResolvedAggregateHavingModifierProto& having = node.having_modifier();
    call.parts.having = having.kind() == zetasql::ResolvedAggregateHavingModifierEnums::MAX
                            ? AggregateParts::Having::kMax
                            : AggregateParts::Having::kMin;
    TRY(call.parts.having_sql, expr(having.having_expr()));
    TRY(call.parts.having_type, type_of(expr_type(having.having_expr())));
  }
  return render_call(call);
}

Result<Select> Generator::analytic_scan(const zetasql::ResolvedAnalyticScanProto& node) {
  TRY(Select input, scan(node.input_scan()));
  if (input.is_limited()) input = nested(std::move(input), names_);
  std::vector<Item> computed;
  for (const zetasql::ResolvedAnalyticFunctionGroupProto& group : node.function_group_list()) {
    for (const zetasql::AnyResolvedComputedColumnBaseProto& any : group.analytic_function_list()) {
      const auto* column = as<zetasql::ResolvedComputedColumnProto>(unwrap(any));
      if (column == nullptr) return unsupported("a window function under conditional evaluation");
      const auto* call_node = as<zetasql::ResolvedAnalyticFunctionCallProto>(unwrap(column->expr()));
      if (call_node == nullptr) return unsupported("the window function " + node_name(unwrap(column->expr())));
      TRY(FunctionCall call, non_scalar_call(call_node->parent()));
      TRY(call.parts.over, window(group, *call_node));
      TRY(std::string text, render_call(call));
      computed.push_back({std::move(text), column_alias(column->column())});
    }
  }
  TRY_STATUS(compute(input, std::move(computed)));
  return input;
}

Result<std::string> Generator::window(const zetasql::ResolvedAnalyticFunctionGroupProto& group,
                                      const zetasql::ResolvedAnalyticFunctionCallProto& call) {
  std::string out = "OVER (";
  if (has_collation(group.partition_by().collation_list())) return unsupported("PARTITION BY with collation");
  for (const zetasql::ResolvedColumnRefProto& column : group.partition_by().partition_by_list())
    out += (&column == &*group.partition_by().partition_by_list().begin() ? "PARTITION BY " : ", ") +
           column_alias(column.column());
  if (group.order_by().order_by_item_list_size() > 0) {
    TRY(const std::string keys, order_text(group.order_by().order_by_item_list()));
    out += " ORDER BY " + keys;
  }
  if (call.has_window_frame()) {
    TRY(const std::string text, frame(call.window_frame(), group));
    out += text;
  }
  return out + ")";
}

Result<std::string> Generator::frame(const zetasql::ResolvedWindowFrameProto& frame,
                                     const zetasql::ResolvedAnalyticFunctionGroupProto& group) {
  const bool by_range = frame.frame_unit() == zetasql::ResolvedWindowFrameEnums::RANGE;
  if (by_range && (is_offset(frame.start_expr()) || is_offset(frame.end_expr()))) {
    if (group.order_by().order_by_item_list_size() != 1)
      return unsupported("a RANGE window frame with offsets over several keys");
    TRY(const Type type, type_of(group.order_by().order_by_item_list(0).column_ref().column().type()));
    // FLOAT64 needs two sort keys for NaN and BIGNUMERIC has no arithmetic in DuckDB.
    if (!type.is(TypeKind::kInt64) && !type.is(TypeKind::kNumeric))
      return unsupported("a RANGE window frame with offsets over " + type.sql_name());
  }
  TRY(const std::string start, frame_bound(frame.start_expr()));
  TRY(const std::string end, frame_bound(frame.end_expr()));
  return std::string(by_range ? " RANGE" : " ROWS") + " BETWEEN " + start + " AND " + end;
}

Result<std::string> Generator::frame_bound(const zetasql::ResolvedWindowFrameExprProto& bound) {
  using zetasql::ResolvedWindowFrameExprEnums;
  switch (bound.boundary_type()) {
    case ResolvedWindowFrameExprEnums::UNBOUNDED_PRECEDING: return std::string("UNBOUNDED PRECEDING");
    case ResolvedWindowFrameExprEnums::CURRENT_ROW: return std::string("CURRENT ROW");
    case ResolvedWindowFrameExprEnums::UNBOUNDED_FOLLOWING: return std::string("UNBOUNDED FOLLOWING");
    case ResolvedWindowFrameExprEnums::OFFSET_PRECEDING:
    case ResolvedWindowFrameExprEnums::OFFSET_FOLLOWING: {
      TRY(const std::string offset, expr(bound.expression()));
      const bool before = bound.boundary_type() == ResolvedWindowFrameExprEnums::OFFSET_PRECEDING;
      return offset + (before ? " PRECEDING" : " FOLLOWING");
    }
    default: return unsupported("this window frame");
  }
}

}  // namespace flytt::googlesql::internal
