// A Compose file (compose-spec.io). Schedules stay in the engine: Compose has none.

#include <yaml-cpp/yaml.h>

#include "app/internal/render_places.h"
#include "app/internal/yaml_text.h"

namespace flytt::app {

namespace {

// In every value of the file ${…} is Compose's; a $ that is meant is written twice.
std::string literal(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '$' ? "$$" : std::string(1, c);
  return out;
}

YAML::Node mounted(const std::string& source, const std::string& target) {
  YAML::Node node;
  node["source"] = yaml_text(source);
  node["target"] = yaml_text(target);
  return node;
}

// bash speaks HTTP well enough, so the image needs no other program. Failures count from start_period on.
YAML::Node health_check() {
  const std::string port = std::to_string(kHealthPort);
  YAML::Node node;
  node["test"] =
      yaml_list({"CMD", "bash", "-c",
                 "exec 3<>/dev/tcp/127.0.0.1/" + port +
                     " && printf 'GET /isready HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n' >&3"
                     " && read -r -u 3 answer && [[ \"$$answer\" == *' 200 '* ]]"});
  node["interval"] = "10s";
  node["timeout"] = "5s";
  node["retries"] = 6;
  node["start_period"] = "5m";
  return node;
}

// Commands may start programs that they have unpacked, which Docker forbids in a tmpfs unless asked; and what their runs
// leave is not to count as memory, so it lies on a volume also where the state is elsewhere.
void add_folders(YAML::Node& node, const Workload& workload) {
  node["tmpfs"].push_back(yaml_text(workload.runs_commands ? "/tmp:exec" : "/tmp"));
  if (!workload.state_volume.empty())
    node["volumes"].push_back(yaml_text(workload.state_volume + ":" + kStateFolder));
  else if (workload.runs_commands)
    node["volumes"].push_back(yaml_text(kStateFolder));
  else
    node["tmpfs"].push_back(yaml_text(kStateFolder));
}

YAML::Node service(const RenderPlan& plan, const Workload& workload) {
  const WorkloadConfiguration& configuration = workload.configuration;
  YAML::Node node;
  node["image"] = yaml_text(literal(image_of(plan)));
  node["entrypoint"].push_back("flytt");
  node["command"] = yaml_list(workload.arguments);
  node["restart"] = "unless-stopped";
  node["stop_grace_period"] = std::to_string(kStopSeconds) + "s";
  node["mem_limit"] = std::to_string(memory_bytes(workload.memory) >> 20) + "m";
  if (!configuration.variables.empty() || !configuration.optional_variables.empty())
    node["env_file"].push_back(yaml_text("flytt.env"));
  if (workload.runs_commands) node["environment"]["HOME"] = "/tmp";
  node["healthcheck"] = health_check();
  // Several replicas cannot have one port of the machine; Docker chooses then.
  const std::string port = std::to_string(kHealthPort);
  node["ports"].push_back(yaml_text("127.0.0.1:" + (workload.replicas > 1 ? "" : port) + ":" + port));
  node["read_only"] = true;
  node["cap_drop"].push_back("ALL");
  node["security_opt"].push_back(yaml_text("no-new-privileges:true"));
  node["configs"].push_back(mounted("flytt.yaml", std::string(kConfigFolder) + "/flytt.yaml"));
  for (const auto& [name, text] : configuration.statements)
    node["configs"].push_back(mounted(name, std::string(kConfigFolder) + "/" + name));
  for (const SecretFile& file : configuration.secret_files) node["secrets"].push_back(yaml_text(file.id));
  add_folders(node, workload);
  return node;
}

}  // namespace

// Nothing runs apart, so there is one workload.
Rendering render_compose(const RenderPlan& plan) {
  const Workload& workload = plan.workloads.at(0);
  Rendering out;
  YAML::Node root;
  root["services"][workload.name] = service(plan, workload);
  if (workload.replicas > 1) root["services"][workload.name]["deploy"]["replicas"] = workload.replicas;
  if (!workload.state_volume.empty()) root["volumes"][workload.state_volume] = yaml_empty_map();
  root["configs"]["flytt.yaml"]["file"] = "./flytt.yaml";
  for (const auto& [name, text] : workload.configuration.statements)
    root["configs"][name]["file"] = yaml_text("./" + name);
  for (const SecretFile& file : workload.configuration.secret_files) {
    root["secrets"][file.id]["file"] = yaml_text("./secrets/" + file.id);
    out.needs.push_back("./secrets/" + file.id + ": " + file.origin);
  }
  if (const std::string variables = variables_sentence(plan); !variables.empty())
    out.needs.push_back("flytt.env, lines NAME='value', with " + variables +
                        " (Compose takes $ and # for its own outside of quotes)");
  out.needs.push_back("bash in the image: the health check uses it");
  std::string user;
  if (!workload.state_volume.empty() || workload.runs_commands)
    user = "a folder " + std::string(kStateFolder) + " in the image that its user owns, unless that is root";
  if (!workload.configuration.secret_files.empty())
    user += std::string(user.empty() ? "" : "; ") +
            "files in ./secrets that the image's user may read as they are, also " +
            "when it is root, which has no rights over others' files there";
  if (!user.empty()) out.needs.push_back(user);
  out.files.push_back(
      {"compose.yaml", head_comment(plan, out.needs) + workload_comment(workload) + yaml_document(root)});
  out.files.push_back({"flytt.yaml", workload.configuration.text});
  for (const auto& [name, text] : workload.configuration.statements) out.files.push_back({name, text});
  return out;
}

}  // namespace flytt::app
