#include "googlesql/internal/catalog_build.h"

#include <algorithm>
#include <utility>

#include "googlesql/internal/types.h"

namespace flytt::googlesql::internal {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

zetasql::SimpleCatalogProto& child_catalog(zetasql::SimpleCatalogProto& parent, const std::string& name) {
  for (zetasql::SimpleCatalogProto& child : *parent.mutable_catalog())
    if (lower(child.name()) == lower(name)) return child;
  parent.add_catalog()->set_name(name);
  return *parent.mutable_catalog(parent.catalog_size() - 1);
}

Status add_table(zetasql::SimpleCatalogProto& root, const std::vector<std::string>& path, const CatalogTable& table) {
  zetasql::SimpleCatalogProto* place = &root;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) place = &child_catalog(*place, path[i]);
  for (const zetasql::SimpleTableProto& known : place->table()) {
    if (lower(known.name()) != lower(path.back())) continue;
    if (known.full_name() == table.full_name) return ok();
    return Error(ErrorCode::kUnsupported,
                 "one statement over tables whose names differ by case only is not supported: " + table.full_name);
  }
  zetasql::SimpleTableProto* out = place->add_table();
  out->set_name(path.back());
  out->set_full_name(table.full_name);
  for (const CatalogColumn& column : table.columns) {
    zetasql::SimpleColumnProto* made = out->add_column();
    made->set_name(column.name);
    *made->mutable_type() = type_proto(column.type);
    if (column.is_pseudo) made->set_is_pseudo_column(true);
  }
  return ok();
}

// MAX_BY(x, y) and MIN_BY(x, y): any x, any comparable y.
void declare_functions(zetasql::SimpleCatalogProto& root) {
  for (const std::string_view name : declared_functions()) {
    zetasql::FunctionProto* function = root.add_custom_function();
    function->add_name_path(std::string(name));
    function->set_group("flytt");
    function->set_mode(zetasql::FunctionEnums::AGGREGATE);
    function->mutable_options()->set_supports_over_clause(true);
    function->mutable_options()->set_window_ordering_support(zetasql::FunctionEnums::ORDER_OPTIONAL);
    function->mutable_options()->set_supports_window_framing(true);
    zetasql::FunctionSignatureProto* signature = function->add_signature();
    for (const auto kind : {zetasql::ARG_TYPE_ANY_1, zetasql::ARG_TYPE_ANY_2}) {
      zetasql::FunctionArgumentTypeProto* argument = signature->add_argument();
      argument->set_kind(kind);
      argument->set_num_occurrences(-1);
      argument->mutable_options()->set_must_support_ordering(kind == zetasql::ARG_TYPE_ANY_2);
    }
    signature->mutable_return_type()->set_kind(zetasql::ARG_TYPE_ANY_1);
    signature->mutable_return_type()->set_num_occurrences(-1);
  }
}

}  // namespace

Status build_catalog(const std::vector<std::vector<std::string>>& paths, Catalog& catalog, TableMap& tables,
                     zetasql::SimpleCatalogProto& out) {
  out.set_name("flytt");
  declare_functions(out);
  for (const std::vector<std::string>& path : paths) {
    if (path.empty()) continue;
    TRY(std::optional<CatalogTable> found, catalog.find(path));
    if (!found) continue;
    TRY_STATUS(add_table(out, path, *found));
    tables.emplace(found->full_name, std::move(*found));
  }
  return ok();
}

Status declare_external(const std::vector<ExternalSite>& calls, Catalog& catalog, TableMap& tables,
                        zetasql::SimpleCatalogProto& out) {
  for (std::size_t index = 0; index < calls.size(); ++index) {
    const ExternalSite& site = calls[index];
    const std::vector<std::string>& texts = site.arguments;
    TRY(CatalogTable table, catalog.external({texts[0], texts[1], texts.size() > 2 ? texts[2] : "", site.place}));
    table.arguments = texts;
    table.full_name = external_name(index);
    zetasql::TableValuedFunctionProto* function = out.add_custom_tvf();
    function->add_name_path(table.full_name);
    function->set_type(zetasql::FunctionEnums::FIXED_OUTPUT_SCHEMA_TVF);
    zetasql::FunctionSignatureProto* signature = function->add_signatures();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      zetasql::FunctionArgumentTypeProto* argument = signature->add_argument();
      argument->set_kind(zetasql::ARG_TYPE_FIXED);
      argument->mutable_type()->set_type_kind(zetasql::TYPE_STRING);
      argument->set_num_occurrences(1);
    }
    zetasql::FunctionArgumentTypeProto* result = signature->mutable_return_type();
    result->set_kind(zetasql::ARG_TYPE_RELATION);
    result->set_num_occurrences(1);
    for (const CatalogColumn& column : table.columns) {
      zetasql::TVFRelationColumnProto* made = result->mutable_options()->mutable_relation_input_schema()->add_column();
      made->set_name(column.name);
      *made->mutable_type() = type_proto(column.type);
    }
    tables.emplace(table.full_name, std::move(table));
  }
  return ok();
}

}  // namespace flytt::googlesql::internal
