#include "scheduler/name_template.h"

#include <algorithm>
#include <array>
#include <optional>

#include "data/civil.h"
#include "scheduler/internal/quoted.h"
#include "scheduler/limits.h"

namespace flytt::scheduler {

namespace {

using data::kMicrosPerDay;

constexpr std::array<std::string_view, 7> kDayNames{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonthNames{"January",   "February", "March",    "April",
                                                       "May",       "June",     "July",     "August",
                                                       "September", "October",  "November", "December"};
constexpr std::string_view kConversions = "YmdHMSjybBaAeFTDRszZ%";

std::string padded(std::int64_t value, int width, char fill = '0') {
  std::string digits = std::to_string(value);
  return digits.size() < static_cast<std::size_t>(width)
             ? std::string(static_cast<std::size_t>(width) - digits.size(), fill) + digits
             : digits;
}

struct Moment {
  explicit Moment(std::int64_t micros) : instant(std::clamp(micros, data::kTimestampMin, data::kTimestampMax)) {
    days = instant / kMicrosPerDay - (instant % kMicrosPerDay < 0 ? 1 : 0);
    of_day = instant - days * kMicrosPerDay;
    date = data::civil_from_days(days);
  }
  std::int64_t instant, days = 0, of_day = 0;
  data::CivilDate date{};
};

std::string convert(char conversion, const Moment& at) {
  const std::int64_t second = at.of_day / kMicrosPerSecond;
  const auto weekday = static_cast<std::size_t>(((at.days + 4) % 7 + 7) % 7);
  const auto month = static_cast<std::size_t>(at.date.month - 1);
  const auto both = [&](std::string_view pattern) {
    std::string text;
    for (const char c : pattern) text += kConversions.find(c) == kConversions.npos ? std::string(1, c) : convert(c, at);
    return text;
  };
  switch (conversion) {
    case 'Y': return padded(at.date.year, 4);
    case 'y': return padded(at.date.year % 100, 2);
    case 'm': return padded(at.date.month, 2);
    case 'd': return padded(at.date.day, 2);
    case 'e': return padded(at.date.day, 2, ' ');
    case 'j': return padded(at.days - data::days_from_civil({at.date.year, 1, 1}) + 1, 3);
    case 'H': return padded(second / 3600, 2);
    case 'M': return padded(second / 60 % 60, 2);
    case 'S': return padded(second % 60, 2);
    case 's': return std::to_string((at.instant - at.of_day % kMicrosPerSecond) / kMicrosPerSecond);
    case 'b': return std::string(kMonthNames[month].substr(0, 3));
    case 'B': return std::string(kMonthNames[month]);
    case 'a': return std::string(kDayNames[weekday].substr(0, 3));
    case 'A': return std::string(kDayNames[weekday]);
    case 'F': return both("Y-m-d");
    case 'T': return both("H:M:S");
    case 'D': return both("m/d/y");
    case 'R': return both("H:M");
    case 'z': return "+0000";
    case 'Z': return "UTC";
    default: return "%";
  }
}

bool is_fraction(std::string_view format, std::size_t at) {  // E3S
  return format.size() >= at + 3 && format[at] == 'E' && format[at + 1] >= '1' && format[at + 1] <= '6' &&
         format[at + 2] == 'S';
}

std::string format_moment(std::string_view format, const Moment& at) {
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
    } else if (is_fraction(format, i + 1)) {
      const auto digits = static_cast<std::size_t>(format[i + 2] - '0');
      text += convert('S', at) + "." + padded(at.of_day % kMicrosPerSecond, 6).substr(0, digits);
      i += 3;
    } else {
      text += convert(format[++i], at);
    }
  }
  return text;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool is_end() const { return at_ == text_.size(); }
  char peek() const { return is_end() ? '\0' : text_[at_]; }
  char next() { return text_[at_++]; }
  bool take(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }
  Error wrong(const std::string& reason) const { return wrong_at(at_, reason); }
  Error wrong_at(std::size_t at, const std::string& reason) const {
    return Error(ErrorCode::kConfig,
                 "'" + internal::printable(text_) + "' at column " + std::to_string(at + 1) + ": " + reason);
  }
  std::size_t place() const { return at_; }

  // A backslash and one of { } " | \.
  Result<char> escaped() {
    const char c = peek();
    if (is_end() || std::string_view("{}\"|\\").find(c) == std::string_view::npos)
      return wrong_at(at_ - 1, "a backslash stands before { } \" | or \\ only");
    return next();
  }

