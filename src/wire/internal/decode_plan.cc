#include "wire/internal/decode_plan.h"

#include <google/cloud/bigquery/storage/v1/annotations.pb.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "wire/internal/descriptor_builder.h"
#include "wire/limits.h"
#include "wire/row_decoder.h"

namespace flytt::wire {
namespace {

using data::Type;
using data::TypeKind;
using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FieldDescriptorProto;

Error schema_error(std::string sentence) { return Error(ErrorCode::kSchema, std::move(sentence)); }

// Messages and enums of a descriptor by their names from the root, "Row.Address". A type_name may be written relative to
// any enclosing message, from the root, or with a package in front that the descriptor itself does not know.
class TypeNames {
 public:
  explicit TypeNames(const DescriptorProto& root) { add(root, root.name(), kDepthMax); }

  const DescriptorProto* message(std::string_view scope, std::string_view name) const {
    return find(messages_, scope, name);
  }
  const EnumDescriptorProto* enumeration(std::string_view scope, std::string_view name) const {
    return find(enums_, scope, name);
  }
  std::string full_name(const DescriptorProto* message) const {
    for (const auto& [name, candidate] : messages_) {
      if (candidate == message) return name;
    }
    return message->name();
  }

 private:
  static constexpr int kDepthMax = 64;

  void add(const DescriptorProto& message, const std::string& name, int depth_left) {
    messages_.emplace(name, &message);
    if (depth_left == 0) return;
    for (const auto& nested : message.nested_type()) add(nested, name + "." + nested.name(), depth_left - 1);
    for (const auto& nested : message.enum_type()) enums_.emplace(name + "." + nested.name(), &nested);
  }

  template <typename T>
  static const T* find(const std::map<std::string, const T*, std::less<>>& all, std::string_view scope,
                       std::string_view name) {
    if (!name.empty() && name.front() == '.') name.remove_prefix(1);
    for (;;) {
      const auto found = all.find(scope.empty() ? std::string(name) : std::string(scope) + "." + std::string(name));
      if (found != all.end()) return found->second;
      if (scope.empty()) break;
      const auto dot = scope.rfind('.');
      scope = dot == scope.npos ? std::string_view() : scope.substr(0, dot);
    }
    for (auto dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
      const auto found = all.find(name.substr(dot + 1));
      if (found != all.end()) return found->second;
    }
    return nullptr;
  }

