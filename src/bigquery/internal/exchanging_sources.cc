// Tokens that somebody gives in exchange for what is in a credentials file.

#include <openssl/evp.h>
#include <strings.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "bigquery/internal/client_call.h"
#include "bigquery/internal/token_source.h"
#include "bigquery/limits.h"
#include "data/civil.h"

namespace flytt::bigquery {
namespace {

using base::Secret;
using base::Side;
using nlohmann::json;

constexpr const char* kFormType = "application/x-www-form-urlencoded";
constexpr std::size_t kSubjectTokenBytesMax = 64 << 10;

// application/x-www-form-urlencoded; an empty value is left out.
std::string form(std::initializer_list<std::pair<const char*, const std::string*>> members) {
  std::string out;
  for (const auto& [name, value] : members)
    if (!value->empty()) out += (out.empty() ? "" : "&") + std::string(name) + "=" + percent_encoded(*value);
  return out;
}

bool is_good(const HttpResponse& response) { return response.status >= 200 && response.status < 300; }

// A credential in a header goes over TLS only, also to loopback (http_transport.h).
Error not_secure(const std::string& name, const char* what) {
  return Error(ErrorCode::kConfig, std::string(what) + " of " + name + " must begin with https://");
}

std::int64_t seconds_now(const base::Clock& clock) { return clock.wall_micros() / 1'000'000; }

// RFC 6749 §6.
class UserSource final : public TokenSource {
 public:
  UserSource(UserLogin user, std::string name, std::unique_ptr<TokenEndpoint> endpoint, const base::Clock& clock)
      : user_(std::move(user)), name_(std::move(name)), endpoint_(std::move(endpoint)), clock_(clock) {}

  Result<AccessToken> fetch() override {
    static const std::string kGrant = "refresh_token";
    const std::int64_t asked = seconds_now(clock_);
    const Secret body(form({{"grant_type", &kGrant},
                            {"client_id", &user_.client_id},
                            {"client_secret", &user_.client_secret.reveal()},
                            {"refresh_token", &user_.refresh_token.reveal()}}));
    TRY(const HttpResponse response, endpoint_->send({"POST", "", {{"content-type", kFormType}}, body.reveal()}));
    if (is_good(response)) return token_of(response, endpoint_->host(), asked);
    return refusal(response, endpoint_->host(), name_, "sign in again, `gcloud auth application-default login`");
  }

 private:
  const UserLogin user_;
  const std::string name_;
  const std::unique_ptr<TokenEndpoint> endpoint_;
  const base::Clock& clock_;
};

// RFC 8693.
class ExternalSource final : public TokenSource {
 public:
  ExternalSource(ExternalAccount external, std::string name, std::unique_ptr<TokenEndpoint> exchange,
                 std::unique_ptr<TokenEndpoint> subject, const base::Clock& clock)
      : external_(std::move(external)),
        name_(std::move(name)),
        exchange_(std::move(exchange)),
        subject_(std::move(subject)),
        clock_(clock) {}

  Result<AccessToken> fetch() override {
    static const std::string kGrant = "urn:ietf:params:oauth:grant-type:token-exchange";
    static const std::string kWanted = "urn:ietf:params:oauth:token-type:access_token";
    static const std::string kWhere = kScope;
    TRY(const Secret subject, subject_token());
    const std::int64_t asked = seconds_now(clock_);
    const std::string options = external_.user_project.empty() || !external_.client_id.empty()
                                    ? std::string()
                                    : json({{"userProject", external_.user_project}}).dump();
    const Secret body(form({{"grant_type", &kGrant},
                            {"audience", &external_.audience},
                            {"scope", &kWhere},
                            {"requested_token_type", &kWanted},
                            {"subject_token", &subject.reveal()},
                            {"subject_token_type", &external_.subject_token_type},
                            {"options", &options}}));
    HttpRequest request{"POST", "", {{"content-type", kFormType}}, body.reveal()};
    if (!external_.client_id.empty()) request.headers.emplace_back("authorization", basic().reveal());
    TRY(const HttpResponse response, exchange_->send(std::move(request)));
    if (is_good(response)) return token_of(response, exchange_->host(), asked);
    return refusal(response, exchange_->host(), name_,
                   "see to it that its audience names a provider that takes the token of its credential_source");
  }

