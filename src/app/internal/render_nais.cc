// An Application (nais.io/v1alpha1) and Naisjobs (nais.io/v1), with the fields of nais/liberator's definitions. What becomes of
// them, what nais injects, and the names of its Secrets are from the sources of nais/naiserator and from doc.nais.io.

#include <algorithm>
#include <cctype>
#include <set>

#include "app/internal/render_kubernetes.h"
#include "app/internal/yaml_text.h"

namespace flytt::app {

namespace {

constexpr std::string_view kDatabasePrefix = "NAIS_DATABASE_";
constexpr std::string_view kKafkaPrefix = "KAFKA_";
constexpr std::string_view kLocation = "europe-north1";  // of all datasets that nais makes
constexpr int kFinishedSeconds = 86'400;
constexpr int kPreStopSeconds = 5;  // nais lets each pod sleep so long before SIGTERM, within its grace period
constexpr const char* kFingerprintVariable = "CONFIGURATION_FINGERPRINT";
constexpr const char* kGoogleHosts[] = {"bigquery.googleapis.com", "bigquerystorage.googleapis.com"};
constexpr const char* kGoogleSignInHost = "oauth2.googleapis.com";  // nais lets everybody reach the metadata server

// A variable of a database: NAIS_DATABASE_<APP>_<DATABASE>_URL, where both may have _ themselves.
std::string without_ends(const std::string& variable) {
  const std::string middle = variable.substr(kDatabasePrefix.size());
  return middle.substr(0, middle.rfind('_'));
}

std::string lower_with_hyphens(std::string text) {
  for (char& c : text) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// "SAK_SAK" is sak's database sak; of anything else the last word is taken to be the database.
std::string owner_of(const std::string& middle) {
  const std::size_t half = middle.size() / 2;
  if (middle.size() % 2 == 1 && middle[half] == '_' && middle.substr(0, half) == middle.substr(half + 1))
    return lower_with_hyphens(middle.substr(0, half));
  return lower_with_hyphens(middle.substr(0, middle.rfind('_')));
}

struct Address {
  std::string host;
  int port = 0;
};

// "postgres://user@host:5432/db", "http://host:9050", "host:9092"; nothing where a reference stands in the place of the host.
std::optional<Address> address_of(const std::string& text, int standard_port) {
  std::string rest = text;
  if (const auto scheme = rest.find("://"); scheme != rest.npos) rest = rest.substr(scheme + 3);
  if (const auto at = rest.rfind('@'); at != rest.npos) rest = rest.substr(at + 1);
  if (rest.starts_with("${")) return std::nullopt;
  rest = rest.substr(0, rest.find_first_of("/?"));
  if (rest.empty() || rest.find("${") != rest.npos || rest.find_first_of("[]{}, ") != rest.npos) return std::nullopt;
  const auto colon = rest.find(':');
  Address out{rest.substr(0, colon), standard_port};
  if (colon != rest.npos) out.port = std::atoi(rest.c_str() + colon + 1);
  if (out.host.empty() || out.port <= 0 || out.port > 65535) return std::nullopt;
  return out;
}

using Hosts = std::set<std::pair<std::string, int>>;  // with their ports

std::vector<std::string> labels_of(const std::string& host) {
  std::vector<std::string> labels(1);
  for (const char c : host) {
    if (c == '.')
      labels.emplace_back();
    else
      labels.back() += c;
  }
  return labels;
}

bool is_ipv4(const std::string& host) {
  const std::vector<std::string> labels = labels_of(host);
  return labels.size() == 4 && std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
           const bool is_number = label.find_first_not_of("0123456789") == label.npos;
           return is_number && !label.empty() && label.size() <= 3 && std::stoi(label) <= 255 &&
                  (label.size() == 1 || label[0] != '0');
         });
}

// What nais takes as a host outside of the cluster: labels of letters, digits and hyphens, and a domain that is not the cluster's.
bool is_external(const std::string& host) {
  const std::vector<std::string> labels = labels_of(host);
  const bool is_of_cluster = host.ends_with(".svc") || host.ends_with(".local");
  const bool is_number = host.find_first_not_of("0123456789.") == host.npos;
  return labels.size() > 1 && !is_of_cluster && !is_number &&
         std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
           const auto is_kept = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-'; };
           return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
                  std::all_of(label.begin(), label.end(), is_kept);
         });
}

