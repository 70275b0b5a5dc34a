#include "data/type.h"

#include <strings.h>

#include <utility>

namespace flytt::data {

Type Type::array(Type of) {
  Type type(TypeKind::kArray);
  type.element.push_back(std::move(of));
  return type;
}

Type Type::range(Type of) {
  Type type(TypeKind::kRange);
  type.element.push_back(std::move(of));
  return type;
}

Type Type::structure(std::vector<StructField> of) {
  Type type(TypeKind::kStruct);
  type.fields = std::move(of);
  return type;
}

bool operator==(const Type& a, const Type& b) {
  return a.kind == b.kind && a.element == b.element && a.fields == b.fields && a.precision == b.precision &&
         a.scale == b.scale && a.max_length == b.max_length;
}

std::string_view to_string(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64: return "INT64";
    case TypeKind::kFloat64: return "FLOAT64";
    case TypeKind::kBool: return "BOOL";
    case TypeKind::kString: return "STRING";
    case TypeKind::kBytes: return "BYTES";
    case TypeKind::kDate: return "DATE";
    case TypeKind::kTime: return "TIME";
    case TypeKind::kDatetime: return "DATETIME";
    case TypeKind::kTimestamp: return "TIMESTAMP";
    case TypeKind::kNumeric: return "NUMERIC";
    case TypeKind::kBigNumeric: return "BIGNUMERIC";
    case TypeKind::kJson: return "JSON";
    case TypeKind::kInterval: return "INTERVAL";
    case TypeKind::kGeography: return "GEOGRAPHY";
    case TypeKind::kArray: return "ARRAY";
    case TypeKind::kStruct: return "STRUCT";
    case TypeKind::kRange: return "RANGE";
  }
  return "INT64";
}

std::string_view Type::rest_name() const {
  switch (kind) {
    case TypeKind::kInt64: return "INTEGER";
    case TypeKind::kFloat64: return "FLOAT";
    case TypeKind::kBool: return "BOOLEAN";
    case TypeKind::kStruct: return "RECORD";
    case TypeKind::kArray: return element.front().rest_name();
    default: return to_string(kind);
  }
}

std::string Type::sql_name() const {
  std::string out(to_string(kind));
  if (is(TypeKind::kArray) || is(TypeKind::kRange)) return out + "<" + element.front().sql_name() + ">";
  if (is(TypeKind::kStruct)) {
    out += "<";
    for (const StructField& field : fields) {
      if (&field != &fields.front()) out += ", ";
      if (!field.name.empty()) out += field.name + " ";
      out += field.type.sql_name();
    }
    return out + ">";
  }
  if (precision > 0) out += "(" + std::to_string(precision) + (scale > 0 ? ", " + std::to_string(scale) : "") + ")";
  if (max_length > 0) out += "(" + std::to_string(max_length) + ")";
  return out;
}

Result<TypeKind> parse_type_kind(std::string_view name) {
  static constexpr std::pair<std::string_view, TypeKind> kNames[] = {
      {"INTEGER", TypeKind::kInt64},       {"INT64", TypeKind::kInt64},
      {"FLOAT", TypeKind::kFloat64},       {"FLOAT64", TypeKind::kFloat64},
      {"BOOLEAN", TypeKind::kBool},        {"BOOL", TypeKind::kBool},
      {"STRING", TypeKind::kString},       {"BYTES", TypeKind::kBytes},
      {"DATE", TypeKind::kDate},           {"TIME", TypeKind::kTime},
      {"DATETIME", TypeKind::kDatetime},   {"TIMESTAMP", TypeKind::kTimestamp},
      {"NUMERIC", TypeKind::kNumeric},     {"BIGNUMERIC", TypeKind::kBigNumeric},
      {"DECIMAL", TypeKind::kNumeric},     {"BIGDECIMAL", TypeKind::kBigNumeric},
      {"JSON", TypeKind::kJson},           {"INTERVAL", TypeKind::kInterval},
      {"GEOGRAPHY", TypeKind::kGeography}, {"RECORD", TypeKind::kStruct},
      {"STRUCT", TypeKind::kStruct},       {"RANGE", TypeKind::kRange},
      {"ARRAY", TypeKind::kArray},         {"INT", TypeKind::kInt64},
      {"SMALLINT", TypeKind::kInt64},      {"BIGINT", TypeKind::kInt64},
      {"TINYINT", TypeKind::kInt64},       {"BYTEINT", TypeKind::kInt64},
  };
  for (const auto& [known, kind] : kNames)
    if (known.size() == name.size() && strncasecmp(known.data(), name.data(), name.size()) == 0) return kind;
  return Error(ErrorCode::kSchema, "'" + std::string(name) + "' is not a BigQuery type");
}

}  // namespace flytt::data
