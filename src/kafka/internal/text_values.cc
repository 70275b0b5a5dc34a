#include "kafka/internal/text_values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "data/json_text.h"
#include "kafka/internal/times.h"

namespace flytt::kafka {

namespace {

using data::TypeKind;

Verdict verdict_of(data::DecimalVerdict verdict) {
  switch (verdict) {
    case data::DecimalVerdict::kOk: return Verdict::kOk;
    case data::DecimalVerdict::kOutOfRange: return Verdict::kOutOfRange;
    case data::DecimalVerdict::kTooManyDecimals: return Verdict::kTooManyDecimals;
    case data::DecimalVerdict::kNotANumber: break;
  }
  return Verdict::kNotTheText;
}

// 12 and also 12.0 and 1.2e1, which are the same number.
Verdict append_int64(std::string_view number, data::Column& out) {
  std::int64_t value;
  const char* end = number.data() + number.size();
  if (const auto [at, failure] = std::from_chars(number.data(), end, value); failure == std::errc() && at == end) {
    out.append_int64(value);
    return Verdict::kOk;
  }
  data::Int128 scaled;
  if (const Verdict v = verdict_of(data::parse_numeric(number, scaled)); v != Verdict::kOk) return v;
  constexpr data::Int128 kOne = 1'000'000'000;
  if (scaled % kOne != 0) return Verdict::kTooManyDecimals;
  scaled /= kOne;
  if (scaled > std::numeric_limits<std::int64_t>::max() || scaled < std::numeric_limits<std::int64_t>::min())
    return Verdict::kOutOfRange;
  out.append_int64(static_cast<std::int64_t>(scaled));
  return Verdict::kOk;
}

Verdict append_double(std::string_view number, data::Column& out) {
  double value;
  const char* end = number.data() + number.size();
  const auto [at, failure] = std::from_chars(number.data(), end, value);
  if (at != end) return Verdict::kNotTheText;
  if (failure == std::errc::result_out_of_range) {
    // Too small is zero, too large is no FLOAT64. The exponent's sign tells them apart, or a leading 0.000….
    const std::size_t e = number.find_first_of("eE");
    const bool is_small = e != number.npos ? number[e + 1] == '-' : number.find('.') < 4;
    if (!is_small) return Verdict::kOutOfRange;
    value = number.front() == '-' ? -0.0 : 0.0;
  } else if (failure != std::errc()) {
    return Verdict::kNotTheText;
  }
  out.append_double(value);
  return Verdict::kOk;
}

constexpr std::array<signed char, 256> base64_table() {
  std::array<signed char, 256> table{};
  for (auto& entry : table) entry = -1;
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 64; ++i) table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<signed char>(i);
  table['-'] = 62;
  table['_'] = 63;
  return table;
}
constexpr auto kBase64 = base64_table();

Verdict append_base64(const data::Type& type, std::string_view text, data::Column& out) {
  if (text.size() % 4 == 0)
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return Verdict::kNotTheText;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int six = kBase64[static_cast<unsigned char>(c)];
    if (six < 0) return Verdict::kNotTheText;
    bits = bits << 6 | static_cast<std::uint32_t>(six);
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count);
    bits &= (1u << count) - 1;
  }
  if (bits != 0) return Verdict::kNotTheText;  // bits beyond the last byte
  if (!fits(type, bytes)) return Verdict::kTooLong;
  out.append_bytes(bytes);
  return Verdict::kOk;
}

Verdict append_instant(std::optional<std::int64_t> value, data::Column& out) {
  if (!value) return Verdict::kNotTheText;
  out.append_int64(*value);
  return Verdict::kOk;
}

bool is_number_type(const data::Type& type) {
  return type.is(TypeKind::kInt64) || type.is(TypeKind::kFloat64) || type.is(TypeKind::kNumeric) ||
         type.is(TypeKind::kBigNumeric);
}

std::optional<double> special_double(std::string_view text) {
  if (text == "NaN") return std::nan("");
  if (text == "Infinity" || text == "+Infinity" || text == "inf" || text == "+inf")
    return std::numeric_limits<double>::infinity();
  if (text == "-Infinity" || text == "-inf") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

Verdict append_number_text(const data::Type& type, std::string_view text, const ValueRules& rules, data::Column& out) {
  if (!rules.numbers_in_strings) return Verdict::kWrongForm;
  if (type.is(TypeKind::kFloat64)) {
    if (const auto special = special_double(text)) {
      out.append_double(*special);
      return Verdict::kOk;
    }
  }
  return data::is_json_number(text) ? append_number(type, text, rules, out) : Verdict::kNotTheText;
}

}  // namespace

