#pragma once
// A credentials file of Google's, read and not yet used. Forms: google.aip.dev/auth (4110 to 4117) and what `gcloud` writes.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace flytt::bigquery {

// "service_account"
struct ServiceAccountKey {
  std::string email, key_id;
  base::Secret private_key;  // PEM
};

// "authorized_user": a person who has signed in.
struct UserLogin {
  std::string account;  // e-mail; often empty
  std::string client_id;
  base::Secret client_secret, refresh_token;
  std::string token_url;
};

// Where another identity provider's token is: either a file or a URL.
struct SubjectSource {
  std::string file, url;
  std::vector<std::pair<std::string, base::Secret>> headers;  // of the request to `url`
  std::string json_field;                                     // of a JSON object; empty: the token is the whole text
};

// "external_account": that token is exchanged for Google's (RFC 8693).
struct ExternalAccount {
  std::string audience, subject_token_type, token_url;
  std::string client_id;
  base::Secret client_secret;
  std::string user_project;  // of a workforce pool
  SubjectSource subject;
};

// Then the token of a service account is asked for (IAM Credentials v1, generateAccessToken).
struct Impersonation {
  std::string url;
  std::string email;  // that the URL names
  std::vector<std::string> delegates;
  std::int64_t lifetime_seconds = 3'600;
};

struct CredentialsJson {
  std::variant<ServiceAccountKey, UserLogin, ExternalAccount> source;
  std::optional<Impersonation> impersonation;
  std::string project;        // that the file belongs to; may be empty
  std::string quota_project;  // who is billed; may be empty
};

// kConfig when it is not one, kUnsupported for a type that flytt cannot use: it is named, with the next step. Errors name
// members of the file and hold nothing of what is in them.
Result<CredentialsJson> parse_credentials(const base::Secret& json);

}  // namespace flytt::bigquery
