#include "googlesql/internal/types.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "data/civil.h"
#include "data/decimal.h"
#include "googlesql/functions/function_table.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql::internal {

using data::Type;
using data::TypeKind;
using zetasql::TypeProto;
using zetasql::ValueProto;

namespace {

std::string hex_blob(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "from_hex('";
  for (const unsigned char c : bytes) {
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
  return out + "')";
}

// DuckDB's parser takes no NUL inside a literal.
std::string text_sql(std::string_view text) {
  return text.find('\0') == std::string_view::npos ? quote_text(text) : "decode(" + hex_blob(text) + ")";
}

std::string double_sql(double value) {
  if (std::isnan(value)) return "'nan'::DOUBLE";
  if (std::isinf(value)) return value > 0 ? "'inf'::DOUBLE" : "'-inf'::DOUBLE";
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::scientific).ptr;
  const std::string text(digits, end);
  return text.front() == '-' ? "(" + text + ")::DOUBLE" : text + "::DOUBLE";
}

std::string int_sql(std::int64_t value) {
  return value < 0 ? "(" + std::to_string(value) + ")::BIGINT" : std::to_string(value) + "::BIGINT";
}
std::string date_sql(std::int64_t days) { return "DATE '" + data::format_date(days) + "'"; }
std::string time_sql(std::int64_t micros) { return "TIME '" + data::format_time(micros) + "'"; }
std::string numeric_sql(data::Int128 scaled) { return "'" + data::format_numeric(scaled) + "'::DECIMAL(38,9)"; }

std::string bignumeric_sql(const data::Int256& scaled) {
  char ordered[32];
  data::to_ordered_bytes(scaled, ordered);
  return hex_blob({ordered, sizeof(ordered)});
}

std::string interval_sql(const data::Interval& value) {
  return "(to_months(" + std::to_string(value.months) + ") + to_days(" + std::to_string(value.days) +
         ") + to_microseconds(" + int_sql(value.micros) + "))";
}

// 16 bytes, little-endian: int64 micros, int32 days, uint32 with the months' sign in bit 31, months in bits 13–30 and
// nanoseconds in the lowest 10.
Result<std::string> interval_value_sql(std::string_view bytes) {
  if (bytes.size() != 16) return Error(ErrorCode::kBug, "the SQL analyzer gave an INTERVAL of an unknown form");
  data::Interval value;
  std::uint32_t months_nanos = 0;
  std::memcpy(&value.micros, bytes.data(), 8);
  std::memcpy(&value.days, bytes.data() + 8, 4);
  std::memcpy(&months_nanos, bytes.data() + 12, 4);
  if ((months_nanos & 0x3ff) != 0)
    return Error(ErrorCode::kUnsupported, "an INTERVAL finer than microseconds is not supported");
  const auto months = static_cast<std::int32_t>((months_nanos >> 13) & 0x3ffff);
  value.months = (months_nanos >> 31) != 0 ? -months : months;
  return interval_sql(value);
}

std::int64_t seconds_field_micros(std::int64_t packed) {  // h<<12 | m<<6 | s
  return (((packed >> 12) & 31) * 3600 + ((packed >> 6) & 63) * 60 + (packed & 63)) * 1'000'000;
}

Result<std::string> list_sql(const Type& type, const google::protobuf::RepeatedPtrField<ValueProto>& elements) {
  std::string out = "[";
  for (const ValueProto& element : elements) {
    TRY(const std::string text, literal_sql(type.element.front(), element));
    out += (out.size() > 1 ? ", " : "") + text;
  }
  return out + "]::" + physical_type(type);
}

Result<std::string> struct_sql(const Type& type, const google::protobuf::RepeatedPtrField<ValueProto>& fields) {
  if (static_cast<std::size_t>(fields.size()) != type.fields.size())
    return Error(ErrorCode::kBug, "the SQL analyzer gave a STRUCT of another size than its type");
  if (fields.empty()) return Error(ErrorCode::kUnsupported, "a STRUCT without fields is not supported");
  std::string out = "struct_pack(";
  for (int i = 0; i < fields.size(); ++i) {
    TRY(const std::string text, literal_sql(type.fields[i].type, fields[i]));
    out += (i > 0 ? ", f" : "f") + std::to_string(i) + " := " + text;
  }
  return out + ")";
}

Result<std::string> range_sql(const Type& type, const ValueProto::Range& range) {
  TRY(const std::string start, literal_sql(type.element.front(), range.start()));
  TRY(const std::string end, literal_sql(type.element.front(), range.end()));
  return "struct_pack(f0 := " + start + ", f1 := " + end + ")";
}

TypeKind kind_of(zetasql::TypeKind kind, bool& known) {
  known = true;
  switch (kind) {
    case zetasql::TYPE_INT64: return TypeKind::kInt64;
    case zetasql::TYPE_DOUBLE: return TypeKind::kFloat64;
    case zetasql::TYPE_BOOL: return TypeKind::kBool;
    case zetasql::TYPE_STRING: return TypeKind::kString;
    case zetasql::TYPE_BYTES: return TypeKind::kBytes;
    case zetasql::TYPE_DATE: return TypeKind::kDate;
    case zetasql::TYPE_TIME: return TypeKind::kTime;
    case zetasql::TYPE_DATETIME: return TypeKind::kDatetime;
    case zetasql::TYPE_TIMESTAMP: return TypeKind::kTimestamp;
    case zetasql::TYPE_NUMERIC: return TypeKind::kNumeric;
    case zetasql::TYPE_BIGNUMERIC: return TypeKind::kBigNumeric;
    case zetasql::TYPE_JSON: return TypeKind::kJson;
    case zetasql::TYPE_INTERVAL: return TypeKind::kInterval;
    case zetasql::TYPE_GEOGRAPHY: return TypeKind::kGeography;
    case zetasql::TYPE_ARRAY: return TypeKind::kArray;
    case zetasql::TYPE_STRUCT: return TypeKind::kStruct;
    case zetasql::TYPE_RANGE: return TypeKind::kRange;
    default: known = false; return TypeKind::kInt64;
  }
}

zetasql::TypeKind kind_proto(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64: return zetasql::TYPE_INT64;
    case TypeKind::kFloat64: return zetasql::TYPE_DOUBLE;
    case TypeKind::kBool: return zetasql::TYPE_BOOL;
    case TypeKind::kString: return zetasql::TYPE_STRING;
    case TypeKind::kBytes: return zetasql::TYPE_BYTES;
    case TypeKind::kDate: return zetasql::TYPE_DATE;
    case TypeKind::kTime: return zetasql::TYPE_TIME;
    case TypeKind::kDatetime: return zetasql::TYPE_DATETIME;
    case TypeKind::kTimestamp: return zetasql::TYPE_TIMESTAMP;
    case TypeKind::kNumeric: return zetasql::TYPE_NUMERIC;
    case TypeKind::kBigNumeric: return zetasql::TYPE_BIGNUMERIC;
    case TypeKind::kJson: return zetasql::TYPE_JSON;
    case TypeKind::kInterval: return zetasql::TYPE_INTERVAL;
    case TypeKind::kGeography: return zetasql::TYPE_GEOGRAPHY;
    case TypeKind::kArray: return zetasql::TYPE_ARRAY;
    case TypeKind::kStruct: return zetasql::TYPE_STRUCT;
    case TypeKind::kRange: return zetasql::TYPE_RANGE;
  }
  return zetasql::TYPE_UNKNOWN;
}

