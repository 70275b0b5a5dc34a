#pragma once
// Paths of BigQuery REST v2, under /bigquery/v2/ or at the root (Go's client leaves the prefix out).

#include <string>

#include "base/result.h"
#include "gateway/http.h"

namespace flytt::gateway::internal {

enum class Route {
  kDatasetsList,
  kDatasetsInsert,
  kDatasetsGet,
  kDatasetsPatch,
  kDatasetsUpdate,
  kDatasetsDelete,
  kTablesList,
  kTablesInsert,
  kTablesGet,
  kTablesPatch,
  kTablesUpdate,
  kTablesDelete,
  kTableDataList,
  kTableDataInsertAll,
  kJobsQuery,
  kJobsInsert,
  kJobsGet,
  kJobsGetQueryResults,
  kJobsCancel,
  kJobsDelete,
  kJobsList,
  kNotInThisVersion,  // one of Google's methods that has no implementation
};

struct RoutedRequest {
  Route route = Route::kNotInThisVersion;
  const char* method_id = "";  // Google's: "bigquery.tables.get"
  std::string project, dataset, table, job;
};

// X-HTTP-Method-Override on a POST counts. kNotFound (reason notFound) for a path that Google does not have either.
Result<RoutedRequest> route_request(const HttpRequest& request);

}  // namespace flytt::gateway::internal
