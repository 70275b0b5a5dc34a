#include "app/internal/render_places.h"

#include <algorithm>

#include "app/internal/yaml_text.h"

namespace flytt::app {

std::string image_of(const RenderPlan& plan) {
  return plan.request.image.empty() ? "flytt:" FLYTT_VERSION : plan.request.image;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i)
    out += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  return out;
}

std::int64_t fingerprint(const WorkloadConfiguration& configuration) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  const auto add = [&](const std::string& text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    hash *= 1099511628211ULL;
  };
  add(configuration.text);
  for (const auto& [name, text] : configuration.statements) {
    add(name);
    add(text);
  }
  return static_cast<std::int64_t>(hash >> 1);
}

std::vector<std::string> all_variables(const RenderPlan& plan, bool is_optional) {
  std::vector<std::string> out;
  for (const Workload& workload : plan.workloads)
    for (const std::string& name :
         is_optional ? workload.configuration.optional_variables : workload.configuration.variables)
      if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  return out;
}

std::vector<SecretFile> all_secret_files(const RenderPlan& plan) {
  std::vector<SecretFile> out;
  for (const Workload& workload : plan.workloads)
    for (const SecretFile& file : workload.configuration.secret_files)
      if (std::none_of(out.begin(), out.end(), [&](const SecretFile& known) { return known.id == file.id; }))
        out.push_back(file);
  return out;
}

std::string variables_sentence(const RenderPlan& plan) {
  const std::vector<std::string> optional = all_variables(plan, true);
  return joined(all_variables(plan, false)) + (optional.empty() ? "" : ", and where TLS is used " + joined(optional));
}

std::string head_comment(const RenderPlan& plan, const std::vector<std::string>& needs) {
  static constexpr const char* kPlaces[] = {"nais", "k8s", "systemd", "compose"};
  std::string out =
      comment_lines("Made by `flytt render " + std::string(kPlaces[static_cast<int>(plan.request.place)]) +
                    "`; change the configuration and make it anew.");
  for (const std::string& need : needs) out += comment_lines("needs: " + need);
  for (const RenderWarning& warning : plan.warnings)
    out += comment_lines("warning: " + warning.about + ": " + warning.sentence);
  return out;
}

std::string workload_comment(const Workload& workload) {
  return comment_lines((workload.entry ? workload.what : "the engine: " + workload.what) + "\n" +
                       memory_sentence(workload.memory));
}

}  // namespace flytt::app
