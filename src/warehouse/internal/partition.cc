#include "warehouse/internal/partition.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "data/civil.h"
#include "warehouse/internal/definition_text.h"

namespace flytt::warehouse::internal {

namespace {

using data::TypeKind;

Error invalid(const std::string& sentence) { return Error(ErrorCode::kBadData, sentence).cause("invalid"); }

std::string decorated(const TableInfo& table, std::string_view id) {
  return table.path.project + ":" + table.path.dataset + "." + table.path.table + "$" + std::string(id);
}

// A run of digits, as a number.
std::optional<std::int64_t> number(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::size_t id_length(std::string_view unit) {
  if (unit == "HOUR") return 10;
  if (unit == "MONTH") return 6;
  return unit == "YEAR" ? 4 : 8;
}

struct Span {
  std::int64_t first, last;  // microseconds since 1970, inclusive
};

std::optional<Span> span_of(std::string_view unit, std::string_view id) {
  const bool has_digits = std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!has_digits || id.size() != id_length(unit)) return std::nullopt;
  const std::int64_t year = *number(id.substr(0, 4));
  const std::int64_t month = id.size() >= 6 ? *number(id.substr(4, 2)) : 1;
  const std::int64_t day = id.size() >= 8 ? *number(id.substr(6, 2)) : 1;
  const std::int64_t hour = id.size() == 10 ? *number(id.substr(8, 2)) : 0;
  if (year < 1 || month < 1 || month > 12 || day < 1 || hour > 23) return std::nullopt;
  const auto days = [](std::int64_t y, std::int64_t m, std::int64_t d) {
    return data::days_from_civil({static_cast<int>(y), static_cast<int>(m), static_cast<int>(d)});
  };
  const auto next_month = [&] { return month == 12 ? days(year + 1, 1, 1) : days(year, month + 1, 1); };
  if (days(year, month, day) >= next_month()) return std::nullopt;  // the 30th of February
  constexpr std::int64_t kHour = data::kMicrosPerDay / 24;
  const std::int64_t first = days(year, month, day) * data::kMicrosPerDay + hour * kHour;
  std::int64_t end = first + data::kMicrosPerDay;
  if (unit == "HOUR") end = first + kHour;
  if (unit == "MONTH") end = next_month() * data::kMicrosPerDay;
  if (unit == "YEAR") end = days(year + 1, 1, 1) * data::kMicrosPerDay;
  return Span{first, end - 1};
}

Result<Partition> of_time(const TableInfo& table, const Partitioning& by, std::uint32_t column, std::string_view id) {
  const auto span = span_of(by.unit, id);
  if (!span)
    return invalid("Invalid partition " + decorated(table, id) + ": the table is partitioned by " + by.unit +
                   ", whose partitions have ids of " + std::to_string(id_length(by.unit)) + " digits");
  const data::Field& field = table.schema.fields[column];
  Partition out;
  out.column = column;
  const auto quote = [](const char* type, const std::string& text) { return type + (" '" + text + "'"); };
  std::string google_first, google_last;
  if (field.type.is(TypeKind::kDate)) {
    google_first = out.first = quote("DATE", data::format_date(span->first / data::kMicrosPerDay));
    google_last = out.last = quote("DATE", data::format_date((span->last + 1) / data::kMicrosPerDay - 1));
  } else {
    const std::string first = data::format_datetime(span->first, ' '), last = data::format_datetime(span->last, ' ');
    const bool has_zone = field.type.is(TypeKind::kTimestamp);
    out.first = quote("TIMESTAMP", first);
    out.last = quote("TIMESTAMP", last);
    google_first = has_zone ? quote("TIMESTAMP", first + "+00") : quote("DATETIME", first);
    google_last = has_zone ? quote("TIMESTAMP", last + "+00") : quote("DATETIME", last);
  }
  out.google_condition = "`" + field.name + "` BETWEEN " + google_first + " AND " + google_last;
  return out;
}

Result<Partition> of_range(const TableInfo& table, const Partitioning& by, std::uint32_t column, std::string_view id) {
  const auto start = number(id);
  if (by.step <= 0 || !start || *start < by.start || *start >= by.end || (*start - by.start) % by.step != 0)
    return invalid("Invalid partition " + decorated(table, id) + ": the table's partitions begin with every " +
                   std::to_string(by.step) + ". number from " + std::to_string(by.start) + " to " +
                   std::to_string(by.end));
  const std::int64_t last = std::min(by.end - *start, by.step) - 1 + *start;
  Partition out;
  out.column = column;
  out.first = std::to_string(*start);
  out.last = std::to_string(last);
  out.google_condition =
      "`" + table.schema.fields[column].name + "` BETWEEN " + out.first + " AND " + std::to_string(last);
  return out;
}

}  // namespace

Result<Partition> find_partition(const TableInfo& table, std::string_view id) {
  const Partitioning by = partitioning_of(table);
  if (by.kind == Partitioning::Kind::kNone)
    return invalid(
        "Incompatible table partitioning specification. Expects partitioning specification none, but input "
        "partitioning "
        "specification is interval(type:day)");
  if (by.field.empty())
    return Error(ErrorCode::kUnsupported, "partitions by ingestion time, like " + decorated(table, id) +
                                              ", are not supported; partition the table by a column")
        .cause("notImplemented");
  const auto column = table.schema.find(by.field);
  if (!column) return invalid("The field specified for partitioning cannot be found in the schema.");
  return by.kind == Partitioning::Kind::kTime ? of_time(table, by, *column, id) : of_range(table, by, *column, id);
}

std::string is_within(const Partition& partition, const std::string& column) {
  return column + " BETWEEN " + partition.first + " AND " + partition.last;
}

}  // namespace flytt::warehouse::internal
