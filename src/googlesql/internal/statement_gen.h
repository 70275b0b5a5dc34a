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

}  // namespace flytt::googlesql::internal
