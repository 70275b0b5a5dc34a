#include "wire/column_target.h"

#include <algorithm>

namespace flytt::wire {

char* CellArena::allocate(std::size_t bytes) {
  if (bytes > left_) {
    const std::size_t block = std::max(bytes, kArenaBlockBytes);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
    free_ = blocks_.back().get();
    left_ = block;
    bytes_ += block;
  }
  char* const out = free_;
  free_ += bytes;
  left_ -= bytes;
  return out;
}

std::string_view CellArena::copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  char* const out = allocate(bytes.size());
  std::memcpy(out, bytes.data(), bytes.size());
  return {out, bytes.size()};
}

}  // namespace flytt::wire
