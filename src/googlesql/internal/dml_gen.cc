#include "googlesql/internal/dml_gen.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <utility>

#include "googlesql/internal/statement_gen.h"
#include "googlesql/internal/types.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql::internal {

using data::Type;
using google::protobuf::FieldDescriptor;
using google::protobuf::RepeatedPtrField;

namespace {

using UpdateItems = RepeatedPtrField<zetasql::ResolvedUpdateItemProto>;
using Enums = zetasql::ResolvedMergeWhenEnums;

// The columns of the target as the statement names them, and under names of ours for those that it does not speak of.
class Target {
 public:
  static Result<Target> make(const zetasql::ResolvedTableScanProto& scan, const TableMap& tables,
                             Generator& generator) {
    const auto found = tables.find(scan.table().full_name());
    if (found == tables.end()) return Error(ErrorCode::kBug, "the SQL analyzer named a table that it was not given");
    Target target(found->second);
    if (target.table_.rewritten.empty())
      return Error(ErrorCode::kBadData, target.table_.full_name + " is not a table whose rows can be changed");
    generator.refer_to(target.table_.full_name);
    std::vector<int> all;
    for (std::size_t i = 0; i < target.table_.columns.size(); ++i) {
      all.push_back(static_cast<int>(i));
      target.aliases_.push_back("k" + std::to_string(i));
    }
    static_cast<void>(target.table_.relation(all));  // its columns are read, and its snapshot is settled
    const auto& columns = scan.parent().column_list();
    if (scan.column_index_list_size() != columns.size())
      return Error(ErrorCode::kBug, "a table scan without its column indexes");
    for (int i = 0; i < columns.size(); ++i)
      target.aliases_.at(static_cast<std::size_t>(scan.column_index_list(i))) = column_alias(columns[i]);
    return target;
  }

  const CatalogTable& table() const { return table_; }
  const std::vector<std::string>& aliases() const { return aliases_; }
  // A relation with all columns, and the row's id as t_row.
  std::string relation(SelectNames& names) const {
    std::string items = "rowid AS t_row";
    for (std::size_t i = 0; i < aliases_.size(); ++i)
      items += ", " + quote_name(table_.columns[i].physical_name) + " AS " + aliases_[i];
    return "(SELECT " + items + " FROM " + table_.rewritten + ") AS " + names.next();
  }
  Result<std::size_t> index_of(const std::string& name) const {
    for (std::size_t i = 0; i < table_.columns.size(); ++i)
      if (strcasecmp(table_.columns[i].name.c_str(), name.c_str()) == 0) return i;
    return Error(ErrorCode::kBug, "a statement changes a column that is not there");
  }

 private:
  explicit Target(const CatalogTable& table) : table_(table) {}
  const CatalogTable& table_;
  std::vector<std::string> aliases_;
};

// What happens to a pair of rows when one clause applies: the new row, column by column.
struct Action {
  RowAction kind = RowAction::kDelete;
  std::vector<std::string> values;
};

// The rows of a source with s_row, which is NULL where an outer join found none.
Result<std::string> source_relation(const zetasql::AnyResolvedScanProto& scan, Generator& generator) {
  TRY(Select source, generator.scan(scan));
  std::string items = "true AS s_row";
  for (const Item& item : source.items) items += ", " + item.alias;
  const std::string rows = relation(source, generator.names(), true);
  return "(SELECT " + items + " FROM " + rows + ") AS " + generator.names().next();
}

bool holds(const Message& message, const google::protobuf::Descriptor* wanted) {
  if (message.GetDescriptor() == wanted) return true;
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const Message& below = field->is_repeated() ? message.GetReflection()->GetRepeatedMessage(message, field, i)
                                                  : message.GetReflection()->GetMessage(message, field);
      if (holds(below, wanted)) return true;
    }
  }
  return false;
}

Result<std::string> typed(const zetasql::AnyResolvedExprProto& any, const Type& type, Generator& generator) {
  TRY(const std::string text, generator.expr(any));
  return "(" + text + ")::" + physical_type(type);
}