class Nais {
 public:
  Nais(const Config& config, RenderPlan& plan) : config_(config), plan_(plan) {}

  Rendering render() {
    find_hosts();
    warn_of_google();
    warn_of_state();
    find_databases();
    std::vector<Given> given;
    for (const Workload& workload : plan_.workloads) given.push_back(given_to(workload));
    warn_of_kafka();
    std::set<std::string> own;
    for (const Given& one : given) own.insert(one.own.begin(), one.own.end());
    warn_of_secrets(given, own.size());
    out_.needs = secret_needs(plan_, joined({own.begin(), own.end()}));
    for (std::size_t i = 0; i < plan_.workloads.size(); ++i) {
      const Workload& workload = plan_.workloads[i];
      std::string text = i == 0 ? head_comment(plan_, out_.needs) : "";
      text += workload_comment(workload) + yaml_document(configuration_object(plan_, workload)) + "---\n";
      if (workload.entry == nullptr) {
        text += application(workload, given[i]);
      } else {
        for (std::size_t line = 0; line < workload.schedule.lines.size(); ++line)
          text += (line == 0 ? "" : "---\n") + naisjob(workload, given[i], line);
      }
      out_.files.push_back({workload.name + ".yaml", text});
    }
    return std::move(out_);
  }

 private:
  // Where the variables of a workload come from.
  struct Given {
    bool has_kafka = false;
    std::set<std::string> own;        // of the Secret that somebody has to make
    std::set<std::string> databases;  // of an instance that it declares
    std::set<std::string> secrets;    // of other applications' databases
  };

  void warn(const std::string& about, const std::string& sentence) { plan_.warnings.push_back({about, sentence}); }

  static bool is_database(const std::string& variable) {
    return variable.starts_with(kDatabasePrefix) && variable.find('_', kDatabasePrefix.size()) != variable.npos;
  }

  // "SAK" of "FLYTT_SAK", where the engine is called flytt.
  std::optional<std::string> own_database(const std::string& middle) const {
    std::string prefix;
    for (const char c : plan_.request.name)
      prefix += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (!middle.starts_with(prefix + "_")) return std::nullopt;
    return middle.substr(prefix.size() + 1);
  }

  // An instance belongs to the one application that declares it: to the engine, also when only a Naisjob reads it.
  void find_databases() {
    const bool has_engine = std::any_of(plan_.workloads.begin(), plan_.workloads.end(),
                                        [](const Workload& workload) { return workload.entry == nullptr; });
    for (const Workload& workload : plan_.workloads) {
      for (const std::string& name : workload.configuration.variables) {
        const auto database = is_database(name) ? own_database(without_ends(name)) : std::nullopt;
        if (!has_engine || !database) continue;
        if (databases_.empty())
          warn("gcp.sqlInstances", "type and tier of the instance of " + name +
                                       " are guesses: an instance is made with them when there is none");
        databases_.insert(lower_with_hyphens(*database));
      }
    }
    if (databases_.size() > 1)
      warn("gcp.sqlInstances", "nais takes one instance with one database: only " + *databases_.begin() + " of " +
                                   joined({databases_.begin(), databases_.end()}) + " is declared");
  }

  Given given_to(const Workload& workload) {
    Given given;
    const WorkloadConfiguration& configuration = workload.configuration;
    const bool is_engine = workload.entry == nullptr;
    if (is_engine) given.databases = databases_;
    for (const std::string& name : configuration.variables) {
      if (is_database(name)) {
        if (!is_engine || !own_database(without_ends(name))) add_secret(name, given);
      } else if (name.starts_with(kKafkaPrefix)) {
        given.has_kafka = true;
      } else {
        given.own.insert(name);
      }
    }
    given.has_kafka = given.has_kafka || !configuration.optional_variables.empty();  // the pool brings them
    if (given.has_kafka) readers_.push_back(workload.name);
    return given;
  }

  void add_secret(const std::string& variable, Given& given) {
    const std::string middle = without_ends(variable);
    const std::string owner = own_database(middle) ? plan_.request.name : owner_of(middle);
    given.secrets.insert("google-sql-" + owner);
    if (warned_.insert(owner).second)
      warn(variable,
           "it is taken to come from application '" + owner + "', by its Secret google-sql-" + owner +
               "; nais lets in only the application that declares the instance, so its address has to be added "
               "to accessPolicy.outbound.external as ipv4 with port 5432");
  }

