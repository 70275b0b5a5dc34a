#include "bigquery/credentials.h"

#include <unistd.h>

#include <fstream>

#include "bigquery/internal/metadata_server.h"
#include "bigquery/internal/token_source.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using base::Secret;

class NoCredentials final : public Credentials {
 public:
  Result<Secret> token() override { return Secret(); }
  std::string name() const override { return "no credentials"; }
};

// What a file tells without anybody being asked.
struct Facts {
  std::string name, project, quota_project, next_step;
  Account account;
};

class FileCredentials final : public Credentials {
 public:
  FileCredentials(Facts facts, std::unique_ptr<TokenSource> source, const base::Clock& clock)
      : facts_(std::move(facts)), source_(std::move(source)), cache_(*source_, clock) {}

  Result<Secret> token() override { return cache_.get(); }
  std::string name() const override { return facts_.name; }
  Result<Account> account() override { return facts_.account; }
  Result<std::string> project() override { return facts_.project.empty() ? facts_.quota_project : facts_.project; }
  std::string quota_project() const override { return facts_.quota_project; }
  std::string next_step() const override { return facts_.next_step; }

 private:
  const Facts facts_;
  const std::unique_ptr<TokenSource> source_;
  TokenCache cache_;
};

// Its source, and what it is called.
class SourceMaker {
 public:
  SourceMaker(std::string path, Facts& facts, const CredentialsParts& parts)
      : path_(std::move(path)), facts_(facts), parts_(parts) {}

  Result<std::unique_ptr<TokenSource>> operator()(ServiceAccountKey& key) {
    facts_.name = "the key in " + path_;
    facts_.account.email = key.email;
    facts_.next_step = "make a new key file for the account";
    facts_.quota_project.clear();  // a key is billed to its own project, whatever its file says
    return signing_source(key, parts_);
  }
  Result<std::unique_ptr<TokenSource>> operator()(UserLogin& user) {
    facts_.name = "the sign-in in " + path_;
    facts_.account = {user.account, true};
    facts_.next_step = "sign in again, `gcloud auth application-default login`";
    return user_source(std::move(user), facts_.name, parts_);
  }
  Result<std::unique_ptr<TokenSource>> operator()(ExternalAccount& external) {
    facts_.name = "the external account in " + path_;
    facts_.next_step = "grant the identity, or the account that it impersonates, what it needs";
    return external_source(std::move(external), facts_.name, parts_);
  }

 private:
  const std::string path_;
  Facts& facts_;
  const CredentialsParts& parts_;
};

Result<std::unique_ptr<Credentials>> use_file(const std::string& path, const std::string& quota_project,
                                              const CredentialsParts& parts) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(ErrorCode::kConfig, "the credentials file " + path + " cannot be opened");
  std::string bytes(kKeyFileBytesMax + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (bytes.size() > kKeyFileBytesMax)
    return Error(ErrorCode::kConfig, "the credentials file " + path + " is too large to be one");
  return credentials_from_json(Secret(std::move(bytes)), path, quota_project, parts);
}

bool is_there(const std::string& path) { return !path.empty() && ::access(path.c_str(), F_OK) == 0; }

}  // namespace

std::unique_ptr<Credentials> no_credentials() { return std::make_unique<NoCredentials>(); }

Result<HttpHeaders> sign_in(Credentials& credentials) {
  HttpHeaders headers;
  TRY(const Secret token, credentials.token());
  if (token.empty()) return headers;
  headers.emplace_back("authorization", "Bearer " + token.reveal());
  if (const std::string project = credentials.quota_project(); !project.empty())
    headers.emplace_back("x-goog-user-project", project);
  return headers;
}

Result<std::unique_ptr<Credentials>> credentials_from_json(const Secret& json, const std::string& path,
                                                           const std::string& quota_project,
                                                           const CredentialsParts& parts) {
  const std::string step = "while reading " + path;
  auto file = parse_credentials(json);
  if (!file) return std::move(file).error().within(step);
  Facts facts;
  facts.project = file->project;
  facts.quota_project = file->quota_project;
  auto source = std::visit(SourceMaker(path, facts, parts), file->source);
  if (source && file->impersonation) {
    const std::string email = file->impersonation->email;
    source = impersonating_source(std::move(*file->impersonation), std::move(*source), facts.name, parts);
    facts.account = {email, false};
    facts.name += ", which impersonates the account";
  }
  if (!source) return std::move(source).error().within(step);
  if (!quota_project.empty()) facts.quota_project = quota_project;
  return std::unique_ptr<Credentials>(
      std::make_unique<FileCredentials>(std::move(facts), std::move(*source), parts.clock));
}

Result<std::unique_ptr<Credentials>> find_credentials(const CredentialsPlaces& places, const CredentialsParts& parts) {
  if (!places.key_file.empty()) return use_file(places.key_file, places.quota_project, parts);
  if (is_there(places.signed_in_file)) return use_file(places.signed_in_file, places.quota_project, parts);
  auto server = MetadataServer::find(places.metadata_host, places.expects_metadata, parts);
  if (!server)
    return Error(ErrorCode::kConfig,
                 "there are no credentials for Google: set 'destination.bigquery.key_file' or "
                 "GOOGLE_APPLICATION_CREDENTIALS, sign in with `gcloud auth application-default login`, or run with "
                 "Workload Identity")
        .cause(server.error().sentence());
  return metadata_credentials(std::move(*server), places.quota_project, parts.clock);
}

}  // namespace flytt::bigquery
