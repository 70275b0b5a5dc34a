// The configuration as it lies in another place.

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "app/internal/config_references.h"
#include "app/internal/render_plan.h"
#include "app/internal/yaml_text.h"

namespace flytt::app {

namespace {

constexpr std::size_t kConfigMapBytesMax = 1'000'000;  // Kubernetes takes 1 MiB for all of one object
constexpr const char* kGoogleVariable = "GOOGLE_APPLICATION_CREDENTIALS";

// The part of a path behind its last slash, in characters that every place takes as a key, and no two alike.
class FileNames {
 public:
  std::string of(const std::string& path) {
    if (const auto known = by_path_.find(path); known != by_path_.end()) return known->second;
    std::string name;
    for (const char c : std::filesystem::path(path).filename().string()) {
      const bool is_kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                           c == '-' || c == '_';
      name += is_kept ? c : '_';
    }
    if (name.empty() || name[0] == '.') name = "file" + name;
    std::string unique = name;
    for (int n = 2; !taken_.insert(unique).second; ++n) unique = std::to_string(n) + "-" + name;
    return by_path_[path] = unique;
  }

 private:
  std::set<std::string> taken_{"flytt.yaml"};
  std::map<std::string, std::string> by_path_;
};

// The value of a key; members' names may hold dots themselves.
YAML::Node node_at(const YAML::Node& map, const std::string& key) {
  for (const auto& entry : map) {
    const std::string& name = entry.first.Scalar();
    if (name == key) return entry.second;
    if (!key.starts_with(name + ".") || !entry.second.IsMap()) continue;
    if (YAML::Node found = node_at(entry.second, key.substr(name.size() + 1)); found.IsDefined()) return found;
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

std::string normal(const std::string& path) { return std::filesystem::path(path).lexically_normal().string(); }

// The text with each ${file:…} of this file, or the file's name itself, replaced.
std::string moved(const std::string& text, const std::string& file, const std::string& target) {
  if (normal(text) == file) return target;
  std::string out;
  std::size_t at = 0;
  for (std::size_t open = text.find("${file:"); open != text.npos; open = text.find("${file:", at)) {
    const std::size_t close = text.find('}', open);
    const std::string name = text.substr(open + 7, close - open - 7);
    out += text.substr(at, open - at) + "${file:" + (normal(name) == file ? target : name) + "}";
    at = close + 1;
  }
  return out + text.substr(at);
}

class Adapter {
 public:
  Adapter(const Config& config, RenderPlan& plan, YAML::Node root)
      : config_(config), plan_(plan), root_(std::move(root)) {}

  Status adapt() {
    TRY_STATUS(refuse_open_secrets());
    for (const Reference& reference : config_.references) {
      if (reference.kind == Reference::Kind::kVariable)
        add_variable(reference);
      else if (reference.is_secret || !reference.key.ends_with(".sql"))
        add_secret_file(reference, reference.name);
      else
        TRY_STATUS(add_statement(reference));
    }
    set_places();
    plan_.configuration = yaml_document(root_);
    std::size_t bytes = plan_.configuration.size();
    for (const auto& [name, text] : plan_.statements) bytes += text.size();
    const bool is_object = plan_.request.place == Place::kKubernetes || plan_.request.place == Place::kNais;
    if (is_object && bytes > kConfigMapBytesMax)
      plan_.warnings.push_back({config_.path, "with its statements it is larger than a ConfigMap may be (1 MiB)"});
    return ok();
  }

 private:
  Status refuse_open_secrets() const {
    const std::vector<std::string> keys = open_secrets_of(root_);
    if (keys.empty()) return ok();
    return Error(ErrorCode::kConfig,
                 config_.path + ": '" + keys[0] +
                     "' holds a secret itself, and a rendered configuration is read by others; write "
                     "it as ${env:NAME} or ${file:/path}");
  }

  void add_variable(const Reference& reference) {
    const auto add = [&](std::vector<std::string>& names) {
      if (std::find(names.begin(), names.end(), reference.name) == names.end()) names.push_back(reference.name);
    };
    if (reference.is_implied && reference.name == kGoogleVariable) {
      add_google_key();
      return;
    }
    const bool is_optional = reference.is_implied && reference.name != "KAFKA_BROKERS";
    add(is_optional ? plan_.optional_variables : plan_.variables);
  }

  void add_google_key() {
    const std::string id = names_.of("google-key.json");
    plan_.secret_files.push_back({id, std::string("the service account's key, ") + kGoogleVariable + " elsewhere"});
    if (!root_["destination"]["bigquery"].IsMap()) root_["destination"]["bigquery"] = yaml_empty_map();
    root_["destination"]["bigquery"]["key_file"] = yaml_text(secret_folder(plan_.request.place) + "/" + id);
  }

  void move(const Reference& reference, const std::string& target) {
    YAML::Node node = node_at(root_, reference.key);
    node = yaml_text(moved(node.Scalar(), reference.name, target));
  }

  void add_secret_file(const Reference& reference, const std::string& origin) {
    const std::string id = names_.of(reference.name);
    const bool is_there = std::any_of(plan_.secret_files.begin(), plan_.secret_files.end(),
                                      [&](const SecretFile& file) { return file.id == id; });
    if (!is_there) plan_.secret_files.push_back({id, origin});
    move(reference, secret_folder(plan_.request.place) + "/" + id);
  }

  Status add_statement(const Reference& reference) {
    std::filesystem::path file = reference.name;
    if (file.is_relative()) file = std::filesystem::path(config_.path).parent_path() / file;
    std::ifstream in(file);
    if (!in)
      return Error(ErrorCode::kConfig, config_.path + ": file '" + file.string() + "' of '" + reference.key +
                                           "' cannot be read; a rendered configuration carries its statements with it");
    std::stringstream content;
    content << in.rdbuf();
    const std::string id = names_.of(reference.name);
    const bool is_there = std::any_of(plan_.statements.begin(), plan_.statements.end(),
                                      [&](const auto& statement) { return statement.first == id; });
    if (!is_there) plan_.statements.emplace_back(id, content.str());
    move(reference, id);
    return ok();
  }

  void set_places() {
    const bool is_local = config_.destination.kind == DestinationConfig::Kind::kLocal;
    const bool has_file = !config_.state_file.empty();
    if (is_local) root_["destination"]["local"] = yaml_text(std::string(kStateFolder) + "/warehouse");
    if (has_file && (root_["state"] || !is_local)) {
      root_["state"] = yaml_empty_map();
      root_["state"]["sqlite"] = yaml_text(std::string(kStateFolder) + "/state.db");
    }
    plan_.listens_for_health = !config_.health_address.empty();
    if (plan_.request.place == Place::kSystemd) return;
    if (!root_["listen"] || !root_["listen"].IsMap()) root_["listen"] = yaml_empty_map();
    root_["listen"]["health"] = yaml_text("0.0.0.0:" + std::to_string(kHealthPort));
    plan_.listens_for_health = true;
  }

  const Config& config_;
  RenderPlan& plan_;
  YAML::Node root_;
  FileNames names_;
};

}  // namespace

std::string secret_folder(Place place) {
  if (place == Place::kSystemd) return std::string(kConfigFolder) + "/secrets";
  return place == Place::kCompose ? "/run/secrets" : "/var/run/secrets/flytt";
}

Status adapt_configuration(const Config& config, const std::string& text, RenderPlan& plan) {
  return Adapter(config, plan, YAML::Load(text)).adapt();
}

std::string beside_engine(const std::string& text, const std::string& folder) {
  YAML::Node root = YAML::Load(text);
  if (root["state"] && root["state"]["sqlite"]) root["state"]["sqlite"] = yaml_text(folder + "/state.db");
  if (root["listen"] && root["listen"].IsMap()) root["listen"].remove("health");
  return yaml_document(root);
}

}  // namespace flytt::app
