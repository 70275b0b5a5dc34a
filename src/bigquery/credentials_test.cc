#include "bigquery/credentials.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/handle.h"
#include "bigquery/internal/scripted_net.h"

namespace flytt::bigquery {
namespace {

void free_bio(BIO* bio) { BIO_free(bio); }
using KeyHandle = base::Handle<EVP_PKEY, &EVP_PKEY_free>;
using BioHandle = base::Handle<BIO, &free_bio>;
using DigestHandle = base::Handle<EVP_MD_CTX, &EVP_MD_CTX_free>;

std::string pem_of(EVP_PKEY* key) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string unbase64url(std::string_view text) {
  std::string padded(text);
  for (char& c : padded) c = c == '-' ? '+' : c == '_' ? '/' : c;
  const std::size_t missing = (4 - padded.size() % 4) % 4;
  padded.append(missing, '=');
  std::string out(padded.size() / 4 * 3, '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(padded.data()),
                  static_cast<int>(padded.size()));
  out.resize(out.size() - missing);
  return out;
}

struct KeyAccount {
  KeyAccount() : key(EVP_RSA_gen(2048)) {
    file = {{"type", "service_account"},
            {"client_email", "flytt@p.iam.gserviceaccount.com"},
            {"private_key_id", "key-1"},
            {"private_key", pem_of(key.get())}};
  }
  KeyHandle key;
  nlohmann::json file;
};

class CredentialsTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Credentials>> read(const nlohmann::json& file, const std::string& quota = "") {
    return credentials_from_json(base::Secret(file.dump()), "/x/adc.json", quota, parts);
  }
  std::unique_ptr<Credentials> made(const nlohmann::json& file, const std::string& quota = "") {
    auto credentials = read(file, quota);
    EXPECT_TRUE(credentials) << credentials.error().text();
    return credentials ? std::move(*credentials) : no_credentials();
  }
  std::string token_of(Credentials& credentials) {
    const auto token = credentials.token();
    return token ? token->reveal() : "error: " + token.error().text();
  }
  std::string error_of(const nlohmann::json& file) {
    const auto credentials = read(file);
    return credentials ? "" : std::string(to_string(credentials.error().code())) + ": " + credentials.error().text();
  }

