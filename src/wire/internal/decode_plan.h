#pragma once
// What RowDecoder knows about a descriptor and a table: which field goes to which column, and how.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/schema.h"
#include "wire/internal/proto_bytes.h"

namespace flytt::wire {

// How the value stands in the message.
enum class ProtoType : std::uint8_t {
  kInt32,
  kInt64,
  kUInt32,
  kUInt64,
  kBool,
  kEnum,
  kSInt32,
  kSInt64,
  kFixed32,
  kFixed64,
  kSFixed32,
  kSFixed64,
  kFloat,
  kDouble,
  kString,
  kBytes,
  kMessage,
};
WireType wire_type_of(ProtoType type);
std::string_view to_string(ProtoType type);  // as in a .proto file

// What to do with it. Named pairs of proto type and column type are the frequent ones; kConvert is all others.
enum class CellOp : std::uint8_t {
  kInt64,
  kTimestamp,
  kDate,
  kPackedDatetime,
  kPackedTime,
  kBool,
  kDouble,
  kText,
  kBytes,
  kNumericBytes,
  kBigNumericBytes,
  kJson,
  kConvert,           // any other scalar, see cell_convert.h
  kWrapper,           // google.protobuf.*Value: `value` inside is converted
  kTimestampMessage,  // google.protobuf.Timestamp
  kDurationMessage,   // google.protobuf.Duration
  kStruct,            // STRUCT and RANGE
  kChangeType,
  kChangeSequence,
};

struct MessagePlan;

struct FieldPlan {
  std::uint32_t number = 0;
  std::uint32_t tag = 0;                 // as it is declared, or as elements that are not packed have it
  std::uint32_t packed_tag = 0;          // of numbers in an array; else the same as tag
  ProtoType source = ProtoType::kInt64;  // for kWrapper: of the value inside
  CellOp op = CellOp::kConvert;
  bool repeated = false;
  std::uint32_t column = 0;              // index into the children of the message's targets; unused for change columns
  data::Type type;                       // of the cell: for an ARRAY, of its elements
  std::string path;                      // "address.city", for messages
  std::unique_ptr<MessagePlan> message;  // only for kStruct
  std::map<std::int32_t, std::string> enum_names;  // only for enum to STRING
  bool is_key = false, is_required = false;        // only at the top

  // Scratch of one row: the bytes of this field's message and how often more of it came (protobuf merges such parts).
  std::string_view last_part;
};

// A column, as far as NULLs are concerned.
struct ColumnShape {
  data::Type type;
  std::vector<ColumnShape> children;  // of STRUCT and RANGE
};
ColumnShape shape_of(const data::Type& type);

struct MessagePlan {
  std::vector<FieldPlan> fields;         // by number, ascending
  std::vector<std::uint32_t> dense;      // field number → index + 1, 0 = unknown; empty when numbers are large
  std::vector<ColumnShape> columns;      // one per target
  std::vector<std::uint32_t> unmatched;  // columns without a field
  std::size_t cell_count = 1;            // cells of one such message, nested ones included, arrays as one

  FieldPlan* find(std::uint32_t number);
};

struct DecodePlan {
  MessagePlan row;
  bool has_change_type = false;
  bool has_sequence = false;
};

Result<DecodePlan> plan_decoding(std::string_view descriptor, const data::TableSchema& table);

}  // namespace flytt::wire
