// What is missing at Google, asked of a server that answers as Google's APIs do.

#include "app/internal/google_rights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "app/commands.h"
#include "app/internal/iam_plan.h"
#include "app/output.h"
#include "gateway/http_server.h"

namespace flytt::app {
namespace {

const std::string kAccount = "flytt@team-sak.iam.gserviceaccount.com";
const std::string kAgent = "service-123@gcp-sa-bigqueryconnection.iam.gserviceaccount.com";

gateway::HttpResponse refused(int status, const std::string& message, const std::string& details = "") {
  return {status,
          "application/json",
          R"({"error":{"code":)" + std::to_string(status) + R"(,"message":")" + message +
              R"(","status":"X","details":[)" + details + "]}}",
          {}};
}

gateway::HttpResponse disabled(const std::string& service) {
  return refused(403, service + " has not been used in project 123 before or it is disabled.",
                 R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED",)"
                 R"("domain":"googleapis.com","metadata":{"service":")" +
                     service + R"(","consumer":"projects/123"}})");
}

// Everything is in order, but for the answers that a test replaces.
class GooglePeer final : public gateway::HttpHandler {
 public:
  GooglePeer() {
    for (const char* service : {"bigquery.googleapis.com", "bigquerystorage.googleapis.com",
                                "bigqueryconnection.googleapis.com", "sqladmin.googleapis.com"})
      answers["GET /v1/projects/team-sak/services/" + std::string(service)] = {
          200,
          "application/json",
          R"({"name":"projects/123/services/)" + std::string(service) +
              R"(","parent":"projects/123","state":"ENABLED"})",
          {}};
    answer("POST /v1/projects/team-sak:testIamPermissions",
           R"({"permissions":["bigquery.jobs.create","bigquery.datasets.get","bigquery.tables.list"]})");
    answer("GET /v1/projects/team-sak/locations/europe-north1/connections/sak",
           R"({"name":"projects/123/locations/europe-north1/connections/sak","cloudSql":{"instanceId":)"
           R"("prod-sak:europe-north1:sak","database":"sak","type":"POSTGRES","serviceAccountId":")" +
               kAgent + R"("},"hasCredential":true})");
    answer("POST /v1/projects/team-sak/locations/europe-north1/connections/sak:testIamPermissions",
           R"({"permissions":["bigquery.connections.use"]})");
    answer("POST /v1/projects/prod-sak:getIamPolicy",
           R"({"version":1,"etag":"BwX","bindings":[{"role":"roles/cloudsql.client","members":["serviceAccount:)" +
               kAgent + R"("]}]})");
    answer("GET /bigquery/v2/projects/team-sak/datasets/landing_sak",
           R"({"access":[{"role":"OWNER","specialGroup":"projectOwners"},{"role":"WRITER","userByEmail":")" + kAccount +
               R"("}]})");
  }

  void answer(const std::string& request, const std::string& body) {
    answers[request] = {200, "application/json", body, {}};
  }

  gateway::HttpResponse handle(const gateway::HttpRequest& request) override {
    std::lock_guard lock(mutex_);
    const std::string name = request.method + " " + request.path;
    asked.push_back(name);
    const auto found = answers.find(name);
    return found == answers.end() ? refused(404, "Not found: " + request.path) : found->second;
  }

  std::map<std::string, gateway::HttpResponse> answers;
  std::vector<std::string> asked;

 private:
  std::mutex mutex_;
};

class GoogleRightsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = gateway::HttpServer::start({}, peer_, clock_);
    ASSERT_TRUE(started) << started.error().text();
    server_ = std::move(*started);
    const std::string url = "http://" + server_->address();
    endpoints_ = {url, url, url, url, url};
    request_.member = "serviceAccount:" + kAccount;
  }

  // "rule object|sentence|fix" of each.
  std::vector<std::string> findings() {
    const auto credentials = bigquery::no_credentials();
    std::vector<std::string> out;
    for (const Found& entry : check_google_rights(request_, *credentials, endpoints_, clock_)) {
      severities_.push_back(entry.finding.severity);
      out.push_back(entry.finding.rule + " " + entry.finding.object + "|" + entry.finding.sentence + "|" +
                    entry.finding.fix);
    }
    return out;
  }
  void expect_one(const std::string& text) {
    const auto found = findings();
    ASSERT_EQ(found.size(), 1U) << testing::PrintToString(found);
    EXPECT_EQ(found[0], text);
  }

  base::SystemClock clock_;
  GooglePeer peer_;
  std::unique_ptr<gateway::HttpServer> server_;
  GoogleEndpoints endpoints_;
  RightsRequest request_{"team-sak",
                         "europe-north1",
                         kAccount,
                         {"landing_sak"},
                         {"landing_sak"},
                         {{"dataproducts", {"team-sak", "europe-north1", "sak"}}},
                         {}};
  std::vector<postgres::Finding::Severity> severities_;
};

using Severity = postgres::Finding::Severity;

TEST_F(GoogleRightsTest, NothingIsFoundWhenAllIsThere) {
  EXPECT_TRUE(findings().empty());
  EXPECT_EQ(peer_.asked.size(), 9U);
}

TEST_F(GoogleRightsTest, ADatasetElsewhereIsNotFoundByJobs) {
  const std::string rest = R"("access":[{"role":"WRITER","userByEmail":")" + kAccount + R"("}]})";
  peer_.answer("GET /bigquery/v2/projects/team-sak/datasets/landing_sak", R"({"location":"EUROPE-NORTH1",)" + rest);
  EXPECT_TRUE(findings().empty()) << "names of locations have no case";
  peer_.answer("GET /bigquery/v2/projects/team-sak/datasets/landing_sak", R"({"location":"EU",)" + rest);
  expect_one(
      "location team-sak.landing_sak|the dataset lies in EU, and jobs run in europe-north1, where it is not found|set "
      "'location: EU' in the configuration, or name a dataset that lies in europe-north1");
}