Result<Action> update_action(const UpdateItems& items, const Target& target, Generator& generator) {
  Action action{RowAction::kUpdate, target.aliases()};
  for (const zetasql::ResolvedUpdateItemProto& item : items) {
    if (item.delete_list_size() + item.update_list_size() + item.insert_list_size() > 0)
      return unsupported("nested DML in UPDATE");
    const auto* column = as<zetasql::ResolvedColumnRefProto>(unwrap(item.target()));
    if (column == nullptr || item.update_item_element_list_size() > 0 || item.has_element_column())
      return unsupported("UPDATE of a part of a column");
    TRY(const std::size_t index, target.index_of(column->column().name()));
    TRY(action.values[index], typed(item.set_value().value(), target.table().columns[index].type, generator));
  }
  return action;
}

Action delete_action(const Target& target) {
  Action action;
  for (const CatalogColumn& column : target.table().columns) action.values.push_back(null_sql(column.type));
  return action;
}

Result<Action> insert_action(const zetasql::ResolvedMergeWhenProto& when, const Target& target, Generator& generator) {
  Action action = delete_action(target);
  action.kind = RowAction::kInsert;
  if (when.insert_column_list_size() != when.insert_row().value_list_size())
    return Error(ErrorCode::kBug, "an INSERT of MERGE of another size than its columns");
  for (int i = 0; i < when.insert_column_list_size(); ++i) {
    TRY(const std::size_t index, target.index_of(when.insert_column_list(i).name()));
    TRY(action.values[index],
        typed(when.insert_row().value_list(i).value(), target.table().columns[index].type, generator));
  }
  return action;
}

// `pairs` has all columns, t_row, and in `act` the number of the clause that applies, or NULL.
Status finish(const std::string& pairs, const std::vector<Action>& actions, const Target& target, Generator& generator,
              Rewrite& out) {
  const auto choose = [&](const auto& text_of) {
    std::string text = "CASE act";
    for (std::size_t k = 0; k < actions.size(); ++k)
      text += " WHEN " + std::to_string(k) + " THEN " + text_of(actions[k]);
    return text + " END";
  };
  const auto& columns = target.table().columns;
  const auto code = [](const Action& action) { return std::to_string(static_cast<int>(action.kind)); };
  std::string values = "t_row AS r, " + choose(code) + " AS a", stored = "r, a", fitting = "r, a";
  for (std::size_t i = 0; i < columns.size() && !columns[i].is_pseudo; ++i) {  // pseudo columns are the last ones
    const std::string v = "v" + std::to_string(i), o = "o" + std::to_string(i);
    values += ", " + choose([i](const Action& action) { return action.values[i]; }) + " AS " + v;
    stored += ", " + stored_value(columns[i].name, columns[i].type, v) + " AS " + o;
    TRY(const std::string text, fitted(o, columns[i].type));
    fitting += ", " + text + " AS " + o;
  }
  SelectNames& names = generator.names();
  out.table = target.table().full_name;
  out.sql = "SELECT " + fitting + " FROM (SELECT " + stored + " FROM (SELECT " + values + " FROM (" + pairs + ") AS " +
            names.next() + " WHERE act IS NOT NULL) AS " + names.next() + ") AS " + names.next();
  return ok();
}

Error needs_where(const char* statement) {
  return Error(ErrorCode::kBadData, std::string(statement) + " must have a WHERE clause");
}

// The conditions of the clauses of one kind, in their order.
struct Branch {
  std::string text;
  void add(const std::string& condition, std::size_t number) {
    text += " WHEN " + condition + " THEN " + std::to_string(number);
  }
  std::string sql() const { return text.empty() ? "NULL" : "CASE" + text + " END"; }
};

}  // namespace

