#include "wire/internal/cell_convert.h"

#include <bit>
#include <charconv>
#include <cmath>

#include "data/decimal.h"
#include "data/utf8.h"
#include "wire/internal/json_check.h"

namespace flytt::wire {
namespace {

using data::DecimalVerdict;
using data::Int128;
using data::Int256;
using data::TypeKind;
using Form = ProtoScalar::Form;

constexpr const char* kOutOfRange = "the value is out of range of its type";
constexpr const char* kNotUtf8 = "the value is not valid UTF-8";
constexpr const char* kMalformed = "the value is not in a form of its type";
constexpr const char* kTooLong = "the value is longer than the column's maximum length";

template <typename T>
void store(void* cells, std::size_t at, const T& value) {
  static_cast<T*>(cells)[at] = value;
}

// 10^exponent for 0 ≤ exponent ≤ 76.
Int256 power_of_ten(int exponent) {
  Int256 out = Int256::from(1);
  for (; exponent > 0; --exponent) out.multiply_add(10, 0);
  return out;
}

// Rounds a magnitude half up to a multiple of 10^digits.
void round_magnitude(Int256& magnitude, int digits) {
  if (digits <= 0) return;
  Int256 half = power_of_ten(digits - 1);
  half.multiply_add(5, 0);
  magnitude = magnitude + half;
  for (int i = 0; i < digits; ++i) magnitude.divide(10);
  for (int i = 0; i < digits; ++i) magnitude.multiply_add(10, 0);
}

// Decimal text whose digits go beyond `scale`: rounded half away from zero, as BigQuery does. Plain notation only.
std::optional<std::string> round_text(std::string_view text, int scale) {
  if (text.find_first_of("eE") != text.npos) return std::nullopt;
  const auto dot = text.find('.');
  if (dot == text.npos || text.size() - dot - 1 <= static_cast<std::size_t>(scale)) return std::nullopt;
  std::string kept(text.substr(0, dot + 1 + static_cast<std::size_t>(scale)));
  if (text[dot + 1 + static_cast<std::size_t>(scale)] < '5') return kept;
  for (std::size_t i = kept.size(); i-- > 0;) {
    if (kept[i] == '.') continue;
    if (kept[i] < '0' || kept[i] > '9') return kept.insert(i + 1, "1");
    if (kept[i] != '9') {
      ++kept[i];
      return kept;
    }
    kept[i] = '0';
  }
  return "1" + kept;
}

const char* verdict_text(DecimalVerdict verdict) {
  switch (verdict) {
    case DecimalVerdict::kOk: return nullptr;
    case DecimalVerdict::kOutOfRange: return kOutOfRange;
    case DecimalVerdict::kTooManyDecimals:
    case DecimalVerdict::kNotANumber: return kMalformed;
  }
  return kMalformed;
}

DecimalVerdict parse_decimal(std::string_view text, int scale, Int256& out) {
  if (scale == data::kBigNumericScale) return data::parse_bignumeric(text, out);
  Int128 narrow;
  const DecimalVerdict verdict = data::parse_numeric(text, narrow);
  if (verdict == DecimalVerdict::kOk) out = Int256::from(narrow);
  return verdict;
}

const char* decimal_from_text(std::string_view text, int scale, Int256& out) {
  DecimalVerdict verdict = parse_decimal(text, scale, out);
  if (verdict == DecimalVerdict::kTooManyDecimals) {
    if (const std::optional<std::string> rounded = round_text(text, scale))
      verdict = parse_decimal(*rounded, scale, out);
  }
  return verdict_text(verdict);
}

const char* decimal_from_integer(bool negative, std::uint64_t magnitude, int scale, Int256& out) {
  out = Int256::from(static_cast<Int128>(magnitude));
  for (int i = 0; i < scale; ++i) out.multiply_add(10, 0);
  if (negative) out = out.negated();
  return nullptr;
}

const char* decimal_from_real(double value, int scale, Int256& out) {
  if (!std::isfinite(value) || std::abs(value) > 1e39) return kOutOfRange;
  char text[128];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, scale);
  return decimal_from_text({text, static_cast<std::size_t>(end.ptr - text)}, scale, out);
}

const char* decimal_value(const ProtoScalar& value, bool is_text, int scale, Int256& out) {
  switch (value.form) {
    case Form::kSigned: {
      const auto bits = static_cast<std::uint64_t>(value.signed_value);
      return decimal_from_integer(value.signed_value < 0, value.signed_value < 0 ? 0 - bits : bits, scale, out);
    }
    case Form::kUnsigned: return decimal_from_integer(false, value.unsigned_value, scale, out);
    case Form::kReal: return decimal_from_real(value.real, scale, out);
    case Form::kBytes: {
      if (is_text) return decimal_from_text(value.bytes, scale, out);
      const std::size_t bytes_max = scale == data::kNumericScale ? 16 : 32;
      const std::optional<Int256> parsed = data::from_shortest_bytes(value.bytes);
      if (!parsed || value.bytes.size() > bytes_max) return kMalformed;
      out = *parsed;
      return nullptr;
    }
  }
  return kMalformed;
}

const char* convert_decimal(const FieldPlan& field, const ProtoScalar& value, void* cells, std::size_t at,
                            CellArena& arena) {
  const bool big = field.type.is(TypeKind::kBigNumeric);
  const int scale = big ? data::kBigNumericScale : data::kNumericScale;
  Int256 scaled;
  if (const char* wrong = decimal_value(value, field.source == ProtoType::kString, scale, scaled)) return wrong;
  if (field.type.precision != 0) {
    const bool negative = scaled.is_negative();
    Int256 magnitude = negative ? scaled.negated() : scaled;
    round_magnitude(magnitude, scale - field.type.scale);
    if (magnitude.is_negative() || !(magnitude < power_of_ten(field.type.precision - field.type.scale + scale)))
      return kOutOfRange;
    scaled = negative ? magnitude.negated() : magnitude;
  }
  if (big) {
    store(cells, at, big_numeric_cell(scaled, arena));
    return nullptr;
  }
  const std::optional<Int128> narrow = data::to_int128(scaled);
  if (!narrow || !data::is_numeric_in_range(*narrow)) return kOutOfRange;
  store(cells, at, *narrow);
  return nullptr;
}

std::size_t character_count(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

const char* convert_text(const FieldPlan& field, std::string_view text, void* cells, std::size_t at) {
  if (!data::is_valid_utf8(text)) return kNotUtf8;
  if (field.type.is(TypeKind::kJson) && !is_json(text)) return "the value is not a JSON value that BigQuery takes";
  if (field.type.max_length != 0 && character_count(text) > static_cast<std::size_t>(field.type.max_length))
    return kTooLong;
  store(cells, at, StringCell::of(text));
  return nullptr;
}

const char* convert_civil(const FieldPlan& field, const ProtoScalar& value, void* cells, std::size_t at) {
  std::optional<std::int64_t> micros;
  const bool is_time = field.type.is(TypeKind::kTime);
  if (value.form == Form::kBytes) {
    micros = is_time ? data::parse_time(value.bytes) : data::parse_datetime(value.bytes);
    if (!micros) return kMalformed;
  } else {
    micros = is_time ? data::unpack_time(value.signed_value) : data::unpack_datetime(value.signed_value);
    if (!micros) return kOutOfRange;
  }
  store(cells, at, *micros);
  return nullptr;
}

const char* convert_date(const ProtoScalar& value, void* cells, std::size_t at) {
  std::int64_t days = value.signed_value;
  if (value.form == Form::kBytes) {
    const std::optional<std::int64_t> parsed = data::parse_date(value.bytes);
    if (!parsed) return kMalformed;
    days = *parsed;
  }
  if (days < data::kDateMin || days > data::kDateMax) return kOutOfRange;
  store(cells, at, static_cast<std::int32_t>(days));
  return nullptr;
}

std::int64_t integer_of(const ProtoScalar& value) {
  return value.form == Form::kUnsigned ? static_cast<std::int64_t>(value.unsigned_value) : value.signed_value;
}

}  // namespace

bool read_scalar(ProtoCursor& cursor, ProtoType type, ProtoScalar& out) {
  std::uint64_t wide = 0;
  std::uint32_t narrow = 0;
  out.form = Form::kSigned;
  switch (wire_type_of(type)) {
    case WireType::kVarint:
      if (!cursor.varint(wide)) return false;
      break;
    case WireType::kFixed64:
      if (!cursor.fixed64(wide)) return false;
      break;
    case WireType::kFixed32:
      if (!cursor.fixed32(narrow)) return false;
      break;
    default: out.form = Form::kBytes; return cursor.bytes(out.bytes);
  }
  switch (type) {
    case ProtoType::kInt32:
    case ProtoType::kEnum: out.signed_value = static_cast<std::int32_t>(static_cast<std::uint32_t>(wide)); break;
    case ProtoType::kInt64:
    case ProtoType::kSFixed64: out.signed_value = static_cast<std::int64_t>(wide); break;
    case ProtoType::kSInt32: wide &= 0xFFFFFFFFU; [[fallthrough]];
    case ProtoType::kSInt64:
      out.signed_value = static_cast<std::int64_t>(wide >> 1) ^ -static_cast<std::int64_t>(wide & 1);
      break;
    case ProtoType::kSFixed32: out.signed_value = static_cast<std::int32_t>(narrow); break;
    case ProtoType::kUInt32:
      out.form = Form::kUnsigned;
      out.unsigned_value = static_cast<std::uint32_t>(wide);
      break;
    case ProtoType::kUInt64:
    case ProtoType::kFixed64:
      out.form = Form::kUnsigned;
      out.unsigned_value = wide;
      break;
    case ProtoType::kFixed32:
      out.form = Form::kUnsigned;
      out.unsigned_value = narrow;
      break;
    case ProtoType::kBool:
      out.form = Form::kUnsigned;
      out.unsigned_value = wide != 0;
      break;
    case ProtoType::kFloat:
      out.form = Form::kReal;
      out.real = std::bit_cast<float>(narrow);
      break;
    case ProtoType::kDouble:
      out.form = Form::kReal;
      out.real = std::bit_cast<double>(wide);
      break;
    default: return false;
  }
  return true;
}

ProtoScalar default_scalar(ProtoType type) {
  ProtoScalar out;
  if (wire_type_of(type) == WireType::kBytes) out.form = Form::kBytes;
  if (type == ProtoType::kFloat || type == ProtoType::kDouble) out.form = Form::kReal;
  if (type == ProtoType::kUInt32 || type == ProtoType::kUInt64 || type == ProtoType::kBool) out.form = Form::kUnsigned;
  return out;
}

const char* convert_cell(const FieldPlan& field, const ProtoScalar& value, void* cells, std::size_t at,
                         CellArena& arena) {
  switch (field.type.kind) {
    case TypeKind::kBool: store(cells, at, static_cast<std::uint8_t>(integer_of(value) != 0)); return nullptr;
    case TypeKind::kInt64: store(cells, at, integer_of(value)); return nullptr;
    case TypeKind::kFloat64: store(cells, at, value.real); return nullptr;
    case TypeKind::kNumeric:
    case TypeKind::kBigNumeric: return convert_decimal(field, value, cells, at, arena);
    case TypeKind::kDate: return convert_date(value, cells, at);
    case TypeKind::kTime:
    case TypeKind::kDatetime: return convert_civil(field, value, cells, at);
    case TypeKind::kTimestamp: {
      const std::int64_t micros = integer_of(value);
      if (micros < data::kTimestampMin || micros > data::kTimestampMax) return kOutOfRange;
      store(cells, at, micros);
      return nullptr;
    }
    case TypeKind::kString: {
      if (field.source != ProtoType::kEnum) return convert_text(field, value.bytes, cells, at);
      const auto name = field.enum_names.find(static_cast<std::int32_t>(value.signed_value));
      if (name == field.enum_names.end()) return "the number is not a value of its enum";
      return convert_text(field, arena.copy(name->second), cells, at);
    }
    case TypeKind::kJson:
    case TypeKind::kGeography: return convert_text(field, value.bytes, cells, at);
    case TypeKind::kBytes:
      if (field.type.max_length != 0 && value.bytes.size() > static_cast<std::size_t>(field.type.max_length))
        return kTooLong;
      store(cells, at, StringCell::of(value.bytes));
      return nullptr;
    case TypeKind::kInterval: {
      const std::optional<data::Interval> interval = data::parse_interval(value.bytes);
      if (!interval) return kMalformed;
      if (!is_interval_in_range(*interval)) return kOutOfRange;
      store(cells, at, *interval);
      return nullptr;
    }
    default: return kMalformed;
  }
}

const char* read_seconds(std::string_view message, std::int64_t& micros) {
  constexpr std::int64_t kSecondsMax = 315'576'000'000;  // 10,000 years, as google.protobuf.Duration has it
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;
  ProtoCursor cursor(message);
  while (!cursor.done()) {
    std::uint32_t tag;
    std::uint64_t value;
    if (!cursor.tag(tag)) return kMalformed;
    if (tag == tag_of(1, WireType::kVarint)) {
      if (!cursor.varint(value)) return kMalformed;
      seconds = static_cast<std::int64_t>(value);
    } else if (tag == tag_of(2, WireType::kVarint)) {
      if (!cursor.varint(value)) return kMalformed;
      nanos = static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    } else if (!cursor.skip(tag)) {
      return kMalformed;
    }
  }
  if (seconds < -kSecondsMax || seconds > kSecondsMax || nanos < -999'999'999 || nanos > 999'999'999)
    return kOutOfRange;
  micros = seconds * 1'000'000 + nanos / 1'000;
  return nullptr;
}

bool is_interval_in_range(const data::Interval& interval) {
  // 10,000 years in each part (GoogleSQL, "Interval type").
  return std::abs(static_cast<std::int64_t>(interval.months)) <= 120'000 &&
         std::abs(static_cast<std::int64_t>(interval.days)) <= 3'660'000 &&
         interval.micros >= -316'224'000'000'000'000 && interval.micros <= 316'224'000'000'000'000;
}

StringCell big_numeric_cell(const Int256& value, CellArena& arena) {
  char* const bytes = arena.allocate(32);
  data::to_ordered_bytes(value, bytes);
  return StringCell::of({bytes, 32});
}

}  // namespace flytt::wire
