#pragma once
// Credentials: who we are at Google.
//
// A service account key signs its own tokens (RFC 7519, RS256; "self-signed JWT" of Google's authentication guide), so no
// request is needed to get one. Tokens live an hour and are made again shortly before that. Without credentials nothing is
// sent: that is for a gateway on loopback. Thread-safe.

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"

namespace flytt::bigquery {

class Credentials {
 public:
  virtual ~Credentials() = default;
  // The value of an Authorization header without "Bearer "; empty when nothing is to be sent.
  virtual Result<base::Secret> token() = 0;
  // For people: the account's name, or "no credentials".
  virtual std::string name() const = 0;
};

std::unique_ptr<Credentials> no_credentials();

// `json` is a key file's content. kConfig when it is not one that can be used; other kinds of credentials
// ("authorized_user", "external_account", …) are kUnsupported. `clock` outlives the result.
Result<std::unique_ptr<Credentials>> service_account(const base::Secret& json, const base::Clock& clock);
// The same from a file.
Result<std::unique_ptr<Credentials>> service_account_file(const std::string& path, const base::Clock& clock);

}  // namespace flytt::bigquery
