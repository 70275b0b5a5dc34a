#include "wire/row_decoder.h"

// How rows are read. Fields usually come in the order of the descriptor, so the plan of the next field is guessed first and
// looked up only when its tag differs. Validity bits of a whole run of rows are set before it; afterwards only the fields
// that a row did not carry are visited. A 16-byte string cell is the only thing written for a string.

#include <algorithm>
#include <bit>
#include <list>

#include "data/civil.h"
#include "data/decimal.h"
#include "data/utf8.h"
#include "wire/internal/cell_convert.h"
#include "wire/internal/decode_plan.h"

namespace flytt::wire {
namespace {

using data::TypeKind;

constexpr const char* kMalformedRow = "Cannot parse the row: it is not a message of the given schema";

void set_valid(ColumnTarget& target, std::size_t at) { target.validity[at >> 6] |= std::uint64_t{1} << (at & 63); }
void set_null_bit(ColumnTarget& target, std::size_t at) {
  target.validity[at >> 6] &= ~(std::uint64_t{1} << (at & 63));
}

void set_valid_run(ColumnTarget& target, const ColumnShape& shape, std::size_t from, std::size_t count) {
  for (std::size_t at = from; at < from + count;) {
    const std::size_t run = std::min(from + count - at, 64 - (at & 63));
    target.validity[at >> 6] |= (run == 64 ? ~std::uint64_t{0} : ((std::uint64_t{1} << run) - 1)) << (at & 63);
    at += run;
  }
  for (std::size_t i = 0; i < shape.children.size(); ++i)
    set_valid_run(*target.children[i], shape.children[i], from, count);
}

template <typename T>
void store(ColumnTarget& target, std::size_t at, const T& value) {
  static_cast<T*>(target.cells)[at] = value;
}

// A NULL cell, zeroed; NULL in every child of a STRUCT. An array has no NULL: it is empty.
void write_null(ColumnTarget& target, const ColumnShape& shape, std::size_t at) {
  switch (shape.type.kind) {
    case TypeKind::kArray: return store(target, at, ListEntry{target.size, 0});
    case TypeKind::kInt64:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: store(target, at, std::int64_t{0}); break;
    case TypeKind::kFloat64: store(target, at, 0.0); break;
    case TypeKind::kBool: store(target, at, std::uint8_t{0}); break;
    case TypeKind::kDate: store(target, at, std::int32_t{0}); break;
    case TypeKind::kNumeric: store(target, at, data::Int128{0}); break;
    case TypeKind::kInterval: store(target, at, data::Interval{}); break;
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kJson:
    case TypeKind::kGeography:
    case TypeKind::kBigNumeric: store(target, at, StringCell::of({})); break;
    case TypeKind::kStruct:
    case TypeKind::kRange:
      for (std::size_t i = 0; i < shape.children.size(); ++i) {
        write_null(*target.children[i], shape.children[i], at);
      }
      break;
  }
  set_null_bit(target, at);
}

bool is_valid(const ColumnTarget& target, std::size_t at) { return (target.validity[at >> 6] >> (at & 63) & 1) != 0; }

bool is_range_ordered(TypeKind element, const ColumnTarget& range, std::size_t at) {
  const ColumnTarget& start = *range.children[0];
  const ColumnTarget& end = *range.children[1];
  if (!is_valid(start, at) || !is_valid(end, at)) return true;
  if (element == TypeKind::kDate)
    return static_cast<std::int32_t*>(start.cells)[at] < static_cast<std::int32_t*>(end.cells)[at];
  return static_cast<std::int64_t*>(start.cells)[at] < static_cast<std::int64_t*>(end.cells)[at];
}

// Compares with a word of known length, so that no call is needed.
template <std::size_t N>
bool is_word(std::string_view text, const char (&word)[N]) {
  return text.size() == N - 1 && std::memcmp(text.data(), word, N - 1) == 0;
}

// Sequence texts repeat from row to row, so the last one is remembered.
struct SequenceReader {
  std::string last_text;
  std::optional<data::Sequence> last_narrow;
  bool last_legal = false;

