#pragma once
// Column: a builder and a reader of one column's cells, packed; no object per cell.
//
// Layout by type:
//   INT64, TIME (µs of day), DATE (days), DATETIME, TIMESTAMP (µs) → int64      BOOL → uint8      FLOAT64 → double
//   NUMERIC (×10^9) → Int128      BIGNUMERIC (×10^38) → Int256      INTERVAL → Interval
//   STRING, BYTES, JSON, GEOGRAPHY → bytes with end offsets
//   ARRAY → end offsets into children()[0]      STRUCT → one child per field      RANGE → two children (start, end; NULL = unbounded)
// A NULL cell still occupies its fixed-width slot (zero) or an empty range of bytes or elements; a NULL STRUCT has a
// NULL in each child. Not thread-safe; owned by the slice that holds it.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/civil.h"
#include "data/decimal.h"
#include "data/type.h"

namespace flytt::data {

enum class Layout : std::uint8_t { kInt64, kBool, kDouble, kInt128, kInt256, kInterval, kBytes, kList, kStruct };
Layout layout_of(TypeKind kind);

class Column {
 public:
  explicit Column(const Type& type);

  Layout layout() const { return layout_; }
  TypeKind kind() const { return kind_; }
  std::size_t size() const { return valid_.size(); }
  bool is_null(std::size_t row) const { return valid_[row] == 0; }
  bool has_nulls() const { return null_count_ != 0; }
  std::size_t byte_size() const;  // of all cells, children included; for batch limits
  void reserve(std::size_t rows);

  void append_null();
  void append_int64(std::int64_t v) {
    valid_.push_back(1);
    int64s_.push_back(v);
  }
  void append_bool(bool v) {
    valid_.push_back(1);
    bools_.push_back(v ? 1 : 0);
  }
  void append_double(double v) {
    valid_.push_back(1);
    doubles_.push_back(v);
  }
  void append_int128(Int128 v) {
    valid_.push_back(1);
    int128s_.push_back(v);
  }
  void append_int256(const Int256& v) {
    valid_.push_back(1);
    int256s_.push_back(v);
  }
  void append_interval(const Interval& v) {
    valid_.push_back(1);
    intervals_.push_back(v);
  }
  void append_bytes(std::string_view v) {
    valid_.push_back(1);
    bytes_.insert(bytes_.end(), v.begin(), v.end());
    ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  }
  // kList: closes a list whose elements are those appended to children()[0] since the last close.
  void close_list() {
    valid_.push_back(1);
    ends_.push_back(static_cast<std::uint32_t>(children_[0].size()));
  }
  // kStruct: closes a row after one cell has been appended to every child.
  void close_struct() { valid_.push_back(1); }
  // Takes back the last cell, whole (with its elements or children).
  void pop_back();
  // Copies cell `row` of a column of the same type.
  void append_from(const Column& other, std::size_t row);

  std::int64_t int64(std::size_t row) const { return int64s_[row]; }
  bool boolean(std::size_t row) const { return bools_[row] != 0; }
  double float64(std::size_t row) const { return doubles_[row]; }
  Int128 int128(std::size_t row) const { return int128s_[row]; }
  const Int256& int256(std::size_t row) const { return int256s_[row]; }
  const Interval& interval(std::size_t row) const { return intervals_[row]; }
  std::string_view bytes(std::size_t row) const { return {bytes_.data() + begin_of(row), ends_[row] - begin_of(row)}; }
  std::uint32_t list_begin(std::size_t row) const { return begin_of(row); }
  std::uint32_t list_end(std::size_t row) const { return ends_[row]; }
  std::vector<Column>& children() { return children_; }
  const std::vector<Column>& children() const { return children_; }

 private:
  std::uint32_t begin_of(std::size_t row) const { return row == 0 ? 0 : ends_[row - 1]; }

  TypeKind kind_;
  Layout layout_;
  std::size_t null_count_ = 0;
  std::vector<std::uint8_t> valid_;
  std::vector<std::int64_t> int64s_;
  std::vector<std::uint8_t> bools_;
  std::vector<double> doubles_;
  std::vector<Int128> int128s_;
  std::vector<Int256> int256s_;
  std::vector<Interval> intervals_;
  std::vector<char> bytes_;
  std::vector<std::uint32_t> ends_;
  std::vector<Column> children_;
};

}  // namespace flytt::data
