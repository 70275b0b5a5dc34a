#pragma once
// The rare pairs of proto type and column type, and columns with parameters: NUMERIC(P,S), STRING(L), BYTES(L).

#include <optional>
#include <string>

#include "data/civil.h"
#include "data/decimal.h"
#include "wire/column_target.h"
#include "wire/internal/decode_plan.h"

namespace flytt::wire {

// One value of a message, in the widest form of its kind.
struct ProtoScalar {
  enum class Form : std::uint8_t { kSigned, kUnsigned, kReal, kBytes };
  Form form = Form::kSigned;
  std::int64_t signed_value = 0;
  std::uint64_t unsigned_value = 0;
  double real = 0;
  std::string_view bytes;
};

// Reads the value of a field of this type; false when the bytes are malformed.
bool read_scalar(ProtoCursor& cursor, ProtoType type, ProtoScalar& out);
// The value of a message that carries none: 0, "", false.
ProtoScalar default_scalar(ProtoType type);

// Writes the cell `at` of a column of field.type. nullptr, or what is wrong with the value (a sentence without it).
const char* convert_cell(const FieldPlan& field, const ProtoScalar& value, void* cells, std::size_t at,
                         CellArena& arena);

// seconds=1, nanos=2 of google.protobuf.Timestamp and Duration as microseconds.
const char* read_seconds(std::string_view message, std::int64_t& micros);

bool is_interval_in_range(const data::Interval& interval);
StringCell big_numeric_cell(const data::Int256& value, CellArena& arena);

}  // namespace flytt::wire
