// The configuration as it lies in another place.

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/internal/config_references.h"
#include "app/internal/render_plan.h"
#include "app/internal/yaml_text.h"

namespace flytt::app {

namespace {

constexpr std::size_t kSchemaBytesMax = 63;
constexpr const char* kGoogleVariable = "GOOGLE_APPLICATION_CREDENTIALS";

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

bool is_variable(const std::string& name) {
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_word) && (name[0] < '0' || name[0] > '9');
}

void keep_only(const YAML::Node& root, const char* key, const std::set<std::string>& names) {
  YAML::Node map = root[key];
  if (!map || !map.IsMap()) return;
  std::vector<std::string> others;
  for (const auto& entry : map)
    if (names.count(entry.first.Scalar()) == 0) others.push_back(entry.first.Scalar());
  for (const std::string& name : others) map.remove(name);
}

class Adapter {
 public:
  Adapter(const Config& config, Place place, const Workload& workload, FileNames& names, YAML::Node root)
      : config_(config), place_(place), workload_(workload), names_(names), root_(std::move(root)) {}

  Result<WorkloadConfiguration> adapt(const std::set<std::string>& entries) {
    TRY_STATUS(refuse_open_secrets());
    prune(entries);
    for (const Reference& reference : references_of(root_)) {
      if (reference.kind == Reference::Kind::kVariable)
        TRY_STATUS(add_variable(reference));
      else if (reference.is_secret || !reference.key.ends_with(".sql"))
        add_secret_file(reference);
      else
        TRY_STATUS(add_statement(reference));
    }
    find_folders();
    set_places();
    out_.text = yaml_document(root_);
    return std::move(out_);
  }

 private:
  bool is_engine() const { return workload_.entry == nullptr; }
  bool is_local() const { return config_.destination.kind == DestinationConfig::Kind::kLocal; }

  Status refuse_open_secrets() const {
    const std::vector<std::string> keys = open_secrets_of(root_);
    if (keys.empty()) return ok();
    return Error(ErrorCode::kConfig,
                 config_.path + ": '" + keys[0] +
                     "' holds a secret itself, and a rendered configuration is read by others; write "
                     "it as ${env:NAME} or ${file:/path}");
  }

  void prune(const std::set<std::string>& entries) {
    std::set<std::string> sources;
    for (const char* key : {"queries", "jobs"}) {
      keep_only(root_, key, entries);
      if (const YAML::Node map = root_[key]; map && map.IsMap() && map.size() == 0) root_.remove(key);
    }
    if (is_engine()) return;
    root_.remove("streams");
    for (const std::string& entry : entries)
      if (const QueryConfig* query = config_.find_query(entry)) sources.insert(query->from);
    keep_only(root_, "sources", sources);
    if (const YAML::Node map = root_["sources"]; map && map.IsMap() && map.size() == 0) root_.remove("sources");
  }

  Status add_variable(const Reference& reference) {
    if (reference.is_implied && reference.name == kGoogleVariable) {
      const bool has_identity = place_ == Place::kNais || place_ == Place::kKubernetes;  // the pod's own
      if (!has_identity) add_google_key();
      return ok();
    }
    if (!is_variable(reference.name))
      return Error(ErrorCode::kConfig, config_.path + ": '${env:" + reference.name + "}' of '" + reference.key +
                                           "' is no variable of another place: letters, digits and _, no digit first");
    const bool is_optional = reference.is_implied && reference.name != "KAFKA_BROKERS";
    std::vector<std::string>& names = is_optional ? out_.optional_variables : out_.variables;
    if (std::find(names.begin(), names.end(), reference.name) == names.end()) names.push_back(reference.name);
    return ok();
  }

  void add_file(const std::string& id, const std::string& origin) {
    const bool is_there = std::any_of(out_.secret_files.begin(), out_.secret_files.end(),
                                      [&](const SecretFile& file) { return file.id == id; });
    if (!is_there) out_.secret_files.push_back({id, origin});
  }

  void add_google_key() {
    const std::string id =
        names_.of(std::string(kGoogleVariable) + "/google-key.json");  // no file of this name is meant
    add_file(id, std::string("the service account's key, ") + kGoogleVariable + " elsewhere");
    if (!root_["destination"]["bigquery"].IsMap()) root_["destination"]["bigquery"] = yaml_empty_map();
    root_["destination"]["bigquery"]["key_file"] = yaml_text(secret_folder(place_) + "/" + id);
  }

