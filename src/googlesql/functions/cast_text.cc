// Casts between STRING and everything else, by GoogleSQL's grammar (which is neither C's nor DuckDB's).

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "googlesql/functions/internal/interval_text.h"
#include "googlesql/functions/internal/number_text.h"
#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/time_parts.h"
#include "googlesql/functions/internal/time_zone.h"
#include "googlesql/functions/internal/utf8_text.h"
#include "googlesql/functions/internal/wide.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
std::string_view trimmed(std::string_view s) {
  while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
  return s;
}
bool equals_ignoring_case(std::string_view s, std::string_view lower) {
  return s.size() == lower.size() && std::equal(s.begin(), s.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         });
}

// ---- numbers ----
Answer<I> text_to_int(std::string_view text) {
  const Failure bad{"Bad int64 value: " + std::string(text)};
  std::string_view s = trimmed(text);
  bool negative = false;
  if (!s.empty() && (s[0] == '+' || s[0] == '-')) {
    negative = s[0] == '-';
    s.remove_prefix(1);
  }
  int base = 10;
  if (s.size() > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
    base = 16;
    s.remove_prefix(2);
  }
  if (s.empty()) return bad;
  const std::uint64_t limit = negative ? std::uint64_t{1} << 63 : (std::uint64_t{1} << 63) - 1;
  std::uint64_t value = 0;
  for (const char c : s) {
    int digit = is_digit(c) ? c - '0' : 99;
    if (base == 16 && c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (base == 16 && c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit >= base) return bad;
    if (value > (limit - static_cast<std::uint64_t>(digit)) / static_cast<std::uint64_t>(base)) return bad;
    value = value * static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(digit);
  }
  return static_cast<I>(negative ? ~value + 1 : value);
}

// What strtod reads in the C locale, all of it; only its own spaces around.
Answer<double> text_to_float(std::string_view text) {
  const Failure bad{"Bad double value: " + std::string(text)};
  const std::string s(trimmed(text));
  if (s.empty() || s.find('\0') != std::string::npos) return bad;
  if (s.size() > 1 && (s[0] == '+' || s[0] == '-') && !is_digit(s[1]) && s[1] != '.' && s[1] != 'i' && s[1] != 'I' &&
      s[1] != 'n' && s[1] != 'N') {
    return bad;
  }
  char* end = nullptr;
  const double value = std::strtod(s.c_str(), &end);
  if (end != s.c_str() + s.size()) return bad;
  return std::isnan(value) ? std::nan("") : value;
}
std::string float_to_text(double value) { return value == 0 ? "0" : double_text(value); }
Answer<I> float_to_int(double value) {
  if (!std::isfinite(value)) {
    return Failure{"Illegal conversion of non-finite floating point number to an integer: " + double_text(value)};
  }
  const double whole = std::round(value);
  if (whole >= 9223372036854775808.0 || whole < -9223372036854775808.0)
    return Failure{"int64 out of range: " + double_text(value)};
  return static_cast<I>(whole);
}
double int_to_float(I value) { return static_cast<double>(value); }
Answer<bool> text_to_bool(std::string_view text) {
  if (equals_ignoring_case(text, "true")) return true;
  if (equals_ignoring_case(text, "false")) return false;
  return Failure{"Bad bool value: " + std::string(text)};
}
std::string bool_to_text(bool value) { return value ? "true" : "false"; }
std::string int_to_text(I value) { return std::to_string(value); }

// [+-]digits[.digits][e[+-]digits], rounded half away from zero to `scale` decimals.
std::optional<Wide> decimal_of(std::string_view s, int scale) {
  bool negative = false;
  if (!s.empty() && (s[0] == '+' || s[0] == '-')) {
    negative = s[0] == '-';
    s.remove_prefix(1);
  }
  std::string digits;
  I point = 0;
  bool seen_point = false, seen_digit = false;
  std::size_t at = 0;
  for (; at < s.size() && (is_digit(s[at]) || (s[at] == '.' && !seen_point)); ++at) {
    if (s[at] == '.') {
      seen_point = true;
      continue;
    }
    seen_digit = true;
    if (!digits.empty() || s[at] != '0') digits.push_back(s[at]);
    if (seen_point) --point;
  }
  if (!seen_digit) return std::nullopt;
  I exponent = 0;
  if (at < s.size()) {
    if (s[at] != 'e' && s[at] != 'E') return std::nullopt;
    bool down = false;
    if (++at < s.size() && (s[at] == '+' || s[at] == '-')) down = s[at++] == '-';
    if (at == s.size()) return std::nullopt;
    for (; at < s.size(); ++at) {
      if (!is_digit(s[at])) return std::nullopt;
      exponent = std::min<I>(exponent * 10 + (s[at] - '0'), 1'000'000'000);
    }
    if (down) exponent = -exponent;
  }
  if (digits.empty()) return Wide();
  // The value is digits × 10^shift after scaling.
  const I shift = point + exponent + scale;
  const I length = static_cast<I>(digits.size());
  if (length + shift > 100) return std::nullopt;
  if (length + shift < 0) return Wide();
  bool up = false;
  if (shift < 0) {
    up = digits[static_cast<std::size_t>(length + shift)] >= '5';
    digits.resize(static_cast<std::size_t>(length + shift));
  } else {
    digits.append(static_cast<std::size_t>(shift), '0');
  }
  Wide value;
  const Wide ten = Wide::from(Int128{10});
  for (const char c : digits) value = value * ten + Wide::from(Int128{c - '0'});
  if (up) value = value + Wide::from(Int128{1});
  if (negative) value = negated(value);
  return value;
}
std::optional<Numeric> to_numeric(const std::optional<Wide>& wide) {
  const auto value = wide ? wide->to_int128() : std::nullopt;
  if (!value || !data::is_numeric_in_range(*value)) return std::nullopt;
  return Numeric{*value};
}
std::optional<BigNumeric> to_bignumeric(const std::optional<Wide>& wide) {
  const auto value = wide ? wide->to_int256() : std::nullopt;
  if (!value) return std::nullopt;
  return BigNumeric{*value};
}
Answer<Numeric> text_to_numeric(std::string_view text) {
  if (const auto value = to_numeric(decimal_of(trimmed(text), data::kNumericScale))) return *value;
  return Failure{"Invalid NUMERIC value: " + std::string(text)};
}
Answer<BigNumeric> text_to_bignumeric(std::string_view text) {
  if (const auto value = to_bignumeric(decimal_of(trimmed(text), data::kBigNumericScale))) return *value;
  return Failure{"Invalid BIGNUMERIC value: " + std::string(text)};
}
// PARSE_NUMERIC: spaces after a leading sign, a sign at the end instead, commas before the point.
std::optional<std::string> plain_number(std::string_view text) {
  std::string_view s = trimmed(text);
  std::string sign;
  if (!s.empty() && (s[0] == '+' || s[0] == '-')) {
    sign = s.substr(0, 1);
    s = trimmed(s.substr(1));
  } else if (!s.empty() && (s.back() == '+' || s.back() == '-')) {
    sign = s.substr(s.size() - 1);
    s = trimmed(s.substr(0, s.size() - 1));
  }
  if (s.empty() || s[0] == '+' || s[0] == '-') return std::nullopt;
  const std::size_t whole = std::min(s.find_first_of(".eE"), s.size());
  std::string out = sign;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == ',' && i < whole) continue;
    out.push_back(s[i]);
  }
  return out;
}
Answer<Numeric> parse_numeric(std::string_view text) {
  const auto plain = plain_number(text);
  const auto value = plain ? to_numeric(decimal_of(*plain, data::kNumericScale)) : std::nullopt;
  if (!value) return Failure{"Invalid input to PARSE_NUMERIC: \"" + std::string(text) + "\""};
  return *value;
}
Answer<BigNumeric> parse_bignumeric(std::string_view text) {
  const auto plain = plain_number(text);
  const auto value = plain ? to_bignumeric(decimal_of(*plain, data::kBigNumericScale)) : std::nullopt;
  if (!value) return Failure{"Invalid input to PARSE_BIGNUMERIC: \"" + std::string(text) + "\""};
  return *value;
}

