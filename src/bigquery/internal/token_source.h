#pragma once
// Where access tokens come from, and their keeping.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "bigquery/credentials.h"
#include "bigquery/internal/credentials_json.h"
#include "bigquery/retrier.h"

namespace flytt::bigquery {

struct AccessToken {
  base::Secret value;
  std::int64_t expires = 0;  // seconds since 1970
};

// Thread-safe, but TokenCache calls it once at a time. `fetch` blocks, for a minute at most. kUnavailable and kTimeout may
// pass; kAuth does not without somebody's doing.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  virtual Result<AccessToken> fetch() = 0;
};

// Keeps a token and replaces it kTokenRenewal before its end. One caller fetches; meanwhile the others get the old token, or
// wait while there is none that is valid, and share what comes of it. An old token is served until its end when no new one
// comes. Thread-safe.
class TokenCache {
 public:
  TokenCache(TokenSource& source, const base::Clock& clock) : source_(source), clock_(clock) {}
  Result<base::Secret> get();

 private:
  bool is_valid(std::int64_t now) const;
  Result<base::Secret> take(Result<AccessToken> made, std::int64_t asked);  // under the lock

  TokenSource& source_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable fetched_;
  bool is_fetching_ = false;
  std::uint64_t rounds_ = 0;      // fetches that have ended
  std::optional<Error> failure_;  // of the last one
  base::Secret token_;
  std::int64_t issued_ = 0, expires_ = 0, next_try_ = 0;  // seconds since 1970
};

// Somebody who is asked for a token: a URL of a credentials file, looked at before anything is sent.
class TokenEndpoint {
 public:
  // kConfig: it is no URL, or plain http:// to another machine.
  static Result<std::unique_ptr<TokenEndpoint>> open(const std::string& url, const CredentialsParts& parts);
  // Fills the target. What fails for a passing reason is tried kTokenTriesMax times; an answer of status 429 or 5xx is such.
  Result<HttpResponse> send(HttpRequest request);
  const std::string& host() const { return host_; }
  bool is_secure() const { return transport_->is_secure(); }

 private:
  TokenEndpoint(std::unique_ptr<HttpTransport> transport, std::string host, std::string target,
                const CredentialsParts& parts);

  const std::unique_ptr<HttpTransport> transport_;
  const std::string host_, target_;
  const base::Clock& clock_;
  Retrier retrier_;
};

// -- what OAuth 2.0 says (RFC 6749 §5, RFC 8693)

// An answer that is not 2xx, told without what it holds but OAuth's own words. `host` gave no token for `whom`; `next` is the
// next step for somebody who can mend it.
Error refusal(const HttpResponse& response, const std::string& host, const std::string& whom, const std::string& next);
bool is_passing(int status);
// {"access_token": …, "expires_in": seconds}; kCorrupt for anything else.
Result<AccessToken> token_of(const HttpResponse& response, const std::string& host, std::int64_t asked);

// -- the kinds

// Signs tokens itself (RFC 7519, RS256). kConfig when the key cannot be read.
Result<std::unique_ptr<TokenSource>> signing_source(const ServiceAccountKey& key, const CredentialsParts& parts);
Result<std::unique_ptr<TokenSource>> user_source(UserLogin user, const std::string& name,
                                                 const CredentialsParts& parts);
Result<std::unique_ptr<TokenSource>> external_source(ExternalAccount external, const std::string& name,
                                                     const CredentialsParts& parts);
Result<std::unique_ptr<TokenSource>> impersonating_source(Impersonation wanted, std::unique_ptr<TokenSource> own,
                                                          const std::string& name, const CredentialsParts& parts);

}  // namespace flytt::bigquery
