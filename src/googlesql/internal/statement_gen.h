#pragma once
// Statements: from a resolved statement to a Translation.

#include <string_view>

#include "base/result.h"
#include "googlesql/internal/generator.h"
#include "googlesql/translator.h"

namespace flytt::googlesql::internal {

// Fills kind, its member and referenced_tables of `out`. `sql` is the whole text, for the source of OPTIONS values.
Status generate_statement(const zetasql::AnyResolvedStatementProto& any, std::string_view sql, const TableMap& tables,
                          const TranslateOptions& options, Translation& out);

// `sql`, a value of the plain type, as a value for a column of `to`, which may have parameters such as STRING(10).
Result<std::string> fitted(const std::string& sql, const data::Type& to);

}  // namespace flytt::googlesql::internal