  void warn_of_kafka() {
    if (readers_.empty()) return;
    if (plan_.request.kafka_pool.empty()) warn("--kafka-pool", "nav-dev is assumed");
    warn("kafka", "each Topic has to have " + joined(readers_) + " in its acl, with access 'read'");
  }

  // Elsewhere a workload gets the members of a Secret that it needs. nais has no words for one of them.
  void warn_of_secrets(const std::vector<Given>& given, std::size_t variables) {
    const auto has_others = [](std::size_t some, std::size_t all) { return some > 0 && some < all; };
    const std::string others = ": a workload that needs one has those of the others, too";
    if (std::any_of(given.begin(), given.end(),
                    [&](const Given& one) { return has_others(one.own.size(), variables); }))
      warn("Secret " + variables_name(plan_), "nais gives all its variables or none" + others);
    const std::size_t files = all_secret_files(plan_).size();
    if (std::any_of(plan_.workloads.begin(), plan_.workloads.end(), [&](const Workload& workload) {
          return has_others(workload.configuration.secret_files.size(), files);
        }))
      warn("Secret " + secret_files_name(plan_), "nais mounts all its files or none" + others);
  }

  void find_hosts() {
    const DestinationConfig& destination = config_.destination;
    if (destination.kind == DestinationConfig::Kind::kGoogle)
      for (const char* host : kGoogleHosts) hosts_.insert({host, 443});
    if (has_key()) hosts_.insert({kGoogleSignInHost, 443});
    if (destination.kind == DestinationConfig::Kind::kRemote)
      for (const std::string& text : {destination.rest_url, destination.grpc_address})
        if (const auto address = address_of(text, 80)) add_host("destination", *address, hosts_);
    if (config_.has_shared_state()) find_host_of("state", config_.state_url.reveal(), hosts_);
    for (const PostgresSourceConfig& source : config_.sources)
      find_host_of("source " + source.name, source.url.reveal(), source_hosts_[source.name]);
    for (const KafkaSourceConfig& source : config_.kafka_sources) {
      std::string rest = source.connection.brokers;
      if (rest.find("${") != rest.npos && rest.find("${env:KAFKA_BROKERS}") == rest.npos)
        warn("source " + source.name, "its brokers are not known here: add them to accessPolicy.outbound.external");
      for (; !rest.empty(); rest = rest.find(',') == rest.npos ? "" : rest.substr(rest.find(',') + 1))
        if (const auto address = address_of(rest.substr(0, rest.find(',')), 9092))
          add_host("source " + source.name, *address, source_hosts_[source.name]);
    }
    for (const JobConfig& job : config_.jobs)
      warn("job:" + job.name,
           "which hosts its command talks to is not known: add them to accessPolicy.outbound.external");
  }

  void find_host_of(const std::string& about, const std::string& url, Hosts& out) {
    if (const auto address = address_of(url, 5432))
      add_host(about, *address, out);
    else if (url.find("${env:" + std::string(kDatabasePrefix)) == url.npos)
      warn(about, "its host is not known here: add it to accessPolicy.outbound.external, with its port");
  }

  void add_host(const std::string& about, const Address& address, Hosts& out) {
    if (is_ipv4(address.host) || is_external(address.host))
      out.insert({address.host, address.port});
    else
      warn(about, "its host " + address.host +
                      " is none that accessPolicy.outbound.external lets through, which wants a domain outside of the "
                      "cluster: an application of the cluster belongs in accessPolicy.outbound.rules");
  }

  // Of the engine all; of a query that reads a source, this one; of another schedule none.
  Hosts hosts_of(const Workload& workload) const {
    Hosts out = hosts_;
    const QueryConfig* query = query_of(workload);
    for (const auto& [source, hosts] : source_hosts_)
      if (workload.entry == nullptr || (query != nullptr && query->from == source))
        out.insert(hosts.begin(), hosts.end());
    return out;
  }

  const QueryConfig* query_of(const Workload& workload) const {
    const bool is_query = workload.entry != nullptr && workload.entry->name.starts_with("query:");
    return is_query ? config_.find_query(workload.entry->name.substr(6)) : nullptr;
  }

