#pragma once
// How every GoogleSQL function, aggregate, analytic function and cast runs in DuckDB.
//
// The resolved tree names a function ("ZetaSQL:$add", "ZetaSQL:concat") with the types of its arguments; this table turns
// one such call with the DuckDB text of its arguments into a DuckDB expression with exactly GoogleSQL's semantics, or
// answers kUnsupported with a sentence that names the function. A function that cannot be done exactly is not in it.
// All functions are pure: they may be called from any thread, block on nothing and keep nothing.
//
// Values lie as physical_type.h says, and the C++ functions of native.h are registered under their names.
//
// Argument texts are complete DuckDB expressions (this module adds parentheses where it needs them). Each argument is
// evaluated at most once per row by the text returned.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/type.h"
#include "googlesql/physical_type.h"

namespace flytt::googlesql {

enum class FunctionKind { kScalar, kAggregate, kAnalytic };

struct CallArgument {
  data::Type type;                         // of a lambda: its body's type; of an enum: ignored
  std::string sql;                         // of a lambda: its body; of an enum: empty
  std::optional<std::int32_t> enum_value;  // a literal of an enum type, such as DateTimestampPart
  std::vector<std::string> lambda_names;   // not empty: a lambda with these parameters (aliases used in `sql`)
  std::optional<std::string> literal;      // value of a non-NULL STRING or BYTES literal, when the argument is one
  bool is_null = false;                    // a NULL literal
};

enum class NullHandling { kDefault, kIgnore, kRespect };

// What an aggregate or analytic call carries besides its arguments. All texts are DuckDB expressions or clauses.
struct AggregateParts {
  bool distinct = false;
  NullHandling nulls = NullHandling::kDefault;
  std::string filter;    // a condition, or empty
  std::string order_by;  // items without the words ORDER BY (see order_items), or empty
  std::string limit;     // a constant expression, or empty
  enum class Having { kNone, kMax, kMin };
  Having having = Having::kNone;  // HAVING MAX/MIN
  std::string having_sql;
  data::Type having_type;
  std::string over;  // "OVER (…)" for an analytic call, else empty
};

struct FunctionCall {
  std::string_view name;                // as the resolved tree has it: "ZetaSQL:$add"; "flytt:max_by" for declared ones
  int context_id = 0;                   // FunctionSignatureId, 0 for declared ones
  std::vector<CallArgument> arguments;  // omitted optional arguments are absent at the end, or NULL literals between
  data::Type result;
  bool safe = false;     // SAFE_ERROR_MODE
  AggregateParts parts;  // for aggregates and analytic functions
};

// The DuckDB expression of a call. kUnsupported when this function, signature or combination of parts is not handled.
Result<std::string> render_call(const FunctionCall& call);

// nullopt when the name is not in the table at all.
std::optional<FunctionKind> function_kind(std::string_view name);

struct CastCall {
  data::Type from;
  data::Type to;
  std::string sql;
  bool safe = false;                     // SAFE_CAST, or a cast in SAFE mode: errors become NULL
  std::optional<std::string> format;     // DuckDB text of a FORMAT clause
  std::optional<std::string> time_zone;  // DuckDB text of AT TIME ZONE
};
// The DuckDB expression of a cast, NUMERIC(P,S), STRING(L), BYTES(L) of `to` included.
Result<std::string> render_cast(const CastCall& call);

// ORDER BY items for one key, in GoogleSQL's order (NaN below all numbers, NULLs as asked): "x ASC NULLS FIRST", or two
// items separated by a comma for FLOAT64. `sql` may appear twice, so it should be a column. kUnsupported for types that
// have no order.
Result<std::string> order_items(const data::Type& type, const std::string& sql, bool descending, bool nulls_first);

// An expression of type `type` that fails with `sentence` when it is evaluated.
std::string raise_expression(const data::Type& type, const std::string& sentence);

// Functions that the analyzer does not know and the catalog must declare, with the group "flytt": their lower-case names.
// Signatures: max_by(ANY_1, ANY_2) and min_by(ANY_1, ANY_2) → ANY_1, both aggregates.
const std::vector<std::string_view>& declared_functions();

}  // namespace flytt::googlesql
