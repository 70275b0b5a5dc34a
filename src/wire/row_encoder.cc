#include "wire/row_encoder.h"

// How a row is written. Lengths of messages stand before their content, so an upper bound of the content is computed
// first (cheap: constants for fixed-width cells plus the lengths of strings); the bound reserves the memory once and says
// how many bytes the length may take. The content is then written in one pass, and moved down by a byte or two in the
// rare case that its true length needs fewer. Cost per row: one branch and one store per cell, no allocation.

#include <array>

#include "data/civil.h"
#include "wire/internal/descriptor_builder.h"
#include "wire/internal/proto_bytes.h"

namespace flytt::wire {
namespace {

using data::Column;
using data::Type;
using data::TypeKind;

constexpr std::size_t kVarintMax = 10;
constexpr std::size_t kIntervalMax = 96;  // longer than any text of data::format_interval

struct FieldPlan {
  TypeKind kind;
  std::array<char, 5> tag{};
  std::uint8_t tag_size = 0;
  bool packed = false;  // only for an ARRAY's plan
  bool is_key = false;
  std::size_t bound = 0;            // bytes of a fixed-width cell with its tag; 0 when the width varies
  std::vector<FieldPlan> children;  // ARRAY: the element, under the array's own tag; STRUCT, RANGE: fields
};

char* write_tag(char* at, const FieldPlan& plan) {
  std::memcpy(at, plan.tag.data(), plan.tag.size());
  return at + plan.tag_size;
}

// Content of at most `bound` bytes with its length in front. `write` writes from the address it is given.
template <typename Write>
char* write_sized(char* at, std::size_t bound, Write write) {
  const std::size_t reserved = varint_size(bound);
  char* const content = at + reserved;
  const auto size = static_cast<std::size_t>(write(content) - content);
  const std::size_t needed = varint_size(size);
  if (needed != reserved) std::memmove(at + needed, content, size);
  write_varint(at, size);
  return at + needed + size;
}

// The value of a number, without tag; for packed arrays and single cells alike.
char* write_number(char* at, TypeKind kind, const Column& column, std::size_t row) {
  switch (kind) {
    case TypeKind::kFloat64: {
      const double value = column.float64(row);
      std::memcpy(at, &value, 8);
      return at + 8;
    }
    case TypeKind::kBool: *at = static_cast<char>(column.boolean(row)); return at + 1;
    case TypeKind::kTime: return write_varint(at, static_cast<std::uint64_t>(data::pack_time(column.int64(row))));
    case TypeKind::kDatetime:
      return write_varint(at, static_cast<std::uint64_t>(data::pack_datetime(column.int64(row))));
    default: return write_varint(at, static_cast<std::uint64_t>(column.int64(row)));
  }
}

std::size_t number_bound(TypeKind kind) {
  if (kind == TypeKind::kFloat64) return 8;
  if (kind == TypeKind::kBool) return 1;
  return kVarintMax;
}

std::size_t bound_of(const FieldPlan& plan, const Column& column, std::size_t row);

std::size_t message_bound(const FieldPlan& plan, const Column& column, std::size_t row) {
  std::size_t bound = 0;
  for (std::size_t i = 0; i < plan.children.size(); ++i) bound += bound_of(plan.children[i], column.children()[i], row);
  return bound;
}

std::size_t list_bound(const FieldPlan& plan, const Column& column, std::size_t row) {
  const Column& elements = column.children()[0];
  const FieldPlan& element = plan.children[0];
  const std::size_t begin = column.list_begin(row), end = column.list_end(row);
  if (plan.packed) return plan.tag_size + kVarintMax + (end - begin) * number_bound(element.kind);
  if (element.bound != 0) return (end - begin) * element.bound;
  std::size_t bound = 0;
  for (std::size_t i = begin; i < end; ++i) bound += bound_of(element, elements, i);
  return bound;
}

std::size_t bound_of(const FieldPlan& plan, const Column& column, std::size_t row) {
  if (plan.bound != 0) return plan.bound;
  if (column.is_null(row)) return 0;
  switch (plan.kind) {
    case TypeKind::kArray: return list_bound(plan, column, row);
    case TypeKind::kStruct:
    case TypeKind::kRange: return plan.tag_size + kVarintMax + message_bound(plan, column, row);
    default: return plan.tag_size + kVarintMax + column.bytes(row).size();
  }
}

// Every write_field leaves at least sizeof(FieldPlan::tag) bytes of slack behind it: see kSlack.
constexpr std::size_t kSlack = 8;

char* write_field(char* at, const FieldPlan& plan, const Column& column, std::size_t row, bool& null_element);

char* write_list(char* at, const FieldPlan& plan, const Column& column, std::size_t row, bool& null_element) {
  const Column& elements = column.children()[0];
  const FieldPlan& element = plan.children[0];
  const std::size_t begin = column.list_begin(row), end = column.list_end(row);
  if (begin == end) return at;
  if (elements.has_nulls()) {
    for (std::size_t i = begin; i < end; ++i) null_element |= elements.is_null(i);
    if (null_element) return at;
  }
  if (plan.packed) {
    at = write_tag(at, plan);
    return write_sized(at, (end - begin) * number_bound(element.kind), [&](char* to) {
      for (std::size_t i = begin; i < end; ++i) to = write_number(to, element.kind, elements, i);
      return to;
    });
  }
  for (std::size_t i = begin; i < end; ++i) at = write_field(at, element, elements, i, null_element);
  return at;
}

char* write_message(char* at, const FieldPlan& plan, const Column& column, std::size_t row, bool& null_element) {
  at = write_tag(at, plan);
  return write_sized(at, message_bound(plan, column, row), [&](char* to) {
    for (std::size_t i = 0; i < plan.children.size(); ++i)
      to = write_field(to, plan.children[i], column.children()[i], row, null_element);
    return to;
  });
}

template <typename Value>
char* write_decimal(char* at, const Value& value) {
  const std::size_t size = data::to_shortest_bytes(value, at + 1);
  *at = static_cast<char>(size);
  return at + 1 + size;
}

char* write_field(char* at, const FieldPlan& plan, const Column& column, std::size_t row, bool& null_element) {
  if (column.is_null(row)) return at;
  switch (plan.kind) {
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kJson:
    case TypeKind::kGeography: {
      const std::string_view bytes = column.bytes(row);
      at = write_tag(at, plan);
      return write_bytes(write_varint(at, bytes.size()), bytes);
    }
    case TypeKind::kNumeric: return write_decimal(write_tag(at, plan), column.int128(row));
    case TypeKind::kBigNumeric: return write_decimal(write_tag(at, plan), column.int256(row));
    case TypeKind::kInterval: {
      const std::string text = data::format_interval(column.interval(row));
      at = write_tag(at, plan);
      return write_bytes(write_varint(at, text.size()), text);
    }
    case TypeKind::kArray: return write_list(at, plan, column, row, null_element);
    case TypeKind::kStruct:
    case TypeKind::kRange: return write_message(at, plan, column, row, null_element);
    default: return write_number(write_tag(at, plan), plan.kind, column, row);
  }
}

WireType wire_type_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64:
    case TypeKind::kBool:
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return WireType::kVarint;
    case TypeKind::kFloat64: return WireType::kFixed64;
    default: return WireType::kBytes;
  }
}

