// Tokens that a service account's key signs.

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <nlohmann/json.hpp>

#include "base/handle.h"
#include "bigquery/internal/token_source.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using base::Handle;
using base::Secret;

inline void free_bio(BIO* bio) { BIO_free(bio); }
using KeyHandle = Handle<EVP_PKEY, &EVP_PKEY_free>;
using BioHandle = Handle<BIO, &free_bio>;
using DigestHandle = Handle<EVP_MD_CTX, &EVP_MD_CTX_free>;

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

class SigningSource final : public TokenSource {
 public:
  SigningSource(std::string email, std::string key_id, KeyHandle key, const base::Clock& clock)
      : email_(std::move(email)), key_id_(std::move(key_id)), key_(std::move(key)), clock_(clock) {}

  Result<AccessToken> fetch() override {
    const std::int64_t now = clock_.wall_micros() / 1'000'000;
    nlohmann::json header = {{"alg", "RS256"}, {"typ", "JWT"}};
    if (!key_id_.empty()) header["kid"] = key_id_;
    const nlohmann::json claims = {
        {"iss", email_}, {"sub", email_}, {"scope", kScope}, {"iat", now}, {"exp", now + kTokenLife.count()}};
    const std::string signed_part = base64url(header.dump()) + "." + base64url(claims.dump());
    const DigestHandle digest(EVP_MD_CTX_new());
    std::size_t size = 0;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(signed_part.data());
    if (!digest || EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(digest.get(), nullptr, &size, bytes, signed_part.size()) != 1) {
      return unable();
    }
    std::string signature(size, '\0');
    if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                       signed_part.size()) != 1) {
      return unable();
    }
    signature.resize(size);
    return AccessToken{Secret(signed_part + "." + base64url(signature)), now + kTokenLife.count()};
  }

 private:
  Error unable() const {
    return Error(ErrorCode::kAuth, "the private key of " + email_ + " cannot sign: make a new key file");
  }

  const std::string email_, key_id_;
  const KeyHandle key_;
  const base::Clock& clock_;
};

}  // namespace

Result<std::unique_ptr<TokenSource>> signing_source(const ServiceAccountKey& account, const CredentialsParts& parts) {
  const std::string& pem = account.private_key.reveal();
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyHandle key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!key || EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA) {
    return Error(ErrorCode::kConfig,
                 "the private key of " + account.email + " cannot be read: it must be an RSA key in PEM form");
  }
  return std::unique_ptr<TokenSource>(
      std::make_unique<SigningSource>(account.email, account.key_id, std::move(key), parts.clock));
}

}  // namespace flytt::bigquery
