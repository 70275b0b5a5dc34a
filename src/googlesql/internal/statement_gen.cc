#include "googlesql/internal/statement_gen.h"

#include <utility>

#include "googlesql/internal/dml_gen.h"
#include "googlesql/internal/types.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql::internal {

using data::Type;
using data::TypeKind;
using google::protobuf::RepeatedPtrField;

namespace {

std::vector<std::string> path_of(const RepeatedPtrField<std::string>& parts) { return {parts.begin(), parts.end()}; }

CreateMode mode_of(const zetasql::ResolvedCreateStatementProto& create) {
  switch (create.create_mode()) {
    case zetasql::ResolvedCreateStatementEnums::CREATE_OR_REPLACE: return CreateMode::kReplace;
    case zetasql::ResolvedCreateStatementEnums::CREATE_IF_NOT_EXISTS: return CreateMode::kIfNotExists;
    default: return CreateMode::kError;
  }
}

std::string source_text(std::string_view sql, const zetasql::AnyResolvedExprProto& expr) {
  const zetasql::ParseLocationRangeProto& place = base<zetasql::ResolvedNodeProto>(expr).parse_location_range();
  if (!place.has_start() || place.start() < 0 || place.end() <= place.start() ||
      static_cast<std::size_t>(place.end()) > sql.size())
    return "";
  return std::string(
      sql.substr(static_cast<std::size_t>(place.start()), static_cast<std::size_t>(place.end() - place.start())));
}

std::vector<TableOption> options_of(std::string_view sql, const RepeatedPtrField<zetasql::ResolvedOptionProto>& list) {
  std::vector<TableOption> out;
  for (const zetasql::ResolvedOptionProto& option : list) {
    std::string name = option.name();
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    out.push_back({std::move(name), source_text(sql, option.value())});
  }
  return out;
}

// Parameters and NOT NULL stand in a tree beside the type: one child for an array, one for each field of a struct.
void apply_annotations(Type& type, const zetasql::ResolvedColumnAnnotationsProto& annotations) {
  apply_parameters(type, annotations.type_parameters());
  for (int i = 0; i < annotations.child_list_size(); ++i) {
    if (type.is(TypeKind::kArray) && i == 0) apply_annotations(type.element.front(), annotations.child_list(i));
    if (type.is(TypeKind::kStruct) && static_cast<std::size_t>(i) < type.fields.size())
      apply_annotations(type.fields[static_cast<std::size_t>(i)].type, annotations.child_list(i));
  }
}

Result<data::Field> field_of(const zetasql::ResolvedColumnDefinitionProto& column) {
  if (column.has_default_value()) return unsupported("DEFAULT of a column");
  if (column.has_generated_column_info()) return unsupported("a generated column");
  if (column.annotations().has_collation_name()) return unsupported("COLLATE of a column");
  data::Field field;
  field.name = column.name();
  TRY(field.type, type_of(column.type()));
  apply_annotations(field.type, column.annotations());
  field.required = column.annotations().not_null() && !field.type.is(TypeKind::kArray);
  for (const zetasql::ResolvedOptionProto& option : column.annotations().option_list()) {
    const auto* literal = as<zetasql::ResolvedLiteralProto>(unwrap(option.value()));
    if (strcasecmp(option.name().c_str(), "description") == 0 && literal != nullptr)
      field.description = literal->value().value().string_value();
  }
  return field;
}

// The analyzer writes its pseudo columns in lower case.
std::string partition_name(const std::string& name) {
  for (const char* pseudo : {"_PARTITIONTIME", "_PARTITIONDATE"})
    if (strcasecmp(pseudo, name.c_str()) == 0) return pseudo;
  return name;
}

// RANGE_BUCKET(column, GENERATE_ARRAY(start, end[, step])) over constants.
Status range_partition(const zetasql::AnyResolvedExprProto& buckets, CreateTable& out) {
  out.partition_unit = "RANGE";
  const auto* array = as<zetasql::ResolvedFunctionCallProto>(unwrap(buckets));
  if (array == nullptr || array->parent().function().name() != "ZetaSQL:generate_array")
    return unsupported("PARTITION BY RANGE_BUCKET without GENERATE_ARRAY");
  std::vector<std::int64_t> numbers;
  for (const zetasql::AnyResolvedExprProto& any : array->parent().argument_list()) {
    const auto* literal = as<zetasql::ResolvedLiteralProto>(unwrap(any));
    if (literal == nullptr || !literal->value().value().has_int64_value())
      return unsupported("PARTITION BY RANGE_BUCKET over something else than constants");
    numbers.push_back(literal->value().value().int64_value());
  }
  if (numbers.size() == 2) numbers.push_back(1);
  if (numbers.size() != 3 || numbers[2] <= 0 || numbers[1] <= numbers[0])
    return Error(ErrorCode::kBadData, "PARTITION BY RANGE_BUCKET needs a start below its end and a positive interval");
  out.range_start = numbers[0];
  out.range_end = numbers[1];
  out.range_step = numbers[2];
  return ok();
}

// PARTITION BY: a column, DATE(column), TRUNC(column, unit) or RANGE_BUCKET(column, …).
Status partition_of(const RepeatedPtrField<zetasql::AnyResolvedExprProto>& list, CreateTable& out) {
  if (list.empty()) return ok();
  if (list.size() > 1) return Error(ErrorCode::kBadData, "Only one expression is allowed in PARTITION BY");
  const Message& node = unwrap(list[0]);
  out.partition_unit = "DAY";
  if (const auto* column = as<zetasql::ResolvedColumnRefProto>(node)) {
    out.partition_column = partition_name(column->column().name());
    return ok();
  }
  const auto* call = as<zetasql::ResolvedFunctionCallProto>(node);
  if (call == nullptr || call->parent().argument_list_size() == 0) return unsupported("this PARTITION BY expression");
  const std::string& name = call->parent().function().name();
  const auto* column = as<zetasql::ResolvedColumnRefProto>(unwrap(call->parent().argument_list(0)));
  if (column == nullptr) return unsupported("this PARTITION BY expression");
  out.partition_column = partition_name(column->column().name());
  if (name == "ZetaSQL:date") return ok();
  if (call->parent().argument_list_size() < 2) return unsupported("this PARTITION BY expression");
  if (name == "ZetaSQL:range_bucket") return range_partition(call->parent().argument_list(1), out);
  const auto* unit = as<zetasql::ResolvedLiteralProto>(unwrap(call->parent().argument_list(1)));
  switch (unit == nullptr ? 0 : unit->value().value().enum_value()) {  // zetasql.functions.DateTimestampPart
    case 1: out.partition_unit = "YEAR"; return ok();
    case 2: out.partition_unit = "MONTH"; return ok();
    case 3: return ok();
    case 7: out.partition_unit = "HOUR"; return ok();
    default: return unsupported("this PARTITION BY expression");
  }
}

Status create_table_base(const zetasql::ResolvedCreateTableStmtBaseProto& node, std::string_view sql,
                         CreateTable& out) {
  const zetasql::ResolvedCreateStatementProto& create = node.parent();
  out.path = path_of(create.name_path());
  out.mode = mode_of(create);
  out.is_temporary = create.create_scope() == zetasql::ResolvedCreateStatementEnums::CREATE_TEMP;
  if (!node.like_table().name().empty()) return unsupported("CREATE TABLE LIKE");
  if (node.has_connection()) return unsupported("CREATE TABLE WITH CONNECTION");
  if (node.has_collation_name()) return unsupported("DEFAULT COLLATE of a table");
  out.options = options_of(sql, node.option_list());
  for (const zetasql::ResolvedColumnDefinitionProto& column : node.column_definition_list()) {
    TRY(data::Field field, field_of(column));
    out.schema.fields.push_back(std::move(field));
  }
  for (const std::string& name : node.primary_key().column_name_list()) {
    const auto index = out.schema.find(name);
    if (!index) return Error(ErrorCode::kBadData, "Primary key column " + name + " does not exist");
    out.schema.key.push_back(*index);
  }
  return ok();
}

Status clustering_of(const RepeatedPtrField<zetasql::AnyResolvedExprProto>& list, CreateTable& out) {
  for (const zetasql::AnyResolvedExprProto& any : list) {
    const auto* column = as<zetasql::ResolvedColumnRefProto>(unwrap(any));
    if (column == nullptr) return unsupported("CLUSTER BY over an expression");
    out.clustering.push_back(column->column().name());
  }
  return ok();
}

Status create_table(const zetasql::ResolvedCreateTableStmtProto& node, std::string_view sql, Translation& out) {
  out.kind = StatementKind::kCreateTable;
  if (node.has_clone_from()) return unsupported("CREATE TABLE CLONE");
  if (node.has_copy_from()) return unsupported("CREATE TABLE COPY");
  TRY_STATUS(create_table_base(node.parent(), sql, out.create_table));
  TRY_STATUS(partition_of(node.partition_by_list(), out.create_table));
  return clustering_of(node.cluster_by_list(), out.create_table);
}

Type without_parameters(Type type) {
  type.precision = type.scale = 0;
  type.max_length = 0;
  for (Type& element : type.element) element = without_parameters(element);
  for (data::StructField& field : type.fields) field.type = without_parameters(field.type);
  return type;
}

}  // namespace

