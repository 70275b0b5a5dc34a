#include "bigquery/internal/credentials_json.h"

#include <nlohmann/json.hpp>

namespace flytt::bigquery {
namespace {

using base::Secret;
using nlohmann::json;

constexpr const char* kTokenUrl = "https://oauth2.googleapis.com/token";
constexpr const char* kExchangeUrl = "https://sts.googleapis.com/v1/token";
constexpr const char* kUniverse = "googleapis.com";
constexpr std::int64_t kLifetimeMin = 600, kLifetimeMax = 43'200;  // of generateAccessToken, seconds

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string text_or(const json& object, const char* name, const char* standard) {
  std::string text = text_of(object, name);
  return text.empty() ? standard : text;
}

const json& object_of(const json& object, const char* name) {
  static const json kNone = json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : kNone;
}

// A type is printed only when it looks like one.
std::string printable(const std::string& name) {
  const bool is_word =
      name.size() <= 40 && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  return is_word ? "'" + name + "'" : "another kind";
}

// Nothing that could end a header's line, or a terminal's patience.
bool is_plain(const std::string& text) {
  for (const char c : text)
    if (c <= ' ' || c > '~') return false;
  return true;
}

Error lacks(const std::string& type, const std::string& members) {
  return Error(ErrorCode::kConfig, "credentials of type '" + type + "' need " + members + ": make the file anew");
}

Result<ServiceAccountKey> read_key(const json& file) {
  ServiceAccountKey key{text_of(file, "client_email"), text_of(file, "private_key_id"),
                        Secret(text_of(file, "private_key"))};
  if (key.email.empty() || !is_plain(key.email) || key.private_key.empty())
    return lacks("service_account", "client_email and private_key");
  return key;
}

Result<UserLogin> read_user(const json& file) {
  UserLogin user{text_of(file, "account"), text_of(file, "client_id"), Secret(text_of(file, "client_secret")),
                 Secret(text_of(file, "refresh_token")), text_or(file, "token_uri", kTokenUrl)};
  if (!is_plain(user.account) || user.client_id.empty() || user.client_secret.empty() || user.refresh_token.empty())
    return Error(
        ErrorCode::kConfig,
        "credentials of type 'authorized_user' need client_id, client_secret and refresh_token: sign in again, "
        "`gcloud auth application-default login`");
  return user;
}

Result<SubjectSource> read_subject(const json& source) {
  for (const char* other : {"executable", "certificate", "environment_id"})
    if (source.contains(other))
      return Error(ErrorCode::kUnsupported, "credentials of type 'external_account' with a source '" +
                                                std::string(other) +
                                                "' are not in this version: let the source be a file or a url");
  SubjectSource subject;
  subject.file = text_of(source, "file");
  subject.url = text_of(source, "url");
  if (subject.file.empty() == subject.url.empty())
    return lacks("external_account", "either file or url in credential_source");
  for (const auto& [name, value] : object_of(source, "headers").items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : std::string();
    if (text.empty() || !is_plain(name) || text.find_first_of("\r\n") != std::string::npos)
      return lacks("external_account", "headers in credential_source that are texts of one line");
    subject.headers.emplace_back(name, Secret(text));
  }
  const json& format = object_of(source, "format");
  const std::string kind = text_or(format, "type", "text");
  if (kind == "text") return subject;
  subject.json_field = text_of(format, "subject_token_field_name");
  if (kind != "json") return lacks("external_account", "a format that is text or json");
  if (subject.json_field.empty()) return lacks("external_account", "subject_token_field_name with the format json");
  return subject;
}

Result<ExternalAccount> read_external(const json& file) {
  ExternalAccount external;
  external.audience = text_of(file, "audience");
  external.subject_token_type = text_of(file, "subject_token_type");
  external.token_url = text_or(file, "token_url", kExchangeUrl);
  external.client_id = text_of(file, "client_id");
  external.client_secret = Secret(text_of(file, "client_secret"));
  external.user_project = text_of(file, "workforce_pool_user_project");
  if (external.audience.empty() || external.subject_token_type.empty())
    return lacks("external_account", "audience and subject_token_type");
  TRY(external.subject, read_subject(object_of(file, "credential_source")));
  return external;
}

Result<Impersonation> read_impersonation(const std::string& type, const json& file) {
  Impersonation out;
  out.url = text_of(file, "service_account_impersonation_url");
  const auto end = out.url.find(":generateAccessToken");
  const auto slash = out.url.rfind('/', end);
  if (end == std::string::npos || slash == std::string::npos || !is_plain(out.url))
    return lacks(type, "a service_account_impersonation_url that ends with :generateAccessToken");
  out.email = out.url.substr(slash + 1, end - slash - 1);
  if (const auto delegates = file.find("delegates"); delegates != file.end() && delegates->is_array())
    for (const json& one : *delegates)
      if (one.is_string()) out.delegates.push_back(one.get<std::string>());
  const json& options = object_of(file, "service_account_impersonation");
  const auto lifetime = options.find("token_lifetime_seconds");
  if (lifetime == options.end()) return out;
  out.lifetime_seconds = lifetime->is_number_integer() ? lifetime->get<std::int64_t>() : 0;
  if (out.lifetime_seconds < kLifetimeMin || out.lifetime_seconds > kLifetimeMax)
    return lacks(type, "a token_lifetime_seconds from 600 to 43200");
  return out;
}

// What signs in itself: everything but "impersonated_service_account".
Result<CredentialsJson> read_direct(const json& file) {
  CredentialsJson out;
  out.project = text_of(file, "project_id");
  out.quota_project = text_of(file, "quota_project_id");
  if (const std::string universe = text_or(file, "universe_domain", kUniverse); universe != kUniverse)
    return Error(ErrorCode::kUnsupported,
                 "credentials of another universe_domain than googleapis.com are not in this version");
  const std::string type = text_of(file, "type");
  if (type == "service_account") {
    TRY(out.source, read_key(file));
  } else if (type == "authorized_user") {
    TRY(out.source, read_user(file));
  } else if (type == "external_account") {
    TRY(out.source, read_external(file));
    if (file.contains("service_account_impersonation_url")) {
      TRY(out.impersonation, read_impersonation(type, file));
    }
  } else if (type.empty()) {
    return Error(
        ErrorCode::kConfig,
        "the credentials have no type: a service account key is needed, or what `gcloud auth application-default "
        "login` writes");
  } else {
    return Error(ErrorCode::kUnsupported,
                 "credentials of type " + printable(type) +
                     " are not in this version: use a service account key, `gcloud auth application-default login`, or "
                     "credentials of type 'external_account'");
  }
  return out;
}

Result<CredentialsJson> read_file(const Secret& text) {
  const json file = json::parse(text.reveal(), nullptr, false);
  if (!file.is_object())
    return Error(ErrorCode::kConfig,
                 "the credentials are not a JSON object: a service account key is needed, or what `gcloud auth "
                 "application-default login` writes");
  if (text_of(file, "type") != "impersonated_service_account") return read_direct(file);
  const auto source = file.find("source_credentials");
  if (source == file.end() || !source->is_object()) return lacks("impersonated_service_account", "source_credentials");
  TRY(CredentialsJson out, read_direct(*source));
  if (out.impersonation)
    return Error(ErrorCode::kUnsupported,
                 "credentials that impersonate an account to impersonate another are not in this version: name the "
                 "accounts on the way as delegates");
  TRY(out.impersonation, read_impersonation("impersonated_service_account", file));
  out.project.clear();  // the source's is not the account's
  if (const std::string quota = text_of(file, "quota_project_id"); !quota.empty()) out.quota_project = quota;
  return out;
}

}  // namespace

Result<CredentialsJson> parse_credentials(const Secret& text) {
  TRY(CredentialsJson out, read_file(text));
  if (!is_plain(out.project) || !is_plain(out.quota_project))
    return Error(ErrorCode::kConfig, "project_id or quota_project_id of the credentials is no project's id");
  return out;
}

}  // namespace flytt::bigquery
