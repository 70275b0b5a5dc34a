// flytt render iam: the configuration as commands for somebody who may give rights.

#include <cstdio>

#include "app/commands.h"
#include "app/internal/iam_plan.h"
#include "app/internal/session.h"
#include "app/output.h"
#include "bigquery/credentials.h"

namespace flytt::app {

namespace {

Status render(const CommonOptions& common, const RenderOptions& options) {
  TRY(const auto session, open_session(common));
  const Config& config = session->config;
  IamRequest request{options.account, options.readers};
  if (request.account.empty() && config.destination.kind == DestinationConfig::Kind::kGoogle) {
    TRY(const auto credentials, bigquery::service_account_file(config.destination.key_file, session->clock));
    request.account = credentials->name();
  }
  TRY(const std::vector<IamStep> steps, plan_iam(config, request));
  const std::string text = common.json ? iam_json(steps) : iam_text(steps);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return ok();
}

}  // namespace

int run_render(const CommonOptions& common, const RenderOptions& options) {
  const auto done = render(common, options);
  return done ? kExitDone : report(done.error());
}

}  // namespace flytt::app
