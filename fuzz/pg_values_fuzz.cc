// One value from outside: the first byte chooses the type, the rest is the value, read as binary and as text.

#include <cstdint>
#include <string_view>

#include "postgres/internal/codec.h"

namespace {

using namespace flytt;
using namespace flytt::postgres;

constexpr const char* kTypes[] = {"int2",      "int4",        "int8",     "oid",    "float4", "float8", "bool",
                                  "numeric",   "money",       "text",     "bytea",  "uuid",   "date",   "time",
                                  "timestamp", "timestamptz", "interval", "json",   "jsonb",  "timetz", "inet",
                                  "macaddr",   "pg_lsn",      "bit",      "vector", "box"};

Codec codec_of(std::uint8_t choice) {
  SourceType type;
  const char* name = kTypes[choice % std::size(kTypes)];
  type.base.name = type.element.name = name;
  type.base.schema = type.element.schema = std::string_view(name) == "vector" ? "public" : "pg_catalog";
  type.is_array = (choice & 0x80) != 0;
  type.modifier = (choice & 0x40) != 0 ? ((10 << 16) | 2) + 4 : -1;  // numeric(10,2)
  ValueRules rules;
  rules.check_utf8 = (choice & 0x20) != 0;
  return make_codec(type, rules);
}

// A value is appended whole or not at all.
void expect_whole(const data::Column& column, Verdict verdict) {
  CHECK(column.size() == (verdict == Verdict::kOk ? 1u : 0u));
  if (column.layout() == data::Layout::kList)
    CHECK(column.children().front().size() == (verdict == Verdict::kOk ? column.list_end(0) : 0u));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Codec codec = codec_of(data[0]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  data::Column binary(codec.type), text(codec.type);
  const Verdict binary_verdict = decode_binary(codec, bytes, binary);
  expect_whole(binary, binary_verdict);
  expect_whole(text, decode_text(codec, bytes, text));
  static_cast<void>(render_text(codec, bytes));
  static_cast<void>(check_json(bytes));
  return 0;
}