  // Else the application's own account is used, by Workload Identity.
  bool has_key() const {
    return config_.destination.kind == DestinationConfig::Kind::kGoogle &&
           !config_.destination.sign_in.key_file.empty();
  }

  void warn_of_google() {
    if (config_.destination.kind != DestinationConfig::Kind::kGoogle) return;
    if (config_.location != kLocation)
      warn("location", "nais makes datasets in europe-north1, and this configuration says " + config_.location);
    const std::string made =
        "nais makes them in the team's project and gives the rights to the application's own account; ";
    const std::string written =
        config_.project.empty() ? "flytt" : "flytt writes to project " + config_.project + " and";
    if (has_key())
      warn("gcp.bigQueryDatasets",
           made + written + " signs in with a key: give them to the key's account, too (`flytt render iam`)");
    else if (!config_.project.empty())
      warn("gcp.bigQueryDatasets",
           made + written +
               " signs in as that one: where it is not the team's project, give the account its "
               "rights there (`flytt render iam --account`)");
    for (const std::string& dataset : datasets_of(config_))
      if (!is_dataset(dataset))
        warn("dataset " + dataset,
             "nais takes lower case letters, digits and _ only: it is left out, and has to be made otherwise");
  }

  void warn_of_state() {
    const bool has_claim = std::any_of(plan_.workloads.begin(), plan_.workloads.end(),
                                       [](const Workload& workload) { return !workload.state_volume.empty(); });
    if (has_claim)
      warn("state",
           "it is a file on a claim of each workload, which nais mounts only after it was agreed with the platform; "
           "on a folder that is empty after each start everything would be copied anew, and slots run twice. Use "
           "'state: {postgres: URL}'");
  }

