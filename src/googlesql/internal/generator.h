#pragma once
// From the resolved tree of one statement to DuckDB text. One Generator serves one statement, on one thread.
//
// scan_gen.cc: scans · group_gen.cc: aggregates and windows · set_gen.cc: set operations, WITH, recursion · expr_gen.cc:
// expressions and subqueries. Whatever is not known here or in functions/ is kUnsupported with its GoogleSQL name.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/type.h"
#include "googlesql/catalog.h"
#include "googlesql/functions/function_table.h"
#include "googlesql/internal/resolved.h"
#include "googlesql/internal/select.h"
#include "googlesql/translator.h"

namespace flytt::googlesql::internal {

using TableMap = std::map<std::string, CatalogTable>;  // by full name

class Generator {
 public:
  Generator(const TableMap& tables, const TranslateOptions& options) : tables_(tables), options_(options) {}

  Result<Select> scan(const zetasql::AnyResolvedScanProto& any);
  Result<std::string> expr(const zetasql::AnyResolvedExprProto& any);
  // A whole query: its output columns renamed to o0, o1, … and cast to their types.
  Result<Query> query(const zetasql::AnyResolvedScanProto& scan,
                      const google::protobuf::RepeatedPtrField<zetasql::ResolvedOutputColumnProto>& outputs,
                      bool is_value_table);
  // Columns of a scan in the given order, each cast to `types`; the texts of o0, o1, ….
  Result<Query> columns_of(const zetasql::AnyResolvedScanProto& scan,
                           const std::vector<const zetasql::ResolvedColumnProto*>& columns,
                           const std::vector<data::Type>& types);

  const std::vector<std::string>& referenced_tables() const { return referenced_tables_; }
  void refer_to(const std::string& full_name);
  SelectNames& names() { return names_; }

 private:
  using Columns = google::protobuf::RepeatedPtrField<zetasql::ResolvedColumnProto>;
  using OrderItems = google::protobuf::RepeatedPtrField<zetasql::ResolvedOrderByItemProto>;

  // scan_gen.cc
  Result<Select> dispatch_scan(const Message& node);
  Result<Select> table_scan(const zetasql::ResolvedTableScanProto& node);
  Result<Select> external_scan(const zetasql::ResolvedTVFScanProto& node);
  Result<Select> indexed_scan(const CatalogTable& table, const Columns& columns,
                              const google::protobuf::RepeatedField<std::int64_t>& column_indexes);
  Result<Select> project_scan(const zetasql::ResolvedProjectScanProto& node);
  Result<Select> filter_scan(const zetasql::ResolvedFilterScanProto& node);
  Result<Select> join_scan(const zetasql::ResolvedJoinScanProto& node);
  Result<Select> array_scan(const zetasql::ResolvedArrayScanProto& node);
  Result<std::string> array_relation(const zetasql::ResolvedArrayScanProto& node, bool with_condition,
                                     std::string& natural_order);
  Result<Select> order_by_scan(const zetasql::ResolvedOrderByScanProto& node);
  Result<Select> limit_scan(const zetasql::ResolvedLimitOffsetScanProto& node);
  Result<std::string> row_count(const zetasql::AnyResolvedExprProto& any, const char* clause);
  Result<std::string> order_text(const OrderItems& items);
  // Adds one computed column per entry to what `input` offers.
  Status compute(Select& input, std::vector<Item> computed);

