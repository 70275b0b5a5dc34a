#pragma once
// BigQuery's type system: the one vocabulary of types inside flytt.
//
// A Type is a value: copy and compare it. ARRAY has one element type, STRUCT has named fields, RANGE has an
// element type of DATE, DATETIME or TIMESTAMP. NUMERIC(P,S), STRING(L) and BYTES(L) carry their parameters.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flytt::data {

enum class TypeKind : std::uint8_t {
  kInt64,
  kFloat64,
  kBool,
  kString,
  kBytes,
  kDate,
  kTime,
  kDatetime,
  kTimestamp,
  kNumeric,
  kBigNumeric,
  kJson,
  kInterval,
  kGeography,
  kArray,
  kStruct,
  kRange,
};

struct StructField;

struct Type {
  TypeKind kind = TypeKind::kInt64;
  std::vector<Type> element;        // exactly one for kArray and kRange, else empty
  std::vector<StructField> fields;  // only for kStruct
  std::int32_t precision = 0;       // 0 = not given; for NUMERIC and BIGNUMERIC
  std::int32_t scale = 0;
  std::int64_t max_length = 0;  // 0 = not given; for STRING (characters) and BYTES (bytes)

  Type();
  Type(TypeKind k);  // NOLINT: a kind is a type
  static Type array(Type of);
  static Type range(Type of);
  static Type structure(std::vector<StructField> of);

  bool is(TypeKind k) const { return kind == k; }
  // The ingestion name of REST schemas: INTEGER, FLOAT, BOOLEAN, RECORD, STRING, … (bigquery REST v2 TableFieldSchema).
  std::string_view rest_name() const;
  // The GoogleSQL name: INT64, ARRAY<STRING>, STRUCT<a INT64, b STRING>, NUMERIC(10, 2).
  std::string sql_name() const;
  friend bool operator==(const Type& a, const Type& b);
};

struct StructField {
  std::string name;  // may be empty
  Type type;
  friend bool operator==(const StructField& a, const StructField& b) { return a.name == b.name && a.type == b.type; }
};

// Here, where StructField is complete: clang 14 needs it for the vector's destructor.
inline Type::Type() = default;
inline Type::Type(TypeKind k) : kind(k) {}

std::string_view to_string(TypeKind kind);  // GoogleSQL: "INT64", "STRUCT"
// Accepts REST and GoogleSQL names of types without element or fields ("INTEGER", "INT64", "BOOLEAN", …), any case.
Result<TypeKind> parse_type_kind(std::string_view name);

}  // namespace flytt::data
