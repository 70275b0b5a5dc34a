#include <utility>

#include "googlesql/internal/generator.h"
#include "googlesql/internal/types.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql::internal {

using zetasql::ResolvedSetOperationScanEnums;

// A relation whose columns get the ids of `columns`, by position.
Result<Select> Generator::renamed(const std::string& relation_name, const Columns& columns, std::size_t width) {
  if (static_cast<std::size_t>(columns.size()) != width)
    return Error(ErrorCode::kBug, "a named query with another number of columns");
  Select made;
  made.from = relation_name + " AS " + names_.next();
  std::string list;
  for (const zetasql::ResolvedColumnProto& column : columns) {
    list += (list.empty() ? "" : ", ") + column_alias(column);
    made.items.push_back({column_alias(column), column_alias(column)});
  }
  if (!list.empty()) made.from += "(" + list + ")";
  return made;
}

// One operand with its columns in the operation's order and of the operation's types.
Result<std::string> Generator::set_item(const zetasql::ResolvedSetOperationItemProto& item, const Columns& outputs) {
  if (item.output_column_list_size() != outputs.size())
    return Error(ErrorCode::kBug, "a set operation over unequal columns");
  TRY(Select input, scan(item.scan()));
  std::vector<Item> items;
  for (int i = 0; i < outputs.size(); ++i) {
    TRY(const data::Type type, type_of(outputs[i].type()));
    items.push_back({column_alias(item.output_column_list(i)) + "::" + physical_type(type), "o" + std::to_string(i)});
  }
  project(input, std::move(items), names_);
  return "(" + input.render() + ")";
}

Result<Select> Generator::set_operation_scan(const zetasql::ResolvedSetOperationScanProto& node) {
  const char* word = nullptr;
  switch (node.op_type()) {
    case ResolvedSetOperationScanEnums::UNION_ALL: word = " UNION ALL "; break;
    case ResolvedSetOperationScanEnums::UNION_DISTINCT: word = " UNION "; break;
    case ResolvedSetOperationScanEnums::INTERSECT_ALL: word = " INTERSECT ALL "; break;
    case ResolvedSetOperationScanEnums::INTERSECT_DISTINCT: word = " INTERSECT "; break;
    case ResolvedSetOperationScanEnums::EXCEPT_ALL: word = " EXCEPT ALL "; break;
    case ResolvedSetOperationScanEnums::EXCEPT_DISTINCT: word = " EXCEPT "; break;
    default: return unsupported("this set operation");
  }
  const Columns& outputs = node.parent().column_list();
  std::string text;
  for (const zetasql::ResolvedSetOperationItemProto& item : node.input_item_list()) {
    TRY(const std::string operand, set_item(item, outputs));
    text += (text.empty() ? "" : word) + operand;
  }
  return renamed("(" + text + ")", outputs, static_cast<std::size_t>(outputs.size()));
}

Result<Select> Generator::with_scan(const zetasql::ResolvedWithScanProto& node) {
  std::string entries;
  for (const zetasql::ResolvedWithEntryProto& entry : node.with_entry_list()) {
    TRY(const std::string text, with_entry(entry));
    entries += (entries.empty() ? "" : ", ") + text;
  }
  TRY(Select query, scan(node.query()));
  // Names are unique in the statement, so the lists of nested WITH clauses can be joined, outer ones first.
  query.with = query.with.empty() ? entries : entries + ", " + query.with;
  query.with_recursive = query.with_recursive || node.recursive();
  return query;
}

Result<std::string> Generator::with_entry(const zetasql::ResolvedWithEntryProto& entry) {
  const std::string name = "w" + std::to_string(++with_count_);
  const Message& node = unwrap(entry.with_subquery());
  const Columns& columns = base<zetasql::ResolvedScanProto>(node).column_list();
  const WithName known{name, static_cast<std::size_t>(columns.size())};
  if (const auto* recursive = as<zetasql::ResolvedRecursiveScanProto>(node)) {
    with_names_[entry.with_query_name()] = known;
    return recursive_entry(*recursive, name);
  }
  TRY(Select input, scan(entry.with_subquery()));
  std::vector<Item> items;
  for (int i = 0; i < columns.size(); ++i) items.push_back({column_alias(columns[i]), "o" + std::to_string(i)});
  project(input, std::move(items), names_);
  with_names_[entry.with_query_name()] = known;
  return name + " AS (" + input.render() + ")";
}

Result<std::string> Generator::recursive_entry(const zetasql::ResolvedRecursiveScanProto& node,
                                               const std::string& name) {
  if (node.has_recursion_depth_modifier()) return unsupported("WITH DEPTH");
  const Columns& columns = node.parent().column_list();
  TRY(const std::string first, set_item(node.non_recursive_term(), columns));
  recursion_.push_back({name, static_cast<std::size_t>(columns.size())});
  Result<std::string> rest = set_item(node.recursive_term(), columns);
  recursion_.pop_back();
  if (!rest) return rest;
  std::string list;
  for (int i = 0; i < columns.size(); ++i) list += (i > 0 ? ", o" : "o") + std::to_string(i);
  const bool distinct = node.op_type() == zetasql::ResolvedRecursiveScanEnums::UNION_DISTINCT;
  return name + "(" + list + ") AS (" + first + (distinct ? " UNION " : " UNION ALL ") + *rest + ")";
}

Result<Select> Generator::with_ref_scan(const zetasql::ResolvedWithRefScanProto& node) {
  const auto found = with_names_.find(node.with_query_name());
  if (found == with_names_.end()) return Error(ErrorCode::kBug, "a reference to a named query that is not there");
  return renamed(found->second.relation, node.parent().column_list(), found->second.width);
}

}  // namespace flytt::googlesql::internal