// ---- dates and times ----
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  std::optional<I> number(std::size_t digits_min, std::size_t digits_max) {
    std::size_t count = 0;
    I value = 0;
    while (count < digits_max && count < rest_.size() && is_digit(rest_[count]))
      value = value * 10 + (rest_[count++] - '0');
    if (count < digits_min) return std::nullopt;
    rest_.remove_prefix(count);
    return value;
  }
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::optional<I> date() {  // days
    const auto year = number(4, 4);
    if (!year || !take('-')) return std::nullopt;
    const auto month = number(1, 2);
    if (!month || !take('-')) return std::nullopt;
    const auto day = number(1, 2);
    if (!day || *year < 1 || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
    const data::CivilDate date{static_cast<std::int32_t>(*year), static_cast<std::int32_t>(*month),
                               static_cast<std::int32_t>(*day)};
    const I days = data::days_from_civil(date);
    if (data::civil_from_days(days).day != date.day) return std::nullopt;
    return days;
  }
  std::optional<I> clock() {  // microseconds; 60 seconds are the next minute
    const auto hour = number(1, 2);
    if (!hour || !take(':')) return std::nullopt;
    const auto minute = number(1, 2);
    if (!minute || !take(':')) return std::nullopt;
    const auto second = number(1, 2);
    if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    I fraction = 0;
    if (take('.')) {
      I unit = 100'000;
      std::size_t count = 0;
      while (!rest_.empty() && is_digit(rest_[0])) {
        if (++count > 6) return std::nullopt;
        fraction += (rest_[0] - '0') * unit;
        unit /= 10;
        rest_.remove_prefix(1);
      }
      if (count == 0) return std::nullopt;
    }
    if (*second == 60) fraction = 0;
    return *hour * kHourMicros + *minute * kMinuteMicros + *second * kSecondMicros + fraction;
  }
  bool take_separator() { return take(' ') || take('T') || take('t'); }

 private:
  std::string_view rest_;
};