Error not_a_value(const std::string& name, const Type& type) {
  return Error(ErrorCode::kBadData, "the value of query parameter " + (name.empty() ? "?" : "@" + name) +
                                        " is not a valid " + type.sql_name());
}

std::optional<std::string> base64_bytes(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    int digit = -1;
    if (c >= 'A' && c <= 'Z')
      digit = c - 'A';
    else if (c >= 'a' && c <= 'z')
      digit = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      digit = c - '0' + 52;
    else if (c == '+' || c == '-')
      digit = 62;
    else if (c == '/' || c == '_')
      digit = 63;
    if (digit < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>((bits >> held) & 255);
    }
  }
  if (held >= 6) return std::nullopt;
  return out;
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> scalar_parameter(const Type& type, const std::string& text) {
  const auto quoted = [](const auto& value, auto&& show) -> std::optional<std::string> {
    if (!value) return std::nullopt;
    return show(*value);
  };
  switch (type.kind) {
    case TypeKind::kInt64: {
      std::int64_t value = 0;
      const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
      return int_sql(value);
    }
    case TypeKind::kFloat64: return quoted(parse_double(text), double_sql);
    case TypeKind::kBool:
      if (strcasecmp(text.c_str(), "true") == 0) return "true";
      if (strcasecmp(text.c_str(), "false") == 0) return "false";
      return std::nullopt;
    case TypeKind::kString: return text_sql(text);
    case TypeKind::kBytes: return quoted(base64_bytes(text), hex_blob);
    case TypeKind::kDate: return quoted(data::parse_date(text), date_sql);
    case TypeKind::kTime: return quoted(data::parse_time(text), time_sql);
    case TypeKind::kDatetime: return quoted(data::parse_datetime(text), timestamp_sql);
    case TypeKind::kTimestamp: return quoted(data::parse_timestamp(text), timestamp_sql);
    case TypeKind::kInterval: return quoted(data::parse_interval(text), interval_sql);
    case TypeKind::kNumeric: {
      data::Int128 value = 0;
      if (data::parse_numeric(text, value) != data::DecimalVerdict::kOk) return std::nullopt;
      return numeric_sql(value);
    }
    case TypeKind::kBigNumeric: {
      data::Int256 value;
      if (data::parse_bignumeric(text, value) != data::DecimalVerdict::kOk) return std::nullopt;
      return bignumeric_sql(value);
    }
    default: return std::nullopt;
  }
}

