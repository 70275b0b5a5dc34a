#include "googlesql/functions/function_table.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql {

using base::Error;
using base::ErrorCode;
using data::TypeKind;

namespace internal {

char letter_of(const data::Type& type) {
  switch (type.kind) {
    case TypeKind::kInt64: return 'i';
    case TypeKind::kFloat64: return 'd';
    case TypeKind::kBool: return 'b';
    case TypeKind::kString: return 's';
    case TypeKind::kBytes: return 'y';
    case TypeKind::kDate: return 'D';
    case TypeKind::kTime: return 't';
    case TypeKind::kDatetime: return 'c';
    case TypeKind::kTimestamp: return 'T';
    case TypeKind::kNumeric: return 'n';
    case TypeKind::kBigNumeric: return 'N';
    case TypeKind::kJson: return 'j';
    case TypeKind::kInterval: return 'v';
    case TypeKind::kGeography: return 'g';
    case TypeKind::kArray: return 'a';
    case TypeKind::kStruct: return 'S';
    case TypeKind::kRange: return 'R';
  }
  return '?';
}

bool matches(std::string_view signature, const std::vector<CallArgument>& arguments) {
  std::size_t at = 0;
  for (const CallArgument& argument : arguments) {
    if (at < signature.size() && signature[at] == '+') --at;
    if (at >= signature.size() || !argument.lambda_names.empty()) return false;
    const char wanted = signature[at++];
    const char given = argument.enum_value ? 'p' : letter_of(argument.type);
    if (wanted != given && (wanted != '_' || given == 'p')) return false;
  }
  return at == signature.size() || (at + 1 == signature.size() && signature[at] == '+');
}

std::string safe_suffix(const FunctionCall& call) { return call.safe ? "_safe" : ""; }

namespace {
std::string argument_text(const CallArgument& argument) {
  return argument.enum_value ? std::to_string(*argument.enum_value) : argument.sql;
}
std::string after_aggregate(const AggregateParts& parts) {
  std::string text;
  if (!parts.filter.empty()) text += " FILTER (WHERE " + parts.filter + ")";
  if (!parts.over.empty()) text += " " + parts.over;
  return text;
}
}  // namespace

std::string expand(std::string_view sql, const FunctionCall& call) {
  std::string out;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] != '$' || i + 1 == sql.size()) {
      out.push_back(sql[i]);
      continue;
    }
    const char what = sql[++i];
    if (what >= '1' && what <= '9') {
      out += argument_text(call.arguments[static_cast<std::size_t>(what - '1')]);
    } else if (what == '*') {
      for (std::size_t a = 0; a < call.arguments.size(); ++a)
        out += (a > 0 ? ", " : "") + argument_text(call.arguments[a]);
    } else if (what == 's') {
      out += safe_suffix(call);
    } else if (what == 't') {
      out += physical_type(call.result);
    } else if (what == 'd') {
      out += call.parts.distinct ? "DISTINCT " : "";
    } else if (what == 'w') {
      out += after_aggregate(call.parts);
    } else if (what == 'o') {
      out += call.parts.order_by.empty() ? "" : " ORDER BY " + call.parts.order_by;
    }
  }
  return out;
}

namespace {
std::string upper_name(std::string_view name) {
  const std::size_t colon = name.find(':');
  std::string text(colon == std::string_view::npos ? name : name.substr(colon + 1));
  if (!text.empty() && text[0] == '$') text.erase(0, 1);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}
}  // namespace

Error unsupported_call(const FunctionCall& call, std::string_view why) {
  std::string types;
  for (const CallArgument& argument : call.arguments) {
    if (!types.empty()) types += ", ";
    types += argument.enum_value ? "…" : (argument.lambda_names.empty() ? argument.type.sql_name() : "lambda");
  }
  std::string sentence = "The function " + upper_name(call.name) + "(" + types + ")";
  if (!why.empty()) sentence += " " + std::string(why);
  return Error(ErrorCode::kUnsupported, sentence + " is not supported in this version of the embedded warehouse.");
}

bool is_simple(std::string_view sql) {
  if (sql.empty() || sql.size() > 48) return false;
  return std::all_of(sql.begin(), sql.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == ':';
  });
}

bool holds_float(const data::Type& type) {
  if (type.is(TypeKind::kFloat64)) return true;
  if (!type.element.empty()) return holds_float(type.element[0]);
  return std::any_of(type.fields.begin(), type.fields.end(),
                     [](const data::StructField& f) { return holds_float(f.type); });
}

