#include "data/column.h"

namespace flytt::data {

Layout layout_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64:
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return Layout::kInt64;
    case TypeKind::kBool: return Layout::kBool;
    case TypeKind::kFloat64: return Layout::kDouble;
    case TypeKind::kNumeric: return Layout::kInt128;
    case TypeKind::kBigNumeric: return Layout::kInt256;
    case TypeKind::kInterval: return Layout::kInterval;
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kJson:
    case TypeKind::kGeography: return Layout::kBytes;
    case TypeKind::kArray: return Layout::kList;
    case TypeKind::kStruct:
    case TypeKind::kRange: return Layout::kStruct;
  }
  return Layout::kBytes;
}

Column::Column(const Type& type) : kind_(type.kind), layout_(layout_of(type.kind)) {
  if (type.is(TypeKind::kArray)) children_.emplace_back(type.element.front());
  if (type.is(TypeKind::kRange)) children_.assign(2, Column(type.element.front()));
  for (const StructField& field : type.fields) children_.emplace_back(field.type);
}

std::size_t Column::byte_size() const {
  std::size_t bytes = valid_.size() + int64s_.size() * 8 + bools_.size() + doubles_.size() * 8 + int128s_.size() * 16 +
                      int256s_.size() * 32 + intervals_.size() * 16 + bytes_.size() + ends_.size() * 4;
  for (const Column& child : children_) bytes += child.byte_size();
  return bytes;
}

void Column::reserve(std::size_t rows) {
  valid_.reserve(rows);
  switch (layout_) {
    case Layout::kInt64: int64s_.reserve(rows); break;
    case Layout::kBool: bools_.reserve(rows); break;
    case Layout::kDouble: doubles_.reserve(rows); break;
    case Layout::kInt128: int128s_.reserve(rows); break;
    case Layout::kInt256: int256s_.reserve(rows); break;
    case Layout::kInterval: intervals_.reserve(rows); break;
    case Layout::kBytes:
    case Layout::kList: ends_.reserve(rows); break;
    case Layout::kStruct:
      for (Column& child : children_) child.reserve(rows);
      break;
  }
}

void Column::append_null() {
  valid_.push_back(0);
  ++null_count_;
  switch (layout_) {
    case Layout::kInt64: int64s_.push_back(0); break;
    case Layout::kBool: bools_.push_back(0); break;
    case Layout::kDouble: doubles_.push_back(0); break;
    case Layout::kInt128: int128s_.push_back(0); break;
    case Layout::kInt256: int256s_.emplace_back(); break;
    case Layout::kInterval: intervals_.emplace_back(); break;
    case Layout::kBytes:
    case Layout::kList: ends_.push_back(ends_.empty() ? 0 : ends_.back()); break;
    case Layout::kStruct:
      for (Column& child : children_) child.append_null();
      break;
  }
}

void Column::pop_back() {
  CHECK(!valid_.empty());
  if (valid_.back() == 0) --null_count_;
  const std::size_t row = valid_.size() - 1;
  switch (layout_) {
    case Layout::kInt64: int64s_.pop_back(); break;
    case Layout::kBool: bools_.pop_back(); break;
    case Layout::kDouble: doubles_.pop_back(); break;
    case Layout::kInt128: int128s_.pop_back(); break;
    case Layout::kInt256: int256s_.pop_back(); break;
    case Layout::kInterval: intervals_.pop_back(); break;
    case Layout::kBytes:
      bytes_.resize(begin_of(row));
      ends_.pop_back();
      break;
    case Layout::kList:
      while (children_[0].size() > begin_of(row)) children_[0].pop_back();
      ends_.pop_back();
      break;
    case Layout::kStruct:
      for (Column& child : children_) child.pop_back();
      break;
  }
  valid_.pop_back();
}

void Column::append_from(const Column& other, std::size_t row) {
  if (other.is_null(row)) return append_null();
  switch (layout_) {
    case Layout::kInt64: return append_int64(other.int64(row));
    case Layout::kBool: return append_bool(other.boolean(row));
    case Layout::kDouble: return append_double(other.float64(row));
    case Layout::kInt128: return append_int128(other.int128(row));
    case Layout::kInt256: return append_int256(other.int256(row));
    case Layout::kInterval: return append_interval(other.interval(row));
    case Layout::kBytes: return append_bytes(other.bytes(row));
    case Layout::kList:
      for (std::uint32_t i = other.list_begin(row); i < other.list_end(row); ++i)
        children_[0].append_from(other.children_[0], i);
      return close_list();
    case Layout::kStruct:
      for (std::size_t i = 0; i < children_.size(); ++i) children_[i].append_from(other.children_[i], row);
      return close_struct();
  }
}

}  // namespace flytt::data
