// FORMAT_DATE, FORMAT_TIME, FORMAT_DATETIME, FORMAT_TIMESTAMP. An element that the type does not have, or that does not
// exist, stays as it is written.

#include <cstdio>
#include <string>

#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/time_parts.h"
#include "googlesql/functions/internal/time_zone.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

constexpr const char* kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};

// What the value has: a date, a clock, a zone.
struct Moment {
  I micros = 0;  // civil
  I utc_micros = 0;
  I offset_minutes = 0;
  bool has_date = false, has_clock = false, has_zone = false;
};

void number(std::string& out, I value, int width, char fill = '0') {
  char text[32];
  std::snprintf(text, sizeof text, fill == '0' ? "%0*ld" : "%*ld", width, static_cast<long>(value));
  out += text;
}

class Formatter {
 public:
  Formatter(std::string_view format, const Moment& moment) : format_(format), m_(moment) {
    days_ = floor_divide(m_.micros, kMicrosPerDay);
    clock_ = floor_modulo(m_.micros, kMicrosPerDay);
    date_ = data::civil_from_days(days_);
  }

  Answer<std::string> run() {
    write(format_);
    if (!problem_.empty()) return Failure{problem_};
    return std::move(out_);
  }

 private:
  void write(std::string_view format) {
    for (std::size_t i = 0; i < format.size(); ++i) {
      if (format[i] != '%' || i + 1 == format.size()) {
        out_.push_back(format[i]);
        continue;
      }
      const char c = format[i + 1];
      std::size_t used = 2;
      bool done = false;
      if (c == 'E') {
        done = extended(format.substr(i + 2), used);
      } else if (c == 'O' && i + 2 < format.size() &&
                 std::string_view("deHImMSuUVwWy").find(format[i + 2]) != std::string_view::npos) {
        done = element(format[i + 2]);
        used = 3;
      } else {
        done = element(c);
      }
      if (!done) out_ += format.substr(i, used);
      i += used - 1;
    }
  }

  bool element(char c) {
    if (c == '%') return text("%");
    if (c == 'n') return text("\n");
    if (c == 't') return text("\t");
    if (c == 'J') {
      problem_ = "Format element %J not supported yet";
      return true;
    }
    return (m_.has_date && date_element(c)) || (m_.has_clock && clock_element(c)) ||
           (m_.has_date && m_.has_clock && moment_element(c)) || (m_.has_zone && zone_element(c));
  }
  bool text(std::string_view piece) {
    out_ += piece;
    return true;
  }
  bool put(I value, int width, char fill = '0') {
    number(out_, value, width, fill);
    return true;
  }
  bool again(std::string_view format) {
    write(format);
    return true;
  }

  bool date_element(char c) {
    switch (c) {
      case 'a': return text(std::string_view(kDays[weekday(days_)]).substr(0, 3));
      case 'A': return text(kDays[weekday(days_)]);
      case 'b':
      case 'h': return text(std::string_view(kMonths[date_.month - 1]).substr(0, 3));
      case 'B': return text(kMonths[date_.month - 1]);
      case 'C': return date_.year < 1000 ? put(date_.year / 100, 1) : put(date_.year / 100, 2);
      case 'd': return put(date_.day, 2);
      case 'D':
      case 'x': return again("%m/%d/%y");
      case 'e': return put(date_.day, 2, ' ');
      case 'F': return again("%Y-%m-%d");
      case 'g': return put(iso_year_of(days_) % 100, 2);
      case 'G': return put(iso_year_of(days_), 1);
      case 'j': return put(*extract_date_part(days_, Part::kDayOfYear), 3);
      case 'm': return put(date_.month, 2);
      case 'Q': return put((date_.month - 1) / 3 + 1, 1);
      case 'u': return put(weekday(days_) == 0 ? 7 : weekday(days_), 1);
      case 'U': return put(week_of_year(days_, Part::kWeek), 2);
      case 'V': return put(week_of_year(days_, Part::kIsoWeek), 2);
      case 'w': return put(weekday(days_), 1);
      case 'W': return put(week_of_year(days_, Part::kWeekMonday), 2);
      case 'y': return put(date_.year % 100, 2);
      case 'Y': return put(date_.year, 1);
      default: return false;
    }
  }
  bool clock_element(char c) {
    const I hour = clock_ / kHourMicros, minute = clock_ / kMinuteMicros % 60, second = clock_ / kSecondMicros % 60;
    const I twelve = hour % 12 == 0 ? 12 : hour % 12;
    switch (c) {
      case 'H': return put(hour, 2);
      case 'I': return put(twelve, 2);
      case 'k': return put(hour, 2, ' ');
      case 'l': return put(twelve, 2, ' ');
      case 'M': return put(minute, 2);
      case 'p': return text(hour < 12 ? "AM" : "PM");
      case 'P': return text(hour < 12 ? "am" : "pm");
      case 'r': return again("%I:%M:%S %p");
      case 'R': return again("%H:%M");
      case 'S': return put(second, 2);
      case 'T':
      case 'X': return again("%H:%M:%S");
      default: return false;
    }
  }
  bool moment_element(char c) {
    if (c == 'c') return again("%a %b %e %H:%M:%S %Y");
    if (c == 's') return put(floor_divide(m_.utc_micros, kSecondMicros), 1);
    return false;
  }
  bool zone_element(char c) {
    const I magnitude = m_.offset_minutes < 0 ? -m_.offset_minutes : m_.offset_minutes;
    const char* sign = m_.offset_minutes < 0 ? "-" : "+";
    if (c == 'z') {
      out_ += sign;
      return put(magnitude / 60, 2) && put(magnitude % 60, 2);
    }
    if (c != 'Z') return false;
    out_ += "UTC";
    if (magnitude == 0) return true;
    out_ += sign;
    if (magnitude % 60 == 0) return put(magnitude / 60, 1);
    return put(magnitude / 60, 2) && put(magnitude % 60, 2);
  }