Result<std::string> fitted(const std::string& sql, const Type& to) {
  CastCall cast;
  cast.from = without_parameters(to);
  if (cast.from == to) return sql;
  cast.to = to;
  cast.sql = sql;
  return render_cast(cast);
}

namespace {

Status fit_query(Query& query, const std::vector<Type>& types) {
  std::string items;
  bool any = false;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string name = "o" + std::to_string(i);
    TRY(const std::string text, fitted(name, types[i]));
    any = any || text != name;
    items += (i > 0 ? ", " : "") + (text == name ? name : text + " AS " + name);
    query.columns[i].type = types[i];
  }
  if (any) query.sql = "SELECT " + items + " FROM (" + query.sql + ") AS q";
  return ok();
}

Status create_table_as(const zetasql::ResolvedCreateTableAsSelectStmtProto& node, std::string_view sql,
                       Generator& generator, Translation& out) {
  out.kind = StatementKind::kCreateTable;
  TRY_STATUS(create_table_base(node.parent(), sql, out.create_table));
  TRY_STATUS(partition_of(node.partition_by_list(), out.create_table));
  TRY_STATUS(clustering_of(node.cluster_by_list(), out.create_table));
  TRY(Query query, generator.query(node.query(), node.output_column_list(), node.parent().is_value_table()));
  if (out.create_table.schema.fields.empty())
    for (const OutputColumn& column : query.columns)
      out.create_table.schema.fields.push_back({column.name, column.type, false, ""});
  if (out.create_table.schema.fields.size() != query.columns.size())
    return unsupported("CREATE TABLE AS of a value table with columns");
  std::vector<Type> types;
  for (const data::Field& field : out.create_table.schema.fields) types.push_back(field.type);
  TRY_STATUS(fit_query(query, types));
  out.create_table.query = std::move(query);
  return ok();
}

