#pragma once
// RowBuffer: a growing block of bytes whose new part is not zeroed and whose memory can be given away.
//
// Move-only. `release` hands the block to the caller, who frees it with std::free.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flytt::wire {

class RowBuffer {
 public:
  RowBuffer() = default;
  RowBuffer(RowBuffer&& other) noexcept;
  RowBuffer& operator=(RowBuffer&& other) noexcept;
  RowBuffer(const RowBuffer&) = delete;
  RowBuffer& operator=(const RowBuffer&) = delete;
  ~RowBuffer();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  char* data() { return data_; }
  const char* data() const { return data_; }
  std::string_view view() const { return {data_, size_}; }

  // Room for `more` bytes behind size(); returns where they go. Stops the process when memory is exhausted.
  char* reserve_more(std::size_t more) {
    if (capacity_ - size_ < more) grow(more);
    return data_ + size_;
  }
  void set_size(std::size_t size) { size_ = size; }  // at most what was reserved
  void append(std::string_view bytes);
  // A serialised row as an entry of ProtoRows.serialized_rows.
  void append_row(std::string_view row);
  void clear() { size_ = 0; }
  // The buffer is empty afterwards.
  char* release();

 private:
  void grow(std::size_t more);

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace flytt::wire