  void move(const Reference& reference, const std::string& target) {
    YAML::Node node = node_at(root_, reference.key);
    node = yaml_text(moved(node.Scalar(), reference.name, target));
  }

  void add_secret_file(const Reference& reference) {
    const std::string id = names_.of(reference.name);
    add_file(id, reference.name);
    move(reference, secret_folder(place_) + "/" + id);
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
    const bool is_there = std::any_of(out_.statements.begin(), out_.statements.end(),
                                      [&](const auto& statement) { return statement.first == id; });
    if (!is_there) out_.statements.emplace_back(id, content.str());
    move(reference, id);
    return ok();
  }

  void find_folders() {
    if (!root_["jobs"] || !root_["jobs"].IsMap()) return;
    for (const auto& job : root_["jobs"])
      if (const YAML::Node folder = job.second["folder"])
        out_.folders.push_back(normal((std::filesystem::path(kConfigFolder) / folder.Scalar()).string()));
  }

  // A lease or a lock holds each state: a process beside the engine has one of its own. Runs of jobs lie beside a state file,
  // but with a shared state beside the configuration, which cannot be written there.
  void set_state() {
    const std::string folder = state_folder(place_, workload_.name);
    if (config_.has_shared_state()) {
      if (!is_engine()) root_["state"]["schema"] = yaml_text(own_schema());
      root_["state"].remove("runs");
      if (workload_.runs_commands) root_["state"]["runs"] = yaml_text(folder + "/runs");
    } else if (is_local() && !(root_["state"] && root_["state"]["sqlite"])) {
      root_.remove("state");  // beside the warehouse
    } else {
      root_["state"] = yaml_empty_map();
      root_["state"]["sqlite"] = yaml_text(folder + "/state.db");
    }
  }

  std::string own_schema() const {
    std::string schema = config_.state_schema + "_" + workload_.name;
    for (char& c : schema) c = c == '-' ? '_' : c;
    if (schema.size() <= kSchemaBytesMax) return schema;
    const std::string end = "_" + short_hash(schema);
    return schema.substr(0, kSchemaBytesMax - end.size()) + end;
  }

  void set_places() {
    if (is_local()) root_["destination"]["local"] = yaml_text(state_folder(place_, workload_.name) + "/warehouse");
    set_state();
    const bool has_listen = root_["listen"] && root_["listen"].IsMap();
    if (!is_engine()) {
      if (has_listen) root_["listen"].remove("health");
    } else if (place_ != Place::kSystemd) {
      if (!has_listen) root_["listen"] = yaml_empty_map();
      root_["listen"]["health"] = yaml_text("0.0.0.0:" + std::to_string(kHealthPort));
    }
  }

  const Config& config_;
  const Place place_;
  const Workload& workload_;
  FileNames& names_;
  YAML::Node root_;
  WorkloadConfiguration out_;
};

}  // namespace

// The part of a path behind its last slash, in characters that every place takes as a key.
std::string FileNames::of(const std::string& path) {
  if (const auto known = by_path_.find(path); known != by_path_.end()) return known->second;
  std::string name;
  for (const char c : std::filesystem::path(path).filename().string()) {
    const bool is_kept =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    name += is_kept ? c : '_';
  }
  if (name.empty() || name[0] == '.') name = "file" + name;
  std::string unique = name;
  for (int n = 2; !taken_.insert(unique).second; ++n) unique = std::to_string(n) + "-" + name;
  return by_path_[path] = unique;
}

std::string state_folder(Place place, const std::string& workload) {
  return place == Place::kSystemd ? "/var/lib/" + workload : kStateFolder;
}

std::string secret_folder(Place place) {
  if (place == Place::kSystemd) return std::string(kConfigFolder) + "/secrets";
  return place == Place::kCompose ? "/run/secrets" : "/var/run/secrets/flytt";
}

Result<WorkloadConfiguration> configuration_of(const Config& config, const std::string& text, Place place,
                                               const Workload& workload, const std::set<std::string>& entries,
                                               FileNames& names) {
  return Adapter(config, place, workload, names, YAML::Load(text)).adapt(entries);
}

}  // namespace flytt::app
