#pragma once
// From messages to the shape of a table: declared fields, or what sampled messages show, plus the columns _kafka_….
// Pure functions over values; any thread.
//
// Inference, by column: true/false → BOOL; whole numbers → INT64, beyond 64 bits → NUMERIC, BIGNUMERIC or FLOAT64, with a
// fraction or exponent → FLOAT64; texts → STRING, or TIMESTAMP (RFC 3339 with a zone), DATETIME (without), DATE when
// every sampled one has that form; objects → STRUCT and arrays → ARRAY, or JSON by setting; JSON also for what has no
// common type, for arrays of arrays, with nulls or of mixed elements, and for objects without members. A field that is
// only ever null or an empty array has no column yet. All inferred columns are NULLABLE, in the order of first sight.
//
// Names. A member whose name BigQuery takes keeps it. Another one (characters other than letters, digits and _, a digit in
// front, a reserved beginning, too long), and one that differs from an existing column only by case, is called
// <name with _ for each such character>_<8 hexadecimal digits of the name's FNV-1a hash>. So the same table and the same
// member always give the same column, in every process and after every restart.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/table_slice.h"
#include "kafka/config.h"

namespace flytt::kafka {

// One message of a topic, copied. No value: a tombstone.
struct SampledMessage {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string> key, value;
};

// kConfig when the settings contradict themselves or each other (two columns of one name, key fields that are not
// declared, a type that cannot be read from JSON, an upsert of bytes without a key column).
Status check_payload_settings(const PayloadSettings& settings);

// The table's columns: the declared ones, or with an empty `fields` those that `samples` show; then _kafka_…; then the
// rest column if there is one. Messages that are no JSON object are passed over.
Result<data::TableSchema> make_table_schema(const PayloadSettings& settings,
                                            const std::vector<SampledMessage>& samples);

// A table's name for a topic: letters, digits, _ and - are kept, every other character becomes _.
std::string table_name_of(std::string_view topic);

}  // namespace flytt::kafka
