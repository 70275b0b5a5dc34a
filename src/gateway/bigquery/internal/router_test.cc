#include "gateway/bigquery/internal/router.h"

#include <gtest/gtest.h>

#include "gateway/bigquery/internal/error_mapping.h"

namespace flytt::gateway::internal {
namespace {

Result<RoutedRequest> route(std::string method, std::string path, std::string override_with = {}) {
  HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  if (!override_with.empty()) request.headers.emplace_back("x-http-method-override", override_with);
  return route_request(request);
}

TEST(Router, KnowsBothRoots) {
  for (const char* root : {"/bigquery/v2", ""}) {
    const auto table = route("GET", std::string(root) + "/projects/p/datasets/d/tables/t");
    ASSERT_TRUE(table);
    EXPECT_EQ(table->route, Route::kTablesGet);
    EXPECT_EQ(table->project + table->dataset + table->table, "pdt");
  }
}

TEST(Router, TellsMethodsApart) {
  const struct {
    const char* method;
    const char* path;
    Route route;
  } cases[] = {
      {"GET", "/projects/p/datasets", Route::kDatasetsList},
      {"POST", "/projects/p/datasets", Route::kDatasetsInsert},
      {"DELETE", "/projects/p/datasets/d", Route::kDatasetsDelete},
      {"PUT", "/projects/p/datasets/d", Route::kDatasetsUpdate},
      {"GET", "/projects/p/datasets/d/tables/t/data", Route::kTableDataList},
      {"POST", "/projects/p/queries", Route::kJobsQuery},
      {"GET", "/projects/p/queries/job_1", Route::kJobsGetQueryResults},
      {"POST", "/projects/p/jobs", Route::kJobsInsert},
      {"POST", "/projects/p/jobs/j/cancel", Route::kJobsCancel},
      {"DELETE", "/projects/p/jobs/j/delete", Route::kJobsDelete},
      {"POST", "/projects/p/datasets/d/tables/t/insertAll", Route::kTableDataInsertAll},
      {"POST", "/projects/p/datasets/d/tables/t:getIamPolicy", Route::kNotInThisVersion},
      {"GET", "/projects/p/datasets/d/models/m", Route::kNotInThisVersion},
      {"POST", "/upload/bigquery/v2/projects/p/jobs", Route::kNotInThisVersion},
      {"GET", "/$discovery/rest", Route::kNotInThisVersion},
      {"GET", "/%24discovery/rest", Route::kNotInThisVersion},
  };
  for (const auto& each : cases) {
    const auto routed = route(each.method, each.path);
    ASSERT_TRUE(routed) << each.path;
    EXPECT_EQ(routed->route, each.route) << each.path;
  }
}

TEST(Router, DecodesSegmentsAndKeepsColonsInProjects) {
  const auto routed = route("GET", "/bigquery/v2/projects/example.com%3Ateam/datasets/d");
  ASSERT_TRUE(routed);
  EXPECT_EQ(routed->project, "example.com:team");
  EXPECT_EQ(route("GET", "/projects/p/datasets/d/tables/a%20b")->table, "a b");
}

TEST(Router, TakesTheOverride) {
  EXPECT_EQ(route("POST", "/projects/p/datasets/d/tables/t", "PATCH")->route, Route::kTablesPatch);
  EXPECT_FALSE(route("GET", "/projects/p/datasets", "POST")->route == Route::kDatasetsInsert);
}

TEST(Router, RefusesWhatGoogleDoesNotHave) {
  for (const char* path : {"/", "/nothing", "/projects/p", "/projects/p/datasets/d/tables/t/x",
                           "/bigquery/v3/projects/p/datasets", "/projects/p/queries/j/x"}) {
    const auto routed = route("GET", path);
    ASSERT_FALSE(routed) << path;
    EXPECT_EQ(google_error_of(routed.error()).http_status, 404) << path;
  }
  EXPECT_FALSE(route("DELETE", "/projects/p/queries"));
  EXPECT_EQ(google_error_of(route("GET", "/projects/%4").error()).http_status, 400);
}

TEST(ErrorMapping, FollowsGooglesTable) {
  const auto shown = [](Error error) { return google_error_of(error); };
  EXPECT_EQ(shown(Error(ErrorCode::kNotFound, "Not found: Table p:d.t").cause("notFound")).http_status, 404);
  EXPECT_EQ(shown(Error(ErrorCode::kConflict, "Already Exists: Table p:d.t").cause("duplicate")).http_status, 409);
  EXPECT_EQ(shown(Error(ErrorCode::kConflict, "in use").cause("resourceInUse")).http_status, 400);
  EXPECT_EQ(shown(Error(ErrorCode::kConflict, "etag").cause("conditionNotMet")).http_status, 412);
  EXPECT_EQ(shown(Error(ErrorCode::kUnsupported, "no").cause("notImplemented")).http_status, 501);
  EXPECT_EQ(shown(Error(ErrorCode::kCancelled, "no").cause("stopped")).http_status, 499);
  const GoogleError query = shown(Error(ErrorCode::kBadData, "Syntax error").cause("invalidQuery"));
  EXPECT_EQ(query.http_status, 400);
  EXPECT_EQ(query.location, "query");
  EXPECT_EQ(query.location_type, "parameter");
  const GoogleError native = shown(Error(ErrorCode::kUnavailable, "the disk is full").cause("ENOSPC"));
  EXPECT_EQ(native.http_status, 503);
  EXPECT_EQ(native.reason, "backendError");
  EXPECT_EQ(native.message, "the disk is full (ENOSPC)");
}

}  // namespace
}  // namespace flytt::gateway::internal
