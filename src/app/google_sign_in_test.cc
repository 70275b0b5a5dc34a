// The program at Google without a key: it finds a metadata server, and behind it nobody.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include "app/commands.h"
#include "app/config.h"
#include "app/output.h"
#include "gateway/http_server.h"

namespace flytt::app {
namespace {

constexpr const char* kToken = "ya29.hemmelig-4711";
constexpr const char* kAccount = "flytt@team-sak.iam.gserviceaccount.com";
constexpr const char* kEverything = "GET /computeMetadata/v1/";

// A metadata server. As a proxy it lets nobody through.
class MetadataPeer final : public gateway::HttpHandler {
 public:
  MetadataPeer() {
    const std::string account = std::string(kEverything) + "instance/service-accounts/default/";
    answers["GET /"] = {200, "text/html", "computeMetadata/\n", {}};
    answers[account + "token"] = {
        200, "application/json", std::string(R"({"access_token":")") + kToken + R"(","expires_in":3599})", {}};
    answers[account + "email"] = {200, "application/text", kAccount, {}};
    answers[std::string(kEverything) + "project/project-id"] = {200, "application/text", "team-sak-dev", {}};
  }
  gateway::HttpResponse handle(const gateway::HttpRequest& request) override {
    std::lock_guard lock(mutex_);
    asked.push_back(request.method + " " + request.path);
    const auto found = answers.find(asked.back());
    gateway::HttpResponse out =
        found == answers.end() ? gateway::HttpResponse{404, "text/html", "", {}} : found->second;
    out.headers.emplace_back("Metadata-Flavor", "Google");
    return out;
  }
  std::map<std::string, gateway::HttpResponse> answers;
  std::vector<std::string> asked;

 private:
  std::mutex mutex_;
};

class GoogleSignInTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = gateway::HttpServer::start({}, peer_, clock_);
    ASSERT_TRUE(started) << started.error().text();
    server_ = std::move(*started);
    folder_ = testing::TempDir() + "flytt_sign_in_" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
    write("");
    set("GCE_METADATA_HOST", server_->address());
    set("HTTPS_PROXY", "http://" + server_->address());
    set("CLOUDSDK_CONFIG", folder_);
    for (const char* name : {"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCP_TEAM_PROJECT_ID"})
      ::unsetenv(name);
  }
  void TearDown() override {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
    std::filesystem::remove_all(folder_);
  }
  void set(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    set_.push_back(name);
  }
  void write(const std::string& head) {
    std::ofstream(folder_ + "/flytt.yaml") << head << "destination: {bigquery: {}}\nstate: {sqlite: ./state.db}\n"
                                           << "jobs: {j: {run: [/bin/true], schedule: {every: 1h}}}\n";
  }
  // What is printed, standard output first, and the exit status.
  std::pair<int, std::string> run(std::vector<std::string> words) {
    words.insert(words.begin(), "flytt");
    words.insert(words.end(), {"--config", folder_ + "/flytt.yaml"});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = run_command_line(static_cast<int>(arguments.size()), arguments.data());
    const std::string out = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
    EXPECT_EQ(out.find(kToken), out.npos) << out;
    return {status, out};
  }

  base::SystemClock clock_;
  MetadataPeer peer_;
  std::unique_ptr<gateway::HttpServer> server_;
  std::string folder_;
  std::vector<std::string> set_;
};

TEST_F(GoogleSignInTest, CheckSaysWhoSignsInAndForWhichProject) {
  const auto [status, text] = run({"check"});
  EXPECT_EQ(text.find("project team-sak-dev, account " + std::string(kAccount) + ", by the metadata server " +
                      server_->address() + "\n"),
            0U)
      << text;
  EXPECT_NE(text.find("https://serviceusage.googleapis.com cannot be reached"), text.npos) << text;
  EXPECT_EQ(status, kExitFindings);
  const auto json = run({"check", "--json"}).second;
  EXPECT_EQ(json.find(R"({"sign_in":{"project":"team-sak-dev","account":")" + std::string(kAccount) + "\""), 0U)
      << json;
}

TEST_F(GoogleSignInTest, TheProjectOfTheEnvironmentAndThatOfTheFileComeFirst) {
  const auto project = [&] {
    const std::string text = run({"check"}).second;
    return text.substr(0, text.find(','));
  };
  set("GCP_TEAM_PROJECT_ID", "of-nais");
  EXPECT_EQ(project(), "project of-nais");
  set("GOOGLE_CLOUD_PROJECT", "of-google");
  EXPECT_EQ(project(), "project of-google");
  write("project: of-the-file\n");
  EXPECT_EQ(project(), "project of-the-file");
}