// "[2024-01-01, UNBOUNDED)"
Result<std::string> range_parameter(const std::string& name, const Type& type, const std::string& text) {
  const std::size_t comma = text.find(',');
  if (text.size() < 3 || text.front() != '[' || text.back() != ')' || comma == std::string::npos)
    return not_a_value(name, type);
  const auto bound = [&](std::string part) -> Result<std::string> {
    while (!part.empty() && part.front() == ' ') part.erase(0, 1);
    while (!part.empty() && part.back() == ' ') part.pop_back();
    if (strcasecmp(part.c_str(), "UNBOUNDED") == 0 || strcasecmp(part.c_str(), "NULL") == 0)
      return null_sql(type.element.front());
    return parameter_sql(name, type.element.front(), ParameterValue{false, part, {}});
  };
  TRY(const std::string start, bound(text.substr(1, comma - 1)));
  TRY(const std::string end, bound(text.substr(comma + 1, text.size() - comma - 2)));
  return "struct_pack(f0 := " + start + ", f1 := " + end + ")";
}

Result<std::string> json_parameter(const std::string& text) {
  FunctionCall call;
  call.name = "ZetaSQL:parse_json";
  CallArgument argument;
  argument.type = TypeKind::kString;
  argument.sql = text_sql(text);
  argument.literal = text;
  call.arguments.push_back(std::move(argument));
  call.result = TypeKind::kJson;
  return render_call(call);
}

}  // namespace

std::string null_sql(const Type& type) { return "NULL::" + physical_type(type); }
std::string timestamp_sql(std::int64_t micros) { return "make_timestamp(" + int_sql(micros) + ")"; }

Result<Type> type_of(const TypeProto& proto) {
  bool known = false;
  Type type(kind_of(proto.type_kind(), known));
  if (!known)
    return Error(ErrorCode::kUnsupported,
                 "the type " + zetasql::TypeKind_Name(proto.type_kind()).substr(5) + " is not supported");
  if (type.is(TypeKind::kArray)) {
    TRY(Type element, type_of(proto.array_type().element_type()));
    return Type::array(std::move(element));
  }
  if (type.is(TypeKind::kRange)) {
    TRY(Type element, type_of(proto.range_type().element_type()));
    return Type::range(std::move(element));
  }
  if (type.is(TypeKind::kStruct)) {
    for (const zetasql::StructFieldProto& field : proto.struct_type().field()) {
      TRY(Type field_type, type_of(field.field_type()));
      type.fields.push_back({field.field_name(), std::move(field_type)});
    }
  }
  return type;
}

TypeProto type_proto(const Type& type) {
  TypeProto proto;
  proto.set_type_kind(kind_proto(type.kind));
  if (type.is(TypeKind::kArray)) *proto.mutable_array_type()->mutable_element_type() = type_proto(type.element.front());
  if (type.is(TypeKind::kRange)) *proto.mutable_range_type()->mutable_element_type() = type_proto(type.element.front());
  if (type.is(TypeKind::kStruct)) {
    proto.mutable_struct_type();
    for (const data::StructField& field : type.fields) {
      zetasql::StructFieldProto* out = proto.mutable_struct_type()->add_field();
      out->set_field_name(field.name);
      *out->mutable_field_type() = type_proto(field.type);
    }
  }
  return proto;
}

void apply_parameters(Type& type, const zetasql::TypeParametersProto& parameters) {
  if (type.is(TypeKind::kArray)) {
    if (parameters.child_list_size() == 1) apply_parameters(type.element.front(), parameters.child_list(0));
    return;
  }
  if (type.is(TypeKind::kStruct)) {
    for (int i = 0; i < parameters.child_list_size() && static_cast<std::size_t>(i) < type.fields.size(); ++i)
      apply_parameters(type.fields[i].type, parameters.child_list(i));
    return;
  }
  if (parameters.has_string_type_parameters()) type.max_length = parameters.string_type_parameters().max_length();
  if (parameters.has_numeric_type_parameters()) {
    type.precision = static_cast<std::int32_t>(parameters.numeric_type_parameters().precision());
    type.scale = static_cast<std::int32_t>(parameters.numeric_type_parameters().scale());
  }
}