  // [+-]1h30m, decimals allowed.
  Result<std::int64_t> offset() {
    if (peek() != '+' && peek() != '-') return std::int64_t{0};
    const std::int64_t sign = next() == '+' ? 1 : -1;
    static constexpr std::array<std::pair<char, std::int64_t>, 3> kUnits{
        {{'h', 3600 * kMicrosPerSecond}, {'m', 60 * kMicrosPerSecond}, {'s', kMicrosPerSecond}}};
    std::int64_t micros = 0;
    std::size_t unit = 0;
    do {
      TRY(const auto number, decimal());
      while (unit < kUnits.size() && kUnits[unit].first != peek()) ++unit;
      if (unit == kUnits.size()) return wrong("an offset has h, m and s, in that order and each once");
      ++at_;
      micros += number.first * kUnits[unit].second + number.second * (kUnits[unit].second / kMicrosPerSecond);
      ++unit;
    } while (peek() >= '0' && peek() <= '9');
    return sign * micros;
  }

 private:
  // Whole part and millionths.
  Result<std::pair<std::int64_t, std::int64_t>> decimal() {
    const std::size_t begin = at_;
    std::int64_t whole = 0, millionths = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      if (at_ - begin == 9) return wrong("the offset is too long");
      whole = whole * 10 + (peek() - '0');
    }
    if (at_ == begin) return wrong("an offset is a number with h, m or s, such as +1h or -1.5h");
    if (peek() == '.') {
      const std::size_t point = at_++;
      for (std::int64_t weight = 100'000; peek() >= '0' && peek() <= '9'; ++at_, weight /= 10) {
        if (weight == 0) return wrong("at most six decimals");
        millionths += weight * (peek() - '0');
      }
      if (at_ == point + 1) return wrong("digits are missing after the point");
    }
    return std::pair(whole, millionths);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// After `|`: "…" with escapes.
Result<std::string> read_format(Reader& reader) {
  if (!reader.take("\"")) return reader.wrong("write a format in double quotes, such as \"%Y%m%d\"");
  std::string format;
  while (!reader.take("\"")) {
    if (reader.is_end()) return reader.wrong("the quote of the format is not closed");
    const std::size_t place = reader.place();
    char c = reader.next();
    if (c == '\\') {
      TRY(c, reader.escaped());
    } else if (c == '%') {
      format += c;
      std::string ahead;
      for (Reader copy = reader; ahead.size() < 3 && !copy.is_end();) ahead += copy.next();
      if (is_fraction(ahead, 0)) {
        format += ahead;
        reader.take(ahead);
        continue;
      }
      if (ahead.empty() || kConversions.find(ahead[0]) == kConversions.npos)
        return reader.wrong_at(place, "the conversion '%" + internal::printable(ahead.substr(0, 1)) + "' is not known");
      c = reader.next();
    }
    format += c;
  }
  return format;
}

}  // namespace

Result<NameTemplate> NameTemplate::parse(std::string_view text) {
  if (text.size() > kTemplateBytesMax) return Error(ErrorCode::kConfig, "a template is too long");
  NameTemplate made;
  const auto literal = [&](char c) {
    if (made.parts_.empty() || made.parts_.back().is_time) made.parts_.emplace_back();
    made.parts_.back().text += c;
  };
  Reader reader(text);
  while (!reader.is_end()) {
    const std::size_t place = reader.place();
    const char c = reader.next();
    if (c == '\\') {
      TRY(const char escaped, reader.escaped());
      literal(escaped);
      continue;
    }
    if (c == '}') return reader.wrong_at(place, "no brace is open; write \\} for the character");
    if (c != '{') {
      literal(c);
      continue;
    }
    Part part{true, "%Y%m%d", 0};
    if (reader.take("run_time")) {
      TRY(part.offset_micros, reader.offset());
      if (!reader.take("|")) return reader.wrong("write an offset such as -1h, or | and a format, after run_time");
      TRY(part.text, read_format(reader));
    } else if (!reader.take("run_date")) {
      return reader.wrong(
          "only run_date and run_time are known; write {run_date}, {run_time|\"%Y%m%d\"}, or \\{ for the character");
    }
    if (!reader.take("}")) return reader.wrong("the brace must be closed here");
    made.parts_.push_back(std::move(part));
  }
  return made;
}

std::string NameTemplate::render(std::int64_t slot_micros) const {
  std::string text;
  for (const Part& part : parts_)
    text += part.is_time ? format_moment(part.text, Moment(slot_micros + part.offset_micros)) : part.text;
  return text;
}

bool NameTemplate::depends_on_slot() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.is_time; });
}

}  // namespace flytt::scheduler