  std::map<std::string, const DescriptorProto*, std::less<>> messages_;
  std::map<std::string, const EnumDescriptorProto*, std::less<>> enums_;
};

std::optional<ProtoType> proto_type_of(FieldDescriptorProto::Type type) {
  switch (type) {
    case FieldDescriptorProto::TYPE_INT32: return ProtoType::kInt32;
    case FieldDescriptorProto::TYPE_INT64: return ProtoType::kInt64;
    case FieldDescriptorProto::TYPE_UINT32: return ProtoType::kUInt32;
    case FieldDescriptorProto::TYPE_UINT64: return ProtoType::kUInt64;
    case FieldDescriptorProto::TYPE_BOOL: return ProtoType::kBool;
    case FieldDescriptorProto::TYPE_ENUM: return ProtoType::kEnum;
    case FieldDescriptorProto::TYPE_SINT32: return ProtoType::kSInt32;
    case FieldDescriptorProto::TYPE_SINT64: return ProtoType::kSInt64;
    case FieldDescriptorProto::TYPE_FIXED32: return ProtoType::kFixed32;
    case FieldDescriptorProto::TYPE_FIXED64: return ProtoType::kFixed64;
    case FieldDescriptorProto::TYPE_SFIXED32: return ProtoType::kSFixed32;
    case FieldDescriptorProto::TYPE_SFIXED64: return ProtoType::kSFixed64;
    case FieldDescriptorProto::TYPE_FLOAT: return ProtoType::kFloat;
    case FieldDescriptorProto::TYPE_DOUBLE: return ProtoType::kDouble;
    case FieldDescriptorProto::TYPE_STRING: return ProtoType::kString;
    case FieldDescriptorProto::TYPE_BYTES: return ProtoType::kBytes;
    case FieldDescriptorProto::TYPE_MESSAGE: return ProtoType::kMessage;
    case FieldDescriptorProto::TYPE_GROUP: return std::nullopt;
  }
  return std::nullopt;
}

std::optional<ProtoType> wrapped_type(std::string_view type_name) {
  if (!type_name.empty() && type_name.front() == '.') type_name.remove_prefix(1);
  static constexpr std::pair<std::string_view, ProtoType> kWrappers[] = {
      {"google.protobuf.DoubleValue", ProtoType::kDouble}, {"google.protobuf.FloatValue", ProtoType::kFloat},
      {"google.protobuf.Int64Value", ProtoType::kInt64},   {"google.protobuf.UInt64Value", ProtoType::kUInt64},
      {"google.protobuf.Int32Value", ProtoType::kInt32},   {"google.protobuf.UInt32Value", ProtoType::kUInt32},
      {"google.protobuf.BoolValue", ProtoType::kBool},     {"google.protobuf.StringValue", ProtoType::kString},
      {"google.protobuf.BytesValue", ProtoType::kBytes}};
  for (const auto& [name, type] : kWrappers) {
    if (name == type_name) return type;
  }
  return std::nullopt;
}

bool is_any_integer(ProtoType type) {
  return type <= ProtoType::kSFixed64 && type != ProtoType::kBool && type != ProtoType::kEnum;
}
bool is_uint64(ProtoType type) { return type == ProtoType::kUInt64 || type == ProtoType::kFixed64; }
bool is_signed64(ProtoType type) {
  return type == ProtoType::kInt64 || type == ProtoType::kSInt64 || type == ProtoType::kSFixed64;
}
bool is_signed32(ProtoType type) {
  return type == ProtoType::kInt32 || type == ProtoType::kSInt32 || type == ProtoType::kSFixed32;
}
bool is_real(ProtoType type) { return type == ProtoType::kFloat || type == ProtoType::kDouble; }

// "Data type conversions" of the Storage Write API. Integers of the same range are one type there (int64, sint64, sfixed64).
bool fits(ProtoType source, TypeKind column) {
  const bool text = source == ProtoType::kString;
  const bool bytes = source == ProtoType::kBytes;
  switch (column) {
    case TypeKind::kBool: return source == ProtoType::kBool || is_any_integer(source);
    case TypeKind::kInt64: return source == ProtoType::kEnum || (is_any_integer(source) && !is_uint64(source));
    case TypeKind::kFloat64: return is_real(source);
    case TypeKind::kNumeric:
    case TypeKind::kBigNumeric: return text || bytes || is_any_integer(source) || is_real(source);
    case TypeKind::kString: return text || source == ProtoType::kEnum;
    case TypeKind::kBytes: return text || bytes;
    case TypeKind::kDate: return text || is_signed32(source) || is_signed64(source);
    case TypeKind::kTimestamp: return is_any_integer(source) && !is_uint64(source);
    case TypeKind::kDatetime:
    case TypeKind::kTime: return text || is_signed64(source);
    case TypeKind::kJson:
    case TypeKind::kGeography:
    case TypeKind::kInterval: return text;
    case TypeKind::kArray:
    case TypeKind::kStruct:
    case TypeKind::kRange: return false;
  }
  return false;
}

CellOp op_of(ProtoType source, const Type& column) {
  const bool limited = column.max_length != 0 || column.precision != 0;
  if (limited) return CellOp::kConvert;
  if (source == ProtoType::kInt64) {
    if (column.is(TypeKind::kInt64)) return CellOp::kInt64;
    if (column.is(TypeKind::kTimestamp)) return CellOp::kTimestamp;
    if (column.is(TypeKind::kDatetime)) return CellOp::kPackedDatetime;
    if (column.is(TypeKind::kTime)) return CellOp::kPackedTime;
  }
  if (source == ProtoType::kInt32 && column.is(TypeKind::kDate)) return CellOp::kDate;
  if (source == ProtoType::kBool && column.is(TypeKind::kBool)) return CellOp::kBool;
  if (source == ProtoType::kDouble && column.is(TypeKind::kFloat64)) return CellOp::kDouble;
  if (source == ProtoType::kString && (column.is(TypeKind::kString) || column.is(TypeKind::kGeography)))
    return CellOp::kText;
  if (source == ProtoType::kString && column.is(TypeKind::kJson)) return CellOp::kJson;
  if (column.is(TypeKind::kBytes)) return CellOp::kBytes;
  if (source == ProtoType::kBytes && column.is(TypeKind::kNumeric)) return CellOp::kNumericBytes;
  if (source == ProtoType::kBytes && column.is(TypeKind::kBigNumeric)) return CellOp::kBigNumericBytes;
  return CellOp::kConvert;
}

struct ColumnRef {
  std::string_view name;
  const Type* type;
};

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::string column_name_of(const FieldDescriptorProto& field) {
  namespace storage = google::cloud::bigquery::storage::v1;
  return field.options().HasExtension(storage::column_name) ? field.options().GetExtension(storage::column_name)
                                                            : field.name();
}

class PlanBuilder {
 public:
  explicit PlanBuilder(const DescriptorProto& root) : root_(root), names_(root) {}

