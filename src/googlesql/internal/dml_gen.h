#pragma once
// UPDATE, DELETE and MERGE as one question: which rows of the target go, and which rows come.
//
//   SELECT r, a, o0, o1, …     r: the target row's id, NULL for a new one · a: RowAction · o…: the new row, all its columns
//     FROM target ⟗ source, each pair with the first clause that holds for it
//
// Whoever carries it out refuses a row id that is there twice, removes those rows and appends the new ones.

#include "base/result.h"
#include "googlesql/internal/generator.h"

namespace flytt::googlesql::internal {

Status update_statement(const zetasql::ResolvedUpdateStmtProto& node, const TableMap& tables, Generator& generator,
                        Translation& out);
Status delete_statement(const zetasql::ResolvedDeleteStmtProto& node, const TableMap& tables, Generator& generator,
                        Translation& out);
Status merge_statement(const zetasql::ResolvedMergeStmtProto& node, const TableMap& tables, Generator& generator,
                       Translation& out);

}  // namespace flytt::googlesql::internal