std::optional<std::string> equality(const data::Type& type, const std::string& a, const std::string& b) {
  switch (type.kind) {
    case TypeKind::kArray:
    case TypeKind::kJson:
    case TypeKind::kGeography: return std::nullopt;
    case TypeKind::kFloat64: return "gs_equal_float(" + a + ", " + b + ")";
    case TypeKind::kStruct: {
      std::string text;
      for (std::size_t i = 0; i < type.fields.size(); ++i) {
        const std::string field = ").f" + std::to_string(i);
        const auto part = equality(type.fields[i].type, "(" + a + field, "(" + b + field);
        if (!part) return std::nullopt;
        text += (i > 0 ? " AND " : "") + *part;
      }
      if (text.empty()) return std::nullopt;
      return "(CASE WHEN (" + a + ") IS NULL OR (" + b + ") IS NULL THEN NULL ELSE " + text + " END)";
    }
    default: return "((" + a + ") = (" + b + "))";
  }
}

namespace {

struct Entry {
  std::vector<Shape> shapes;
  std::vector<Rule> rules;
  FunctionKind kind = FunctionKind::kScalar;
};

std::unordered_map<std::string_view, Entry> make_table() {
  std::vector<Rule> rules;
  add_operator_rules(rules);
  add_number_rules(rules);
  add_text_rules(rules);
  add_time_rules(rules);
  add_json_rules(rules);
  add_aggregate_rules(rules);
  std::vector<Shape> shapes;
  add_operator_shapes(shapes);
  add_array_shapes(shapes);
  add_time_shapes(shapes);
  add_json_shapes(shapes);
  add_aggregate_shapes(shapes);
  add_range_shapes(shapes);
  add_number_shapes(shapes);
  add_format_shapes(shapes);
  std::unordered_map<std::string_view, Entry> table;
  for (const Rule& rule : rules) {
    table[rule.name].rules.push_back(rule);
    table[rule.name].kind = rule.kind;
  }
  for (const Shape& shape : shapes) {
    table[shape.name].shapes.push_back(shape);
    table[shape.name].kind = shape.kind;
  }
  return table;
}

const Entry* find_entry(std::string_view name) {
  static const auto* const table = new std::unordered_map<std::string_view, Entry>(make_table());
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) return nullptr;
  const std::string_view group = name.substr(0, colon);
  if (group != "ZetaSQL" && group != "flytt") return nullptr;
  const auto found = table->find(name.substr(colon + 1));
  return found == table->end() ? nullptr : &found->second;
}

// A rule for aggregates carries only the parts that its text mentions.
bool carries(const Rule& rule, const FunctionCall& call) {
  const AggregateParts& parts = call.parts;
  const auto has = [&](std::string_view token) { return rule.sql.find(token) != std::string_view::npos; };
  if (rule.kind == FunctionKind::kScalar) return true;
  if (rule.grouped_only && !parts.over.empty()) return false;
  if (parts.distinct && !has("$d") && !rule.plain) return false;
  if ((!parts.filter.empty() || !parts.over.empty()) && !has("$w")) return false;
  if (!parts.order_by.empty() && !has("$o")) return false;
  return parts.limit.empty() && parts.having == AggregateParts::Having::kNone && parts.nulls == NullHandling::kDefault;
}

}  // namespace
}  // namespace internal

Result<std::string> render_call(const FunctionCall& call) {
  const internal::Entry* entry = internal::find_entry(call.name);
  if (entry == nullptr) return internal::unsupported_call(call);
  for (const internal::Shape& shape : entry->shapes) {
    if (auto answer = shape.render(call)) return std::move(*answer);
  }
  for (const internal::Rule& rule : entry->rules) {
    if (internal::matches(rule.signature, call.arguments) && internal::carries(rule, call))
      return internal::expand(rule.sql, call);
  }
  return internal::unsupported_call(call, entry->kind == FunctionKind::kScalar ? "" : "with these modifiers");
}

std::optional<FunctionKind> function_kind(std::string_view name) {
  const internal::Entry* entry = internal::find_entry(name);
  if (entry == nullptr) return std::nullopt;
  return entry->kind;
}

Result<std::string> order_items(const data::Type& type, const std::string& sql, bool descending, bool nulls_first) {
  const std::string direction = descending ? " DESC" : " ASC";
  const std::string nulls = nulls_first ? " NULLS FIRST" : " NULLS LAST";
  switch (type.kind) {
    case TypeKind::kArray:
    case TypeKind::kStruct:
    case TypeKind::kJson:
    case TypeKind::kGeography:
      return Error(ErrorCode::kUnsupported, "Ordering by values of type " + type.sql_name() + " is not supported.");
    case TypeKind::kFloat64:
      return "gs_is_nan(" + sql + ")" + (descending ? " ASC" : " DESC") + nulls + ", " + sql + direction + nulls;
    case TypeKind::kRange:
      return Error(ErrorCode::kUnsupported, "Ordering by values of type " + type.sql_name() + " is not supported.");
    default: return sql + direction + nulls;
  }
}

std::string raise_expression(const data::Type& type, const std::string& sentence) {
  return "(CASE WHEN gs_raise(" + quote_text(sentence) + ") THEN NULL::" + physical_type(type) + " END)";
}

const std::vector<std::string_view>& declared_functions() {
  static const std::vector<std::string_view> names = {"max_by", "min_by"};
  return names;
}

}  // namespace flytt::googlesql
