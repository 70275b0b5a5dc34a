#include "gateway/bigquery/internal/router.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "gateway/internal/url.h"

namespace flytt::gateway::internal {

namespace {

// {p} project, {d} dataset, {t} table, {j} job, {*} one segment, {**} all further ones (at least one).
struct Pattern {
  const char* method;
  const char* path;
  Route route;
  const char* method_id;
};

constexpr Pattern kPatterns[] = {
    {"GET", "projects/{p}/datasets", Route::kDatasetsList, "bigquery.datasets.list"},
    {"POST", "projects/{p}/datasets", Route::kDatasetsInsert, "bigquery.datasets.insert"},
    {"GET", "projects/{p}/datasets/{d}", Route::kDatasetsGet, "bigquery.datasets.get"},
    {"PATCH", "projects/{p}/datasets/{d}", Route::kDatasetsPatch, "bigquery.datasets.patch"},
    {"PUT", "projects/{p}/datasets/{d}", Route::kDatasetsUpdate, "bigquery.datasets.update"},
    {"DELETE", "projects/{p}/datasets/{d}", Route::kDatasetsDelete, "bigquery.datasets.delete"},
    {"GET", "projects/{p}/datasets/{d}/tables", Route::kTablesList, "bigquery.tables.list"},
    {"POST", "projects/{p}/datasets/{d}/tables", Route::kTablesInsert, "bigquery.tables.insert"},
    {"GET", "projects/{p}/datasets/{d}/tables/{t}", Route::kTablesGet, "bigquery.tables.get"},
    {"PATCH", "projects/{p}/datasets/{d}/tables/{t}", Route::kTablesPatch, "bigquery.tables.patch"},
    {"PUT", "projects/{p}/datasets/{d}/tables/{t}", Route::kTablesUpdate, "bigquery.tables.update"},
    {"DELETE", "projects/{p}/datasets/{d}/tables/{t}", Route::kTablesDelete, "bigquery.tables.delete"},
    {"GET", "projects/{p}/datasets/{d}/tables/{t}/data", Route::kTableDataList, "bigquery.tabledata.list"},
    {"POST", "projects/{p}/datasets/{d}/tables/{t}/insertAll", Route::kTableDataInsertAll,
     "bigquery.tabledata.insertAll"},
    {"POST", "projects/{p}/queries", Route::kJobsQuery, "bigquery.jobs.query"},
    {"GET", "projects/{p}/queries/{j}", Route::kJobsGetQueryResults, "bigquery.jobs.getQueryResults"},
    {"GET", "projects/{p}/jobs", Route::kJobsList, "bigquery.jobs.list"},
    {"POST", "projects/{p}/jobs", Route::kJobsInsert, "bigquery.jobs.insert"},
    {"GET", "projects/{p}/jobs/{j}", Route::kJobsGet, "bigquery.jobs.get"},
    {"POST", "projects/{p}/jobs/{j}/cancel", Route::kJobsCancel, "bigquery.jobs.cancel"},
    {"DELETE", "projects/{p}/jobs/{j}/delete", Route::kJobsDelete, "bigquery.jobs.delete"},

    {"GET", "projects", Route::kNotInThisVersion, "bigquery.projects.list"},
    {"GET", "projects/{p}/serviceAccount", Route::kNotInThisVersion, "bigquery.projects.getServiceAccount"},
    {"POST", "projects/{p}/datasets/{d}:undelete", Route::kNotInThisVersion, "bigquery.datasets.undelete"},
    {"POST", "projects/{p}/datasets/{d}/tables/{t}:getIamPolicy", Route::kNotInThisVersion,
     "bigquery.tables.getIamPolicy"},
    {"POST", "projects/{p}/datasets/{d}/tables/{t}:setIamPolicy", Route::kNotInThisVersion,
     "bigquery.tables.setIamPolicy"},
    {"POST", "projects/{p}/datasets/{d}/tables/{t}:testIamPermissions", Route::kNotInThisVersion,
     "bigquery.tables.testIamPermissions"},
    {"*", "projects/{p}/datasets/{d}/routines", Route::kNotInThisVersion, "bigquery.routines"},
    {"*", "projects/{p}/datasets/{d}/routines/{**}", Route::kNotInThisVersion, "bigquery.routines"},
    {"*", "projects/{p}/datasets/{d}/models", Route::kNotInThisVersion, "bigquery.models"},
    {"*", "projects/{p}/datasets/{d}/models/{**}", Route::kNotInThisVersion, "bigquery.models"},
    {"*", "projects/{p}/datasets/{d}/tables/{t}/rowAccessPolicies", Route::kNotInThisVersion,
     "bigquery.rowAccessPolicies"},
    {"*", "projects/{p}/datasets/{d}/tables/{t}/rowAccessPolicies/{**}", Route::kNotInThisVersion,
     "bigquery.rowAccessPolicies"},
    {"*", "upload/{**}", Route::kNotInThisVersion, "bigquery.jobs.insert with an upload"},
    {"*", "resumable/{**}", Route::kNotInThisVersion, "bigquery.jobs.insert with an upload"},
    {"*", "$discovery/{**}", Route::kNotInThisVersion, "the discovery document"},
    {"*", "batch/{**}", Route::kNotInThisVersion, "batch requests"},
};

std::string_view take_segment(std::string_view& path) {
  const auto slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path = slash == path.npos ? std::string_view{} : path.substr(slash + 1);
  return segment;
}

std::string* place_of(std::string_view segment, RoutedRequest& out) {
  if (segment.size() < 3 || segment[0] != '{' || segment[2] != '}') return nullptr;
  switch (segment[1]) {
    case 'p': return &out.project;
    case 'd': return &out.dataset;
    case 't': return &out.table;
    case 'j': return &out.job;
    default: return nullptr;
  }
}

bool matches_segment(std::string_view wanted, const std::string& given, RoutedRequest& out) {
  std::string* place = place_of(wanted, out);
  if (place == nullptr) return wanted == "{*}" || wanted == given;
  const std::string_view suffix = wanted.substr(3);  // ":undelete"
  if (given.size() <= suffix.size() || std::string_view(given).substr(given.size() - suffix.size()) != suffix)
    return false;
  *place = given.substr(0, given.size() - suffix.size());
  // A colon is legal only in a project ("example.com:team").
  return place == &out.project || place->find(':') == place->npos;
}

bool matches(std::string_view pattern, const std::vector<std::string>& segments, std::size_t from, RoutedRequest& out) {
  std::size_t at = from;
  while (!pattern.empty()) {
    const std::string_view wanted = take_segment(pattern);
    if (at >= segments.size()) return false;
    if (wanted == "{**}") return true;
    if (!matches_segment(wanted, segments[at++], out)) return false;
  }
  return at == segments.size();
}

}  // namespace

Result<RoutedRequest> route_request(const HttpRequest& request) {
  std::string method = request.method;
  if (const auto other = request.header("x-http-method-override"); method == "POST" && !other.empty()) method = other;
  const auto segments = path_segments(request.path);
  if (!segments) return Error(ErrorCode::kBadData, "the path has an incomplete percent encoding").cause("badRequest");
  const bool has_prefix = segments->size() >= 2 && (*segments)[0] == "bigquery" && (*segments)[1] == "v2";
  for (const Pattern& pattern : kPatterns) {
    if (pattern.method != std::string_view("*") && pattern.method != method) continue;
    RoutedRequest out;
    if (!matches(pattern.path, *segments, has_prefix ? 2 : 0, out)) continue;
    out.route = pattern.route;
    out.method_id = pattern.method_id;
    return out;
  }
  return Error(ErrorCode::kNotFound,
               "Not found: the BigQuery API has no method " + method.substr(0, 16) + " at this path.")
      .cause("notFound");
}

}  // namespace flytt::gateway::internal
