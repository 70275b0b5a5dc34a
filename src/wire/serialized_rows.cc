#include "wire/internal/proto_bytes.h"
#include "wire/row_decoder.h"

namespace flytt::wire {
namespace {

// One section's value; false when it is not 1 to 16 hexadecimal digits.
bool take_section(std::string_view& text, std::uint64_t& value) {
  const std::string_view section = text.substr(0, text.find('/'));
  if (section.empty() || section.size() > 16) return false;
  value = 0;
  for (const char c : section) {
    if (c >= '0' && c <= '9')
      value = value << 4 | static_cast<std::uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value << 4 | static_cast<std::uint64_t>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      value = value << 4 | static_cast<std::uint64_t>(c - 'A' + 10);
    else
      return false;
  }
  text.remove_prefix(section.size());
  return true;
}

// The sections' values and how many; 0 when the text is not legal.
std::size_t split_sections(std::string_view text, std::uint64_t (&values)[kSequenceSectionsMax]) {
  for (std::size_t count = 0; count < kSequenceSectionsMax;) {
    if (!take_section(text, values[count++])) return 0;
    if (text.empty()) return count;
    text.remove_prefix(1);  // '/'
  }
  return 0;
}

}  // namespace

Result<SerializedRows> SerializedRows::make(std::string_view proto_rows) {
  SerializedRows rows;
  rows.rest_ = proto_rows;
  ProtoCursor cursor(proto_rows);
  while (!cursor.done()) {
    std::uint32_t tag;
    std::string_view row;
    if (!cursor.tag(tag)) return Error(ErrorCode::kCorrupt, "ProtoRows is not a message");
    const bool is_row = tag == tag_of(1, WireType::kBytes);
    if (is_row ? !cursor.bytes(row) : !cursor.skip(tag))
      return Error(ErrorCode::kCorrupt, "ProtoRows is not a message");
    rows.count_ += is_row;
  }
  return rows;
}

bool SerializedRows::next(std::string_view& row) {
  ProtoCursor cursor(rest_);
  while (!cursor.done()) {
    std::uint32_t tag;
    if (!cursor.tag(tag)) return false;
    if (tag == tag_of(1, WireType::kBytes)) {
      if (!cursor.bytes(row)) return false;
      rest_ = {cursor.at, cursor.left()};
      ++taken_;
      return true;
    }
    if (!cursor.skip(tag)) return false;
  }
  return false;
}

void RowChanges::clear() {
  types.clear();
  sequences.clear();
  has_sequence.clear();
  long_sequences.clear();
}

std::optional<std::string> ordered_sequence_bytes(std::string_view text) {
  std::uint64_t values[kSequenceSectionsMax];
  const std::size_t count = split_sections(text, values);
  if (count == 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(values[i] >> shift);
  }
  return out;
}

std::optional<data::Sequence> narrow_sequence(std::string_view text) {
  std::uint64_t values[kSequenceSectionsMax];
  if (split_sections(text, values) != 3 || values[0] > 0xFFFF || values[2] > data::Sequence::kOrdinalMax)
    return std::nullopt;
  return data::Sequence::of(static_cast<std::uint16_t>(values[0]), values[1], values[2]);
}

}  // namespace flytt::wire
