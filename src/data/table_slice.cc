#include "data/table_slice.h"

namespace flytt::data {

TableSlice::TableSlice(std::shared_ptr<const SliceSchema> s) : schema(std::move(s)) {
  columns.reserve(schema->table.fields.size());
  for (const Field& field : schema->table.fields) columns.emplace_back(field.type);
}

std::size_t TableSlice::byte_size() const {
  std::size_t bytes = kinds.size() + sequences.size() * sizeof(Sequence);
  for (const Column& column : columns) bytes += column.byte_size();
  for (const Rejection& rejection : rejections) {
    bytes += rejection.raw.size() + rejection.reason.size() + 64;
    for (const auto& [key, value] : rejection.message_headers) bytes += key.size() + value.value_or("").size();
  }
  return bytes;
}

}  // namespace flytt::data
