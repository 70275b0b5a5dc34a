// Units of systemd (systemd.service(5), systemd.timer(5), systemd.exec(5), sysusers.d(5)).

#include <algorithm>

#include "app/internal/render_places.h"
#include "app/internal/yaml_text.h"

namespace flytt::app {

namespace {

constexpr const char* kProgram = "/usr/local/bin/flytt";

// The text of a setting: % is a specifier, and a \ at the end would go on in the next line.
std::string setting_text(const std::string& text) {
  std::string out;
  for (const char c : one_line(text)) out += c == '%' ? "%%" : c == '\\' || c == '\n' ? " " : std::string(1, c);
  return out;
}

// A word of a list of paths: quoted, so that blanks are its own.
std::string path_word(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == '%') out += c;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return "\"" + out + "\"";
}

// Words without blanks or signs of systemd: verbs, options, and a path that is made from a name.
std::string exec_start(const Workload& workload) {
  std::string out = kProgram;
  const std::string folder = std::string(kConfigFolder) + "/";
  for (const std::string& argument : workload.arguments)
    out += " " + (argument == folder + "flytt.yaml" ? folder + workload.name + ".yaml" : argument);
  return out;
}

// What a service that reads databases and writes to the network needs not. ProtectHome and the rest hold for commands, too.
constexpr const char* kHardening =
    "UMask=0077\n"
    "NoNewPrivileges=yes\n"
    "CapabilityBoundingSet=\n"
    "AmbientCapabilities=\n"
    "ProtectSystem=strict\n"
    "ProtectHome=yes\n"
    "PrivateDevices=yes\n"
    "ProtectClock=yes\n"
    "ProtectHostname=yes\n"
    "ProtectKernelTunables=yes\n"
    "ProtectKernelModules=yes\n"
    "ProtectKernelLogs=yes\n"
    "ProtectControlGroups=yes\n"
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n"
    "RestrictNamespaces=yes\n"
    "RestrictRealtime=yes\n"
    "RestrictSUIDSGID=yes\n"
    "LockPersonality=yes\n"
    "SystemCallArchitectures=native\n";

// A private /tmp is emptied when the unit stops, and a command may go on then.
std::string folders(const Workload& workload) {
  if (!workload.runs_commands) return "PrivateTmp=yes\n";
  std::string out = "ReadWritePaths=/tmp /var/tmp";
  for (const std::string& folder : workload.configuration.folders) out += " " + path_word("-" + folder);
  return out + "\n";
}

std::string service(const Workload& workload) {
  const bool is_engine = workload.entry == nullptr;
  const std::string state = state_folder(Place::kSystemd, workload.name);
  std::string out = workload_comment(workload);
  out += "[Unit]\nDescription=flytt: " + setting_text(workload.what) +
         "\nWants=network-online.target\nAfter=network-online.target\n";
  if (is_engine) out += "StartLimitIntervalSec=0\n";
  out +=
      "\n[Service]\nType=" + std::string(is_engine ? "exec" : "oneshot") + "\nExecStart=" + exec_start(workload) + "\n";
  out += "User=flytt\nGroup=flytt\n";
  if (!workload.configuration.variables.empty() || !workload.configuration.optional_variables.empty())
    out += "EnvironmentFile=/etc/flytt/flytt.env\n";
  out += "StateDirectory=" + workload.name + "\nStateDirectoryMode=0700\nWorkingDirectory=" + state + "\n";
  if (workload.runs_commands) out += "Environment=HOME=" + state + "\n";
  if (is_engine)
    out += "Restart=on-failure\nRestartSec=5\nRestartPreventExitStatus=2\n";
  else
    out += "TimeoutStartSec=" + (workload.run_seconds_max > 0 ? std::to_string(workload.run_seconds_max) : "infinity") +
           "\n";
  // SIGTERM goes to flytt alone, which drains; its commands have supervisors and are adopted by the next flytt.
  out += "KillMode=" + std::string(workload.runs_commands ? "process" : "mixed") +
         "\nTimeoutStopSec=" + std::to_string(kStopSeconds) + "\n";
  out += "MemoryMax=" + std::to_string(memory_bytes(workload.memory)) + "\n" + kHardening + folders(workload);
  if (is_engine) out += "\n[Install]\nWantedBy=multi-user.target\n";
  return out;
}

std::string timer(const Workload& workload) {
  std::string out = "[Unit]\nDescription=flytt: when " + setting_text(workload.what) + " runs\n\n[Timer]\n";
  for (const std::string& line : workload.schedule.lines) out += "OnCalendar=" + line + "\n";
  const bool runs_late = workload.entry->policy.missed != scheduler::Missed::kNone;
  out += "Persistent=" + std::string(runs_late ? "yes" : "no") + "\nAccuracySec=1s\nUnit=" + workload.name +
         ".service\n\n[Install]\nWantedBy=timers.target\n";
  return out;
}

std::vector<std::string> needs_of(const RenderPlan& plan) {
  std::vector<std::string> needs{
      "the program in " + std::string(kProgram) +
      " with its lib folder beside it; these files: *.service "
      "and *.timer in /etc/systemd/system, flytt.conf in /usr/lib/sysusers.d, the others in " +
      kConfigFolder +
      "; then systemd-sysusers && systemctl daemon-reload && systemctl enable --now "
      "each unit that has an [Install] section"};
  if (const std::string variables = variables_sentence(plan); !variables.empty())
    needs.push_back("/etc/flytt/flytt.env (root, 0600), lines NAME='value', with " + variables);
  for (const SecretFile& file : all_secret_files(plan))
    needs.push_back(secret_folder(Place::kSystemd) + "/" + file.id + " (root:flytt, 0640): " + file.origin);
  return needs;
}

}  // namespace

Rendering render_systemd(const RenderPlan& plan) {
  Rendering out;
  out.needs = needs_of(plan);
  for (const Workload& workload : plan.workloads) {
    out.files.push_back({workload.name + ".service", service(workload)});
    if (workload.entry != nullptr) out.files.push_back({workload.name + ".timer", timer(workload)});
    out.files.push_back({workload.name + ".yaml", workload.configuration.text});
    for (const auto& [name, text] : workload.configuration.statements) {
      const auto is_it = [&name = name](const RenderedFile& file) { return file.name == name; };
      if (std::none_of(out.files.begin(), out.files.end(), is_it)) out.files.push_back({name, text});
    }
  }
  out.files.push_back({"flytt.conf", "u flytt - \"flytt\" /var/lib/flytt\n"});
  out.files[0].text = head_comment(plan, out.needs) + out.files[0].text;
  return out;
}

}  // namespace flytt::app
