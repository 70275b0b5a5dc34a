#pragma once
// RowDecoder: the plan by which protobuf rows of one descriptor become cells of one table.
//
// Fields are matched with columns by their column_name option or else by name, without case. Every proto type that the
// Storage Write API documents for a column type is accepted ("Data type conversions"), also inside well-known wrappers.
// Strings are not copied: their cells point into the request's bytes.
//
// A row is refused (RowError, with BigQuery's kind of sentence and never a value) when a REQUIRED column is missing, a
// value is out of its type's range, a STRING is not UTF-8, a JSON text is malformed, or a change column is not legal. A
// DELETE needs only its key columns.
//
// Owned by one thread; `decode` uses scratch memory inside.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/schema.h"
#include "data/sequence.h"
#include "wire/column_target.h"

namespace flytt::wire {

// Entries of a ProtoRows message (the bytes of AppendRowsRequest.proto_rows.rows), one after the other.
class SerializedRows {
 public:
  // Walks over all entries once; kCorrupt when the framing is broken. `proto_rows` must outlive it.
  static Result<SerializedRows> make(std::string_view proto_rows);
  std::size_t count() const { return count_; }  // of all rows
  std::size_t taken() const { return taken_; }  // rows handed out so far
  bool next(std::string_view& row);             // false at the end

 private:
  std::string_view rest_;
  std::size_t count_ = 0;
  std::size_t taken_ = 0;
};

enum class ChangeType : std::uint8_t { kUnset, kInsert, kUpsert, kDelete };

// A sequence that data::Sequence cannot hold (fewer or more than three sections, or wider ones).
struct LongSequence {
  std::size_t row;        // index into RowChanges::types
  std::string_view text;  // points into the request
};

// The change columns of decoded rows, appended row by row. Cleared by the caller.
struct RowChanges {
  std::vector<ChangeType> types;
  std::vector<data::Sequence> sequences;   // zero when absent or long
  std::vector<std::uint8_t> has_sequence;  // 1 when the row carried one of either kind
  std::vector<LongSequence> long_sequences;
  void clear();
};

struct RowError {
  std::size_t index;  // of the row in its request, from 0
  std::string message;
};

// The cause() of a kSchema error from `make`: StorageError codes of the Storage Write API, or none.
inline constexpr std::string_view kCauseExtraFields = "SCHEMA_MISMATCH_EXTRA_FIELDS";

class RowDecoder {
 public:
  // `descriptor` is a serialised google.protobuf.DescriptorProto. kSchema when a field has no column (cause
  // kCauseExtraFields), when a type does not fit its column, or when the descriptor contradicts itself.
  static Result<RowDecoder> make(std::string_view descriptor, const data::TableSchema& table);
  RowDecoder(RowDecoder&&) noexcept;
  RowDecoder& operator=(RowDecoder&&) noexcept;
  ~RowDecoder();

  bool has_change_type() const;
  bool has_sequence() const;

  // Decodes up to `rows_max` further rows into cells [first_cell, first_cell + decoded) of `columns` (one per column of
  // the table, in its order; columns without a proto field become NULL, arrays empty) and appends their change columns.
  // Returns how many rows were decoded; refused ones are counted and occupy a cell with unspecified content, so a request
  // with errors is to be dropped whole, as BigQuery does. Cells stay valid as long as the request's bytes and `arena`.
  std::size_t decode(SerializedRows& rows, std::size_t rows_max, const std::vector<ColumnTarget*>& columns,
                     std::size_t first_cell, RowChanges& changes, CellArena& arena, std::vector<RowError>& errors);

 private:
  struct Plan;
  explicit RowDecoder(std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> plan_;
};

// The order of _CHANGE_SEQUENCE_NUMBER as bytes: every section as 8 big-endian bytes, so memcmp (and then length) orders
// any two legal texts as BigQuery does. nullopt when the text is not 1 to 4 sections of 1 to 16 hexadecimal digits.
std::optional<std::string> ordered_sequence_bytes(std::string_view text);
// The three-section form of the same order: a Sequence when the text has three sections that fit (leading zeros allowed).
std::optional<data::Sequence> narrow_sequence(std::string_view text);

}  // namespace flytt::wire
