#include "wire/internal/descriptor_builder.h"

#include <google/cloud/bigquery/storage/v1/annotations.pb.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <set>

#include "wire/limits.h"

namespace flytt::wire {
namespace {

using data::Type;
using data::TypeKind;
using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;

FieldDescriptorProto::Type proto_type(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return FieldDescriptorProto::TYPE_INT64;
    case TypeKind::kFloat64: return FieldDescriptorProto::TYPE_DOUBLE;
    case TypeKind::kBool: return FieldDescriptorProto::TYPE_BOOL;
    case TypeKind::kDate: return FieldDescriptorProto::TYPE_INT32;
    case TypeKind::kString:
    case TypeKind::kJson:
    case TypeKind::kInterval:
    case TypeKind::kGeography: return FieldDescriptorProto::TYPE_STRING;
    case TypeKind::kBytes:
    case TypeKind::kNumeric:
    case TypeKind::kBigNumeric: return FieldDescriptorProto::TYPE_BYTES;
    case TypeKind::kArray:
    case TypeKind::kStruct:
    case TypeKind::kRange: return FieldDescriptorProto::TYPE_MESSAGE;
  }
  return FieldDescriptorProto::TYPE_STRING;
}

// Names inside one message, of fields and nested messages alike, must differ; ours avoid those of the columns.
class MessageNames {
 public:
  void take(std::string_view name) { taken_.insert(std::string(name)); }
  std::string make(std::string_view stem, std::size_t number) {
    std::string name = std::string(stem) + std::to_string(number);
    while (!taken_.insert(name).second) name += '_';
    return name;
  }

 private:
  std::set<std::string> taken_;
};

struct NamedType {
  std::string_view name;
  const Type* type;
};

Status add_fields(DescriptorProto& message, const std::vector<NamedType>& fields, int depth_left);

Status add_nested(DescriptorProto& message, FieldDescriptorProto& field, const Type& type, std::string type_name,
                  int depth_left) {
  DescriptorProto& nested = *message.add_nested_type();
  nested.set_name(type_name);
  field.set_type_name(std::move(type_name));
  std::vector<NamedType> inner;
  if (type.is(TypeKind::kRange)) {
    inner = {{"start", &type.element.front()}, {"end", &type.element.front()}};
  } else {
    for (const data::StructField& f : type.fields) inner.push_back({f.name, &f.type});
  }
  return add_fields(nested, inner, depth_left - 1);
}

Status add_field(DescriptorProto& message, MessageNames& names, const NamedType& named, int depth_left) {
  const Type& type = named.type->is(TypeKind::kArray) ? named.type->element.front() : *named.type;
  const bool repeated = named.type->is(TypeKind::kArray);
  const int number = message.field_size() + 1;
  FieldDescriptorProto& field = *message.add_field();
  field.set_number(number);
  field.set_label(repeated ? FieldDescriptorProto::LABEL_REPEATED : FieldDescriptorProto::LABEL_OPTIONAL);
  field.set_type(proto_type(type.kind));
  if (is_proto_identifier(named.name)) {
    field.set_name(std::string(named.name));
  } else {
    field.set_name(names.make("column", static_cast<std::size_t>(number)));
    field.mutable_options()->SetExtension(google::cloud::bigquery::storage::v1::column_name, std::string(named.name));
  }
  if (repeated && is_packable(type.kind)) field.mutable_options()->set_packed(true);
  if (type.is(TypeKind::kArray))
    return Error(ErrorCode::kSchema,
                 "column " + std::string(named.name) + " is an array of arrays, which BigQuery does not have");
  if (!type.is(TypeKind::kStruct) && !type.is(TypeKind::kRange)) return ok();
  if (type.is(TypeKind::kStruct) && type.fields.empty())
    return Error(ErrorCode::kSchema, "column " + std::string(named.name) + " is a STRUCT without fields");
  if (depth_left == 0) {
    return Error(ErrorCode::kSchema, "column " + std::string(named.name) + " nests STRUCT deeper than " +
                                         std::to_string(kStructDepthMax) + " levels");
  }
  return add_nested(message, field, type, names.make("Type", static_cast<std::size_t>(number)), depth_left);
}

Status add_fields(DescriptorProto& message, const std::vector<NamedType>& fields, int depth_left) {
  MessageNames names;
  for (const NamedType& field : fields) names.take(field.name);
  for (const NamedType& field : fields) {
    if (field.name.empty()) return Error(ErrorCode::kSchema, "a STRUCT field without a name cannot be sent");
    TRY_STATUS(add_field(message, names, field, depth_left));
  }
  return ok();
}

std::uint32_t add_change_field(DescriptorProto& message, std::string_view name) {
  FieldDescriptorProto& field = *message.add_field();
  field.set_name(std::string(name));
  field.set_number(message.field_size());
  field.set_label(FieldDescriptorProto::LABEL_OPTIONAL);
  field.set_type(FieldDescriptorProto::TYPE_STRING);
  return static_cast<std::uint32_t>(field.number());
}

}  // namespace

bool is_proto_identifier(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || !is_letter(name.front())) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

bool is_packable(TypeKind element) {
  const FieldDescriptorProto::Type type = proto_type(element);
  return type != FieldDescriptorProto::TYPE_STRING && type != FieldDescriptorProto::TYPE_BYTES &&
         type != FieldDescriptorProto::TYPE_MESSAGE;
}

Result<RowDescriptor> build_row_descriptor(const data::TableSchema& table, bool with_changes) {
  DescriptorProto message;
  message.set_name("Row");
  std::vector<NamedType> fields;
  for (const data::Field& field : table.fields) fields.push_back({field.name, &field.type});
  TRY_STATUS(add_fields(message, fields, kStructDepthMax));
  RowDescriptor out;
  if (with_changes) {
    out.change_type_number = add_change_field(message, kChangeTypeField);
    out.change_sequence_number = add_change_field(message, kChangeSequenceField);
  }
  out.bytes = message.SerializeAsString();
  return out;
}

}  // namespace flytt::wire