 private:
  // RFC 7617.
  Secret basic() const {
    const Secret pair(external_.client_id + ":" + external_.client_secret.reveal());
    std::string out(4 * ((pair.reveal().size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(pair.reveal().data()),
                                     static_cast<int>(pair.reveal().size()));
    out.resize(static_cast<std::size_t>(size));
    return Secret("Basic " + out);
  }

  // It is read each time: who wrote it replaces it before its end.
  Result<Secret> subject_token() {
    if (subject_ == nullptr) {
      std::ifstream file(external_.subject.file, std::ios::binary);
      std::string text(kSubjectTokenBytesMax + 1, '\0');
      file.read(text.data(), static_cast<std::streamsize>(text.size()));
      text.resize(static_cast<std::size_t>(file.gcount()));
      if (text.empty())
        return Error(ErrorCode::kAuth, "file " + external_.subject.file + ", the credential_source of " + name_ +
                                           ", cannot be read or is empty");
      return subject_of(text, "file " + external_.subject.file);
    }
    HttpRequest request{"GET", "", {}, ""};
    for (const auto& [name, value] : external_.subject.headers) request.headers.emplace_back(name, value.reveal());
    TRY(const HttpResponse response, subject_->send(std::move(request)));
    if (is_good(response)) return subject_of(response.body, subject_->host());
    return refusal(response, subject_->host(), name_, "mend url and headers of its credential_source");
  }

  Result<Secret> subject_of(const std::string& text, const std::string& where) const {
    const std::string& field = external_.subject.json_field;
    std::string token = text;
    if (!field.empty()) {
      const json object = json::parse(text, nullptr, false);
      const auto found = object.is_object() ? object.find(field) : object.end();
      token = object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
    }
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    if (!token.empty() && token.size() <= kSubjectTokenBytesMax) return Secret(token);
    return Error(ErrorCode::kAuth, where + " holds no token for " + name_ +
                                       (field.empty() ? "" : ": it must be JSON with a text '" + field + "'"));
  }

  const ExternalAccount external_;
  const std::string name_;
  const std::unique_ptr<TokenEndpoint> exchange_, subject_;  // the second is null for a file
  const base::Clock& clock_;
};

// IAM Credentials API v1, projects.serviceAccounts.generateAccessToken.
class ImpersonatingSource final : public TokenSource {
 public:
  ImpersonatingSource(Impersonation wanted, std::unique_ptr<TokenSource> own, std::string name,
                      std::unique_ptr<TokenEndpoint> endpoint)
      : wanted_(std::move(wanted)), own_(std::move(own)), name_(std::move(name)), endpoint_(std::move(endpoint)) {}

  Result<AccessToken> fetch() override {
    TRY(const AccessToken own, own_->fetch());
    json body = {{"scope", {kScope}}, {"lifetime", std::to_string(wanted_.lifetime_seconds) + "s"}};
    if (!wanted_.delegates.empty()) body["delegates"] = wanted_.delegates;
    TRY(const HttpResponse response,
        endpoint_->send({"POST",
                         "",
                         {{"content-type", "application/json"}, {"authorization", "Bearer " + own.value.reveal()}},
                         body.dump()}));
    if (!is_good(response))
      return refusal(response, endpoint_->host(), name_,
                     "enable iamcredentials.googleapis.com, and grant who signs in "
                     "roles/iam.serviceAccountTokenCreator on " +
                         wanted_.email);
    const json answer = json::parse(response.body, nullptr, false);
    const auto member = [&](const char* key) {
      const auto found = answer.is_object() ? answer.find(key) : answer.end();
      return answer.is_object() && found != answer.end() && found->is_string() ? found->get<std::string>() : "";
    };
    const Secret token(member("accessToken"));
    const auto end = data::parse_timestamp(member("expireTime"));
    if (token.empty() || token.reveal().find_first_of("\r\n") != std::string::npos || !end)
      return Error(ErrorCode::kCorrupt,
                   "the answer of " + endpoint_->host() + " holds no accessToken with its expireTime")
          .side(Side::kSink);
    return AccessToken{token, *end / 1'000'000};
  }

 private:
  const Impersonation wanted_;
  const std::unique_ptr<TokenSource> own_;
  const std::string name_;
  const std::unique_ptr<TokenEndpoint> endpoint_;
};

}  // namespace

Result<std::unique_ptr<TokenSource>> user_source(UserLogin user, const std::string& name,
                                                 const CredentialsParts& parts) {
  TRY(auto endpoint, TokenEndpoint::open(user.token_url, parts));
  return std::unique_ptr<TokenSource>(
      std::make_unique<UserSource>(std::move(user), name, std::move(endpoint), parts.clock));
}

Result<std::unique_ptr<TokenSource>> external_source(ExternalAccount external, const std::string& name,
                                                     const CredentialsParts& parts) {
  TRY(auto exchange, TokenEndpoint::open(external.token_url, parts));
  if (!external.client_id.empty() && !exchange->is_secure()) return not_secure(name, "token_url");
  std::unique_ptr<TokenEndpoint> subject;
  if (!external.subject.url.empty()) {
    TRY(subject, TokenEndpoint::open(external.subject.url, parts));
    for (const auto& header : external.subject.headers)
      if (strcasecmp(header.first.c_str(), "authorization") == 0 && !subject->is_secure())
        return not_secure(name, "the url in credential_source");
  }
  return std::unique_ptr<TokenSource>(std::make_unique<ExternalSource>(std::move(external), name, std::move(exchange),
                                                                       std::move(subject), parts.clock));
}

Result<std::unique_ptr<TokenSource>> impersonating_source(Impersonation wanted, std::unique_ptr<TokenSource> own,
                                                          const std::string& name, const CredentialsParts& parts) {
  TRY(auto endpoint, TokenEndpoint::open(wanted.url, parts));
  if (!endpoint->is_secure()) return not_secure(name, "service_account_impersonation_url");
  return std::unique_ptr<TokenSource>(
      std::make_unique<ImpersonatingSource>(std::move(wanted), std::move(own), name, std::move(endpoint)));
}

}  // namespace flytt::bigquery
