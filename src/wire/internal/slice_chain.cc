#include "wire/internal/slice_chain.h"

#include <algorithm>

namespace flytt::wire {

bool SliceChain::byte(unsigned char& value) {
  while (piece_ < pieces_.size() && offset_ == pieces_[piece_].size()) {
    ++piece_;
    offset_ = 0;
  }
  if (piece_ == pieces_.size()) return false;
  value = static_cast<unsigned char>(pieces_[piece_][offset_]);
  advance(1);
  return true;
}

void SliceChain::advance(std::size_t count) {
  position_ += count;
  while (count > 0) {
    const std::size_t here = std::min(count, pieces_[piece_].size() - offset_);
    offset_ += here;
    count -= here;
    if (count > 0) {
      ++piece_;
      offset_ = 0;
    }
  }
}

bool SliceChain::varint(std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    unsigned char next;
    if (!byte(next) || (shift == 63 && next > 1)) return false;
    value |= static_cast<std::uint64_t>(next & 0x7F) << shift;
    if (next < 0x80) return true;
  }
  return false;
}

bool SliceChain::tag(std::uint32_t& value) {
  std::uint64_t wide;
  if (!varint(wide) || wide > 0xFFFFFFFFULL || (wide >> 3) == 0) return false;
  value = static_cast<std::uint32_t>(wide);
  return true;
}

bool SliceChain::bytes(std::size_t length, std::string_view& value) {
  if (length > total_ - position_) return false;
  value = {};
  if (length == 0) return true;
  while (offset_ == pieces_[piece_].size()) {
    ++piece_;
    offset_ = 0;
  }
  const std::string_view here = pieces_[piece_].substr(offset_);
  if (here.size() >= length) {
    value = here.substr(0, length);
    advance(length);
    return true;
  }
  const std::shared_ptr<char[]> joined(new char[length]);
  for (std::size_t filled = 0; filled < length;) {
    while (offset_ == pieces_[piece_].size()) {
      ++piece_;
      offset_ = 0;
    }
    const std::string_view part = pieces_[piece_].substr(offset_, length - filled);
    std::memcpy(joined.get() + filled, part.data(), part.size());
    filled += part.size();
    advance(part.size());
  }
  copies_->push_back(joined);
  value = {joined.get(), length};
  return true;
}

bool SliceChain::skip(std::uint32_t tag_value) {
  std::uint64_t number;
  std::string_view ignored;
  switch (static_cast<WireType>(tag_value & 7)) {
    case WireType::kVarint: return varint(number);
    case WireType::kFixed64: return bytes(8, ignored);
    case WireType::kFixed32: return bytes(4, ignored);
    case WireType::kBytes:
      return varint(number) && number <= total_ - position_ && bytes(static_cast<std::size_t>(number), ignored);
    case WireType::kGroupStart:
    case WireType::kGroupEnd: return false;
  }
  return false;
}

}  // namespace flytt::wire
