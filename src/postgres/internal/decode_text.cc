// Text values into column builders: the stream of PostgreSQL 13, and types whose binary form is not read.

#include <charconv>
#include <cmath>

#include "data/utf8.h"
#include "postgres/internal/codec.h"
#include "postgres/internal/values.h"

namespace flytt::postgres {

namespace {

using data::Column;

template <typename T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

Verdict append_integer(std::string_view text, Column& out) {
  std::int64_t value;
  if (!parse_number(text, value)) return Verdict::kMalformed;
  out.append_int64(value);
  return Verdict::kOk;
}

// A float4 is read as one, so that it widens to the same double as its binary form.
template <typename Float>
bool parse_float(std::string_view text, Float& value) {
  if (text == "NaN")
    value = std::nanf("");
  else if (text == "Infinity")
    value = HUGE_VALF;
  else if (text == "-Infinity")
    value = -HUGE_VALF;
  else
    return parse_number(text, value);
  return true;
}

template <typename Float>
Verdict append_float(std::string_view text, Column& out) {
  Float value;
  if (!parse_float(text, value)) return Verdict::kMalformed;
  out.append_double(static_cast<double>(value));
  return Verdict::kOk;
}

Verdict to_verdict(data::DecimalVerdict verdict, std::string_view text) {
  switch (verdict) {
    case data::DecimalVerdict::kOk: return Verdict::kOk;
    case data::DecimalVerdict::kOutOfRange: return Verdict::kOutOfRange;
    case data::DecimalVerdict::kTooManyDecimals: return Verdict::kTooManyDecimals;
    case data::DecimalVerdict::kNotANumber: break;
  }
  return text == "NaN" || text == "Infinity" || text == "-Infinity" ? Verdict::kNotFinite : Verdict::kMalformed;
}

// In the C locale: "$1,234.56", "-$0.01". Its digits are the integer of the smallest unit.
Verdict append_money(const Codec& codec, std::string_view text, Column& out) {
  bool negative = false;
  std::uint64_t units = 0;
  int digits = 0;
  for (const char c : text) {
    if (c == '-' || c == '(') negative = true;
    if (c < '0' || c > '9') continue;
    if (++digits > 19) return Verdict::kMalformed;
    units = units * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (digits == 0) return Verdict::kMalformed;
  out.append_int128(scale_money(static_cast<std::int64_t>(negative ? 0 - units : units), codec.money_decimals));
  return Verdict::kOk;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Verdict append_bytea(std::string_view text, Column& out) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return Verdict::kMalformed;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 2; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return Verdict::kMalformed;
    bytes += static_cast<char>(high << 4 | low);
  }
  out.append_bytes(bytes);
  return Verdict::kOk;
}

// A date or timestamp that data::parse_… did not take: infinite, beyond 0001 to 9999, or nonsense.
Verdict judge_civil(std::string_view text) {
  if (text == "infinity" || text == "-infinity") return Verdict::kNotFinite;
  const auto dash = text.find('-');
  if (text.ends_with(" BC") || (dash != text.npos && dash > 4)) return Verdict::kOutOfRange;
  return Verdict::kMalformed;
}

Verdict append_civil(std::optional<std::int64_t> value, std::string_view text, Column& out) {
  if (!value) return judge_civil(text);
  out.append_int64(*value);
  return Verdict::kOk;
}

Verdict append_time(std::string_view text, Column& out) {
  if (text == "24:00:00") return Verdict::kMidnight;
  const auto value = data::parse_time(text);
  if (!value) return Verdict::kMalformed;
  out.append_int64(*value);
  return Verdict::kOk;
}

// "[-]HH:MM:SS[.ffffff]", hours without bound.
bool parse_clock(std::string_view text, std::int64_t& micros) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t fields[3] = {0, 0, 0};
  for (int i = 0; i < 3; ++i) {
    const auto end = text.find_first_of(i < 2 ? ":" : ".");
    if (!parse_number(text.substr(0, end), fields[i]) || fields[i] < 0) return false;
    if (i < 2 && end == text.npos) return false;
    text = end == text.npos ? std::string_view{} : text.substr(end + 1);
  }
  std::int64_t fraction = 0;
  if (!text.empty()) {
    if (text.size() > 6 || !parse_number(text, fraction) || fraction < 0) return false;
    for (std::size_t i = text.size(); i < 6; ++i) fraction *= 10;
  }
  if (fields[0] > 2'600'000'000 || fields[1] > 59 || fields[2] > 59) return false;
  micros = ((fields[0] * 60 + fields[1]) * 60 + fields[2]) * 1'000'000 + fraction;
  if (negative) micros = -micros;
  return true;
}

bool parse_interval(std::string_view text, data::Interval& out) {
  std::int64_t months = 0, days = 0;
  while (!text.empty()) {
    const auto space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text = space == text.npos ? std::string_view{} : text.substr(space + 1);
    if (word.find(':') != word.npos) {
      if (!parse_clock(word, out.micros)) return false;
      continue;
    }
    std::int64_t count;
    if (!parse_number(word.starts_with('+') ? word.substr(1) : word, count) || count < -2'200'000'000 ||
        count > 2'200'000'000)
      return false;
    const auto end = text.find(' ');
    const std::string_view unit = text.substr(0, end);
    text = end == text.npos ? std::string_view{} : text.substr(end + 1);
    if (unit.starts_with("year"))
      months += count * 12;
    else if (unit.starts_with("mon"))
      months += count;
    else if (unit.starts_with("day"))
      days += count;
    else
      return false;
  }
  if (months < INT32_MIN || months > INT32_MAX || days < INT32_MIN || days > INT32_MAX) return false;
  out.months = static_cast<std::int32_t>(months);
  out.days = static_cast<std::int32_t>(days);
  return true;
}

Verdict append_interval(std::string_view text, Column& out) {
  if (text == "infinity" || text == "-infinity") return Verdict::kNotFinite;
  data::Interval interval;
  if (text.empty() || !parse_interval(text, interval)) return Verdict::kMalformed;
  if (const Verdict verdict = check_interval(interval); verdict != Verdict::kOk) return verdict;
  out.append_interval(interval);
  return Verdict::kOk;
}

Verdict append_characters(const Codec& codec, std::string_view text, Column& out) {
  if (codec.check_utf8 && !data::is_valid_utf8(text)) return Verdict::kNotUtf8;
  out.append_bytes(text);
  return Verdict::kOk;
}

Verdict append_json(const Codec& codec, std::string_view text, Column& out) {
  if (codec.check_utf8 && !data::is_valid_utf8(text)) return Verdict::kNotUtf8;
  const Verdict verdict = check_json(text);
  if (verdict == Verdict::kOk) out.append_bytes(text);
  return verdict;
}

// One element from the front of `text`, with its quotes and backslashes taken away. False when it does not end.
bool take_element(std::string_view& text, char delimiter, std::string& element, bool& quoted) {
  element.clear();
  quoted = text.starts_with('"');
  std::size_t at = quoted ? 1 : 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted ? c == '"' : (c == delimiter || c == '}')) {
      text.remove_prefix(quoted ? at + 1 : at);
      return true;
    }
    if (c == '\\' && ++at == text.size()) return false;
    element += text[at];
  }
  return false;
}

Verdict append_elements(const Codec& codec, std::string_view text, Column& elements) {
  std::string element;
  for (;;) {
    bool quoted = false;
    if (text.starts_with('{')) return Verdict::kDimensions;
    if (!take_element(text, codec.delimiter, element, quoted)) return Verdict::kMalformed;
    if (!quoted && element == "NULL") return Verdict::kNullElement;
    if (const Verdict verdict = decode_text(codec.element.front(), element, elements); verdict != Verdict::kOk)
      return verdict;
    if (text == "}") return Verdict::kOk;
    if (text.empty() || text.front() != codec.delimiter) return Verdict::kMalformed;
    text.remove_prefix(1);
  }
}

// array_out: "{a,b}", with bounds before it when they do not start at 1: "[0:1]={a,b}".
Verdict append_array(const Codec& codec, std::string_view text, Column& out) {
  if (text.starts_with('[')) {
    const auto equals = text.find("]={");
    if (equals == text.npos) return Verdict::kMalformed;
    text.remove_prefix(equals + 2);
  }
  if (!text.starts_with('{')) return Verdict::kMalformed;
  Column& elements = out.children().front();
  const std::size_t before = elements.size();
  const Verdict verdict = text == "{}" ? Verdict::kOk : append_elements(codec, text.substr(1), elements);
  if (verdict == Verdict::kOk) {
    out.close_list();
    return verdict;
  }
  while (elements.size() > before) elements.pop_back();
  return verdict;
}

Verdict append_vector(std::string_view text, Column& out) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return Verdict::kMalformed;
  text = text.substr(1, text.size() - 2);
  Column& elements = out.children().front();
  const std::size_t before = elements.size();
  while (!text.empty()) {
    const auto comma = text.find(',');
    float value;
    if (!parse_float(text.substr(0, comma), value)) {
      while (elements.size() > before) elements.pop_back();
      return Verdict::kMalformed;
    }
    elements.append_double(static_cast<double>(value));
    text = comma == text.npos ? std::string_view{} : text.substr(comma + 1);
  }
  out.close_list();
  return Verdict::kOk;
}