  // group_gen.cc
  Result<Select> aggregate_scan(const zetasql::ResolvedAggregateScanBaseProto& node);
  Result<std::string> group_keys(const zetasql::ResolvedAggregateScanBaseProto& node,
                                 const std::map<std::int64_t, std::string>& keys);
  Result<std::string> grouping_set(const Message& any, const std::map<std::int64_t, std::string>& keys);
  Result<Select> analytic_scan(const zetasql::ResolvedAnalyticScanProto& node);
  Result<std::string> window(const zetasql::ResolvedAnalyticFunctionGroupProto& group,
                             const zetasql::ResolvedAnalyticFunctionCallProto& call);
  Result<std::string> frame(const zetasql::ResolvedWindowFrameProto& frame,
                            const zetasql::ResolvedAnalyticFunctionGroupProto& group);
  Result<std::string> frame_bound(const zetasql::ResolvedWindowFrameExprProto& bound);
  Result<std::string> aggregate_call(const zetasql::ResolvedAggregateFunctionCallProto& node,
                                     const std::string& natural_order);
  Result<FunctionCall> non_scalar_call(const zetasql::ResolvedNonScalarFunctionCallBaseProto& node);

  // set_gen.cc
  Result<Select> set_operation_scan(const zetasql::ResolvedSetOperationScanProto& node);
  Result<std::string> set_item(const zetasql::ResolvedSetOperationItemProto& item, const Columns& outputs);
  Result<Select> with_scan(const zetasql::ResolvedWithScanProto& node);
  Result<std::string> with_entry(const zetasql::ResolvedWithEntryProto& entry);
  Result<std::string> recursive_entry(const zetasql::ResolvedRecursiveScanProto& node, const std::string& name);
  Result<Select> with_ref_scan(const zetasql::ResolvedWithRefScanProto& node);
  Result<Select> renamed(const std::string& relation_name, const Columns& columns, std::size_t width);

  // expr_gen.cc
  Result<std::string> dispatch_expr(const Message& node, const zetasql::AnyResolvedExprProto& any);
  Result<std::string> literal(const zetasql::ResolvedLiteralProto& node);
  Result<std::string> parameter(const zetasql::ResolvedParameterProto& node);
  Result<std::string> function_call(const zetasql::ResolvedFunctionCallProto& node);
  Result<FunctionCall> call_of(const zetasql::ResolvedFunctionCallBaseProto& node);
  Result<CallArgument> call_argument(const zetasql::AnyResolvedExprProto& any);
  Result<CallArgument> lambda_argument(const zetasql::ResolvedInlineLambdaProto& lambda);
  Result<std::string> cast(const zetasql::ResolvedCastProto& node);
  Result<std::string> make_struct(const zetasql::ResolvedMakeStructProto& node);
  Result<std::string> struct_field(const zetasql::ResolvedGetStructFieldProto& node);
  Result<std::string> json_field(const zetasql::ResolvedGetJsonFieldProto& node);
  Result<std::string> with_expr(const zetasql::ResolvedWithExprProto& node);
  Result<std::string> subquery(const zetasql::ResolvedSubqueryExprProto& node);
  Result<std::string> array_subquery(const zetasql::ResolvedSubqueryExprProto& node);
  Result<std::string> in_subquery(const zetasql::ResolvedSubqueryExprProto& node);

  const TableMap& tables_;
  const TranslateOptions& options_;
  SelectNames names_;
  struct WithName {
    std::string relation;
    std::size_t width = 0;
  };
  std::map<std::string, WithName> with_names_;
  int with_count_ = 0;
  std::vector<WithName> recursion_;                  // innermost recursive query last
  std::map<std::int64_t, std::string> substitutes_;  // WITH-expression columns that stand for trivial texts
  std::vector<std::string> referenced_tables_;
  bool wants_natural_order_ = false;  // inside ARRAY(SELECT …): elements keep the order of the array they come from
  int depth_ = 0;
};

inline std::string column_alias(const zetasql::ResolvedColumnProto& column) {
  return "c" + std::to_string(column.column_id());
}
// `sql`, which is cheap to repeat, as a value that leaves the query: an ARRAY is not NULL, and has no NULL inside (an error).
std::string stored_value(const std::string& name, const data::Type& type, const std::string& sql);
Error unsupported(const std::string& what);  // "<what> is not supported"

}  // namespace flytt::googlesql::internal
