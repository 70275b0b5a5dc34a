#include "kafka/internal/table_shape.h"

#include <algorithm>

#include "kafka/internal/names.h"
#include "kafka/internal/shape.h"
#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

using data::Field;
using data::Type;
using data::TypeKind;

const DeclaredField* declared(const PayloadSettings& settings, std::string_view column) {
  for (const DeclaredField& field : settings.fields)
    if (folded(field.name) == folded(column)) return &field;
  return nullptr;
}

std::string member_of(const DeclaredField& field) { return field.key.empty() ? field.name : field.key; }

bool is_key_column(const PayloadSettings& settings, const Field& field, ColumnRole role) {
  if (!settings.is_upsert) return false;
  if (settings.key_fields.empty()) return role == ColumnRole::kKey;
  return std::any_of(settings.key_fields.begin(), settings.key_fields.end(),
                     [&field](const std::string& name) { return folded(name) == folded(field.name); });
}

// The destination may have more members in a STRUCT than we declare, never fewer or others.
bool takes(const Type& known, const Type& wanted) {
  if (known.kind != wanted.kind) return false;
  if (known.is(TypeKind::kArray)) return takes(known.element.front(), wanted.element.front());
  return std::all_of(wanted.fields.begin(), wanted.fields.end(), [&known](const data::StructField& w) {
    return std::any_of(known.fields.begin(), known.fields.end(), [&w](const data::StructField& k) {
      return folded(k.name) == folded(w.name) && takes(k.type, w.type);
    });
  });
}

std::size_t count_columns(const data::TableSchema& table) {
  std::size_t count = 0;
  for (const Field& field : table.fields) count += count_fields(field.type);
  return count;
}

}  // namespace

UnknownFields unknown_fields(const PayloadSettings& settings) {
  if (settings.unknown_fields != UnknownFields::kDefault) return settings.unknown_fields;
  return settings.fields.empty() ? UnknownFields::kGrow : UnknownFields::kIgnore;
}

std::vector<ExtraColumn> extra_columns(const PayloadSettings& settings) {
  std::vector<ExtraColumn> out;
  const auto add = [&out](bool wanted, const char* name, Type type, ColumnRole role, const char* description) {
    if (wanted) out.push_back({Field{name, std::move(type), false, description}, role});
  };
  add(settings.topic_column, "_kafka_topic", TypeKind::kString, ColumnRole::kTopic, "Topic of the message");
  add(settings.partition_column, "_kafka_partition", TypeKind::kInt64, ColumnRole::kPartition,
      "Partition of the message");
  add(settings.offset_column, "_kafka_offset", TypeKind::kInt64, ColumnRole::kOffset,
      "Offset of the message in its partition");
  add(settings.timestamp_column, "_kafka_timestamp", TypeKind::kTimestamp, ColumnRole::kTimestamp,
      "Time of the message as its topic has it");
  const bool key_is_primary = settings.is_upsert && settings.key_fields.empty();
  add(settings.key_column != PayloadSettings::KeyColumn::kNone || key_is_primary, "_kafka_key",
      settings.key_column == PayloadSettings::KeyColumn::kBytes ? TypeKind::kBytes : TypeKind::kString,
      ColumnRole::kKey, "Key of the message");
  add(settings.headers_column, "_kafka_headers",
      Type::array(Type::structure({{"key", TypeKind::kString}, {"value", TypeKind::kBytes}})), ColumnRole::kHeaders,
      "Headers of the message, in their order");
  if (settings.format == Format::kJson)
    add(unknown_fields(settings) == UnknownFields::kRest, settings.rest_column.c_str(), TypeKind::kJson,
        ColumnRole::kRest, "Fields of the message that have no column");
  return out;
}

std::vector<Field> declared_columns(const PayloadSettings& settings) {
  std::vector<Field> out;
  for (const DeclaredField& field : settings.fields)
    out.push_back({field.name, field.type, field.is_required, field.description});
  if (out.empty() && settings.format != Format::kJson)
    out.push_back({"value", settings.format == Format::kText ? TypeKind::kString : TypeKind::kBytes, false, {}});
  return out;
}

