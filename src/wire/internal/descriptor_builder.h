#pragma once
// The proto2 descriptor of a table's rows, and the field numbers that go with it.

#include <string>
#include <string_view>

#include "base/result.h"
#include "data/schema.h"

namespace flytt::wire {

// Field numbers of the change columns follow those of the columns: column i has number i + 1.
struct RowDescriptor {
  std::string bytes;                     // serialised google.protobuf.DescriptorProto
  std::uint32_t change_type_number = 0;  // 0 = none
  std::uint32_t change_sequence_number = 0;
};

inline constexpr std::string_view kChangeTypeField = "_CHANGE_TYPE";
inline constexpr std::string_view kChangeSequenceField = "_CHANGE_SEQUENCE_NUMBER";

bool is_proto_identifier(std::string_view name);
// Numbers of an array of this element type are written packed.
bool is_packable(data::TypeKind element);
Result<RowDescriptor> build_row_descriptor(const data::TableSchema& table, bool with_changes);

}  // namespace flytt::wire
