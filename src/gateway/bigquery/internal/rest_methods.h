#pragma once
// The methods of BigQuery REST v2, one class for each kind of resource. Each takes a routed request and returns the body
// of a 200 (or, when empty, a 204), or an error that rest.cc turns into Google's.

#include <string>

#include "gateway/bigquery/internal/insert_all.h"
#include "gateway/bigquery/internal/json.h"
#include "gateway/bigquery/internal/query_jobs.h"
#include "gateway/bigquery/internal/router.h"
#include "gateway/bigquery/internal/table_listings.h"
#include "gateway/internal/url.h"
#include "warehouse/warehouse.h"

namespace flytt::gateway::internal {

struct RestCall {
  const HttpRequest& http;
  RoutedRequest target;
  QueryParameters query;
  std::string base;  // of selfLink

  Result<Json> body() const { return parse_body(http.body); }
  // If-Match, without which a modification is unconditional.
  std::optional<std::string> if_match() const;
};

class DatasetMethods {
 public:
  explicit DatasetMethods(warehouse::Warehouse& warehouse) : warehouse_(warehouse) {}
  Result<std::string> list(const RestCall& call);
  Result<std::string> insert(const RestCall& call);
  Result<std::string> get(const RestCall& call);
  Result<std::string> modify(const RestCall& call, bool is_patch);
  Result<std::string> remove(const RestCall& call);

 private:
  warehouse::Warehouse& warehouse_;
};

class TableMethods {
 public:
  TableMethods(warehouse::Warehouse& warehouse, const base::Clock& clock)
      : warehouse_(warehouse), clock_(clock), listings_(warehouse, clock), inserts_(warehouse, clock) {}
  Result<std::string> list(const RestCall& call);
  Result<std::string> insert(const RestCall& call);
  Result<std::string> get(const RestCall& call);
  Result<std::string> modify(const RestCall& call, bool is_patch);
  Result<std::string> remove(const RestCall& call);
  Result<std::string> list_data(const RestCall& call);
  Result<std::string> insert_data(const RestCall& call);

 private:
  Result<std::string> show(const warehouse::TableInfo& table, const RestCall& call) const;

  warehouse::Warehouse& warehouse_;
  const base::Clock& clock_;
  TableListings listings_;
  InsertAll inserts_;
};

class JobMethods {
 public:
  JobMethods(warehouse::Warehouse& warehouse, const base::Clock& clock, const std::string& location,
             const std::string& user)
      : warehouse_(warehouse),
        clock_(clock),
        location_(location),
        user_(user),
        jobs_(warehouse, clock, location, user) {}
  Result<std::string> query(const RestCall& call);
  Result<std::string> insert(const RestCall& call);
  Result<std::string> get(const RestCall& call);
  Result<std::string> get_query_results(const RestCall& call);
  Result<std::string> cancel(const RestCall& call);
  Result<std::string> remove(const RestCall& call);
  Result<std::string> list(const RestCall& call);

 private:
  struct ResultsRequest;
  Result<warehouse::Job> wait(const warehouse::Job& job, std::optional<std::int64_t> timeout_ms, const RestCall& call);
  Result<std::string> dry_run(const RestCall& call, const QueryRequest& request);
  Result<std::string> dry_run_job(const RestCall& call, const QueryRequest& request);
  Result<std::string> results(const warehouse::Job& job, const ResultsRequest& request);

  warehouse::Warehouse& warehouse_;
  const base::Clock& clock_;
  const std::string location_, user_;
  QueryJobs jobs_;
};

// maxResults and pageToken over a list whose items have names in rising order: returns the range to show and the token
// of the next one (the name of the last item shown, encoded).
struct ListRange {
  std::size_t begin = 0, end = 0;
  std::string next_token;
};
Result<ListRange> list_range(const QueryParameters& query, const std::vector<std::string>& names);

}  // namespace flytt::gateway::internal
