#include "warehouse/internal/row_chunks.h"

#include <algorithm>
#include <cstring>

namespace flytt::warehouse::internal {

namespace {

using data::TypeKind;

LogicalType struct_type(const std::vector<const data::Type*>& fields) {
  std::vector<LogicalType> owned;
  std::vector<duckdb_logical_type> raw;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    owned.push_back(logical_type(*fields[i]));
    raw.push_back(owned.back().raw);
    names.push_back("f" + std::to_string(i));
  }
  std::vector<const char*> name_pointers;
  for (const std::string& name : names) name_pointers.push_back(name.c_str());
  return LogicalType(duckdb_create_struct_type(raw.data(), name_pointers.data(), raw.size()));
}

duckdb_type scalar_type(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt64: return DUCKDB_TYPE_BIGINT;
    case TypeKind::kFloat64: return DUCKDB_TYPE_DOUBLE;
    case TypeKind::kBool: return DUCKDB_TYPE_BOOLEAN;
    case TypeKind::kBytes:
    case TypeKind::kBigNumeric: return DUCKDB_TYPE_BLOB;
    case TypeKind::kDate: return DUCKDB_TYPE_DATE;
    case TypeKind::kTime: return DUCKDB_TYPE_TIME;
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return DUCKDB_TYPE_TIMESTAMP;
    case TypeKind::kInterval: return DUCKDB_TYPE_INTERVAL;
    default: return DUCKDB_TYPE_VARCHAR;  // STRING, JSON, GEOGRAPHY
  }
}

}  // namespace

LogicalType logical_type(const data::Type& type) {
  switch (type.kind) {
    case TypeKind::kNumeric: return LogicalType(duckdb_create_decimal_type(38, 9));
    case TypeKind::kArray: {
      const LogicalType element = logical_type(type.element.front());
      return LogicalType(duckdb_create_list_type(element.raw));
    }
    case TypeKind::kStruct: {
      std::vector<const data::Type*> fields;
      for (const data::StructField& field : type.fields) fields.push_back(&field.type);
      return struct_type(fields);
    }
    case TypeKind::kRange: return struct_type({&type.element.front(), &type.element.front()});
    default: return LogicalType(duckdb_create_logical_type(scalar_type(type.kind)));
  }
}

