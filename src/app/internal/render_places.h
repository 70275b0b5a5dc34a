#pragma once
// A plan in the language of each place. What a place needs to know that it cannot be told in its language is in `needs`,
// and in the comments at the top of the first file.

#include <string>
#include <vector>

#include "app/internal/render_plan.h"

namespace flytt::app {

struct RenderedFile {
  std::string name;  // below the folder that is written to
  std::string text;
};

struct Rendering {
  std::vector<RenderedFile> files;  // the first one begins with all warnings
  std::vector<std::string> needs;   // sentences: what somebody has to put there
};

Rendering render_kubernetes(const RenderPlan& plan);  // Deployment, Service, claim, ConfigMap; a CronJob per schedule
// Application and Naisjobs. May add warnings about what nais has no words for.
Rendering render_nais(const Config& config, RenderPlan& plan);
Rendering render_systemd(const RenderPlan& plan);  // services and timers
Rendering render_compose(const RenderPlan& plan);  // compose.yaml

// -- what they share

std::string image_of(const RenderPlan& plan);
// What made the file, needs and warnings; lines that begin with #.
std::string head_comment(const RenderPlan& plan, const std::vector<std::string>& needs);
// A document for one workload: what it is and how its memory was counted, then the tree.
std::string workload_comment(const Workload& workload);
// A list in a sentence: "A, B and C".
std::string joined(const std::vector<std::string>& words);
std::int64_t fingerprint(const WorkloadConfiguration& configuration);
// All that the workloads need, each once.
std::vector<std::string> all_variables(const RenderPlan& plan, bool is_optional);
std::vector<SecretFile> all_secret_files(const RenderPlan& plan);
// "A, B, and where TLS is used C"; empty when nothing is needed.
std::string variables_sentence(const RenderPlan& plan);

}  // namespace flytt::app
