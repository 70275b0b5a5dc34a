#include <set>
#include <utility>

#include "googlesql/internal/generator.h"
#include "googlesql/internal/types.h"
#include "googlesql/limits.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql::internal {

using data::Type;
using data::TypeKind;

namespace {

// Leaves only the columns that the scan promises: what lies above asks for no other.
void keep_columns(Select& select, const google::protobuf::RepeatedPtrField<zetasql::ResolvedColumnProto>& columns) {
  std::set<std::string> wanted;
  for (const zetasql::ResolvedColumnProto& column : columns) wanted.insert(column_alias(column));
  std::vector<Item> kept;
  for (Item& item : select.items)
    if (wanted.erase(item.alias) == 1) kept.push_back(std::move(item));
  select.items = std::move(kept);
}

bool is_true_literal(const zetasql::AnyResolvedExprProto& expr) {
  return expr.has_resolved_literal_node() && expr.resolved_literal_node().value().value().bool_value();
}

}  // namespace

Error unsupported(const std::string& what) { return Error(ErrorCode::kUnsupported, what + " is not supported"); }

void Generator::refer_to(const std::string& full_name) {
  for (const std::string& known : referenced_tables_)
    if (known == full_name) return;
  referenced_tables_.push_back(full_name);
}

Result<Select> Generator::scan(const zetasql::AnyResolvedScanProto& any) {
  if (++depth_ > kNestingMax) return unsupported("a query nested this deeply");
  const Message& node = unwrap(any);
  Result<Select> made = dispatch_scan(node);
  --depth_;
  if (!made) return made;
  if (as<zetasql::ResolvedAggregateScanProto>(node) == nullptr || !made->group_by.empty())
    keep_columns(*made, base<zetasql::ResolvedScanProto>(node).column_list());
  return made;
}

Result<Select> Generator::dispatch_scan(const Message& node) {
  if (const auto* n = as<zetasql::ResolvedSingleRowScanProto>(node)) return static_cast<void>(n), one_row(names_);
  if (const auto* n = as<zetasql::ResolvedTableScanProto>(node)) return table_scan(*n);
  if (const auto* n = as<zetasql::ResolvedProjectScanProto>(node)) return project_scan(*n);
  if (const auto* n = as<zetasql::ResolvedFilterScanProto>(node)) return filter_scan(*n);
  if (const auto* n = as<zetasql::ResolvedJoinScanProto>(node)) return join_scan(*n);
  if (const auto* n = as<zetasql::ResolvedArrayScanProto>(node)) return array_scan(*n);
  if (const auto* n = as<zetasql::ResolvedOrderByScanProto>(node)) return order_by_scan(*n);
  if (const auto* n = as<zetasql::ResolvedLimitOffsetScanProto>(node)) return limit_scan(*n);
  if (const auto* n = as<zetasql::ResolvedAggregateScanProto>(node)) return aggregate_scan(n->parent());
  if (const auto* n = as<zetasql::ResolvedAnalyticScanProto>(node)) return analytic_scan(*n);
  if (const auto* n = as<zetasql::ResolvedSetOperationScanProto>(node)) return set_operation_scan(*n);
  if (const auto* n = as<zetasql::ResolvedWithScanProto>(node)) return with_scan(*n);
  if (const auto* n = as<zetasql::ResolvedWithRefScanProto>(node)) return with_ref_scan(*n);
  if (const auto* n = as<zetasql::ResolvedRecursiveRefScanProto>(node)) {
    if (recursion_.empty()) return Error(ErrorCode::kBug, "a recursive reference outside of a recursive query");
    return renamed(recursion_.back().relation, n->parent().column_list(), recursion_.back().width);
  }
  if (const auto* n = as<zetasql::ResolvedBarrierScanProto>(node)) return scan(n->input_scan());
  if (as<zetasql::ResolvedSampleScanProto>(node) != nullptr) return unsupported("TABLESAMPLE");
  if (const auto* n = as<zetasql::ResolvedTVFScanProto>(node)) return external_scan(*n);
  return unsupported("the query construct " + node_name(node));
}

Result<Select> Generator::table_scan(const zetasql::ResolvedTableScanProto& node) {
  const auto found = tables_.find(node.table().full_name());
  if (found == tables_.end()) return Error(ErrorCode::kBug, "the SQL analyzer named a table that it was not given");
  if (node.has_for_system_time_expr()) return unsupported("FOR SYSTEM_TIME AS OF");
  if (node.read_as_row_type()) return unsupported("a table read as rows");
  const CatalogTable& table = found->second;
  if (table.members.empty()) refer_to(table.full_name);
  for (const std::string& member : table.members) refer_to(member);
  return indexed_scan(table, node.parent().column_list(), node.column_index_list());
}