TEST_F(GoogleRightsTest, ABucketIsTried) {
  const std::string path = "GET /storage/v1/b/team-sak-story/iam/testPermissions";
  const std::string all = R"("storage.objects.get","storage.objects.list","storage.objects.create")";
  request_.buckets = {"team-sak-story"};
  peer_.answer(
      path, R"({"kind":"storage#testIamPermissionsResponse","permissions":[)" + all + R"(,"storage.objects.delete"]})");
  EXPECT_TRUE(findings().empty());
  const std::string grant =
      "gcloud storage buckets add-iam-policy-binding gs://team-sak-story --member=serviceAccount:" + kAccount +
      " --role=roles/storage.objectUser";
  peer_.answer(path, R"({"permissions":[)" + all + "]}");
  expect_one("bucket gs://team-sak-story|" + kAccount + " may not write the bucket: it lacks storage.objects.delete|" +
             grant);
  peer_.answers[path] = refused(403, kAccount + " does not have storage.buckets.get access.");
  expect_one("bucket gs://team-sak-story|the bucket cannot be asked: " + kAccount +
             " does not have storage.buckets.get access.|" + grant);
  peer_.answers.erase(path);
  expect_one(
      "bucket gs://team-sak-story|there is no such bucket|gcloud storage buckets create gs://team-sak-story "
      "--project=team-sak --location=europe-north1 --uniform-bucket-level-access");
}

TEST(BucketMentions, AreThoseThatAreNotListed) {
  Config config;
  config.buckets = {"listed"};
  config.queries.resize(1);
  config.queries[0].name = "q";
  config.queries[0].sql = "SELECT 'gs://listed/a', 'gs://', 'gs://other-1/b', \"gs://other-1\"";
  config.jobs.resize(1);
  config.jobs[0].name = "j";
  config.jobs[0].run = {"./copy", "--to=gs://third/x"};
  config.jobs[0].environment = {{"BUCKET", "gs://listed"}, {"OUT", "gs://fourth"}};
  std::string text;
  for (const BucketMention& mention : unlisted_buckets(config)) text += mention.place + " " + mention.bucket + "\n";
  EXPECT_EQ(text, "query:q other-1\njob:j third\njob:j fourth\n");
}

TEST_F(GoogleRightsTest, NamesEachApiThatIsNotEnabled) {
  peer_.answer("GET /v1/projects/team-sak/services/sqladmin.googleapis.com", R"({"state":"DISABLED"})");
  peer_.answer("GET /v1/projects/team-sak/services/bigqueryconnection.googleapis.com", R"({"state":"DISABLED"})");
  const auto found = findings();
  ASSERT_EQ(found.size(), 2U) << testing::PrintToString(found);
  EXPECT_EQ(found[0],
            "api bigqueryconnection.googleapis.com|the API is not enabled in project team-sak|"
            "gcloud services enable bigqueryconnection.googleapis.com --project=team-sak");
  EXPECT_EQ(found[1],
            "api sqladmin.googleapis.com|the API is not enabled in project team-sak|"
            "gcloud services enable sqladmin.googleapis.com --project=team-sak");
}

TEST_F(GoogleRightsTest, AnApiThatRefusesBecauseItIsDisabledIsNamedOnce) {
  request_.connections.push_back({"other", {"team-sak", "europe-north1", "other"}});
  peer_.answers["GET /v1/projects/team-sak/locations/europe-north1/connections/sak"] =
      disabled("bigqueryconnection.googleapis.com");
  expect_one(
      "api bigqueryconnection.googleapis.com|the API is not enabled in project team-sak|"
      "gcloud services enable bigqueryconnection.googleapis.com --project=team-sak");
}

TEST_F(GoogleRightsTest, ApisThatCannotBeSeenAreAdvice) {
  peer_.answers["GET /v1/projects/team-sak/services/bigquery.googleapis.com"] = refused(403, "Permission denied");
  expect_one(
      "api team-sak|which APIs are enabled cannot be seen: Permission denied|gcloud projects "
      "add-iam-policy-binding team-sak --member=serviceAccount:" +
      kAccount + " --role=roles/serviceusage.serviceUsageViewer --condition=None");
  EXPECT_EQ(severities_[0], Severity::kAdvice);
}

TEST_F(GoogleRightsTest, NamesRolesOfTheProject) {
  peer_.answer("POST /v1/projects/team-sak:testIamPermissions", "{}");
  const auto found = findings();
  ASSERT_EQ(found.size(), 2U) << testing::PrintToString(found);
  EXPECT_EQ(found[0], "role roles/bigquery.jobUser|" + kAccount +
                          " may not run jobs in project team-sak|gcloud projects add-iam-policy-binding team-sak "
                          "--member=serviceAccount:" +
                          kAccount + " --role=roles/bigquery.jobUser --condition=None");
  EXPECT_NE(found[1].find("roles/bigquery.metadataViewer"), std::string::npos);
  EXPECT_EQ(severities_, (std::vector<Severity>{Severity::kError, Severity::kWarning}));
}

TEST_F(GoogleRightsTest, AConnectionThatIsNotThereHasTheCommandThatMakesIt) {
  peer_.answers.erase("GET /v1/projects/team-sak/locations/europe-north1/connections/sak");
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U) << testing::PrintToString(found);
  EXPECT_EQ(
      found[0].find("connection team-sak.europe-north1.sak|query 'dataproducts' reads through this connection, and "
                    "there is none|somebody with roles/bigquery.connectionAdmin runs: bq mk --connection"),
      0U)
      << found[0];
}