TEST_F(GoogleSignInTest, CheckNamesAMissingBinding) {
  for (auto& [request, answer] : peer_.answers)
    if (request.ends_with("/email") || request.ends_with("/token")) answer = {403, "text/html", kToken, {}};
  const auto [status, text] = run({"check"});
  EXPECT_EQ(status, kExitFindings);
  EXPECT_NE(text.find("bind the pod to an account, with annotation iam.gke.io/gcp-service-account"), text.npos) << text;
  EXPECT_EQ(text.find("cannot be reached"), text.npos) << text;
}

TEST_F(GoogleSignInTest, WhatStaysHereAsksNobody) {
  EXPECT_EQ(run({"job", "next"}).first, kExitDone);
  EXPECT_EQ(run({"status"}).first, kExitDone);
  EXPECT_TRUE(peer_.asked.empty());
}

TEST_F(GoogleSignInTest, RightsAreRenderedForTheMachinesAccount) {
  const auto [status, text] = run({"render", "iam"});
  EXPECT_EQ(status, kExitDone) << text;
  EXPECT_NE(text.find("projects add-iam-policy-binding team-sak-dev --member=serviceAccount:" + std::string(kAccount)),
            text.npos)
      << text;
}

TEST_F(GoogleSignInTest, WhoHasSignedInComesBeforeTheMachine) {
  std::ofstream(folder_ + "/application_default_credentials.json")
      << R"({"type":"authorized_user","client_id":"c","client_secret":"hemmelig","refresh_token":"hemmelig",)"
      << R"("quota_project_id":"of-the-quota","token_uri":"http://)" << server_->address() << "/token\"}";
  peer_.answers["POST /token"] = {400, "application/json", R"({"error":"invalid_grant"})", {}};
  const auto [status, text] = run({"check"});
  EXPECT_EQ(status, kExitFindings);
  EXPECT_EQ(text.find("project of-the-quota, account the signed-in user, by the sign-in in " + folder_ +
                      "/application_default_credentials.json\n"),
            0U)
      << text;
  EXPECT_NE(text.find("sign in again, `gcloud auth application-default login` (HTTP status 400, invalid_grant)"),
            text.npos)
      << text;
  EXPECT_EQ(text.find("hemmelig"), text.npos) << text;
  // A person tries things out; who runs flytt has to be named.
  EXPECT_NE(run({"render", "iam"}).second.find("--account flytt@of-the-quota.iam"), std::string::npos);
}

TEST(GoogleConfig, PlacesOfCredentials) {
  std::map<std::string, std::string> variables{{"HOME", "/home/a"}};
  const auto places = [&](const std::string& google) {
    const auto config = parse_config("destination: {bigquery: " + google + "}\nstate: {sqlite: s}\n",
                                     "/etc/flytt/flytt.yaml", [&](const std::string& name) {
                                       const auto found = variables.find(name);
                                       return found == variables.end() ? std::nullopt : std::optional(found->second);
                                     });
    EXPECT_TRUE(config) << config.error().text();
    return config ? config->destination.sign_in : bigquery::CredentialsPlaces();
  };
  bigquery::CredentialsPlaces found = places("{}");
  EXPECT_EQ(found.key_file, "");
  EXPECT_EQ(found.signed_in_file, "/home/a/.config/gcloud/application_default_credentials.json");
  EXPECT_FALSE(found.expects_metadata);
  variables = {{"GOOGLE_APPLICATION_CREDENTIALS", "/secrets/adc.json"},
               {"CLOUDSDK_CONFIG", "/g"},
               {"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
               {"GOOGLE_CLOUD_QUOTA_PROJECT", "billed"}};
  found = places("{}");
  EXPECT_EQ(found.key_file, "/secrets/adc.json");
  EXPECT_EQ(found.signed_in_file, "/g/application_default_credentials.json");
  EXPECT_TRUE(found.expects_metadata);
  EXPECT_EQ(found.quota_project, "billed");
  EXPECT_EQ(places("{key_file: key.json}").key_file, "/etc/flytt/key.json");
}

}  // namespace
}  // namespace flytt::app