Result<Select> Generator::external_scan(const zetasql::ResolvedTVFScanProto& node) {
  const std::string name = node.tvf().name();
  const auto found = tables_.find(name.substr(name.rfind(':') + 1));
  if (found == tables_.end()) return unsupported("the table function " + name);
  const std::vector<std::string>& texts = found->second.arguments;
  bool is_same = node.argument_list_size() == static_cast<int>(texts.size());
  for (int i = 0; is_same && i < node.argument_list_size(); ++i) {
    TRY(const CallArgument argument, call_argument(node.argument_list(i).expr()));
    is_same = argument.literal == texts[static_cast<std::size_t>(i)];
  }
  if (!is_same) return Error(ErrorCode::kBug, "the SQL analyzer reads a literal of EXTERNAL_QUERY in another way");
  return indexed_scan(found->second, node.parent().column_list(), node.column_index_list());
}

Result<Select> Generator::indexed_scan(const CatalogTable& table, const Columns& columns,
                                       const google::protobuf::RepeatedField<std::int64_t>& column_indexes) {
  if (column_indexes.size() != columns.size()) return Error(ErrorCode::kBug, "a table scan without its column indexes");
  std::vector<int> indexes;
  Select inner;
  for (int i = 0; i < columns.size(); ++i) {
    const auto index = static_cast<int>(column_indexes[i]);
    if (index < 0 || static_cast<std::size_t>(index) >= table.columns.size())
      return Error(ErrorCode::kBug, "a table scan with a column index out of range");
    indexes.push_back(index);
    inner.items.push_back(
        {quote_name(table.columns[static_cast<std::size_t>(index)].physical_name), column_alias(columns[i])});
  }
  inner.from = table.relation(indexes) + " AS " + names_.next();
  return nested(std::move(inner), names_);
}

Status Generator::compute(Select& input, std::vector<Item> computed) {
  rebase(input, names_);
  for (Item& item : computed) input.items.push_back(std::move(item));
  return ok();
}

Result<Select> Generator::project_scan(const zetasql::ResolvedProjectScanProto& node) {
  TRY(Select input, scan(node.input_scan()));
  if (node.expr_list_size() == 0) return input;
  std::vector<Item> computed;
  for (const zetasql::ResolvedComputedColumnProto& column : node.expr_list()) {
    TRY(std::string text, expr(column.expr()));
    computed.push_back({std::move(text), column_alias(column.column())});
  }
  TRY_STATUS(compute(input, std::move(computed)));
  return input;
}

Result<Select> Generator::filter_scan(const zetasql::ResolvedFilterScanProto& node) {
  TRY(Select input, scan(node.input_scan()));
  TRY(std::string condition, expr(node.filter_expr()));
  add_where(input, std::move(condition), names_);
  return input;
}

Result<Select> Generator::join_scan(const zetasql::ResolvedJoinScanProto& node) {
  TRY(Select left, scan(node.left_scan()));
  TRY(Select right, scan(node.right_scan()));
  std::string condition;
  if (node.has_join_expr() && !is_true_literal(node.join_expr())) {
    TRY(condition, expr(node.join_expr()));
  }
  using zetasql::ResolvedJoinScanEnums;
  const char* word = " INNER JOIN ";
  switch (node.join_type()) {
    case ResolvedJoinScanEnums::INNER: word = " INNER JOIN "; break;
    case ResolvedJoinScanEnums::LEFT: word = " LEFT JOIN "; break;
    case ResolvedJoinScanEnums::RIGHT: word = " RIGHT JOIN "; break;
    case ResolvedJoinScanEnums::FULL: word = " FULL JOIN "; break;
    default: return unsupported("this kind of JOIN");
  }
  Select joined;
  const std::string left_text = relation(left, names_, true);
  std::string right_text = relation(right, names_, false);
  if (node.is_lateral()) right_text = "LATERAL (SELECT * FROM " + right_text + ") AS " + names_.next();
  joined.from = left_text + word + right_text + " ON " + (condition.empty() ? "true" : condition);
  joined.is_join = true;
  joined.items = left.items;
  joined.items.insert(joined.items.end(), right.items.begin(), right.items.end());
  return joined;
}

// One row for each element: the arrays are unnested side by side with their positions.
Result<std::string> Generator::array_relation(const zetasql::ResolvedArrayScanProto& node, bool with_condition,
                                              std::string& natural_order) {
  if (node.array_expr_list_size() != 1 || node.element_column_list_size() != 1)
    return unsupported("UNNEST of several arrays");
  const bool outer_natural = std::exchange(wants_natural_order_, false);
  Result<std::string> array = expr(node.array_expr_list(0));
  wants_natural_order_ = outer_natural;
  if (!array) return array;
  const std::string element = column_alias(node.element_column_list(0));
  std::string rows = "SELECT unnest(list) AS " + element;
  if (node.has_array_offset_column()) {
    natural_order = column_alias(node.array_offset_column().column());
  } else if (wants_natural_order_) {
    natural_order = "n" + std::to_string(node.element_column_list(0).column_id());
  }
  if (!natural_order.empty()) rows += ", unnest(range(len(list))) AS " + natural_order;
  rows += " FROM (SELECT " + *array + " AS list) AS " + names_.next();
  if (with_condition) {
    TRY(const std::string condition, expr(node.join_expr()));
    rows = "SELECT * FROM (" + rows + ") AS " + names_.next() + " WHERE " + condition;
  }
  return "(" + rows + ")";
}

