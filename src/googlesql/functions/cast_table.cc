// The cast table: one DuckDB text per pair of types. Arrays and structs are cast element by element.

#include <string>

#include "googlesql/functions/function_table.h"
#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql {
namespace internal {
namespace {

using base::ErrorCode;
using data::Type;
using data::TypeKind;

struct CastRule {
  char from, to;
  std::string_view sql;  // $1 and $s as in Rule
};

constexpr CastRule kCasts[] = {
    {'i', 'd', "gs_int_to_float($1)"},
    {'i', 'b', "(($1) <> 0)"},
    {'i', 's', "gs_int_to_text($1)"},
    {'i', 'n', "gs_int_to_numeric($1)"},
    {'i', 'N', "gs_int_to_bignumeric($1)"},
    {'d', 'i', "gs_float_to_int$s($1)"},
    {'d', 's', "gs_float_to_text($1)"},
    {'d', 'n', "gs_float_to_numeric$s($1)"},
    {'d', 'N', "gs_float_to_bignumeric$s($1)"},
    {'b', 'i', "CAST($1 AS BIGINT)"},
    {'b', 's', "gs_bool_to_text($1)"},
    {'s', 'i', "gs_text_to_int$s($1)"},
    {'s', 'd', "gs_text_to_float$s($1)"},
    {'s', 'b', "gs_text_to_bool$s($1)"},
    {'s', 'y', "gs_text_to_bytes($1)"},
    {'s', 'D', "gs_text_to_date$s($1)"},
    {'s', 't', "gs_text_to_time$s($1)"},
    {'s', 'c', "gs_text_to_datetime$s($1)"},
    {'s', 'T', "gs_text_to_timestamp$s($1)"},
    {'s', 'n', "gs_text_to_numeric$s($1)"},
    {'s', 'N', "gs_text_to_bignumeric$s($1)"},
    {'s', 'v', "gs_text_to_interval$s($1)"},
    {'y', 's', "gs_bytes_to_text$s($1)"},
    {'D', 's', "gs_date_to_text($1)"},
    {'D', 'c', "gs_midnight_of($1)"},
    {'D', 'T', "gs_midnight_of($1)"},
    {'t', 's', "gs_time_to_text($1)"},
    {'c', 's', "gs_datetime_to_text($1)"},
    {'c', 'D', "gs_date_of($1)"},
    {'c', 't', "gs_time_of($1)"},
    {'c', 'T', "$1"},
    {'T', 's', "gs_timestamp_to_text$s($1, 'UTC')"},
    {'T', 'D', "gs_date_of($1)"},
    {'T', 't', "gs_time_of($1)"},
    {'T', 'c', "$1"},
    {'n', 'i', "gs_numeric_to_int$s($1)"},
    {'n', 'd', "gs_numeric_to_float($1)"},
    {'n', 's', "gs_numeric_to_text($1)"},
    {'n', 'N', "gs_numeric_to_bignumeric($1)"},
    {'N', 'i', "gs_bignumeric_to_int$s($1)"},
    {'N', 'd', "gs_bignumeric_to_float($1)"},
    {'N', 's', "gs_bignumeric_to_text($1)"},
    {'N', 'n', "gs_bignumeric_to_numeric$s($1)"},
    {'v', 's', "gs_interval_to_text($1)"},
};

Error unsupported_cast(const Type& from, const Type& to, std::string_view how = "") {
  return Error(ErrorCode::kUnsupported, "CAST from " + from.sql_name() + " to " + to.sql_name() + std::string(how) +
                                            " is not supported in this version of the embedded warehouse.");
}

bool same_values(const Type& a, const Type& b) {
  if (a.kind != b.kind || a.element.size() != b.element.size() || a.fields.size() != b.fields.size()) return false;
  for (std::size_t i = 0; i < a.element.size(); ++i) {
    if (!same_values(a.element[i], b.element[i])) return false;
  }
  for (std::size_t i = 0; i < a.fields.size(); ++i) {
    if (!same_values(a.fields[i].type, b.fields[i].type)) return false;
  }
  return b.precision == 0 && b.max_length == 0;
}

// NUMERIC(P,S), STRING(L), BYTES(L). A value that does not fit is an error even in SAFE_CAST.
std::string fitted(const std::string& sql, const Type& to) {
  if (to.precision > 0 && (to.is(TypeKind::kNumeric) || to.is(TypeKind::kBigNumeric))) {
    return std::string(to.is(TypeKind::kNumeric) ? "gs_fit_numeric(" : "gs_fit_bignumeric(") + sql + ", " +
           std::to_string(to.precision) + "::BIGINT, " + std::to_string(to.scale) + "::BIGINT)";
  }
  if (to.max_length > 0 && (to.is(TypeKind::kString) || to.is(TypeKind::kBytes))) {
    return std::string(to.is(TypeKind::kString) ? "gs_fit_text(" : "gs_fit_bytes(") + sql + ", " +
           std::to_string(to.max_length) + "::BIGINT)";
  }
  return sql;
}

Result<std::string> cast_value(const Type& from, const Type& to, const std::string& sql, bool safe, int depth);

Result<std::string> cast_array(const Type& from, const Type& to, const std::string& sql, bool safe, int depth) {
  // SAFE_CAST of an array is NULL as a whole when one element fails, which element-wise NULLs would not give.
  if (safe) return unsupported_cast(from, to, " with SAFE");
  const std::string name = "gs_e" + std::to_string(depth);
  TRY(const std::string element, cast_value(from.element[0], to.element[0], name, safe, depth + 1));
  return "list_transform(" + sql + ", lambda " + name + ": " + element + ")";
}

Result<std::string> cast_struct(const Type& from, const Type& to, const std::string& sql, bool safe, int depth) {
  if (safe || from.fields.size() != to.fields.size()) return unsupported_cast(from, to, safe ? " with SAFE" : "");
  const std::string name = "gs_e" + std::to_string(depth);
  std::string fields;
  for (std::size_t i = 0; i < to.fields.size(); ++i) {
    const std::string field = "f" + std::to_string(i);
    TRY(const std::string value,
        cast_value(from.fields[i].type, to.fields[i].type, "(" + name + ")." + field, safe, depth + 1));
    fields += (i > 0 ? ", '" : "'") + field + "': " + value;
  }
  return "list_transform([" + sql + "], lambda " + name + ": CASE WHEN " + name +
         " IS NULL THEN NULL::" + physical_type(to) + " ELSE {" + fields + "} END)[1]";
}

Result<std::string> cast_value(const Type& from, const Type& to, const std::string& sql, bool safe, int depth) {
  if (same_values(from, to)) return sql;
  if (from.is(TypeKind::kArray) && to.is(TypeKind::kArray)) return cast_array(from, to, sql, safe, depth);
  if (from.is(TypeKind::kStruct) && to.is(TypeKind::kStruct)) return cast_struct(from, to, sql, safe, depth);
  if (from.kind == to.kind) return fitted(sql, to);
  const char first = letter_of(from), second = letter_of(to);
  for (const CastRule& rule : kCasts) {
    if (rule.from != first || rule.to != second) continue;
    FunctionCall call;
    call.safe = safe;
    call.arguments.push_back({from, sql, std::nullopt, {}, std::nullopt, false});
    return fitted(expand(rule.sql, call), to);
  }
  return unsupported_cast(from, to);
}

// CAST … FORMAT for BYTES ↔ STRING; format models of numbers and dates are another language.
Result<std::string> cast_with_format(const CastCall& call) {
  const std::string safe = call.safe ? "_safe" : "";
  const std::string& format = *call.format;
  if (call.from.is(TypeKind::kBytes) && call.to.is(TypeKind::kString)) {
    return "gs_bytes_to_text_as" + safe + "(" + call.sql + ", " + format + ")";
  }
  if (call.from.is(TypeKind::kString) && call.to.is(TypeKind::kBytes)) {
    return "gs_text_to_bytes_as" + safe + "(" + call.sql + ", " + format + ")";
  }
  return unsupported_cast(call.from, call.to, " with FORMAT");
}

Result<std::string> cast_with_zone(const CastCall& call) {
  const std::string safe = call.safe ? "_safe" : "";
  const std::string& zone = *call.time_zone;
  if (call.from.is(TypeKind::kString) && call.to.is(TypeKind::kTimestamp)) {
    return "gs_cast_text_to_timestamp_at" + safe + "(" + call.sql + ", " + zone + ")";
  }
  if (call.from.is(TypeKind::kTimestamp) && call.to.is(TypeKind::kString)) {
    return "gs_timestamp_to_text" + safe + "(" + call.sql + ", " + zone + ")";
  }
  return unsupported_cast(call.from, call.to, " AT TIME ZONE");
}

}  // namespace
}  // namespace internal

Result<std::string> render_cast(const CastCall& call) {
  if (call.format && call.time_zone) return internal::unsupported_cast(call.from, call.to, " with FORMAT AT TIME ZONE");
  if (call.format) return internal::cast_with_format(call);
  if (call.time_zone) return internal::cast_with_zone(call);
  return internal::cast_value(call.from, call.to, call.sql, call.safe, 0);
}

}  // namespace flytt::googlesql
