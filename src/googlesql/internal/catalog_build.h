#pragma once
// The catalog that one statement needs, in the analyzer's form.

#include <string>
#include <vector>

#include "base/result.h"
#include "googlesql/catalog.h"
#include "googlesql/internal/external_calls.h"
#include "googlesql/internal/generator.h"
#include "zetasql/proto/simple_catalog.pb.h"

namespace flytt::googlesql::internal {

// Looks every path up and puts the tables found into `tables` and, under exactly these paths, into `out`; also declares the
// functions that the analyzer does not know. Paths that are no table are left out: the analyzer says so with a position.
Status build_catalog(const std::vector<std::vector<std::string>>& paths, Catalog& catalog, TableMap& tables,
                     zetasql::SimpleCatalogProto& out);

// Declares each call of EXTERNAL_QUERY as a table function of its own, under external_name(index).
Status declare_external(const std::vector<ExternalSite>& calls, Catalog& catalog, TableMap& tables,
                        zetasql::SimpleCatalogProto& out);

}  // namespace flytt::googlesql::internal
