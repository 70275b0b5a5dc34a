#pragma once
// What the account lacks at Google before queries, streams and jobs can run: APIs, roles, connections, access to
// datasets and buckets.
// Each finding has the command that gives it. Only asks; nothing is changed.
//
// REST forms: Service Usage v1 (services.get), Resource Manager v1 (projects.testIamPermissions, projects.getIamPolicy),
// BigQuery Connection v1 (connections.get, testIamPermissions), BigQuery v2 (datasets.get), Cloud Storage JSON v1
// (buckets.testIamPermissions). Blocks for kRightsCallMax per
// call. What the account may not see is advice, with the command that shows it to somebody who may.

#include <chrono>
#include <string>
#include <vector>

#include "app/internal/finding.h"
#include "app/internal/google_names.h"
#include "base/clock.h"
#include "bigquery/credentials.h"

namespace flytt::app {

inline constexpr std::chrono::seconds kRightsCallMax{20};

// Where Google's APIs are. Tests put a server of theirs here; what is not https must be on loopback, or it is kConfig.
struct GoogleEndpoints {
  std::string bigquery = "https://bigquery.googleapis.com";
  std::string connection = "https://bigqueryconnection.googleapis.com";
  std::string resource_manager = "https://cloudresourcemanager.googleapis.com";
  std::string service_usage = "https://serviceusage.googleapis.com";
  std::string storage = "https://storage.googleapis.com";
};

// Everything that has to be there.
struct RightsRequest {
  std::string project, location;
  std::string account;                // e-mail of who signs in, or words where it is not known
  std::vector<std::string> datasets;  // that are written
  std::vector<std::string> landing;   // those of them that are a landing zone
  std::vector<QueryConnection> connections;
  std::vector<std::string> buckets;  // that are written
  std::string member;                // of the account in IAM: "serviceAccount:…"
  bool is_account_known = true;
};

// kConfig: a query names a connection in a form that BigQuery does not take.
Result<RightsRequest> rights_request(const Config& config, const bigquery::Account& account);

std::vector<Found> check_google_rights(const RightsRequest& request, bigquery::Credentials& credentials,
                                       const GoogleEndpoints& endpoints, const base::Clock& clock);

}  // namespace flytt::app
