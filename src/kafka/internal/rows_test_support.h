#pragma once
// For tests: messages into a slice, and its cells as text.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/civil.h"
#include "data/decimal.h"
#include "kafka/internal/message_rows.h"

namespace flytt::kafka {

inline std::string print_cell(const data::Column& column, std::size_t row) {
  using data::TypeKind;
  if (column.is_null(row)) return "NULL";
  switch (column.kind()) {
    case TypeKind::kInt64: return std::to_string(column.int64(row));
    case TypeKind::kBool: return column.boolean(row) ? "true" : "false";
    case TypeKind::kFloat64: {
      char text[40];
      std::snprintf(text, sizeof text, "%.17g", column.float64(row));
      return text;
    }
    case TypeKind::kNumeric: return data::format_numeric(column.int128(row));
    case TypeKind::kBigNumeric: return data::format_bignumeric(column.int256(row));
    case TypeKind::kDate: return data::format_date(column.int64(row));
    case TypeKind::kTime: return data::format_time(column.int64(row));
    case TypeKind::kDatetime: return data::format_datetime(column.int64(row));
    case TypeKind::kTimestamp: return data::format_datetime(column.int64(row)) + "Z";
    case TypeKind::kInterval: return data::format_interval(column.interval(row));
    case TypeKind::kArray: {
      std::string out = "[";
      for (std::uint32_t i = column.list_begin(row); i < column.list_end(row); ++i)
        out += (i == column.list_begin(row) ? "" : "|") + print_cell(column.children()[0], i);
      return out + "]";
    }
    case TypeKind::kStruct: {
      std::string out = "(";
      for (const data::Column& child : column.children()) out += (out.size() > 1 ? "," : "") + print_cell(child, row);
      return out + ")";
    }
    default: return std::string(column.bytes(row));
  }
}

// A table of one stream with its newest slice; what the topic source does without Kafka.
struct Table {
  explicit Table(PayloadSettings given, const data::SliceSchema* known = nullptr,
                 const std::vector<SampledMessage>& samples = {})
      : settings(std::move(given)),
        rows(settings),
        shape(TableShape::make(settings, "topic", {"p", "d", "t"}, known, samples).value()) {
    slices.push_back(rows.make_slice(shape, 0, 0));
  }

  // The cells of the new row, payload columns only, or "!column: reason".
  std::string add(std::optional<std::string_view> value, std::optional<std::string_view> key = std::nullopt,
                  const HeaderReader* headers = nullptr) {
    Message message{"topic", 3, next_offset++, 1'700'000'000'123, key, value, headers, {}};
    message.sequence = data::Sequence::of(2, 77, static_cast<std::uint64_t>(message.offset));
    std::optional<MessageRows::Outcome> outcome;
    while (!(outcome = rows.append(message, shape, slices.back())))
      slices.push_back(rows.make_slice(shape, 0, message.offset));
    const data::TableSlice& slice = slices.back();
    if (*outcome == MessageRows::Outcome::kRejected)
      return "!" + slice.rejections.back().column + ": " + slice.rejections.back().reason;
    for (const data::Column& column : slice.columns) CHECK(column.size() == slice.row_count());
    return print(slice, slice.row_count() - 1);
  }
  std::string print(const data::TableSlice& slice, std::size_t row) const {
    std::string out;
    for (std::size_t i = 0; i < slice.columns.size(); ++i)
      if (shape.role(i) == ColumnRole::kPayload || shape.role(i) == ColumnRole::kRest)
        out += print_cell(slice.columns[i], row) + " ";
    return out.substr(0, out.empty() ? 0 : out.size() - 1);
  }
  // "name TYPE, …" without the columns _kafka_….
  std::string columns() const {
    std::string out;
    for (const data::Field& field : shape.schema()->table.fields)
      if (field.name.rfind("_kafka_", 0) != 0)
        out += (out.empty() ? "" : ", ") + field.name + " " + field.type.sql_name();
    return out;
  }

  PayloadSettings settings;
  MessageRows rows;
  TableShape shape;
  std::vector<data::TableSlice> slices;
  std::int64_t next_offset = 0;
};

inline PayloadSettings declare(std::vector<DeclaredField> fields) {
  PayloadSettings settings;
  settings.fields = std::move(fields);
  return settings;
}

// The same numbers for the same seed (xorshift).
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t roll(std::uint64_t sides) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return (state_ >> 11) % sides;
  }
  template <std::size_t N>
  const char* pick(const char* const (&texts)[N]) {
    return texts[roll(N)];
  }

 private:
  std::uint64_t state_;
};

}  // namespace flytt::kafka