Result<Select> Generator::array_scan(const zetasql::ResolvedArrayScanProto& node) {
  Select made;
  std::string natural_order;
  const bool is_joined = node.has_input_scan() && !node.input_scan().has_resolved_single_row_scan_node();
  const bool conditional_outer = node.is_outer() && node.has_join_expr();
  if (is_joined) {
    const bool outer_natural = std::exchange(wants_natural_order_, false);
    Result<Select> input = scan(node.input_scan());
    wants_natural_order_ = outer_natural;
    if (!input) return input;
    made = std::move(*input);
  } else if (node.is_outer()) {
    made = one_row(names_);
  }
  TRY(const std::string rows, array_relation(node, conditional_outer, natural_order));
  const std::string name = names_.next();
  if (is_joined || node.is_outer()) {
    const std::string left = relation(made, names_, true);
    made.from =
        left + (node.is_outer() ? " LEFT JOIN LATERAL " : " INNER JOIN LATERAL ") + rows + " AS " + name + " ON true";
    made.is_join = true;
  } else {
    made.from = rows + " AS " + name;
    if (wants_natural_order_) made.natural_order = natural_order;
  }
  std::vector<std::string> offered{column_alias(node.element_column_list(0))};
  if (node.has_array_offset_column()) offered.push_back(natural_order);
  for (const std::string& alias : offered) made.items.push_back({alias, alias});
  if (node.has_join_expr() && !node.is_outer()) {
    TRY(std::string condition, expr(node.join_expr()));
    add_where(made, std::move(condition), names_);
  }
  return made;
}

Result<std::string> Generator::order_text(const OrderItems& items) {
  std::string out;
  for (const zetasql::ResolvedOrderByItemProto& item : items) {
    if (item.has_collation_name() || !item.collation().collation_name().empty())
      return unsupported("ORDER BY … COLLATE");
    TRY(const Type type, type_of(item.column_ref().column().type()));
    const bool descending = item.is_descending();
    const bool nulls_first = item.null_order() == zetasql::ResolvedOrderByItemEnums::ORDER_UNSPECIFIED
                                 ? !descending
                                 : item.null_order() == zetasql::ResolvedOrderByItemEnums::NULLS_FIRST;
    TRY(const std::string text, order_items(type, column_alias(item.column_ref().column()), descending, nulls_first));
    out += (out.empty() ? "" : ", ") + text;
  }
  return out;
}

Result<Select> Generator::order_by_scan(const zetasql::ResolvedOrderByScanProto& node) {
  TRY(Select input, scan(node.input_scan()));
  TRY(std::string keys, order_text(node.order_by_item_list()));
  rebase(input, names_);
  add_order(input, std::move(keys), names_);
  return input;
}

// LIMIT and OFFSET take literals and parameters; NULL and negative counts are errors.
Result<std::string> Generator::row_count(const zetasql::AnyResolvedExprProto& any, const char* clause) {
  const Message* node = &unwrap(any);
  while (const auto* cast = as<zetasql::ResolvedCastProto>(*node)) node = &unwrap(cast->expr());
  if (const auto* literal = as<zetasql::ResolvedLiteralProto>(*node)) {
    if (literal->value().value().has_int64_value() && literal->value().value().int64_value() >= 0)
      return std::to_string(literal->value().value().int64_value());
    return Error(ErrorCode::kBadData, std::string(clause) + " requires a non-negative, non-NULL integer");
  }
  if (const auto* parameter_node = as<zetasql::ResolvedParameterProto>(*node)) {
    TRY(const std::string text, parameter(*parameter_node));
    if (text.rfind("NULL", 0) == 0 || text.rfind("(-", 0) == 0)
      return Error(ErrorCode::kBadData, std::string(clause) + " requires a non-negative, non-NULL integer");
    return text;
  }
  return unsupported(std::string("an expression after ") + clause);
}

Result<Select> Generator::limit_scan(const zetasql::ResolvedLimitOffsetScanProto& node) {
  TRY(Select input, scan(node.input_scan()));
  std::string limit, offset;
  if (node.has_limit()) {
    TRY(limit, row_count(node.limit(), "LIMIT"));
  }
  if (node.has_offset()) {
    TRY(offset, row_count(node.offset(), "OFFSET"));
  }
  add_limit(input, std::move(limit), std::move(offset), names_);
  return input;
}

}  // namespace flytt::googlesql::internal
