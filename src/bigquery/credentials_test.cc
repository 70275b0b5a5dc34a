#include "bigquery/credentials.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <nlohmann/json.hpp>

#include "base/handle.h"

namespace flytt::bigquery {
namespace {

void free_bio(BIO* bio) { BIO_free(bio); }
using KeyHandle = base::Handle<EVP_PKEY, &EVP_PKEY_free>;
using BioHandle = base::Handle<BIO, &free_bio>;
using DigestHandle = base::Handle<EVP_MD_CTX, &EVP_MD_CTX_free>;

class ManualClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return {}; }
  std::int64_t wall_micros() const override { return micros; }
  std::int64_t micros = 1'700'000'000'000'000;
};

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

struct Account {
  Account() : key(EVP_RSA_gen(2048)) {
    file = {{"type", "service_account"},
            {"client_email", "flytt@p.iam.gserviceaccount.com"},
            {"private_key_id", "key-1"},
            {"private_key", pem_of(key.get())}};
  }
  base::Secret json() const { return base::Secret(file.dump()); }
  KeyHandle key;
  nlohmann::json file;
};

TEST(Credentials, ATokenThatThePublicKeyVerifies) {
  const Account account;
  ManualClock clock;
  auto credentials = service_account(account.json(), clock);
  ASSERT_TRUE(credentials) << credentials.error().text();
  EXPECT_EQ((*credentials)->name(), "flytt@p.iam.gserviceaccount.com");
  const std::string token = (*credentials)->token()->reveal();
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
}

TEST(Credentials, ATokenIsKeptUntilShortlyBeforeItExpires) {
  const Account account;
  ManualClock clock;
  auto credentials = service_account(account.json(), clock);
  const std::string first = (*credentials)->token()->reveal();
  clock.micros += 3'299'000'000;
  EXPECT_EQ((*credentials)->token()->reveal(), first);
  clock.micros += 2'000'000;
  const std::string second = (*credentials)->token()->reveal();
  EXPECT_NE(second, first);
  clock.micros -= 4'000'000'000;  // the wall clock was set back: the token is not valid yet
  EXPECT_NE((*credentials)->token()->reveal(), second);
}

TEST(Credentials, OthersAreNamed) {
  const ManualClock clock;
  const auto error = [&](const std::string& json) { return service_account(base::Secret(json), clock).error(); };
  EXPECT_EQ(error(R"({"type":"authorized_user"})").code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error(R"({"type":"authorized_user"})").sentence(),
            "credentials of type 'authorized_user' are not in this version: use a service account key file");
  EXPECT_EQ(error("{}").code(), ErrorCode::kConfig);
  EXPECT_EQ(error("no").code(), ErrorCode::kConfig);
  Account account;
  account.file["private_key"] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  const Error bad_key = error(account.file.dump());
  EXPECT_EQ(bad_key.code(), ErrorCode::kConfig);
  EXPECT_EQ(bad_key.text().find("AAAA"), std::string::npos);
  EXPECT_EQ(service_account_file("/does/not/exist", clock).error().code(), ErrorCode::kConfig);
  EXPECT_TRUE(no_credentials()->token()->empty());
}

}  // namespace
}  // namespace flytt::bigquery
