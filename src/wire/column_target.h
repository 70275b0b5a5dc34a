#pragma once
// Where decoded cells go: plain arrays in the layout of DuckDB's vectors, owned by the caller.
//
// Cells by type (the physical forms of googlesql/physical_type.h):
//   INT64 int64 · BOOL uint8 (0, 1) · FLOAT64 double · DATE int32 days · TIME, DATETIME, TIMESTAMP int64 µs
//   NUMERIC Int128 (×10^9) · INTERVAL data::Interval {int32 months, int32 days, int64 µs}
//   STRING, BYTES, JSON, GEOGRAPHY StringCell · BIGNUMERIC StringCell of 32 ordered bytes (data::to_ordered_bytes)
//   ARRAY ListEntry into children[0] · STRUCT and RANGE: no cells of their own, one child per field (start, end)

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "wire/limits.h"

namespace flytt::wire {

// 16 bytes: length, then either up to 12 bytes inline padded with zeros, or the first 4 bytes and a pointer.
struct StringCell {
  std::uint32_t length;
  char prefix[4];
  union {
    char rest[8];
    const char* pointer;
  };

  static constexpr std::uint32_t kInlineMax = 12;
  // Points into `text` when it is longer than kInlineMax: that memory must outlive the cell.
  static StringCell of(std::string_view text) {
    StringCell cell;
    cell.length = static_cast<std::uint32_t>(text.size());
    if (text.size() <= kInlineMax) {
      char bytes[kInlineMax] = {};
      if (!text.empty()) std::memcpy(bytes, text.data(), text.size());
      std::memcpy(cell.prefix, bytes, 4);
      std::memcpy(cell.rest, bytes + 4, 8);
    } else {
      std::memcpy(cell.prefix, text.data(), 4);
      cell.pointer = text.data();
    }
    return cell;
  }
  std::string_view view() const { return {length <= kInlineMax ? prefix : pointer, length}; }
};
static_assert(sizeof(StringCell) == 16);

struct ListEntry {
  std::uint64_t offset, length;  // elements of children[0]
};
static_assert(sizeof(ListEntry) == 16);

// One column, or a part of one. The caller makes room for all rows that it asks for; only the elements of arrays are
// asked for by the decoder, through `reserve_elements`.
class ColumnTarget {
 public:
  virtual ~ColumnTarget() = default;

  void* cells = nullptr;  // null for STRUCT and RANGE
  std::uint64_t* validity =
      nullptr;  // bit (i mod 64) of word i/64: 1 = not NULL. Both values are written for every row.
  std::vector<ColumnTarget*> children;  // ARRAY: one; STRUCT: one per field; RANGE: two; not owned
  std::size_t size = 0;                 // ARRAY: elements written to children[0] so far, kept by the decoder
  std::size_t capacity = 0;  // ARRAY: elements that children[0] has room for, kept by the decoder. Whoever empties
                             // or replaces the memory sets both anew.

  // ARRAY only: makes room for `capacity` elements in children[0] and everything below it, keeps what is there, and
  // renews their `cells` and `validity`.
  virtual void reserve_elements(std::size_t capacity) = 0;
};

// Bytes that cells point to and that were not in the request. Freed together. Not thread-safe.
class CellArena {
 public:
  char* allocate(std::size_t bytes);
  std::string_view copy(std::string_view bytes);
  std::size_t byte_size() const { return bytes_; }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* free_ = nullptr;
  std::size_t left_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace flytt::wire
