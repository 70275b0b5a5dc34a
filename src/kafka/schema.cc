#include "kafka/schema.h"

#include <algorithm>

#include "kafka/internal/names.h"
#include "kafka/internal/shape.h"
#include "kafka/internal/table_shape.h"
#include "kafka/internal/text_values.h"
#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

using data::Field;
using data::Type;
using data::TypeKind;

Error wrong(std::string sentence) { return Error(ErrorCode::kConfig, std::move(sentence)); }

Status check_type(const DeclaredField& field, const Type& type, std::size_t depth) {
  if (type.is(TypeKind::kRange))
    return wrong("field " + field.name +
                 " is declared as RANGE, which messages have no form for: declare its two ends");
  if (depth > kStructDepthMax)
    return wrong("field " + field.name + " is nested deeper than " + std::to_string(kStructDepthMax) +
                 " levels: declare the inner part as JSON");
  if (type.is(TypeKind::kArray) && type.element.front().is(TypeKind::kArray))
    return wrong("field " + field.name + " is an ARRAY of ARRAYs, which BigQuery does not have: declare it as JSON");
  for (const Type& element : type.element) TRY_STATUS(check_type(field, element, depth));
  std::vector<std::string> names;
  for (const data::StructField& member : type.fields) {
    if (member.name.empty() || std::find(names.begin(), names.end(), folded(member.name)) != names.end())
      return wrong("field " + field.name + " has members without a name or with the same name: rename them");
    names.push_back(folded(member.name));
    TRY_STATUS(check_type(field, member.type, depth + 1));
  }
  return ok();
}

Status check_key(const PayloadSettings& settings) {
  if (!settings.is_upsert) {
    if (settings.key_fields.empty()) return ok();
    return wrong("key fields are given, but the delivery is not upsert: take them out, or choose upsert");
  }
  for (const std::string& name : settings.key_fields) {
    const auto field = std::find_if(settings.fields.begin(), settings.fields.end(),
                                    [&name](const DeclaredField& f) { return folded(f.name) == folded(name); });
    if (field == settings.fields.end())
      return wrong("key field " + name + " is not declared: add it to the schema with its type");
    switch (field->type.kind) {
      case TypeKind::kInt64:
      case TypeKind::kString:
      case TypeKind::kBytes:
      case TypeKind::kBool:
      case TypeKind::kNumeric:
      case TypeKind::kBigNumeric:
      case TypeKind::kDate:
      case TypeKind::kDatetime:
      case TypeKind::kTimestamp: break;
      default:
        return wrong("key field " + name + " is of type " + field->type.sql_name() +
                     ", which a primary key cannot have: choose another field");
    }
  }
  return ok();
}

}  // namespace

Status check_payload_settings(const PayloadSettings& settings) {
  if (settings.format != Format::kJson) {
    if (settings.fields.size() > 1)
      return wrong("a text or bytes message is one value, but " + std::to_string(settings.fields.size()) +
                   " fields are declared: declare one, or format json");
    if (!settings.fields.empty() && !has_text_form(settings.fields.front().type))
      return wrong("field " + settings.fields.front().name + " is of type " + settings.fields.front().type.sql_name() +
                   ", which a text or bytes message cannot be");
    if (!settings.fields.empty() && settings.format == Format::kBytes &&
        !settings.fields.front().type.is(TypeKind::kBytes))
      return wrong("field " + settings.fields.front().name +
                   " of a bytes message has to be BYTES: or choose format text");
  }
  std::vector<std::string> names;
  for (const ExtraColumn& extra : extra_columns(settings)) names.push_back(folded(extra.field.name));
  std::vector<std::string> members;
  for (const DeclaredField& field : settings.fields) {
    if (field.name.empty()) return wrong("a declared field has no name");
    if (std::find(names.begin(), names.end(), folded(field.name)) != names.end())
      return wrong("two columns are called " + field.name + ": rename one of them");
    names.push_back(folded(field.name));
    const std::string member = field.key.empty() ? field.name : field.key;
    if (std::find(members.begin(), members.end(), member) != members.end())
      return wrong("two columns take the field " + member + " of the message: take one of them out");
    members.push_back(member);
    if (field.is_required && field.type.is(TypeKind::kArray))
      return wrong("field " + field.name +
                   " is an ARRAY and required, which BigQuery does not have: an ARRAY is never NULL");
    TRY_STATUS(check_type(field, field.type, 1));
  }
  return check_key(settings);
}

Result<data::TableSchema> make_table_schema(const PayloadSettings& settings,
                                            const std::vector<SampledMessage>& samples) {
  TRY_STATUS(check_payload_settings(settings));
  data::TableSchema table;
  table.fields = declared_columns(settings);
  const std::vector<ExtraColumn> extras = extra_columns(settings);
  if (settings.format == Format::kJson && settings.fields.empty()) {
    Shape shape;
    for (const SampledMessage& sample : samples)
      if (sample.value) observe(*sample.value, shape);
    std::vector<std::string> taken;
    for (const ExtraColumn& extra : extras) taken.push_back(folded(extra.field.name));
    std::size_t columns = extras.size();
    for (data::StructField& field : fields_of(shape, settings, taken, 0)) {
      columns += count_fields(field.type);
      if (columns <= kColumnsMax) table.fields.push_back({std::move(field.name), std::move(field.type), false, {}});
    }
  }
  for (const ExtraColumn& extra : extras) table.fields.push_back(extra.field);
  if (settings.is_upsert) {
    const std::vector<std::string> own = {"_kafka_key"};
    for (const std::string& name : settings.key_fields.empty() ? own : settings.key_fields) {
      const auto at = table.find(name);
      CHECK(at.has_value());
      table.fields[*at].required = true;
      table.key.push_back(*at);
    }
  }
  return table;
}

std::string table_name_of(std::string_view topic) {
  std::string out(topic);
  for (char& c : out) {
    const bool kept =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!kept) c = '_';
  }
  return out;
}

}  // namespace flytt::kafka
