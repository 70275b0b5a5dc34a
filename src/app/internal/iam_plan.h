#pragma once
// The rights of a configuration at Google, as steps for somebody who may give them: which account needs what, and the
// command. Pure; nothing is asked.

#include <string>
#include <vector>

#include "app/config.h"

namespace flytt::app {

struct IamStep {
  std::string kind;       // "api", "project_role", "dataset", "dataset_access", "connection_role"
  std::string principal;  // "serviceAccount:…"; empty: nobody gets anything by it
  std::string project, dataset;
  std::string role;     // also a service's name, of "api"
  std::string reason;   // a sentence
  std::string command;  // for a shell; may have several lines
};

struct IamRequest {
  std::string account;  // e-mail of the service account that flytt runs as
  std::vector<std::string>
      readers;  // of landing datasets: "group:team@example.no", "user:…", "domain:…", "serviceAccount:…"
};

// In the order in which they are to be done. kConfig: no account, a reader of another form, or a query with a connection
// that BigQuery does not take.
Result<std::vector<IamStep>> plan_iam(const Config& config, const IamRequest& request);

std::string iam_text(const std::vector<IamStep>& steps);  // a shell script
std::string iam_json(const std::vector<IamStep>& steps);

}  // namespace flytt::app
