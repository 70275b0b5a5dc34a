#include "wire/storage_schema.h"

#include <google/cloud/bigquery/storage/v1/table.pb.h>

#include <optional>

#include "wire/limits.h"

namespace flytt::wire {
namespace {

namespace storage = google::cloud::bigquery::storage::v1;
using data::Type;
using data::TypeKind;
using Proto = storage::TableFieldSchema;

Proto::Type proto_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64: return Proto::INT64;
    case TypeKind::kFloat64: return Proto::DOUBLE;
    case TypeKind::kBool: return Proto::BOOL;
    case TypeKind::kString: return Proto::STRING;
    case TypeKind::kBytes: return Proto::BYTES;
    case TypeKind::kDate: return Proto::DATE;
    case TypeKind::kTime: return Proto::TIME;
    case TypeKind::kDatetime: return Proto::DATETIME;
    case TypeKind::kTimestamp: return Proto::TIMESTAMP;
    case TypeKind::kNumeric: return Proto::NUMERIC;
    case TypeKind::kBigNumeric: return Proto::BIGNUMERIC;
    case TypeKind::kJson: return Proto::JSON;
    case TypeKind::kInterval: return Proto::INTERVAL;
    case TypeKind::kGeography: return Proto::GEOGRAPHY;
    case TypeKind::kStruct: return Proto::STRUCT;
    case TypeKind::kRange: return Proto::RANGE;
    case TypeKind::kArray: break;
  }
  return Proto::TYPE_UNSPECIFIED;
}

std::optional<TypeKind> kind_of(Proto::Type type) {
  switch (type) {
    case Proto::INT64: return TypeKind::kInt64;
    case Proto::DOUBLE: return TypeKind::kFloat64;
    case Proto::BOOL: return TypeKind::kBool;
    case Proto::STRING: return TypeKind::kString;
    case Proto::BYTES: return TypeKind::kBytes;
    case Proto::DATE: return TypeKind::kDate;
    case Proto::TIME: return TypeKind::kTime;
    case Proto::DATETIME: return TypeKind::kDatetime;
    case Proto::TIMESTAMP: return TypeKind::kTimestamp;
    case Proto::NUMERIC: return TypeKind::kNumeric;
    case Proto::BIGNUMERIC: return TypeKind::kBigNumeric;
    case Proto::JSON: return TypeKind::kJson;
    case Proto::INTERVAL: return TypeKind::kInterval;
    case Proto::GEOGRAPHY: return TypeKind::kGeography;
    case Proto::STRUCT: return TypeKind::kStruct;
    case Proto::RANGE: return TypeKind::kRange;
    default: return std::nullopt;
  }
}

void write_field(Proto& out, const std::string& name, const Type& declared) {
  const bool repeated = declared.is(TypeKind::kArray);
  const Type& type = repeated ? declared.element.front() : declared;
  out.set_name(name);
  out.set_type(proto_of(type.kind));
  out.set_mode(repeated ? Proto::REPEATED : Proto::NULLABLE);
  out.set_max_length(type.max_length);
  out.set_precision(type.precision);
  out.set_scale(type.scale);
  if (type.is(TypeKind::kRange)) out.mutable_range_element_type()->set_type(proto_of(type.element.front().kind));
  for (const data::StructField& field : type.fields) write_field(*out.add_fields(), field.name, field.type);
}

Result<Type> read_type(const Proto& field, int depth_left) {
  const std::optional<TypeKind> kind = kind_of(field.type());
  if (!kind || depth_left < 0)
    return Error(ErrorCode::kSchema, "column " + field.name() + " has a type that is not known here");
  Type type(*kind);
  type.max_length = field.max_length();
  type.precision = static_cast<std::int32_t>(field.precision());
  type.scale = static_cast<std::int32_t>(field.scale());
  if (*kind == TypeKind::kRange) {
    const std::optional<TypeKind> element = kind_of(field.range_element_type().type());
    if (!element) return Error(ErrorCode::kSchema, "column " + field.name() + " is a RANGE without an element type");
    type = Type::range(*element);
  }
  for (const Proto& inner : field.fields()) {
    TRY(Type inner_type, read_type(inner, depth_left - 1));
    type.fields.push_back({inner.name(), std::move(inner_type)});
  }
  return field.mode() == Proto::REPEATED ? Type::array(std::move(type)) : type;
}

}  // namespace

void to_storage_schema(const data::TableSchema& table, storage::TableSchema& out) {
  out.Clear();
  for (const data::Field& field : table.fields) {
    Proto& proto = *out.add_fields();
    write_field(proto, field.name, field.type);
    if (field.required) proto.set_mode(Proto::REQUIRED);
    proto.set_description(field.description);
  }
}

Result<data::TableSchema> from_storage_schema(const storage::TableSchema& schema) {
  data::TableSchema out;
  for (const Proto& proto : schema.fields()) {
    TRY(Type type, read_type(proto, kStructDepthMax));
    out.fields.push_back({proto.name(), std::move(type), proto.mode() == Proto::REQUIRED, proto.description()});
  }
  return out;
}

}  // namespace flytt::wire