  Result<DecodePlan> build(const data::TableSchema& table) {
    DecodePlan out;
    std::vector<ColumnRef> columns;
    for (const data::Field& field : table.fields) columns.push_back({field.name, &field.type});
    change_columns_of_ = &out;
    TRY_STATUS(fill(out.row, root_, columns, "", kStructDepthMax));
    for (FieldPlan& field : out.row.fields) {
      if (field.op == CellOp::kChangeType || field.op == CellOp::kChangeSequence) continue;
      field.is_key = table.is_key(field.column);
      field.is_required = table.fields[field.column].required;
    }
    for (const std::uint32_t column : out.row.unmatched) {
      if (!table.fields[column].required) continue;
      return schema_error("The required field " + table.fields[column].name + " is missing in the proto message");
    }
    return out;
  }

 private:
  Status fill(MessagePlan& plan, const DescriptorProto& message, const std::vector<ColumnRef>& columns,
              const std::string& path, int depth_left) {
    if (depth_left < 0) return schema_error("Invalid proto schema: " + path + " is nested too deeply");
    const std::string scope = names_.full_name(&message);
    std::map<std::string, std::size_t> by_name;
    for (std::size_t i = 0; i < columns.size(); ++i) by_name.emplace(lower(columns[i].name), i);
    std::vector<bool> matched(columns.size());
    std::vector<std::string> extra;
    for (const FieldDescriptorProto& field : message.field()) {
      if (field.number() < 1 || field.number() > 536'870'911)
        return schema_error("Invalid proto schema: field " + field.name() + " has no legal number");
      const std::string name = column_name_of(field);
      const auto found = by_name.find(lower(name));
      FieldPlan out;
      out.number = static_cast<std::uint32_t>(field.number());
      out.path = path + name;
      if (found == by_name.end()) {
        TRY(const bool is_change, change_column(field, path, out));
        if (is_change)
          plan.fields.push_back(std::move(out));
        else
          extra.push_back(out.path);
        continue;
      }
      const std::size_t column = found->second;
      if (matched[column]) return schema_error("Invalid proto schema: two fields are named " + out.path);
      matched[column] = true;
      out.column = static_cast<std::uint32_t>(column);
      TRY_STATUS(set_type(out, field, scope, *columns[column].type, depth_left));
      plan.fields.push_back(std::move(out));
    }
    if (!extra.empty()) return extra_fields(extra);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      plan.columns.push_back(shape_of(*columns[i].type));
      if (!matched[i]) plan.unmatched.push_back(static_cast<std::uint32_t>(i));
    }
    return finish(plan);
  }

  static Error extra_fields(const std::vector<std::string>& extra) {
    std::string list;
    for (const std::string& name : extra) list += (list.empty() ? "" : ", ") + name;
    return schema_error("Input schema has more fields than BigQuery schema, extra fields: '" + list + "'")
        .cause(std::string(kCauseExtraFields));
  }

