#pragma once
// RowEncoder: the plan by which rows of one table shape become protobuf bytes, and the descriptor that says how to read
// them. Made once per schema version; no reflection and no allocation per row.
//
// The descriptor is a self-contained proto2 google.protobuf.DescriptorProto: every field optional or repeated, STRUCT and
// RANGE as nested messages, numbers of arrays packed. A column whose name is not a legal proto identifier gets a made-up
// field name and the option google.cloud.bigquery.storage.v1.column_name (454943157).
// Encodings (Storage Write API, "Data type conversions"): DATE int32 days · TIMESTAMP int64 µs · DATETIME, TIME packed int64
// (data/civil.h) · NUMERIC, BIGNUMERIC shortest little-endian two's complement bytes · JSON, GEOGRAPHY, INTERVAL string ·
// RANGE message {start, end}, unset = unbounded · INT64, BOOL, FLOAT64, STRING, BYTES as themselves.
//
// Immutable after `make`, so one encoder may be used by several threads.

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "data/table_slice.h"
#include "wire/row_buffer.h"

namespace flytt::wire {

// kTypeAndSequence adds the pseudo-columns _CHANGE_TYPE ("UPSERT", "DELETE") and _CHANGE_SEQUENCE_NUMBER to every row;
// a DELETE then carries only key columns.
enum class ChangeColumns : std::uint8_t { kNone, kTypeAndSequence };

class RowEncoder {
 public:
  // Fails with kSchema when a shape cannot be sent (STRUCT nested deeper than BigQuery allows, an empty STRUCT).
  static Result<RowEncoder> make(const data::TableSchema& table, ChangeColumns changes);
  RowEncoder(RowEncoder&&) noexcept;
  RowEncoder& operator=(RowEncoder&&) noexcept;
  ~RowEncoder();

  // Serialised google.protobuf.DescriptorProto, valid as long as the encoder.
  const std::string& descriptor() const;

  // Appends rows [from, to) of `slice` to `out` as entries of ProtoRows.serialized_rows (tag, length, row), as long as
  // out.size() stays within `bytes_max`; a first row that is larger by itself is appended nevertheless when `out` was
  // empty. Returns the first row that was not appended. A NULL inside an array is kBug: the source keeps such values out.
  Result<std::size_t> encode(const data::TableSlice& slice, std::size_t from, std::size_t to, std::size_t bytes_max,
                             RowBuffer& out) const;

 private:
  struct Plan;
  explicit RowEncoder(std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> plan_;
};

}  // namespace flytt::wire
