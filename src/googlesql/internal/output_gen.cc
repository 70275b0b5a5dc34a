#include <set>
#include <utility>

#include "googlesql/internal/generator.h"
#include "googlesql/internal/types.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql::internal {

using data::Type;
using data::TypeKind;

namespace {

struct Output {
  std::string name;
  Type type;
  std::string sql;  // a column, or a field of one: cheap to repeat
};

// The condition under which `sql` holds an array with a NULL element, which results and tables cannot; empty = never.
std::string null_element_condition(const Type& type, const std::string& sql, int depth) {
  if (type.is(TypeKind::kArray)) {
    std::string out = "list_count(" + sql + ") < len(" + sql + ")";
    const std::string element = "e" + std::to_string(depth);
    const std::string inner = null_element_condition(type.element.front(), element, depth + 1);
    if (!inner.empty()) out += " OR len(list_filter(" + sql + ", lambda " + element + ": " + inner + ")) > 0";
    return "(" + out + ")";
  }
  if (!type.is(TypeKind::kStruct)) return "";
  std::string out;
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    const std::string field = "struct_extract(" + sql + ", 'f" + std::to_string(i) + "')";
    const std::string inner = null_element_condition(type.fields[i].type, field, depth);
    if (!inner.empty()) out += (out.empty() ? "" : " OR ") + inner;
  }
  return out.empty() ? out : "(" + out + ")";
}

std::string output_sql(const Output& output) { return stored_value(output.name, output.type, output.sql); }

Query finish(Select select, const std::vector<Output>& outputs, SelectNames& names) {
  Query query;
  std::vector<Item> items;
  for (const Output& output : outputs) {
    items.push_back({output_sql(output), "o" + std::to_string(items.size())});
    query.columns.push_back({output.name, output.type});
  }
  project(select, std::move(items), names);
  query.is_ordered = select.is_ordered();
  query.sql = select.render();
  return query;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

// f0_, f1_, … for columns without a name. In an answer a name that is there already becomes id_1, id_2, …; a table cannot
// have it twice.
Status settle_names(std::vector<Output>& outputs, bool is_table) {
  int anonymous = 0;
  std::set<std::string> taken;
  for (Output& output : outputs) {
    if (output.name.empty() || output.name.front() == '$') output.name = "f" + std::to_string(anonymous++) + "_";
    taken.insert(lower(output.name));
  }
  std::set<std::string> seen;
  std::string duplicates;
  for (Output& output : outputs) {
    if (seen.insert(lower(output.name)).second) continue;
    if (is_table) {
      duplicates += (duplicates.empty() ? "" : ", ") + output.name;
      continue;
    }
    int number = 1;
    while (!taken.insert(lower(output.name + "_" + std::to_string(number))).second) ++number;
    output.name += "_" + std::to_string(number);
    seen.insert(lower(output.name));
  }
  if (duplicates.empty()) return ok();
  return Error(ErrorCode::kBadData,
               "Duplicate column names in the result are not supported when a destination table is present. Found "
               "duplicate(s): " +
                   duplicates);
}

}  // namespace

std::string stored_value(const std::string& name, const Type& type, const std::string& sql) {
  const std::string physical = physical_type(type);
  std::string out = sql + "::" + physical;
  // A NULL array and an empty one are the same once they leave the query.
  if (type.is(TypeKind::kArray)) out = "coalesce(" + out + ", []::" + physical + ")";
  const std::string bad = null_element_condition(type, sql, 0);
  if (bad.empty()) return out;
  const std::string raise = raise_expression(type, "Array cannot have a null element; error in writing field " + name);
  return "CASE WHEN " + bad + " THEN " + raise + " ELSE " + out + " END";
}

Result<Query> Generator::query(const zetasql::AnyResolvedScanProto& scan_node,
                               const google::protobuf::RepeatedPtrField<zetasql::ResolvedOutputColumnProto>& list,
                               bool is_value_table) {
  TRY(Select select, scan(scan_node));
  std::vector<Output> outputs;
  for (const zetasql::ResolvedOutputColumnProto& column : list) {
    TRY(Type type, type_of(column.column().type()));
    const std::string alias = column_alias(column.column());
    if (!is_value_table || !type.is(TypeKind::kStruct)) {
      outputs.push_back({column.name(), std::move(type), alias});
      continue;
    }
    // SELECT AS STRUCT at the top: the fields become the columns.
    for (std::size_t i = 0; i < type.fields.size(); ++i)
      outputs.push_back(
          {type.fields[i].name, type.fields[i].type, "struct_extract(" + alias + ", 'f" + std::to_string(i) + "')"});
  }
  TRY_STATUS(settle_names(outputs, options_.is_for_table));
  return finish(std::move(select), outputs, names_);
}

Result<Query> Generator::columns_of(const zetasql::AnyResolvedScanProto& scan_node,
                                    const std::vector<const zetasql::ResolvedColumnProto*>& columns,
                                    const std::vector<Type>& types) {
  TRY(Select select, scan(scan_node));
  std::vector<Output> outputs;
  for (std::size_t i = 0; i < columns.size(); ++i)
    outputs.push_back({columns[i]->name(), types[i], column_alias(*columns[i])});
  return finish(std::move(select), outputs, names_);
}

}  // namespace flytt::googlesql::internal