Status drop(const zetasql::ResolvedDropStmtProto& node, Translation& out) {
  if (strcasecmp(node.object_type().c_str(), "TABLE") == 0) {
    out.kind = StatementKind::kDropTable;
    out.drop_table = {path_of(node.name_path()), node.is_if_exists()};
    return ok();
  }
  if (strcasecmp(node.object_type().c_str(), "SCHEMA") == 0) {
    out.kind = StatementKind::kDropSchema;
    out.drop_schema = {path_of(node.name_path()), node.is_if_exists(),
                       node.drop_mode() == zetasql::ResolvedDropStmtEnums::CASCADE};
    return ok();
  }
  return unsupported("DROP " + node.object_type());
}

// VALUES (…), (…): a query over constant rows.
Result<Query> insert_rows(const zetasql::ResolvedInsertStmtProto& node, const std::vector<std::string>& names,
                          const std::vector<Type>& types, Generator& generator) {
  std::string rows;
  for (const zetasql::ResolvedInsertRowProto& row : node.row_list()) {
    if (static_cast<std::size_t>(row.value_list_size()) != types.size())
      return Error(ErrorCode::kBug, "an INSERT row of another size than its columns");
    std::string text;
    for (int i = 0; i < row.value_list_size(); ++i) {
      TRY(const std::string value, generator.expr(row.value_list(i).value()));
      text += (i > 0 ? ", " : "") + value + "::" + physical_type(types[static_cast<std::size_t>(i)]);
    }
    rows += (rows.empty() ? "(" : ", (") + text + ")";
  }
  Query query;
  std::string list, items;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string name = "o" + std::to_string(i);
    const bool may_be_array = types[i].is(TypeKind::kArray) || types[i].is(TypeKind::kStruct);
    list += (i > 0 ? ", " : "") + name;
    items += (i > 0 ? ", " : "") + (may_be_array ? stored_value(names[i], types[i], name) + " AS " + name : name);
    query.columns.push_back({"", types[i]});
  }
  query.sql = "SELECT " + items + " FROM (VALUES " + rows + ") AS v(" + list + ")";
  return query;
}

