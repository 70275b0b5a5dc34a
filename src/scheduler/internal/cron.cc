#include "scheduler/internal/cron.h"

#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "scheduler/internal/quoted.h"
#include "scheduler/limits.h"

namespace flytt::scheduler::internal {

namespace {

struct FieldRule {
  std::string_view name;
  int min, max;
  std::string_view names;  // three letters each, the first one means `min`
};
constexpr std::array<FieldRule, 5> kFields{{{"minute", 0, 59, ""},
                                            {"hour", 0, 23, ""},
                                            {"day of month", 1, 31, ""},
                                            {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
                                            {"day of week", 0, 6, "sunmontuewedthufrisat"}}};

struct Field {
  std::uint64_t bits = 0;
  bool has_star = false;     // * or ? without a step: no restriction, for the rule of two kinds of days
  bool is_repeated = false;  // begins with * or ?, with or without a step
};

struct Piece {
  std::string_view text;
  std::size_t column;  // from 1
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; }

Error wrong(const FieldRule& rule, Piece piece, const std::string& reason) {
  return Error(ErrorCode::kConfig, "cron: " + std::string(rule.name) + " '" + printable(piece.text) + "' at column " +
                                       std::to_string(piece.column) + ": " + reason);
}

std::string span_of(const FieldRule& rule) {
  std::string text = "use " + std::to_string(rule.min) + " to " + std::to_string(rule.max);
  if (rule.min == 0 && rule.max == 6) text += ", or SUN to SAT";
  if (rule.max == 12) text += ", or JAN to DEC";
  return text;
}

Result<int> parse_value(const FieldRule& rule, Piece piece) {
  if (piece.text.size() == 3 && !rule.names.empty()) {
    for (std::size_t i = 0; i * 3 < rule.names.size(); ++i) {
      const std::string_view name = rule.names.substr(i * 3, 3);
      if (name[0] == lower(piece.text[0]) && name[1] == lower(piece.text[1]) && name[2] == lower(piece.text[2]))
        return rule.min + static_cast<int>(i);
    }
  }
  if (piece.text.empty()) return wrong(rule, piece, "a value is missing; " + span_of(rule));
  int value = 0;
  const char* end = piece.text.data() + piece.text.size();
  const auto [stop, failure] = std::from_chars(piece.text.data(), end, value);
  if (failure == std::errc::invalid_argument || stop != end || piece.text[0] == '-')
    return wrong(rule, piece, "no number; " + span_of(rule));
  if (failure != std::errc() || value < rule.min || value > rule.max) {
    const bool is_sunday = rule.max == 6 && failure == std::errc() && value == 7;
    return wrong(rule, piece, is_sunday ? "out of range; Sunday is 0" : "out of range; " + span_of(rule));
  }
  return value;
}

Result<int> parse_step(const FieldRule& rule, Piece piece) {
  int value = 0;
  const char* end = piece.text.data() + piece.text.size();
  const auto [stop, failure] = std::from_chars(piece.text.data(), end, value);
  if (piece.text.empty() || failure != std::errc() || stop != end || value <= 0)
    return wrong(rule, piece, "the step after / must be 1 or more");
  return value;
}

// One entry of a list: *, ?, N, N-M, each with /STEP; N/STEP means N to the end.
Status parse_entry(const FieldRule& rule, Piece entry, Field& field) {
  const std::size_t slash = entry.text.find('/');
  const Piece range{entry.text.substr(0, slash), entry.column};
  int low = rule.min, high = rule.max, step = 1;
  const bool is_star = range.text == "*" || range.text == "?";
  if (!is_star) {
    const std::size_t hyphen = range.text.find('-');
    TRY(low, parse_value(rule, {range.text.substr(0, hyphen), range.column}));
    if (hyphen != range.text.npos) {
      TRY(high, parse_value(rule, {range.text.substr(hyphen + 1), range.column + hyphen + 1}));
    } else if (slash == entry.text.npos) {
      high = low;
    }
  }
  if (low > high) return wrong(rule, range, "the range ends before it begins");
  if (slash != entry.text.npos) {
    TRY(step, parse_step(rule, {entry.text.substr(slash + 1), entry.column + slash + 1}));
  }
  for (std::int64_t value = low; value <= high; value += step) field.bits |= std::uint64_t{1} << value;
  if (is_star && step == 1) field.has_star = true;
  if (is_star) field.is_repeated = true;
  return ok();
}

Result<Field> parse_field(const FieldRule& rule, Piece piece) {
  Field field;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = piece.text.find(',', begin);
    TRY_STATUS(parse_entry(rule, {piece.text.substr(begin, comma - begin), piece.column + begin}, field));
    if (comma == piece.text.npos) return field;
    begin = comma + 1;
  }
}

Result<std::array<Piece, 5>> split(std::string_view text) {
  std::array<Piece, 5> pieces;
  std::size_t count = 0, at = 0;
  while (true) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (at == text.size()) break;
    const std::size_t begin = at;
    while (at < text.size() && !is_space(text[at])) ++at;
    if (count < pieces.size()) pieces[count] = {text.substr(begin, at - begin), begin + 1};
    ++count;
  }
  if (count == pieces.size()) return pieces;
  if (count == 6)
    return Error(ErrorCode::kConfig,
                 "cron: 6 fields; a field for seconds is not known, write minute, hour, day of month, month and "
                 "day of week");
  return Error(ErrorCode::kConfig, "cron: " + std::to_string(count) +
                                       " fields; write 5: minute, hour, day of month, month and day of week");
}

std::optional<std::string_view> macro(std::string_view name) {
  struct Macro {
    std::string_view name, fields;
  };
  static constexpr std::array<Macro, 7> kMacros{{{"@yearly", "0 0 1 1 *"},
                                                 {"@annually", "0 0 1 1 *"},
                                                 {"@monthly", "0 0 1 * *"},
                                                 {"@weekly", "0 0 * * 0"},
                                                 {"@daily", "0 0 * * *"},
                                                 {"@midnight", "0 0 * * *"},
                                                 {"@hourly", "0 * * * *"}}};
  for (const Macro& known : kMacros)
    if (known.name == name) return known.fields;
  return std::nullopt;
}

Result<CronSchedule> parse_macro(std::string_view text) {
  constexpr std::string_view kEvery = "@every ";
  if (const auto fields = macro(text)) return parse_cron(*fields);
  if (text.substr(0, kEvery.size()) == kEvery) {
    TRY(const std::int64_t micros, parse_duration(text.substr(kEvery.size()), "cron: @every"));
    return CronSchedule(micros);
  }
  return Error(ErrorCode::kConfig, "cron: '" + printable(text) +
                                       "' is not known; use @hourly, @daily, @midnight, @weekly, @monthly, @yearly, "
                                       "@annually or @every 1h30m");
}

struct Unit {
  std::string_view name;
  std::int64_t micros;
};
constexpr std::array<Unit, 5> kUnits{
    {{"ms", 1000}, {"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}}};

// Takes "1.5h" off the front, as microseconds; what is too long is kIntervalMicrosMax + 1 at least.
std::optional<std::int64_t> take_part(std::string_view& text) {
  std::int64_t whole = 0, thousandths = 0;
  std::size_t at = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    if (at == 9) return std::nullopt;
    whole = whole * 10 + (text[at] - '0');
  }
  if (at == 0) return std::nullopt;
  if (at < text.size() && text[at] == '.') {
    const std::size_t point = at++;
    for (std::int64_t weight = 100; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, weight /= 10) {
      if (weight == 0) return std::nullopt;
      thousandths += weight * (text[at] - '0');
    }
    if (at == point + 1) return std::nullopt;
  }
  for (const Unit& unit : kUnits) {
    if (text.substr(at, unit.name.size()) != unit.name) continue;
    text.remove_prefix(at + unit.name.size());
    if (whole > kIntervalMicrosMax / unit.micros) return kIntervalMicrosMax + 1;
    return whole * unit.micros + thousandths * (unit.micros / 1000);
  }
  return std::nullopt;
}

}  // namespace

Result<std::int64_t> parse_duration(std::string_view text, std::string_view what) {
  const auto refuse = [&](const char* reason) {
    return Error(ErrorCode::kConfig, std::string(what) + " '" + printable(text) + "': " + reason);
  };
  std::int64_t micros = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto part = take_part(rest);
    if (!part) return refuse("no duration; write one like 10m, 1h30m, 90s or 1d");
    micros += *part;
    if (micros > kIntervalMicrosMax) return refuse("longer than ten years");
  }
  if (micros < kIntervalMicrosMin) return refuse("shorter than one second");
  if (micros % 1'000'000 != 0) return refuse("must be whole seconds");
  return micros;
}

Result<CronSchedule> parse_cron(std::string_view text) {
  if (text.size() > kScheduleBytesMax) return Error(ErrorCode::kConfig, "cron: the text is too long to be a schedule");
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (text.substr(0, 3) == "TZ=" || text.substr(0, 8) == "CRON_TZ=")
    return Error(ErrorCode::kConfig, "cron: a time zone inside the text is not known; write it as `timezone`");
  if (text.substr(0, 1) == "@") return parse_macro(text);
  TRY(const auto pieces, split(text));
  std::array<Field, 5> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    TRY(fields[i], parse_field(kFields[i], pieces[i]));
  }
  Pattern pattern;
  pattern.minutes = fields[0].bits;
  pattern.hours = static_cast<std::uint32_t>(fields[1].bits);
  pattern.month_days = static_cast<std::uint32_t>(fields[2].bits);
  pattern.months = static_cast<std::uint32_t>(fields[3].bits);
  pattern.weekdays = static_cast<std::uint32_t>(fields[4].bits);
  pattern.days = fields[2].has_star || fields[4].has_star ? Pattern::Days::kBoth : Pattern::Days::kEither;
  pattern.runs_at_jump = pattern.hours != kEveryHour;
  pattern.runs_in_both_passes = pattern.hours == kEveryHour || fields[0].is_repeated;
  if (!pattern.ever_fires())
    return Error(ErrorCode::kConfig, "cron: day of month '" + printable(pieces[2].text) + "' at column " +
                                         std::to_string(pieces[2].column) + ": month '" + printable(pieces[3].text) +
                                         "' never has such a day, so the schedule never fires");
  return CronSchedule(pattern);
}

}  // namespace flytt::scheduler::internal