  bool read(std::string_view text) {
    if (text != last_text || text.empty()) {
      last_text.assign(text);
      last_narrow = narrow_sequence(text);
      last_legal = last_narrow || ordered_sequence_bytes(text).has_value();
    }
    return last_legal;
  }
};

}  // namespace

struct RowDecoder::Plan {
  DecodePlan decode;
  SequenceReader sequence;
  // Bit sets of fields that a message has carried, for messages with more than 64 of them; one per open message. A list,
  // because sets of outer messages must stay where they are.
  std::list<std::vector<std::uint64_t>> wide_seen;

  // Of the call of decode() and the row that is being read.
  CellArena* arena = nullptr;
  std::size_t cells_left = 0;
  int merges_left = 0;
  const char* wrong = nullptr;
  const FieldPlan* wrong_field = nullptr;
  ChangeType change_type = ChangeType::kUnset;
  std::string_view sequence_text;
  bool carries_sequence = false;

  bool fail(const FieldPlan* field, const char* what) {
    wrong = what;
    wrong_field = field;
    return false;
  }

  bool read_message(MessagePlan& plan, std::string_view bytes, ColumnTarget* const* targets, std::size_t at);
  bool read_fields(MessagePlan& plan, std::uint64_t* seen, std::string_view bytes, ColumnTarget* const* targets,
                   std::size_t at);
  bool read_list(FieldPlan& field, bool is_packed, ProtoCursor& cursor, ColumnTarget& list, std::size_t at, bool again);
  bool read_cell(FieldPlan& field, ProtoCursor& cursor, ColumnTarget& target, std::size_t at, bool again);
  bool read_struct(FieldPlan& field, std::string_view bytes, ColumnTarget& target, std::size_t at, bool again);
  bool read_wrapped(FieldPlan& field, std::string_view bytes, ColumnTarget& target, std::size_t at);
  bool read_element(FieldPlan& field, ProtoCursor& cursor, ColumnTarget& list);
  bool read_packed(FieldPlan& field, std::string_view bytes, ColumnTarget& list);
  bool read_change(const FieldPlan& field, ProtoCursor& cursor);
  bool make_room(const FieldPlan& field, ColumnTarget& list, std::size_t more);
  bool finish_message(MessagePlan& plan, const std::uint64_t* seen, ColumnTarget* const* targets, std::size_t at);
  bool read_row(std::string_view bytes, const std::vector<ColumnTarget*>& columns, std::size_t at);
  std::string error_text() const;
};

bool RowDecoder::Plan::read_change(const FieldPlan& field, ProtoCursor& cursor) {
  std::string_view text;
  if (!cursor.bytes(text)) return fail(nullptr, kMalformedRow);
  if (field.op == CellOp::kChangeSequence) {
    if (!sequence.read(text)) return fail(&field, "The given value is not a valid CHANGE_SEQUENCE_NUMBER");
    sequence_text = text;
    carries_sequence = true;
    return true;
  }
  if (is_word(text, "UPSERT"))
    change_type = ChangeType::kUpsert;
  else if (is_word(text, "DELETE"))
    change_type = ChangeType::kDelete;
  else if (is_word(text, "INSERT"))
    change_type = ChangeType::kInsert;
  else
    return fail(&field, "The given value is not a valid CHANGE_TYPE");
  return true;
}

bool RowDecoder::Plan::read_cell(FieldPlan& field, ProtoCursor& cursor, ColumnTarget& target, std::size_t at,
                                 bool again) {
  std::uint64_t wide;
  std::string_view bytes;
  switch (field.op) {
    case CellOp::kInt64:
      if (!cursor.varint(wide)) return fail(nullptr, kMalformedRow);
      store(target, at, static_cast<std::int64_t>(wide));
      return true;
    case CellOp::kTimestamp: {
      if (!cursor.varint(wide)) return fail(nullptr, kMalformedRow);
      const auto micros = static_cast<std::int64_t>(wide);
      if (micros < data::kTimestampMin || micros > data::kTimestampMax)
        return fail(&field, "the value is out of range of its type");
      store(target, at, micros);
      return true;
    }
    case CellOp::kDate: {
      if (!cursor.varint(wide)) return fail(nullptr, kMalformedRow);
      const auto days = static_cast<std::int32_t>(static_cast<std::uint32_t>(wide));
      if (days < data::kDateMin || days > data::kDateMax) return fail(&field, "the value is out of range of its type");
      store(target, at, days);
      return true;
    }
    case CellOp::kPackedDatetime:
    case CellOp::kPackedTime: {
      if (!cursor.varint(wide)) return fail(nullptr, kMalformedRow);
      const auto packed = static_cast<std::int64_t>(wide);
      const auto micros = field.op == CellOp::kPackedTime ? data::unpack_time(packed) : data::unpack_datetime(packed);
      if (!micros) return fail(&field, "the value is out of range of its type");
      store(target, at, *micros);
      return true;
    }
    case CellOp::kBool:
      if (!cursor.varint(wide)) return fail(nullptr, kMalformedRow);
      store(target, at, static_cast<std::uint8_t>(wide != 0));
      return true;
    case CellOp::kDouble:
      if (!cursor.fixed64(wide)) return fail(nullptr, kMalformedRow);
      store(target, at, std::bit_cast<double>(wide));
      return true;
    case CellOp::kText:
      if (!cursor.bytes(bytes)) return fail(nullptr, kMalformedRow);
      if (!data::is_valid_utf8(bytes)) return fail(&field, "the value is not valid UTF-8");
      store(target, at, StringCell::of(bytes));
      return true;
    case CellOp::kBytes:
      if (!cursor.bytes(bytes)) return fail(nullptr, kMalformedRow);
      store(target, at, StringCell::of(bytes));
      return true;
    case CellOp::kStruct:
      return cursor.bytes(bytes) ? read_struct(field, bytes, target, at, again) : fail(nullptr, kMalformedRow);
    case CellOp::kWrapper:
    case CellOp::kTimestampMessage:
    case CellOp::kDurationMessage:
      return cursor.bytes(bytes) ? read_wrapped(field, bytes, target, at) : fail(nullptr, kMalformedRow);
    case CellOp::kChangeType:
    case CellOp::kChangeSequence: return read_change(field, cursor);
    case CellOp::kNumericBytes:
    case CellOp::kBigNumericBytes:
    case CellOp::kJson:
    case CellOp::kConvert: {
      ProtoScalar value;
      if (!read_scalar(cursor, field.source, value)) return fail(nullptr, kMalformedRow);
      const char* const what = convert_cell(field, value, target.cells, at, *arena);
      return what == nullptr || fail(&field, what);
    }
  }
  return fail(nullptr, kMalformedRow);
}

// protobuf joins the parts of a message that comes more than once; joined bytes are one message of the same content.
bool RowDecoder::Plan::read_struct(FieldPlan& field, std::string_view bytes, ColumnTarget& target, std::size_t at,
                                   bool again) {
  if (again) {
    if (merges_left-- == 0) return fail(&field, "the message comes in too many parts");
    char* const joined = arena->allocate(field.last_part.size() + bytes.size());
    if (!field.last_part.empty()) std::memcpy(joined, field.last_part.data(), field.last_part.size());
    if (!bytes.empty()) std::memcpy(joined + field.last_part.size(), bytes.data(), bytes.size());
    bytes = {joined, field.last_part.size() + bytes.size()};
    for (std::size_t i = 0; i < field.message->columns.size(); ++i)
      set_valid_run(*target.children[i], field.message->columns[i], at, 1);
  }
  field.last_part = bytes;
  if (!read_message(*field.message, bytes, target.children.data(), at)) return false;
  if (field.type.is(TypeKind::kRange) && !is_range_ordered(field.type.element.front().kind, target, at)) {
    return fail(&field, "the start of the range is not before its end");
  }
  return true;
}

bool RowDecoder::Plan::read_wrapped(FieldPlan& field, std::string_view bytes, ColumnTarget& target, std::size_t at) {
  if (field.op != CellOp::kWrapper) {
    std::int64_t micros = 0;
    if (const char* what = read_seconds(bytes, micros)) return fail(&field, what);
    if (field.op == CellOp::kDurationMessage) {
      const data::Interval interval{0, 0, micros};
      if (!is_interval_in_range(interval)) return fail(&field, "the value is out of range of its type");
      store(target, at, interval);
      return true;
    }
    if (micros < data::kTimestampMin || micros > data::kTimestampMax)
      return fail(&field, "the value is out of range of its type");
    store(target, at, micros);
    return true;
  }
  ProtoScalar value = default_scalar(field.source);
  ProtoCursor cursor(bytes);
  while (!cursor.done()) {
    std::uint32_t tag;
    if (!cursor.tag(tag)) return fail(nullptr, kMalformedRow);
    const bool is_value = tag == tag_of(1, wire_type_of(field.source));
    if (is_value ? !read_scalar(cursor, field.source, value) : !cursor.skip(tag)) return fail(nullptr, kMalformedRow);
  }
  const char* const what = convert_cell(field, value, target.cells, at, *arena);
  return what == nullptr || fail(&field, what);
}

bool RowDecoder::Plan::make_room(const FieldPlan& field, ColumnTarget& list, std::size_t more) {
  const std::size_t cells = more * (field.message ? field.message->cell_count : 1);
  if (cells > cells_left) return fail(&field, "the array unfolds into too many values");
  cells_left -= cells;
  if (list.size + more > list.capacity) {
    const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(list.size + more, 64));
    list.reserve_elements(capacity);
    list.capacity = capacity;
  }
  return true;
}

