#include "wire/internal/proto_bytes.h"

namespace flytt::wire {

bool ProtoCursor::long_varint(std::uint64_t& value) {
  std::uint64_t result = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at == end) return false;
    const auto byte = static_cast<unsigned char>(*at++);
    if (shift == 63 && byte > 1) return false;
    result |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      value = result;
      return true;
    }
  }
  return false;
}

bool ProtoCursor::skip(std::uint32_t tag_value, int depth_left) {
  std::uint64_t ignored64;
  std::uint32_t ignored32;
  std::string_view ignored;
  switch (static_cast<WireType>(tag_value & 7)) {
    case WireType::kVarint: return varint(ignored64);
    case WireType::kFixed64: return fixed64(ignored64);
    case WireType::kFixed32: return fixed32(ignored32);
    case WireType::kBytes: return bytes(ignored);
    case WireType::kGroupStart: {
      if (depth_left == 0) return false;
      const std::uint32_t end_tag = tag_of(tag_value >> 3, WireType::kGroupEnd);
      for (;;) {
        std::uint32_t inner;
        if (!tag(inner)) return false;
        if (inner == end_tag) return true;
        if (!skip(inner, depth_left - 1)) return false;
      }
    }
    case WireType::kGroupEnd: return false;
  }
  return false;
}

}  // namespace flytt::wire