std::vector<LogicalType> chunk_types(const TableVersion& version, ChunkLayout layout) {
  std::vector<LogicalType> types;
  if (layout == ChunkLayout::kStaged) types.emplace_back(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  if (has_rank(layout)) {
    types.emplace_back(duckdb_create_logical_type(version.wide ? DUCKDB_TYPE_BLOB : DUCKDB_TYPE_UHUGEINT));
    types.emplace_back(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  }
  if (layout == ChunkLayout::kLog) types.emplace_back(duckdb_create_logical_type(DUCKDB_TYPE_UTINYINT));
  for (const data::Field& field : version.info.schema.fields) types.push_back(logical_type(field.type));
  return types;
}

std::vector<std::string> chunk_columns(const TableVersion& version, ChunkLayout layout) {
  std::vector<std::string> names;
  if (layout == ChunkLayout::kStaged) names = {"_offset"};
  if (has_rank(layout)) names = {"_seq", "_ing"};
  if (layout == ChunkLayout::kLog) names.push_back("_kind");
  names.insert(names.end(), version.physical.begin(), version.physical.end());
  return names;
}

Chunk make_chunk(const std::vector<LogicalType>& types) {
  std::vector<duckdb_logical_type> raw;
  for (const LogicalType& type : types) raw.push_back(type.raw);
  return Chunk(duckdb_create_data_chunk(raw.data(), raw.size()));
}

Chunk with_layout(const Chunk& chunk, const TableVersion& version, ChunkLayout from, ChunkLayout to) {
  Chunk other = make_chunk(chunk_types(version, to));
  const idx_t size = chunk.size();
  for (idx_t c = 0; c < std::min(hidden_columns(from), hidden_columns(to)); ++c)
    duckdb_vector_reference_vector(other.column(c), chunk.column(c));
  if (to == ChunkLayout::kLog) std::memset(duckdb_vector_get_data(other.column(2)), 0, size);
  for (idx_t c = 0; c < version.physical.size(); ++c)
    duckdb_vector_reference_vector(other.column(hidden_columns(to) + c), chunk.column(hidden_columns(from) + c));
  duckdb_data_chunk_set_size(other.raw, size);
  return other;
}

Chunk with_wide_sequences(const Chunk& chunk, const TableVersion& version, ChunkLayout layout) {
  TableVersion wide = version;
  wide.wide = true;
  Chunk other = make_chunk(chunk_types(wide, layout));
  const auto* narrow = static_cast<const duckdb_uhugeint*>(duckdb_vector_get_data(chunk.column(0)));
  for (idx_t row = 0; row < chunk.size(); ++row) {
    const unsigned __int128 bits = static_cast<unsigned __int128>(narrow[row].upper) << 64 | narrow[row].lower;
    const auto bytes = bits == 0 ? std::string() : *wire::ordered_sequence_bytes(data::Sequence{bits}.sections());
    duckdb_vector_assign_string_element_len(other.column(0), row, bytes.data(), bytes.size());
  }
  const idx_t columns = hidden_columns(layout) + version.physical.size();
  for (idx_t c = 1; c < columns; ++c) duckdb_vector_reference_vector(other.column(c), chunk.column(c));
  duckdb_data_chunk_set_size(other.raw, chunk.size());
  return other;
}

Chunk split(Chunk& chunk, const TableVersion& version, ChunkLayout layout, idx_t at) {
  Chunk tail = make_chunk(chunk_types(version, layout));
  const idx_t rows = chunk.size() - at;
  duckdb_selection_vector selection = duckdb_create_selection_vector(rows);
  sel_t* indexes = duckdb_selection_vector_get_data_ptr(selection);
  for (idx_t i = 0; i < rows; ++i) indexes[i] = static_cast<sel_t>(at + i);
  const idx_t columns = hidden_columns(layout) + version.physical.size();
  for (idx_t c = 0; c < columns; ++c) {
    if (c == 1 && layout != ChunkLayout::kPlain) continue;  // _ing stays a flat vector of the tail's own
    duckdb_vector_reference_vector(tail.column(c), chunk.column(c));
    duckdb_slice_vector(tail.column(c), selection, rows);
  }
  duckdb_destroy_selection_vector(selection);
  duckdb_data_chunk_set_size(tail.raw, rows);
  duckdb_data_chunk_set_size(chunk.raw, at);
  return tail;
}

void number_rows(const Chunk& chunk, idx_t column, std::int64_t first) {
  auto* numbers = static_cast<std::int64_t*>(duckdb_vector_get_data(chunk.column(column)));
  const auto rows = static_cast<std::int64_t>(chunk.size());
  for (std::int64_t i = 0; i < rows; ++i) numbers[i] = first + i;
}

VectorTarget::VectorTarget(duckdb_vector vector, const data::Type& type) : vector_(vector), kind_(type.kind) {
  switch (kind_) {
    case TypeKind::kArray:
      below_.push_back(std::make_unique<VectorTarget>(duckdb_list_vector_get_child(vector), type.element.front()));
      break;
    case TypeKind::kStruct:
      for (std::size_t i = 0; i < type.fields.size(); ++i)
        below_.push_back(
            std::make_unique<VectorTarget>(duckdb_struct_vector_get_child(vector, i), type.fields[i].type));
      break;
    case TypeKind::kRange:
      for (idx_t i = 0; i < 2; ++i)
        below_.push_back(
            std::make_unique<VectorTarget>(duckdb_struct_vector_get_child(vector, i), type.element.front()));
      break;
    default: break;
  }
  for (const auto& child : below_) children.push_back(child.get());
  renew();
}

void VectorTarget::renew() {
  duckdb_vector_ensure_validity_writable(vector_);
  validity = duckdb_vector_get_validity(vector_);
  const bool has_cells = kind_ != TypeKind::kStruct && kind_ != TypeKind::kRange;
  cells = has_cells ? duckdb_vector_get_data(vector_) : nullptr;
  // Children of STRUCT and RANGE grow with their parent; those of ARRAY have a size of their own.
  if (!has_cells)
    for (const auto& child : below_) child->renew();
}

void VectorTarget::reserve_elements(std::size_t capacity) {
  duckdb_list_vector_reserve(vector_, capacity);
  below_.front()->renew();
}

void VectorTarget::finish() {
  if (kind_ == TypeKind::kArray) duckdb_list_vector_set_size(vector_, size);
  for (const auto& child : below_) child->finish();
}

}  // namespace flytt::warehouse::internal