Result<TableShape> TableShape::make(const PayloadSettings& settings, std::string source_table,
                                    data::TablePath destination, const data::SliceSchema* known,
                                    const std::vector<SampledMessage>& samples) {
  auto schema = std::make_shared<data::SliceSchema>();
  schema->source_table = std::move(source_table);
  schema->destination = std::move(destination);
  schema->version = known ? known->version : data::SchemaVersion(1);
  // What a table that exists shows of its messages is not guessed again.
  TRY(const data::TableSchema wanted, make_table_schema(settings, known ? std::vector<SampledMessage>{} : samples));
  if (!known) {
    schema->table = wanted;
  } else {
    schema->table = known->table;
    bool grown = false;
    for (const Field& field : wanted.fields) {
      const auto at = known->table.find(field.name);
      if (!at) {
        Field added = field;
        added.required = false;  // BigQuery adds nullable columns only
        schema->table.fields.push_back(std::move(added));
        grown = true;
      } else if (!takes(known->table.fields[*at].type, field.type)) {
        return Error(ErrorCode::kSchema, "table " + schema->destination.text() + " has the column " + field.name +
                                             " as " + known->table.fields[*at].type.sql_name() +
                                             ", and the stream brings " + field.type.sql_name() +
                                             ": declare the table's type, or name another table")
            .retry(base::Retry::kAfterOperator);
      }
    }
    if (grown) schema->version = schema->version.next();
  }
  TableShape out;
  out.schema_ = schema;
  out.plan(settings);
  for (std::size_t i = 0; i < schema->table.fields.size(); ++i)
    if (out.roles_[i] == ColumnRole::kOther && schema->table.fields[i].required)
      return Error(ErrorCode::kSchema, "table " + schema->destination.text() + " requires the column " +
                                           schema->table.fields[i].name +
                                           ", which no message fills: declare it, or make it nullable")
          .retry(base::Retry::kAfterOperator);
  return out;
}

void TableShape::plan(const PayloadSettings& settings) {
  const std::vector<ExtraColumn> extras = extra_columns(settings);
  const UnknownFields unknown = unknown_fields(settings);
  const bool others_are_payload = settings.fields.empty() || unknown == UnknownFields::kGrow;
  std::vector<FieldPlan> fields;
  std::uint32_t rest_column = 0;
  roles_.clear();
  for (std::uint32_t i = 0; i < schema_->table.fields.size(); ++i) {
    const Field& field = schema_->table.fields[i];
    const auto extra = std::find_if(extras.begin(), extras.end(), [&field](const ExtraColumn& e) {
      return folded(e.field.name) == folded(field.name);
    });
    const DeclaredField* own = declared(settings, field.name);
    const bool is_text_value = settings.format != Format::kJson && settings.fields.empty() && field.name == "value";
    ColumnRole role = ColumnRole::kOther;
    if (extra != extras.end())
      role = extra->role;
    else if (own || is_text_value || (settings.format == Format::kJson && others_are_payload))
      role = ColumnRole::kPayload;
    roles_.push_back(role);
    if (role == ColumnRole::kRest) rest_column = i;
    if (role != ColumnRole::kPayload) continue;
    fields.push_back(plan_field(own ? member_of(*own) : field.name, field.name, field.type, i));
    // Key columns come from the message's key, whatever its value holds.
    fields.back().is_required = (field.required || (own && own->is_required)) && !is_key_column(settings, field, role);
  }
  UnknownMember member = UnknownMember::kPassOver;
  if (unknown == UnknownFields::kRest) member = UnknownMember::kCollect;
  if (unknown == UnknownFields::kGrow) member = UnknownMember::kReport;
  rows_ = std::make_unique<JsonRows>(std::move(fields), ValueRules(settings), member, rest_column);
}

bool TableShape::grow(const PayloadSettings& settings, std::string_view payload) {
  Shape shape;
  if (!observe(payload, shape)) return false;
  auto next = std::make_shared<data::SliceSchema>(*schema_);
  const std::size_t columns = count_columns(next->table);
  std::size_t left = columns < kColumnsMax ? kColumnsMax - columns : 0;
  std::size_t added = 0;
  Shape fresh;
  for (const ShapeMember& member : shape.members) {
    const std::string marked = marked_name(member.key);
    const auto plan = std::find_if(this->payload().begin(), this->payload().end(),
                                   [&](const FieldPlan& p) { return p.key == member.key || p.key == marked; });
    if (plan == this->payload().end())
      fresh.members.push_back(member);
    else
      added +=
          kafka::grow(next->table.fields[plan->column].type, member.shape, settings, left - std::min(left, added), 0);
  }
  std::vector<std::string> taken;
  for (const Field& field : next->table.fields) taken.push_back(folded(field.name));
  for (data::StructField& field : fields_of(fresh, settings, taken, 0)) {
    const std::size_t size = count_fields(field.type);
    if (added + size > left) continue;
    added += size;
    next->table.fields.push_back({std::move(field.name), std::move(field.type), false, {}});
  }
  if (added == 0) return false;
  next->version = next->version.next();
  schema_ = std::move(next);
  plan(settings);
  return true;
}

}  // namespace flytt::kafka
