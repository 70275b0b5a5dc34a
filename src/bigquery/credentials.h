#pragma once
// Credentials: who we are at Google, found as Google's own libraries find it ("application default credentials").
//
// A key signs its own tokens (RFC 7519, RS256; "self-signed JWT" of Google's authentication guide). For a person who has
// signed in, an identity of another provider, an impersonated account, and the machine's own account, tokens are asked for
// and kept. A token is replaced shortly before its end, by one caller, while the others go on with the old one. Without
// credentials nothing is sent: that is for a gateway on loopback.
//
// Thread-safe. `token`, `account` and `project` may block while somebody is asked, for a minute at most. kAuth: somebody has
// to do what the sentence says; kUnavailable and kTimeout may pass. No error holds a token, a secret, or an answer's body.

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "bigquery/http_transport.h"

namespace flytt::bigquery {

struct Account {
  std::string email;     // empty: the credentials do not tell
  bool is_user = false;  // a person's; else a service account's, or a workload's
};

class Credentials {
 public:
  virtual ~Credentials() = default;
  // The value of an Authorization header without "Bearer "; empty when nothing is to be sent.
  virtual Result<base::Secret> token() = 0;
  // For people: what they are, and where they are from.
  virtual std::string name() const = 0;
  virtual Result<Account> account() { return Account{}; }
  // The project that they belong to, or that is billed for them; empty: they do not tell.
  virtual Result<std::string> project() { return std::string(); }
  // Goes with each token, as x-goog-user-project; usually empty.
  virtual std::string quota_project() const { return {}; }
  // What to do when Google does not take the token.
  virtual std::string next_step() const { return "use other credentials"; }
};

// What a request carries: authorization, and x-goog-user-project where there is one. Empty without credentials. Over TLS
// only.
Result<HttpHeaders> sign_in(Credentials& credentials);

std::unique_ptr<Credentials> no_credentials();

// Where credentials are looked for, in this order. A file that is named must be there.
struct CredentialsPlaces {
  std::string key_file;           // of the configuration, or GOOGLE_APPLICATION_CREDENTIALS
  std::string signed_in_file;     // that `gcloud auth application-default login` writes; need not be there
  std::string metadata_host;      // GCE_METADATA_HOST; empty: metadata.google.internal, or 169.254.169.254
  bool expects_metadata = false;  // its server is waited for: in a pod it comes after the program
  std::string quota_project;      // GOOGLE_CLOUD_QUOTA_PROJECT, instead of the file's
};

// What they stand on; all of it outlives them.
struct CredentialsParts {
  const base::Clock& clock;
  base::Random& random;
  HttpConnector connect;
};

// Blocks while a metadata server is looked for. kConfig: a file that cannot be used, or nothing was found anywhere;
// kUnsupported: a type of credentials that is not in this version, by name.
Result<std::unique_ptr<Credentials>> find_credentials(const CredentialsPlaces& places, const CredentialsParts& parts);

// `json` is a file's content, `path` its name for people.
Result<std::unique_ptr<Credentials>> credentials_from_json(const base::Secret& json, const std::string& path,
                                                           const std::string& quota_project,
                                                           const CredentialsParts& parts);

}  // namespace flytt::bigquery