TEST_F(GoogleRightsTest, AConnectionThatMayNotBeUsedNeedsConnectionUser) {
  const std::string grant = "gcloud projects add-iam-policy-binding team-sak --member=serviceAccount:" + kAccount +
                            " --role=roles/bigquery.connectionUser --condition=None";
  peer_.answer("POST /v1/projects/team-sak/locations/europe-north1/connections/sak:testIamPermissions", "{}");
  expect_one("role roles/bigquery.connectionUser|" + kAccount +
             " may not use connection team-sak.europe-north1.sak, through which query 'dataproducts' reads|" + grant);
  peer_.answers["GET /v1/projects/team-sak/locations/europe-north1/connections/sak"] =
      refused(403, "Permission denied");
  expect_one("role roles/bigquery.connectionUser|" + kAccount +
             " may not see connection team-sak.europe-north1.sak, through which query 'dataproducts' reads|" + grant);
}

TEST_F(GoogleRightsTest, TheConnectionsOwnAccountNeedsCloudSqlClientInTheProjectOfTheInstance) {
  const std::string grant = "gcloud projects add-iam-policy-binding prod-sak --member=serviceAccount:" + kAgent +
                            " --role=roles/cloudsql.client --condition=None";
  peer_.answer("POST /v1/projects/prod-sak:getIamPolicy",
               R"({"bindings":[{"role":"roles/cloudsql.viewer","members":["serviceAccount:)" + kAgent +
                   R"("]},{"role":"roles/cloudsql.client","members":["serviceAccount:other@x.example"]}]})");
  expect_one("role roles/cloudsql.client|" + kAgent +
             ", the account of connection team-sak.europe-north1.sak, may not open prod-sak:europe-north1:sak|" +
             grant);
  severities_.clear();
  peer_.answers["POST /v1/projects/prod-sak:getIamPolicy"] = refused(403, "The caller does not have permission");
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(severities_[0], Severity::kAdvice);
  EXPECT_TRUE(found[0].ends_with("|" + grant)) << found[0];
}

TEST_F(GoogleRightsTest, ADatasetThatMayNotBeWrittenNeedsDataEditor) {
  const std::string grant =
      "bq query --project_id=team-sak --use_legacy_sql=false 'GRANT `roles/bigquery.dataEditor` ON SCHEMA "
      "`team-sak.landing_sak` TO \"serviceAccount:" +
      kAccount + "\"'";
  const std::string dataset = "GET /bigquery/v2/projects/team-sak/datasets/landing_sak";
  peer_.answer(dataset, R"({"access":[{"role":"READER","userByEmail":")" + kAccount + R"("}]})");
  expect_one("dataset_access team-sak.landing_sak|" + kAccount + " may not write the dataset|" + grant);
  peer_.answer(dataset, R"({"access":[{"role":"WRITER","groupByEmail":"team@example.no"}]})");
  expect_one("dataset_access team-sak.landing_sak|" + kAccount +
             " may write the dataset only as a member of team@example.no, which cannot be seen|" + grant);
  EXPECT_EQ(severities_, (std::vector<Severity>{Severity::kError, Severity::kAdvice}));
  peer_.answers.erase(dataset);
  expect_one("dataset team-sak.landing_sak|there is no such dataset, and " + kAccount +
             " may not make it|bq mk --dataset --force --location=europe-north1 team-sak:landing_sak && " + grant);
  peer_.answer("POST /v1/projects/team-sak:testIamPermissions",
               R"({"permissions":["bigquery.jobs.create","bigquery.datasets.get","bigquery.tables.list",)"
               R"("bigquery.datasets.create","bigquery.tables.create","bigquery.tables.updateData"]})");
  EXPECT_TRUE(findings().empty()) << "an editor of the project makes it";
}

