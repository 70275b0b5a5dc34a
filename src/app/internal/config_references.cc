#include "app/internal/config_references.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "app/config_keys.h"

namespace flytt::app {

namespace {

using Path = std::vector<std::string>;

std::string dotted(const Path& path) {
  std::string out;
  for (const std::string& part : path) out += (out.empty() ? "" : ".") + part;
  return out;
}

// Every value of the file with its key.
void visit(const YAML::Node& node, Path& path, const std::function<void(const Path&, const YAML::Node&)>& look) {
  if (node.IsScalar()) look(path, node);
  if (!node.IsMap()) return;
  for (const auto& entry : node) {
    path.push_back(entry.first.Scalar());
    visit(entry.second, path, look);
    path.pop_back();
  }
}

bool is_reference_key(const Path& path) {
  const ConfigKey* key = find_config_key(path);
  return key != nullptr && key->kind == KeyKind::kReference;
}

bool ends_with(const Path& path, std::initializer_list<const char*> end) {
  return path.size() >= end.size() && std::equal(end.begin(), end.end(), path.end() - static_cast<long>(end.size()));
}

// What may be seen; all other references are secrets.
bool is_public(const Path& path) {
  if (path.size() < 3) return false;
  if (path[0] == "queries") return path[2] == "sql";
  if (path[0] == "streams") return true;
  if (path[0] != "sources" || path[2] != "kafka") return false;
  return ends_with(path, {"brokers"}) || ends_with(path, {"group"}) || ends_with(path, {"instance"}) ||
         ends_with(path, {"tls", "ca"}) || ends_with(path, {"tls", "certificate"});
}

// A value that is the name of a file when it is no reference.
bool names_a_file(const Path& path) {
  if (dotted(path) == "destination.bigquery.key_file") return true;
  return path.size() == 5 && path[0] == "sources" && path[3] == "tls" && path[4] != "key_password" &&
         path[4] != "verify_host_name";
}

void add_references(const Path& path, const std::string& text, std::vector<Reference>& out) {
  for (std::size_t at = text.find("${"); at != text.npos; at = text.find("${", at + 2)) {
    const std::size_t close = text.find('}', at);
    if (close == text.npos) return;
    const std::string inner = text.substr(at + 2, close - at - 2);
    const auto colon = inner.find(':');
    Reference reference{Reference::Kind::kVariable, inner.substr(colon + 1), dotted(path), !is_public(path), false};
    if (inner.rfind("file:", 0) == 0) reference.kind = Reference::Kind::kFile;
    out.push_back(std::move(reference));
  }
}

// What kafka sources and Google's credentials take from the platform where a key is missing (config_kafka.cc, config.cc).
void add_implied(const YAML::Node& root, std::vector<Reference>& out) {
  const auto add = [&](const char* name, const std::string& key, bool is_secret) {
    out.push_back({Reference::Kind::kVariable, name, key, is_secret, true});
  };
  const YAML::Node none(YAML::NodeType::Undefined);
  for (const auto& source : root["sources"] ? root["sources"] : none) {
    const YAML::Node kafka = source.second["kafka"];
    if (!kafka) continue;
    const std::string key = "sources." + source.first.Scalar() + ".kafka";
    const YAML::Node tls = kafka.IsMap() ? kafka["tls"] : none;
    const auto has = [&](const YAML::Node& map, const char* name) { return map && map.IsMap() && map[name]; };
    if (!has(kafka, "brokers"))
      add("KAFKA_BROKERS", key + ".brokers", false);
    else if (kafka["brokers"].Scalar() != "${env:KAFKA_BROKERS}")
      continue;  // not the platform's cluster
    if (!has(tls, "ca")) add("KAFKA_CA", key + ".tls.ca", false);
    if (!has(tls, "certificate")) add("KAFKA_CERTIFICATE", key + ".tls.certificate", false);
    if (!has(tls, "key")) add("KAFKA_PRIVATE_KEY", key + ".tls.key", true);
  }
  const YAML::Node google = root["destination"] ? root["destination"]["bigquery"] : none;
  if (google && !(google.IsMap() && (google["rest"] || google["key_file"])))
    add("GOOGLE_APPLICATION_CREDENTIALS", "destination.bigquery.key_file", true);
}

bool is_pem(const std::string& text) { return text.find("-----BEGIN") != std::string::npos; }

std::string without_references(std::string text) {
  for (auto open = text.find("${"); open != text.npos; open = text.find("${", open)) {
    const auto close = text.find('}', open);
    text.erase(open, close == text.npos ? close : close + 1 - open);
  }
  return text;
}

// "postgres://user:password@…", "…?password=…" or "password=…", in part or as a whole.
bool url_has_password(const std::string& text) {
  const std::string url = without_references(text);
  static constexpr std::string_view kWord = "password=";
  for (auto word = url.find(kWord); word != url.npos; word = url.find(kWord, word + 1)) {
    const auto value = word + kWord.size();
    if (value < url.size() && url[value] != '&' && url[value] != ' ') return true;
  }
  const auto scheme = url.find("://");
  const auto at = url.rfind('@');
  if (scheme == url.npos || at == url.npos || at < scheme) return false;
  const auto colon = url.find(':', scheme + 3);
  return colon < at && colon + 1 < at;
}

}  // namespace

std::vector<Reference> references_of(const YAML::Node& root) {
  std::vector<Reference> out;
  Path path;
  visit(root, path, [&](const Path& key, const YAML::Node& node) {
    const std::string text = node.Scalar();
    const bool is_reference = is_reference_key(key);
    const bool has_one = is_reference && text.find("${") != text.npos;
    const bool is_whole = text.starts_with("${") && text.find('}') == text.size() - 1;
    const bool needs_whole = key[0] == "queries" || key[0] == "jobs";
    if (has_one && (is_whole || !needs_whole))
      add_references(key, text, out);
    else if (names_a_file(key) && !has_one && !is_pem(text) && !text.empty())
      out.push_back({Reference::Kind::kFile, text, dotted(key), !is_public(key), false});
  });
  add_implied(root, out);
  for (Reference& reference : out)
    if (reference.kind == Reference::Kind::kFile)
      reference.name = std::filesystem::path(reference.name).lexically_normal().string();
  return out;
}

std::vector<std::string> open_secrets_of(const YAML::Node& root) {
  std::vector<std::string> out;
  Path path;
  visit(root, path, [&](const Path& key, const YAML::Node& node) {
    if (!is_reference_key(key) || is_public(key)) return;
    if (key[0] == "jobs") return;  // a secret is a reference there, and the text of a file is meant to be in the file
    const std::string text = node.Scalar();
    const bool is_url = key.back() == "postgres";
    const bool is_user = ends_with(key, {"sasl", "user"});
    const bool is_open = is_url              ? url_has_password(text)
                         : names_a_file(key) ? is_pem(text)
                                             : text.find("${") == text.npos && !text.empty() && !is_user;
    if (is_open) out.push_back(dotted(key));
  });
  return out;
}

}  // namespace flytt::app
