#pragma once
// A message that lies in several pieces of memory, read from front to back. Bytes that span pieces are joined by a copy.

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "wire/internal/proto_bytes.h"

namespace flytt::wire {

class SliceChain {
 public:
  // The pieces must outlive the chain; copies made by `bytes` belong to `copies`.
  SliceChain(std::vector<std::string_view> pieces, std::vector<std::shared_ptr<char[]>>& copies)
      : pieces_(std::move(pieces)), copies_(&copies) {
    for (const std::string_view piece : pieces_) total_ += piece.size();
  }
  std::size_t position() const { return position_; }
  std::size_t total() const { return total_; }

  // All return false when the bytes end too early or are not legal.
  bool varint(std::uint64_t& value);
  bool tag(std::uint32_t& value);
  bool bytes(std::size_t length, std::string_view& value);
  // The content of a field of this tag that nobody wants.
  bool skip(std::uint32_t tag_value);

 private:
  bool byte(unsigned char& value);
  void advance(std::size_t count);

  std::vector<std::string_view> pieces_;
  std::vector<std::shared_ptr<char[]>>* copies_;
  std::size_t piece_ = 0;
  std::size_t offset_ = 0;
  std::size_t position_ = 0;
  std::size_t total_ = 0;
};

}  // namespace flytt::wire
