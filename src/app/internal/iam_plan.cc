#include "app/internal/iam_plan.h"

#include <algorithm>

#include "app/internal/google_names.h"
#include "base/log.h"

namespace flytt::app {

namespace {

// An entry of a dataset's `access` (BigQuery REST v2).
Result<std::string> access_entry(const std::string& reader) {
  const auto colon = reader.find(':');
  const std::string kind = reader.substr(0, colon);
  const std::string name = colon == std::string::npos ? std::string() : reader.substr(colon + 1);
  const char* key = kind == "group"                              ? "groupByEmail"
                    : kind == "user" || kind == "serviceAccount" ? "userByEmail"
                    : kind == "domain"                           ? "domain"
                                                                 : nullptr;
  if (key == nullptr || name.empty())
    return Error(ErrorCode::kConfig,
                 "reader '" + reader + "' must be group:…, user:…, serviceAccount:… or domain:…, with a name");
  return R"({"role":"READER",")" + std::string(key) + "\":" + base::json_quote(name) + "}";
}

class IamPlanner {
 public:
  IamPlanner(const Config& config, const IamRequest& request)
      : config_(config), request_(request), member_("serviceAccount:" + request.account) {}

  Result<std::vector<IamStep>> plan() {
    TRY(const std::vector<QueryConnection> connections, connections_of(config_));
    TRY(const std::string access, landing_access());
    add_apis(!connections.empty());
    add_role(config_.project, "roles/bigquery.jobUser", "flytt runs queries and loads");
    add_role(config_.project, "roles/bigquery.metadataViewer", "flytt sees which datasets and tables there are");
    const std::vector<std::string> landing = landing_datasets_of(config_);
    for (const std::string& dataset : datasets_of(config_)) {
      const bool is_landing = std::find(landing.begin(), landing.end(), dataset) != landing.end();
      steps_.push_back({"dataset", "", config_.project, dataset, "", "rows go there",
                        make_dataset_command(config_.project, dataset, config_.location)});
      if (is_landing)
        add_landing(dataset, access);
      else
        steps_.push_back({"dataset_access", member_, config_.project, dataset, "roles/bigquery.dataEditor",
                          "flytt writes its tables",
                          grant_dataset_command(config_.project, dataset, member_, "roles/bigquery.dataEditor")});
    }
    for (const QueryConnection& connection : connections) add_connection(connection);
    return std::move(steps_);
  }

 private:
  // WRITER is BigQuery's stored name of roles/bigquery.dataEditor. Somebody has to own the dataset.
  Result<std::string> landing_access() const {
    std::string entries = R"({"role":"OWNER","specialGroup":"projectOwners"},)"
                          "\n"
                          R"(  {"role":"WRITER","userByEmail":)" +
                          base::json_quote(request_.account) + "}";
    for (const std::string& reader : request_.readers) {
      TRY(const std::string entry, access_entry(reader));
      entries += ",\n  " + entry;
    }
    return "{\"access\": [\n  " + entries + "\n]}";
  }

  void add_apis(bool has_connections) {
    std::vector<std::string> services{"bigquery.googleapis.com", "bigquerystorage.googleapis.com"};
    if (has_connections)
      services.insert(services.end(), {"bigqueryconnection.googleapis.com", "sqladmin.googleapis.com"});
    for (const std::string& service : services)
      steps_.push_back({"api", "", config_.project, "", service, "the API must be enabled",
                        enable_command(service, config_.project)});
  }

  void add_role(const std::string& project, const std::string& role, const std::string& reason) {
    const bool is_there = std::any_of(steps_.begin(), steps_.end(), [&](const IamStep& step) {
      return step.kind == "project_role" && step.project == project && step.role == role;
    });
    if (is_there) return;
    steps_.push_back(
        {"project_role", member_, project, "", role, reason, grant_project_command(project, member_, role)});
  }

  // The whole list is replaced: what BigQuery gives a new dataset lets all readers of the project in.
  void add_landing(const std::string& dataset, const std::string& access) {
    const std::string file = "access_" + dataset + ".json";
    steps_.push_back(
        {"dataset_access", member_, config_.project, dataset, "roles/bigquery.dataEditor",
         "a landing zone: only flytt writes, only the readers named here read; replaces the dataset's list",
         "cat > " + file + " <<'END'\n" + access + "\nEND\nbq update --source=" + file + " " +
             shell_quoted(config_.project + ":" + dataset)});
  }

  // The account of the connection is known to BigQuery only. It is asked for when the script runs.
  void add_connection(const QueryConnection& connection) {
    const ConnectionName& name = connection.name;
    add_role(name.project, "roles/bigquery.connectionUser",
             "query " + connection.query + " reads through " + name.text());
    const std::string show = "bq show --format=json --connection " + shell_quoted(name.text());
    steps_.push_back({"connection_role", "", "", "", "roles/cloudsql.client",
                      "the account of connection " + name.text() + " opens Cloud SQL, in the project of its instance",
                      "gcloud projects add-iam-policy-binding \"$(" + show +
                          " | jq -r '.cloudSql.instanceId | split(\":\")[:-2] | join(\":\")')\" "
                          "--member=\"serviceAccount:$(" +
                          show +
                          " | jq -r .cloudSql.serviceAccountId)\" --role=roles/cloudsql.client --condition=None"});
  }

  const Config& config_;
  const IamRequest& request_;
  const std::string member_;
  std::vector<IamStep> steps_;
};

}  // namespace

Result<std::vector<IamStep>> plan_iam(const Config& config, const IamRequest& request) {
  if (request.account.find('@') == std::string::npos)
    return Error(ErrorCode::kConfig, request.account.empty()
                                         ? "say which service account flytt runs as: --account flytt@" +
                                               config.project + ".iam.gserviceaccount.com"
                                         : "account '" + request.account + "' must be an e-mail address");
  return IamPlanner(config, request).plan();
}

std::string iam_text(const std::vector<IamStep>& steps) {
  std::string out =
      "#!/bin/sh\n# Rights of flytt at Google; needs gcloud, bq and jq. Each command may be run again.\nset -eu\n";
  std::string before;
  for (const IamStep& step : steps) {
    const std::string heading = "\n# " + (step.dataset.empty() ? "" : step.dataset + ": ") + step.reason + "\n";
    if (heading != before) out += heading;
    before = heading;
    out += step.command + "\n";
  }
  return out;
}

std::string iam_json(const std::vector<IamStep>& steps) {
  const auto text_or_null = [](const std::string& text) { return text.empty() ? "null" : base::json_quote(text); };
  std::string out;
  for (const IamStep& step : steps)
    out += (out.empty() ? "" : ",\n") + ("{\"kind\":" + base::json_quote(step.kind)) +
           ",\"principal\":" + text_or_null(step.principal) + ",\"project\":" + text_or_null(step.project) +
           ",\"dataset\":" + text_or_null(step.dataset) + ",\"role\":" + text_or_null(step.role) +
           ",\"reason\":" + base::json_quote(step.reason) + ",\"command\":" + base::json_quote(step.command) + "}";
  return "{\"steps\":[" + out + "]}\n";
}

}  // namespace flytt::app
