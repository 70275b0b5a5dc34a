// flytt render: the configuration for another place.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/commands.h"
#include "app/internal/iam_plan.h"
#include "app/internal/json_object.h"
#include "app/internal/local_service.h"
#include "app/internal/render_places.h"
#include "app/internal/session.h"
#include "app/output.h"
#include "bigquery/credentials.h"

namespace flytt::app {

namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Status render_iam(const CommonOptions& common, const RenderOptions& options) {
  TRY(const auto session, open_session_with_project(common));
  const Config& config = session->config;
  IamRequest request{options.account, options.readers};
  if (request.account.empty() && config.destination.kind == DestinationConfig::Kind::kGoogle) {
    base::SeededRandom random(random_seed());
    TRY(const auto credentials,
        bigquery::find_credentials(config.destination.sign_in,
                                   {session->clock, random, bigquery::connector(session->clock)}));
    TRY(const bigquery::Account account, credentials->account());
    if (!account.is_user) request.account = account.email;  // a person tries it out; an account runs it
  }
  TRY(const std::vector<IamStep> steps, plan_iam(config, request));
  print(common.json ? iam_json(steps) : iam_text(steps));
  return ok();
}

Result<Place> place_of(const std::string& name) {
  if (name == "nais") return Place::kNais;
  if (name == "k8s") return Place::kKubernetes;
  if (name == "systemd") return Place::kSystemd;
  return Place::kCompose;
}

Rendering render(const Config& config, RenderPlan& plan) {
  switch (plan.request.place) {
    case Place::kNais: return render_nais(config, plan);
    case Place::kKubernetes: return render_kubernetes(plan);
    case Place::kSystemd: return render_systemd(plan);
    case Place::kCompose: return render_compose(plan);
  }
  return {};
}

std::string json_of(const Rendering& rendering, const std::vector<RenderWarning>& warnings) {
  std::string files, needs, lost;
  for (const RenderedFile& file : rendering.files)
    files += (files.empty() ? "" : ",\n") + JsonObject().text("name", file.name).text("text", file.text).end();
  for (const std::string& need : rendering.needs) needs += (needs.empty() ? "" : ",\n") + base::json_quote(need);
  for (const RenderWarning& warning : warnings)
    lost += (lost.empty() ? "" : ",\n") +
            JsonObject().text("about", warning.about).text("sentence", warning.sentence).end();
  return JsonObject()
             .raw("files", "[" + files + "]")
             .raw("needs", "[" + needs + "]")
             .raw("warnings", "[" + lost + "]")
             .end() +
         "\n";
}

// Objects of Kubernetes are one stream of documents; files of other kinds have their names between them.
std::string stream_of(const Rendering& rendering, Place place) {
  const bool is_one = place == Place::kKubernetes || place == Place::kNais;
  std::string out;
  for (const RenderedFile& file : rendering.files)
    out +=
        (is_one ? (out.empty() ? "" : "---\n") : (out.empty() ? "" : "\n") + ("# ==> " + file.name + "\n")) + file.text;
  return out;
}

Status write_files(const Rendering& rendering, const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  for (const RenderedFile& file : rendering.files) {
    const std::string path = folder + "/" + file.name;
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << file.text;
    out.close();
    if (!out) return Error(ErrorCode::kConfig, "'" + path + "' cannot be written; --out names another folder");
  }
  return ok();
}

Status render_place(const CommonOptions& common, const RenderOptions& options) {
  TRY(const Config config, load_config_for_elsewhere(common.config_path));
  std::ifstream in(common.config_path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  RenderRequest request;
  TRY(request.place, place_of(options.place));
  request.name = options.name;
  request.image = options.image;
  request.name_space = options.name_space;
  request.kafka_pool = options.kafka_pool;
  if (options.replicas > 0) request.replicas = options.replicas;
  request.jobs_apart = options.jobs_apart;
  request.now_micros = base::SystemClock().wall_micros();
  TRY(RenderPlan plan, plan_render(config, text.str(), request));
  const Rendering rendering = render(config, plan);
  for (const RenderWarning& warning : plan.warnings)
    std::fprintf(stderr, "warning: %s: %s\n", warning.about.c_str(), warning.sentence.c_str());
  if (!options.out.empty()) TRY_STATUS(write_files(rendering, options.out));
  if (common.json)
    print(json_of(rendering, plan.warnings));
  else if (options.out.empty())
    print(stream_of(rendering, request.place));
  return ok();
}

}  // namespace

int run_render(const CommonOptions& common, const RenderOptions& options) {
  const auto done = options.place == "iam" ? render_iam(common, options) : render_place(common, options);
  return done ? kExitDone : report(done.error());
}

}  // namespace flytt::app