  // After "%E": z, #S, *S, 4Y, or another form of x, c, C, X, y, Y.
  bool extended(std::string_view rest, std::size_t& used) {
    if (rest.empty()) return false;
    if (rest[0] == 'z' && m_.has_zone) {
      used = 3;
      const I magnitude = m_.offset_minutes < 0 ? -m_.offset_minutes : m_.offset_minutes;
      out_ += m_.offset_minutes < 0 ? "-" : "+";
      return put(magnitude / 60, 2) && text(":") && put(magnitude % 60, 2);
    }
    if (rest.substr(0, 2) == "4Y" && m_.has_date) {
      used = 4;
      return put(date_.year, 4);
    }
    if (std::string_view("cCxXyY").find(rest[0]) != std::string_view::npos) {
      used = 3;
      return element(rest[0]);
    }
    return fraction(rest, used);
  }
  bool fraction(std::string_view rest, std::size_t& used) {
    if (!m_.has_clock) return false;
    const I second = clock_ / kSecondMicros % 60, micros = clock_ % kSecondMicros;
    if (rest.substr(0, 2) == "*S") {
      used = 4;
      put(second, 2);
      if (micros == 0) return true;
      std::string digits;
      number(digits, micros, 6);
      while (digits.back() == '0') digits.pop_back();
      return text(".") && text(digits);
    }
    std::size_t count = 0, at = 0;
    while (at < rest.size() && at < 2 && rest[at] >= '0' && rest[at] <= '9')
      count = count * 10 + static_cast<std::size_t>(rest[at++] - '0');
    if (at == 0 || at >= rest.size() || rest[at] != 'S' || count > 15) return false;
    used = 3 + at;
    put(second, 2);
    if (count == 0) return true;
    std::string digits;
    number(digits, micros, 6);
    digits.resize(count, '0');
    return text(".") && text(digits);
  }

  std::string_view format_;
  Moment m_;
  I days_ = 0, clock_ = 0;
  data::CivilDate date_{};
  std::string out_, problem_;
};

Answer<std::string> format_date(std::string_view format, Date d) {
  Moment moment;
  moment.micros = d.days * kMicrosPerDay;
  moment.has_date = true;
  return Formatter(format, moment).run();
}
Answer<std::string> format_time(std::string_view format, Time t) {
  Moment moment;
  moment.micros = t.micros;
  moment.has_clock = true;
  return Formatter(format, moment).run();
}
Answer<std::string> format_datetime(std::string_view format, Timestamp t) {
  Moment moment;
  moment.micros = moment.utc_micros = t.micros;
  moment.has_date = moment.has_clock = true;
  return Formatter(format, moment).run();
}
Answer<std::string> format_timestamp(std::string_view format, Timestamp t, std::string_view zone_name) {
  const auto zone = Zone::find(zone_name);
  if (!zone) return Failure{"Invalid time zone: " + std::string(zone_name)};
  Moment moment;
  moment.utc_micros = t.micros;
  moment.micros = zone->to_civil(t.micros);
  moment.offset_minutes = zone->offset_at(t.micros) / 60;
  moment.has_date = moment.has_clock = moment.has_zone = true;
  if (!is_timestamp(moment.micros)) return Failure{"Invalid Datetime extracted from timestamp"};
  return Formatter(format, moment).run();
}

}  // namespace

void add_time_format_functions(Functions& list) {
  list.push_back(native<&format_date>("gs_format_date"));
  list.push_back(native<&format_time>("gs_format_time"));
  list.push_back(native<&format_datetime>("gs_format_datetime"));
  list.push_back(native<&format_timestamp>("gs_format_timestamp"));
}

}  // namespace flytt::googlesql::internal