Answer<Date> text_to_date(std::string_view text) {
  Reader reader(text);
  const auto days = reader.date();
  if (!days || !reader.at_end()) return Failure{"Invalid date: '" + std::string(text) + "'"};
  return Date{static_cast<std::int32_t>(*days)};
}
Answer<Time> text_to_time(std::string_view text) {
  Reader reader(text);
  const auto micros = reader.clock();
  if (!micros || !reader.at_end()) return Failure{"Invalid time string \"" + std::string(text) + "\""};
  return Time{*micros % kMicrosPerDay};
}
Answer<Timestamp> text_to_datetime(std::string_view text) {
  const Failure invalid{"Invalid datetime string \"" + std::string(text) + "\""};
  Reader reader(text);
  const auto days = reader.date();
  if (!days) return invalid;
  I micros = *days * kMicrosPerDay;
  if (!reader.at_end()) {
    const auto clock = reader.take_separator() ? reader.clock() : std::nullopt;
    if (!clock || !reader.at_end()) return invalid;
    micros += *clock;
  }
  if (!is_timestamp(micros)) return invalid;
  return Timestamp{micros};
}

// Date, optional time, then Z, ±offset, or a space and a zone name; a zone only after a time. Without one: `zone`, or when
// `zone` is null a zone in the text is refused.
Answer<Timestamp> timestamp_of(std::string_view text, const Zone& zone, bool may_name_zone) {
  const Failure invalid{"Invalid timestamp: '" + std::string(text) + "'"};
  Reader reader(text);
  const auto days = reader.date();
  if (!days) return invalid;
  I civil = *days * kMicrosPerDay;
  Zone used = zone;
  if (!reader.at_end()) {
    const auto clock = reader.take_separator() ? reader.clock() : std::nullopt;
    if (!clock) return invalid;
    civil += *clock;
    std::string_view rest = reader.rest();
    if (!rest.empty()) {
      if (!may_name_zone) return Failure{"Timezone is not allowed in \"" + std::string(text) + "\""};
      std::optional<Zone> named;
      if (rest == "Z" || rest == "z") {
        named = Zone();
      } else if (rest[0] == '+' || rest[0] == '-') {
        named = Zone::find(rest);
      } else if (rest[0] == ' ' && rest.size() > 1 && rest[1] != '+' && rest[1] != '-') {
        named = Zone::find(rest.substr(1));
      } else {
        return invalid;
      }
      if (!named) return Failure{"Invalid time zone: " + std::string(rest[0] == ' ' ? rest.substr(1) : rest)};
      used = *named;
    }
  }
  const I micros = used.from_civil(civil);
  if (!is_timestamp(micros)) return invalid;
  return Timestamp{micros};
}
Answer<Timestamp> text_to_timestamp(std::string_view text) { return timestamp_of(text, Zone(), true); }
Answer<Timestamp> text_to_timestamp_at(std::string_view text, std::string_view zone_name) {
  const auto zone = Zone::find(zone_name);
  if (!zone) return Failure{"Invalid time zone: " + std::string(zone_name)};
  return timestamp_of(text, *zone, false);
}
Answer<Timestamp> cast_to_timestamp_at(std::string_view text, std::string_view zone_name) {
  const auto zone = Zone::find(zone_name);
  if (!zone) return Failure{"Invalid time zone: " + std::string(zone_name)};
  return timestamp_of(text, *zone, true);
}