std::int64_t datetime_micros(const ValueProto::Datetime& value) {
  const std::int64_t packed = value.bit_field_datetime_seconds();
  const data::CivilDate date{static_cast<std::int32_t>(packed >> 26), static_cast<std::int32_t>((packed >> 22) & 15),
                             static_cast<std::int32_t>((packed >> 17) & 31)};
  return data::days_from_civil(date) * data::kMicrosPerDay + seconds_field_micros(packed & 0x1ffff) +
         value.nanos() / 1000;
}

void set_datetime(ValueProto::Datetime& value, std::int64_t micros) {
  std::int64_t days = micros / data::kMicrosPerDay, rest = micros % data::kMicrosPerDay;
  if (rest < 0) {
    --days;
    rest += data::kMicrosPerDay;
  }
  const data::CivilDate date = data::civil_from_days(days);
  const std::int64_t seconds = rest / 1'000'000;
  value.set_bit_field_datetime_seconds((static_cast<std::int64_t>(date.year) << 26) |
                                       (static_cast<std::int64_t>(date.month) << 22) |
                                       (static_cast<std::int64_t>(date.day) << 17) | ((seconds / 3600) << 12) |
                                       ((seconds / 60 % 60) << 6) | (seconds % 60));
  value.set_nanos(static_cast<std::int32_t>(rest % 1'000'000 * 1000));
}

Result<std::string> literal_sql(const Type& type, const ValueProto& value) {
  if (value.value_case() == ValueProto::VALUE_NOT_SET) return null_sql(type);
  switch (type.kind) {
    case TypeKind::kInt64: return int_sql(value.int64_value());
    case TypeKind::kFloat64: return double_sql(value.double_value());
    case TypeKind::kBool: return std::string(value.bool_value() ? "true" : "false");
    case TypeKind::kString: return text_sql(value.string_value());
    case TypeKind::kBytes: return hex_blob(value.bytes_value());
    case TypeKind::kDate: return date_sql(value.date_value());
    case TypeKind::kTime: {
      const std::int64_t packed = value.time_value();
      return time_sql(seconds_field_micros(packed >> 30) + (packed & 0x3fffffff) / 1000);
    }
    case TypeKind::kDatetime: return timestamp_sql(datetime_micros(value.datetime_value()));
    case TypeKind::kTimestamp:
      return timestamp_sql(value.timestamp_value().seconds() * 1'000'000 + value.timestamp_value().nanos() / 1000);
    case TypeKind::kNumeric: {
      const auto wide = data::from_shortest_bytes(value.numeric_value());
      const auto scaled = wide ? data::to_int128(*wide) : std::nullopt;
      if (!scaled) return Error(ErrorCode::kBug, "the SQL analyzer gave a NUMERIC of an unknown form");
      return numeric_sql(*scaled);
    }
    case TypeKind::kBigNumeric: {
      const auto scaled = data::from_shortest_bytes(value.bignumeric_value());
      if (!scaled) return Error(ErrorCode::kBug, "the SQL analyzer gave a BIGNUMERIC of an unknown form");
      return bignumeric_sql(*scaled);
    }
    case TypeKind::kJson: return text_sql(value.json_value());
    case TypeKind::kInterval: return interval_value_sql(value.interval_value());
    case TypeKind::kArray: return list_sql(type, value.array_value().element());
    case TypeKind::kStruct: return struct_sql(type, value.struct_value().field());
    case TypeKind::kRange: return range_sql(type, value.range_value());
    case TypeKind::kGeography: return Error(ErrorCode::kUnsupported, "GEOGRAPHY constants are not supported");
  }
  return Error(ErrorCode::kBug, "a constant of an unknown type");
}

Result<std::string> parameter_sql(const std::string& name, const Type& type, const ParameterValue& value) {
  if (value.is_null) return null_sql(type);
  if (type.is(TypeKind::kGeography))
    return Error(ErrorCode::kUnsupported, "GEOGRAPHY query parameters are not supported");
  if (type.is(TypeKind::kJson)) return json_parameter(value.text);
  if (type.is(TypeKind::kRange)) return range_parameter(name, type, value.text);
  if (type.is(TypeKind::kArray)) {
    std::string out = "[";
    for (const ParameterValue& element : value.elements) {
      TRY(const std::string text, parameter_sql(name, type.element.front(), element));
      out += (out.size() > 1 ? ", " : "") + text;
    }
    return out + "]::" + physical_type(type);
  }
  if (type.is(TypeKind::kStruct)) {
    if (value.elements.size() != type.fields.size() || type.fields.empty()) return not_a_value(name, type);
    std::string out = "struct_pack(";
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      TRY(const std::string text, parameter_sql(name, type.fields[i].type, value.elements[i]));
      out += (i > 0 ? ", f" : "f") + std::to_string(i) + " := " + text;
    }
    return out + ")";
  }
  const std::optional<std::string> text = scalar_parameter(type, value.text);
  if (!text) return not_a_value(name, type);
  return *text;
}

}  // namespace flytt::googlesql::internal