bool fits(const data::Type& type, std::string_view bytes) {
  if (type.max_length == 0 || static_cast<std::int64_t>(bytes.size()) <= type.max_length) return true;
  if (!type.is(TypeKind::kString)) return false;
  std::int64_t characters = 0;
  for (const char c : bytes) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return characters <= type.max_length;
}

Verdict append_number(const data::Type& type, std::string_view number, const ValueRules& rules, data::Column& out) {
  switch (type.kind) {
    case TypeKind::kInt64: return append_int64(number, out);
    case TypeKind::kFloat64: return append_double(number, out);
    case TypeKind::kNumeric: {
      data::Int128 scaled;
      const Verdict verdict = verdict_of(data::parse_numeric(number, scaled));
      if (verdict == Verdict::kOk) out.append_int128(scaled);
      return verdict;
    }
    case TypeKind::kBigNumeric: {
      data::Int256 scaled;
      const Verdict verdict = verdict_of(data::parse_bignumeric(number, scaled));
      if (verdict == Verdict::kOk) out.append_int256(scaled);
      return verdict;
    }
    case TypeKind::kTimestamp:
    case TypeKind::kDatetime: {
      if (rules.epoch_unit == EpochUnit::kRefused) return Verdict::kWrongForm;
      data::Int128 scaled;
      if (const Verdict v = verdict_of(data::parse_numeric(number, scaled)); v != Verdict::kOk) return v;
      const auto micros = instant_of(scaled, rules.epoch_unit);
      if (!micros) return Verdict::kOutOfRange;
      out.append_int64(*micros);
      return Verdict::kOk;
    }
    default: return Verdict::kWrongForm;
  }
}

Verdict append_string(const data::Type& type, std::string_view text, const ValueRules& rules, data::Column& out) {
  switch (type.kind) {
    case TypeKind::kString:
      if (!fits(type, text)) return Verdict::kTooLong;
      out.append_bytes(text);
      return Verdict::kOk;
    case TypeKind::kGeography: out.append_bytes(text); return Verdict::kOk;
    case TypeKind::kInt64:
    case TypeKind::kFloat64:
    case TypeKind::kNumeric:
    case TypeKind::kBigNumeric: return append_number_text(type, text, rules, out);
    case TypeKind::kBytes: return append_base64(type, text, out);
    case TypeKind::kDate: return append_instant(read_date(text, rules.strict_times), out);
    case TypeKind::kTime: return append_instant(read_time(text, rules.strict_times), out);
    case TypeKind::kDatetime: return append_instant(read_datetime(text, rules.strict_times), out);
    case TypeKind::kTimestamp: return append_instant(read_timestamp(text, rules.strict_times), out);
    case TypeKind::kInterval: {
      const auto interval = data::parse_interval(text);
      if (!interval) return Verdict::kNotTheText;
      out.append_interval(*interval);
      return Verdict::kOk;
    }
    case TypeKind::kBool:
    case TypeKind::kJson:
    case TypeKind::kArray:
    case TypeKind::kStruct:
    case TypeKind::kRange: break;
  }
  return Verdict::kWrongForm;
}

Verdict append_text(const data::Type& type, std::string_view text, const ValueRules& rules, data::Column& out) {
  if (type.is(TypeKind::kBool)) {
    if (text != "true" && text != "false") return Verdict::kNotTheText;
    out.append_bool(text == "true");
    return Verdict::kOk;
  }
  if (type.is(TypeKind::kJson)) {
    switch (data::check_json(text)) {
      case data::JsonVerdict::kOk: out.append_bytes(text); return Verdict::kOk;
      case data::JsonVerdict::kMalformed: return Verdict::kNotTheText;
      case data::JsonVerdict::kTooDeep: return Verdict::kTooDeep;
      case data::JsonVerdict::kNumber: return Verdict::kJsonNumber;
      case data::JsonVerdict::kCharacter: return Verdict::kJsonCharacter;
    }
  }
  if (type.is(TypeKind::kBytes)) {
    if (!fits(type, text)) return Verdict::kTooLong;
    out.append_bytes(text);
    return Verdict::kOk;
  }
  const bool is_instant = type.is(TypeKind::kTimestamp) || type.is(TypeKind::kDatetime);
  if (is_number_type(type) || (is_instant && rules.epoch_unit != EpochUnit::kRefused && data::is_json_number(text))) {
    if (data::is_json_number(text)) return append_number(type, text, rules, out);
  }
  return append_string(type, text, rules, out);
}

bool has_text_form(const data::Type& type) {
  return !type.is(TypeKind::kArray) && !type.is(TypeKind::kStruct) && !type.is(TypeKind::kRange);
}

}  // namespace flytt::kafka
