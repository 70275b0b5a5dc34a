#pragma once
// Codec: how the values of one column are read, in both of PostgreSQL's forms, straight into a column builder.
//
// Binary forms are those of the types' send functions (src/backend/utils/adt/*.c, "…_send"), text forms those of their
// output functions in a session set as client.h says. All functions are pure over bytes and survive any bytes.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/column.h"
#include "postgres/types.h"

namespace flytt::postgres {

enum class ValueKind : std::uint8_t {
  kInt2,
  kInt4,
  kInt8,
  kOid,
  kFloat4,
  kFloat8,
  kBool,
  kNumeric,
  kBigNumeric,
  kMoney,
  kText,
  kBytea,
  kUuid,
  kDate,
  kTime,
  kTimestamp,
  kTimestamptz,
  kInterval,
  kJson,
  kJsonb,
  kTimetz,
  kInet,
  kMacaddr,
  kPgLsn,
  kBit,
  kVector,
  kOtherText,
  kArray,
};

struct Codec {
  ValueKind kind = ValueKind::kOtherText;
  data::Type type;
  bool binary = false;      // false: only the text form is understood
  bool check_utf8 = false;  // the server does not guarantee it (SQL_ASCII)
  int money_decimals = 2;
  char delimiter = ',';        // between elements of the text form
  std::vector<Codec> element;  // one for kArray
};

struct ValueRules {
  int money_decimals = 2;
  bool check_utf8 = false;
};
Codec make_codec(const SourceType& type, const ValueRules& rules);

// What became of a value. Anything but kOk has appended nothing.
enum class Verdict : std::uint8_t {
  kOk,
  kNotFinite,
  kOutOfRange,
  kTooManyDecimals,
  kMidnight,
  kNullElement,
  kDimensions,
  kJsonDepth,
  kJsonNumber,
  kJsonCharacter,
  kNotUtf8,
  kMalformed,  // the bytes contradict the format: the type is not what the catalog said
};
std::string_view sentence(Verdict verdict);

Verdict decode_binary(const Codec& codec, std::string_view bytes, data::Column& out);
Verdict decode_text(const Codec& codec, std::string_view text, data::Column& out);

// The text form of a binary value, for people and for keys. Text-like values of SQL_ASCII come as they are.
std::string render_text(const Codec& codec, std::string_view bytes);

// What BigQuery's JSON type accepts of a document that PostgreSQL has accepted: depth, numbers, characters.
Verdict check_json(std::string_view text);

}  // namespace flytt::postgres
