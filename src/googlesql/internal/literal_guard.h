#pragma once
// A guard against one defect of the analyzer: when it folds a cast of a constant DATE to DATETIME, the answer is always
// 1970-01-01 00:00:00 (`CAST(DATE '2024-02-29' AS DATETIME)`, `DATETIME '…' > DATE '…'`). Every DATETIME constant of that
// value that may come from a DATE is derived again from the source text; where that is not possible the statement is
// kUnsupported.

#include <cstddef>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "googlesql/internal/analyzer_impl.h"

namespace flytt::googlesql::internal {

Status mend_datetime_literals(AnalyzerImpl& analyzer, std::string_view sql, base::Deadline deadline,
                              google::protobuf::Message& tree);

}  // namespace flytt::googlesql::internal
