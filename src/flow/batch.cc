#include "flow/batch.h"

namespace flytt::flow {

std::size_t Batch::byte_size() const {
  std::size_t bytes = 64;
  for (const data::TableSlice& slice : tables) bytes += slice.byte_size();
  return bytes;
}

std::size_t Batch::row_count() const {
  std::size_t rows = 0;
  for (const data::TableSlice& slice : tables) rows += slice.row_count();
  return rows;
}

}  // namespace flytt::flow
