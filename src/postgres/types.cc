#include "postgres/types.h"

#include <array>
#include <vector>

#include "postgres/internal/codec.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

using data::TypeKind;

struct NamedKind {
  std::string_view name;  // pg_type.typname
  ValueKind kind;
};

// One row of the reference page, and the names that it stands for.
struct TypeRule {
  std::string_view documented, becomes, notes;
  TypeKind type;
  bool key_allowed;
  std::vector<NamedKind> names;
};

// A table reads by its columns.
// clang-format off
const std::vector<TypeRule>& rules() {
  using K = ValueKind;
  static const std::vector<TypeRule> all = {
      {"smallint, integer, bigint, oid", "INT64", "", TypeKind::kInt64, true, {{"int2", K::kInt2}, {"int4", K::kInt4}, {"int8", K::kInt8}, {"oid", K::kOid}}},
      {"real, double precision", "FLOAT64", "NaN and ±Infinity are kept", TypeKind::kFloat64, false, {{"float4", K::kFloat4}, {"float8", K::kFloat8}}},
      {"numeric(p,s), p−s ≤ 29 and s ≤ 9", "NUMERIC", "NaN, ±Infinity: Q", TypeKind::kNumeric, true, {}},
      {"numeric(p,s), p−s ≤ 38 and s ≤ 38", "BIGNUMERIC", "NaN, ±Infinity: Q", TypeKind::kBigNumeric, true, {}},
      {"numeric without precision, or larger", "BIGNUMERIC", "beyond its range, more than 38 decimals, NaN, ±Infinity: Q", TypeKind::kBigNumeric, true, {{"numeric", K::kBigNumeric}}},
      {"money", "NUMERIC", "by value; the locale only decides the number of decimals", TypeKind::kNumeric, true, {{"money", K::kMoney}}},
      {"boolean", "BOOL", "", TypeKind::kBool, true, {{"bool", K::kBool}}},
      {"text, varchar, char(n), name, citext, xml", "STRING", "char(n) keeps its padding; bytes that are not UTF-8 (only in a SQL_ASCII database): Q", TypeKind::kString, true,
       {{"text", K::kText}, {"varchar", K::kText}, {"bpchar", K::kText}, {"name", K::kText}, {"citext", K::kText}, {"xml", K::kText}}},
      {"bytea", "BYTES", "", TypeKind::kBytes, true, {{"bytea", K::kBytea}}},
      {"uuid", "STRING", "canonical lower case", TypeKind::kString, true, {{"uuid", K::kUuid}}},
      {"date", "DATE", "±infinity, before 0001, after 9999: Q", TypeKind::kDate, true, {{"date", K::kDate}}},
      {"time", "TIME", "24:00:00: Q", TypeKind::kTime, false, {{"time", K::kTime}}},
      {"timetz", "STRING", "", TypeKind::kString, true, {{"timetz", K::kTimetz}}},
      {"timestamp", "DATETIME", "range as date", TypeKind::kDatetime, true, {{"timestamp", K::kTimestamp}}},
      {"timestamptz", "TIMESTAMP", "range as date", TypeKind::kTimestamp, true, {{"timestamptz", K::kTimestamptz}}},
      {"interval", "INTERVAL", "±infinity, beyond ±10000 years, ±3660000 days or ±87840000 hours: Q", TypeKind::kInterval, false, {{"interval", K::kInterval}}},
      {"json, jsonb", "JSON", "nested deeper than 500, a number that is neither a 64-bit integer nor a double without loss, \\u0000 or half a surrogate pair: Q", TypeKind::kJson, false,
       {{"json", K::kJson}, {"jsonb", K::kJsonb}}},
      {"enum", "STRING", "", TypeKind::kString, true, {}},
      {"inet, cidr, macaddr, pg_lsn, bit, varbit", "STRING", "PostgreSQL's text form", TypeKind::kString, true,
       {{"inet", K::kInet}, {"cidr", K::kInet}, {"macaddr", K::kMacaddr}, {"macaddr8", K::kMacaddr}, {"pg_lsn", K::kPgLsn}, {"bit", K::kBit}, {"varbit", K::kBit}}},
      {"tsvector, tsquery, txid_snapshot, geometric types, hstore, ltree, ranges, multiranges, composite types", "STRING", "PostgreSQL's text form", TypeKind::kString, true, {}},
      {"domain", "as its base type", "", TypeKind::kString, true, {}},
      {"vector (pgvector)", "ARRAY<FLOAT64>", "a NULL arrives as an empty array", TypeKind::kArray, false, {{"vector", K::kVector}}},
      {"array of T, one dimension", "ARRAY<T>", "a NULL array arrives as an empty one; NULL elements or several dimensions: Q", TypeKind::kArray, false, {}},
      {"anything else", "STRING", "PostgreSQL's text form", TypeKind::kString, true, {}},
  };
  return all;
}
// clang-format on

