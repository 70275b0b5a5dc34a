#include "pipeline/internal/schema_diff.h"

#include <algorithm>

namespace flytt::pipeline::internal {

namespace {

bool is_same_shape(const data::Type& a, const data::Type& b) {
  if (a.kind != b.kind || a.element.size() != b.element.size() || a.fields.size() != b.fields.size()) return false;
  for (std::size_t i = 0; i < a.element.size(); ++i)
    if (!is_same_shape(a.element[i], b.element[i])) return false;
  for (std::size_t i = 0; i < a.fields.size(); ++i)
    if (a.fields[i].name != b.fields[i].name || !is_same_shape(a.fields[i].type, b.fields[i].type)) return false;
  return true;
}

std::string key_text(const data::TableSchema& schema) {
  std::string text;
  for (const std::uint32_t index : schema.key) text += (text.empty() ? "" : ", ") + schema.fields[index].name;
  return text.empty() ? "none" : text;
}

bool is_same_key(const data::TableSchema& there, const data::TableSchema& arriving) {
  if (there.key.size() != arriving.key.size()) return false;
  return std::all_of(arriving.key.begin(), arriving.key.end(), [&](std::uint32_t index) {
    const auto found = there.find(arriving.fields[index].name);
    return found && there.is_key(*found);
  });
}

}  // namespace

SchemaDiff compare_schemas(const data::TableSchema& there, const data::TableSchema& arriving) {
  SchemaDiff diff;
  if (!is_same_key(there, arriving)) {
    diff.refusal = "its primary key is (" + key_text(arriving) + ") and at the destination (" + key_text(there) + ")";
    return diff;
  }
  for (const data::Field& field : arriving.fields) {
    const auto found = there.find(field.name);
    if (!found) {
      diff.additions.push_back(field);
      diff.additions.back().required = false;
    } else if (const data::Field& known = there.fields[*found]; !is_same_shape(known.type, field.type)) {
      diff.refusal = "its column " + field.name + " is " + field.type.sql_name() + " and at the destination " +
                     known.type.sql_name();
      return diff;
    }
  }
  return diff;
}

}  // namespace flytt::pipeline::internal
