#include "bigquery/credentials.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/handle.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using base::Handle;
using base::Secret;

inline void free_bio(BIO* bio) { BIO_free(bio); }
using KeyHandle = Handle<EVP_PKEY, &EVP_PKEY_free>;
using BioHandle = Handle<BIO, &free_bio>;
using DigestHandle = Handle<EVP_MD_CTX, &EVP_MD_CTX_free>;

constexpr const char* kScope = "https://www.googleapis.com/auth/cloud-platform";

class NoCredentials final : public Credentials {
 public:
  Result<Secret> token() override { return Secret(); }
  std::string name() const override { return "no credentials"; }
};

// RFC 4648 §5, without padding.
std::string base64url(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63];
  return out;
}

class ServiceAccount final : public Credentials {
 public:
  ServiceAccount(std::string email, std::string key_id, KeyHandle key, const base::Clock& clock)
      : email_(std::move(email)), key_id_(std::move(key_id)), key_(std::move(key)), clock_(clock) {}

  Result<Secret> token() override {
    std::lock_guard lock(mutex_);
    const std::int64_t now = clock_.wall_micros() / 1'000'000;
    if (!token_.empty() && now >= issued_ && now < issued_ + (kTokenLife - kTokenRenewal).count()) return token_;
    TRY(token_, sign(now));
    issued_ = now;
    return token_;
  }
  std::string name() const override { return email_; }

 private:
  Result<Secret> sign(std::int64_t now) const {
    nlohmann::json header = {{"alg", "RS256"}, {"typ", "JWT"}};
    if (!key_id_.empty()) header["kid"] = key_id_;
    const nlohmann::json claims = {
        {"iss", email_}, {"sub", email_}, {"scope", kScope}, {"iat", now}, {"exp", now + kTokenLife.count()}};
    std::string signed_part = base64url(header.dump()) + "." + base64url(claims.dump());
    const DigestHandle digest(EVP_MD_CTX_new());
    std::size_t size = 0;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(signed_part.data());
    if (!digest || EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(digest.get(), nullptr, &size, bytes, signed_part.size()) != 1) {
      return Error(ErrorCode::kAuth, "the private key of " + email_ + " cannot sign: make a new key file");
    }
    std::string signature(size, '\0');
    if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                       signed_part.size()) != 1) {
      return Error(ErrorCode::kAuth, "the private key of " + email_ + " cannot sign: make a new key file");
    }
    signature.resize(size);
    return Secret(signed_part + "." + base64url(signature));
  }

  const std::string email_, key_id_;
  const KeyHandle key_;
  const base::Clock& clock_;
  std::mutex mutex_;
  Secret token_;
  std::int64_t issued_ = 0;  // seconds since 1970
};

std::string text_of(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::unique_ptr<Credentials> no_credentials() { return std::make_unique<NoCredentials>(); }

Result<std::unique_ptr<Credentials>> service_account(const Secret& json, const base::Clock& clock) {
  const auto parsed = nlohmann::json::parse(json.reveal(), nullptr, false);
  if (!parsed.is_object())
    return Error(ErrorCode::kConfig, "the credentials are not a JSON object: a service account key file is needed");
  const std::string type = text_of(parsed, "type");
  if (type != "service_account") {
    if (type.empty())
      return Error(ErrorCode::kConfig, "the credentials have no type: a service account key file is needed");
    return Error(ErrorCode::kUnsupported,
                 "credentials of type '" + type + "' are not in this version: use a service account key file");
  }
  std::string email = text_of(parsed, "client_email");
  const Secret pem(text_of(parsed, "private_key"));
  if (email.empty() || pem.empty())
    return Error(ErrorCode::kConfig, "the service account key file lacks client_email or private_key");
  const BioHandle bio(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.reveal().size())));
  KeyHandle key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!key || EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA) {
    return Error(ErrorCode::kConfig,
                 "the private key of " + email + " cannot be read: it must be an RSA key in PEM form");
  }
  return std::unique_ptr<Credentials>(
      std::make_unique<ServiceAccount>(std::move(email), text_of(parsed, "private_key_id"), std::move(key), clock));
}

Result<std::unique_ptr<Credentials>> service_account_file(const std::string& path, const base::Clock& clock) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(ErrorCode::kConfig, "the key file " + path + " cannot be opened");
  std::string bytes(kKeyFileBytesMax + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (bytes.size() > kKeyFileBytesMax)
    return Error(ErrorCode::kConfig, "the key file " + path + " is too large to be a key");
  auto made = service_account(Secret(std::move(bytes)), clock);
  if (!made) return std::move(made).error().within("while reading " + path);
  return made;
}

}  // namespace flytt::bigquery
