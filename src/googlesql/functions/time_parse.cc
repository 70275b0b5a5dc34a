// PARSE_DATE, PARSE_TIME, PARSE_DATETIME, PARSE_TIMESTAMP. White space in the format matches any, also none; the text may
// have white space at both ends; of repeated elements the last one counts. Week and ISO elements are refused.

#include <string>

#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/time_parts.h"
#include "googlesql/functions/internal/time_zone.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

enum class Target { kDate, kTime, kDatetime, kTimestamp };
constexpr const char* kTargetNames[] = {"DATE", "TIME", "DATETIME", "TIMESTAMP"};
constexpr const char* kDays[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
constexpr const char* kMonths[] = {"january", "february", "march",     "april",   "may",      "june",
                                   "july",    "august",   "september", "october", "november", "december"};

class Parser {
 public:
  Parser(std::string_view format, std::string_view text, Target target)
      : format_(format), text_(text), target_(target) {}

  // The instant in UTC; a civil value is parsed with the zone UTC.
  Answer<I> run(const Zone& zone) {
    skip();
    if (!read(format_)) return failure();
    skip();
    if (at_ != text_.size()) return failure();
    return result(zone);
  }

 private:
  Failure failure() const {
    if (!problem_.empty()) return {problem_};
    return {"Failed to parse input string \"" + std::string(text_) + "\""};
  }
  bool refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  void skip() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  bool read(std::string_view format) {
    for (std::size_t i = 0; i < format.size(); ++i) {
      if (is_space(format[i])) {
        skip();
        continue;
      }
      if (format[i] != '%') {
        if (at_ >= text_.size()) return false;
        if (text_[at_] != format[i]) {
          return refuse("Mismatch between format character '" + std::string(1, format[i]) + "' and string character '" +
                        std::string(1, text_[at_]) + "' at string index: " + std::to_string(at_) + " with format: '" +
                        std::string(format_) + "'");
        }
        ++at_;
        continue;
      }
      if (++i == format.size()) return refuse("Format string cannot end with a single '%'");
      char c = format[i];
      if (c == 'E') {
        std::size_t used = 0;
        if (extended(format.substr(i + 1), used)) {
          i += used;
          continue;
        }
        if (used == 0 || !problem_.empty()) return false;
        c = format[++i];
      } else if (c == 'O' && i + 1 < format.size()) {
        c = format[++i];
      }
      if (!allowed(c) || !element(c)) return false;
    }
    return true;
  }

  bool allowed(char c) {
    static constexpr std::string_view kClock = "HIklMpPrRSTX", kDate = "aAbBCdDeFhjmQxyYUWuwVGg", kBoth = "cs",
                                      kZone = "zZ";
    const auto in = [c](std::string_view set) { return set.find(c) != std::string_view::npos; };
    const bool is_date = target_ == Target::kDate, is_time = target_ == Target::kTime;
    if ((is_date && (in(kClock) || in(kBoth) || in(kZone))) || (is_time && (in(kDate) || in(kBoth) || in(kZone))) ||
        (target_ == Target::kDatetime && in(kZone))) {
      return refuse("Invalid format: %" + std::string(1, c) + " is not allowed for the " +
                    kTargetNames[static_cast<int>(target_)] + " type.");
    }
    return true;
  }

  // After "%E": consumes z, #S, *S, 4Y. `used` = 1 with false: an alias, read the next character as an element.
  bool extended(std::string_view rest, std::size_t& used) {
    if (rest.empty()) return false;
    if (rest[0] == 'z') {
      used = 1;
      return allowed('z') && offset(true);
    }
    if (rest.substr(0, 2) == "4Y") {
      used = 2;
      return allowed('Y') && number(4, 0, 9999, year_) && (has_year_ = true);
    }
    std::size_t at = 0, digits = 0;
    const bool any = rest[0] == '*';
    if (any)
      at = 1;
    else
      while (at < rest.size() && is_digit(rest[at]) && at < 2)
        digits = digits * 10 + static_cast<std::size_t>(rest[at++] - '0');
    if (at > 0 && at < rest.size() && rest[at] == 'S') {
      used = at + 1;
      return allowed('S') && number(2, 0, 60, second_) && fraction(any, digits);
    }
    used = std::string_view("cCxXyY").find(rest[0]) != std::string_view::npos ? 1 : 0;
    return false;
  }
  bool fraction(bool any, std::size_t digits_max) {
    fraction_ = 0;
    if (at_ >= text_.size() || text_[at_] != '.' || (!any && digits_max == 0)) return true;
    ++at_;
    I unit = 100'000;
    std::size_t count = 0;
    for (; at_ < text_.size() && is_digit(text_[at_]) && (any || count < digits_max); ++at_, ++count) {
      fraction_ += (text_[at_] - '0') * unit;
      unit /= 10;
    }
    return count > 0;
  }

  bool number(std::size_t digits_max, I least, I most, I& value) {
    std::size_t count = 0;
    I read = 0;
    while (count < digits_max && at_ < text_.size() && is_digit(text_[at_])) {
      read = read * 10 + (text_[at_++] - '0');
      ++count;
    }
    if (count == 0 || read < least || read > most) return false;
    value = read;
    return true;
  }
  bool padded(I least, I most, I& value) {
    skip();
    return number(2, least, most, value);
  }
  template <std::size_t N>
  bool name(const char* const (&names)[N], std::size_t& index) {
    for (const bool full : {true, false}) {
      for (std::size_t i = 0; i < N; ++i) {
        const std::string_view wanted = full ? std::string_view(names[i]) : std::string_view(names[i]).substr(0, 3);
        bool equal = at_ + wanted.size() <= text_.size();
        for (std::size_t k = 0; equal && k < wanted.size(); ++k) equal = lower(text_[at_ + k]) == wanted[k];
        if (!equal) continue;
        at_ += wanted.size();
        index = i;
        return true;
      }
    }
    return false;
  }
  bool offset(bool with_colon) {
    if (at_ >= text_.size()) return false;
    if (with_colon && (text_[at_] == 'Z' || text_[at_] == 'z')) {
      ++at_;
      zone_ = Zone();
      return true;
    }
    const std::size_t begin = at_;
    if (text_[at_] != '+' && text_[at_] != '-') return false;
    ++at_;
    while (at_ < text_.size() && (is_digit(text_[at_]) || (with_colon && text_[at_] == ':'))) ++at_;
    const std::string_view token = text_.substr(begin, at_ - begin);
    if (token.size() != (with_colon ? 6u : 5u)) return false;
    zone_ = Zone::find(token);
    return zone_.has_value();
  }
  bool zone_name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_space(text_[at_])) ++at_;
    zone_ = Zone::find(text_.substr(begin, at_ - begin));
    return zone_.has_value() || refuse("Invalid time zone: " + std::string(text_.substr(begin, at_ - begin)));
  }
  bool unix_seconds() {
    bool minus = false;
    if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) minus = text_[at_++] == '-';
    I seconds = 0;
    if (!number(12, 0, 253'402'300'799, seconds)) return false;
    unix_micros_ = (minus ? -seconds : seconds) * kSecondMicros;
    return true;
  }
  bool half_day() {
    if (at_ + 2 > text_.size() || lower(text_[at_ + 1]) != 'm') return false;
    const char first = lower(text_[at_]);
    if (first != 'a' && first != 'p') return false;
    is_afternoon_ = first == 'p';
    at_ += 2;
    return true;
  }
  bool week_element() {
    return refuse(
        "A week or ISO element in a parsing function is not supported in this version of the embedded warehouse");
  }

  bool date_element(char c) {
    std::size_t index = 0;
    switch (c) {
      case 'a':
      case 'A': return name(kDays, index);
      case 'b':
      case 'B':
      case 'h':
        if (!name(kMonths, index)) return false;
        month_ = static_cast<I>(index) + 1;
        day_of_year_ = 0;
        return true;
      case 'C': return number(2, 0, 99, century_) && (has_century_ = true);
      case 'd': return number(2, 1, 31, day_) && (day_of_year_ = 0, true);
      case 'e': return padded(1, 31, day_) && (day_of_year_ = 0, true);
      case 'j': return number(3, 1, 366, day_of_year_);
      case 'm': return number(2, 1, 12, month_) && (day_of_year_ = 0, true);
      case 'Q': {
        I quarter = 0;
        if (!number(1, 1, 4, quarter)) return false;
        month_ = quarter * 3 - 2;
        return true;
      }
      case 'y': return number(2, 0, 99, short_year_) && (has_short_year_ = true);
      case 'Y': return number(4, 0, 9999, year_) && (has_year_ = true);
      case 'D':
      case 'x': return read("%m/%d/%y");
      case 'F': return read("%Y-%m-%d");
      default: return week_element();
    }
  }
  bool element(char c) {
    switch (c) {
      case '%':
        if (at_ >= text_.size() || text_[at_] != '%') return false;
        ++at_;
        return true;
      case 'n':
      case 't': skip(); return true;
      case 'H': return number(2, 0, 23, hour_) && (is_twelve_ = false, true);
      case 'k': return padded(0, 23, hour_) && (is_twelve_ = false, true);
      case 'I': return number(2, 1, 12, hour_) && (is_twelve_ = true);
      case 'l': return padded(1, 12, hour_) && (is_twelve_ = true);
      case 'M': return number(2, 0, 59, minute_);
      case 'S': return number(2, 0, 60, second_) && (fraction_ = 0, true);
      case 'p':
      case 'P': return half_day();
      case 'r': return read("%I:%M:%S %p");
      case 'R': return read("%H:%M");
      case 'T':
      case 'X': return read("%H:%M:%S");
      case 'c': return read("%a %b %e %H:%M:%S %Y");
      case 's': return unix_seconds();
      case 'z': return offset(false);
      case 'Z': return zone_name();
      default:
        if (std::string_view("aAbBhCdejmQyYDxFUWuwVGg").find(c) != std::string_view::npos) return date_element(c);
        return false;
    }
  }

  Answer<I> result(const Zone& zone) {
    if (unix_micros_) return *unix_micros_;
    if (has_century_ || has_short_year_) {
      if (has_century_)
        year_ = century_ * 100 + (has_short_year_ ? short_year_ : 0);
      else if (!has_year_ || has_short_year_)
        year_ = short_year_ + (short_year_ >= 69 ? 1900 : 2000);
    }
    if (year_ < 1) return Failure{"Invalid result from parsing function"};
    const data::CivilDate date{static_cast<std::int32_t>(year_), static_cast<std::int32_t>(month_),
                               static_cast<std::int32_t>(day_)};
    I days = data::days_from_civil(date);
    if (day_of_year_ > 0) {
      days = data::days_from_civil({date.year, 1, 1}) + day_of_year_ - 1;
      if (data::civil_from_days(days).year != date.year)
        return Failure{"Out-of-range datetime field in parsing function"};
    } else if (data::civil_from_days(days).day != date.day) {
      return Failure{"Out-of-range datetime field in parsing function"};
    }
    I hour = hour_;
    if (is_twelve_) hour = hour_ % 12 + (is_afternoon_ ? 12 : 0);
    const I clock =
        hour * kHourMicros + minute_ * kMinuteMicros + second_ * kSecondMicros + (second_ == 60 ? 0 : fraction_);
    const I civil = days * kMicrosPerDay + clock;
    const I micros = (zone_ ? *zone_ : zone).from_civil(civil);
    if (!is_timestamp(micros)) return Failure{"Invalid result from parsing function"};
    return micros;
  }

  std::string_view format_, text_;
  Target target_;
  std::size_t at_ = 0;
  std::string problem_;
  I year_ = 1970, month_ = 1, day_ = 1, day_of_year_ = 0, century_ = 0, short_year_ = 0;
  I hour_ = 0, minute_ = 0, second_ = 0, fraction_ = 0;
  bool has_year_ = false, has_century_ = false, has_short_year_ = false, is_twelve_ = false, is_afternoon_ = false;
  std::optional<Zone> zone_;
  std::optional<I> unix_micros_;
};

