// Binary values into column builders. Each case names the send function that writes what it reads.

#include <array>
#include <bit>
#include <cmath>

#include "data/utf8.h"
#include "postgres/internal/codec.h"
#include "postgres/internal/numeric.h"
#include "postgres/internal/values.h"
#include "postgres/internal/wire.h"

namespace flytt::postgres {

namespace {

using data::Column;

template <typename T>
Verdict append_integer(std::string_view bytes, Column& out) {
  if (bytes.size() != sizeof(T)) return Verdict::kMalformed;
  out.append_int64(static_cast<std::int64_t>(read_big_endian<T>(bytes.data())));
  return Verdict::kOk;
}

template <typename Float, typename Bits>
Verdict append_float(std::string_view bytes, Column& out) {
  if (bytes.size() != sizeof(Float)) return Verdict::kMalformed;
  out.append_double(static_cast<double>(std::bit_cast<Float>(read_big_endian<Bits>(bytes.data()))));
  return Verdict::kOk;
}

Verdict append_characters(const Codec& codec, std::string_view bytes, Column& out) {
  if (codec.check_utf8 && !data::is_valid_utf8(bytes)) return Verdict::kNotUtf8;
  out.append_bytes(bytes);
  return Verdict::kOk;
}

Verdict append_json(const Codec& codec, std::string_view text, Column& out) {
  if (codec.check_utf8 && !data::is_valid_utf8(text)) return Verdict::kNotUtf8;
  const Verdict verdict = check_json(text);
  if (verdict == Verdict::kOk) out.append_bytes(text);
  return verdict;
}

Verdict append_rendered(const Codec& codec, std::string_view bytes, Column& out) {
  const std::string text = render_text(codec, bytes);
  const bool is_no_bits = codec.kind == ValueKind::kBit && bytes == std::string_view("\0\0\0\0", 4);
  if (text.empty() && !is_no_bits) return Verdict::kMalformed;
  out.append_bytes(text);
  return Verdict::kOk;
}

// array_send: int32 dimensions, int32 has-nulls, uint32 element type, then per dimension int32 length and int32 lower
// bound, then the elements, each with an int32 length (−1: NULL).
Verdict append_array(const Codec& codec, std::string_view bytes, Column& out) {
  WireReader in(bytes);
  const auto dimensions = in.number<std::int32_t>();
  const auto has_nulls = in.number<std::int32_t>();
  in.number<std::uint32_t>();
  if (in.failed() || dimensions < 0 || dimensions > 6 || has_nulls < 0 || has_nulls > 1) return Verdict::kMalformed;
  if (dimensions == 0) {
    if (!in.done()) return Verdict::kMalformed;
    out.close_list();
    return Verdict::kOk;
  }
  if (dimensions > 1) return Verdict::kDimensions;
  const auto count = in.number<std::int32_t>();
  in.number<std::int32_t>();
  if (in.failed() || count < 0 || static_cast<std::size_t>(count) > in.left() / 4) return Verdict::kMalformed;
  Column& elements = out.children().front();
  const std::size_t before = elements.size();
  Verdict verdict = Verdict::kOk;
  for (std::int32_t i = 0; i < count && verdict == Verdict::kOk; ++i) {
    const auto length = in.number<std::int32_t>();
    if (in.failed() || length < -1)
      verdict = Verdict::kMalformed;
    else if (length == -1)
      verdict = Verdict::kNullElement;
    else if (const std::string_view element = in.bytes(static_cast<std::size_t>(length)); in.failed())
      verdict = Verdict::kMalformed;
    else
      verdict = decode_binary(codec.element.front(), element, elements);
  }
  if (verdict == Verdict::kOk && !in.done()) verdict = Verdict::kMalformed;
  if (verdict == Verdict::kOk) {
    out.close_list();
    return verdict;
  }
  while (elements.size() > before) elements.pop_back();
  return verdict;
}

// pgvector's vector_send: int16 count, int16 zero, float4 each.
Verdict append_vector(std::string_view bytes, Column& out) {
  WireReader in(bytes);
  const auto count = in.number<std::uint16_t>();
  in.number<std::uint16_t>();
  if (in.failed() || in.left() != std::size_t{count} * 4) return Verdict::kMalformed;
  Column& elements = out.children().front();
  for (std::uint16_t i = 0; i < count; ++i)
    elements.append_double(static_cast<double>(std::bit_cast<float>(in.number<std::uint32_t>())));
  out.close_list();
  return Verdict::kOk;
}

Verdict append_interval(std::string_view bytes, Column& out) {
  data::Interval interval;
  if (!read_interval(bytes, interval)) return Verdict::kMalformed;
  if (const Verdict verdict = check_interval(interval); verdict != Verdict::kOk) return verdict;
  out.append_interval(interval);
  return Verdict::kOk;
}

Verdict append_date(std::string_view bytes, Column& out) {
  if (bytes.size() != 4) return Verdict::kMalformed;
  const auto days = read_big_endian<std::int32_t>(bytes.data());
  if (days == INT32_MIN || days == INT32_MAX) return Verdict::kNotFinite;
  const std::int64_t since_1970 = std::int64_t{days} + kDaysTo2000;
  if (since_1970 < data::kDateMin || since_1970 > data::kDateMax) return Verdict::kOutOfRange;
  out.append_int64(since_1970);
  return Verdict::kOk;
}

Verdict append_timestamp(std::string_view bytes, Column& out) {
  if (bytes.size() != 8) return Verdict::kMalformed;
  const auto micros = read_big_endian<std::int64_t>(bytes.data());
  if (micros == INT64_MIN || micros == INT64_MAX) return Verdict::kNotFinite;
  std::int64_t since_1970;
  if (__builtin_add_overflow(micros, kMicrosTo2000, &since_1970)) return Verdict::kOutOfRange;
  if (since_1970 < data::kTimestampMin || since_1970 > data::kTimestampMax) return Verdict::kOutOfRange;
  out.append_int64(since_1970);
  return Verdict::kOk;
}

Verdict append_time(std::string_view bytes, Column& out) {
  if (bytes.size() != 8) return Verdict::kMalformed;
  const auto micros = read_big_endian<std::int64_t>(bytes.data());
  if (micros < 0 || micros > data::kMicrosPerDay) return Verdict::kMalformed;
  if (micros == data::kMicrosPerDay) return Verdict::kMidnight;
  out.append_int64(micros);
  return Verdict::kOk;
}

Verdict append_uuid(std::string_view bytes, Column& out) {
  if (bytes.size() != 16) return Verdict::kMalformed;
  char text[36];
  write_uuid(bytes.data(), text);
  out.append_bytes({text, sizeof text});
  return Verdict::kOk;
}

Verdict append_money(const Codec& codec, std::string_view bytes, Column& out) {
  if (bytes.size() != 8) return Verdict::kMalformed;
  out.append_int128(scale_money(read_big_endian<std::int64_t>(bytes.data()), codec.money_decimals));
  return Verdict::kOk;
}

}  // namespace

Verdict decode_binary(const Codec& codec, std::string_view bytes, Column& out) {
  switch (codec.kind) {
    case ValueKind::kInt2: return append_integer<std::int16_t>(bytes, out);
    case ValueKind::kInt4: return append_integer<std::int32_t>(bytes, out);
    case ValueKind::kInt8: return append_integer<std::int64_t>(bytes, out);
    case ValueKind::kOid: return append_integer<std::uint32_t>(bytes, out);
    case ValueKind::kFloat4: return append_float<float, std::uint32_t>(bytes, out);
    case ValueKind::kFloat8: return append_float<double, std::uint64_t>(bytes, out);
    case ValueKind::kBool:
      if (bytes.size() != 1) return Verdict::kMalformed;
      out.append_bool(bytes.front() != 0);
      return Verdict::kOk;
    case ValueKind::kNumeric: {
      data::Int128 scaled;
      const Verdict verdict = read_numeric(bytes, scaled);
      if (verdict == Verdict::kOk) out.append_int128(scaled);
      return verdict;
    }
    case ValueKind::kBigNumeric: {
      data::Int256 scaled;
      const Verdict verdict = read_bignumeric(bytes, scaled);
      if (verdict == Verdict::kOk) out.append_int256(scaled);
      return verdict;
    }
    case ValueKind::kMoney: return append_money(codec, bytes, out);
    case ValueKind::kText: return append_characters(codec, bytes, out);
    case ValueKind::kBytea: out.append_bytes(bytes); return Verdict::kOk;
    case ValueKind::kUuid: return append_uuid(bytes, out);
    case ValueKind::kDate: return append_date(bytes, out);
    case ValueKind::kTime: return append_time(bytes, out);
    case ValueKind::kTimestamp:
    case ValueKind::kTimestamptz: return append_timestamp(bytes, out);
    case ValueKind::kInterval: return append_interval(bytes, out);
    case ValueKind::kJson: return append_json(codec, bytes, out);
    case ValueKind::kJsonb:
      if (bytes.empty() || bytes.front() != 1) return Verdict::kMalformed;
      return append_json(codec, bytes.substr(1), out);
    case ValueKind::kTimetz:
    case ValueKind::kInet:
    case ValueKind::kMacaddr:
    case ValueKind::kPgLsn:
    case ValueKind::kBit: return append_rendered(codec, bytes, out);
    case ValueKind::kVector: return append_vector(bytes, out);
    case ValueKind::kArray: return append_array(codec, bytes, out);
    case ValueKind::kOtherText: return Verdict::kMalformed;  // its text form is asked for
  }
  return Verdict::kMalformed;
}

std::string_view sentence(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return "the value was stored";
    case Verdict::kNotFinite: return "BigQuery has no infinity and no NaN in this type";
    case Verdict::kOutOfRange: return "the value is beyond the range of the BigQuery type";
    case Verdict::kTooManyDecimals: return "the value has more decimals than the BigQuery type keeps";
    case Verdict::kMidnight: return "BigQuery's TIME ends before 24:00:00";
    case Verdict::kNullElement: return "BigQuery's arrays cannot hold NULL";
    case Verdict::kDimensions: return "BigQuery's arrays have one dimension";
    case Verdict::kJsonDepth: return "the document is nested deeper than BigQuery's JSON allows";
    case Verdict::kJsonNumber: return "the document has a number that BigQuery's JSON cannot keep exactly";
    case Verdict::kJsonCharacter:
      return "the document has a character that BigQuery's JSON refuses (\\u0000 or half a surrogate pair)";
    case Verdict::kNotUtf8: return "the text is not UTF-8";
    case Verdict::kMalformed: return "the bytes do not have the form of the column's type";
  }
  return "unknown";
}

}  // namespace flytt::postgres