bool RowDecoder::Plan::read_element(FieldPlan& field, ProtoCursor& cursor, ColumnTarget& list) {
  if (!make_room(field, list, 1)) return false;
  ColumnTarget& elements = *list.children[0];
  const std::size_t at = list.size++;
  if (field.message) {
    set_valid(elements, at);
    for (std::size_t i = 0; i < field.message->columns.size(); ++i)
      set_valid_run(*elements.children[i], field.message->columns[i], at, 1);
  } else {
    set_valid(elements, at);
  }
  return read_cell(field, cursor, elements, at, false);
}

bool RowDecoder::Plan::read_packed(FieldPlan& field, std::string_view bytes, ColumnTarget& list) {
  ProtoCursor cursor(bytes);
  while (!cursor.done()) {
    if (!read_element(field, cursor, list)) return false;
  }
  return true;
}

bool RowDecoder::Plan::read_list(FieldPlan& field, bool is_packed, ProtoCursor& cursor, ColumnTarget& list,
                                 std::size_t at, bool again) {
  if (!again) store(list, at, ListEntry{list.size, 0});
  bool good;
  if (is_packed) {
    std::string_view bytes;
    good = cursor.bytes(bytes) ? read_packed(field, bytes, list) : fail(nullptr, kMalformedRow);
  } else {
    good = read_element(field, cursor, list);
  }
  auto& entry = static_cast<ListEntry*>(list.cells)[at];
  entry.length = list.size - entry.offset;
  return good;
}