Status update_statement(const zetasql::ResolvedUpdateStmtProto& node, const TableMap& tables, Generator& generator,
                        Translation& out) {
  out.kind = StatementKind::kUpdate;
  if (node.has_returning()) return unsupported("UPDATE with THEN RETURN");
  if (node.has_assert_rows_modified()) return unsupported("ASSERT_ROWS_MODIFIED");
  if (node.has_array_offset_column()) return unsupported("nested DML in UPDATE");
  if (!node.has_where_expr()) return needs_where("UPDATE");
  TRY(const Target target, Target::make(node.table_scan(), tables, generator));
  std::string from = target.relation(generator.names());
  if (node.has_from_scan()) {
    TRY(const std::string source, source_relation(node.from_scan(), generator));
    from += " CROSS JOIN " + source;
  }
  TRY(const std::string condition, generator.expr(node.where_expr()));
  TRY(Action action, update_action(node.update_item_list(), target, generator));
  return finish("SELECT *, 0 AS act FROM " + from + " WHERE " + condition, {std::move(action)}, target, generator,
                out.rewrite);
}

Status delete_statement(const zetasql::ResolvedDeleteStmtProto& node, const TableMap& tables, Generator& generator,
                        Translation& out) {
  out.kind = StatementKind::kDelete;
  if (node.has_returning()) return unsupported("DELETE with THEN RETURN");
  if (node.has_assert_rows_modified()) return unsupported("ASSERT_ROWS_MODIFIED");
  if (node.has_array_offset_column()) return unsupported("nested DML");
  if (!node.has_where_expr()) return needs_where("DELETE");
  TRY(const Target target, Target::make(node.table_scan(), tables, generator));
  TRY(const std::string condition, generator.expr(node.where_expr()));
  return finish("SELECT *, 0 AS act FROM " + target.relation(generator.names()) + " WHERE " + condition,
                {delete_action(target)}, target, generator, out.rewrite);
}

Status merge_statement(const zetasql::ResolvedMergeStmtProto& node, const TableMap& tables, Generator& generator,
                       Translation& out) {
  out.kind = StatementKind::kMerge;
  TRY(const Target target, Target::make(node.table_scan(), tables, generator));
  TRY(const std::string source, source_relation(node.from_scan(), generator));
  TRY(const std::string condition, generator.expr(node.merge_expr()));
  std::vector<Action> actions;
  Branch matched, only_source, only_target;
  for (const zetasql::ResolvedMergeWhenProto& when : node.when_clause_list()) {
    std::string holds_for = "true";
    if (when.has_match_expr()) {
      TRY(holds_for, generator.expr(when.match_expr()));
    }
    switch (when.match_type()) {
      case Enums::MATCHED: matched.add(holds_for, actions.size()); break;
      case Enums::NOT_MATCHED_BY_TARGET: only_source.add(holds_for, actions.size()); break;
      default: only_target.add(holds_for, actions.size()); break;
    }
    switch (when.action_type()) {
      case Enums::INSERT: {
        TRY(Action action, insert_action(when, target, generator));
        actions.push_back(std::move(action));
        break;
      }
      case Enums::UPDATE: {
        TRY(Action action, update_action(when.update_item_list(), target, generator));
        actions.push_back(std::move(action));
        break;
      }
      default: actions.push_back(delete_action(target)); break;
    }
  }
  const bool keeps_source = !only_source.text.empty(), keeps_target = !only_target.text.empty();
  if ((keeps_source || keeps_target) && holds(node.merge_expr(), zetasql::ResolvedSubqueryExprProto::descriptor()))
    return unsupported("a subquery in the ON clause of MERGE");
  const char* join = keeps_source && keeps_target ? " FULL JOIN " : keeps_source ? " RIGHT JOIN " : " LEFT JOIN ";
  if (!keeps_source && !keeps_target) join = " INNER JOIN ";
  return finish("SELECT *, CASE WHEN t_row IS NULL THEN " + only_source.sql() + " WHEN s_row IS NULL THEN " +
                    only_target.sql() + " ELSE " + matched.sql() + " END AS act FROM " +
                    target.relation(generator.names()) + join + source + " ON " + condition,
                actions, target, generator, out.rewrite);
}

}  // namespace flytt::googlesql::internal