Verdict append_numeric(std::string_view text, Column& out) {
  data::Int128 scaled;
  const Verdict verdict = to_verdict(data::parse_numeric(text, scaled), text);
  if (verdict == Verdict::kOk) out.append_int128(scaled);
  return verdict;
}

Verdict append_bignumeric(std::string_view text, Column& out) {
  data::Int256 scaled;
  const Verdict verdict = to_verdict(data::parse_bignumeric(text, scaled), text);
  if (verdict == Verdict::kOk) out.append_int256(scaled);
  return verdict;
}

}  // namespace

Verdict decode_text(const Codec& codec, std::string_view text, Column& out) {
  switch (codec.kind) {
    case ValueKind::kInt2:
    case ValueKind::kInt4:
    case ValueKind::kInt8:
    case ValueKind::kOid: return append_integer(text, out);
    case ValueKind::kFloat4: return append_float<float>(text, out);
    case ValueKind::kFloat8: return append_float<double>(text, out);
    case ValueKind::kBool:
      if (text != "t" && text != "f") return Verdict::kMalformed;
      out.append_bool(text == "t");
      return Verdict::kOk;
    case ValueKind::kNumeric: return append_numeric(text, out);
    case ValueKind::kBigNumeric: return append_bignumeric(text, out);
    case ValueKind::kMoney: return append_money(codec, text, out);
    case ValueKind::kBytea: return append_bytea(text, out);
    case ValueKind::kDate: return append_civil(data::parse_date(text), text, out);
    case ValueKind::kTime: return append_time(text, out);
    case ValueKind::kTimestamp: return append_civil(data::parse_datetime(text), text, out);
    case ValueKind::kTimestamptz: return append_civil(data::parse_timestamp(text), text, out);
    case ValueKind::kInterval: return append_interval(text, out);
    case ValueKind::kJson:
    case ValueKind::kJsonb: return append_json(codec, text, out);
    case ValueKind::kVector: return append_vector(text, out);
    case ValueKind::kArray: return append_array(codec, text, out);
    case ValueKind::kText:
    case ValueKind::kOtherText:
    case ValueKind::kUuid:
    case ValueKind::kTimetz:
    case ValueKind::kInet:
    case ValueKind::kMacaddr:
    case ValueKind::kPgLsn:
    case ValueKind::kBit: return append_characters(codec, text, out);
  }
  return Verdict::kMalformed;
}

}  // namespace flytt::postgres
