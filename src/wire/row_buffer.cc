#include "wire/row_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/result.h"
#include "wire/internal/proto_bytes.h"

namespace flytt::wire {

RowBuffer::RowBuffer(RowBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

RowBuffer& RowBuffer::operator=(RowBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

RowBuffer::~RowBuffer() { std::free(data_); }

void RowBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(reserve_more(bytes.size()), bytes.data(), bytes.size());
  size_ += bytes.size();
}

void RowBuffer::append_row(std::string_view row) {
  char* const begin = reserve_more(row.size() + 16);
  *begin = static_cast<char>(tag_of(1, WireType::kBytes));
  const char* const end = write_bytes(write_varint(begin + 1, row.size()), row);
  size_ += static_cast<std::size_t>(end - begin);
}

char* RowBuffer::release() {
  size_ = capacity_ = 0;
  return std::exchange(data_, nullptr);
}

void RowBuffer::grow(std::size_t more) {
  const std::size_t capacity = std::max({size_ + more, capacity_ + capacity_ / 2, std::size_t{256}});
  auto* grown = static_cast<char*>(std::realloc(data_, capacity));
  CHECK(grown != nullptr);
  data_ = grown;
  capacity_ = capacity;
}

}  // namespace flytt::wire