bool RowDecoder::Plan::read_message(MessagePlan& plan, std::string_view bytes, ColumnTarget* const* targets,
                                    std::size_t at) {
  if (plan.fields.size() <= 64) {
    std::uint64_t seen = 0;
    return read_fields(plan, &seen, bytes, targets, at) && finish_message(plan, &seen, targets, at);
  }
  std::vector<std::uint64_t>& seen = wide_seen.emplace_back((plan.fields.size() + 63) / 64);
  const bool good =
      read_fields(plan, seen.data(), bytes, targets, at) && finish_message(plan, seen.data(), targets, at);
  wide_seen.pop_back();
  return good;
}

bool RowDecoder::Plan::read_fields(MessagePlan& plan, std::uint64_t* seen, std::string_view bytes,
                                   ColumnTarget* const* targets, std::size_t at) {
  FieldPlan* const fields = plan.fields.data();
  const std::size_t count = plan.fields.size();
  std::size_t index = 0;  // the field that is expected next
  for (ProtoCursor cursor(bytes); !cursor.done();) {
    std::uint32_t tag;
    if (!cursor.tag(tag)) return fail(nullptr, kMalformedRow);
    if (index >= count || fields[index].tag != tag) {
      const FieldPlan* const found = plan.find(tag >> 3);
      if (found == nullptr || (tag != found->tag && tag != found->packed_tag)) {
        if (!cursor.skip(tag)) return fail(nullptr, kMalformedRow);
        continue;
      }
      index = static_cast<std::size_t>(found - fields);
    }
    FieldPlan& field = fields[index];
    std::uint64_t& word = seen[index / 64];
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    const bool again = (word & bit) != 0;
    word |= bit;
    if (field.repeated) {
      if (!read_list(field, tag != field.tag, cursor, *targets[field.column], at, again)) return false;
      continue;
    }
    ++index;
    if (field.op == CellOp::kChangeType || field.op == CellOp::kChangeSequence) {
      if (!read_change(field, cursor)) return false;
    } else if (!read_cell(field, cursor, *targets[field.column], at, again)) {
      return false;
    }
  }
  return true;
}

