#include "bigquery/internal/metadata_server.h"

#include <gtest/gtest.h>

#include "bigquery/internal/scripted_net.h"

namespace flytt::bigquery {
namespace {

class MetadataServerTest : public testing::Test {
 protected:
  // Where the program runs in a pod.
  std::unique_ptr<Credentials> found(const std::string& host = "127.0.0.1:8080") {
    CredentialsPlaces places;
    places.metadata_host = host;
    places.expects_metadata = true;
    auto credentials = find_credentials(places, parts);
    EXPECT_TRUE(credentials) << credentials.error().text();
    return credentials ? std::move(*credentials) : nullptr;
  }
  std::string missing(const CredentialsPlaces& places) {
    const auto credentials = find_credentials(places, parts);
    EXPECT_FALSE(credentials);
    EXPECT_EQ(credentials.error().code(), ErrorCode::kConfig);
    return credentials.error().text();
  }

  TokenClock clock;
  ScriptedNet net{clock};
  base::SeededRandom random{7};
  CredentialsParts parts{clock, random, net.connect()};
};

constexpr const char* kToken = R"({"access_token":"ya29.a","expires_in":3599,"token_type":"Bearer"})";

TEST_F(MetadataServerTest, TokenAccountAndProject) {
  net.tell(200, "computeMetadata/\n");
  auto credentials = found();
  EXPECT_EQ(credentials->name(), "the metadata server 127.0.0.1:8080");
  net.tell(200, kToken);
  net.tell(200, "flytt@team-sak.iam.gserviceaccount.com");
  net.tell(200, "team-sak");
  EXPECT_EQ(credentials->token()->reveal(), "ya29.a");
  const auto account = credentials->account();
  ASSERT_TRUE(account) << account.error().text();
  EXPECT_EQ(account->email, "flytt@team-sak.iam.gserviceaccount.com");
  EXPECT_FALSE(account->is_user);
  EXPECT_EQ(*credentials->project(), "team-sak");
  const std::string head = "GET http://127.0.0.1:8080/", header = "\nmetadata-flavor: Google\n\n";
  const std::vector<std::string> asked{head + header,
                                       head + "computeMetadata/v1/instance/service-accounts/default/token" + header,
                                       head + "computeMetadata/v1/instance/service-accounts/default/email" + header,
                                       head + "computeMetadata/v1/project/project-id" + header};
  EXPECT_EQ(net.asked, asked);
  clock.pass(3'359 - 1);
  EXPECT_EQ(credentials->token()->reveal(), "ya29.a");
  EXPECT_EQ(net.asked.size(), 4U);
}

TEST_F(MetadataServerTest, APodIsOlderThanItsMetadataServer) {
  net.fall_silent();
  net.say(503, "no healthy upstream");
  net.fall_silent();
  net.tell(500, "");  // it is there, and not ready
  auto credentials = found();
  ASSERT_NE(credentials, nullptr);
  net.tell(503, "");
  net.fall_silent();
  net.tell(200, kToken);
  const auto token = credentials->token();
  ASSERT_TRUE(token) << token.error().text();
  EXPECT_EQ(token->reveal(), "ya29.a");
}

TEST_F(MetadataServerTest, TriesEnd) {
  net.tell(200, "");
  auto credentials = found();
  for (int i = 0; i < 20; ++i) net.tell(503, "");
  const auto token = credentials->token();
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(token.error().text(), "metadata server 127.0.0.1:8080 does not give a token now (HTTP status 503)");
  EXPECT_EQ(net.asked.size(), 1U + 5U);
}

TEST_F(MetadataServerTest, NobodyIsBound) {
  for (const int status : {403, 404}) {
    net.tell(200, "");
    auto credentials = found();
    net.tell(status, "Unable to generate access token; IAM returned 403 Forbidden: secret-in-a-body");
    const auto token = credentials->token();
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code(), ErrorCode::kAuth);
    EXPECT_EQ(token.error().text(),
              "metadata server 127.0.0.1:8080 does not give a token: bind the pod to an account, with annotation "
              "iam.gke.io/gcp-service-account on its Kubernetes service account and roles/iam.workloadIdentityUser on "
              "Google's (HTTP status " +
                  std::to_string(status) + ")");
  }
}

TEST_F(MetadataServerTest, SomebodyElseAnswers) {
  for (int i = 0; i < 500; ++i) net.say(200, "welcome to the hotel", {{"metadata-flavor", "google"}});
  CredentialsPlaces places;
  places.metadata_host = "127.0.0.1:8080";
  EXPECT_EQ(
      missing(places),
      "there are no credentials for Google: set 'destination.bigquery.key_file' or GOOGLE_APPLICATION_CREDENTIALS, "
      "sign in with `gcloud auth application-default login`, or run with Workload Identity (no metadata server "
      "answers: 127.0.0.1:8080 answers, and is no metadata server of Google's; GCE_METADATA_HOST names one)");
  // Nor later: what comes then may be anything.
  ScriptedNet other{clock};
  CredentialsParts others{clock, random, other.connect()};
  other.tell(200, "");
  auto credentials = find_credentials(places, others);
  ASSERT_TRUE(credentials);
  other.say(200, kToken);
  const auto token = (*credentials)->token();
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code(), ErrorCode::kAuth);
}

TEST_F(MetadataServerTest, ByNameThenByAddressAndNotForLong) {
  const std::string error = missing({});
  EXPECT_NE(error.find("`gcloud auth application-default login`"), error.npos) << error;
  const std::string name = "GET http://metadata.google.internal/\nmetadata-flavor: Google\n\n";
  const std::string address = "GET http://169.254.169.254/\nmetadata-flavor: Google\n\n";
  EXPECT_EQ(net.asked, (std::vector<std::string>{name, address, name, address}));
  net.asked.clear();
  net.fall_silent();
  net.tell(200, "");
  const auto credentials = find_credentials({}, parts);
  ASSERT_TRUE(credentials) << credentials.error().text();
  EXPECT_EQ((*credentials)->name(), "the metadata server 169.254.169.254");
}

TEST_F(MetadataServerTest, InAPodItIsWaitedForButNotForever) {
  CredentialsPlaces places;
  places.expects_metadata = true;
  missing(places);
  EXPECT_GT(net.asked.size(), 8U);
}

TEST_F(MetadataServerTest, AnswersThatAreNone) {
  for (const char* body : {"", "[]", "{", R"({"access_token":"t"})", R"({"access_token":"a\r\nb","expires_in":9})",
                           R"({"access_token":7,"expires_in":9})", R"({"access_token":"t","expires_in":-1})",
                           R"({"access_token":"t","expires_in":1e300})", R"({"access_token":"t","expires_in":"9x"})"}) {
    net.tell(200, "");
    auto credentials = found();
    net.tell(200, body);
    const auto token = credentials->token();
    ASSERT_FALSE(token) << body;
    EXPECT_EQ(token.error().code(), ErrorCode::kCorrupt) << body;
    net.tell(200, "<html>a page of\na proxy</html>");
    EXPECT_FALSE(credentials->account());
  }
}

}  // namespace
}  // namespace flytt::bigquery