struct Scalar {
  ValueKind kind = ValueKind::kOtherText;
  data::Type type = TypeKind::kString;
  bool key_allowed = true;
};

// A type of the same name that somebody made elsewhere is another type.
bool lies_where_it_should(const NamedType& type) {
  const bool extension = type.name == "citext" || type.name == "vector";
  return extension ? type.schema != "pg_catalog" : type.schema == "pg_catalog";
}

// numeric(p,s): the modifier is ((p << 16) | (s & 0x7FF)) + 4 (utils/adt/numeric.c, make_numeric_typmod).
Scalar map_numeric(std::int32_t modifier) {
  if (modifier < 4) return {ValueKind::kBigNumeric, TypeKind::kBigNumeric, true};
  const std::int32_t precision = (modifier - 4) >> 16 & 0xFFFF;
  const std::int32_t scale = (((modifier - 4) & 0x7FF) ^ 1024) - 1024;
  if (precision - scale <= 29 && scale <= data::kNumericScale) return {ValueKind::kNumeric, TypeKind::kNumeric, true};
  return {ValueKind::kBigNumeric, TypeKind::kBigNumeric, true};
}

Scalar map_scalar(const NamedType& type, std::int32_t modifier) {
  if (type.kind == 'e') return {ValueKind::kText, TypeKind::kString, true};
  if (type.kind != 'b') return {};
  if (type.name == "numeric" && type.schema == "pg_catalog") return map_numeric(modifier);
  for (const TypeRule& rule : rules()) {
    for (const NamedKind& named : rule.names) {
      if (named.name != type.name || !lies_where_it_should(type)) continue;
      if (named.kind == ValueKind::kVector) return {named.kind, data::Type::array(TypeKind::kFloat64), false};
      return {named.kind, rule.type, rule.key_allowed};
    }
  }
  return {};
}

}  // namespace

Codec make_codec(const SourceType& type, const ValueRules& value_rules) {
  Codec codec;
  codec.money_decimals = value_rules.money_decimals;
  codec.check_utf8 = value_rules.check_utf8;
  const Scalar scalar = map_scalar(type.is_array ? type.element : type.base, type.modifier);
  codec.kind = scalar.kind;
  codec.type = scalar.type;
  codec.binary = scalar.kind != ValueKind::kOtherText;
  if (!type.is_array) return codec;
  Codec list = codec;
  // An array of vectors has no BigQuery type: ARRAY<ARRAY> does not exist.
  if (scalar.type.is(TypeKind::kArray)) {
    list.kind = ValueKind::kOtherText;
    list.type = TypeKind::kString;
    list.binary = false;
    return list;
  }
  list.kind = ValueKind::kArray;
  list.type = data::Type::array(codec.type);
  list.delimiter = type.element.delimiter;
  list.element.push_back(std::move(codec));
  return list;
}

TypeMapping map_type(const SourceType& type) {
  const Codec codec = make_codec(type, {});
  const bool key_allowed = !type.is_array && map_scalar(type.base, type.modifier).key_allowed;
  return TypeMapping{codec.type, codec.binary, key_allowed};
}

std::string type_table_markdown() {
  std::string out = "| PostgreSQL | BigQuery | notes |\n|---|---|---|\n";
  for (const TypeRule& rule : rules()) {
    out += "| ";
    out += rule.documented;
    out += " | ";
    out += rule.becomes;
    out += " | ";
    out += rule.notes;
    out += rule.notes.empty() ? "|\n" : " |\n";
  }
  return out;
}

}  // namespace flytt::postgres
