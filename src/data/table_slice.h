#pragma once
// TableSlice: consecutive changes of one table under one schema version, column by column.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/column.h"
#include "data/schema.h"
#include "data/sequence.h"

namespace flytt::data {

enum class ChangeKind : std::uint8_t { kUpsert, kDelete };

// What a slice's rows are rows of. Immutable and shared by all slices of the same version.
struct SliceSchema {
  std::string source_table;  // as the source names it: "public.person"
  SchemaVersion version;
  TableSchema table;  // destination columns; the key is the primary key of a mirror table
  TablePath destination;
};

// A value that the destination cannot represent. Its cell is NULL in the row; a row without a cell to blame is not
// in the slice at all. `raw` is the source's text form, at most kRejectedRawMax bytes.
struct Rejection {
  std::string key;     // key columns in the source's text form, "id=7"
  std::string column;  // empty: the whole row
  std::string reason;  // a sentence without the value
  std::string raw;
  Sequence sequence;
  std::string position;  // as the source writes it ("topic/3/42"); empty: `sequence` is the position
  // Of a message: when it was made, in microseconds, and its headers; a header without a value has none.
  std::optional<std::int64_t> message_micros;
  std::vector<std::pair<std::string, std::optional<std::string>>> message_headers;
};

struct TableSlice {
  std::shared_ptr<const SliceSchema> schema;
  std::uint32_t lane = 0;           // Kafka partition, or 0
  std::vector<Column> columns;      // one per schema->table.fields, each row_count() long
  std::vector<ChangeKind> kinds;    // one per row; empty = all kUpsert
  std::vector<Sequence> sequences;  // one per row, or exactly one for all rows
  std::vector<Rejection> rejections;

  explicit TableSlice(std::shared_ptr<const SliceSchema> s);
  std::size_t row_count() const { return columns.empty() ? 0 : columns.front().size(); }
  ChangeKind kind(std::size_t row) const { return kinds.empty() ? ChangeKind::kUpsert : kinds[row]; }
  Sequence sequence(std::size_t row) const { return sequences.size() == 1 ? sequences.front() : sequences[row]; }
  std::size_t byte_size() const;
};

}  // namespace flytt::data