  Result<bool> change_column(const FieldDescriptorProto& field, const std::string& path, FieldPlan& out) {
    const bool is_type = path.empty() && lower(field.name()) == lower(kChangeTypeField);
    const bool is_sequence = path.empty() && lower(field.name()) == lower(kChangeSequenceField);
    if (!is_type && !is_sequence) return false;
    if (field.type() != FieldDescriptorProto::TYPE_STRING || field.label() == FieldDescriptorProto::LABEL_REPEATED) {
      return schema_error("The field " + field.name() + " must be a single string");
    }
    bool& seen = is_type ? change_columns_of_->has_change_type : change_columns_of_->has_sequence;
    if (seen) return schema_error("Invalid proto schema: two fields are named " + field.name());
    seen = true;
    out.op = is_type ? CellOp::kChangeType : CellOp::kChangeSequence;
    out.source = ProtoType::kString;
    out.type = Type(TypeKind::kString);
    return true;
  }

  Status set_type(FieldPlan& out, const FieldDescriptorProto& field, const std::string& scope, const Type& column,
                  int depth_left) {
    out.repeated = column.is(TypeKind::kArray);
    out.type = out.repeated ? column.element.front() : column;
    const bool field_repeats = field.label() == FieldDescriptorProto::LABEL_REPEATED;
    if (out.repeated != field_repeats) {
      return schema_error("The proto field mismatched with BigQuery field at " + root_.name() + "." + out.path +
                          ", the proto field is " + (field_repeats ? "repeated" : "not repeated") +
                          ", BigQuery field is " + (out.repeated ? "repeated" : "not repeated"));
    }
    const std::optional<ProtoType> source = proto_type_of(field.type());
    if (!source) return schema_error("Invalid proto schema: field " + out.path + " is a group");
    if (*source == ProtoType::kMessage) return set_message(out, field, scope, depth_left);
    if (!fits(*source, out.type.kind)) return mismatch(out, to_string(*source));
    out.source = *source;
    out.op = op_of(*source, out.type);
    if (*source == ProtoType::kEnum) return set_enum(out, field, scope);
    return ok();
  }

  Status set_enum(FieldPlan& out, const FieldDescriptorProto& field, const std::string& scope) {
    if (!out.type.is(TypeKind::kString)) return ok();
    const EnumDescriptorProto* enumeration = names_.enumeration(scope, field.type_name());
    if (enumeration == nullptr)
      return schema_error("Invalid proto schema: " + out.path + ": \"" + field.type_name() + "\" is not defined.");
    for (const auto& value : enumeration->value()) out.enum_names.emplace(value.number(), value.name());
    return ok();
  }

  Status set_message(FieldPlan& out, const FieldDescriptorProto& field, const std::string& scope, int depth_left) {
    out.source = ProtoType::kMessage;
    std::string_view name = field.type_name();
    if (!name.empty() && name.front() == '.') name.remove_prefix(1);
    if (const std::optional<ProtoType> inner = wrapped_type(name)) {
      if (!fits(*inner, out.type.kind)) return mismatch(out, name);
      out.source = *inner;
      out.op = CellOp::kWrapper;
      return ok();
    }
    if (name == "google.protobuf.Timestamp" || name == "google.protobuf.Duration") {
      const bool timestamp = name == "google.protobuf.Timestamp";
      if (!out.type.is(timestamp ? TypeKind::kTimestamp : TypeKind::kInterval)) return mismatch(out, name);
      out.op = timestamp ? CellOp::kTimestampMessage : CellOp::kDurationMessage;
      return ok();
    }
    if (!out.type.is(TypeKind::kStruct) && !out.type.is(TypeKind::kRange)) return mismatch(out, "message");
    const DescriptorProto* message = names_.message(scope, field.type_name());
    if (message == nullptr)
      return schema_error("Invalid proto schema: " + out.path + ": \"" + field.type_name() + "\" is not defined.");
    std::vector<ColumnRef> columns;
    if (out.type.is(TypeKind::kRange))
      columns = {{"start", &out.type.element.front()}, {"end", &out.type.element.front()}};
    for (const data::StructField& inner : out.type.fields) columns.push_back({inner.name, &inner.type});
    out.op = CellOp::kStruct;
    out.message = std::make_unique<MessagePlan>();
    return fill(*out.message, *message, columns, out.path + ".", depth_left - 1);
  }