Status insert(const zetasql::ResolvedInsertStmtProto& node, const TableMap& tables, Generator& generator,
              Translation& out) {
  out.kind = StatementKind::kInsert;
  if (node.has_returning()) return unsupported("INSERT with THEN RETURN");
  if (node.has_on_conflict_clause() || node.insert_mode() != zetasql::ResolvedInsertStmtEnums::OR_ERROR)
    return unsupported("INSERT OR …");
  if (node.has_assert_rows_modified()) return unsupported("ASSERT_ROWS_MODIFIED");
  const auto found = tables.find(node.table_scan().table().full_name());
  if (found == tables.end()) return Error(ErrorCode::kBug, "the SQL analyzer named a table that it was not given");
  const CatalogTable& table = found->second;
  generator.refer_to(table.full_name);
  out.insert.table = table.full_name;
  std::vector<Type> plain, declared;
  std::vector<std::string> names;
  for (const zetasql::ResolvedColumnProto& column : node.insert_column_list()) {
    std::size_t index = 0;
    while (index < table.columns.size() && strcasecmp(table.columns[index].name.c_str(), column.name().c_str()) != 0)
      ++index;
    if (index == table.columns.size()) return Error(ErrorCode::kBug, "an INSERT into a column that is not there");
    out.insert.columns.push_back(static_cast<std::uint32_t>(index));
    TRY(Type type, type_of(column.type()));
    plain.push_back(std::move(type));
    declared.push_back(table.columns[index].type);
    names.push_back(table.columns[index].name);
  }
  if (node.has_query()) {
    std::vector<const zetasql::ResolvedColumnProto*> columns;
    for (const zetasql::ResolvedColumnProto& column : node.query_output_column_list()) columns.push_back(&column);
    if (columns.size() != plain.size())
      return Error(ErrorCode::kBug, "an INSERT query of another size than its columns");
    TRY(out.insert.query, generator.columns_of(node.query(), columns, plain));
  } else {
    TRY(out.insert.query, insert_rows(node, names, plain, generator));
  }
  for (std::size_t i = 0; i < declared.size(); ++i)
    out.insert.query.columns[i].name = table.columns[out.insert.columns[i]].name;
  return fit_query(out.insert.query, declared);
}

// "UpdateStmt" → "UPDATE", for a message.
std::string statement_name(const Message& node) {
  std::string out;
  std::string name = node_name(node);
  if (name.size() > 4 && name.compare(name.size() - 4, 4, "Stmt") == 0) name.resize(name.size() - 4);
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z' && !out.empty()) out += ' ';
    out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return out;
}

}  // namespace

Status generate_statement(const zetasql::AnyResolvedStatementProto& any, std::string_view sql, const TableMap& tables,
                          const TranslateOptions& options, Translation& out) {
  Generator generator(tables, options);
  const Message& node = unwrap(any);
  const auto generate = [&]() -> Status {
    if (const auto* n = as<zetasql::ResolvedQueryStmtProto>(node)) {
      out.kind = StatementKind::kQuery;
      TRY(out.query, generator.query(n->query(), n->output_column_list(), n->is_value_table()));
      return ok();
    }
    if (const auto* n = as<zetasql::ResolvedCreateTableStmtProto>(node)) return create_table(*n, sql, out);
    if (const auto* n = as<zetasql::ResolvedCreateTableAsSelectStmtProto>(node))
      return create_table_as(*n, sql, generator, out);
    if (const auto* n = as<zetasql::ResolvedInsertStmtProto>(node)) return insert(*n, tables, generator, out);
    if (const auto* n = as<zetasql::ResolvedUpdateStmtProto>(node)) return update_statement(*n, tables, generator, out);
    if (const auto* n = as<zetasql::ResolvedDeleteStmtProto>(node)) return delete_statement(*n, tables, generator, out);
    if (const auto* n = as<zetasql::ResolvedMergeStmtProto>(node)) return merge_statement(*n, tables, generator, out);
    if (const auto* n = as<zetasql::ResolvedDropStmtProto>(node)) return drop(*n, out);
    if (const auto* n = as<zetasql::ResolvedCreateSchemaStmtProto>(node)) {
      out.kind = StatementKind::kCreateSchema;
      if (n->has_collation_name()) return unsupported("DEFAULT COLLATE of a schema");
      const zetasql::ResolvedCreateStatementProto& create = n->parent().parent();
      out.create_schema = {path_of(create.name_path()), mode_of(create), options_of(sql, n->parent().option_list())};
      return ok();
    }
    return unsupported("the statement " + statement_name(node));
  };
  TRY_STATUS(generate());
  out.referenced_tables = generator.referenced_tables();
  return ok();
}

}  // namespace flytt::googlesql::internal
