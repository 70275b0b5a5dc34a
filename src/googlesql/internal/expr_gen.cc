#include <utility>

#include "googlesql/internal/generator.h"
#include "googlesql/internal/types.h"
#include "googlesql/limits.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql::internal {

using data::Type;
using data::TypeKind;

namespace {

constexpr std::string_view kGroup = "ZetaSQL:";

// Functions of the moment: all rows of a statement see the same one.
bool is_moment(std::string_view name) {
  return name == "ZetaSQL:current_timestamp" || name == "ZetaSQL:current_date" || name == "ZetaSQL:current_datetime" ||
         name == "ZetaSQL:current_time";
}

bool contains_kind(const Type& type, TypeKind kind) {
  if (type.is(kind)) return true;
  for (const Type& element : type.element)
    if (contains_kind(element, kind)) return true;
  for (const data::StructField& field : type.fields)
    if (contains_kind(field.type, kind)) return true;
  return false;
}

// BigQuery knows one collation, and the empty one.
Status check_collation(const std::string& name) {
  if (name.empty() || name == "und:ci") return ok();
  return Error(ErrorCode::kBadData, "Collation '" + name + "' in collate function is not supported.");
}

// What a message calls a function: "SUM" for "ZetaSQL:sum".
std::string shown_name(std::string name) {
  if (name.rfind(kGroup, 0) == 0) name.erase(0, kGroup.size());
  for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

}  // namespace

Result<std::string> Generator::expr(const zetasql::AnyResolvedExprProto& any) {
  if (++depth_ > kNestingMax) return unsupported("an expression nested this deeply");
  Result<std::string> made = dispatch_expr(unwrap(any), any);
  --depth_;
  if (made && made->size() > kGeneratedBytesMax) return unsupported("a statement this large");
  return made;
}

Result<std::string> Generator::dispatch_expr(const Message& node, const zetasql::AnyResolvedExprProto& any) {
  if (const auto* n = as<zetasql::ResolvedColumnRefProto>(node)) {
    const auto substitute = substitutes_.find(n->column().column_id());
    return substitute == substitutes_.end() ? column_alias(n->column()) : substitute->second;
  }
  if (const auto* n = as<zetasql::ResolvedLiteralProto>(node)) return literal(*n);
  if (const auto* n = as<zetasql::ResolvedParameterProto>(node)) return parameter(*n);
  if (const auto* n = as<zetasql::ResolvedFunctionCallProto>(node)) return function_call(*n);
  if (const auto* n = as<zetasql::ResolvedCastProto>(node)) return cast(*n);
  if (const auto* n = as<zetasql::ResolvedMakeStructProto>(node)) return make_struct(*n);
  if (const auto* n = as<zetasql::ResolvedGetStructFieldProto>(node)) return struct_field(*n);
  if (const auto* n = as<zetasql::ResolvedGetJsonFieldProto>(node)) return json_field(*n);
  if (const auto* n = as<zetasql::ResolvedSubqueryExprProto>(node)) return subquery(*n);
  if (const auto* n = as<zetasql::ResolvedWithExprProto>(node)) return with_expr(*n);
  if (as<zetasql::ResolvedDMLDefaultProto>(node) != nullptr) {
    TRY(const Type type, type_of(expr_type(any)));
    return null_sql(type);
  }
  if (const auto* n = as<zetasql::ResolvedSystemVariableProto>(node)) {
    std::string name = "the system variable @@";
    for (const std::string& part : n->name_path()) name += (&part == &*n->name_path().begin() ? "" : ".") + part;
    return unsupported(name);
  }
  return unsupported("the expression " + node_name(node));
}

Result<std::string> Generator::literal(const zetasql::ResolvedLiteralProto& node) {
  TRY(const Type type, type_of(node.value().type()));
  return literal_sql(type, node.value().value());
}

Result<std::string> Generator::parameter(const zetasql::ResolvedParameterProto& node) {
  TRY(const Type type, type_of(node.parent().type()));
  if (node.name().empty()) {
    const auto index = static_cast<std::size_t>(node.position()) - 1;
    if (index >= options_.parameters.size()) return Error(ErrorCode::kBug, "a query parameter without a value");
    return parameter_sql("", type, options_.parameters[index].value);
  }
  for (const QueryParameter& given : options_.parameters)
    if (strcasecmp(given.name.c_str(), node.name().c_str()) == 0) return parameter_sql(node.name(), type, given.value);
  return Error(ErrorCode::kBug, "a query parameter without a value");
}

Result<CallArgument> Generator::call_argument(const zetasql::AnyResolvedExprProto& any) {
  CallArgument argument;
  const Message& node = unwrap(any);
  const auto* constant = as<zetasql::ResolvedLiteralProto>(node);
  const zetasql::TypeProto& type = expr_type(any);
  if (constant != nullptr) {
    const zetasql::ValueProto& value = constant->value().value();
    argument.is_null = value.value_case() == zetasql::ValueProto::VALUE_NOT_SET;
    if (type.type_kind() == zetasql::TYPE_ENUM) {
      if (argument.is_null) return unsupported("NULL for a keyword argument");
      argument.enum_value = value.enum_value();
      return argument;
    }
    if (value.has_string_value()) argument.literal = value.string_value();
    if (value.has_bytes_value()) argument.literal = value.bytes_value();
  }
  TRY(argument.type, type_of(type));
  TRY(argument.sql, expr(any));
  return argument;
}

Result<CallArgument> Generator::lambda_argument(const zetasql::ResolvedInlineLambdaProto& lambda) {
  CallArgument argument;
  for (const zetasql::ResolvedColumnProto& column : lambda.argument_list())
    argument.lambda_names.push_back(column_alias(column));
  TRY(argument.type, type_of(expr_type(lambda.body())));
  TRY(argument.sql, expr(lambda.body()));
  return argument;
}

Result<FunctionCall> Generator::call_of(const zetasql::ResolvedFunctionCallBaseProto& node) {
  FunctionCall call;
  call.name = node.function().name();
  call.context_id = static_cast<int>(node.signature().context_id());
  call.safe = node.error_mode() == zetasql::ResolvedFunctionCallBaseEnums::SAFE_ERROR_MODE;
  TRY(call.result, type_of(node.parent().type()));
  for (const zetasql::AnyResolvedExprProto& any : node.argument_list()) {
    TRY(CallArgument argument, call_argument(any));
    call.arguments.push_back(std::move(argument));
  }
  for (const zetasql::ResolvedFunctionArgumentProto& generic : node.generic_argument_list()) {
    if (generic.has_expr()) {
      TRY(CallArgument argument, call_argument(generic.expr()));
      call.arguments.push_back(std::move(argument));
    } else if (generic.has_inline_lambda()) {
      TRY(CallArgument argument, lambda_argument(generic.inline_lambda()));
      call.arguments.push_back(std::move(argument));
    } else {
      return unsupported(shown_name(node.function().name()) + " with such an argument");
    }
  }
  if (call.name == "ZetaSQL:collate" && call.arguments.size() == 2 && call.arguments[1].literal)
    TRY_STATUS(check_collation(*call.arguments[1].literal));
  for (const zetasql::ResolvedCollationProto& collation : node.collation_list())
    if (!collation.collation_name().empty() || collation.child_list_size() > 0)
      return unsupported(shown_name(node.function().name()) + " with collation");
  return call;
}

Result<std::string> Generator::function_call(const zetasql::ResolvedFunctionCallProto& node) {
  TRY(FunctionCall call, call_of(node.parent()));
  if (!is_moment(call.name)) return render_call(call);
  const std::string moment = timestamp_sql(options_.now_micros);
  if (call.name == "ZetaSQL:current_timestamp") return moment;
  // CURRENT_DATE([zone]) = DATE(now, zone), and so for DATETIME and TIME.
  FunctionCall taken;
  taken.name = call.name == "ZetaSQL:current_date"   ? "ZetaSQL:date"
               : call.name == "ZetaSQL:current_time" ? "ZetaSQL:time"
                                                     : "ZetaSQL:datetime";
  taken.result = call.result;
  taken.safe = call.safe;
  CallArgument now;
  now.type = TypeKind::kTimestamp;
  now.sql = moment;
  taken.arguments.push_back(std::move(now));
  if (!call.arguments.empty()) taken.arguments.push_back(std::move(call.arguments.front()));
  return render_call(taken);
}

Result<std::string> Generator::cast(const zetasql::ResolvedCastProto& node) {
  CastCall call;
  if (node.has_extended_cast()) return unsupported("a cast of an extended type");
  if (!node.type_modifiers().collation().collation_name().empty()) return unsupported("CAST with collation");
  TRY(call.from, type_of(expr_type(node.expr())));
  TRY(call.to, type_of(node.parent().type()));
  apply_parameters(call.to, node.type_modifiers().type_parameters());
  TRY(call.sql, expr(node.expr()));
  call.safe = node.return_null_on_error();
  if (node.has_format()) {
    TRY(call.format, expr(node.format()));
  }
  if (node.has_time_zone()) {
    TRY(call.time_zone, expr(node.time_zone()));
  }
  return render_cast(call);
}

Result<std::string> Generator::make_struct(const zetasql::ResolvedMakeStructProto& node) {
  if (node.field_list_size() == 0) return unsupported("a STRUCT without fields");
  std::string out = "struct_pack(";
  for (int i = 0; i < node.field_list_size(); ++i) {
    TRY(const std::string field, expr(node.field_list(i)));
    out += (i > 0 ? ", f" : "f") + std::to_string(i) + " := " + field;
  }
  return out + ")";
}

Result<std::string> Generator::struct_field(const zetasql::ResolvedGetStructFieldProto& node) {
  TRY(const std::string whole, expr(node.expr()));
  return "struct_extract(" + whole + ", 'f" + std::to_string(node.field_idx()) + "')";
}

// json.field is json['field'].
Result<std::string> Generator::json_field(const zetasql::ResolvedGetJsonFieldProto& node) {
  FunctionCall call;
  call.name = "ZetaSQL:$subscript";
  call.result = TypeKind::kJson;
  CallArgument json, name;
  json.type = TypeKind::kJson;
  TRY(json.sql, expr(node.expr()));
  name.type = TypeKind::kString;
  name.sql = quote_text(node.field_name());
  name.literal = node.field_name();
  call.arguments.push_back(std::move(json));
  call.arguments.push_back(std::move(name));
  return render_call(call);
}

// WITH(a AS x, b AS f(a), g(a, b)): a chain of one-row selects, innermost the first assignment.
Result<std::string> Generator::with_expr(const zetasql::ResolvedWithExprProto& node) {
  std::string from;
  std::vector<std::int64_t> substituted;
  for (const zetasql::ResolvedComputedColumnProto& assignment : node.assignment_list()) {
    TRY(std::string text, expr(assignment.expr()));
    const Message& value = unwrap(assignment.expr());
    if (as<zetasql::ResolvedColumnRefProto>(value) != nullptr || as<zetasql::ResolvedLiteralProto>(value) != nullptr ||
        as<zetasql::ResolvedParameterProto>(value) != nullptr) {
      substitutes_[assignment.column().column_id()] = std::move(text);
      substituted.push_back(assignment.column().column_id());
      continue;
    }
    const std::string alias = column_alias(assignment.column());
    from = from.empty() ? "(SELECT " + text + " AS " + alias + ") AS " + names_.next()
                        : "(SELECT *, " + text + " AS " + alias + " FROM " + from + ") AS " + names_.next();
  }
  Result<std::string> body = expr(node.expr());
  for (const std::int64_t id : substituted) substitutes_.erase(id);
  if (!body || from.empty()) return body;
  return "(SELECT " + *body + " FROM " + from + ")";
}

Result<std::string> Generator::subquery(const zetasql::ResolvedSubqueryExprProto& node) {
  using zetasql::ResolvedSubqueryExprEnums;
  const bool is_array = node.subquery_type() == ResolvedSubqueryExprEnums::ARRAY;
  const bool outer = std::exchange(wants_natural_order_, is_array);
  Result<std::string> made = std::string();
  switch (node.subquery_type()) {
    case ResolvedSubqueryExprEnums::ARRAY: made = array_subquery(node); break;
    case ResolvedSubqueryExprEnums::IN: made = in_subquery(node); break;
    case ResolvedSubqueryExprEnums::SCALAR: {
      auto select = scan(node.subquery());
      if (select)
        made = "(" + select->render() + ")";
      else
        made = std::move(select).error();
      break;
    }
    case ResolvedSubqueryExprEnums::EXISTS: {
      auto select = scan(node.subquery());
      if (select)
        made = "EXISTS (" + select->render() + ")";
      else
        made = std::move(select).error();
      break;
    }
    default: made = unsupported("LIKE ANY or LIKE ALL over a subquery");
  }
  wants_natural_order_ = outer;
  return made;
}

// ARRAY(SELECT …): the elements in the subquery's order, or in that of the one array it reads.
Result<std::string> Generator::array_subquery(const zetasql::ResolvedSubqueryExprProto& node) {
  TRY(Select select, scan(node.subquery()));
  TRY(const Type type, type_of(node.parent().type()));
  const Columns& columns = base<zetasql::ResolvedScanProto>(node.subquery()).column_list();
  if (columns.size() != 1) return Error(ErrorCode::kBug, "an ARRAY subquery of several columns");
  if (select.is_aggregate) select = nested(std::move(select), names_);
  std::string element = column_alias(columns[0]);
  for (const Item& item : select.items)
    if (item.alias == column_alias(columns[0])) element = item.sql;
  std::string order = select.is_ordered() ? select.order_by : select.natural_order;
  if (select.is_limited()) {
    // The limit applies to rows, before they become one list. Sorting again keeps the order through the aggregation.
    if (!select.is_ordered() && !order.empty()) select.order_by = order;
    select.items = {{"row_number() OVER (" + (order.empty() ? std::string() : "ORDER BY " + order) + ")", "position"},
                    {element, "element"}};
    return "coalesce((SELECT list(element ORDER BY position) FROM (" + select.render() + ") AS " + names_.next() +
           "), []::" + physical_type(type) + ")";
  }
  select.items = {{"list(" + element + (order.empty() ? "" : " ORDER BY " + order) + ")", "elements"}};
  select.order_by.clear();
  return "coalesce((" + select.render() + "), []::" + physical_type(type) + ")";
}

Result<std::string> Generator::in_subquery(const zetasql::ResolvedSubqueryExprProto& node) {
  if (!node.in_collation().collation_name().empty()) return unsupported("IN with collation");
  TRY(const std::string value, expr(node.in_expr()));
  TRY(const Type type, type_of(expr_type(node.in_expr())));
  // DuckDB compares the inside of structs and arrays without three-valued logic.
  if (type.is(TypeKind::kStruct) || type.is(TypeKind::kArray) || type.is(TypeKind::kRange) ||
      contains_kind(type, TypeKind::kJson))
    return unsupported("IN (subquery) over " + type.sql_name());
  TRY(Select select, scan(node.subquery()));
  const Columns& columns = base<zetasql::ResolvedScanProto>(node.subquery()).column_list();
  if (columns.size() != 1) return Error(ErrorCode::kBug, "an IN subquery of several columns");
  // NaN equals nothing in GoogleSQL and itself in DuckDB.
  if (type.is(TypeKind::kFloat64)) add_where(select, "isnan(" + column_alias(columns[0]) + ") IS NOT TRUE", names_);
  return "(" + value + " IN (" + select.render() + "))";
}

}  // namespace flytt::googlesql::internal
