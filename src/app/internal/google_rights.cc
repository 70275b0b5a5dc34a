#include "app/internal/google_rights.h"

#include <strings.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "bigquery/http_transport.h"

namespace flytt::app {

namespace {

using Json = nlohmann::json;
using postgres::Finding;
using Severity = Finding::Severity;

constexpr const char* kPlace = "destination";
constexpr const char* kServiceUsage = "serviceusage.googleapis.com";
constexpr const char* kResourceManager = "cloudresourcemanager.googleapis.com";
constexpr const char* kConnectionApi = "bigqueryconnection.googleapis.com";

// An answer; of one that is not 2xx what Google says about it (google.rpc.Status with an ErrorInfo).
struct Answer {
  int status = 0;
  Json body;
  std::string message;
  std::string disabled_service;  // the API that is called is not enabled

  bool is_good() const { return status >= 200 && status < 300; }
  bool is_refused() const { return status == 401 || status == 403; }
};

std::string text_of(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const Json& list_of(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : kNone;
}

Answer read_answer(const bigquery::HttpResponse& response) {
  Answer answer;
  answer.status = response.status;
  answer.body = Json::parse(response.body, nullptr, false);
  if (answer.is_good()) return answer;
  const Json error = answer.body.is_object() && answer.body.contains("error") ? answer.body["error"] : Json();
  answer.message = text_of(error, "message");
  if (answer.message.empty()) answer.message = "HTTP status " + std::to_string(response.status);
  for (const Json& detail : list_of(error, "details"))
    if (text_of(detail, "reason") == "SERVICE_DISABLED" && detail.contains("metadata"))
      answer.disabled_service = text_of(detail["metadata"], "service");
  return answer;
}

class RightsCheck {
 public:
  RightsCheck(const RightsRequest& request, bigquery::Credentials& credentials, const GoogleEndpoints& endpoints,
              const base::Clock& clock)
      : request_(request), credentials_(credentials), endpoints_(endpoints), clock_(clock), member_(request.member) {}

  std::vector<Found> run() {
    check_apis();
    if (!is_stopped_) check_project();
    for (const QueryConnection& connection : request_.connections)
      if (!is_stopped_ && !disabled_.contains(kConnectionApi)) check_connection(connection);
    for (const std::string& dataset : request_.datasets)
      if (!is_stopped_) check_dataset(dataset);
    for (const std::string& bucket : request_.buckets)
      if (!is_stopped_) check_bucket(bucket);
    return std::move(found_);
  }

 private:
  void add(Severity severity, const std::string& rule, const std::string& object, const std::string& sentence,
           const std::string& fix) {
    found_.push_back({kPlace, {severity, rule, object, sentence, fix}});
  }

  // Nothing, after a finding, when there is no answer or the API itself is not enabled; then no more is asked where
  // it would only be said again.
  std::optional<Answer> ask(const std::string& base, const char* method, const std::string& target,
                            const Json& body = Json()) {
    auto headers = bigquery::sign_in(credentials_);
    if (!headers) {
      add(Severity::kError, "account", request_.account, headers.error().text(), "");
      is_stopped_ = true;
      return std::nullopt;
    }
    auto response = exchange(base, method, target, body, *headers);
    if (!response) {
      add(Severity::kError, "connection", base, response.error().text(), "check the network's way to " + base);
      is_stopped_ = true;
      return std::nullopt;
    }
    Answer answer = read_answer(*response);
    if (answer.status == 401) {
      add(Severity::kError, "account", request_.account, "Google does not take the credentials: " + answer.message,
          credentials_.next_step());
      is_stopped_ = true;
      return std::nullopt;
    }
    if (answer.disabled_service.empty()) return answer;
    add_disabled(answer.disabled_service, request_.project);
    return std::nullopt;
  }

  Result<bigquery::HttpResponse> exchange(const std::string& base, const char* method, const std::string& target,
                                          const Json& body, const bigquery::HttpHeaders& headers) {
    std::unique_ptr<bigquery::HttpTransport>& transport = transports_[base];
    if (!transport) {
      TRY(transport, bigquery::CurlTransport::make(base, clock_));
    }
    bigquery::HttpRequest request{method, target, {{"accept", "application/json"}}, body.is_null() ? "" : body.dump()};
    if (!body.is_null()) request.headers.emplace_back("content-type", "application/json");
    if (transport->is_secure()) request.headers.insert(request.headers.end(), headers.begin(), headers.end());
    return transport->send(request, clock_.in(kRightsCallMax));
  }

  void add_disabled(const std::string& service, const std::string& project) {
    if (disabled_.insert(service).second)
      add(Severity::kError, "api", service, "the API is not enabled in project " + project,
          enable_command(service, project));
  }

  void check_apis() {
    std::vector<std::string> services{"bigquery.googleapis.com", "bigquerystorage.googleapis.com"};
    if (!request_.connections.empty()) services.insert(services.end(), {kConnectionApi, "sqladmin.googleapis.com"});
    for (const std::string& service : services) {
      const auto answer =
          ask(endpoints_.service_usage, "GET", "/v1/projects/" + request_.project + "/services/" + service);
      if (!answer) return;
      if (!answer->is_good())
        return add(Severity::kAdvice, "api", request_.project,
                   "which APIs are enabled cannot be seen: " + answer->message,
                   grant_project_command(request_.project, member_, "roles/serviceusage.serviceUsageViewer"));
      if (text_of(answer->body, "state") != "ENABLED") add_disabled(service, request_.project);
    }
  }

  void add_role(Severity severity, const std::string& project, const std::string& role, const std::string& sentence) {
    add(severity, "role", role, request_.account + " " + sentence, grant_project_command(project, member_, role));
  }

  void check_project() {
    const Json asked = {{"permissions",
                         {"bigquery.jobs.create", "bigquery.datasets.get", "bigquery.tables.list",
                          "bigquery.datasets.create", "bigquery.tables.create", "bigquery.tables.updateData"}}};
    const auto answer =
        ask(endpoints_.resource_manager, "POST", "/v1/projects/" + request_.project + ":testIamPermissions", asked);
    if (!answer) return;
    if (!answer->is_good()) {
      add(Severity::kError, "project", request_.project, "the project cannot be asked: " + answer->message,
          "mend 'project' in the configuration, or let the account see it");
      is_stopped_ = true;
      return;
    }
    std::set<std::string> granted;
    for (const Json& permission : list_of(answer->body, "permissions"))
      if (permission.is_string()) granted.insert(permission.get<std::string>());
    is_editor_ = granted.contains("bigquery.tables.updateData") && granted.contains("bigquery.tables.create");
    makes_datasets_ = granted.contains("bigquery.datasets.create");
    if (!granted.contains("bigquery.jobs.create"))
      add_role(Severity::kError, request_.project, "roles/bigquery.jobUser",
               "may not run jobs in project " + request_.project);
    if (!granted.contains("bigquery.datasets.get") || !granted.contains("bigquery.tables.list"))
      add_role(Severity::kWarning, request_.project, "roles/bigquery.metadataViewer",
               "may not see which datasets and tables project " + request_.project + " has");
  }

  // -- connections

  void check_connection(const QueryConnection& used) {
    const ConnectionName& name = used.name;
    const auto answer = ask(endpoints_.connection, "GET", "/v1/" + name.resource());
    if (!answer) return;
    if (answer->status == 404)
      return add(
          Severity::kError, "connection", name.text(),
          "query '" + used.query + "' reads through this connection, and there is none",
          "somebody with roles/bigquery.connectionAdmin runs: bq mk --connection --connection_type=CLOUD_SQL "
          "--properties='{\"instanceId\":\"PROJECT:REGION:INSTANCE\",\"database\":\"DATABASE\",\"type\":"
          "\"POSTGRES\"}' --connection_credential='{\"username\":\"USER\",\"password\":\"PASSWORD\"}' --project_id=" +
              shell_quoted(name.project) + " --location=" + shell_quoted(name.location) + " " + shell_quoted(name.id));
    if (answer->is_refused())
      return add_role(Severity::kError, name.project, "roles/bigquery.connectionUser",
                      "may not see connection " + name.text() + ", through which query '" + used.query + "' reads");
    if (!answer->is_good())
      return add(Severity::kError, "connection", name.text(), "the connection cannot be asked: " + answer->message, "");
    check_use(used);
    check_agent(used, answer->body);
  }

  void check_use(const QueryConnection& used) {
    const auto answer = ask(endpoints_.connection, "POST", "/v1/" + used.name.resource() + ":testIamPermissions",
                            {{"permissions", {"bigquery.connections.use"}}});
    if (!answer) return;
    if (!answer->is_good() || list_of(answer->body, "permissions").empty())
      add_role(Severity::kError, used.name.project, "roles/bigquery.connectionUser",
               "may not use connection " + used.name.text() + ", through which query '" + used.query + "' reads");
  }

  // The connection has an account of its own, which opens Cloud SQL.
  void check_agent(const QueryConnection& used, const Json& connection) {
    const Json sql = connection.is_object() && connection.contains("cloudSql") ? connection["cloudSql"] : Json();
    const std::string instance = text_of(sql, "instanceId"), agent = text_of(sql, "serviceAccountId");
    const auto region = instance.rfind(':', instance.rfind(':') - 1);  // project:region:instance; p may be domain:p
    if (instance.empty() || agent.empty() || instance.rfind(':') == instance.npos || region == instance.npos)
      return;  // not Cloud SQL, so other rights hold
    const std::string project = instance.substr(0, region), member = "serviceAccount:" + agent;
    const std::string fix = grant_project_command(project, member, "roles/cloudsql.client");
    const auto answer =
        ask(endpoints_.resource_manager, "POST", "/v1/projects/" + project + ":getIamPolicy", Json::object());
    if (!answer) return;
    if (!answer->is_good())
      return add(Severity::kAdvice, "role", "roles/cloudsql.client",
                 "whether " + agent + ", the account of connection " + used.name.text() + ", may open " + instance +
                     " cannot be seen: " + answer->message,
                 fix);
    static const std::set<std::string> kEnough{"roles/cloudsql.client", "roles/cloudsql.editor", "roles/cloudsql.admin",
                                               "roles/editor", "roles/owner"};
    for (const Json& binding : list_of(answer->body, "bindings"))
      if (kEnough.contains(text_of(binding, "role")))
        for (const Json& entry : list_of(binding, "members"))
          if (entry == member) return;
    add(Severity::kError, "role", "roles/cloudsql.client",
        agent + ", the account of connection " + used.name.text() + ", may not open " + instance, fix);
  }

  // -- datasets

  void check_dataset(const std::string& dataset) {
    const std::string object = request_.project + "." + dataset;
    const std::string grant = grant_dataset_command(request_.project, dataset, member_, "roles/bigquery.dataEditor");
    const auto answer =
        ask(endpoints_.bigquery, "GET", "/bigquery/v2/projects/" + request_.project + "/datasets/" + dataset);
    if (!answer) return;
    if (answer->status == 404) {
      if (!makes_datasets_)
        add(Severity::kError, "dataset", object,
            "there is no such dataset, and " + request_.account + " may not make it",
            make_dataset_command(request_.project, dataset, request_.location) + " && " + grant);
      return;
    }
    if (!answer->is_good())
      return add(Severity::kError, "dataset", object, "the dataset cannot be seen: " + answer->message, grant);
    check_location(object, text_of(answer->body, "location"));
    if (!is_editor_) check_editor(object, answer->body, grant);
    if (std::find(request_.landing.begin(), request_.landing.end(), dataset) != request_.landing.end())
      check_landing(object, answer->body);
  }

  // A job runs in one location and sees the datasets that lie there.
  void check_location(const std::string& object, const std::string& location) {
    const std::string& wanted = request_.location;
    if (location.empty() || (location.size() == wanted.size() && strcasecmp(location.c_str(), wanted.c_str()) == 0))
      return;
    add(Severity::kError, "location", object,
        "the dataset lies in " + location + ", and jobs run in " + wanted + ", where it is not found",
        "set 'location: " + location + "' in the configuration, or name a dataset that lies in " + wanted);
  }

  // BigQuery stores the basic roles' names: WRITER is dataEditor, OWNER dataOwner.
  void check_editor(const std::string& object, const Json& dataset, const std::string& grant) {
    static const std::set<std::string> kEnough{"WRITER", "OWNER", "roles/bigquery.dataEditor",
                                               "roles/bigquery.dataOwner", "roles/bigquery.admin"};
    std::string groups;
    for (const Json& entry : list_of(dataset, "access")) {
      if (!kEnough.contains(text_of(entry, "role"))) continue;
      if (text_of(entry, "userByEmail") == request_.account || text_of(entry, "iamMember") == member_) return;
      if (const std::string group = text_of(entry, "groupByEmail"); !group.empty())
        groups += (groups.empty() ? "" : ", ") + group;
    }
    if (!dataset.contains("access"))
      return add(Severity::kAdvice, "dataset_access", object, "who may write the dataset cannot be seen", grant);
    if (!request_.is_account_known)
      return add(Severity::kAdvice, "dataset_access", object,
                 "whether " + request_.account +
                     " may write the dataset cannot be seen, because the credentials do not "
                     "tell the account",
                 grant);
    if (!groups.empty())
      return add(Severity::kAdvice, "dataset_access", object,
                 request_.account + " may write the dataset only as a member of " + groups + ", which cannot be seen",
                 grant);
    add(Severity::kError, "dataset_access", object, request_.account + " may not write the dataset", grant);
  }

  void check_landing(const std::string& object, const Json& dataset) {
    static const std::set<std::string> kWide{"projectReaders", "projectWriters", "allAuthenticatedUsers"};
    std::string wide;
    for (const Json& entry : list_of(dataset, "access"))
      if (const std::string group = text_of(entry, "specialGroup"); kWide.contains(group))
        wide += (wide.empty() ? "" : ", ") + group;
    if (!wide.empty())
      add(Severity::kAdvice, "landing", object, "rows land here, and all " + wide + " can read them",
          "flytt render iam --reader group:TEAM@EXAMPLE.NO prints what leaves it to the team");
  }

  // -- buckets

  void check_bucket(const std::string& bucket) {
    static const std::vector<std::string> kWanted{"storage.objects.create", "storage.objects.delete",
                                                  "storage.objects.get", "storage.objects.list"};
    const std::string object = "gs://" + bucket;
    std::string target = "/storage/v1/b/" + bucket + "/iam/testPermissions";
    for (const std::string& permission : kWanted)
      target += (permission == kWanted.front() ? "?permissions=" : "&permissions=") + permission;
    const auto answer = ask(endpoints_.storage, "GET", target);
    if (!answer) return;
    if (answer->status == 404)
      return add(Severity::kError, "bucket", object, "there is no such bucket",
                 make_bucket_command(bucket, request_.project, request_.location));
    const std::string grant = grant_bucket_command(bucket, member_, "roles/storage.objectUser");
    if (!answer->is_good())
      return add(Severity::kError, "bucket", object, "the bucket cannot be asked: " + answer->message,
                 answer->is_refused() ? grant : "");
    std::string missing;
    const Json& granted = list_of(answer->body, "permissions");
    for (const std::string& permission : kWanted)
      if (std::find(granted.begin(), granted.end(), Json(permission)) == granted.end())
        missing += (missing.empty() ? "" : ", ") + permission;
    if (!missing.empty())
      add(Severity::kError, "bucket", object, request_.account + " may not write the bucket: it lacks " + missing,
          grant);
  }

  const RightsRequest& request_;
  bigquery::Credentials& credentials_;
  const GoogleEndpoints& endpoints_;
  const base::Clock& clock_;
  const std::string member_;
  std::map<std::string, std::unique_ptr<bigquery::HttpTransport>> transports_;
  std::vector<Found> found_;
  std::set<std::string> disabled_;
  bool is_editor_ = false, makes_datasets_ = false;
  bool is_stopped_ = false;  // nothing more can be found out
};

}  // namespace

Result<RightsRequest> rights_request(const Config& config, const bigquery::Account& account) {
  RightsRequest request{
      config.project, config.location, account.email, datasets_of(config), landing_datasets_of(config), {},
      config.buckets};
  request.is_account_known = account.email.find('@') != std::string::npos;
  request.member = (account.is_user ? "user:" : "serviceAccount:") + account.email;
  if (!request.is_account_known) {  // what somebody has to put there
    request.member = account.is_user ? "user:NAME@EXAMPLE.NO" : "principal://iam.googleapis.com/SUBJECT";
    if (account.email.empty()) request.account = account.is_user ? "the signed-in user" : "the workload's identity";
  }
  TRY(request.connections, connections_of(config));
  return request;
}

std::vector<Found> check_google_rights(const RightsRequest& request, bigquery::Credentials& credentials,
                                       const GoogleEndpoints& endpoints, const base::Clock& clock) {
  return RightsCheck(request, credentials, endpoints, clock).run();
}

}  // namespace flytt::app