  TokenClock clock;
  ScriptedNet net{clock};
  base::SeededRandom random{7};
  CredentialsParts parts{clock, random, net.connect()};
};

TEST_F(CredentialsTest, ATokenThatThePublicKeyVerifies) {
  KeyAccount account;
  account.file["project_id"] = "team-sak";
  account.file["quota_project_id"] = "another";
  auto credentials = made(account.file);
  EXPECT_EQ(credentials->name(), "the key in /x/adc.json");
  EXPECT_EQ(credentials->account()->email, "flytt@p.iam.gserviceaccount.com");
  EXPECT_EQ(*credentials->project(), "team-sak");
  EXPECT_EQ(credentials->quota_project(), "");
  const std::string token = token_of(*credentials);
  const auto first = token.find('.'), second = token.rfind('.');
  ASSERT_NE(first, second);
  const auto header = nlohmann::json::parse(unbase64url(std::string_view(token).substr(0, first)));
  EXPECT_EQ(header["alg"], "RS256");
  EXPECT_EQ(header["kid"], "key-1");
  const auto claims = nlohmann::json::parse(unbase64url(std::string_view(token).substr(first + 1, second - first - 1)));
  EXPECT_EQ(claims["iss"], "flytt@p.iam.gserviceaccount.com");
  EXPECT_EQ(claims["sub"], claims["iss"]);
  EXPECT_EQ(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
  EXPECT_EQ(claims["iat"], 1'700'000'000);
  EXPECT_EQ(claims["exp"], 1'700'003'600);
  const std::string signature = unbase64url(std::string_view(token).substr(second + 1));
  const DigestHandle digest(EVP_MD_CTX_new());
  ASSERT_EQ(EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, account.key.get()), 1);
  EXPECT_EQ(EVP_DigestVerify(digest.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                             reinterpret_cast<const unsigned char*>(token.data()), second),
            1);
  clock.pass(3'359);
  EXPECT_EQ(token_of(*credentials), token);
  clock.pass(1);
  EXPECT_NE(token_of(*credentials), token);
  EXPECT_TRUE(net.asked.empty());
}

// -- a person who has signed in

nlohmann::json user() {
  return {{"type", "authorized_user"},
          {"account", ""},
          {"client_id", "764086051850.apps.googleusercontent.com"},
          {"client_secret", "d-FL95Q19q7MQmFpd7hHD0Ty"},
          {"refresh_token", "1//0c-refresh+token"},
          {"quota_project_id", "team-sak-dev"},
          {"universe_domain", "googleapis.com"}};
}

constexpr const char* kAnswer = R"({"access_token":"ya29.a","expires_in":3599,"scope":"s","token_type":"Bearer"})";

TEST_F(CredentialsTest, ASignInIsRefreshed) {
  auto credentials = made(user());
  EXPECT_EQ(credentials->name(), "the sign-in in /x/adc.json");
  EXPECT_EQ(credentials->account()->email, "");
  EXPECT_TRUE(credentials->account()->is_user);
  EXPECT_EQ(*credentials->project(), "team-sak-dev");
  net.say(200, kAnswer);
  const auto headers = sign_in(*credentials);
  ASSERT_TRUE(headers) << headers.error().text();
  EXPECT_EQ(*headers, (HttpHeaders{{"authorization", "Bearer ya29.a"}, {"x-goog-user-project", "team-sak-dev"}}));
  EXPECT_EQ(net.asked,
            std::vector<std::string>{"POST https://oauth2.googleapis.com/token\n"
                                     "content-type: application/x-www-form-urlencoded\n\n"
                                     "grant_type=refresh_token&client_id=764086051850.apps.googleusercontent."
                                     "com&client_secret=d-FL95Q19q7MQmFpd7hHD0Ty&refresh_token=1%2F%2F0c-"
                                     "refresh%2Btoken"});
  clock.pass(3'358);
  EXPECT_EQ(token_of(*credentials), "ya29.a");
  EXPECT_EQ(net.asked.size(), 1U);
  clock.pass(1);
  net.say(200, R"({"access_token":"ya29.b","expires_in":"3599"})");
  EXPECT_EQ(token_of(*credentials), "ya29.b");
  EXPECT_EQ(made(user(), "billed")->quota_project(), "billed");
}

TEST_F(CredentialsTest, ASignInThatHasEndedIsToBeDoneAgain) {
  auto credentials = made(user());
  net.say(400, R"({"error":"invalid_grant","error_description":"Token has been expired or revoked."})");
  const auto token = credentials->token();
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code(), ErrorCode::kAuth);
  EXPECT_EQ(token.error().text(),
            "oauth2.googleapis.com gives no token for the sign-in in /x/adc.json: sign in again, `gcloud auth "
            "application-default login` (HTTP status 400, invalid_grant: Token has been expired or revoked.)");
  EXPECT_EQ(net.asked.size(), 1U) << "it is of no use to ask again";
}

TEST_F(CredentialsTest, WhoIsAwayIsAskedAgain) {
  auto credentials = made(user());
  net.say(503, "busy");
  net.fall_silent();
  net.say(200, kAnswer);
  EXPECT_EQ(token_of(*credentials), "ya29.a");
  clock.pass(4'000);
  for (int i = 0; i < 9; ++i) net.say(500, R"({"error":"internal_failure"})");
  const auto token = credentials->token();
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(
      token.error().text(),
      "oauth2.googleapis.com gives no token for the sign-in in /x/adc.json now (HTTP status 500, internal_failure)");
  EXPECT_EQ(net.asked.size(), 3U + 3U);
}

TEST_F(CredentialsTest, NoErrorHoldsWhatIsSecret) {
  auto credentials = made(user());
  const std::string refresh = "1//0c-refresh+token", secret = "d-FL95Q19q7MQmFpd7hHD0Ty";
  for (const std::string& body : std::vector<std::string>{
           "refresh token " + refresh + " of client " + secret, R"({"error":")" + refresh + "\"}",
           R"({"error":"invalid_grant","error_description":"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9 is bad"})",
           R"({"error":{"status":"X 1//0c","message":")" + refresh + "\"}}", R"({"access_token":"ya29.a"})",
           R"({"error":"a","error_description":"two\nlines"})"}) {
    for (const int status : {200, 400, 401, 503}) {
      for (int i = 0; i < (status == 503 ? 3 : 1); ++i) net.say(status, body);
      const auto token = credentials->token();
      ASSERT_FALSE(token) << body;
      const std::string text = token.error().text();
      for (const std::string& word :
           {refresh, secret, std::string("ya29"), std::string("eyJ"), std::string("\n"), std::string("0c")})
        EXPECT_EQ(text.find(word), text.npos) << text;
    }
  }
}

// -- an identity of another provider

nlohmann::json external() {
  return {{"type", "external_account"},
          {"audience", "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/k"},
          {"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"},
          {"token_url", "https://sts.googleapis.com/v1/token"},
          {"credential_source", {{"file", ""}}}};
}

class ExternalTest : public CredentialsTest {
 protected:
  void SetUp() override {
    folder = testing::TempDir() + "flytt_external_" + std::to_string(::getpid());
    std::filesystem::create_directories(folder);
    file = external();
    file["credential_source"]["file"] = folder + "/token";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  void write(const std::string& text) { std::ofstream(folder + "/token") << text; }

  std::string folder;
  nlohmann::json file;
};

const std::string kExchange =
    "POST https://sts.googleapis.com/v1/token\n"
    "content-type: application/x-www-form-urlencoded\n\n"
    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&audience=%2F%2Fiam.googleapis.com%2F"
    "projects%2F123%2Flocations%2Fglobal%2FworkloadIdentityPools%2Fp%2Fproviders%2Fk&scope=https%3A%2F%2Fwww."
    "googleapis.com%2Fauth%2Fcloud-platform&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_"
    "token&subject_token=subject.1&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt";

TEST_F(ExternalTest, ATokenInAFileIsExchanged) {
  auto credentials = made(file);
  write("subject.1\n");
  net.say(200, kAnswer);
  EXPECT_EQ(token_of(*credentials), "ya29.a");
  EXPECT_EQ(net.asked, std::vector<std::string>{kExchange});
  // The file is read each time.
  clock.pass(3'600);
  write("subject.2");
  net.say(200, kAnswer);
  EXPECT_EQ(token_of(*credentials), "ya29.a");
  EXPECT_NE(net.asked[1].find("subject_token=subject.2&"), std::string::npos);
  clock.pass(3'600);
  write("");
  EXPECT_EQ(token_of(*credentials), "error: file " + folder +
                                        "/token, the credential_source of the external account in "
                                        "/x/adc.json, cannot be read or is empty");
}

TEST_F(ExternalTest, ATokenInAMemberOfJson) {
  file["credential_source"]["format"] = {{"type", "json"}, {"subject_token_field_name", "id_token"}};
  auto credentials = made(file);
  write(R"({"id_token":"subject.1","other":1})");
  net.say(200, kAnswer);
  EXPECT_EQ(token_of(*credentials), "ya29.a");
  EXPECT_EQ(net.asked, std::vector<std::string>{kExchange});
  clock.pass(3'600);
  write(R"({"token":"subject.1"})");
  EXPECT_EQ(token_of(*credentials), "error: file " + folder +
                                        "/token holds no token for the external account in "
                                        "/x/adc.json: it must be JSON with a text 'id_token'");
}

TEST_F(ExternalTest, ATokenBehindAUrl) {
  file["credential_source"] = {{"url", "https://pipelines.example/token?audience=a"},
                               {"headers", {{"Authorization", "bearer runner"}}}};
  file["workforce_pool_user_project"] = "team-sak";
  auto credentials = made(file);
  net.say(200, "subject.1");
  net.say(200, kAnswer);
  EXPECT_EQ(token_of(*credentials), "ya29.a");
  ASSERT_EQ(net.asked.size(), 2U);
  EXPECT_EQ(net.asked[0], "GET https://pipelines.example/token?audience=a\nAuthorization: bearer runner\n\n");
  EXPECT_EQ(net.asked[1], kExchange + "&options=%7B%22userProject%22%3A%22team-sak%22%7D");
  clock.pass(3'600);
  net.say(401, "runner, subject.1");
  EXPECT_EQ(token_of(*credentials),
            "error: pipelines.example gives no token for the external account in /x/adc.json: "
            "mend url and headers of its credential_source (HTTP status 401)");
  net.say(200, "subject.1");
  net.say(400, R"({"error":"invalid_target","error_description":"The target service indicated is invalid"})");
  EXPECT_EQ(
      token_of(*credentials),
      "error: sts.googleapis.com gives no token for the external account in /x/adc.json: see to it that its audience "
      "names a provider that takes the token of its credential_source (HTTP status 400, invalid_target: The target "
      "service indicated is invalid)");
}

TEST_F(ExternalTest, AClientSaysWhoItIs) {
  file["client_id"] = "client";
  file["client_secret"] = "s3cr:t";
  auto credentials = made(file);
  write("subject.1");
  net.say(200, kAnswer);
  EXPECT_EQ(token_of(*credentials), "ya29.a");
  EXPECT_NE(net.asked[0].find("\nauthorization: Basic Y2xpZW50OnMzY3I6dA==\n"), std::string::npos) << net.asked[0];
}

// -- another account

const std::string kImpersonate =
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/flytt@team-sak.iam.gserviceaccount.com:"
    "generateAccessToken";

TEST_F(ExternalTest, AnAccountIsImpersonated) {
  file["service_account_impersonation_url"] = kImpersonate;
  file["service_account_impersonation"] = {{"token_lifetime_seconds", 1'800}};
  auto credentials = made(file);
  EXPECT_EQ(credentials->account()->email, "flytt@team-sak.iam.gserviceaccount.com");
  write("subject.1");
  net.say(200, kAnswer);
  net.say(200, R"({"accessToken":"ya29.c","expireTime":"2023-11-14T22:43:20Z"})");  // 1'700'001'800
  EXPECT_EQ(token_of(*credentials), "ya29.c");
  ASSERT_EQ(net.asked.size(), 2U);
  EXPECT_EQ(net.asked[1], "POST " + kImpersonate +
                              "\ncontent-type: application/json\nauthorization: Bearer ya29.a\n\n"
                              R"({"lifetime":"1800s","scope":["https://www.googleapis.com/auth/cloud-platform"]})");
  clock.pass(1'800 - 241);
  EXPECT_EQ(token_of(*credentials), "ya29.c");
  clock.pass(1);
  net.say(200, kAnswer);
  net.say(200, R"({"accessToken":"ya29.d","expireTime":"2023-11-14T23:43:20.123Z"})");
  EXPECT_EQ(token_of(*credentials), "ya29.d");
}

TEST_F(CredentialsTest, APersonImpersonatesAnAccount) {
  const nlohmann::json file{{"type", "impersonated_service_account"},
                            {"service_account_impersonation_url", kImpersonate},
                            {"delegates", {"a@p.iam.gserviceaccount.com"}},
                            {"source_credentials", user()}};
  auto credentials = made(file);
  EXPECT_EQ(credentials->name(), "the sign-in in /x/adc.json, which impersonates the account");
  EXPECT_EQ(credentials->account()->email, "flytt@team-sak.iam.gserviceaccount.com");
  EXPECT_FALSE(credentials->account()->is_user);
  EXPECT_EQ(credentials->quota_project(), "team-sak-dev");
  net.say(200, kAnswer);
  net.say(403, R"({"error":{"code":403,"message":"Permission denied on ya29.a","status":"PERMISSION_DENIED"}})");
  EXPECT_EQ(token_of(*credentials),
            "error: iamcredentials.googleapis.com gives no token for the sign-in in /x/adc.json: enable "
            "iamcredentials.googleapis.com, and grant who signs in roles/iam.serviceAccountTokenCreator on "
            "flytt@team-sak.iam.gserviceaccount.com (HTTP status 403, PERMISSION_DENIED)");
  EXPECT_NE(net.asked[1].find(R"({"delegates":["a@p.iam.gserviceaccount.com"],"lifetime":"3600s",)"),
            std::string::npos);
  for (const char* body : {"{}", R"({"accessToken":"a","expireTime":"soon"})", R"({"accessToken":1})"}) {
    net.say(200, kAnswer);
    net.say(200, body);
    EXPECT_EQ(token_of(*credentials),
              "error: the answer of iamcredentials.googleapis.com holds no accessToken with its expireTime");
  }
}

// -- what is refused

TEST_F(CredentialsTest, OthersAreNamedWithTheNextStep) {
  const std::string step = ", while reading /x/adc.json";
  EXPECT_EQ(
      error_of({{"type", "gdch_service_account"}}),
      "unsupported: credentials of type 'gdch_service_account' are not in this version: use a service account key, "
      "`gcloud auth application-default login`, or credentials of type 'external_account'" +
          step);
  EXPECT_NE(error_of({{"type", "external_account_authorized_user"}}).find("'external_account_authorized_user'"),
            std::string::npos);
  EXPECT_EQ(error_of({{"type", "a secret, Where None Belongs"}}).find("secret"), std::string::npos);
  nlohmann::json file = external();
  for (const char* kind : {"executable", "certificate", "environment_id"}) {
    file["credential_source"] = {{kind, "aws1"}, {"url", "http://169.254.169.254/x"}};
    EXPECT_EQ(error_of(file), "unsupported: credentials of type 'external_account' with a source '" +
                                  std::string(kind) + "' are not in this version: let the source be a file or a url" +
                                  step);
  }
  file = user();
  file["universe_domain"] = "example.org";
  EXPECT_TRUE(error_of(file).starts_with("unsupported: ")) << error_of(file);
  for (const char* text : {"{}", "no", "[1]", "", "{\"type\":7}"}) {
    const auto credentials = credentials_from_json(base::Secret(text), "/x/adc.json", "", parts);
    ASSERT_FALSE(credentials) << text;
    EXPECT_EQ(credentials.error().code(), ErrorCode::kConfig);
  }
  const nlohmann::json twice{{"type", "impersonated_service_account"},
                             {"service_account_impersonation_url", kImpersonate},
                             {"source_credentials", {{"type", "impersonated_service_account"}}}};
  EXPECT_TRUE(error_of(twice).starts_with("unsupported: ")) << error_of(twice);
}

TEST_F(CredentialsTest, WhatIsMissingIsNamed) {
  for (const char* member : {"client_id", "client_secret", "refresh_token"}) {
    nlohmann::json file = user();
    file.erase(member);
    EXPECT_NE(error_of(file).find("sign in again, `gcloud auth application-default login`"), std::string::npos);
  }
  for (const char* member : {"audience", "subject_token_type", "credential_source"}) {
    nlohmann::json file = external();
    file["credential_source"]["file"] = "/token";
    EXPECT_EQ(error_of(file), "");
    file.erase(member);
    EXPECT_NE(error_of(file).find(member), std::string::npos) << member;
  }
  KeyAccount account;
  account.file["private_key"] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  EXPECT_EQ(
      error_of(account.file),
      "config: the private key of flytt@p.iam.gserviceaccount.com cannot be read: it must be an RSA key in PEM form, "
      "while reading /x/adc.json");
  nlohmann::json lines = user();
  lines["quota_project_id"] = "a\r\nx-evil: 1";
  EXPECT_TRUE(error_of(lines).starts_with("config: "));
  lines = user();
  lines["project_id"] = "a b";
  EXPECT_TRUE(error_of(lines).starts_with("config: "));
  lines = external();
  lines["credential_source"] = {{"url", "https://h/"}, {"headers", {{"a", "b\r\nc: d"}}}};
  EXPECT_TRUE(error_of(lines).starts_with("config: "));
}

// What could be read on the way is sent to nobody.
TEST_F(CredentialsTest, PlainHttpIsRefused) {
  nlohmann::json file = user();
  file["token_uri"] = "http://oauth2.example/token";
  EXPECT_EQ(
      error_of(file),
      "config: 'http://oauth2.example' is plain http to another machine: use https://, while reading /x/adc.json");
  file["token_uri"] = "http://metadata.google.internal/token";
  EXPECT_TRUE(error_of(file).starts_with("config: ")) << error_of(file);
  file["token_uri"] = "http://user:passord@127.0.0.1/token";
  EXPECT_TRUE(error_of(file).starts_with("config: "));
  EXPECT_EQ(error_of(file).find("passord"), std::string::npos);
  file["token_uri"] = "http://127.0.0.1:9/token";
  EXPECT_EQ(error_of(file), "");
  file = external();
  file["credential_source"] = {{"url", "http://token.example/"}};
  EXPECT_TRUE(error_of(file).starts_with("config: ")) << error_of(file);
  file["credential_source"] = {{"url", "http://127.0.0.1:9/"}, {"headers", {{"authorization", "bearer t"}}}};
  EXPECT_NE(error_of(file).find("must begin with https://"), std::string::npos) << error_of(file);
  file["credential_source"] = {{"file", "/token"}};
  file["service_account_impersonation_url"] = "http://127.0.0.1:9/serviceAccounts/a@b:generateAccessToken";
  EXPECT_NE(error_of(file).find("must begin with https://"), std::string::npos) << error_of(file);
  EXPECT_TRUE(net.asked.empty());
}

// -- the order of places

TEST_F(ExternalTest, TheFileThatIsNamedIsTheOneThatIsUsed) {
  const std::string key = folder + "/key.json", signed_in = folder + "/application_default_credentials.json";
  CredentialsPlaces places{key, signed_in, "127.0.0.1:8080", false, ""};
  const auto found = [&] {
    const auto credentials = find_credentials(places, parts);
    return credentials ? (*credentials)->name() : credentials.error().text();
  };
  EXPECT_EQ(found(), "the credentials file " + key + " cannot be opened");
  std::ofstream(signed_in) << user().dump();
  EXPECT_EQ(found(), "the credentials file " + key + " cannot be opened");
  std::ofstream(key) << KeyAccount().file.dump();
  EXPECT_EQ(found(), "the key in " + key);
  places.key_file.clear();
  EXPECT_EQ(found(), "the sign-in in " + signed_in);
  EXPECT_TRUE(net.asked.empty());
  std::filesystem::remove(signed_in);
  net.tell(200, "");
  EXPECT_EQ(found(), "the metadata server 127.0.0.1:8080");
  places.key_file = folder + "/large";
  std::ofstream(places.key_file) << std::string(70'000, ' ');
  EXPECT_EQ(found(), "the credentials file " + places.key_file + " is too large to be one");
}

TEST(Credentials, NoneSendNothing) {
  const auto none = no_credentials();
  EXPECT_TRUE(none->token()->empty());
  EXPECT_TRUE(sign_in(*none)->empty());
}

}  // namespace
}  // namespace flytt::bigquery
