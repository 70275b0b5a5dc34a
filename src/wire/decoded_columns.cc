#include "wire/decoded_columns.h"

#include "data/decimal.h"

namespace flytt::wire {
namespace {

std::size_t cell_bytes(data::TypeKind kind) {
  using data::TypeKind;
  switch (kind) {
    case TypeKind::kBool: return 1;
    case TypeKind::kDate: return 4;
    case TypeKind::kInt64:
    case TypeKind::kFloat64:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return 8;
    case TypeKind::kStruct:
    case TypeKind::kRange: return 0;
    default: return 16;
  }
}

bool is_valid(const ColumnTarget& target, std::size_t at) { return (target.validity[at >> 6] >> (at & 63) & 1) != 0; }

}  // namespace

struct DecodedColumns::Node final : ColumnTarget {
  Node(const data::Type& t, std::size_t room) : type(t) {
    if (type.is(data::TypeKind::kArray)) add_child(type.element.front(), 0);
    if (type.is(data::TypeKind::kRange)) {
      add_child(type.element.front(), 0);
      add_child(type.element.front(), 0);
    }
    for (const data::StructField& field : type.fields) add_child(field.type, 0);
    reserve(room);
  }

  void reserve_elements(std::size_t room) override { nodes.front()->reserve(room); }

  void add_child(const data::Type& t, std::size_t room) {
    nodes.push_back(std::make_unique<Node>(t, room));
    children.push_back(nodes.back().get());
  }
  void reserve(std::size_t room) {
    memory.resize((room * cell_bytes(type.kind) + 15) / 16);
    bits.resize((room + 63) / 64);
    cells = memory.data();
    validity = bits.data();
    if (type.is(data::TypeKind::kArray)) return;
    for (const auto& node : nodes) node->reserve(room);
  }
  void forget() {
    size = 0;
    for (const auto& node : nodes) node->forget();
  }
  template <typename T>
  const T& cell(std::size_t at) const {
    return static_cast<const T*>(cells)[at];
  }
  void copy_cell(std::size_t at, data::Column& out) const;

  struct alignas(16) Block {
    char bytes[16];
  };
  data::Type type;
  std::vector<Block> memory;
  std::vector<std::uint64_t> bits;
  std::vector<std::unique_ptr<Node>> nodes;
};

void DecodedColumns::Node::copy_cell(std::size_t at, data::Column& out) const {
  using data::TypeKind;
  if (!is_valid(*this, at)) return out.append_null();
  switch (type.kind) {
    case TypeKind::kInt64:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return out.append_int64(cell<std::int64_t>(at));
    case TypeKind::kDate: return out.append_int64(cell<std::int32_t>(at));
    case TypeKind::kFloat64: return out.append_double(cell<double>(at));
    case TypeKind::kBool: return out.append_bool(cell<std::uint8_t>(at) != 0);
    case TypeKind::kNumeric: return out.append_int128(cell<data::Int128>(at));
    case TypeKind::kBigNumeric: return out.append_int256(data::from_ordered_bytes(cell<StringCell>(at).view().data()));
    case TypeKind::kInterval: return out.append_interval(cell<data::Interval>(at));
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kJson:
    case TypeKind::kGeography: return out.append_bytes(cell<StringCell>(at).view());
    case TypeKind::kArray: {
      const ListEntry entry = cell<ListEntry>(at);
      for (std::uint64_t i = 0; i < entry.length; ++i) nodes.front()->copy_cell(entry.offset + i, out.children()[0]);
      return out.close_list();
    }
    case TypeKind::kStruct:
    case TypeKind::kRange:
      for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i]->copy_cell(at, out.children()[i]);
      return out.close_struct();
  }
}

DecodedColumns::DecodedColumns(const data::TableSchema& table, std::size_t rows_max) {
  for (const data::Field& field : table.fields) {
    roots_.push_back(std::make_unique<Node>(field.type, rows_max));
    targets_.push_back(roots_.back().get());
  }
}
DecodedColumns::~DecodedColumns() = default;
DecodedColumns::DecodedColumns(DecodedColumns&&) noexcept = default;
DecodedColumns& DecodedColumns::operator=(DecodedColumns&&) noexcept = default;

void DecodedColumns::clear() {
  for (const auto& root : roots_) root->forget();
}

void DecodedColumns::copy_to(std::size_t index, std::size_t rows, data::Column& out) const {
  for (std::size_t row = 0; row < rows; ++row) roots_[index]->copy_cell(row, out);
}

}  // namespace flytt::wire