bool RowDecoder::Plan::finish_message(MessagePlan& plan, const std::uint64_t* seen, ColumnTarget* const* targets,
                                      std::size_t at) {
  const bool is_row = &plan == &decode.row;
  for (const std::uint32_t column : plan.unmatched) write_null(*targets[column], plan.columns[column], at);
  for (std::size_t begin = 0; begin < plan.fields.size(); begin += 64) {
    const std::size_t count = std::min<std::size_t>(64, plan.fields.size() - begin);
    const std::uint64_t all = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    for (std::uint64_t missing = all & ~seen[begin / 64]; missing != 0; missing &= missing - 1) {
      const FieldPlan& field = plan.fields[begin + static_cast<std::size_t>(std::countr_zero(missing))];
      if (field.op == CellOp::kChangeType || field.op == CellOp::kChangeSequence) continue;
      if (is_row && field.is_required && (field.is_key || change_type != ChangeType::kDelete))
        return fail(&field, "Missing required field");
      write_null(*targets[field.column], plan.columns[field.column], at);
    }
  }
  return true;
}

bool RowDecoder::Plan::read_row(std::string_view bytes, const std::vector<ColumnTarget*>& columns, std::size_t at) {
  merges_left = kMergedMessagesMax;
  change_type = ChangeType::kUnset;
  sequence_text = {};
  carries_sequence = false;
  wrong = nullptr;
  return read_message(decode.row, bytes, columns.data(), at);
}

std::string RowDecoder::Plan::error_text() const {
  return wrong_field == nullptr ? std::string(wrong) : "Field " + wrong_field->path + ": " + wrong;
}

RowDecoder::RowDecoder(std::unique_ptr<Plan> plan) : plan_(std::move(plan)) {}
RowDecoder::RowDecoder(RowDecoder&&) noexcept = default;
RowDecoder& RowDecoder::operator=(RowDecoder&&) noexcept = default;
RowDecoder::~RowDecoder() = default;

bool RowDecoder::has_change_type() const { return plan_->decode.has_change_type; }
bool RowDecoder::has_sequence() const { return plan_->decode.has_sequence; }

Result<RowDecoder> RowDecoder::make(std::string_view descriptor, const data::TableSchema& table) {
  TRY(DecodePlan decode, plan_decoding(descriptor, table));
  auto plan = std::make_unique<Plan>();
  plan->decode = std::move(decode);
  return RowDecoder(std::move(plan));
}

std::size_t RowDecoder::decode(SerializedRows& rows, std::size_t rows_max, const std::vector<ColumnTarget*>& columns,
                               std::size_t first_cell, RowChanges& changes, CellArena& arena,
                               std::vector<RowError>& errors) {
  Plan& plan = *plan_;
  CHECK(columns.size() == plan.decode.row.columns.size());
  plan.arena = &arena;
  plan.cells_left = kDecodedCellsMax;
  const std::size_t count = std::min(rows_max, rows.count() - rows.taken());
  for (std::size_t i = 0; i < columns.size(); ++i)
    set_valid_run(*columns[i], plan.decode.row.columns[i], first_cell, count);
  const std::size_t base = changes.types.size();
  changes.types.resize(base + count);
  changes.sequences.resize(base + count);
  changes.has_sequence.resize(base + count);
  std::string_view row;
  for (std::size_t i = 0; i < count && rows.next(row); ++i) {
    if (!plan.read_row(row, columns, first_cell + i) && errors.size() < kRowErrorsMax) {
      errors.push_back({rows.taken() - 1, plan.error_text()});
    }
    changes.types[base + i] = plan.change_type;
    changes.has_sequence[base + i] = plan.carries_sequence;
    if (!plan.carries_sequence) continue;
    if (plan.sequence.last_narrow)
      changes.sequences[base + i] = *plan.sequence.last_narrow;
    else
      changes.long_sequences.push_back({base + i, plan.sequence_text});
  }
  return count;
}

}  // namespace flytt::wire
