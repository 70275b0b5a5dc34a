#include "app/internal/render_kubernetes.h"

#include <algorithm>

#include "app/internal/yaml_text.h"
#include "scheduler/limits.h"

namespace flytt::app {

namespace {

constexpr int kUser = 1069;  // no user of the image is needed
constexpr int kOnTimeSeconds = 60;
constexpr int kDeadlineSecondsMin = 10;
constexpr int kFinishedSeconds = 86'400;  // a finished Job with its pod and logs is kept for a day
constexpr const char* kVolumeSize = "10Gi";

std::string text_of(std::int64_t number) { return std::to_string(number); }

YAML::Node mount(const char* name, const std::string& path, bool read_only) {
  YAML::Node node;
  node["name"] = name;
  node["mountPath"] = path;
  if (read_only) node["readOnly"] = true;
  return node;
}

YAML::Node probe(const char* path, int period_seconds, int failures) {
  YAML::Node node;
  node["httpGet"]["path"] = path;
  node["httpGet"]["port"] = "health";
  node["periodSeconds"] = period_seconds;
  node["timeoutSeconds"] = 5;
  node["failureThreshold"] = failures;
  return node;
}

YAML::Node variable(const RenderPlan& plan, const std::string& name, bool is_optional) {
  YAML::Node node, key;
  node["name"] = yaml_text(name);
  key["name"] = variables_name(plan);
  key["key"] = yaml_text(name);
  if (is_optional) key["optional"] = true;
  node["valueFrom"]["secretKeyRef"] = key;
  return node;
}

YAML::Node container(const RenderPlan& plan, const Workload& workload) {
  YAML::Node node;
  node["name"] = "flytt";
  node["image"] = yaml_text(image_of(plan));
  node["command"].push_back("flytt");
  node["args"] = yaml_list(workload.arguments);
  if (workload.runs_commands) {  // the user has no home, and programs look for one that can be written
    YAML::Node home;
    home["name"] = "HOME";
    home["value"] = "/tmp";
    node["env"].push_back(home);
  }
  for (const std::string& name : workload.configuration.variables) node["env"].push_back(variable(plan, name, false));
  for (const std::string& name : workload.configuration.optional_variables)
    node["env"].push_back(variable(plan, name, true));
  if (workload.entry == nullptr) {
    YAML::Node port;
    port["name"] = "health";
    port["containerPort"] = kHealthPort;
    node["ports"].push_back(port);
    node["startupProbe"] = probe("/isalive", 5, 60);
    node["livenessProbe"] = probe("/isalive", 10, 6);
    node["readinessProbe"] = probe("/isready", 10, 3);
  }
  node["resources"] = kubernetes_resources(workload);
  node["securityContext"]["allowPrivilegeEscalation"] = false;
  node["securityContext"]["readOnlyRootFilesystem"] = true;
  node["securityContext"]["capabilities"]["drop"].push_back("ALL");
  node["volumeMounts"].push_back(mount("configuration", kConfigFolder, true));
  node["volumeMounts"].push_back(mount("tmp", "/tmp", false));
  node["volumeMounts"].push_back(mount("state", kStateFolder, false));
  if (!workload.configuration.secret_files.empty())
    node["volumeMounts"].push_back(mount("secrets", secret_folder(plan.request.place), true));
  return node;
}

YAML::Node volumes(const RenderPlan& plan, const Workload& workload) {
  YAML::Node list(YAML::NodeType::Sequence), configuration, tmp, state, secrets;
  configuration["name"] = "configuration";
  configuration["configMap"]["name"] = configuration_name(workload);
  list.push_back(configuration);
  tmp["name"] = "tmp";
  tmp["emptyDir"] = yaml_empty_map();
  list.push_back(tmp);
  state["name"] = "state";
  if (workload.state_volume.empty())
    state["emptyDir"] = yaml_empty_map();
  else
    state["persistentVolumeClaim"]["claimName"] = workload.state_volume;
  list.push_back(state);
  if (workload.configuration.secret_files.empty()) return list;
  secrets["name"] = "secrets";
  secrets["secret"]["secretName"] = secret_files_name(plan);
  secrets["secret"]["defaultMode"] = 288;  // 0440
  for (const SecretFile& file : workload.configuration.secret_files) {
    YAML::Node item;
    item["key"] = yaml_text(file.id);
    item["path"] = yaml_text(file.id);
    secrets["secret"]["items"].push_back(item);
  }
  list.push_back(secrets);
  return list;
}

// Labels by which a Service finds the pods of a workload.
YAML::Node labels(const Workload& workload) {
  YAML::Node node;
  node["app.kubernetes.io/name"] = "flytt";
  node["app.kubernetes.io/instance"] = workload.name;
  return node;
}

YAML::Node pod_template(const RenderPlan& plan, const Workload& workload) {
  YAML::Node node, spec;
  node["metadata"]["labels"] = labels(workload);
  // A changed configuration makes new pods: it is read once, at the start.
  node["metadata"]["annotations"]["checksum/configuration"] = yaml_text(text_of(fingerprint(workload.configuration)));
  if (workload.entry == nullptr) {
    node["metadata"]["annotations"]["prometheus.io/scrape"] = yaml_text("true");
    node["metadata"]["annotations"]["prometheus.io/port"] = yaml_text(text_of(kHealthPort));
    node["metadata"]["annotations"]["prometheus.io/path"] = "/metrics";
  }
  spec["automountServiceAccountToken"] = false;
  spec["terminationGracePeriodSeconds"] = kStopSeconds;
  if (workload.entry != nullptr) spec["restartPolicy"] = "Never";
  spec["securityContext"]["runAsNonRoot"] = true;
  spec["securityContext"]["runAsUser"] = kUser;
  spec["securityContext"]["runAsGroup"] = kUser;
  spec["securityContext"]["fsGroup"] = kUser;
  // Else the group gets rights to all of a volume at each start, and flytt refuses a folder that others can read.
  spec["securityContext"]["fsGroupChangePolicy"] = "OnRootMismatch";
  spec["securityContext"]["seccompProfile"]["type"] = "RuntimeDefault";
  spec["containers"].push_back(container(plan, workload));
  spec["volumes"] = volumes(plan, workload);
  node["spec"] = spec;
  return node;
}

std::string claim(const RenderPlan& plan, const Workload& workload) {
  YAML::Node object = kubernetes_object(plan, "v1", "PersistentVolumeClaim", workload.state_volume);
  object["spec"]["accessModes"].push_back("ReadWriteOnce");
  object["spec"]["resources"]["requests"]["storage"] = kVolumeSize;
  return yaml_document(object);
}

std::string deployment(const RenderPlan& plan, const Workload& workload) {
  YAML::Node object = kubernetes_object(plan, "apps/v1", "Deployment", workload.name);
  object["spec"]["replicas"] = workload.replicas;
  if (workload.replicas == 1)
    object["spec"]["strategy"]["type"] = "Recreate";
  else
    object["spec"]["strategy"]["type"] = "RollingUpdate";
  object["spec"]["selector"]["matchLabels"] = labels(workload);
  object["spec"]["template"] = pod_template(plan, workload);
  return yaml_document(object);
}

std::string service(const RenderPlan& plan, const Workload& workload) {
  YAML::Node object = kubernetes_object(plan, "v1", "Service", workload.name), port;
  object["spec"]["selector"] = labels(workload);
  port["name"] = "health";
  port["port"] = kHealthPort;
  port["targetPort"] = "health";
  object["spec"]["ports"].push_back(port);
  return yaml_document(object);
}

std::int64_t starting_deadline_seconds(const scheduler::Policy& policy) {
  std::int64_t seconds = policy.start_micros_max / scheduler::kMicrosPerSecond;
  if (seconds > 0) seconds = std::max<std::int64_t>(seconds, kDeadlineSecondsMin);
  if (policy.missed == scheduler::Missed::kNone)
    seconds = seconds == 0 ? kOnTimeSeconds : std::min<std::int64_t>(seconds, kOnTimeSeconds);
  return seconds;
}

// One pod that runs once: attempts, completions and their waits are flytt's own, and the ledger knows them. Only a pod
// that was taken away without its fault is started again.
YAML::Node job_spec(const RenderPlan& plan, const Workload& workload) {
  YAML::Node spec, rule, condition;
  spec["backoffLimit"] = 0;
  spec["completions"] = 1;
  spec["parallelism"] = 1;
  spec["ttlSecondsAfterFinished"] = kFinishedSeconds;
  if (workload.run_seconds_max > 0) spec["activeDeadlineSeconds"] = workload.run_seconds_max;
  rule["action"] = "Ignore";
  condition["type"] = "DisruptionTarget";
  condition["status"] = yaml_text("True");
  rule["onPodConditions"].push_back(condition);
  spec["podFailurePolicy"]["rules"].push_back(rule);
  spec["template"] = pod_template(plan, workload);
  return spec;
}

std::string cron_job(const RenderPlan& plan, const Workload& workload, std::size_t line) {
  const std::string name = workload.schedule.lines.size() == 1
                               ? workload.name
                               : dns_name(workload.name + "-" + text_of(static_cast<std::int64_t>(line) + 1));
  YAML::Node object = kubernetes_object(plan, "batch/v1", "CronJob", name);
  object["spec"]["schedule"] = yaml_text(workload.schedule.lines[line]);
  object["spec"]["timeZone"] = yaml_text(workload.schedule.timezone);
  object["spec"]["concurrencyPolicy"] = concurrency_policy(workload);
  if (const std::int64_t seconds = starting_deadline_seconds(workload.entry->policy); seconds > 0)
    object["spec"]["startingDeadlineSeconds"] = seconds;
  object["spec"]["successfulJobsHistoryLimit"] = 3;
  object["spec"]["failedJobsHistoryLimit"] = 3;
  object["spec"]["jobTemplate"]["spec"] = job_spec(plan, workload);
  return yaml_document(object);
}

}  // namespace

YAML::Node kubernetes_object(const RenderPlan& plan, const char* version, const char* kind, const std::string& name) {
  YAML::Node node;
  node["apiVersion"] = version;
  node["kind"] = kind;
  node["metadata"]["name"] = yaml_text(name);
  if (!plan.request.name_space.empty()) node["metadata"]["namespace"] = yaml_text(plan.request.name_space);
  if (plan.request.place == Place::kNais) {
    if (!plan.request.name_space.empty()) node["metadata"]["labels"]["team"] = yaml_text(plan.request.name_space);
  } else {
    node["metadata"]["labels"]["app.kubernetes.io/name"] = "flytt";
  }
  return node;
}

std::string configuration_name(const Workload& workload) { return workload.name + "-config"; }
std::string variables_name(const RenderPlan& plan) { return dns_name(plan.request.name) + "-env"; }
std::string secret_files_name(const RenderPlan& plan) { return dns_name(plan.request.name) + "-files"; }

YAML::Node configuration_object(const RenderPlan& plan, const Workload& workload) {
  YAML::Node object = kubernetes_object(plan, "v1", "ConfigMap", configuration_name(workload));
  object["data"]["flytt.yaml"] = yaml_text(workload.configuration.text);
  for (const auto& [name, text] : workload.configuration.statements) object["data"][name] = yaml_text(text);
  return object;
}

const char* concurrency_policy(const Workload& workload) {
  const bool replaces = workload.entry->policy.concurrency == scheduler::Concurrency::kReplace;
  return replaces && !workload.state_volume.empty() ? "Replace" : "Forbid";
}

std::string memory_quantity(std::int64_t bytes) { return std::to_string(bytes >> 20) + "Mi"; }

YAML::Node kubernetes_resources(const Workload& workload) {
  const std::string memory = memory_quantity(memory_bytes(workload.memory));
  YAML::Node node;
  node["requests"]["cpu"] = "200m";
  node["requests"]["memory"] = memory;
  node["limits"]["memory"] = memory;
  return node;
}

std::vector<std::string> secret_needs(const RenderPlan& plan, const std::string& variables) {
  const std::string space = plan.request.name_space.empty() ? "" : " -n " + plan.request.name_space;
  std::vector<std::string> out;
  if (!variables.empty())
    out.push_back(
        "Secret " + variables_name(plan) + " with " + variables + ": kubectl" + space + " create secret generic " +
        variables_name(plan) +
        " --from-env-file=flytt.env, which has lines NAME=value, without quotes (a value of several lines does "
        "not fit there: give it as a file, with ${file:…} in the configuration)");
  const std::vector<SecretFile> all = all_secret_files(plan);
  if (all.empty()) return out;
  std::vector<std::string> files;
  std::string command = "kubectl" + space + " create secret generic " + secret_files_name(plan);
  for (const SecretFile& file : all) {
    files.push_back(file.id + " (" + file.origin + ")");
    command += " --from-file=" + file.id;
  }
  out.push_back("Secret " + secret_files_name(plan) + " with " + joined(files) + ": " + command);
  return out;
}

Rendering render_kubernetes(const RenderPlan& plan) {
  Rendering out;
  out.needs = secret_needs(plan, variables_sentence(plan));
  for (const Workload& workload : plan.workloads) {
    std::string text = out.files.empty() ? head_comment(plan, out.needs) : "";
    text += workload_comment(workload) + yaml_document(configuration_object(plan, workload)) + "---\n";
    if (!workload.state_volume.empty()) text += claim(plan, workload) + "---\n";
    if (workload.entry == nullptr) {
      text += deployment(plan, workload) + "---\n" + service(plan, workload);
    } else {
      for (std::size_t line = 0; line < workload.schedule.lines.size(); ++line)
        text += (line == 0 ? "" : "---\n") + cron_job(plan, workload, line);
    }
    out.files.push_back({workload.name + ".yaml", text});
  }
  return out;
}

}  // namespace flytt::app