FieldPlan plan_of(const Type& type, std::uint32_t number) {
  FieldPlan plan{type.kind};
  if (type.is(TypeKind::kArray)) {
    plan.children.push_back(plan_of(type.element.front(), number));
    plan.packed = is_packable(type.element.front().kind);
  }
  if (type.is(TypeKind::kRange)) {
    plan.children = {plan_of(type.element.front(), 1), plan_of(type.element.front(), 2)};
  }
  for (std::size_t i = 0; i < type.fields.size(); ++i)
    plan.children.push_back(plan_of(type.fields[i].type, static_cast<std::uint32_t>(i + 1)));
  const WireType wire = plan.packed ? WireType::kBytes : wire_type_of(type.kind);
  plan.tag_size = static_cast<std::uint8_t>(write_varint(plan.tag.data(), tag_of(number, wire)) - plan.tag.data());
  if (wire != WireType::kBytes) plan.bound = plan.tag_size + number_bound(type.kind);
  if (type.is(TypeKind::kNumeric)) plan.bound = plan.tag_size + 1 + 16;
  if (type.is(TypeKind::kBigNumeric)) plan.bound = plan.tag_size + 1 + 32;
  if (type.is(TypeKind::kInterval)) plan.bound = plan.tag_size + 1 + kIntervalMax;
  return plan;
}

}  // namespace

struct RowEncoder::Plan {
  std::string descriptor;
  std::vector<FieldPlan> fields;
  std::vector<std::uint32_t> keys;
  std::string upsert, deletion;  // the whole _CHANGE_TYPE field
  std::array<char, 8> sequence_tag{};
  std::size_t sequence_tag_size = 0;  // 0: no change columns
  std::size_t fixed_bound = 0;        // of all fixed-width columns and the change columns