Answer<Date> parse_date(std::string_view format, std::string_view text) {
  const Answer<I> micros = Parser(format, text, Target::kDate).run(Zone());
  if (micros.is_failure()) return Failure{micros.sentence()};
  return Date{static_cast<std::int32_t>(floor_divide(micros.value(), kMicrosPerDay))};
}
Answer<Time> parse_time(std::string_view format, std::string_view text) {
  const Answer<I> micros = Parser(format, text, Target::kTime).run(Zone());
  if (micros.is_failure()) return Failure{micros.sentence()};
  return Time{floor_modulo(micros.value(), kMicrosPerDay)};
}
Answer<Timestamp> parse_datetime(std::string_view format, std::string_view text) {
  const Answer<I> micros = Parser(format, text, Target::kDatetime).run(Zone());
  if (micros.is_failure()) return Failure{micros.sentence()};
  return Timestamp{micros.value()};
}
Answer<Timestamp> parse_timestamp(std::string_view format, std::string_view text, std::string_view zone_name) {
  const auto zone = Zone::find(zone_name);
  if (!zone) return Failure{"Invalid time zone: " + std::string(zone_name)};
  const Answer<I> micros = Parser(format, text, Target::kTimestamp).run(*zone);
  if (micros.is_failure()) return Failure{micros.sentence()};
  return Timestamp{micros.value()};
}

}  // namespace

void add_time_parse_functions(Functions& list) {
  list.push_back(native<&parse_date>("gs_parse_date"));
  list.push_back(native<&parse_time>("gs_parse_time"));
  list.push_back(native<&parse_datetime>("gs_parse_datetime"));
  list.push_back(native<&parse_timestamp>("gs_parse_timestamp"));
}

}  // namespace flytt::googlesql::internal