TEST_F(GoogleRightsTest, ALandingZoneThatIsOpenToTheProjectIsAdvice) {
  peer_.answer("GET /bigquery/v2/projects/team-sak/datasets/landing_sak",
               R"({"access":[{"role":"READER","specialGroup":"projectReaders"},{"role":"WRITER","userByEmail":")" +
                   kAccount + R"("}]})");
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].find("landing team-sak.landing_sak|rows land here, and all projectReaders can read them|"), 0U);
  EXPECT_EQ(severities_[0], Severity::kAdvice);
}

TEST_F(GoogleRightsTest, AKeyThatGoogleDoesNotTakeIsSaidOnce) {
  peer_.answers["GET /v1/projects/team-sak/services/bigquery.googleapis.com"] = refused(401, "invalid credentials");
  expect_one("account " + kAccount +
             "|Google does not take the credentials: invalid credentials|use other credentials");
  EXPECT_EQ(peer_.asked.size(), 1U);
}

TEST_F(GoogleRightsTest, AServerThatIsNotThereIsSaidOnce) {
  server_->stop(clock_.in(std::chrono::seconds(5)));
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U) << testing::PrintToString(found);
  EXPECT_EQ(found[0].find("connection http://127.0.0.1:"), 0U);
}

TEST_F(GoogleRightsTest, NothingIsSentInTheClearBeyondLoopback) {
  endpoints_.service_usage = "http://example.no";
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U) << testing::PrintToString(found);
  EXPECT_TRUE(peer_.asked.empty());
}

TEST(GoogleNames, ConnectionsAreReadFromTheStatement) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(external_query_names("SELECT * FROM EXTERNAL_QUERY('eu.a', 'SELECT 1')"), Names{"eu.a"});
  EXPECT_EQ(external_query_names("SELECT 1 -- EXTERNAL_QUERY('x')\n/* EXTERNAL_QUERY('y') */ # EXTERNAL_QUERY('z')"),
            Names{});
  EXPECT_EQ(external_query_names("SELECT 'EXTERNAL_QUERY(\\'x\\')', `EXTERNAL_QUERY`, MY_EXTERNAL_QUERY('y')"),
            Names{});
  EXPECT_EQ(external_query_names("external_query /* c */ ( \n'''p.eu.a''', r\"x\") JOIN External_Query(\"b\", '')"),
            (Names{"p.eu.a", "b"}));
  EXPECT_EQ(external_query_names("EXTERNAL_QUERY("), Names{});
  EXPECT_EQ(external_query_names("EXTERNAL_QUERY('open"), Names{"open"});
}

TEST(GoogleNames, FormsOfAConnection) {
  const ConnectionName wanted{"p", "eu", "c"};
  EXPECT_EQ(*parse_connection_name("eu.c", "p"), wanted);
  EXPECT_EQ(*parse_connection_name("p.eu.c", "other"), wanted);
  EXPECT_EQ(*parse_connection_name("projects/p/locations/eu/connections/c", "other"), wanted);
  EXPECT_EQ(parse_connection_name("example.com:p.eu.c", "other")->project, "example.com:p");
  EXPECT_FALSE(parse_connection_name("sak", "p"));
  EXPECT_FALSE(parse_connection_name("eu.", "p"));
}

TEST(GoogleNames, ShellTextIsQuoted) {
  EXPECT_EQ(shell_quoted("team-sak:landing"), "team-sak:landing");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(shell_quoted(""), "''");
}

constexpr const char* kConfig = R"(project: team-sak
location: europe-north1
sources:
  sak: {postgres: "postgres://u:hemmelig@127.0.0.1/sak"}
streams: {sak: {from: sak, to: landing_sak}}
queries:
  dataproducts:
    schedule: {cron: "15 5 * * *", timezone: Europe/Oslo}
    to: produkt_sak.dataproducts
    sql: SELECT * FROM EXTERNAL_QUERY('europe-north1.sak', 'SELECT id FROM dataproducts')
)";

Result<Config> config(const std::string& text = kConfig) {
  return parse_config(text, "flytt.yaml", [](const std::string&) { return std::nullopt; });
}