// 0, 3 or 6 digits of a fraction.
std::string shortened(std::string text) {
  if (text.size() > 7 && text[text.size() - 7] == '.' && text.substr(text.size() - 3) == "000")
    text.resize(text.size() - 3);
  return text;
}
std::string date_to_text(Date d) { return data::format_date(d.days); }
std::string time_to_text(Time t) { return shortened(data::format_time(t.micros)); }
std::string datetime_to_text(Timestamp t) { return shortened(data::format_datetime(t.micros, ' ')); }

// ---- lengths ----
Answer<std::string> fit_text(std::string_view text, I length) {
  const auto count = static_cast<I>(count_characters(text));
  if (count <= length) return std::string(text);
  return Failure{"STRING(" + std::to_string(length) + ") has maximum length " + std::to_string(length) +
                 " but got a value with length " + std::to_string(count)};
}
Answer<ByteString> fit_bytes(Bytes bytes, I length) {
  const auto count = static_cast<I>(bytes.data.size());
  if (count <= length) return ByteString{std::string(bytes.data)};
  return Failure{"BYTES(" + std::to_string(length) + ") has maximum length " + std::to_string(length) +
                 " but got a value with length " + std::to_string(count)};
}

Answer<Interval> text_to_interval(std::string_view text) {
  if (const auto interval = parse_interval_text(text)) return *interval;
  return Failure{"Invalid INTERVAL value '" + std::string(text) + "'"};
}
std::string interval_to_text(Interval interval) { return interval_text(interval); }

}  // namespace

void add_cast_functions(Functions& list) {
  list.push_back(native<&text_to_int>("gs_text_to_int"));
  list.push_back(native<&text_to_float>("gs_text_to_float"));
  list.push_back(native<&float_to_text>("gs_float_to_text"));
  list.push_back(native<&float_to_int>("gs_float_to_int"));
  list.push_back(native<&int_to_float>("gs_int_to_float"));
  list.push_back(native<&text_to_bool>("gs_text_to_bool"));
  list.push_back(native<&bool_to_text>("gs_bool_to_text"));
  list.push_back(native<&int_to_text>("gs_int_to_text"));
  list.push_back(native<&text_to_numeric>("gs_text_to_numeric"));
  list.push_back(native<&text_to_bignumeric>("gs_text_to_bignumeric"));
  list.push_back(native<&parse_numeric>("gs_parse_numeric"));
  list.push_back(native<&parse_bignumeric>("gs_parse_bignumeric"));
  list.push_back(native<&text_to_date>("gs_text_to_date"));
  list.push_back(native<&text_to_time>("gs_text_to_time"));
  list.push_back(native<&text_to_datetime>("gs_text_to_datetime"));
  list.push_back(native<&text_to_timestamp>("gs_text_to_timestamp"));
  list.push_back(native<&text_to_timestamp_at>("gs_text_to_timestamp_at"));
  list.push_back(native<&cast_to_timestamp_at>("gs_cast_text_to_timestamp_at"));
  list.push_back(native<&date_to_text>("gs_date_to_text"));
  list.push_back(native<&time_to_text>("gs_time_to_text"));
  list.push_back(native<&datetime_to_text>("gs_datetime_to_text"));
  list.push_back(native<&fit_text>("gs_fit_text"));
  list.push_back(native<&fit_bytes>("gs_fit_bytes"));
  list.push_back(native<&text_to_interval>("gs_text_to_interval"));
  list.push_back(native<&interval_to_text>("gs_interval_to_text"));
}

}  // namespace flytt::googlesql::internal
