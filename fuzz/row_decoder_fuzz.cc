// Rows and descriptors from anybody, decoded against a table with every column type.
//
// Input: one byte (0: our own descriptor; else: two bytes of length and a descriptor), then the content of a ProtoRows message.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "data/column.h"
#include "wire/decoded_columns.h"
#include "wire/row_decoder.h"
#include "wire/row_encoder.h"

namespace {

using flytt::data::Type;
using flytt::data::TypeKind;

flytt::data::TableSchema every_type() {
  flytt::data::TableSchema table;
  const auto add = [&](const char* name, Type type) { table.fields.push_back({name, std::move(type), false, ""}); };
  static constexpr const char* kNames[] = {"int64",      "float64", "bool",     "string",    "bytes",
                                           "date",       "time",    "datetime", "timestamp", "numeric",
                                           "bignumeric", "json",    "interval", "geography"};
  for (std::size_t i = 0; i < 14; ++i) add(kNames[i], Type(static_cast<TypeKind>(i)));
  Type price(TypeKind::kNumeric);
  price.precision = 10;
  price.scale = 2;
  add("price", price);
  Type code(TypeKind::kString);
  code.max_length = 3;
  add("code", code);
  add("range", Type::range(Type(TypeKind::kTimestamp)));
  add("numbers", Type::array(Type(TypeKind::kInt64)));
  const Type inner = Type::structure({{"a", Type(TypeKind::kString)}, {"b", Type::array(Type(TypeKind::kBigNumeric))}});
  add("nested", Type::structure({{"inner", inner}, {"list", Type::array(inner)}}));
  add("æøå", Type::array(inner));
  table.fields[0].required = true;
  table.key = {0};
  return table;
}

const flytt::data::TableSchema& table() {
  static const flytt::data::TableSchema schema = every_type();
  return schema;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flytt::wire;
  static const RowEncoder encoder = RowEncoder::make(table(), ChangeColumns::kTypeAndSequence).value();
  if (size < 3) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string_view descriptor = encoder.descriptor();
  std::string_view request = input.substr(1);
  if (data[0] != 0) {
    const std::size_t length = std::size_t{data[1]} << 8 | data[2];
    descriptor = input.substr(3, length);
    request = input.substr(std::min(size, 3 + length));
  }
  auto decoder = RowDecoder::make(descriptor, table());
  auto rows = SerializedRows::make(request);
  if (!decoder || !rows) return 0;
  constexpr std::size_t kRowsMax = 64;
  DecodedColumns columns(table(), kRowsMax);
  while (rows->taken() < rows->count()) {
    columns.clear();
    RowChanges changes;
    CellArena arena;
    std::vector<RowError> errors;
    const std::size_t count = decoder->decode(*rows, kRowsMax, columns.targets(), 0, changes, arena, errors);
    if (count == 0 || changes.types.size() != count) std::abort();
    if (!errors.empty()) continue;
    for (std::size_t i = 0; i < table().fields.size(); ++i) {
      flytt::data::Column column(table().fields[i].type);
      columns.copy_to(i, count, column);
    }
  }
  return 0;
}