std::string file(const std::string& path) {
  std::ifstream in(FLYTT_SOURCE_DIR + path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(IamPlan, LooksAsBefore) {
  const auto steps = plan_iam(*config(), {kAccount, {"group:team-sak@example.no"}});
  ASSERT_TRUE(steps) << steps.error().text();
  EXPECT_EQ(iam_text(*steps), file("/tests/golden/render_iam.txt"));
  EXPECT_EQ(iam_json(*steps), file("/tests/golden/render_iam.json"));
  EXPECT_EQ(iam_text(*steps).find("hemmelig"), std::string::npos);
}

TEST(IamPlan, IsPrintedByTheVerb) {
  const std::string path = testing::TempDir() + "flytt-render.yaml";
  std::ofstream(path) << kConfig;
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"flytt", "render", "iam", "--config", path});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = run_command_line(static_cast<int>(arguments.size()), arguments.data());
    static_cast<void>(testing::internal::GetCapturedStderr());
    return std::pair(status, testing::internal::GetCapturedStdout());
  };
  const std::vector<std::string> whole{"--account", kAccount, "--reader", "group:team-sak@example.no"};
  EXPECT_EQ(run(whole), std::pair(kExitDone, file("/tests/golden/render_iam.txt")));
  std::vector<std::string> as_json = whole;
  as_json.push_back("--json");
  EXPECT_EQ(run(as_json), std::pair(kExitDone, file("/tests/golden/render_iam.json")));
  EXPECT_EQ(run({}), std::pair(kExitUsage, std::string()));
  std::remove(path.c_str());
}

TEST(IamPlan, ARoleIsGivenOnceHoweverManyConnectionsNeedIt) {
  std::string two = kConfig;
  two +=
      "  other:\n    schedule: {every: 1h}\n    to: produkt_sak.other\n"
      "    sql: SELECT * FROM EXTERNAL_QUERY('europe-north1.other', 'SELECT 1')\n";
  const auto steps = plan_iam(*config(two), {kAccount, {}});
  ASSERT_TRUE(steps) << steps.error().text();
  const auto count = [&](const std::string& role) {
    return std::count_if(steps->begin(), steps->end(), [&](const IamStep& step) { return step.role == role; });
  };
  EXPECT_EQ(count("roles/bigquery.connectionUser"), 1);
  EXPECT_EQ(count("roles/cloudsql.client"), 2) << "each connection has an account of its own";
}

TEST(IamPlan, SaysWhatIsMissing) {
  const auto error = [](const IamRequest& request, const std::string& text = kConfig) {
    const auto steps = plan_iam(*config(text), request);
    return steps ? std::string() : steps.error().text();
  };
  EXPECT_NE(error({"", {}}).find("--account flytt@team-sak.iam"), std::string::npos);
  EXPECT_NE(error({"flytt", {}}).find("must be an e-mail address"), std::string::npos);
  EXPECT_NE(error({kAccount, {"team@example.no"}}).find("must be group:"), std::string::npos);
  std::string bare = kConfig;
  bare.replace(bare.find("europe-north1.sak"), 17, "sak");
  const std::string text = error({kAccount, {}}, bare);
  EXPECT_NE(text.find("'sak' is no connection of BigQuery"), std::string::npos) << text;
  EXPECT_NE(text.find("query dataproducts"), std::string::npos) << text;
}

TEST(RightsRequest, LandingIsWhatComesFromSources) {
  const auto request = rights_request(*config(), {kAccount, false});
  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ(request->datasets, (std::vector<std::string>{"landing_sak", "produkt_sak"}));
  EXPECT_EQ(request->landing, std::vector<std::string>{"landing_sak"});
  ASSERT_EQ(request->connections.size(), 1U);
  EXPECT_EQ(request->connections[0].name.text(), "team-sak.europe-north1.sak");
}

}  // namespace
}  // namespace flytt::app
