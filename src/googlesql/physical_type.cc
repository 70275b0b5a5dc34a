#include "googlesql/physical_type.h"

namespace flytt::googlesql {

using data::Type;
using data::TypeKind;

namespace {

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

}  // namespace

std::string physical_type(const Type& type) {
  switch (type.kind) {
    case TypeKind::kInt64: return "BIGINT";
    case TypeKind::kFloat64: return "DOUBLE";
    case TypeKind::kBool: return "BOOLEAN";
    case TypeKind::kString:
    case TypeKind::kJson:
    case TypeKind::kGeography: return "VARCHAR";
    case TypeKind::kBytes:
    case TypeKind::kBigNumeric: return "BLOB";
    case TypeKind::kDate: return "DATE";
    case TypeKind::kTime: return "TIME";
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return "TIMESTAMP";
    case TypeKind::kNumeric: return "DECIMAL(38,9)";
    case TypeKind::kInterval: return "INTERVAL";
    case TypeKind::kArray: return physical_type(type.element.front()) + "[]";
    case TypeKind::kRange: {
      const std::string element = physical_type(type.element.front());
      return "STRUCT(f0 " + element + ", f1 " + element + ")";
    }
    case TypeKind::kStruct: {
      std::string out = "STRUCT(";
      for (std::size_t i = 0; i < type.fields.size(); ++i)
        out += (i > 0 ? ", f" : "f") + std::to_string(i) + " " + physical_type(type.fields[i].type);
      return out + ")";
    }
  }
  return "VARCHAR";
}

std::string quote_name(std::string_view name) { return quoted(name, '"'); }
std::string quote_text(std::string_view text) { return quoted(text, '\''); }

}  // namespace flytt::googlesql