  static bool is_dataset(const std::string& name) {
    return name.size() > 1 && name[0] != '_' && std::all_of(name.begin(), name.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
  }

  // -- fields that Application and Naisjob share

  static YAML::Node named(const char* name, const std::string& value) {
    YAML::Node node;
    node["name"] = name;
    node["value"] = yaml_text(value);
    return node;
  }

  void add_shared(YAML::Node& spec, const Workload& workload, const Given& given) const {
    spec["image"] = yaml_text(image_of(plan_));
    spec["command"].push_back("flytt");
    for (const std::string& argument : workload.arguments) spec["command"].push_back(yaml_text(argument));
    // The user has no home, and programs look for one that can be written.
    if (workload.runs_commands) spec["env"].push_back(named("HOME", "/tmp"));
    spec["resources"] = kubernetes_resources(workload);
    spec["terminationGracePeriodSeconds"] = kPreStopSeconds + kStopSeconds;
    add_sources(spec, workload, given);
    if (given.has_kafka)
      spec["kafka"]["pool"] = yaml_text(plan_.request.kafka_pool.empty() ? "nav-dev" : plan_.request.kafka_pool);
    add_google(spec, workload, given);
    for (const auto& [host, port] : hosts_of(workload)) {
      YAML::Node entry, rule;
      entry[is_ipv4(host) ? "ipv4" : "host"] = yaml_text(host);
      if (port != 443 || is_ipv4(host)) {  // an address without ports gets those of the others
        rule["port"] = port;
        entry["ports"].push_back(rule);
      }
      spec["accessPolicy"]["outbound"]["external"].push_back(entry);
    }
  }

  void add_sources(YAML::Node& spec, const Workload& workload, const Given& given) const {
    const auto from = [](const char* kind, const std::string& name) {
      YAML::Node node;
      node[kind] = yaml_text(name);
      return node;
    };
    if (!given.own.empty()) spec["envFrom"].push_back(from("secret", variables_name(plan_)));
    for (const std::string& secret : given.secrets) spec["envFrom"].push_back(from("secret", secret));
    YAML::Node configuration = from("configmap", configuration_name(workload));
    configuration["mountPath"] = kConfigFolder;
    spec["filesFrom"].push_back(configuration);
    if (!workload.configuration.secret_files.empty()) {
      YAML::Node files = from("secret", secret_files_name(plan_));
      files["mountPath"] = secret_folder(Place::kNais);
      spec["filesFrom"].push_back(files);
    }
    YAML::Node state;
    if (workload.state_volume.empty())
      state["emptyDir"]["medium"] = "Disk";
    else
      state["persistentVolumeClaim"] = yaml_text(workload.state_volume);
    state["mountPath"] = kStateFolder;
    spec["filesFrom"].push_back(state);
  }

  void add_google(YAML::Node& spec, const Workload& workload, const Given& given) const {
    if (!given.databases.empty()) {
      YAML::Node instance, flag, named;
      instance["type"] = "POSTGRES_17";
      instance["tier"] = "db-f1-micro";
      named["name"] = yaml_text(*given.databases.begin());
      instance["databases"].push_back(named);
      flag["name"] = "cloudsql.logical_decoding";
      flag["value"] = yaml_text("on");
      instance["flags"].push_back(flag);
      spec["gcp"]["sqlInstances"].push_back(instance);
    }
    if (config_.destination.kind != DestinationConfig::Kind::kGoogle) return;
    for (const std::string& name : datasets_of(config_)) {
      if (!is_dataset(name) || !writes(workload, name)) continue;
      YAML::Node dataset;
      dataset["name"] = yaml_text(name);
      dataset["permission"] = "READWRITE";
      spec["gcp"]["bigQueryDatasets"].push_back(dataset);
    }
  }

  // Of the engine all; of a query its own; a command may need any, and says so nowhere.
  bool writes(const Workload& workload, const std::string& dataset) const {
    const QueryConfig* query = query_of(workload);
    return query == nullptr || query->dataset == dataset;
  }

  static YAML::Node probe(const char* path, int failures) {
    YAML::Node node;
    node["path"] = path;
    node["periodSeconds"] = 10;
    node["timeout"] = 5;
    node["failureThreshold"] = failures;
    return node;
  }

  std::string application(const Workload& workload, const Given& given) const {
    YAML::Node object = kubernetes_object(plan_, "nais.io/v1alpha1", "Application", workload.name), spec;
    add_shared(spec, workload, given);
    // A changed configuration makes new pods: it is read once, at the start. Annotations do not reach a pod, and nais looks at
    // the spec only.
    spec["env"].push_back(named(kFingerprintVariable, std::to_string(fingerprint(workload.configuration))));
    spec["port"] = kHealthPort;
    spec["startup"] = probe("/isalive", 60);
    spec["liveness"] = probe("/isalive", 6);
    spec["readiness"] = probe("/isready", 3);
    spec["prometheus"]["enabled"] = true;
    spec["prometheus"]["path"] = "/metrics";
    spec["replicas"]["min"] = workload.replicas;
    spec["replicas"]["max"] = workload.replicas;
    spec["replicas"]["disableAutoScaling"] = true;
    spec["strategy"]["type"] = workload.replicas == 1 ? "Recreate" : "RollingUpdate";
    object["spec"] = spec;
    return yaml_document(object);
  }

  std::string naisjob(const Workload& workload, const Given& given, std::size_t line) const {
    const std::string name =
        workload.schedule.lines.size() == 1 ? workload.name : dns_name(workload.name + "-" + std::to_string(line + 1));
    YAML::Node object = kubernetes_object(plan_, "nais.io/v1", "Naisjob", name), spec;
    spec["schedule"] = yaml_text(workload.schedule.lines[line]);
    spec["timeZone"] = yaml_text(workload.schedule.timezone);
    spec["concurrencyPolicy"] = concurrency_policy(workload);
    if (workload.run_seconds_max > 0) spec["activeDeadlineSeconds"] = workload.run_seconds_max;
    spec["backoffLimit"] = 0;
    spec["completions"] = 1;
    spec["parallelism"] = 1;
    spec["restartPolicy"] = "Never";
    spec["successfulJobsHistoryLimit"] = 3;
    spec["failedJobsHistoryLimit"] = 3;
    spec["ttlSecondsAfterFinished"] = kFinishedSeconds;
    add_shared(spec, workload, given);
    object["spec"] = spec;
    return yaml_document(object);
  }

  const Config& config_;
  RenderPlan& plan_;
  Rendering out_;
  std::set<std::string> databases_;  // of the engine's own instance
  std::set<std::string> warned_;
  std::vector<std::string> readers_;           // workloads that get Kafka's variables
  Hosts hosts_;                                // that each workload talks to
  std::map<std::string, Hosts> source_hosts_;  // by source
};

}  // namespace

Rendering render_nais(const Config& config, RenderPlan& plan) { return Nais(config, plan).render(); }

}  // namespace flytt::app
