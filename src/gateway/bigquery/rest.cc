#include "gateway/bigquery/rest.h"

#include "base/log.h"
#include "gateway/bigquery/internal/error_mapping.h"
#include "gateway/bigquery/internal/resources.h"
#include "gateway/bigquery/internal/rest_methods.h"
#include "gateway/internal/origin_guard.h"

namespace flytt::gateway {

using internal::RestCall;
using internal::Route;

namespace internal {

std::optional<std::string> RestCall::if_match() const {
  std::string_view etag = http.header("if-match");
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  if (etag.empty() || etag == "*") return std::nullopt;
  return std::string(etag);
}

}  // namespace internal

namespace {

// selfLink begins as the caller reached us.
std::string base_of(const HttpRequest& request) {
  const std::string_view host = request.header("host");
  if (!internal::split_host_port(host)) return "http://localhost/bigquery/v2/";
  return "http://" + std::string(host) + "/bigquery/v2/";
}

// Names in a path reach error texts and generated SQL, so they are checked before anything else sees them.
Status check_names(const internal::RoutedRequest& target) {
  const auto is_plain = [](const std::string& text, std::string_view extra) {
    for (const char c : text) {
      const bool is_word =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
      if (!is_word && extra.find(c) == extra.npos) return false;
    }
    return text.size() <= 1024;
  };
  if (!is_plain(target.project, ".:"))
    return internal::invalid("Invalid project ID. It must be letters, digits, dashes, dots and colons.");
  if (!is_plain(target.job, ""))
    return internal::invalid(
        "Invalid job ID. Job IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 "
        "characters long.");
  if (!target.dataset.empty()) TRY_STATUS(internal::check_dataset_id(target.dataset));
  if (!target.table.empty()) TRY_STATUS(internal::check_table_id(target.table));
  return ok();
}

}  // namespace

class RestService::Impl {
 public:
  Impl(warehouse::Warehouse& warehouse, const base::Clock& clock, base::Metrics& metrics, const RestOptions& options)
      : datasets_(warehouse),
        tables_(warehouse, clock),
        jobs_(warehouse, clock, options.location, options.user_email),
        requests_(metrics.counter("flytt_rest_requests_total")),
        failures_(metrics.counter("flytt_rest_failures_total")) {}

  HttpResponse handle(const HttpRequest& request) {
    requests_.fetch_add(1, std::memory_order_relaxed);
    HttpResponse response;
    auto body = base::guard("answering a REST request", [&] { return answer(request); });
    const Error* error = !body ? &body.error() : !*body ? &body->error() : nullptr;
    if (error == nullptr) {
      response.body = std::move(**body);
      if (response.body.empty()) response.status = 204;
      return response;
    }
    failures_.fetch_add(1, std::memory_order_relaxed);
    if (error->code() == ErrorCode::kBug || error->code() == ErrorCode::kCorrupt)
      base::log_failure(base::LogLevel::kError, "a REST request failed", *error, {{"path", request.path}});
    return internal::google_error_response(internal::google_error_of(*error));
  }

 private:
  Result<std::string> answer(const HttpRequest& request) {
    TRY(internal::RoutedRequest target, internal::route_request(request));
    TRY_STATUS(check_names(target));
    auto query = internal::QueryParameters::parse(request.query);
    if (!query)
      return Error(ErrorCode::kBadData, "the query string has an incomplete percent encoding").cause("badRequest");
    const RestCall call{request, std::move(target), std::move(*query), base_of(request)};
    return run(call);
  }

  Result<std::string> run(const RestCall& call) {
    switch (call.target.route) {
      case Route::kDatasetsList: return datasets_.list(call);
      case Route::kDatasetsInsert: return datasets_.insert(call);
      case Route::kDatasetsGet: return datasets_.get(call);
      case Route::kDatasetsPatch: return datasets_.modify(call, true);
      case Route::kDatasetsUpdate: return datasets_.modify(call, false);
      case Route::kDatasetsDelete: return datasets_.remove(call);
      case Route::kTablesList: return tables_.list(call);
      case Route::kTablesInsert: return tables_.insert(call);
      case Route::kTablesGet: return tables_.get(call);
      case Route::kTablesPatch: return tables_.modify(call, true);
      case Route::kTablesUpdate: return tables_.modify(call, false);
      case Route::kTablesDelete: return tables_.remove(call);
      case Route::kTableDataList: return tables_.list_data(call);
      case Route::kTableDataInsertAll: return tables_.insert_data(call);
      case Route::kJobsQuery: return jobs_.query(call);
      case Route::kJobsInsert: return jobs_.insert(call);
      case Route::kJobsGet: return jobs_.get(call);
      case Route::kJobsGetQueryResults: return jobs_.get_query_results(call);
      case Route::kJobsCancel: return jobs_.cancel(call);
      case Route::kJobsDelete: return jobs_.remove(call);
      case Route::kJobsList: return jobs_.list(call);
      case Route::kNotInThisVersion: break;
    }
    return Error(ErrorCode::kUnsupported,
                 std::string("Not implemented: ") + call.target.method_id + " is not in this version.")
        .cause("notImplemented");
  }

  internal::DatasetMethods datasets_;
  internal::TableMethods tables_;
  internal::JobMethods jobs_;
  base::Metric& requests_;
  base::Metric& failures_;
};

RestService::RestService(warehouse::Warehouse& warehouse, const base::Clock& clock, base::Metrics& metrics,
                         const RestOptions& options)
    : impl_(std::make_unique<Impl>(warehouse, clock, metrics, options)) {}
RestService::~RestService() = default;
HttpResponse RestService::handle(const HttpRequest& request) { return impl_->handle(request); }

}  // namespace flytt::gateway