  // The whole _CHANGE_SEQUENCE_NUMBER field, at most 48 bytes.
  char* write_sequence(char* at, data::Sequence sequence) const {
    std::memcpy(at, sequence_tag.data(), sequence_tag.size());
    at += sequence_tag_size;
    const std::size_t size = sequence.write_sections(at + 1);
    *at = static_cast<char>(size);
    return at + 1 + size;
  }
};

RowEncoder::RowEncoder(std::unique_ptr<Plan> plan) : plan_(std::move(plan)) {}
RowEncoder::RowEncoder(RowEncoder&&) noexcept = default;
RowEncoder& RowEncoder::operator=(RowEncoder&&) noexcept = default;
RowEncoder::~RowEncoder() = default;

const std::string& RowEncoder::descriptor() const { return plan_->descriptor; }

Result<RowEncoder> RowEncoder::make(const data::TableSchema& table, ChangeColumns changes) {
  const bool with_changes = changes == ChangeColumns::kTypeAndSequence;
  TRY(RowDescriptor descriptor, build_row_descriptor(table, with_changes));
  auto plan = std::make_unique<Plan>();
  plan->descriptor = std::move(descriptor.bytes);
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    plan->fields.push_back(plan_of(table.fields[i].type, static_cast<std::uint32_t>(i + 1)));
    plan->fields.back().is_key = table.is_key(static_cast<std::uint32_t>(i));
    plan->fixed_bound += plan->fields.back().bound;
  }
  plan->keys = table.key;
  if (with_changes) {
    append_bytes_field(plan->upsert, descriptor.change_type_number, "UPSERT");
    append_bytes_field(plan->deletion, descriptor.change_type_number, "DELETE");
    char* const tag = plan->sequence_tag.data();
    plan->sequence_tag_size =
        static_cast<std::size_t>(write_varint(tag, tag_of(descriptor.change_sequence_number, WireType::kBytes)) - tag);
    plan->fixed_bound += plan->upsert.size() + plan->sequence_tag_size + 1 + 40;
  }
  return RowEncoder(std::move(plan));
}

Result<std::size_t> RowEncoder::encode(const data::TableSlice& slice, std::size_t from, std::size_t to,
                                       std::size_t bytes_max, RowBuffer& out) const {
  const Plan& plan = *plan_;
  CHECK(slice.columns.size() == plan.fields.size() && to <= slice.row_count());
  const bool with_changes = plan.sequence_tag_size != 0;
  if (with_changes && slice.sequences.empty())
    return Error(ErrorCode::kBug, "rows of " + slice.schema->source_table + " carry no sequence");
  char constant[64];
  std::string_view constant_sequence;
  if (with_changes && slice.sequences.size() == 1) {
    constant_sequence = {constant,
                         static_cast<std::size_t>(plan.write_sequence(constant, slice.sequences.front()) - constant)};
  }
  bool null_element = false;
  for (std::size_t row = from; row < to; ++row) {
    const bool deletes = with_changes && slice.kind(row) == data::ChangeKind::kDelete;
    std::size_t bound = plan.fixed_bound;
    for (std::size_t i = 0; i < plan.fields.size(); ++i) {
      if (plan.fields[i].bound == 0) bound += bound_of(plan.fields[i], slice.columns[i], row);
    }
    const std::size_t before = out.size();
    char* at = out.reserve_more(1 + kVarintMax + bound + kSlack);
    *at++ = static_cast<char>(tag_of(1, WireType::kBytes));
    at = write_sized(at, bound, [&](char* field) {
      for (std::size_t i = 0; i < plan.fields.size(); ++i) {
        if (!deletes || plan.fields[i].is_key)
          field = write_field(field, plan.fields[i], slice.columns[i], row, null_element);
      }
      if (!with_changes) return field;
      field = write_bytes(field, deletes ? plan.deletion : plan.upsert);
      return constant_sequence.empty() ? plan.write_sequence(field, slice.sequences[row])
                                       : write_bytes(field, constant_sequence);
    });
    if (null_element)
      return Error(ErrorCode::kBug, "a row of " + slice.schema->source_table + " has an array with a NULL element");
    const auto size = static_cast<std::size_t>(at - out.data());
    if (size > bytes_max && before != 0) return row;
    out.set_size(size);
    if (size >= bytes_max) return row + 1;
  }
  return to;
}

}  // namespace flytt::wire