  Error mismatch(const FieldPlan& field, std::string_view proto_type) const {
    return schema_error("The proto field mismatched with BigQuery field at " + root_.name() + "." + field.path +
                        ", the proto field type " + std::string(proto_type) + ", BigQuery field type " +
                        std::string(field.type.rest_name()));
  }

  static Status finish(MessagePlan& plan) {
    std::sort(plan.fields.begin(), plan.fields.end(),
              [](const FieldPlan& a, const FieldPlan& b) { return a.number < b.number; });
    for (std::size_t i = 1; i < plan.fields.size(); ++i) {
      if (plan.fields[i - 1].number != plan.fields[i].number) continue;
      return schema_error("Invalid proto schema: fields " + plan.fields[i - 1].path + " and " + plan.fields[i].path +
                          " have the same number");
    }
    if (!plan.fields.empty() && plan.fields.back().number <= kDenseFieldNumberMax) {
      plan.dense.resize(plan.fields.back().number + 1);
      for (std::size_t i = 0; i < plan.fields.size(); ++i)
        plan.dense[plan.fields[i].number] = static_cast<std::uint32_t>(i + 1);
    }
    for (FieldPlan& field : plan.fields) {
      const bool is_message = field.op == CellOp::kWrapper || field.op == CellOp::kTimestampMessage ||
                              field.op == CellOp::kDurationMessage || field.op == CellOp::kStruct;
      field.tag = tag_of(field.number, is_message ? WireType::kBytes : wire_type_of(field.source));
      field.packed_tag = field.repeated ? tag_of(field.number, WireType::kBytes) : field.tag;
    }
    plan.cell_count = 1 + plan.columns.size();
    for (const FieldPlan& field : plan.fields) {
      if (field.message && !field.repeated) plan.cell_count += field.message->cell_count;
    }
    return ok();
  }

  const DescriptorProto& root_;
  TypeNames names_;
  DecodePlan* change_columns_of_ = nullptr;
};

}  // namespace

WireType wire_type_of(ProtoType type) {
  switch (type) {
    case ProtoType::kFixed32:
    case ProtoType::kSFixed32:
    case ProtoType::kFloat: return WireType::kFixed32;
    case ProtoType::kFixed64:
    case ProtoType::kSFixed64:
    case ProtoType::kDouble: return WireType::kFixed64;
    case ProtoType::kString:
    case ProtoType::kBytes:
    case ProtoType::kMessage: return WireType::kBytes;
    default: return WireType::kVarint;
  }
}

std::string_view to_string(ProtoType type) {
  static constexpr std::string_view kNames[] = {"int32",  "int64",  "uint32",  "uint64",  "bool",     "enum",
                                                "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64",
                                                "float",  "double", "string",  "bytes",   "message"};
  return kNames[static_cast<std::size_t>(type)];
}

ColumnShape shape_of(const Type& type) {
  ColumnShape shape{type, {}};
  if (type.is(TypeKind::kRange)) shape.children = {shape_of(type.element.front()), shape_of(type.element.front())};
  if (type.is(TypeKind::kStruct)) {
    for (const data::StructField& field : type.fields) shape.children.push_back(shape_of(field.type));
  }
  return shape;
}

FieldPlan* MessagePlan::find(std::uint32_t number) {
  if (!dense.empty()) {
    if (number >= dense.size() || dense[number] == 0) return nullptr;
    return &fields[dense[number] - 1];
  }
  const auto found = std::lower_bound(fields.begin(), fields.end(), number,
                                      [](const FieldPlan& field, std::uint32_t n) { return field.number < n; });
  return found != fields.end() && found->number == number ? &*found : nullptr;
}

Result<DecodePlan> plan_decoding(std::string_view descriptor, const data::TableSchema& table) {
  if (descriptor.size() > kDescriptorBytesMax) return schema_error("Invalid proto schema: the descriptor is too large");
  DescriptorProto root;
  if (!root.ParseFromArray(descriptor.data(), static_cast<int>(descriptor.size()))) {
    return schema_error("Invalid proto schema: the descriptor is not a google.protobuf.DescriptorProto");
  }
  if (root.field().empty()) return schema_error("Invalid proto schema: the descriptor has no fields");
  return PlanBuilder(root).build(table);
}

}  // namespace flytt::wire
