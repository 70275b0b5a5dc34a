#include "scheduler/internal/bigquery_language.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/internal/quoted.h"
#include "scheduler/limits.h"

namespace flytt::scheduler::internal {

namespace {

struct Word {
  std::string text;  // lower case
  std::size_t column;
};

// Words, and commas as words of their own.
std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  bool goes_on = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    if (is_space || c == ',') {
      goes_on = false;
      if (c == ',') words.push_back({",", at + 1});
      continue;
    }
    if (!goes_on) words.push_back({"", at + 1});
    goes_on = true;
    words.back().text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words;
}

std::optional<int> number_of(std::string_view word) {
  if (word.empty() || word.size() > 6) return std::nullopt;
  int value = 0;
  for (const char c : word) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// H:MM or HH:MM, in minutes.
std::optional<int> time_of(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == word.npos || colon > 2 || word.size() != colon + 3) return std::nullopt;
  const auto hour = number_of(word.substr(0, colon)), minute = number_of(word.substr(colon + 1));
  if (!hour || !minute || *hour > 23 || *minute > 59) return std::nullopt;
  return *hour * 60 + *minute;
}

std::optional<int> ordinal_of(std::string_view word) {
  static constexpr std::array<std::array<std::string_view, 2>, 5> kNames{
      {{"1st", "first"}, {"2nd", "second"}, {"3rd", "third"}, {"4th", "fourth"}, {"5th", "fifth"}}};
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (word == kNames[i][0] || word == kNames[i][1]) return static_cast<int>(i) + 1;
  return std::nullopt;
}

template <std::size_t N>
std::optional<int> named(const std::array<std::string_view, N>& names, std::string_view word) {
  for (std::size_t i = 0; i < N; ++i)
    if (word == names[i] || word == names[i].substr(0, 3)) return static_cast<int>(i);
  return std::nullopt;
}
std::optional<int> weekday_of(std::string_view word) {
  static constexpr std::array<std::string_view, 7> kNames{"sunday",   "monday", "tuesday", "wednesday",
                                                          "thursday", "friday", "saturday"};
  return named(kNames, word);
}
std::optional<int> month_of(std::string_view word) {
  static constexpr std::array<std::string_view, 12> kNames{"january",   "february", "march",    "april",
                                                           "may",       "june",     "july",     "august",
                                                           "september", "october",  "november", "december"};
  const auto found = named(kNames, word);
  return found ? std::optional(*found + 1) : std::nullopt;
}
std::optional<std::int64_t> unit_of(std::string_view word) {
  if (word == "hours" || word == "hour") return kMicrosPerHour;
  if (word == "minutes" || word == "minute" || word == "mins" || word == "min") return kMicrosPerMinute;
  return std::nullopt;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : words_(words_of(text)), end_column_(text.size() + 1) {}

  Result<BigQuerySchedule> parse() {
    if (take("hourly")) return finish(RealInterval{kMicrosPerHour});
    if (take("daily")) {
      every_day();
      return specific_time();
    }
    const bool has_every = take("every");
    if (has_every && (word() == "hour" || word() == "minute")) {
      const std::int64_t unit = *unit_of(word());
      ++at_;
      return interval(1, unit);
    }
    if (const auto count = number_of(word()); count && (has_every || unit_of(word(1)))) {
      if (*count < 1) return wrong("the number must be 1 or more");
      ++at_;
      const auto unit = unit_of(word());
      if (!unit) return wrong("write hours, minutes or mins");
      ++at_;
      return interval(*count, *unit);
    }
    if (has_every) {
      pattern_.ordinals = 0x3E;
    } else if (number_of(word())) {
      return month_days();
    } else {
      TRY(pattern_.ordinals, list(ordinal_of, "write every, 1st to 5th, or days like 1,15", "write 1st to 5th"));
    }
    return weekdays(has_every);
  }

 private:
  std::string_view word(std::size_t ahead = 0) const {
    return at_ + ahead < words_.size() ? std::string_view(words_[at_ + ahead].text) : std::string_view();
  }
  bool take(std::string_view expected) {
    if (word() != expected) return false;
    ++at_;
    return true;
  }
  Error wrong(const std::string& reason) const {
    const bool is_end = at_ >= words_.size();
    const std::string shown = is_end ? "the text ends" : "'" + printable(words_[at_].text) + "'";
    return Error(ErrorCode::kConfig, "every: " + shown + " at column " +
                                         std::to_string(is_end ? end_column_ : words_[at_].column) + ": " + reason);
  }
  Result<BigQuerySchedule> finish(BigQuerySchedule schedule) const {
    if (at_ < words_.size()) return wrong("nothing may follow here");
    return schedule;
  }

  // One or more of what `read` knows, with commas between, as bits.
  template <typename Read>
  Result<std::uint32_t> list(Read read, const std::string& first_reason, const std::string& reason) {
    std::uint32_t bits = 0;
    do {
      const auto value = read(word());
      if (!value) return wrong(bits == 0 ? first_reason : reason);
      bits |= std::uint32_t{1} << *value;
      ++at_;
    } while (take(","));
    return bits;
  }

  Result<BigQuerySchedule> interval(std::int64_t count, std::int64_t unit) {
    const std::int64_t step = count * unit;
    if (step > kIntervalMicrosMax) return wrong("the interval is longer than ten years");
    if (take("synchronized")) {
      if (24 * kMicrosPerHour % step != 0) {
        --at_;
        return wrong("a synchronized interval must divide 24 hours evenly");
      }
      return finish(RangeInterval{step, 0, 24 * kMicrosPerHour - kMicrosPerMinute});
    }
    if (!take("from")) return finish(RealInterval{step});
    const auto start = time_of(word());
    if (!start) return wrong("write a time like 08:00");
    ++at_;
    if (!take("to")) return wrong("write to and a time like 20:00");
    const auto end = time_of(word());
    if (!end) return wrong("write a time like 20:00");
    ++at_;
    return finish(RangeInterval{step, *start * kMicrosPerMinute, *end * kMicrosPerMinute});
  }

  void every_day() {
    pattern_.days = Pattern::Days::kBoth;
    pattern_.weekdays = kEveryWeekday;
    pattern_.month_days = kEveryMonthDay;
  }

  Result<BigQuerySchedule> month_days() {
    const auto day_of = [](std::string_view text) {
      const auto day = number_of(text);
      return day && *day >= 1 && *day <= 31 ? day : std::nullopt;
    };
    every_day();
    TRY(pattern_.month_days, list(day_of, "write days from 1 to 31", "write days from 1 to 31"));
    if (word() != "of") return wrong("write of month, of quarter, or of and months after the days");
    return specific_time();
  }

  Result<BigQuerySchedule> weekdays(bool has_every) {
    if (take("day")) {
      const std::uint32_t ordinals = pattern_.ordinals;
      every_day();
      if (!has_every) pattern_.month_days = ordinals;  // "1st,3rd day of month"
    } else {
      pattern_.days = Pattern::Days::kOrdinal;
      const std::string names = "mon to sun, or day";
      TRY(pattern_.weekdays,
          list(weekday_of, has_every ? "write a number with hours or minutes, " + names : "write " + names,
               "write mon to sun"));
    }
    return specific_time();
  }

  Status months() {
    pattern_.months = kEveryMonth;
    if (!take("of") || take("month")) return ok();
    std::uint32_t of_quarter = 0b0010;
    if (ordinal_of(word())) {
      const auto month_of_quarter = [](std::string_view text) {
        const auto n = ordinal_of(text);
        return n && *n <= 3 ? n : std::nullopt;
      };
      TRY(of_quarter, list(month_of_quarter, "a quarter has three months", "write 1st, 2nd or 3rd"));
      if (!take("month") || !take("of") || word() != "quarter") return wrong("write month of quarter");
    }
    if (take("quarter")) {
      pattern_.months = of_quarter | of_quarter << 3 | of_quarter << 6 | of_quarter << 9;
      return ok();
    }
    TRY(pattern_.months,
        list(month_of, "write month, quarter, jan to dec, or 1st month of quarter", "write jan to dec"));
    return ok();
  }

  Result<BigQuerySchedule> specific_time() {
    TRY_STATUS(months());
    int minute = 0;
    if (at_ < words_.size()) {
      const auto time = time_of(word());
      if (!time)
        return wrong(pattern_.months == kEveryMonth ? "write a time like 09:00, or of and months"
                                                    : "write a time like 09:00");
      minute = *time;
      ++at_;
    }
    pattern_.hours = std::uint32_t{1} << (minute / 60);
    pattern_.minutes = std::uint64_t{1} << (minute % 60);
    if (!pattern_.ever_fires())
      return Error(ErrorCode::kConfig, "every: no such day is in any of these months, so the schedule never fires");
    return finish(pattern_);
  }

  const std::vector<Word> words_;
  const std::size_t end_column_;
  std::size_t at_ = 0;
  Pattern pattern_;
};

}  // namespace

Result<BigQuerySchedule> parse_bigquery_schedule(std::string_view text) {
  if (text.size() > kScheduleBytesMax) return Error(ErrorCode::kConfig, "every: the text is too long to be a schedule");
  return Parser(text).parse();
}

}  // namespace flytt::scheduler::internal
